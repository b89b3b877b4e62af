"""From examples to the frozen training set: DataFrame to DataFrame, no reading or writing.

Exact duplicates across years go, companies are split, and the rows get the order in which they are stored.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812  (Spark's own convention)
from pyspark.sql.types import StringType

from spark import schemas, split
from spark.cleaning import normalised
from spark.examples import YEAR_END_QUARTER, conform


def without_duplicates(rows: DataFrame) -> DataFrame:
    """Keep the earliest of the examples of a task with one prompt; `cluster_id` is the digest they share.

    Earliest by fiscal year and quarter, a 10-K being the end of its year; then by accession number and place.
    """
    key = F.sha2(F.udf(normalised, StringType())("prompt"), 256)
    same = Window.partitionBy("task", "cluster_id").orderBy(
        F.col("fiscal_year"),
        F.coalesce(F.col("fiscal_quarter"), F.lit(YEAR_END_QUARTER)),
        F.col("accession_number"),
        F.col("risk_factor_index"),
        F.col("example_id"),
    )
    ranked = rows.withColumn("cluster_id", key).withColumn("rank", F.row_number().over(same))
    return ranked.where("rank = 1").drop("rank")


def with_split(rows: DataFrame) -> DataFrame:
    """Give every row its company's split. Raises split.TooFewCompanies.

    The companies alone come to the driver (some thousands at most); the rows stay where they are.
    """
    assigned = split.assign(row[0] for row in rows.select("cik").distinct().collect())
    companies = rows.sparkSession.createDataFrame(sorted(assigned.items()), "cik string, split string")
    return rows.join(F.broadcast(companies), "cik")


def in_order(rows: DataFrame) -> DataFrame:
    """Return the table's columns, sorted by split and example_id: an order drawn by content alone."""
    return conform(rows, schemas.SNAPSHOT).sort("split", "example_id")
