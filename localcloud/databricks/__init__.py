"""A workspace-shaped Unity Catalog on one machine: OAuth, privileges, credential vending, models, lineage, audit.

Endpoints, bodies and errors follow the public Databricks REST API as its own clients use it. State is one SQLite
file; storage credentials come from AWS STS at the address the server is given.
"""
