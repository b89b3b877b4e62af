"""Connected components of a graph whose vertices are 64-bit numbers, on the executors.

A graph of few edges is gone through by one task, since each step in Spark costs a second whatever it holds; a greater
one by all of them, step by step. Both give the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812  (Spark's own convention)

from spark.plans import settled

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEW_EDGES = 4_000_000
"""So many edges one task takes at most: 64 MiB of ends, and some hundreds while it works."""


def components(edges: DataFrame, few: int = FEW_EDGES) -> DataFrame:
    """Return `document` and `component`, the smallest document that it is connected with.

    `edges` has their ends in `document` and `other` (long), in any order and any number of times. A document that is
    the smallest of its own component has no row. Up to `few` edges are joined in one task.
    """
    high, low = F.greatest("document", "other"), F.least("document", "other")
    current = settled(edges.select(high.alias("high"), low.alias("low")).where("high > low"))
    if current.count() <= few:
        return settled(current.coalesce(1).mapInArrow(_joined, "document long, component long"))
    return _stars(current.distinct()).select(F.col("high").alias("document"), F.col("low").alias("component"))


def _joined(batches: Iterable[Any]) -> Iterator[Any]:
    """All Arrow batches of edges, `high` and `low`, to one batch of `document` and `component`."""
    parts = [(batch.column("high").to_numpy(), batch.column("low").to_numpy()) for batch in batches]
    if parts:
        found = smallest(*(np.concatenate(column) for column in zip(*parts, strict=True)))
        yield pa.RecordBatch.from_arrays([pa.array(column) for column in found], ["document", "component"])


def smallest(high: NDArray[np.int64], low: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the vertices that are connected with a smaller one, and the smallest that each is connected with.

    Union-find on whole arrays: each tree hangs on the smallest tree that an edge leads to, then all paths are cut
    short, until no edge leads out of a tree. Roots only hang on smaller ones, so a tree's root is its smallest.
    """
    vertices, ends = np.unique(np.concatenate((high, low)), return_inverse=True)
    one, other = ends[: len(high)], ends[len(high) :]
    root = np.arange(len(vertices))
    while True:
        one, other = root[one], root[other]
        apart = one != other
        if not apart.any():
            break
        one, other = one[apart], other[apart]
        np.minimum.at(root, np.maximum(one, other), np.minimum(one, other))
        while (root != root[root]).any():
            root = root[root]
    below = root != np.arange(len(root))
    return vertices[below], vertices[root[below]]


def _stars(edges: DataFrame) -> DataFrame:
    """Return edges `high` and `low` that lead from each document to the smallest of its component.

    The alternating large-star, small-star algorithm of Kiveris et al., "Connected Components in MapReduce and Beyond"
    (2014): the edges of each step are those of the step before with other ends, never more, until every component is a
    star around its smallest document; the number of steps grows with the logarithm of the longest chain.
    """
    current = settled(edges)
    before, now = None, _fingerprint(current)
    while now != before:
        current = settled(_small_star(_large_star(current)))
        before, now = now, _fingerprint(current)
    return current


def _large_star(edges: DataFrame) -> DataFrame:
    """Connect every larger neighbour of a document with the smallest document around it."""
    both = edges.unionByName(edges.select(F.col("low").alias("high"), F.col("high").alias("low")))
    smallest = F.least("high", F.min("low").over(Window.partitionBy("high")))
    return (
        both.withColumn("smallest", smallest)
        .where("low > high")
        .select(F.col("low").alias("high"), F.col("smallest").alias("low"))
        .distinct()
    )


def _small_star(edges: DataFrame) -> DataFrame:
    """Connect a document and its smaller neighbours with the smallest of these."""
    placed = edges.withColumn("smallest", F.min("low").over(Window.partitionBy("high")))
    # One pass over the shuffled rows: the document itself, and each neighbour but the smallest.
    ends = F.explode(F.array("high", "low")).alias("high")
    return placed.select(ends, F.col("smallest").alias("low")).where("high <> low").distinct()


def _fingerprint(edges: DataFrame) -> tuple[int, int]:
    """Number of the edges and the exclusive or of their hashes: equal for equal edges in any order."""
    row = edges.agg(F.count("*"), F.coalesce(F.bit_xor(F.xxhash64("high", "low")), F.lit(0))).first()
    return int(row[0]), int(row[1])
