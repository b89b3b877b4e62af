"""The Dagster project: assets, checks, resources and the command line. Payloads of jobs live in `spark/` and `train/`."""
