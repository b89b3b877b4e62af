"""The project's own corpus: fictional companies, their risk factors and filings, written in EDGAR's folder layout.

Hand-written texts are data (`factors/`, `companies.yaml`, `items.yaml`, `sections.yaml`); the modules here
choose, vary and lay them out. No company, person, product or address in it exists.
"""
