"""What of the test texts, companies, clusters and benchmark filings stands in train.

`overlaps` is the one definition of the 13-gram share: the snapshot leaves rows out by it, and `measured` counts it
again, with the other measures, on the rows of the table as they were read back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812  (Spark's own convention)

from spark.cleaning import normalised
from spark.shingles import WordNumbers, shingles
from spark.split import ROLES
from spark.templates import TEMPLATES

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRAM_WORDS = 13
PARTS = 256
"""Into so many parts the grams of all texts are cut; one part is in a worker's memory at once."""
_FIRST_OF_PART = np.arange(PARTS, dtype=np.uint64) << np.uint64(56)
MOST_SHARED = 0.2
"""Share of a test text's 13-grams that may also stand in train, unless the job is told another."""


def body() -> Column:
    """Return the body in a row's prompt: the prompt less the template's text around it.

    The row fails in Spark where its template's version is not the one that this payload has.
    """
    known = F.raise_error(
        F.concat(
            F.lit("no template "), "task", F.lit(" "), "template_version",
            F.lit(" in this payload: materialize the examples of fiscal year "), "fiscal_year", F.lit(" again"),
        )
    ).cast("string")  # fmt: skip
    for template in TEMPLATES.values():
        before, after = template.parts()
        inner = F.substring("prompt", F.lit(len(before) + 1), F.length("prompt") - len(before) - len(after))
        is_it = (F.col("task") == template.task) & (F.col("template_version") == template.version)
        known = F.when(is_it, inner).otherwise(known)
    return known


def is_test(column: str = "split") -> Column:
    """Return whether the split is one of those that test."""
    return F.col(column).startswith("test")


def overlaps(texts: DataFrame) -> DataFrame:
    """Return `key` and `share` for each test text: the share of its 13-grams that stand in a train text too.

    `texts` has `key` (a long; equal texts may come more than once, under one key), `text`, `trains` and `tests`
    (booleans). The share is of different 13-grams of normalised words, and exact; a text of fewer words is one gram.
    """
    wanted = texts.where("trains OR tests").select("key", "text", "trains", "tests")
    grams = wanted.mapInArrow(_grams, "part int, trained binary, tested binary, keys binary")
    counted = grams.groupBy("part").applyInArrow(_seen, "key long, seen long, grams long")
    return counted.groupBy("key").agg((F.sum("seen") / F.sum("grams")).alias("share"))


def texts_of(rows: DataFrame, text: Column) -> DataFrame:
    """Return the texts of rows with a `split`, as `overlaps` takes them."""
    trains = (F.col("split") == "train").alias("trains")
    return rows.select(key_of(text).alias("key"), text.alias("text"), trains, is_test().alias("tests"))


def key_of(text: Column) -> Column:
    """Return the number that names a text: 60 bits of its SHA-256."""
    return F.conv(F.substring(F.sha2(text, 256), 1, 15), 16, 10).cast("long")


def measured(rows: DataFrame, benchmark_filings: Collection[str], examples: DataFrame) -> dict[str, int | float]:
    """Count the leaks of a snapshot's rows; all four are 0, or at most the stated share, when there is none.

    `examples` are the examples of all fiscal years, which the snapshot was made of or could have been.

    - clusters_in_two_splits: clusters with rows of more than one split
    - companies_in_two_splits: companies whose rows are of two of: train and its later year; validation; unseen
    - worst_13gram_share: the greatest share of a test text's 13-grams that stand in train too
    - benchmark_filings_in_train: listed filings with rows in train, or with a body that stands there, as filed
    """
    role = F.create_map(*(F.lit(item) for pair in ROLES.items() for item in pair))[F.col("split")]
    worst = overlaps(texts_of(rows, body())).agg(F.max("share")).first()[0]
    listed = F.col("accession_number").isin(*benchmark_filings)
    train = rows.where("split = 'train'").select("accession_number", "body_sha256")
    # A few filings' digests go to the rows, no row goes anywhere.
    bodies = F.broadcast(examples.where(listed).select("accession_number", "body_sha256"))
    told = train.select("body_sha256").join(bodies, "body_sha256").select("accession_number")
    in_train = train.where(listed).select("accession_number").union(told).distinct()
    return {
        "clusters_in_two_splits": _in_two(rows, "cluster_id", F.col("split")),
        "companies_in_two_splits": _in_two(rows, "cik", role),
        "worst_13gram_share": float(worst or 0.0),
        "benchmark_filings_in_train": in_train.count(),
    }


def benchmark_filings() -> frozenset[str]:
    """Return the accession numbers of `benchmark_filings.txt`: one a line, `#` begins a remark."""
    text = resources.files("spark").joinpath("benchmark_filings.txt").read_text("utf-8")
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return frozenset(line for line in lines if line)


def _in_two(rows: DataFrame, column: str, place: Column) -> int:
    places = rows.groupBy(column).agg((F.min(place) != F.max(place)).alias("two"))
    return int(places.where("two").count())


def _grams(batches: Iterable[Any]) -> Iterator[Any]:
    """Arrow batches of texts to their 13-grams' numbers, a row a batch and part: 8 bytes a gram, and for those of tests
    8 bytes a key. A part is what begins with the same bits, so that equal grams meet in one."""
    numbers = WordNumbers()
    for batch in batches:
        texts, keys = batch.column("text").to_pylist(), batch.column("key").to_numpy()
        sets = [shingles(normalised(text).split(), GRAM_WORDS, numbers) for text in texts]
        trained = np.unique(_of(sets, batch.column("trains")))
        tested = _of(sets, batch.column("tests"))
        tests = batch.column("tests").to_numpy(zero_copy_only=False)
        of_test = np.repeat(keys[tests], [len(item) for item, test in zip(sets, tests, strict=True) if test])
        order = np.argsort(tested)
        tested, of_test = tested[order], of_test[order]
        ends, test_ends = (np.searchsorted(grams, _FIRST_OF_PART[1:]) for grams in (trained, tested))
        columns = [np.split(trained, ends), np.split(tested, test_ends), np.split(of_test, test_ends)]
        yield pa.RecordBatch.from_arrays(
            [
                pa.array(range(PARTS), pa.int32()),
                *(pa.array([part.tobytes() for part in column], pa.binary()) for column in columns),
            ],
            ["part", "trained", "tested", "keys"],
        )


def _of(sets: list[NDArray[np.uint64]], chosen: Any) -> NDArray[np.uint64]:
    """The grams of the chosen texts, one behind the other."""
    kept = [item for item, is_chosen in zip(sets, chosen.to_pylist(), strict=True) if is_chosen]
    return np.concatenate([np.empty(0, dtype=np.uint64), *kept])


def _seen(part: Any) -> Any:
    """The rows of one part to a row for each key in it: its grams that train, and all its grams."""
    trained, tested = (
        np.concatenate([np.frombuffer(item, np.uint64) for item in part.column(name).to_pylist()])
        for name in ("trained", "tested")
    )
    keys = np.concatenate([np.frombuffer(item, np.int64) for item in part.column("keys").to_pylist()])
    names, places = np.unique(keys, return_inverse=True)
    seen = np.bincount(places, weights=np.isin(tested, trained), minlength=len(names)).astype(np.int64)
    grams = np.bincount(places, minlength=len(names)).astype(np.int64)
    return pa.table({"key": names, "seen": seen, "grams": grams})
