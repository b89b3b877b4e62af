"""The job `examples`: one fiscal year of raw risk factors to `curated.risk_factor_examples`.

The year's rows are replaced in one commit, and only when their content differs from what stands there: the same
input and code make no new table version. What is reported was measured on the table as read back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812  (Spark's own convention)

from spark import examples, extras, labels, leakage, mix, schemas
from spark.cleaning import CLEANER_VERSION
from spark.comprehend import Comprehend
from spark.digests import raw_root
from spark.errors import JobError
from spark.pii import Detector, scrub
from spark.plans import settled
from spark.report import Report, counts, pii_left, size_in_bytes
from spark.tables import GovernedTables, TableSpec
from spark.templates import TEMPLATES

DETECTORS = (PRESIDIO := "presidio", "presidio+comprehend")
"""What looks for personal data; the first one where the parameters name none."""
WITH_COMPREHEND = "+comprehend"
"""Behind the cleaner's version of rows in which Amazon Comprehend looked for personal data too."""
HEADINGS = 50
"""Group headings that the report lists: those without a class that most risk factors stand under."""


def run(tables: GovernedTables, parameters: Mapping[str, Any]) -> Report:
    """Make the examples of the year that the parameters name.

    Raises JobError when the source holds no filing of that year or others than were declared, Refused when the catalog
    does not let us.
    """
    year = extras.year(parameters.get("fiscal_year"), "fiscal_year")
    source, target = extras.text(parameters, "source_table"), _target(parameters)
    detector = _second_detector(parameters)
    listed = leakage.benchmark_filings() | extras.accession_numbers(parameters, "benchmark_filings")
    source_version = tables.version(source)
    filings = tables.read(source, version=source_version).where(F.col("fiscal_year") == year)
    read, companies = _read(filings)
    if not read:
        raise JobError(f"{source} holds no filing of fiscal year {year}: materialize that year of it first")
    _require_declared(filings, extras.text(parameters, "source_content"), f"fiscal year {year} of {source}")
    # The rows that were read are kept: no later action has to read the source again, under a credential that has ended.
    refined = settled(examples.refined(examples.candidates(examples.spread(filings)), detector))
    (by_reason,) = counts(refined.fillna("", "reason"), "reason")
    asked = examples.asked(refined)
    labelled = examples.as_examples(asked, CLEANER_VERSION + (WITH_COMPREHEND if detector else ""))
    unique = settled(examples.without_duplicates(labelled, listed))
    (found,) = counts(unique, "task")
    made = settled(examples.thinned(unique, mix.rates(found)).sort("example_id"))
    tables.ensure(target)
    commit = _commit(parameters, source, source_version)
    written = tables.replace(target.name, made, where=f"fiscal_year = {year}", commit=commit)
    candidates, usable = sum(by_reason.values()), by_reason.pop("", 0)
    measured = _measure(written.rows)
    metadata = {
        **measured,
        **_by_task(asked, usable, found, measured["rows_by_task"]),
        "quarterly_repeats": _quarterly_repeats(asked),
        "source_rows": candidates,
        "source_delta_version": source_version,
        "delta_version": written.version,
        "filings": read,
        "source_companies": companies,
        "dropped": by_reason,
        "headings_left_out": _headings_left_out(refined, detector),
        "credentials": tables.records(),
    }
    return Report(metadata, written.digest)


def _second_detector(parameters: Mapping[str, Any]) -> Comprehend | None:
    """What looks for personal data beside the recognisers; it was asked once. Raises JobError where it may not be."""
    if extras.choice(parameters, "pii_detector", DETECTORS) == PRESIDIO:
        return None
    detector = Comprehend(extras.text(parameters, "region"))
    detector.require_access()
    return detector


def _target(parameters: Mapping[str, Any]) -> TableSpec:
    return TableSpec(
        name=extras.text(parameters, "target_table"),
        location=extras.text(parameters, "target_location"),
        schema=schemas.EXAMPLES,
        comment=schemas.EXAMPLES_COMMENT,
        partition_by=("fiscal_year",),
    )


def _require_declared(filings: DataFrame, declared: str, what: str) -> None:
    """Compare the filings' content with that on which the gates of their year have passed."""
    found = raw_root(filings)
    if found != declared:
        raise JobError(
            f"the table changed under the examples: {what} has the content {found}, its gates passed {declared}; "
            "materialize that year of it again, then the examples"
        )


def _commit(parameters: Mapping[str, Any], source: str, source_version: int) -> str:
    """What the Delta commit says of itself."""
    return json.dumps(
        {
            "run_id": extras.text(parameters, "run_id"),
            "code_version": extras.text(parameters, "code_version"),
            "source": f"{source}@v{source_version}",
        }
    )


def _read(filings: DataFrame) -> tuple[int, int]:
    """Number of the filings, and of the companies that could give an example: with the whole item, no amendment."""
    full = (F.col("status") == "full") & ~F.col("form_type").endswith("/A")
    found = filings.agg(F.count("*"), F.countDistinct(F.when(full, F.col("cik")))).first()
    return int(found[0]), int(found[1])


def _by_task(asked: DataFrame, usable: int, found: Mapping[str, int], kept: Mapping[str, int]) -> dict[str, Any]:
    """Count for each task what became of the usable risk factors.

    For each task, usable are those without a label by reason (`unlabelled`), those that repeat another
    (`duplicates_by_task`), those left out for the mix of tasks (`thinned`), and the examples.
    """
    reasons: dict[str, dict[str, int]] = {task: {} for task in TEMPLATES}
    for task, reason, number in asked.where("unlabelled IS NOT NULL").groupBy("task", "unlabelled").count().collect():
        reasons[task][reason] = int(number)
    labelled = {task: usable - sum(by_reason.values()) for task, by_reason in reasons.items()}
    duplicates = {task: number - found.get(task, 0) for task, number in labelled.items()}
    return {
        "usable": usable,
        "unlabelled": {task: dict(sorted(by_reason.items())) for task, by_reason in reasons.items() if by_reason},
        "duplicates_by_task": duplicates,
        "duplicates_removed": sum(duplicates.values()),
        "thinned": {task: found.get(task, 0) - kept.get(task, 0) for task in TEMPLATES},
    }


def _quarterly_repeats(asked: DataFrame) -> int:
    """Number of the 10-Q rows whose text the company's own 10-K of the year has too: one of the two at most is kept."""
    quarterly = F.sum(F.col("form_type").startswith("10-Q").cast("int"))
    in_report = F.max(F.col("form_type").startswith("10-K"))
    same = asked.where("unlabelled IS NULL").groupBy("task", "duplicate_key", "cik")
    repeats = same.agg(quarterly.alias("quarterly"), in_report.alias("in_report")).where("in_report")
    return int(repeats.agg(F.coalesce(F.sum("quarterly"), F.lit(0))).first()[0])


def _headings_left_out(refined: DataFrame, detector: Detector | None) -> dict[str, int]:
    """The HEADINGS most frequent group headings without a class, scrubbed, with their number of risk factors."""
    without = (labels.Unlabelled.UNMAPPED_HEADING.value, labels.Unlabelled.AMBIGUOUS_HEADING.value)
    kept = refined.where(F.col("reason").isNull() & F.col("reason_T2").isin(*without))
    as_written = kept.groupBy("heading").agg(F.count("*").alias("factors"))
    told = as_written.groupBy(F.udf(partial(_told, also=detector))("heading").alias("told")).agg(
        F.sum("factors").alias("factors")
    )
    top = told.orderBy(F.col("factors").desc(), "told").limit(HEADINGS).collect()
    return {row["told"]: int(row["factors"]) for row in top}


def _told(heading: str, also: Detector | None) -> str:
    """The heading as the report shows it: it is the issuer's text, and the report's readers may not read the table.

    Scrubbed before it is put into lower case, as names and addresses are known by their capitals.
    """
    return scrub(heading, also).text.lower()


def _measure(written: DataFrame) -> dict[str, Any]:
    """Count what stands in the table, and look in it for personal data with `pii.leftovers`.

    `labels` counts the completions of each task that has labels.
    """
    totals = written.agg(
        F.count("*").alias("rows"),
        F.coalesce(F.sum("pii_removed"), F.lit(0)).alias("pii_removed"),
        F.coalesce(F.sum((F.col("cut_words") > 0).cast("int")), F.lit(0)).alias("cut_rows"),
        F.countDistinct("cik").alias("companies"),
        pii_left(),
    ).first()
    (by_task,) = counts(written, "task")
    by_label: dict[str, dict[str, int]] = {}
    labelled = written.where(F.col("task").isin(*labels.LABELLED)).groupBy("task", "completion").count()
    for task, label, number in labelled.orderBy("task", "completion").collect():
        by_label.setdefault(task, {})[label] = int(number)
    return {
        **{name: int(value) for name, value in totals.asDict().items()},
        "rows_by_task": by_task,
        "labels": by_label,
        "bytes": size_in_bytes(written),
    }
