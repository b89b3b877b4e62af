"""How a check is built: read the newest materialization, compare one measure, say which data version it was."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dagster as dg

from govtune_assets import provenance
from govtune_assets.gates import DATA_VERSION
from govtune_assets.provenance import Materialized


@dataclass(frozen=True)
class Verdict:
    """A measure beside its threshold."""

    passed: bool
    value: float
    threshold: float
    sentence: str


@dataclass(frozen=True)
class Gate:
    """A check that is decided by what the materialization recorded."""

    key: dg.AssetCheckKey
    description: str
    decide: Callable[[Materialized], Verdict]
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
        if gate.partitions_def is None:
            return _result(gate, provenance.latest(context.instance, gate.key.asset_key))
        return _partitioned(gate, context)

    return check


def _partitioned(gate: Gate, context: dg.AssetCheckExecutionContext) -> Any:
    """One evaluation a partition, so that each year has its own record.

    A backfill launches even a single year as a range, and Dagster records the result of a range without partition.
    """
    results = [
        (year, _result(gate, provenance.latest(context.instance, gate.key.asset_key, year)))
        for year in context.partition_keys
    ]
    if context.op_execution_context.has_partition_key:
        return results[0][1]
    return _range_results(gate, results)


def _range_results(gate: Gate, results: list[tuple[str, dg.AssetCheckResult]]) -> Any:
    for year, result in results:
        yield dg.AssetCheckEvaluation(
            asset_key=gate.key.asset_key,
            check_name=gate.key.name,
            passed=result.passed,
            metadata=result.metadata,
            description=result.description,
            partition=year,
        )
    yield dg.AssetCheckResult(passed=all(result.passed for _, result in results))


def _result(gate: Gate, made: Materialized) -> dg.AssetCheckResult:
    verdict = gate.decide(made)
    return dg.AssetCheckResult(
        passed=verdict.passed,
        description=verdict.sentence,
        metadata={
            "value": verdict.value,
            "threshold": verdict.threshold,
            DATA_VERSION: made.data_version,
        },
    )
