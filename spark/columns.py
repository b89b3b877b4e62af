"""Columns that several parts of the project must know alike. Plain Python, no Spark: the orchestrator reads it too."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

Columns = tuple[tuple[str, str, str], ...]
"""Columns of a table in their order: name, type in Spark's words, comment."""

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

_IDENTITY: Columns = (
    ("example_id", "string", "SHA-256 of task, template version, body and place: the example's identity"),
    ("task", "string", "T1: subcaption, T2: category, T3: generic or specific, T4: principal or not"),
    ("prompt", "string", "What the model reads"),
    ("completion", "string", "What the model is to write"),
)
_PLACE: Columns = (
    ("cik", "string", "Central Index Key of the filer, ten digits"),
    ("accession_number", "string", "EDGAR accession number of the filing"),
    ("fiscal_year", "int", "Fiscal year of the filing"),
    ("form_type", "string", "10-K or 10-Q"),
    ("risk_factor_index", "int", "Place of the risk factor in its filing, from 0"),
    ("char_start", "int", "Start of the body in risk_factor_text of raw.risk_factors, in characters"),
    ("char_end", "int", "End of the body in risk_factor_text of raw.risk_factors, in characters"),
    ("body_sha256", "string", "SHA-256 of the body as filed, before cleaning"),
    ("source_url", "string", "Address of the filing's primary document"),
    ("template_version", "string", "Version of the task's template"),
    ("cleaner_version", "string", "Version of cleaning and scrubbing"),
)

EXAMPLES: Columns = (
    *_IDENTITY,
    *_PLACE,
    ("ticker", "string", "Ticker of the filer when it filed"),
    ("fiscal_quarter", "int", "1 to 3 for a 10-Q, null for a 10-K"),
    ("pii_removed", "int", "Spans of personal data replaced by placeholders in body and subcaption"),
    ("cut_words", "int", "Words cut off the end of the body so that it fits a model; 0 for a whole body"),
)
"""Columns of `curated.risk_factor_examples`, in the order of a row's digest."""

SNAPSHOT: Columns = (
    *_IDENTITY,
    ("split", "string", "train, validation, test_company, test_year or test_company_year (spark/split.py)"),
    (
        "cluster_id",
        "string",
        "Cluster of near-duplicate bodies: its smallest text's SHA-256, first digits; it stands in one split only",
    ),
    *_PLACE,
)
"""Columns of `curated.training_snapshot`, in the order of a row's digest."""

VERSIONS: Columns = (
    ("version", "int", "Number of the version, from 1"),
    ("created_at", "string", "When the version was made, ISO 8601, UTC"),
    ("merkle_root", "string", "Merkle root over the snapshot's rows: what makes the version one"),
    ("snapshot_table", "string", "Full name of the snapshot's table"),
    ("snapshot_delta_version", "int", "Delta version of the snapshot that holds this content"),
    ("rows", "int", "Examples"),
    ("added", "int", "Examples that the version before lacks"),
    ("removed", "int", "Examples of the version before that are gone"),
    ("edited", "int", "Examples with another body, prompt or completion than in the version before"),
    ("code_version", "string", "Digest of the code that made the version"),
    ("run_id", "string", "Dagster run that made the version"),
    ("description", "string", "What the data is, in words"),
    ("manifest_url", "string", "Address of the manifest beside the data"),
    ("manifest", "string", "The whole manifest, a JSON object"),
)
"""Columns of `curated.dataset_versions`."""

EXAMPLE = ("task", "accession_number", "risk_factor_index")
"""What makes two rows of two versions the same example: the task, and the risk factor that it was made of."""
_CONTENT = ("body_sha256", "prompt", "completion")
CHANGES: Mapping[str, tuple[str, ...]] = MappingProxyType({"edited": _CONTENT, "moved": (*_CONTENT, "split")})
"""What became of an example that two versions have: the first of these whose columns differ. `edited`: another
paragraph, or another text made of it. `moved`: the same content in another split."""
RESTATED = "restated"
"""What became of it where any other column alone differs, such as a version, an address or a cluster."""
KINDS = ("added", "removed", *CHANGES, RESTATED, "same")
"""All that can become of an example, in the order of display."""
