"""Local AWS, Databricks, EDGAR and MLflow endpoints for one machine. Imported by nothing in the product."""
