"""How a check is built: read the newest materialization, compare one measure, say which data version it was."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from govtune_assets import markdown, provenance
from govtune_assets.gates import DATA_VERSION, MATERIALIZED_BY
from govtune_assets.provenance import Materialized
from govtune_assets.resources.unity_catalog import UnityCatalogResource
from unitydoor.catalog import Catalog

Decide = Callable[[Materialized], "Verdict"]
Row = tuple[str, float, float, bool]
"""What was measured, its value, its threshold, and whether it passed."""


@dataclass(frozen=True)
class Verdict:
    """A measure beside its threshold; `details` are more metadata for the UI."""

    passed: bool
    value: float
    threshold: float
    sentence: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Gate:
    """A check that is decided by what the materialization recorded."""

    key: dg.AssetCheckKey
    description: str
    decide: Decide
    partitions_def: dg.PartitionsDefinition[str] | None = None


@dataclass(frozen=True)
class TableGate:
    """A check that reads the table itself, as the auditor: what was recorded by who wrote it does not count."""

    key: dg.AssetCheckKey
    description: str
    decide: Callable[[Materialized, Catalog], Verdict]
    partitions_def: dg.PartitionsDefinition[str] | None = None


@dataclass(frozen=True)
class CatalogGate:
    """A check that asks the catalog, as whichever principals it needs."""

    key: dg.AssetCheckKey
    description: str
    decide: Callable[[Materialized, UnityCatalogResource], Verdict]
    partitions_def: dg.PartitionsDefinition[str] | None = None


def build_gate(gate: Gate) -> dg.AssetChecksDefinition:
    """The asset check of a gate; it blocks its run, and its records are read again by what consumes the asset."""

    @dg.asset_check(
        asset=gate.key.asset_key,
        name=gate.key.name,
        description=gate.description,
        blocking=True,
        partitions_def=gate.partitions_def,
    )
    def check(context: dg.AssetCheckExecutionContext) -> Any:
        return _evaluate(gate, gate.decide, context)

    return check


def build_table_gate(gate: TableGate) -> dg.AssetChecksDefinition:
    """The asset check of a gate that reads its table; it blocks as every gate does."""

    def decide(made: Materialized, catalog: UnityCatalogResource) -> Verdict:
        return gate.decide(made, catalog.door("auditor"))

    return build_catalog_gate(CatalogGate(gate.key, gate.description, decide, gate.partitions_def))


def build_catalog_gate(gate: CatalogGate) -> dg.AssetChecksDefinition:
    """The asset check of a gate that asks the catalog; it blocks as every gate does."""

    @dg.asset_check(
        asset=gate.key.asset_key,
        name=gate.key.name,
        description=gate.description,
        blocking=True,
        partitions_def=gate.partitions_def,
    )
    def check(context: dg.AssetCheckExecutionContext, unity_catalog: UnityCatalogResource) -> Any:
        return _evaluate(gate, lambda made: gate.decide(made, unity_catalog), context)

    return check


def recorded(made: Materialized, name: str) -> Any:
    """A value that the materialization recorded.

    Raises:
        dagster.Failure: it recorded none, since an older version of the project made it.
    """
    if name not in made.metadata:
        where = made.key.to_user_string() + (f", fiscal year {made.partition}" if made.partition else "")
        raise dg.Failure(f"{where} recorded no {name}: materialize it again.", allow_retries=False)
    return made.metadata[name]


def judged(rows: Sequence[Row], title: str, fault: str) -> Verdict:
    """One verdict over many measures: how many are out of bounds, and each beside its threshold in a table."""
    failed = [name for name, _, _, passed in rows if not passed]
    cells = [[name, _shown(value), _shown(bound), "yes" if passed else "NO"] for name, value, bound, passed in rows]
    shown = markdown.table([title, "value", "threshold", "passed"], cells)
    sentence = f"{len(failed)} {fault}: {', '.join(failed)}." if failed else f"All {len(rows)} are within bounds."
    return Verdict(not failed, len(failed), 0, sentence, {"Measured": dg.MetadataValue.md(shown)})


def _shown(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) or not math.isfinite(value) else f"{value:.3f}"


def _evaluate(gate: Gate | CatalogGate, decide: Decide, context: dg.AssetCheckExecutionContext) -> Any:
    """One evaluation a partition, so that each year has its own record.

    A backfill launches even a single year as a range, and Dagster records the result of a range without partition.
    """
    if gate.partitions_def is None:
        return _result(decide, provenance.latest(context.instance, gate.key.asset_key))
    results = [
        (year, _result(decide, provenance.latest(context.instance, gate.key.asset_key, year)))
        for year in context.partition_keys
    ]
    if context.op_execution_context.has_partition_key:
        return results[0][1]
    return _range_results(gate.key, results)


def _range_results(key: dg.AssetCheckKey, results: list[tuple[str, dg.AssetCheckResult]]) -> Any:
    for year, result in results:
        yield dg.AssetCheckEvaluation(
            asset_key=key.asset_key,
            check_name=key.name,
            passed=result.passed,
            metadata=result.metadata,
            description=result.description,
            partition=year,
        )
    yield dg.AssetCheckResult(passed=all(result.passed for _, result in results))


def _result(decide: Decide, made: Materialized) -> dg.AssetCheckResult:
    verdict = decide(made)
    return dg.AssetCheckResult(
        passed=verdict.passed,
        description=verdict.sentence,
        metadata={
            "value": _number(verdict.value),
            "threshold": _number(verdict.threshold),
            DATA_VERSION: made.data_version,
            MATERIALIZED_BY: made.run_id,
            **verdict.details,
        },
    )


def _number(value: float) -> Any:
    """The UI's own interface has no numbers that are not finite: they are shown as words."""
    return value if math.isfinite(value) else str(value)
