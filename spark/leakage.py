"""What of the test texts, companies, clusters and benchmark filings stands in train.

`overlaps` is the one definition of the 13-gram share: the snapshot leaves rows out by it, and `measured` counts it
again, with the other measures, on the rows of the table as they were read back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from importlib import resources
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812  (Spark's own convention)

from spark.cleaning import normalised
from spark.shingles import WordNumbers, shingles
from spark.split import ROLES
from spark.templates import TEMPLATES

GRAM_WORDS = 13
MOST_SHARED = 0.2
"""Share of a test text's 13-grams that may also stand in train, unless the job is told another."""


def body() -> Column:
    """Return the body in a row's prompt: the prompt less the template's text around it.

    The row fails in Spark where its template's version is not the one that this payload has.
    """
    known = F.raise_error(
        F.concat(
            F.lit("no template "), "task", F.lit(" "), "template_version",
            F.lit(" in this payload: materialize the examples of that fiscal year again"),
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

    `texts` has `key`, `text`, `trains` and `tests` (booleans), a row a key. The share is of different 13-grams of
    normalised words, and exact; a text of fewer words is one gram.
    """
    tested = texts.where("tests").select("key", "text").mapInArrow(_grams, "key string, gram long")
    trained = texts.where("trains").select("key", "text").mapInArrow(_grams, "key string, gram long")
    seen = trained.select("gram").distinct().withColumn("seen", F.lit(1))
    return tested.join(seen, "gram", "left").groupBy("key").agg((F.count("seen") / F.count("*")).alias("share"))


def texts_of(rows: DataFrame, text: Column) -> DataFrame:
    """Return the different texts of rows with a `split`, as `overlaps` takes them; the key is the text's SHA-256."""
    keyed = rows.select(
        F.sha2(text, 256).alias("key"),
        text.alias("text"),
        (F.col("split") == "train").alias("trains"),
        is_test().alias("tests"),
    )
    return keyed.groupBy("key").agg(
        F.first("text").alias("text"), F.bool_or("trains").alias("trains"), F.bool_or("tests").alias("tests")
    )


def measured(rows: DataFrame, benchmark_filings: Collection[str]) -> dict[str, int | float]:
    """Count the leaks of a snapshot's rows; all four are 0, or at most the stated share, when there is none.

    - clusters_in_two_splits: clusters with rows of more than one split
    - companies_in_two_splits: companies whose rows are of two of: train and its later year; validation; unseen
    - worst_13gram_share: the greatest share of a test text's 13-grams that stand in train too
    - benchmark_filings_in_train: listed filings with rows in train
    """
    role = F.create_map(*(F.lit(item) for pair in ROLES.items() for item in pair))[F.col("split")]
    worst = overlaps(texts_of(rows, body())).agg(F.max("share")).first()[0]
    listed = rows.where("split = 'train'").where(F.col("accession_number").isin(*benchmark_filings))
    return {
        "clusters_in_two_splits": _in_two(rows, "cluster_id", F.col("split")),
        "companies_in_two_splits": _in_two(rows, "cik", role),
        "worst_13gram_share": float(worst or 0.0),
        "benchmark_filings_in_train": listed.select("accession_number").distinct().count(),
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
    """Arrow batches of `key` and `text` to batches of `key` and each of its 13-grams' numbers."""
    numbers = WordNumbers()
    for batch in batches:
        for part in _slices(batch):
            sets = [
                shingles(normalised(text).split(), GRAM_WORDS, numbers).view(np.int64)
                for text in part.column("text").to_pylist()
            ]
            places = np.repeat(np.arange(len(sets)), [len(item) for item in sets])
            yield pa.RecordBatch.from_arrays(
                [part.column("key").take(pa.array(places)), pa.array(np.concatenate(sets))], ["key", "gram"]
            )


def _slices(batch: Any, rows: int = 256) -> Iterator[Any]:
    """Parts of a batch: each text becomes some hundreds of rows."""
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)
