"""Columns out of a Spark schema."""

from __future__ import annotations

import json

import pytest

from unitydoor.columns import from_spark_json, sql_type

RISK_FACTOR = {
    "type": "struct",
    "fields": [
        {"name": "body", "type": "string", "nullable": True, "metadata": {}},
        {"name": "start", "type": "integer", "nullable": True, "metadata": {}},
    ],
}
SCHEMA = {
    "type": "struct",
    "fields": [
        {"name": "cik", "type": "string", "nullable": False, "metadata": {"comment": "ten digits"}},
        {"name": "fiscal_year", "type": "integer", "nullable": True, "metadata": {}},
        {"name": "amount", "type": "decimal(10, 2)", "nullable": True, "metadata": {}},
        {
            "name": "risk_factors",
            "type": {"type": "array", "elementType": RISK_FACTOR, "containsNull": True},
            "nullable": True,
            "metadata": {},
        },
    ],
}


def test_columns_of_a_nested_schema() -> None:
    cik, year, amount, factors = from_spark_json(json.dumps(SCHEMA), ("fiscal_year",))
    assert cik.as_dict() == {
        "name": "cik",
        "type_name": "STRING",
        "type_text": "string",
        "type_json": json.dumps(SCHEMA["fields"][0]),
        "position": 0,
        "nullable": False,
        "comment": "ten digits",
    }
    assert (year.type_name, year.type_text, year.partition_index) == ("INT", "int", 0)
    assert {"type_precision": 10, "type_scale": 2}.items() <= amount.as_dict().items()
    assert (factors.type_name, factors.type_text) == ("ARRAY", "array<struct<body:string,start:int>>")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("long", "bigint"),
        ("short", "smallint"),
        ("byte", "tinyint"),
        ("timestamp_ntz", "timestamp_ntz"),
        ({"type": "map", "keyType": "string", "valueType": "long", "valueContainsNull": True}, "map<string,bigint>"),
    ],
)
def test_types_as_sql(kind: object, text: str) -> None:
    assert sql_type(kind) == text


@pytest.mark.parametrize("kind", ["text", "", "decimal", {"type": "udt"}, {}])
def test_other_types_are_refused(kind: object) -> None:
    with pytest.raises(ValueError, match="not a column type of Delta"):
        sql_type(kind)


def test_a_partition_column_must_exist() -> None:
    with pytest.raises(ValueError, match="quarter"):
        from_spark_json(SCHEMA, ("quarter",))
    with pytest.raises(ValueError, match="struct"):
        from_spark_json({"type": "array"})
