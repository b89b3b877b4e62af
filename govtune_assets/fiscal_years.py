"""The fiscal years that the project knows, as plain data: settings are read by commands that need no Dagster."""

FIRST = 2006
"""Item 1A entered Form 10-K for fiscal years that end on or after 2005-12-01 (SEC release 33-8591)."""

LAST = 2026
"""A literal: partitions must not change with the clock."""

KEYS = tuple(str(year) for year in range(FIRST, LAST + 1))
