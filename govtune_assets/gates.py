"""Gates: thresholds, and the rule that a stage consumes only data whose gates have passed.

A blocking asset check stops its own run only: in a backfill the next run would train on a year whose check failed.
So a stage asks here, inside itself, for the records of every gate of the very data versions that it consumes. No
record is a refusal, and so is a record about another data version. The data version of an adapter is the digest of its
files, which another evaluation leaves as they are: its gates must have looked at the very materialization.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Status

from govtune_assets.keys import EXAMPLES, RAW_FILINGS, RAW_TABLE, SNAPSHOT, adapter_key
from govtune_assets.provenance import Materialized

HISTORY = 200
"""Newest evaluations of a gate, those of one fiscal year where it has years, that are searched for a data version."""

DATA_VERSION = "data_version"
"""Metadata name under which each gate's evaluation says which data version it looked at."""

MATERIALIZED_BY = "materialized_by"
"""The same of the Dagster run whose materialization it looked at."""

FILINGS_GATES = tuple(
    dg.AssetCheckKey(RAW_FILINGS, name) for name in ("annual_reports_covered", "few_failed_extractions")
)
RAW_GATES = tuple(
    dg.AssetCheckKey(RAW_TABLE, name) for name in ("accession_numbers_unique", "fiscal_year_in_partition")
)
EXAMPLES_GATES = tuple(
    dg.AssetCheckKey(EXAMPLES, name)
    for name in ("minimum_examples", "no_pii_left", "duplicate_share", "companies_covered")
)
SNAPSHOT_GATES = tuple(
    dg.AssetCheckKey(SNAPSHOT, name)
    for name in (
        "splits_filled",
        "snapshot_has_no_pii",
        "no_leakage",
        "enough_examples_by_task",
        "tokens_within_limit",
        "near_duplicate_share",
        "labels_balanced",
        "lengths_alike",
        "snapshot_companies_covered",
        "label_mix_steady",
    )
)

ADAPTER_GATES = (
    "evaluation_loss_fell",
    "loss_stays_down",
    "gradients_bounded",
    "device_used",
    "evaluation_complete",
    "tuned_beats_base",
    "tasks_not_under_base",
    "tasks_not_under_baselines",
    "not_under_champion",
)
"""Names of the gates of each configuration's adapter: the first four on its training, the others on its quality."""


def adapter_gates(configuration: str) -> tuple[dg.AssetCheckKey, ...]:
    """The gates between a configuration's adapter and its registration."""
    key = adapter_key(configuration)
    return tuple(dg.AssetCheckKey(key, name) for name in ADAPTER_GATES)


class GateClosed(dg.Failure):
    """A gate failed, or has no record of the data version that a stage is about to consume."""

    def __init__(self, consumer: str, reasons: Sequence[str]):
        listing = "\n".join(f"- {reason}" for reason in reasons)
        super().__init__(
            f"{consumer} refuses its input, since not every gate before it has passed:\n{listing}\n"
            "Mend the data or the threshold, run the checks again, and materialize again.",
            metadata={"Closed gates": dg.MetadataValue.md(listing)},
            allow_retries=False,
        )


@dataclass(frozen=True)
class Consumed:
    """A data version that a stage consumes, and the gates that must have passed on it.

    With `run_id` they must have passed on the materialization of that run, not on an earlier one of the same version.
    """

    gates: tuple[dg.AssetCheckKey, ...]
    data_version: str
    partition: str | None = None
    run_id: str | None = None


def of_adapter(configuration: str, adapter: Materialized) -> Consumed:
    """A configuration's adapter as what consumes it needs it: with the evaluation that this materialization reports."""
    return Consumed(adapter_gates(configuration), adapter.data_version, run_id=adapter.run_id)


def require(instance: dg.DagsterInstance, consumer: str, consumed: Iterable[Consumed]) -> None:
    """Let the stage pass only if each gate's newest record of the consumed data version is a pass.

    Raises:
        GateClosed: names every gate that is not open and why.
    """
    reasons = [
        reason for item in consumed for gate in item.gates if (reason := _closed(instance, gate, item)) is not None
    ]
    if reasons:
        raise GateClosed(consumer, reasons)


def passed(instance: dg.DagsterInstance, consumed: Consumed) -> bool:
    """Whether each gate's newest record of the data version is a pass."""
    return all(_closed(instance, gate, consumed) is None for gate in consumed.gates)


def _closed(instance: dg.DagsterInstance, gate: dg.AssetCheckKey, item: Consumed) -> str | None:
    """Why the gate is closed for the consumed data version; None when it is open."""
    where = f"{gate.name} of {gate.asset_key.to_user_string()}"
    if item.partition:
        where += f", fiscal year {item.partition}"
    seen, earlier = False, False
    for data_version, run_id, passed in _evaluations(instance, gate, item.partition):
        seen = True
        if data_version != item.data_version:
            continue
        if item.run_id in (None, run_id):
            return None if passed else f"{where}: failed"
        earlier = True
    if earlier:
        return f"{where}: its records are about earlier materializations of this data version"
    if seen:
        return f"{where}: its records are about other data versions, not about {item.data_version[:12]}"
    return f"{where}: has no record"


def _evaluations(
    instance: dg.DagsterInstance, gate: dg.AssetCheckKey, partition: str | None
) -> Iterable[tuple[str, str, bool]]:
    """Finished evaluations of a gate, newest first, as (data version, run that materialized it, passed)."""
    history = instance.event_log_storage.get_asset_check_execution_history(
        gate,
        limit=HISTORY,
        status={Status.SUCCEEDED, Status.FAILED},
        partition_filter=PartitionKeyFilter(key=partition),
    )
    for record in history:
        if record.event is None:
            continue
        evaluation = record.event.asset_check_evaluation
        if evaluation is not None:
            version, run_id = (evaluation.metadata.get(name) for name in (DATA_VERSION, MATERIALIZED_BY))
            yield str(version.value if version else ""), str(run_id.value if run_id else ""), evaluation.passed


def consumed_years(data_versions: Mapping[str, str]) -> list[Consumed]:
    """The examples of the declared fiscal years, each at the data version that is consumed."""
    return [
        Consumed(EXAMPLES_GATES, data_version=version, partition=year)
        for year, version in sorted(data_versions.items())
    ]
