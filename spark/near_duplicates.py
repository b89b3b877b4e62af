"""Clusters of near-duplicate texts: MinHash, locality-sensitive hashing, exact Jaccard, connected components.

Two texts are near-duplicates when the Jaccard similarity of their sets of word 5-grams (letters and digits only,
lower case: `cleaning.normalised`) is at least 0.8. Candidates come from MinHash bands; each candidate pair is then
held against the exact similarity, so no pair is joined by chance. Clusters are the connected components of the
pairs that stand. All of it runs in Spark on the executors, and the result depends on the texts alone.

Bands: 20 of 6 values. Two texts of similarity s share a band with probability 1 - (1 - s**6)**20: 0.998 at 0.8,
0.27 at 0.5, 0.015 at 0.3. So near-duplicates are found, and few others have to be compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812  (Spark's own convention)

from spark.cleaning import normalised
from spark.components import components
from spark.plans import settled
from spark.shingles import WordNumbers, mixed, shingles

if TYPE_CHECKING:
    from numpy.typing import NDArray

THRESHOLD = 0.8
SHINGLE_WORDS = 5
BANDS, BAND_ROWS = 20, 6
NEIGHBOURS = 8
"""Members before it that each member of a bucket is compared with, besides the bucket's first: all pairs of a bucket
of nine, and a bounded number for each member of a bucket of any size."""
DOCUMENT_DIGITS = 15
"""Hexadecimal digits of a text's SHA-256 that name it (60 bits, so they fit Spark's long): among a million texts two
share them with a probability of 4e-7, and then count as one text."""
_SEED = 20240229


def clusters(texts: DataFrame) -> DataFrame:
    """Group texts (columns `key` and `text`) into clusters.

    Returns one row a key: `key`, `document` (the name of its normalised text) and `cluster_id`, the smallest
    document of its cluster. Texts that share a key share a cluster, whatever they are.
    """
    sketches = settled(_sketches(texts))
    buckets = settled(_buckets(sketches))
    sets = settled(_sets(sketches, buckets))
    stars = verified(buckets.select("document", F.col("first").alias("other")).distinct(), sets)
    found = components(_sharing_a_key(sketches).unionByName(stars))
    # Most members of a big bucket are joined by its first; only what is still apart has to be compared again.
    apart = _in_two_components(buckets.select("document", F.explode("before").alias("other")).distinct(), found)
    again = components(_between_components(verified(apart, sets), found))
    named = (
        _placed(_placed(sketches.select("key", "document"), found, "document"), again, "document_component")
        .groupBy("key")
        .agg(F.min("document").alias("document"), F.min("document_component_component").alias("component"))
    )
    return named.select("key", _name("document"), _name("component").alias("cluster_id"))


def verified(pairs: DataFrame, sets: DataFrame) -> DataFrame:
    """Return the pairs (`document`, `other`) whose exact Jaccard similarity reaches the threshold.

    `sets` has the `shingles` of each `document` in the pairs, a row a document.
    """
    others = sets.select(F.col("document").alias("other"), F.col("shingles").alias("other_shingles"))
    both = pairs.join(sets, "document").join(others, "other")
    return both.select("document", "other", "shingles", "other_shingles").mapInArrow(
        _similar_pairs, "document long, other long"
    )


def _sketches(texts: DataFrame) -> DataFrame:
    """One row a key and text, equal ones once: `key`, `document`, `bands` (the text's LSH buckets) and `shingles`
    (sorted, 8 bytes each)."""
    by_key = texts.select("key", "text").repartition("key")
    return by_key.mapInArrow(_sketch, "key string, document long, bands array<long>, shingles binary")


def _buckets(sketches: DataFrame) -> DataFrame:
    """The members of each bucket but its first: `document`, `first`, and `before`, its neighbours in the bucket.

    The order in a bucket is that of the documents' names, which are digests.
    """
    members = sketches.select(F.explode("bands").alias("band"), "document").repartition("band")
    return members.mapInArrow(_members_after_the_first, "document long, first long, before array<long>")


def _sets(sketches: DataFrame, buckets: DataFrame) -> DataFrame:
    """The `shingles` of each `document` that is compared with another."""
    compared = buckets.select("document").union(buckets.select("first")).distinct()
    return sketches.select("document", "shingles").join(compared, "document", "left_semi").dropDuplicates(["document"])


def _sharing_a_key(sketches: DataFrame) -> DataFrame:
    """Pairs of texts that came under one key."""
    by_key = sketches.groupBy("key").agg(F.min("document").alias("first"), F.max("document").alias("last"))
    several = by_key.where("first < last").select("key", "first")
    pairs = sketches.join(several, "key").where("document > first")
    return pairs.select("document", F.col("first").alias("other")).distinct()


def _in_two_components(pairs: DataFrame, found: DataFrame) -> DataFrame:
    """The pairs whose two documents are not connected yet."""
    apart = _both_placed(pairs, found).where("document_component != other_component")
    return apart.select("document", "other")


def _between_components(pairs: DataFrame, found: DataFrame) -> DataFrame:
    """The pairs with each document's component in its place: few, as most of a component's pairs are one pair."""
    ends = F.col("document_component").alias("document"), F.col("other_component").alias("other")
    return _both_placed(pairs, found).select(*ends).distinct()


def _both_placed(pairs: DataFrame, found: DataFrame) -> DataFrame:
    return _placed(_placed(pairs, found, "document"), found, "other")


def _placed(rows: DataFrame, found: DataFrame, column: str) -> DataFrame:
    """The rows with the component of the document in `column`, which is its own where none was found for it."""
    own = found.select(F.col("document").alias(column), F.col("component").alias(f"{column}_component"))
    return rows.join(own, column, "left").withColumn(
        f"{column}_component", F.coalesce(f"{column}_component", F.col(column))
    )


def _name(column: str) -> Column:
    return F.lpad(F.lower(F.hex(column)), DOCUMENT_DIGITS, "0").alias(column)


def _sketch(batches: Iterable[Any]) -> Iterator[Any]:
    """Arrow batches of `key` and `text` to batches of key, document, bands and shingles; a key's equal texts once."""
    numbers, hashing = WordNumbers(), Bands()
    read: set[tuple[str, bytes]] = set()
    seen: set[tuple[str, int]] = set()
    for batch in batches:
        keys, documents, sets = [], [], []
        for key, text in zip(batch.column("key").to_pylist(), batch.column("text").to_pylist(), strict=True):
            # The tasks of one risk factor have one body: it is worked on once.
            same = (key, hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest())
            if same in read:
                continue
            read.add(same)
            plain = normalised(text)
            name = document(plain)
            if (key, name) in seen:
                continue
            seen.add((key, name))
            keys.append(key)
            documents.append(name)
            sets.append(shingles(plain.split(), SHINGLE_WORDS, numbers))
        bands = hashing.of(sets)
        offsets = np.arange(0, bands.size + 1, BANDS, dtype=np.int32)
        yield pa.RecordBatch.from_arrays(
            [
                pa.array(keys, pa.string()),
                pa.array(documents, pa.int64()),
                pa.ListArray.from_arrays(offsets, bands.reshape(-1)),
                pa.array([item.tobytes() for item in sets], pa.binary()),
            ],
            ["key", "document", "bands", "shingles"],
        )


def document(plain: str) -> int:
    """Return the number that names a normalised text."""
    return int(hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()[:DOCUMENT_DIGITS], 16)


class Bands:
    """MinHash of sets of 64-bit numbers, in bands. The hash functions are drawn once, from a fixed seed."""

    def __init__(self) -> None:
        """Draw the multipliers (odd) and the summands of the hash functions."""
        drawn = np.random.Generator(np.random.PCG64(_SEED))
        self._multipliers = drawn.integers(0, 2**32, BANDS * BAND_ROWS, dtype=np.uint32) | np.uint32(1)
        self._summands = drawn.integers(0, 2**32, BANDS * BAND_ROWS, dtype=np.uint32)
        self._row_multipliers = drawn.integers(0, 2**64, BAND_ROWS, dtype=np.uint64) | np.uint64(1)
        self._band_summands = drawn.integers(0, 2**64, BANDS, dtype=np.uint64)

    def of(self, sets: list[NDArray[np.uint64]]) -> NDArray[np.int64]:
        """Return the buckets of each set, shape (sets, BANDS): equal sets have equal rows."""
        least = np.empty((len(sets), BANDS * BAND_ROWS), dtype=np.uint32)
        for place, numbers in enumerate(sets):
            half = (numbers >> np.uint64(32)).astype(np.uint32)[:, None]
            (half * self._multipliers + self._summands).min(axis=0, out=least[place])
        rows = least.reshape(len(sets), BANDS, BAND_ROWS).astype(np.uint64)
        return mixed((rows * self._row_multipliers).sum(axis=2) + self._band_summands).view(np.int64)


def _members_after_the_first(batches: Iterable[Any]) -> Iterator[Any]:
    """All Arrow batches of a partition, `band` and `document`, whole buckets each, to one batch of `_buckets`."""
    parts = [(batch.column("band").to_numpy(), batch.column("document").to_numpy()) for batch in batches]
    if not parts:
        return
    bands, documents = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((documents, bands))
    bands, documents = bands[order], documents[order]
    repeated = np.zeros(len(bands), dtype=bool)
    repeated[1:] = (bands[1:] == bands[:-1]) & (documents[1:] == documents[:-1])
    bands, documents = bands[~repeated], documents[~repeated]
    starts = np.flatnonzero(np.append(True, bands[1:] != bands[:-1]))
    start_of = np.repeat(starts, np.diff(np.append(starts, len(bands))))
    places = np.flatnonzero(start_of != np.arange(len(bands)))
    counts = np.minimum(places - start_of[places], NEIGHBOURS)
    ends = np.cumsum(counts)
    steps = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts) + 1
    before = pa.ListArray.from_arrays(np.append(0, ends).astype(np.int32), documents[np.repeat(places, counts) - steps])
    yield pa.RecordBatch.from_arrays(
        [pa.array(documents[places]), pa.array(documents[start_of[places]]), before], ["document", "first", "before"]
    )


def _similar_pairs(batches: Iterable[Any]) -> Iterator[Any]:
    """Arrow batches of pairs with their shingles to batches of the pairs that are near-duplicates."""
    for batch in batches:
        sets = (
            [np.frombuffer(item, dtype=np.uint64) for item in batch.column(name).to_pylist()]
            for name in ("shingles", "other_shingles")
        )
        similar = [jaccard(one, other) >= THRESHOLD for one, other in zip(*sets, strict=True)]
        yield batch.select(["document", "other"]).filter(pa.array(similar, pa.bool_()))


def jaccard(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> float:
    """Return the Jaccard similarity of two sets, each sorted and without repeats."""
    together = np.concatenate((one, other))
    together.sort(kind="stable")
    shared = int(np.count_nonzero(together[1:] == together[:-1]))
    return shared / (len(together) - shared)
