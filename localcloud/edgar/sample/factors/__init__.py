"""Hand-written risk factors, one YAML file a category or industry; `library.py` says what a file holds."""
