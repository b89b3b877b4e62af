"""From raw risk factors to instruction pairs: DataFrame to DataFrame, no reading or writing.

Stages: `candidates` (one row a risk factor, with its labels), `refined` (cleaned, scrubbed, cut, each with the reason
for which it is left out, if any), `asked` (those that stay, once for each task, with the reason for which it has no
label, if any), `as_examples` (rendered), `without_duplicates`, `thinned` (the mix of tasks). Their counts add up.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812  (Spark's own convention)
from pyspark.sql.types import ArrayType, IntegerType, StringType, StructField, StructType

from spark import mix, schemas
from spark.cleaning import (
    CLEANER_VERSION,
    MIN_BODY_WORDS,
    Reason,
    clean,
    clean_line,
    normalised,
    reason_to_drop,
    words,
)
from spark.cut import cut
from spark.digests import row_digest
from spark.labels import LABELLED, labels
from spark.pii import Detector, Scrubbed, scrub
from spark.templates import BODY_WORDS, TEMPLATES
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
        StructField("heading", StringType()),
        StructField("reason", StringType()),
        StructField("pii_removed", IntegerType()),
        StructField("cut_words", IntegerType()),
        StructField("duplicate_key", StringType()),
    ]
)
_LABELS = ArrayType(
    StructType([StructField(name, StringType()) for task in LABELLED for name in (f"label_{task}", f"reason_{task}")])
)
_LABEL_COLUMNS = tuple(_LABELS.elementType.names)
_MOST_KEPT = 10_000
"""Texts of a kind that a task remembers at once: bodies of 5 kB each, as filed and cleaned, are 50 MB."""
_ASKED_OF = ("of_filing", "original_body", "subcaption", "group")
_LEFT_OUT = ("", "", "", None, 0, 0, "")
"""In the place of what `refine` returns, for a row whose filing is left out."""
_HASH_BITS = 48  # of the digest by which the mix is drawn: what a double holds exactly


def label_columns(
    groups: list[str | None] | None, subcaptions: list[str | None] | None, summary: str | None
) -> list[tuple[str | None, ...]] | None:
    """Return for each risk factor of one filing its label and the reason for having none, task by task."""
    if groups is None or subcaptions is None:
        return None
    found = labels(groups, subcaptions, summary)
    # Spark takes a string, and no enumeration that is one.
    return [
        tuple(text for label in factor for text in (label.value, label.reason and label.reason.value))
        for factor in found
    ]


def spread(filings: DataFrame) -> DataFrame:
    """Spread the filings over the executors: a year is one file or few, and one task would clean all of it.

    Those of a company stay together, as a quarter's often repeat what the year's says word for word.
    """
    return filings.repartition("cik")


def candidates(filings: DataFrame) -> DataFrame:
    """Return one row for each risk factor, and one for each filing that has none (its index is null)."""
    place = ("cik", "ticker", "form_type", "fiscal_year", "fiscal_quarter", "accession_number", "filing_date")
    labelled = F.udf(label_columns, _LABELS)("risk_factors.group", "risk_factors.subcaption", "summary")
    exploded = filings.withColumn("labels", labelled).select(
        *place,
        "source_url",
        "status",
        F.posexplode_outer(F.arrays_zip("risk_factors", "labels")).alias("risk_factor_index", "both"),
    )
    return exploded.select(
        *place,
        "source_url",
        "status",
        F.col("risk_factor_index").cast("int"),
        F.col("both.risk_factors.group").alias("group"),
        F.col("both.risk_factors.subcaption").alias("subcaption"),
        F.col("both.risk_factors.body").alias("original_body"),
        F.col("both.risk_factors.start").cast("int").alias("char_start"),
        F.col("both.risk_factors.end").cast("int").alias("char_end"),
        *(F.col(f"both.labels.{name}").alias(name) for name in _LABEL_COLUMNS),
    )


class CleanTexts(dict[str, Scrubbed]):
    """Texts, cleaned and scrubbed when first asked for: most of the work, and filings repeat each other's.

    `cleaned` cleans one; `also` is a detector of personal data that is asked beside the recognisers.
    """

    def __init__(self, cleaned: Callable[[str], str], also: Detector | None = None) -> None:
        super().__init__()
        self._cleaned, self._also = cleaned, also

    def __missing__(self, text: str) -> Scrubbed:
        if len(self) >= _MOST_KEPT:
            self.clear()
        self[text] = made = scrub(self._cleaned(text), self._also)
        return made


def refine(
    body: str | None, subcaption: str | None, group: str | None, bodies: CleanTexts, lines: CleanTexts
) -> tuple[str, str, str, str | None, int, int, str]:
    """Clean, scrub and cut one risk factor; `bodies` and `lines` hold the bodies and subcaptions cleaned before.

    Returns body, completion (the subcaption), group heading, reason to leave it out (or None), spans of personal data
    removed, words cut off the body, and the digest that equal bodies share.
    """
    cleaned, completion = bodies[body or ""], lines[subcaption or ""]
    heading = clean_line(group or "")
    reason = reason_to_drop(cleaned.text, completion.text, heading)
    kept, cut_words = cut(cleaned.text, BODY_WORDS)
    if reason is None and words(kept) < MIN_BODY_WORDS:
        reason = Reason.BODY_TOO_LONG
    removed = cleaned.removed.total() + completion.removed.total()
    key = digest_of([normalised(cleaned.text)]).hex()
    return kept, completion.text, heading, reason.value if reason else None, removed, cut_words, key


def refined(rows: DataFrame, also: Detector | None = None) -> DataFrame:
    """Return the candidates with what `refine` makes of them, and the reason to drop, if any.

    `also` is a detector of personal data beside the recognisers; it is sent to the executors. It is not asked about
    filings that are left out as a whole.
    """
    # An amendment repeats the report that it amends: its risk factors would count twice.
    of_filing = (
        F.when(F.col("form_type").endswith("/A"), F.lit(Reason.AMENDMENT.value))
        .when(F.col("status") != "full", F.lit(Reason.FILING_NOT_FULL.value))
        .when(F.col("risk_factor_index").isNull(), F.lit(Reason.NO_RISK_FACTORS.value))
    )
    judged = rows.withColumn("of_filing", of_filing)
    made = judged.mapInArrow(partial(_refined, also=also), StructType([*judged.schema.fields, *_REFINED.fields]))
    return made.withColumn("reason", F.coalesce("of_filing", "reason")).drop("of_filing")


def _refined(batches: Iterable[Any], also: Detector | None) -> Iterator[Any]:
    """Arrow batches of candidates to the same with the columns of `_REFINED`."""
    kinds = (pa.string(), pa.string(), pa.string(), pa.string(), pa.int32(), pa.int32(), pa.string())
    bodies, lines = CleanTexts(clean, also), CleanTexts(clean_line, also)
    for batch in batches:
        rows = zip(*(batch.column(name).to_pylist() for name in _ASKED_OF), strict=True)
        made = [
            _LEFT_OUT if left_out else refine(body, subcaption, group, bodies, lines)
            for left_out, body, subcaption, group in rows
        ]
        columns = zip(*made, strict=True) if made else ([] for _ in kinds)
        arrays = [pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True)]
        yield pa.RecordBatch.from_arrays([*batch.columns, *arrays], [*batch.schema.names, *_REFINED.names])


def asked(rows: DataFrame) -> DataFrame:
    """Return the kept rows once for each task, `completion` being the task's, and why there is none (`unlabelled`)."""
    each = []
    for task, template in TEMPLATES.items():
        before, after = template.parts()
        label, reason = (f"label_{task}", F.col(f"reason_{task}")) if task in LABELLED else ("completion", F.lit(None))
        each.append(
            F.struct(
                F.lit(task).alias("task"),
                F.lit(template.version).alias("template_version"),
                F.lit(before).alias("before"),
                F.lit(after).alias("after"),
                F.col(label).alias("completion"),
                reason.cast("string").alias("unlabelled"),
            )
        )
    kept = rows.where(F.col("reason").isNull())
    others = [name for name in rows.columns if name not in ("completion", *_LABEL_COLUMNS)]
    return kept.select(*others, F.explode(F.array(*each)).alias("asked")).select(*others, "asked.*")


def as_examples(rows: DataFrame, cleaner_version: str = CLEANER_VERSION) -> DataFrame:
    """Render what was `asked` and has a label, in the table's columns plus those that order them."""
    rendered = (
        rows.where(F.col("unlabelled").isNull())
        .withColumn("cleaner_version", F.lit(cleaner_version))
        .withColumn("prompt", F.concat("before", "body", "after"))
        .withColumn("body_sha256", F.sha2(F.col("original_body"), 256))
    )
    return rendered.withColumn("example_id", row_digest(IDENTITY))


def without_duplicates(rows: DataFrame, benchmark_filings: Collection[str]) -> DataFrame:
    """Keep one of the examples of a task with one body, in the table's columns and `duplicate_key`.

    A benchmark filing's before another's: it says of the body that it must not train, and what is dropped here says
    nothing. Else the earliest by filing date, then by accession number and place in the filing, so that the same one is
    kept whatever the order of the rows.
    """
    order: list[Column] = [
        ~F.col("accession_number").isin(*benchmark_filings),
        *(F.col(name) for name in ("filing_date", "accession_number", "risk_factor_index", "example_id")),
    ]
    same = Window.partitionBy("task", "duplicate_key").orderBy(*order)
    kept = rows.withColumn("rank", F.row_number().over(same)).where("rank = 1")
    return kept.select(*schemas.EXAMPLES.names, "duplicate_key")


def thinned(rows: DataFrame, rates: Mapping[str, float]) -> DataFrame:
    """Keep of each task the share that `rates` says, and the columns of the table.

    The hash of task and body decides, whatever the order of the rows. A body has the same place in every fiscal year,
    but each year has rates of its own: a copy in another year may stay where this one goes.
    """
    drawn = F.substring(F.sha2(F.concat_ws(":", F.lit(mix.SALT), "task", "duplicate_key"), 256), 1, _HASH_BITS // 4)
    place = F.conv(drawn, 16, 10).cast("double") / float(2**_HASH_BITS)
    rate = F.create_map(*(F.lit(item) for pair in rates.items() for item in pair))[F.col("task")]
    return conform(rows.where(place < rate) if rates else rows, schemas.EXAMPLES)


def conform(rows: DataFrame, schema: StructType) -> DataFrame:
    """Select the schema's columns in its order, cast to its types."""
    return rows.select(*(F.col(field.name).cast(field.dataType).alias(field.name) for field in schema.fields))
