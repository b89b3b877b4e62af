"""Ends, in Dagster's records, the runs whose processes ended with an earlier local cloud.

Dagster's default launcher cannot tell that a run's process is gone, so such a run would count as running for ever and,
with one run at a time, keep every later one in the queue. A run that was killed also keeps its slots in the pools,
for which every later step of the same pool would wait.

Run as `python -m localcloud.supervisor.orphans` while no Dagster process of the same DAGSTER_HOME is alive.
"""

from __future__ import annotations

import sys

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

UNFINISHED = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
REASON = "The process of this run ended when the local cloud was stopped. Launch it again: it continues there."


def end_orphans(instance: DagsterInstance) -> int:
    """Marks every unfinished run as failed, or as canceled where that was asked for; returns how many.

    Frees every pool's slots: no process is left that could hold one.
    """
    runs = instance.get_runs(filters=RunsFilter(statuses=UNFINISHED))
    for run in runs:
        if run.status is DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, message=REASON)
        else:
            instance.report_run_failed(run, message=REASON)
    for run_id in instance.event_log_storage.get_concurrency_run_ids():
        instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    return len(runs)


def main() -> int:
    """Prints how many runs were ended."""
    with DagsterInstance.get() as instance:
        sys.stdout.write(f"{end_orphans(instance)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
