"""What the entry point can run: one module a job, each with `run(tables, extras) -> Report`."""
