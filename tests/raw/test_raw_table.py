"""Rows of the raw table out of the raw zone's records."""

import copy
from typing import Any

import pytest

from govtune_assets import provenance
from govtune_assets.keys import filing_object_key
from govtune_assets.raw_table import COLUMNS, MalformedRecord, arrow_table

RECORD = {
    "cik": "0009900001",
    "ticker": "ABCD",
    "entity_name": "Abcd, Inc.",
    "form_type": "10-K",
    "fiscal_year": 2024,
    "fiscal_quarter": None,
    "accession_number": "0009900001-25-000001",
    "filing_date": "2025-02-01",
    "period_end": "2024-12-31",
    "source_url": "https://example.com/a.htm",
    "document_sha256": "0" * 64,
    "status": "full",
    "risk_factor_text": "Heading. Body.",
    "risk_factors": [
        {"group": None, "subcaption": "Heading.", "body": "Body.", "start": 9, "end": 14, "subcaption_span": [0, 8]}
    ],
    "evidence": "of the JSON object only",
    "summary": None,
    "extractor_version": "1",
    "retrieved_at": "2025-02-02T00:00:00Z",
}


def test_rows_have_the_columns_and_the_order_of_accession_numbers() -> None:
    later = {**RECORD, "accession_number": "0009900001-25-000002"}
    table = arrow_table([later, RECORD])
    assert table.column_names == [name for name, _, _ in COLUMNS]
    assert table["accession_number"].to_pylist() == ["0009900001-25-000001", "0009900001-25-000002"]
    factor = table["risk_factors"].to_pylist()[0][0]
    text = table["risk_factor_text"].to_pylist()[0]
    assert text[factor["start"] : factor["end"]] == factor["body"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("filing_date", "yesterday"), ("fiscal_year", "x"), ("risk_factors", "none"), ("retrieved_at", None)],
)
def test_a_value_of_the_wrong_kind_names_its_filing(field: str, value: object) -> None:
    with pytest.raises(MalformedRecord, match="0009900001-25-000001"):
        arrow_table([{**RECORD, field: value}])


def test_a_missing_column_is_named() -> None:
    record = {name: value for name, value in RECORD.items() if name != "status"}
    with pytest.raises(MalformedRecord, match="lacks status"):
        arrow_table([record])


def test_object_keys_follow_the_partition_layout() -> None:
    assert filing_object_key(RECORD) == (
        "raw/risk_factors/form_type=10-K/fiscal_year=2024/cik=0009900001/risk_factors.json"
    )
    amended = {**RECORD, "form_type": "10-K/A"}
    assert filing_object_key(amended) == (
        "raw/risk_factors/form_type=10-K-A/fiscal_year=2024/cik=0009900001/accession=0009900001-25-000001/"
        "risk_factors.json"
    )
    quarterly = {**RECORD, "form_type": "10-Q", "fiscal_quarter": 2}
    assert filing_object_key(quarterly) == (
        "raw/risk_factors/form_type=10-Q/fiscal_year=2024/quarter=2/cik=0009900001/risk_factors.json"
    )


def test_the_digest_is_about_content_not_order_or_time() -> None:
    other = {**copy.deepcopy(RECORD), "accession_number": "0009900001-25-000002"}
    again = {**RECORD, "retrieved_at": "2026-01-01T00:00:00Z"}
    assert _digest(RECORD, other) == _digest(other, again)
    assert _digest(RECORD) != _digest({**RECORD, "status": "absent"})


def _digest(*records: dict[str, Any]) -> str:
    return provenance.digest_of_digests(map(provenance.digest_of_record, records))
