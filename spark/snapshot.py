"""From examples to the frozen training set: DataFrame to DataFrame, no reading or writing.

Stages: `with_clusters` (near-duplicates by their text), `decided` (each row's split, or the reason for which it is
left out), `frozen` (the rows that stay, in the order in which they are stored). The counts add up: every example is
in the snapshot or has one reason.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812  (Spark's own convention)

from spark import leakage, near_duplicates, schemas, split
from spark.examples import YEAR_END_QUARTER, conform

PLACE = ("fiscal_year", "quarter", "accession_number", "risk_factor_index", "example_id")
"""What decides which of two rows is the earlier."""
FACTS = ("example_id", "task", "cik", "accession_number", "fiscal_year", "form_type", "risk_factor_index")


class Reason(StrEnum):
    """Why an example is not in the snapshot."""

    VALIDATION_OF_LATEST_YEAR = "validation_of_latest_year"
    BENCHMARK_FILING = "benchmark_filing"
    LIKE_BENCHMARK_FILING = "like_benchmark_filing"
    EXACT_DUPLICATE = "exact_duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    CLUSTER_OF_OTHER_SPLIT = "cluster_of_other_split"
    SHARES_GRAMS_WITH_TRAIN = "shares_grams_with_train"


DUPLICATES = (Reason.EXACT_DUPLICATE.value, Reason.NEAR_DUPLICATE.value, Reason.CLUSTER_OF_OTHER_SPLIT.value)
"""Reasons of rows whose text stands in another row."""


def with_clusters(rows: DataFrame, elsewhere: DataFrame | None = None) -> DataFrame:
    """Return what decides about each example, with `quarter`, `document` and `cluster_id`; the texts stay behind.

    The tasks of one risk factor share its body and so its cluster. `elsewhere` are the benchmark filings' examples of
    fiscal years that are not taken: they are in clusters too, and not `declared`, as `rows` are.
    """
    every = rows.withColumn("declared", F.lit(True))
    if elsewhere is not None:
        every = every.unionByName(elsewhere.withColumn("declared", F.lit(False)))
    texts = every.select(F.col("body_sha256").alias("key"), leakage.body().alias("text"))
    quarter = F.coalesce(F.col("fiscal_quarter"), F.lit(YEAR_END_QUARTER)).alias("quarter")
    facts = every.select(*FACTS, "declared", quarter, F.col("body_sha256").alias("key"))
    return facts.join(near_duplicates.clusters(texts), "key").drop("key")


def decided(rows: DataFrame, benchmark_filings: Collection[str]) -> DataFrame:
    """Add `split` and `reason` (null for a row that stays) to the declared clustered rows, and `repeats_report`.

    A cluster stands in the split of its earliest row, and keeps there the earliest row of each task. Benchmark
    filings, and what is in a cluster with one, never train. `repeats_report` marks a row of a 10-Q whose cluster
    has a row of a 10-K of the same company. Raises split.TooFewCompanies.
    """
    in_cluster = Window.partitionBy("cluster_id")
    listed = F.col("accession_number").isin(*benchmark_filings)
    in_report = F.max(F.col("form_type").startswith("10-K")).over(Window.partitionBy("cluster_id", "cik"))
    alike = rows.withColumn("like_benchmark", F.max(listed).over(in_cluster))
    placed = (
        _with_split(alike.where("declared").drop("declared"))
        .withColumn("repeats_report", F.col("form_type").startswith("10-Q") & in_report)
        .withColumn("reason", _reason_by_place(listed))
    )
    # Rows that are left out already come last, so they neither give a cluster its split nor stand for it.
    order = (F.col("reason").isNotNull(), *PLACE)
    home = F.first("split").over(in_cluster.orderBy(*order))
    housed = placed.withColumn("away", F.col("reason").isNotNull() | (F.col("split") != home))
    of_task = Window.partitionBy("cluster_id", "task").orderBy("away", *PLACE)
    ranked = (
        housed.withColumn("rank", F.row_number().over(of_task))
        .withColumn("kept_document", F.first("document").over(of_task))
        .withColumn("none_kept", F.first("away").over(of_task))
    )
    return ranked.withColumn("reason", F.coalesce("reason", _reason_by_rank())).drop(
        "like_benchmark", "away", "rank", "kept_document", "none_kept", "quarter", "document"
    )


def frozen(rows: DataFrame, decisions: DataFrame) -> DataFrame:
    """Return the rows that stay, in the table's columns, sorted by split and example_id: by content alone."""
    stay = decisions.where("reason IS NULL").select("example_id", "split", "cluster_id")
    return conform(rows.join(stay, "example_id"), schemas.SNAPSHOT).sort("split", "example_id")


def without_leaks(rows: DataFrame, decisions: DataFrame, most_shared: float) -> DataFrame:
    """Give the test rows whose 13-grams stand in train, to a greater share than `most_shared`, their reason."""
    text = leakage.body()
    stay = rows.join(decisions.where("reason IS NULL").select("example_id", "split"), "example_id")
    texts = leakage.texts_of(stay, text)
    leaking = leakage.overlaps(texts).where(F.col("share") > most_shared).select("key")
    named = stay.where(leakage.is_test()).select("example_id", leakage.key_of(text).alias("key"))
    leaks = named.join(leaking, "key", "left_semi").select("example_id", F.lit(True).alias("leaks"))
    found = decisions.join(leaks, "example_id", "left")
    reason = F.when(F.col("leaks") & F.col("reason").isNull(), F.lit(Reason.SHARES_GRAMS_WITH_TRAIN.value))
    return found.withColumn("reason", F.coalesce("reason", reason)).drop("leaks")


def _with_split(rows: DataFrame) -> DataFrame:
    """Add `split`, null for a row that has none.

    The companies and the years alone come to the driver (some thousands at most); the rows stay where they are.
    """
    latest = split.latest_of(row[0] for row in rows.select("fiscal_year").distinct().collect())
    first_years = {row[0]: row[1] for row in rows.groupBy("cik").agg(F.min("fiscal_year")).collect()}
    assigned = split.roles(first_years, latest)
    companies = rows.sparkSession.createDataFrame(
        [(cik, split.place(role, in_latest_year=False), split.place(role, in_latest_year=True))
         for cik, role in sorted(assigned.items())],
        "cik string, earlier string, later string",
    )  # fmt: skip
    is_latest = F.lit(False) if latest is None else F.col("fiscal_year") == latest
    placed = rows.join(F.broadcast(companies), "cik")
    return placed.withColumn("split", F.when(is_latest, F.col("later")).otherwise(F.col("earlier"))).drop(
        "earlier", "later"
    )


def _reason_by_place(listed: Column) -> Column:
    trains = F.col("split") == "train"
    return (
        F.when(F.col("split").isNull(), F.lit(Reason.VALIDATION_OF_LATEST_YEAR.value))
        .when(trains & listed, F.lit(Reason.BENCHMARK_FILING.value))
        .when(trains & F.col("like_benchmark"), F.lit(Reason.LIKE_BENCHMARK_FILING.value))
    )


def _reason_by_rank() -> Column:
    return (
        F.when(F.col("none_kept"), F.lit(Reason.CLUSTER_OF_OTHER_SPLIT.value))
        .when(F.col("rank") == 1, F.lit(None))
        .when(F.col("document") == F.col("kept_document"), F.lit(Reason.EXACT_DUPLICATE.value))
        .otherwise(F.lit(Reason.NEAR_DUPLICATE.value))
    )
