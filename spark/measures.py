"""What the gates and the manifest need to know of a snapshot, counted on its rows as read back from the table.

Every measure is small: it grows with tasks, splits, years, labels and companies, never with the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F  # noqa: N812  (Spark's own convention)

from spark.templates import TEMPLATES

FREE_TEXT = frozenset(template.task for template in TEMPLATES.values() if not template.answers)
"""Tasks whose completion is the issuer's own words; the completion of every other task is one of a few labels."""

IDENTITY = (
    "task",
    "example_id",
    "cik",
    "accession_number",
    "source_url",
    "risk_factor_index",
    "char_start",
    "char_end",
)
"""What a row is, and where it comes from."""

LENGTH_EDGES = (50, 100, 150, 200, 300, 400, 600, 800, 1200, 1600)
"""Upper ends, in words and excluded, of the bins of the length histogram; one more bin is open."""


def words(column: str) -> Column:
    """Count what stands between white space in a column of text."""
    trimmed = F.trim(F.regexp_replace(F.col(column), r"\s+", " "))
    return F.when(trimmed == "", 0).otherwise(F.size(F.split(trimmed, " ")))


def of_snapshot(rows: DataFrame) -> dict[str, Any]:
    """Count the rows of a snapshot by task, split, year and form, its labels, its lengths and its companies."""
    prompt, both = words("prompt"), words("prompt") + words("completion")
    sized = rows.withColumn("bin", _bin(prompt)).withColumn("words", both)
    groups = (
        sized.groupBy("task", "split", "fiscal_year", "form_type", "bin")
        .agg(
            F.count("*").alias("rows"),
            F.max("words").alias("longest"),
            F.max(F.octet_length("prompt") + F.octet_length("completion")).alias("bytes"),
        )
        .collect()
    )
    return {
        "rows": sum(group["rows"] for group in groups),
        **{f"rows_by_{name}": _counts(groups, name) for name in ("task", "split")},
        "rows_by_year": _counts(groups, "fiscal_year"),
        "rows_by_form": _counts(groups, "form_type"),
        "rows_by_task_and_split": _nested(groups, "task", "split"),
        "rows_by_year_and_split": _nested(groups, "fiscal_year", "split"),
        "lengths": {
            "edges": list(LENGTH_EDGES),
            "by_task": _histograms(groups, "task"),
            "by_split": _histograms(groups, "split"),
        },
        "longest_words": max((group["longest"] for group in groups), default=0),
        "longest_bytes": max((group["bytes"] for group in groups), default=0),
        "labels": labels(rows.where(F.col("split") == "train"), "task"),
        "companies": rows.select("cik").distinct().count(),
    }


def of_source(examples: DataFrame) -> dict[str, Any]:
    """Count what a snapshot's examples were before repeats went: their companies, and their labels by task and year.

    Repeats count here, since a paragraph that is filed again each year is kept once, in its first year: the labels
    of the rows that are kept say nothing of how the mix changes.
    """
    return {
        "source_companies": examples.select("cik").distinct().count(),
        "labels_by_year": labels(examples, "task", "fiscal_year"),
    }


def samples(rows: DataFrame, each: int = 3) -> list[dict[str, Any]]:
    """Return some training rows of each task, always the same of the same content: what they are, not what they say.

    Whoever reads a run's records need not have SELECT on the table; a label is one of a few words that are no secret.
    """
    label = F.when(F.col("task").isin(*FREE_TEXT), F.lit(None)).otherwise(F.col("completion"))
    # The texts are left behind before rows are put in order.
    shown = rows.where(F.col("split") == "train").select(
        *IDENTITY,
        label.alias("label"),
        words("prompt").alias("prompt_words"),
        words("completion").alias("completion_words"),
    )
    place = F.row_number().over(Window.partitionBy("task").orderBy("example_id"))
    chosen = shown.withColumn("place", place).where(F.col("place") <= each).drop("place")
    return [dict(row.asDict()) for row in chosen.sort("task", "example_id").collect()]


def labels(rows: DataFrame, *by: str) -> dict[str, Any]:
    """Count the labels of the tasks that have them: nested by the given columns, then by label."""
    labelled = rows.where(~F.col("task").isin(*FREE_TEXT))
    found: dict[str, Any] = {}
    for row in labelled.groupBy(*by, "completion").count().sort(*by, "completion").collect():
        inner = found
        for column in by:
            inner = inner.setdefault(str(row[column]), {})
        inner[row["completion"]] = int(row["count"])
    return found


def _bin(length: Column) -> Column:
    """Number of the bin that a length falls into, from 0."""
    found = F.lit(len(LENGTH_EDGES))
    for place in reversed(range(len(LENGTH_EDGES))):
        found = F.when(length < LENGTH_EDGES[place], place).otherwise(found)
    return found


def _counts(groups: Iterable[Row], column: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for group in groups:
        found[str(group[column])] = found.get(str(group[column]), 0) + int(group["rows"])
    return dict(sorted(found.items()))


def _nested(groups: Iterable[Row], outer: str, inner: str) -> dict[str, dict[str, int]]:
    return {value: _counts(mine, inner) for value, mine in _by(groups, outer).items()}


def _histograms(groups: Iterable[Row], column: str) -> dict[str, list[int]]:
    return {
        value: [
            sum(int(group["rows"]) for group in mine if group["bin"] == place) for place in range(len(LENGTH_EDGES) + 1)
        ]
        for value, mine in _by(groups, column).items()
    }


def _by(groups: Iterable[Row], column: str) -> Mapping[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for group in groups:
        found.setdefault(str(group[column]), []).append(group)
    return dict(sorted(found.items()))
