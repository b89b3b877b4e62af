"""How a check is built: read the newest materialization, compare one measure, say which data version it was."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from govtune_assets import provenance
from govtune_assets.gates import DATA_VERSION
from govtune_assets.provenance import Materialized
from govtune_assets.resources.unity_catalog import UnityCatalogResource
from unitydoor.catalog import Catalog

Decide = Callable[[Materialized], "Verdict"]


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

    @dg.asset_check(
        asset=gate.key.asset_key,
        name=gate.key.name,
        description=gate.description,
        blocking=True,
        partitions_def=gate.partitions_def,
    )
    def check(context: dg.AssetCheckExecutionContext, unity_catalog: UnityCatalogResource) -> Any:
        door = unity_catalog.door("auditor")
        return _evaluate(gate, lambda made: gate.decide(made, door), context)

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


def _evaluate(gate: Gate | TableGate, decide: Decide, context: dg.AssetCheckExecutionContext) -> Any:
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
            "value": verdict.value,
            "threshold": verdict.threshold,
            DATA_VERSION: made.data_version,
            **verdict.details,
        },
    )
