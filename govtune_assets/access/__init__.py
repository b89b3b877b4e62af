"""Grants as code: who may do what in Unity Catalog, the difference to the catalog, and why something is refused."""
