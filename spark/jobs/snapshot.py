"""The job `snapshot`: the declared fiscal years of the examples, frozen as `curated.training_snapshot`.

It reads one Delta version of the examples and checks that each year holds exactly what its gates have passed:
the year's content digest must be the one that was declared. The same content makes no new table version. Every
example is in the snapshot or counted under the reason for which it is not; what is reported of leaks was measured on
the whole table as read back.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812  (Spark's own convention)

from spark import extras, leakage, manifest, measures, near_duplicates, schemas, snapshot, split
from spark.digests import content_root
from spark.errors import JobError
from spark.plans import settled
from spark.report import Report, counts, pii_left, size_in_bytes
from spark.tables import GovernedTables, TableSpec

SAMPLE = (
    "example_id",
    "cik",
    "accession_number",
    "source_url",
    "risk_factor_index",
    "char_start",
    "char_end",
)
"""A row is named, its text is not shown: whoever reads the run's records need not have SELECT on the table."""


def run(tables: GovernedTables, parameters: Mapping[str, Any]) -> Report:
    """Freeze the years that the parameters name.

    Raises JobError when a year's rows are not those that were declared, when nothing is left to train, or when there
    are too few companies to split; Refused when the catalog does not let us.
    """
    years = extras.years(parameters, "fiscal_years")
    source, target = extras.text(parameters, "source_table"), _target(parameters)
    source_version = tables.version(source)
    rows = tables.read(source, version=source_version)
    _require_declared(rows, years, extras.texts(parameters, "source_versions"), f"{source} at v{source_version}")
    declared = rows.where(F.col("fiscal_year").isin(years))
    _require_one_cleaner(declared)
    filings = leakage.benchmark_filings() | extras.accession_numbers(parameters, "benchmark_filings")
    most_shared = extras.share(parameters, "most_13gram_share", default=leakage.MOST_SHARED)
    of_benchmarks = rows.where(~F.col("fiscal_year").isin(years) & F.col("accession_number").isin(*filings))
    made = freeze(declared, filings, most_shared, elsewhere=of_benchmarks)
    tables.ensure(target)
    before = manifest.read_before_of_job(tables, parameters)
    commit = _commit(parameters, source, source_version, years)
    written = tables.replace(target.name, settled(made.rows), where=None, commit=commit)
    measured = {
        **measures.of_snapshot(written.rows),
        **measures.of_source(declared),
        **_left_out(made.decisions),
        **leakage.measured(written.rows, filings, rows),
        "most_13gram_share": most_shared,
        "benchmark_filings_listed": len(filings),
        "near_duplicate_jaccard": near_duplicates.THRESHOLD,
        "pii_left": int(written.rows.agg(pii_left()).first()[0]),
        "bytes": size_in_bytes(written.rows),
    }
    metadata = {
        **measured,
        "delta_version": written.version,
        "source_delta_version": source_version,
        "merkle_root": written.digest,
        "sample": _sample(written.rows),
        "samples": measures.samples(written.rows),
        **manifest.of_job(tables, parameters, source_version, written, measured, before),
        "credentials": tables.records(),
    }
    return Report(metadata, written.digest)


def _sample(rows: DataFrame) -> dict[str, Any]:
    """One row that trains, always the same of the same content."""
    first = rows.where(F.col("split") == "train").sort("example_id").select(*SAMPLE).first()
    return {} if first is None else dict(first.asDict())


def _target(parameters: Mapping[str, Any]) -> TableSpec:
    return TableSpec(
        name=extras.text(parameters, "target_table"),
        location=extras.text(parameters, "target_location"),
        schema=schemas.SNAPSHOT,
        comment=schemas.SNAPSHOT_COMMENT,
    )


def _require_declared(rows: DataFrame, years: list[int], declared: Mapping[str, str], where: str) -> None:
    """Compare each year's content digest with the declared one."""
    for year in years:
        expected = declared.get(str(year))
        if expected is None:
            raise JobError(f"no data version was declared for fiscal year {year}: it has no record of its gates")
        found = content_root(rows.where(F.col("fiscal_year") == year), schemas.EXAMPLES.names)
        if found != expected:
            raise JobError(
                f"the table changed under the snapshot: fiscal year {year} of {where} has the content {found}, "
                f"its gates passed {expected}; materialize that year again, then the snapshot"
            )


def _require_one_cleaner(rows: DataFrame) -> None:
    """Rows that were cleaned or scrubbed in two ways are no one training set, and their copies would look different."""
    pairs = rows.select("cleaner_version", "fiscal_year").distinct().sort("cleaner_version", "fiscal_year").collect()
    years: dict[str, list[int]] = {}
    for version, year in pairs:
        years.setdefault(version, []).append(year)
    if len(years) > 1:
        raise JobError(
            f"the declared fiscal years were cleaned by different cleaners, by version: {years}: "
            "materialize the examples of the older ones again, then the snapshot"
        )


@dataclass(frozen=True)
class Frozen:
    """The training set, and of every example the split and the reason for which it is left out, if any."""

    rows: DataFrame
    decisions: DataFrame


def freeze(
    rows: DataFrame, benchmark_filings: Collection[str], most_shared: float, *, elsewhere: DataFrame | None = None
) -> Frozen:
    """Return the training set of these examples. `elsewhere` are the benchmark filings' examples of other fiscal years.

    Raises JobError when there is none, when no row of it trains, or when there are too few companies.
    """
    if rows.isEmpty():
        raise JobError("the declared fiscal years hold no example: look at the counts of dropped rows by reason")
    try:
        decided = settled(snapshot.decided(snapshot.with_clusters(rows, elsewhere), benchmark_filings))
    except split.TooFewCompanies as error:
        raise JobError(f"{error}: add companies (GOVTUNE_UNIVERSE) or an earlier fiscal year") from error
    # What may leak leaves the tests alone, so nothing that trains goes after this.
    if decided.where("reason IS NULL AND split = 'train'").isEmpty():
        (by_reason,) = counts(decided.where("reason IS NOT NULL"), "reason")
        raise JobError(
            f"no example is left to train; of the declared fiscal years were left out, by reason: {by_reason}: "
            "declare more fiscal years (GOVTUNE_SNAPSHOT_YEARS) or add companies (GOVTUNE_UNIVERSE)"
        )
    decisions = settled(snapshot.without_leaks(rows, decided, most_shared))
    return Frozen(snapshot.frozen(rows, decisions), decisions)


def _left_out(decisions: DataFrame) -> dict[str, Any]:
    """Count what came in, what was left out by reason, and the clusters.

    `quarterly_repeats` are the 10-Q rows left out as duplicates whose cluster has a row of the same company's 10-K.
    What the two have word for word within a fiscal year is one row already: the examples' report counts it.
    """
    (by_reason,) = counts(decisions.fillna("", "reason"), "reason")
    kept = by_reason.pop("", 0)
    repeats = decisions.where(F.col("repeats_report") & F.col("reason").isin(*snapshot.DUPLICATES))
    sizes = decisions.groupBy("cluster_id").count()
    clusters, largest = sizes.agg(F.count("*"), F.coalesce(F.max("count"), F.lit(0))).first()
    return {
        "source_rows": kept + sum(by_reason.values()),
        "dropped": by_reason,
        "quarterly_repeats": repeats.count(),
        "clusters": int(clusters),
        "largest_cluster": int(largest),
    }


def _commit(parameters: Mapping[str, Any], source: str, source_version: int, years: list[int]) -> str:
    """What the Delta commit says of itself."""
    return json.dumps(
        {
            "run_id": extras.text(parameters, "run_id"),
            "code_version": extras.text(parameters, "code_version"),
            "source": f"{source}@v{source_version}",
            "fiscal_years": years,
        }
    )
