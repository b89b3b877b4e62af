"""The fiscal years that partition filings and tables."""

import dagster as dg

from govtune_assets import fiscal_years

FISCAL_YEARS = dg.StaticPartitionsDefinition(list(fiscal_years.KEYS))
"""Static, since a time window would name a fiscal year that ends in January one year early or late."""
