"""Real backfills and runs inside a test: Dagster's own daemon iteration with a launcher that waits.

A program of its own, since Dagster keeps the definitions that a process has loaded, whatever its environment says
later. Private imports of a pinned Dagster are kept in this file.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import dagster as dg
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.backfill import execute_backfill_iteration

from tests.conftest import ROOT

MAXIMUM_TICKS = 30
RESULT = "backfilled: "
"""What stands before the result; Dagster's code server prints lines of its own around it."""


@dataclass(frozen=True)
class Run:
    """A run of a backfill: whether it succeeded, and the errors of its failed steps."""

    run_id: str
    succeeded: bool
    error: str


def main(argv: Sequence[str]) -> int:
    """`KEY,KEY YEAR,YEAR`: backfill, and print the runs as JSON on a line that starts with RESULT."""
    keys = [dg.AssetKey.from_user_string(key) for key in argv[0].split(",")]
    years = [year for year in argv[1].split(",") if year]
    print(RESULT + json.dumps([asdict(run) for run in backfill(keys, years)]))
    return 0


def backfill(keys: Sequence[dg.AssetKey], years: Sequence[str]) -> list[Run]:
    """Backfill `keys` over `years` (none: unpartitioned) on the instance of DAGSTER_HOME, to its end."""
    overrides = {
        "run_launcher": {
            "module": "dagster._core.launcher.sync_in_memory_run_launcher",
            "class": "SyncInMemoryRunLauncher",
        },
        "run_coordinator": {"module": "dagster._core.run_coordinator", "class": "DefaultRunCoordinator"},
    }
    target = ModuleTarget("govtune_assets.definitions", None, working_directory=str(ROOT), location_name="test")
    with (
        dg.DagsterInstance.from_config(os.environ["DAGSTER_HOME"]) as shared,
        dg.DagsterInstance.from_ref(_with_overrides(shared, overrides)) as instance,
        create_test_daemon_workspace_context(target, instance) as workspace,
    ):
        before = set(instance.get_run_ids())
        requested = PartitionBackfill.from_asset_partitions(
            backfill_id=f"test{time.time_ns()}",
            asset_graph=workspace.create_request_context().asset_graph,
            partition_names=list(years) or None,
            asset_selection=list(keys),
            backfill_timestamp=time.time(),
            tags={},
            dynamic_partitions_store=instance,
            all_partitions=not years,
            title=None,
            description=None,
            run_config=None,
        )
        instance.add_backfill(requested)
        _iterate(workspace, instance, requested.backfill_id)
        return [_run(instance, run_id) for run_id in instance.get_run_ids() if run_id not in before][::-1]


def _iterate(workspace: object, instance: dg.DagsterInstance, backfill_id: str) -> None:
    logger = logging.getLogger("backfill")
    for _ in range(MAXIMUM_TICKS):
        errors = [error for error in execute_backfill_iteration(workspace, logger) if error]  # type: ignore[arg-type]
        assert not errors, errors
        backfill = instance.get_backfill(backfill_id)
        assert backfill is not None
        if backfill.status not in (BulkActionStatus.REQUESTED, BulkActionStatus.FAILING):
            return
    raise AssertionError(f"backfill {backfill_id} did not end in {MAXIMUM_TICKS} ticks")


def _with_overrides(instance: dg.DagsterInstance, overrides: dict[str, object]) -> object:
    from dagster._core.instance.ref import InstanceRef

    assert instance.get_ref() is not None
    return InstanceRef.from_dir(os.environ["DAGSTER_HOME"], overrides=overrides)


def _run(instance: dg.DagsterInstance, run_id: str) -> Run:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    errors = []
    for record in instance.all_logs(run_id):
        event = record.dagster_event
        if event is not None and (event.is_step_failure or event.is_failure or event.is_engine_event):
            data = event.event_specific_data
            error = getattr(data, "error", None)
            while error is not None:
                errors.append(str(error.message))
                error = error.cause
    return Run(run_id, run.is_success, "\n".join(errors))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
