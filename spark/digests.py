"""`unitydoor.merkle`'s row digest as Spark columns, and the Merkle root of a DataFrame.

A list of structures counts as one text: the encodings of its members' fields, one behind the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812  (Spark's own convention)

from spark.columns import RAW_CONTENT, RISK_FACTOR
from unitydoor.merkle import merkle_root

DIGEST_BYTES = 32


def encoded(value: Column) -> Column:
    """Return the canonical encoding of a string, an integer or a date (`unitydoor.merkle.encode`)."""
    text = value.cast("string")
    return F.when(value.isNull(), F.lit("-")).otherwise(F.concat(F.length(text), F.lit(":"), text))


def row_digest(columns: Sequence[str]) -> Column:
    """Return the SHA-256 in hex of the columns' encodings in the given order (`unitydoor.merkle.row_digest`)."""
    return F.sha2(F.concat(*map(encoded, map(F.col, columns))), 256)


def raw_root(rows: DataFrame) -> str:
    """Return the Merkle root over the content of rows of `raw.risk_factors`, as the orchestrator records it."""
    factors = F.transform("risk_factors", lambda factor: F.concat(*(encoded(factor[name]) for name in RISK_FACTOR)))
    # A column of its own: an encoding names its value several times, and Spark would join the factors as often.
    joined = rows.select(*RAW_CONTENT, F.array_join(factors, "").alias("risk_factors"))
    return root_of(joined, row_digest((*RAW_CONTENT, "risk_factors")))


def content_root(rows: DataFrame, columns: Sequence[str]) -> str:
    """Return the Merkle root over the rows (`unitydoor.merkle.merkle_root`)."""
    return root_of(rows, row_digest(columns))


def root_of(rows: DataFrame, digest: Column) -> str:
    """Return the Merkle root over the rows' digests, which are given in hex.

    The digests come to the driver in one job, a string of bytes for each batch of rows, and are sorted there: 32 bytes
    a row, no shuffle.
    """
    joined = rows.select(F.unhex(digest).alias("digest")).mapInArrow(_joined, "digests binary")
    return merkle_root(
        blob[start : start + DIGEST_BYTES]
        for (blob,) in joined.collect()
        for start in range(0, len(blob), DIGEST_BYTES)
    )


def _joined(batches: Iterable[Any]) -> Iterator[Any]:
    """Arrow batches of `digest` to one row each, in which the digests stand one behind the other."""
    for batch in batches:
        if batch.num_rows:
            joined = b"".join(batch.column("digest").to_pylist())
            yield pa.RecordBatch.from_arrays([pa.array([joined], pa.binary())], ["digests"])
