"""The versions of the training set: one row in the table of versions for each, and one JSON object beside the data.

A version is its content: it has a number of its own only where the snapshot's Merkle root differs from the newest
version's, or where the newest version's rows are no longer at the Delta version that its row names. The object stands
in the snapshot's own folder under `_manifests/`, which readers of Delta tables and VACUUM pass over (names that begin
with an underscore), and is written before the row, so that each row has its object.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812  (Spark's own convention)

from spark import columns, extras, schemas
from spark.columns import CHANGES, EXAMPLE, KINDS, RESTATED
from spark.digests import root_of, row_digest
from spark.plans import settled
from spark.tables import GovernedTables, TableSpec, Written

FOLDER = "_manifests"
VERSIONS = schemas.struct(columns.VERSIONS)
VERSIONS_COMMENT = "One row for each version of the training set: what it holds, what it was made of, what changed."
GONE = ("[DELTA_", "[FAILED_READ_FILE.FILE_NOT_EXIST]")
"""What Spark says of a Delta version whose log or files were cleaned up; any other fault of reading is a fault."""


@dataclass(frozen=True)
class Facts:
    """What is told of a snapshot: its measures, and what it was made of. All values are JSON's."""

    measures: Mapping[str, Any]
    sources: Sequence[Mapping[str, Any]]
    code_version: str
    run_id: str
    description: str


@dataclass(frozen=True)
class Before:
    """The newest version as it stood before the snapshot was written.

    `row` is its row in the table of versions. `digests` are those of its examples; None where they cannot be had, and
    `why_not` then says why.
    """

    row: Mapping[str, Any]
    digests: DataFrame | None
    why_not: str | None = None


def read_before_of_job(tables: GovernedTables, parameters: Mapping[str, Any]) -> Before | None:
    """Return the version that the job of these parameters will come after; None while there is none.

    To be asked before the job writes, since a commit can clean up the log that the version is read by. Raises as
    `read_before`.
    """
    return read_before(tables, _spec(parameters), extras.text(parameters, "target_table"))


def read_before(tables: GovernedTables, versions: TableSpec, snapshot: str) -> Before | None:
    """Read the newest version of `snapshot`, a table's full name; make the table of versions where it is not there.

    Raises Refused where the catalog does not let us read the one or make the other.
    """
    tables.ensure(versions)
    row = newest(tables, versions.name)
    if row is None:
        return None
    number, there = row["version"], row["snapshot_delta_version"]
    if row["snapshot_table"] != snapshot:
        return Before(row, None, f"version {number} is of the table {row['snapshot_table']}")
    try:
        digests = settled(_digests(tables.read(snapshot, version=there, operation="READ_WRITE")))
        root = root_of(digests, F.col(RESTATED))
    except (PySparkException, Py4JJavaError) as error:
        if not any(mark in str(error) for mark in GONE):
            raise
        return Before(row, None, f"Delta version {there}, which held version {number}, can no longer be read")
    if root != row["merkle_root"]:
        return Before(row, None, f"Delta version {there} no longer holds version {number}: the table was made anew")
    return Before(row, digests)


def _spec(parameters: Mapping[str, Any]) -> TableSpec:
    return TableSpec(
        name=extras.text(parameters, "versions_table"),
        location=extras.text(parameters, "versions_location"),
        schema=VERSIONS,
        comment=VERSIONS_COMMENT,
    )


def of_job(
    tables: GovernedTables,
    parameters: Mapping[str, Any],
    source_version: int,
    written: Written,
    measured: Mapping[str, Any],
    before: Before | None,
) -> dict[str, Any]:
    """Record the version of a snapshot that the job of these parameters wrote; return what to report of it.

    `before` is what `read_before_of_job` returned before it wrote.

    Raises JobError for a parameter that is missing, Refused where the catalog does not let us.
    """
    raw = {
        "table": extras.text(parameters, "raw_table"),
        "delta_versions": {year: int(version) for year, version in extras.texts(parameters, "raw_versions").items()},
    }
    examples = {
        "table": extras.text(parameters, "source_table"),
        "delta_version": source_version,
        "data_versions": extras.texts(parameters, "source_versions"),
    }
    facts = Facts(
        measures=measured,
        sources=[raw, examples],
        code_version=extras.text(parameters, "code_version"),
        run_id=extras.text(parameters, "run_id"),
        description=extras.text(parameters, "description"),
    )
    found = record(tables, _spec(parameters), extras.text(parameters, "target_table"), written, facts, before)
    row = found.rows.select("manifest", "manifest_url").first()
    return {
        "manifest": json.loads(row["manifest"]),
        "manifest_url": row["manifest_url"],
        "versions_delta_version": found.version,
    }


def record(
    tables: GovernedTables, versions: TableSpec, snapshot: str, written: Written, facts: Facts, before: Before | None
) -> Written:
    """Add the version that holds this content, unless it is the newest one; return the row of the newest version.

    `snapshot` is the table's full name, `written` its rows as read back, `before` the newest version, read before they
    were written. Raises Refused where the catalog does not let us write one of the two tables.
    """
    if before is not None and before.digests is not None and before.row["merkle_root"] == written.digest:
        return tables.stored(versions.name, where=f"version = {before.row['version']}")
    number = before.row["version"] + 1 if before else 1
    manifest = {
        "version": number,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "description": facts.description,
        "snapshot": {"table": snapshot, "delta_version": written.version, "merkle_root": written.digest},
        "sources": list(facts.sources),
        "code_version": facts.code_version,
        "run_id": facts.run_id,
        "measures": dict(facts.measures),
        "changes": _changes_since(before, written),
    }
    text = json.dumps(manifest, indent=1, sort_keys=True)
    url = tables.put(snapshot, f"{FOLDER}/{number:06d}.json", text)
    row = tables.spark.createDataFrame([_row(manifest, url, text)], VERSIONS)
    commit = json.dumps({"run_id": facts.run_id, "code_version": facts.code_version, "version": number})
    return tables.replace(versions.name, row, where=f"version = {number}", commit=commit)


def newest(tables: GovernedTables, name: str) -> dict[str, Any] | None:
    """The newest version's row; None while there is none."""
    rows = tables.read(name, version=tables.version(name, operation="READ_WRITE"), operation="READ_WRITE")
    first = rows.sort(F.col("version").desc()).first()
    return dict(first.asDict()) if first is not None else None


def changes(before: DataFrame, after: DataFrame) -> dict[str, dict[str, int]]:
    """Count by task what became of the examples between two snapshots; every kind of KINDS has a number.

    Both are given as digests, as `_digests` makes them.
    """
    sides = [
        rows.groupBy(*EXAMPLE).agg(
            *(F.sort_array(F.collect_list(name)).alias(f"{name}_{side}") for name in (*CHANGES, RESTATED))
        )
        for side, rows in (("before", before), ("after", after))
    ]
    kind = F.when(F.col(f"{RESTATED}_before").isNull(), "added").when(F.col(f"{RESTATED}_after").isNull(), "removed")
    for name in (*CHANGES, RESTATED):
        kind = kind.when(F.col(f"{name}_before") != F.col(f"{name}_after"), name)
    kind = kind.otherwise("same")
    joined = sides[0].join(sides[1], list(EXAMPLE), "full")
    counted = joined.groupBy("task", kind.alias("kind")).count().collect()
    found = {row["task"]: dict.fromkeys(KINDS, 0) for row in sorted(counted, key=lambda row: str(row["task"]))}
    for row in counted:
        found[row["task"]][row["kind"]] = int(row["count"])
    return found


def _digests(rows: DataFrame) -> DataFrame:
    """Digests of each row of a snapshot beside its identity: one for each of CHANGES, and that of the row as stored."""
    digested = {**CHANGES, RESTATED: rows.columns}
    return rows.select(*EXAMPLE, *(row_digest(names).alias(name) for name, names in digested.items()))


def _changes_since(before: Before | None, written: Written) -> dict[str, Any]:
    """The change against the version before.

    `since` is its number; null where there was nothing to compare with, and `not_compared` says why, if a version was
    before.
    """
    after = _digests(written.rows)
    if before is None or before.digests is None:
        since, old = None, after.limit(0)
    else:
        since, old = before.row["version"], before.digests
    by_task = changes(old, after)
    total = {kind: sum(counts[kind] for counts in by_task.values()) for kind in KINDS}
    return {"since": since, "not_compared": before.why_not if before else None, **total, "by_task": by_task}


def _row(manifest: Mapping[str, Any], url: str, text: str) -> dict[str, Any]:
    return {
        **{name: manifest[name] for name in ("version", "created_at", "code_version", "run_id", "description")},
        "merkle_root": manifest["snapshot"]["merkle_root"],
        "snapshot_table": manifest["snapshot"]["table"],
        "snapshot_delta_version": manifest["snapshot"]["delta_version"],
        "rows": manifest["measures"]["rows"],
        **{kind: manifest["changes"][kind] for kind in ("added", "removed", "edited")},
        "manifest_url": url,
        "manifest": text,
    }
