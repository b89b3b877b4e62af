"""Which columns each column of a curated table is made of. Plain Python, no Spark: the orchestrator reads it too.

A column with no entry to its right is made by the code alone, such as a version. `DECIDE` are the columns that decide
which rows there are. Tests hold the names against the tables' schemas.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_FACTOR = ("risk_factors",)

EXAMPLES_FROM_RAW: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "example_id": ("risk_factors", "cik", "accession_number"),
        "task": (),
        "prompt": _FACTOR,
        "completion": ("risk_factors", "summary"),
        "cik": ("cik",),
        "accession_number": ("accession_number",),
        "fiscal_year": ("fiscal_year",),
        "form_type": ("form_type",),
        "risk_factor_index": _FACTOR,
        "char_start": _FACTOR,
        "char_end": _FACTOR,
        "body_sha256": _FACTOR,
        "source_url": ("source_url",),
        "template_version": (),
        "cleaner_version": (),
        "ticker": ("ticker",),
        "fiscal_quarter": ("fiscal_quarter",),
        "pii_removed": _FACTOR,
        "cut_words": _FACTOR,
    }
)
"""Columns of `curated.risk_factor_examples` and those of `raw.risk_factors` that they are made of."""
RAW_DECIDE = ("status", "form_type", "fiscal_year", "filing_date", "accession_number", "risk_factors", "summary")
"""A filing counts by its status and form; of equal bodies a benchmark filing's is kept, else the earliest; T4 has
examples only of a filing with a summary."""

SNAPSHOT_FROM_EXAMPLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **{
            name: (name,)
            for name in (
                "example_id",
                "task",
                "prompt",
                "completion",
                "cik",
                "accession_number",
                "fiscal_year",
                "form_type",
                "risk_factor_index",
                "char_start",
                "char_end",
                "body_sha256",
                "source_url",
                "template_version",
                "cleaner_version",
            )
        },
        "split": ("cik", "fiscal_year", "prompt"),
        "cluster_id": ("prompt",),
    }
)
"""Columns of `curated.training_snapshot` and those of `curated.risk_factor_examples` that they are made of."""
EXAMPLES_DECIDE = (
    "fiscal_year",
    "fiscal_quarter",
    "accession_number",
    "risk_factor_index",
    "example_id",
    "task",
    "prompt",
    "body_sha256",
    "cik",
)
"""Of near-duplicates the earliest of each task is kept; what a benchmark filing says does not train; texts that stand
in train are not kept to test."""


def of_job(job: str) -> tuple[Mapping[str, tuple[str, ...]], tuple[str, ...]]:
    """The columns that a job's table is made of, and those that decide which rows it has."""
    return {
        "examples": (EXAMPLES_FROM_RAW, RAW_DECIDE),
        "snapshot": (SNAPSHOT_FROM_EXAMPLES, EXAMPLES_DECIDE),
    }[job]
