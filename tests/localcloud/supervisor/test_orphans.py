"""Runs that were taken down with the local cloud do not stay in progress for ever."""

from pathlib import Path

from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.test_utils import create_run_for_test

from localcloud.supervisor.orphans import end_orphans

ENDS_AS = {
    DagsterRunStatus.STARTING: DagsterRunStatus.FAILURE,
    DagsterRunStatus.STARTED: DagsterRunStatus.FAILURE,
    DagsterRunStatus.CANCELING: DagsterRunStatus.CANCELED,
    DagsterRunStatus.NOT_STARTED: DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.SUCCESS: DagsterRunStatus.SUCCESS,
}


def test_only_runs_in_progress_are_ended(tmp_path: Path) -> None:
    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        runs = {before: create_run_for_test(instance, status=before).run_id for before in ENDS_AS}
        assert end_orphans(instance) == 3
        found = {before: instance.get_run_by_id(run_id) for before, run_id in runs.items()}
        assert {before: run.status for before, run in found.items() if run} == ENDS_AS
        assert end_orphans(instance) == 0
