"""The table `raw.risk_factors`: its columns, and rows out of the raw zone's records."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from spark.columns import RAW_CONTENT
from spark.columns import RISK_FACTOR as FIELDS
from unitydoor.merkle import encode, merkle_root, row_digest

RISK_FACTOR = pa.struct(
    [
        pa.field("group", pa.string()),
        pa.field("subcaption", pa.string()),
        pa.field("body", pa.string()),
        pa.field("start", pa.int32()),
        pa.field("end", pa.int32()),
    ]
)

COLUMNS: tuple[tuple[str, pa.DataType, str], ...] = (
    ("cik", pa.string(), "Central Index Key of the filer, ten digits"),
    ("ticker", pa.string(), "Ticker under which the filer was found"),
    ("entity_name", pa.string(), "Name of the filer"),
    ("form_type", pa.string(), "10-K or 10-Q; with /A for an amendment"),
    ("fiscal_year", pa.int32(), "Fiscal year as the filing itself names it; partition column"),
    ("fiscal_quarter", pa.int32(), "1 to 3 for a 10-Q, null for a 10-K"),
    ("accession_number", pa.string(), "EDGAR accession number: the filing's identity"),
    ("filing_date", pa.date32(), "Date of filing"),
    ("period_end", pa.date32(), "End of the reported period"),
    ("source_url", pa.string(), "Address of the primary document"),
    ("document_sha256", pa.string(), "SHA-256 of the primary document's bytes"),
    ("status", pa.string(), "What Item 1A is: full, a pointer, not required, absent, …"),
    ("risk_factor_text", pa.string(), "Text of Item 1A without page furniture"),
    (
        "risk_factors",
        pa.list_(RISK_FACTOR),
        "The risk factors; start and end are offsets into risk_factor_text",
    ),
    ("summary", pa.string(), "Summary of principal risks: the section's own, else the one in front of the report"),
    ("extractor_version", pa.string(), "Version of the extraction that made the row"),
    ("retrieved_at", pa.timestamp("us", tz="UTC"), "When the document was fetched"),
)

SCHEMA = pa.schema([pa.field(name, kind) for name, kind, _ in COLUMNS])


class MalformedRecord(ValueError):
    """A JSON object of the raw zone does not have the columns' shape."""


def arrow_table(records: Iterable[dict[str, Any]]) -> pa.Table:
    """The records as rows of the table, one a filing, in the order of accession numbers.

    A record becomes a row as it comes, so that a year's texts are in memory once, as Arrow's bytes.

    Raises:
        MalformedRecord: names the filing and the column.
    """
    rows = sorted(((str(record.get("accession_number")), _row(record)) for record in records), key=lambda row: row[0])
    return pa.Table.from_batches([row for _, row in rows], SCHEMA)


def content_root(rows: pa.Table) -> str:
    """Merkle root over the rows' content, which the job that reads them repeats (`spark.digests.raw_root`)."""
    return merkle_root(
        row_digest(_content(row)) for batch in rows.to_batches(max_chunksize=1) for row in batch.to_pylist()
    )


def _content(row: dict[str, Any]) -> list[str | int | None]:
    factors = row["risk_factors"]
    values = [row[name] for name in RAW_CONTENT]
    return [
        *(value.isoformat() if isinstance(value, date) else value for value in values),
        None if factors is None else "".join(encode(factor[name]) for factor in factors for name in FIELDS),
    ]


def _row(record: dict[str, Any]) -> pa.RecordBatch:
    filing = record.get("accession_number", "without accession number")
    missing = [name for name, _, _ in COLUMNS if name not in record]
    if missing:
        raise MalformedRecord(f"raw filing {filing} lacks {', '.join(missing)}: materialize raw_filings again")
    row = {name: record[name] for name, _, _ in COLUMNS}
    try:
        row["filing_date"] = _date(row["filing_date"])
        row["period_end"] = _date(row["period_end"])
        row["retrieved_at"] = datetime.fromisoformat(row["retrieved_at"])
        return pa.RecordBatch.from_pylist([row], SCHEMA)
    except (TypeError, ValueError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise MalformedRecord(f"raw filing {filing} has a value of the wrong kind: {error}") from error


def _date(value: str | None) -> date | None:
    return date.fromisoformat(value) if value else None
