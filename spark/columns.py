"""Columns that several parts of the project must know alike. Plain Python, no Spark: the orchestrator reads it too."""

from __future__ import annotations

RAW_CONTENT = (
    "cik",
    "ticker",
    "entity_name",
    "form_type",
    "fiscal_year",
    "fiscal_quarter",
    "accession_number",
    "filing_date",
    "period_end",
    "source_url",
    "document_sha256",
    "status",
    "risk_factor_text",
    "summary",
    "extractor_version",
)
"""Columns of `raw.risk_factors` that are a row's content beside its risk factors, in the order of their digest. When a
document was fetched is none."""
RISK_FACTOR = ("group", "subcaption", "body", "start", "end")
"""Fields of a risk factor in `raw.risk_factors`, in the order of their digest."""
