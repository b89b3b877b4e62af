"""Schemas of the tables that the jobs write, column by column with a comment, in the order of their digest."""

from __future__ import annotations

from pyspark.sql.types import DataType, IntegerType, StringType, StructField, StructType

TEXT, NUMBER = StringType(), IntegerType()


def _column(name: str, kind: DataType, comment: str) -> StructField:
    return StructField(name, kind, True, {"comment": comment})


_IDENTITY = (
    _column("example_id", TEXT, "SHA-256 of task, template version, body and place: the example's identity"),
    _column("task", TEXT, "T1: subcaption, T2: category, T3: generic or specific, T4: principal or not"),
    _column("prompt", TEXT, "What the model reads"),
    _column("completion", TEXT, "What the model is to write"),
)
_PLACE = (
    _column("cik", TEXT, "Central Index Key of the filer, ten digits"),
    _column("accession_number", TEXT, "EDGAR accession number of the filing"),
    _column("fiscal_year", NUMBER, "Fiscal year of the filing"),
    _column("form_type", TEXT, "10-K or 10-Q"),
    _column("risk_factor_index", NUMBER, "Place of the risk factor in its filing, from 0"),
    _column("char_start", NUMBER, "Start of the body in risk_factor_text of raw.risk_factors, in characters"),
    _column("char_end", NUMBER, "End of the body in risk_factor_text of raw.risk_factors, in characters"),
    _column("body_sha256", TEXT, "SHA-256 of the body as filed, before cleaning"),
    _column("source_url", TEXT, "Address of the filing's primary document"),
    _column("template_version", TEXT, "Version of the task's template"),
    _column("cleaner_version", TEXT, "Version of cleaning and scrubbing"),
)

EXAMPLES = StructType(
    [
        *_IDENTITY,
        *_PLACE,
        _column("ticker", TEXT, "Ticker of the filer when it filed"),
        _column("fiscal_quarter", NUMBER, "1 to 3 for a 10-Q, null for a 10-K"),
        _column("pii_removed", NUMBER, "Spans of personal data replaced by placeholders in body and subcaption"),
        _column("cut_words", NUMBER, "Words cut off the end of the body so that it fits a model; 0 for a whole body"),
    ]
)
EXAMPLES_COMMENT = (
    "Instruction pairs of four tasks from risk factors: cleaned, scrubbed of personal data, long bodies cut, without "
    "exact duplicates in a fiscal year. Each row names its filing, risk factor and character span."
)

SNAPSHOT = StructType(
    [
        *_IDENTITY,
        _column("split", TEXT, "train, validation, test_company, test_year or test_company_year (spark/split.py)"),
        _column(
            "cluster_id",
            TEXT,
            "Cluster of near-duplicate bodies: its smallest text's SHA-256, first digits; it stands in one split only",
        ),
        *_PLACE,
    ]
)
SNAPSHOT_COMMENT = (
    "The frozen training set. A row's digest and the table's Merkle root are defined in unitydoor/merkle.py."
)
