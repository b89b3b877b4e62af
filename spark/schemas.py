"""Schemas of the tables that the jobs write, column by column with a comment, in the order of their digest."""

from __future__ import annotations

from pyspark.sql.types import IntegerType, StringType, StructField, StructType

from spark import columns


def struct(described: columns.Columns) -> StructType:
    """Return the schema of a table with these columns, each of which may be null. Raises KeyError on another type."""
    kinds = {"string": StringType(), "int": IntegerType()}
    return StructType([StructField(name, kinds[kind], True, {"comment": comment}) for name, kind, comment in described])


EXAMPLES = struct(columns.EXAMPLES)
EXAMPLES_COMMENT = (
    "Instruction pairs of four tasks from risk factors: cleaned, scrubbed of personal data, long bodies cut, without "
    "exact duplicates in a fiscal year. Each row names its filing, risk factor and character span."
)

SNAPSHOT = struct(columns.SNAPSHOT)
SNAPSHOT_COMMENT = (
    "The frozen training set. A row's digest and the table's Merkle root are defined in unitydoor/merkle.py."
)
