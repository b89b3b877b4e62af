"""`unitydoor.merkle`'s row digest as Spark columns, and the Merkle root of a DataFrame."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812  (Spark's own convention)

from unitydoor.merkle import merkle_root


def encoded(column: str) -> Column:
    """Return the canonical encoding of a string or integer column (`unitydoor.merkle.encode`)."""
    text = F.col(column).cast("string")
    return F.when(F.col(column).isNull(), F.lit("-")).otherwise(F.concat(F.length(text), F.lit(":"), text))


def row_digest(columns: Sequence[str]) -> Column:
    """Return the SHA-256 in hex of the columns' encodings in the given order (`unitydoor.merkle.row_digest`)."""
    return F.sha2(F.concat(*map(encoded, columns)), 256)


def content_root(rows: DataFrame, columns: Sequence[str]) -> str:
    """Return the Merkle root over the rows (`unitydoor.merkle.merkle_root`).

    The digests come to the driver partition by partition and are sorted there: 32 bytes a row, no shuffle.
    """
    digests = rows.select(F.unhex(row_digest(columns)))
    return merkle_root(bytes(row[0]) for row in digests.toLocalIterator(prefetchPartitions=True))
