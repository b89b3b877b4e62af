"""The Dagster project: assets, checks, resources, command line. Jobs run the payloads in `spark/` and `train/`."""
