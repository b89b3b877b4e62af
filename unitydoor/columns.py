"""Columns as the catalog wants them, made from a Spark (and so Delta) schema in JSON.

A Delta table's schema is the JSON that Spark writes for a struct type; the catalog keeps each column's Spark
JSON (`type_json`), its SQL text (`type_text`) and one of its own type names (`type_name`), as Databricks' clients
send them.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_TYPE_NAMES = {
    "string": "STRING",
    "long": "LONG",
    "integer": "INT",
    "short": "SHORT",
    "byte": "BYTE",
    "float": "FLOAT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "binary": "BINARY",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "timestamp_ntz": "TIMESTAMP_NTZ",
    "variant": "VARIANT",
}
_SQL = {"long": "bigint", "integer": "int", "short": "smallint", "byte": "tinyint"}
_DECIMAL = re.compile(r"decimal\((\d+),\s*(\d+)\)")


@dataclass(frozen=True)
class Column:
    """One column. `position` counts from 0; `partition_index` is its place among the partition columns."""

    name: str
    type_name: str
    type_text: str
    type_json: str
    position: int
    nullable: bool = True
    comment: str = ""
    partition_index: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """The column in a request to the catalog."""
        body: dict[str, Any] = {
            "name": self.name,
            "type_name": self.type_name,
            "type_text": self.type_text,
            "type_json": self.type_json,
            "position": self.position,
            "nullable": self.nullable,
        }
        if self.comment:
            body["comment"] = self.comment
        if self.partition_index is not None:
            body["partition_index"] = self.partition_index
        if self.type_name == "DECIMAL":
            precision, scale = self.type_text[len("decimal(") : -1].split(",")
            body |= {"type_precision": int(precision), "type_scale": int(scale)}
        return body


def from_spark_json(schema: str | Mapping[str, Any], partition_by: tuple[str, ...] = ()) -> tuple[Column, ...]:
    """Columns of a Spark struct schema.

    Raises:
        ValueError: not a struct schema, a type that Delta does not have, or an absent partition column.
    """
    struct: Any = json.loads(schema) if isinstance(schema, str) else schema
    if not isinstance(struct, Mapping) or struct.get("type") != "struct":
        raise ValueError("a table's schema is a Spark struct type")
    columns = tuple(_column(field, position, partition_by) for position, field in enumerate(struct["fields"]))
    absent = set(partition_by) - {column.name for column in columns}
    if absent:
        raise ValueError(f"partition columns are not in the schema: {sorted(absent)}")
    return columns


def _column(field: Mapping[str, Any], position: int, partition_by: tuple[str, ...]) -> Column:
    name, kind = str(field["name"]), field["type"]
    metadata = field.get("metadata") or {}
    text = sql_type(kind)
    return Column(
        name=name,
        type_name=_type_name(kind),
        type_text=text,
        type_json=json.dumps(
            {"name": name, "type": kind, "nullable": bool(field.get("nullable", True)), "metadata": metadata}
        ),
        position=position,
        nullable=bool(field.get("nullable", True)),
        comment=str(metadata.get("comment", "")),
        partition_index=partition_by.index(name) if name in partition_by else None,
    )


def _type_name(kind: Any) -> str:
    if isinstance(kind, Mapping):
        return str(kind["type"]).upper()
    return "DECIMAL" if _DECIMAL.fullmatch(kind) else _TYPE_NAMES[kind]


def sql_type(kind: Any) -> str:
    """SQL text of a Spark JSON type, such as `array<struct<body:string>>`.

    Raises:
        ValueError: not a type that a Delta table can have.
    """
    if isinstance(kind, Mapping):
        return _nested(kind)
    decimal = _DECIMAL.fullmatch(str(kind))
    if decimal:
        return f"decimal({decimal[1]},{decimal[2]})"
    if kind not in _TYPE_NAMES:
        raise ValueError(f"not a column type of Delta: {kind!r}")
    return _SQL.get(kind, str(kind))


def _nested(kind: Mapping[str, Any]) -> str:
    if kind.get("type") == "array":
        return f"array<{sql_type(kind['elementType'])}>"
    if kind.get("type") == "map":
        return f"map<{sql_type(kind['keyType'])},{sql_type(kind['valueType'])}>"
    if kind.get("type") == "struct":
        inside = ",".join(f"{field['name']}:{sql_type(field['type'])}" for field in kind["fields"])
        return f"struct<{inside}>"
    raise ValueError(f"not a column type of Delta: {kind.get('type')!r}")
