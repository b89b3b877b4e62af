"""Local AWS, Databricks and EDGAR endpoints for one machine. Imported by nothing in the product."""
