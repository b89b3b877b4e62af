"""Checks of the raw zone: what was skipped or failed stays visible, and is bounded."""

import dagster as dg

from govtune_assets.checks.common import Gate, Verdict, build_gate
from govtune_assets.keys import RAW_FILINGS, RAW_TABLE
from govtune_assets.partitions import FISCAL_YEARS
from govtune_assets.provenance import Materialized

MAXIMUM_FAILED_SHARE = 0.01
"""Largest share of filings whose extraction may fail."""


def build_filing_checks() -> list[dg.AssetChecksDefinition]:
    """The checks of filings and raw table."""
    return [
        build_gate(
            Gate(
                dg.AssetCheckKey(RAW_FILINGS, "few_failed_extractions"),
                "At most one filing in a hundred failed to be extracted.",
                few_failed_extractions,
                FISCAL_YEARS,
            )
        ),
        build_gate(
            Gate(
                dg.AssetCheckKey(RAW_TABLE, "accession_numbers_unique"),
                "No filing stands in the year twice.",
                accession_numbers_unique,
                FISCAL_YEARS,
            )
        ),
    ]


def few_failed_extractions(made: Materialized) -> Verdict:
    """The share of records with status `failed` is at most one percent."""
    rows, failed = int(made.metadata["dagster/row_count"]), int(made.metadata["failed"])
    share = failed / rows if rows else 1.0
    return Verdict(
        share <= MAXIMUM_FAILED_SHARE,
        share,
        MAXIMUM_FAILED_SHARE,
        f"{failed} of {rows} filings failed to be extracted.",
    )


def accession_numbers_unique(made: Materialized) -> Verdict:
    """As many accession numbers as rows."""
    rows, distinct = int(made.metadata["dagster/row_count"]), int(made.metadata["accession_numbers"])
    return Verdict(rows == distinct, distinct, rows, f"{distinct} accession numbers in {rows} rows.")
