"""A corpus of generated risk factors of any size, with a stated share and size of duplicate clusters.

Of 1,000 rows 690 are alone, 100 are in clusters of 2, 100 in clusters of 5, 100 in clusters of 25, and 10 are in one
cluster that grows with the corpus: 31% of the rows are in clusters, and at a million rows the largest has 10,000. The
members of a cluster are copies of one text in which each word is replaced with a probability of 0.4% (two copies are
similar to about 0.92). A body has 60 to 140 words, 100 on average: a third of a filed one. Words are drawn with the
frequencies of prose (Zipf) out of 20,000.
"""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812  (Spark's own convention)

from spark import schemas
from spark.examples import conform
from spark.templates import TEMPLATES

BLOCK = 1000
CLUSTER_SIZES = ((100, 2), (100, 5), (100, 25))
"""Rows of a block in clusters, and the size of these."""
GIANT_ROWS = 10
YEARS = (2020, 2021, 2022, 2023, 2024)
FACTORS = 40
"""Risk factors of a filing."""
EDIT_RATE = 0.004
_SYLLABLES = tuple(f"{a}{b}{c}" for a, b, c in itertools.product("bcdfghjklmnprst", ("a", "en", "or", "ist"), "xyz"))
_WORDS = tuple(f"{one}{other}" for one, other in itertools.product(_SYLLABLES, _SYLLABLES[:112]))[:20000]
_WEIGHTS = tuple(itertools.accumulate(1 / rank for rank in range(1, len(_WORDS) + 1)))
_ROW = "example_id string, cik string, accession_number string, fiscal_year int, risk_factor_index int, body string"


def clusters_of(rows: int) -> int:
    """How many clusters, single texts among them, a corpus of whole blocks has."""
    alone = BLOCK - GIANT_ROWS - sum(count for count, _ in CLUSTER_SIZES)
    return rows // BLOCK * (alone + sum(count // size for count, size in CLUSTER_SIZES)) + 1


def cluster_of(number: int) -> str | None:
    """The cluster of a row, None for a row that is alone."""
    block, place = divmod(number, BLOCK)
    if place < GIANT_ROWS:
        return "giant"
    start = GIANT_ROWS
    for count, size in CLUSTER_SIZES:
        if place < start + count:
            return f"{block}-{size}-{(place - start) // size}"
        start += count
    return None


def body(number: int) -> str:
    """The text of a row, a function of its number."""
    cluster = cluster_of(number)
    original = random.Random(f"text {number if cluster is None else cluster}")
    words = original.choices(_WORDS, cum_weights=_WEIGHTS, k=original.randint(60, 140))
    if cluster is not None:
        own = random.Random(f"copy {number}")
        words = [own.choice(_WORDS) if own.random() < EDIT_RATE else word for word in words]
    return " ".join(words).capitalize() + "."


def examples(spark: SparkSession, rows: int) -> DataFrame:
    """The corpus as rows of `curated.risk_factor_examples`, all of the task T1."""
    template = TEMPLATES["T1"]
    before, after = template.parts()
    made = spark.range(0, rows, 1, 16).mapInArrow(_rows, _ROW)
    constants = {
        "task": template.task,
        "completion": "Our suppliers may fail us",
        "form_type": "10-K",
        "source_url": "https://filings.example/report",
        "template_version": template.version,
        "cleaner_version": "generated",
    }
    full = made.withColumns({name: F.lit(value) for name, value in constants.items()}).withColumns(
        {"prompt": F.concat(F.lit(before), "body", F.lit(after)), "body_sha256": F.sha2("body", 256)}
    )
    missing = {name: F.lit(None) for name in schemas.EXAMPLES.names if name not in full.columns}
    return conform(full.withColumns(missing), schemas.EXAMPLES)


def _rows(batches: Iterable[Any]) -> Iterator[Any]:
    for batch in batches:
        numbers = batch.column(0).to_pylist()
        # A copy of a text stands in another company or year: neighbours in number are of different filings.
        filings = [number % max(1, BLOCK // FACTORS) + number // BLOCK * (BLOCK // FACTORS) for number in numbers]
        years = [YEARS[filing % len(YEARS)] for filing in filings]
        ciks = [f"{filing // len(YEARS) + 1:010d}" for filing in filings]
        yield pa.RecordBatch.from_pydict(
            {
                "example_id": [hashlib.sha256(str(number).encode()).hexdigest() for number in numbers],
                "cik": ciks,
                "accession_number": [f"{cik}-{year % 100}-000001" for cik, year in zip(ciks, years, strict=True)],
                "fiscal_year": pa.array(years, pa.int32()),
                "risk_factor_index": pa.array([number % BLOCK // (BLOCK // FACTORS) for number in numbers], pa.int32()),
                "body": [body(number) for number in numbers],
            }
        )
