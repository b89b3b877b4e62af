"""Runs that were taken down with the local cloud neither stay in progress for ever nor hold a table's pool."""

import shutil
from pathlib import Path

from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.test_utils import create_run_for_test

from localcloud.supervisor.cloud import DAGSTER_CONFIGURATION
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


def test_a_killed_run_gives_back_its_slot_in_a_pool_of_one(tmp_path: Path) -> None:
    shutil.copyfile(DAGSTER_CONFIGURATION, tmp_path / "dagster.yaml")
    with DagsterInstance.from_config(str(tmp_path)) as instance:
        limits = instance.get_concurrency_config()
        assert limits.pool_config.default_pool_limit == 1
        assert limits.run_queue_config is not None
        assert limits.run_queue_config.max_concurrent_runs == 1
        slots = instance.event_log_storage
        killed = create_run_for_test(instance, status=DagsterRunStatus.STARTED).run_id
        later = create_run_for_test(instance, status=DagsterRunStatus.NOT_STARTED).run_id
        assert slots.initialize_concurrency_limit_to_default("raw.risk_factors")
        assert slots.claim_concurrency_slot("raw.risk_factors", killed, "step").is_claimed
        assert end_orphans(instance) == 1
        assert slots.claim_concurrency_slot("raw.risk_factors", later, "step").is_claimed
        assert not slots.claim_concurrency_slot("raw.risk_factors", killed, "step").is_claimed
