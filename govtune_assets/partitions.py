"""The fiscal years that partition filings and tables."""

import dagster as dg

FIRST_FISCAL_YEAR = 2006
"""Item 1A entered Form 10-K for fiscal years that end on or after 2005-12-01 (SEC release 33-8591)."""

LAST_FISCAL_YEAR = 2026
"""A literal: partitions must not change with the clock."""

FISCAL_YEARS = dg.StaticPartitionsDefinition([str(year) for year in range(FIRST_FISCAL_YEAR, LAST_FISCAL_YEAR + 1)])
"""Static, since a time window would name a fiscal year that ends in January one year early or late."""
