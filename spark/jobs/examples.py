"""The job `examples`: one fiscal year of raw risk factors to `curated.risk_factor_examples`.

The year's rows are replaced in one commit, and only when their content differs from what stands there: the same
input and code make no new table version. What is reported was measured on the table as read back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812  (Spark's own convention)

from spark import examples, extras, schemas
from spark.errors import JobError
from spark.report import Report, counts, pii_left, size_in_bytes
from spark.tables import GovernedTables, TableSpec
from spark.templates import T1


def run(tables: GovernedTables, parameters: Mapping[str, Any]) -> Report:
    """Make the examples of the year that the parameters name.

    Raises JobError when the source holds no filing of that year, Refused when the catalog does not let us.
    """
    year = extras.year(parameters.get("fiscal_year"), "fiscal_year")
    source, target = extras.text(parameters, "source_table"), _target(parameters)
    source_version = tables.version(source)
    filings = tables.read(source, version=source_version).where(F.col("fiscal_year") == year)
    refined = examples.refined(examples.candidates(filings)).cache()
    (by_reason,) = counts(refined.fillna("", "reason"), "reason")
    if not by_reason:
        raise JobError(f"{source} holds no filing of fiscal year {year}: materialize that year of it first")
    made = examples.without_duplicates(examples.as_examples(refined, T1)).sort("example_id").cache()
    tables.ensure(target)
    commit = _commit(parameters, source, source_version)
    written = tables.replace(target.name, made, where=f"fiscal_year = {year}", commit=commit)
    measured = _measure(written.rows)
    candidates, kept = sum(by_reason.values()), by_reason.pop("", 0)
    metadata = {
        **measured,
        "source_rows": candidates,
        "source_delta_version": source_version,
        "delta_version": written.version,
        "filings": filings.count(),
        "dropped": by_reason,
        "duplicates_removed": kept - measured["rows"],
        "credentials": tables.records(),
    }
    return Report(metadata, written.digest)


def _target(parameters: Mapping[str, Any]) -> TableSpec:
    return TableSpec(
        name=extras.text(parameters, "target_table"),
        location=extras.text(parameters, "target_location"),
        schema=schemas.EXAMPLES,
        comment=schemas.EXAMPLES_COMMENT,
        partition_by=("fiscal_year",),
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


def _measure(written: DataFrame) -> dict[str, Any]:
    """Count what stands in the table, and look in it for personal data with `pii.leftovers`."""
    totals = written.agg(
        F.count("*").alias("rows"),
        F.coalesce(F.sum("pii_removed"), F.lit(0)).alias("pii_removed"),
        pii_left(),
    ).first()
    return {**{name: int(value) for name, value in totals.asDict().items()}, "bytes": size_in_bytes(written)}
