"""From raw risk factors to instruction pairs: DataFrame to DataFrame, no reading or writing.

Stages: `candidates` (one row a risk factor), `refined` (cleaned, scrubbed, each with the reason for which it is
left out, if any), `as_examples` (rendered), `without_duplicates`. Their counts add up: candidates are the dropped
by reason, the duplicates, and the examples.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812  (Spark's own convention)
from pyspark.sql.types import IntegerType, StringType, StructField, StructType

from spark import schemas
from spark.cleaning import CLEANER_VERSION, Reason, clean, clean_line, normalised, reason_to_drop
from spark.digests import row_digest
from spark.pii import scrub
from spark.templates import Template
from unitydoor.merkle import row_digest as digest_of

IDENTITY = (
    "task",
    "template_version",
    "body_sha256",
    "cik",
    "accession_number",
    "risk_factor_index",
    "char_start",
    "char_end",
)
"""The columns whose digest is `example_id`, in this order."""

YEAR_END_QUARTER = 4
"""Where a 10-K, which has no quarter, stands among its year's 10-Qs."""

_REFINED = StructType(
    [
        StructField("body", StringType()),
        StructField("completion", StringType()),
        StructField("reason", StringType()),
        StructField("pii_removed", IntegerType()),
        StructField("duplicate_key", StringType()),
    ]
)


def candidates(filings: DataFrame) -> DataFrame:
    """Return one row for each risk factor, and one for each filing that has none (its index is null)."""
    place = ("cik", "ticker", "form_type", "fiscal_year", "fiscal_quarter", "accession_number", "filing_date")
    exploded = filings.select(
        *place, "source_url", "status", F.posexplode_outer("risk_factors").alias("risk_factor_index", "factor")
    )
    return exploded.select(
        *place,
        "source_url",
        "status",
        F.col("risk_factor_index").cast("int"),
        F.col("factor.subcaption").alias("subcaption"),
        F.col("factor.body").alias("original_body"),
        F.col("factor.start").cast("int").alias("char_start"),
        F.col("factor.end").cast("int").alias("char_end"),
    )


def refine(body: str | None, subcaption: str | None) -> tuple[str, str, str | None, int, str]:
    """Clean and scrub one pair.

    Returns body, completion, reason to leave it out (or None), spans of personal data removed, and the digest
    that equal bodies share.
    """
    cleaned = scrub(clean(body or ""))
    completion = scrub(clean_line(subcaption or ""))
    reason = reason_to_drop(cleaned.text, completion.text)
    removed = cleaned.removed.total() + completion.removed.total()
    key = digest_of([normalised(cleaned.text)]).hex()
    return cleaned.text, completion.text, reason.value if reason else None, removed, key


def refined(rows: DataFrame) -> DataFrame:
    """Return the candidates with body, completion, pii_removed, duplicate_key and the reason to drop, if any."""
    udf = F.udf(refine, _REFINED)
    # An amendment repeats the report that it amends: its risk factors would count twice.
    of_filing = (
        F.when(F.col("form_type").endswith("/A"), F.lit(Reason.AMENDMENT.value))
        .when(F.col("status") != "full", F.lit(Reason.FILING_NOT_FULL.value))
        .when(F.col("risk_factor_index").isNull(), F.lit(Reason.NO_RISK_FACTORS.value))
    )
    return rows.withColumn("refined", udf("original_body", "subcaption")).select(
        *rows.columns,
        "refined.body",
        "refined.completion",
        "refined.pii_removed",
        "refined.duplicate_key",
        F.coalesce(of_filing, F.col("refined.reason")).alias("reason"),
    )


def as_examples(rows: DataFrame, template: Template) -> DataFrame:
    """Render the kept rows as the template's examples, in the table's columns plus those that order them."""
    before, after = template.parts()
    rendered = (
        rows.where(F.col("reason").isNull())
        .withColumn("task", F.lit(template.task))
        .withColumn("template_version", F.lit(template.version))
        .withColumn("cleaner_version", F.lit(CLEANER_VERSION))
        .withColumn("prompt", F.concat(F.lit(before), F.col("body"), F.lit(after)))
        .withColumn("body_sha256", F.sha2(F.col("original_body"), 256))
    )
    return rendered.withColumn("example_id", row_digest(IDENTITY))


def without_duplicates(rows: DataFrame) -> DataFrame:
    """Keep the earliest of the examples of a task with one body, and the columns of the table.

    Earliest by filing date, then by accession number and place in the filing, so that the same one is kept
    whatever the order of the rows.
    """
    order: list[Column] = [
        F.col(name) for name in ("filing_date", "accession_number", "risk_factor_index", "example_id")
    ]
    same = Window.partitionBy("task", "duplicate_key").orderBy(*order)
    kept = rows.withColumn("rank", F.row_number().over(same)).where("rank = 1")
    return conform(kept, schemas.EXAMPLES)


def conform(rows: DataFrame, schema: StructType) -> DataFrame:
    """Select the schema's columns in its order, cast to its types."""
    return rows.select(*(F.col(field.name).cast(field.dataType).alias(field.name) for field in schema.fields))
