"""`unitydoor.merkle`'s row digest as Spark columns, and the Merkle root of a DataFrame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812  (Spark's own convention)

from unitydoor.merkle import merkle_root

DIGEST_BYTES = 32


def encoded(column: str) -> Column:
    """Return the canonical encoding of a string or integer column (`unitydoor.merkle.encode`)."""
    text = F.col(column).cast("string")
    return F.when(F.col(column).isNull(), F.lit("-")).otherwise(F.concat(F.length(text), F.lit(":"), text))


def row_digest(columns: Sequence[str]) -> Column:
    """Return the SHA-256 in hex of the columns' encodings in the given order (`unitydoor.merkle.row_digest`)."""
    return F.sha2(F.concat(*map(encoded, columns)), 256)


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
