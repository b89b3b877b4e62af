"""The Pipes client of SageMaker, in Dagster runs on a real local SageMaker with a real container payload."""

import os
import signal
import threading

import pytest

from tests.pipes.training_runs import ENDLESS, Fault, Training


def test_a_completed_job_brings_report_log_metrics_and_status(
    training: Training, capsys: pytest.CaptureFixture[str]
) -> None:
    run = training.run(steps=3)
    assert run.result.success, run.log
    metadata = run.metadata
    name = metadata["training_job"]
    job = training.job(name)
    assert metadata["resumed_from"] == 0
    assert metadata["model_artifact"] == f"s3://{training.bucket}/training/{name}/output/model.tar.gz"
    assert metadata["billable_seconds"] == job["BillableTimeInSeconds"]
    assert name in metadata["SageMaker training job"]
    assert "| train:loss | 1.33333 |" in metadata["Metrics"]
    lines = [line for line in capsys.readouterr().out.splitlines() if "loss=" in line]
    assert lines == [f"step={step} loss={4 / step}" for step in (1, 2, 3)]
    for transition in job["SecondaryStatusTransitions"]:
        said = f"training job {name}: {transition['Status']}: {transition['StatusMessage']}"
        assert run.log.count(said) == 1
    assert "train:loss" in run.log
    tags = {tag["Key"]: tag["Value"] for tag in training.client.list_tags(ResourceArn=job["TrainingJobArn"])["Tags"]}
    assert tags["dagster/run-id"] == run.result.run_id
    assert tags["team"] == "govtune"


def test_a_failed_job_says_why_shows_its_last_lines_and_is_not_tried_again(training: Training) -> None:
    run = training.run(steps=5, extras={"fail_at": 2})
    assert "AlgorithmError: loss is not finite, exit code: 1" in run.failure.description
    assert run.failure.allow_retries is False
    assert "step=2 loss=2.0" in run.metadata["Log tail"]
    assert "step=3" not in run.metadata["Log tail"]
    assert run.metadata["billable_seconds"] >= 1


def test_a_job_stopped_by_somebody_fails_the_run_and_is_not_tried_again(training: Training) -> None:
    def stop_later(name: str) -> None:
        def stop() -> None:
            training.writes(name, "step=2")
            training.client.stop_training_job(TrainingJobName=name)

        threading.Thread(target=stop, daemon=True).start()

    run = training.run(steps=ENDLESS, before=stop_later)
    assert "ended as Stopped (Stopped): it was stopped" in run.failure.description
    assert run.failure.allow_retries is False


def test_a_cancelled_run_stops_its_job_and_waits_until_it_is_over(training: Training) -> None:
    names: list[str] = []

    def cancel_later(name: str) -> None:
        names.append(name)

        def cancel() -> None:
            training.writes(name, "step=2")
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=cancel, daemon=True).start()

    run = training.run(steps=ENDLESS, before=cancel_later)
    assert training.job(names[0])["TrainingJobStatus"] == "Stopped"
    assert not run.result.success
    assert "interrupted: stopping training job" in run.log
    assert f"training job {names[0]} is over: Stopped" in run.log


def test_a_spot_job_goes_on_after_an_interruption_and_reports_once(
    training: Training, capsys: pytest.CaptureFixture[str]
) -> None:
    run = training.run(
        steps=8,
        EnableManagedSpotTraining=True,
        StoppingCondition={"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 1200},
        Tags=[{"Key": "localcloud:interrupt-at", "Value": "step=4 "}],
    )
    assert run.result.success, run.log
    assert run.metadata["resumed_from"] >= 4
    job = training.job(run.metadata["training_job"])
    statuses = [transition["Status"] for transition in job["SecondaryStatusTransitions"]]
    assert statuses.count("Interrupted") == 1
    assert statuses.count("Training") == 2
    assert "Interrupted: " in run.log
    printed = capsys.readouterr().out.splitlines()
    assert printed.count("container starts") == 2
    assert [line for line in printed if line.startswith("step=")] == [
        f"step={step} loss={4 / step}" for step in range(1, 9)
    ]
    assert run.metadata["billable_seconds"] < run.metadata["training_seconds"]


def test_a_job_over_its_longest_run_is_not_tried_again(training: Training) -> None:
    run = training.run(steps=ENDLESS, StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert "(MaxRuntimeExceeded)" in run.failure.description
    assert run.failure.allow_retries is False


def test_missing_capacity_may_be_tried_again(training: Training) -> None:
    capacity = [{"Key": "localcloud:capacity", "Value": "none"}]
    refused = training.run(Tags=capacity)
    assert "CapacityError" in refused.failure.description
    assert refused.failure.allow_retries is True
    waited = training.run(
        Tags=capacity,
        EnableManagedSpotTraining=True,
        StoppingCondition={"MaxRuntimeInSeconds": 1, "MaxWaitTimeInSeconds": 1},
    )
    assert "(MaxWaitTimeExceeded)" in waited.failure.description
    assert waited.failure.allow_retries is True
    assert "Insufficient capacity" in waited.log


def test_a_lost_answer_starts_nothing_twice_and_throttled_looks_lose_nothing(
    training: Training, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client without retries of botocore's looks for the job itself."""
    client, logs = training.aws.client("sagemaker"), training.aws.client("logs")
    start, looks, lines = Fault(client), Fault(client), Fault(logs)
    start.lose_answer("CreateTrainingJob")
    looks.throttle("DescribeTrainingJob", times=3)
    lines.throttle("GetLogEvents", "DescribeLogStreams", times=3)
    monkeypatch.setattr(training, "logs", logs)
    before = training.jobs()
    run = training.run(steps=3, client=client)
    assert run.result.success, run.log
    assert (start.left, looks.left, lines.left) == (0, 0, 0)
    assert training.jobs() - before == {run.metadata["training_job"]}
    printed = capsys.readouterr().out.splitlines()
    assert [line for line in printed if "loss=" in line] == [f"step={step} loss={4 / step}" for step in (1, 2, 3)]


def test_a_job_that_was_started_in_spite_of_a_server_error_is_followed(training: Training) -> None:
    client = training.aws.client("sagemaker")
    start = Fault(client)
    start.break_answer("CreateTrainingJob")
    before = training.jobs()
    run = training.run(steps=1, client=client)
    assert run.result.success, run.log
    assert start.left == 0
    assert training.jobs() - before == {run.metadata["training_job"]}


def test_a_server_error_before_the_start_may_be_tried_again(training: Training) -> None:
    client = training.aws.client("sagemaker")
    Fault(client).fail("CreateTrainingJob")
    run = training.run(steps=1, client=client)
    assert "was not started: " in run.failure.description and "InternalFailure" in run.failure.description
    assert run.failure.allow_retries is True


def test_a_job_whose_worker_died_is_followed_by_the_next_and_heard_from_its_first_message(training: Training) -> None:
    """The first worker's start is sent twice by botocore, since its answer is lost: the name is in use already."""
    dying = training.aws.client("sagemaker", attempts=3)
    lost = Fault(dying)
    lost.lose_answer("CreateTrainingJob")
    Fault(dying).die("DescribeTrainingJob", after=4)
    before = training.jobs()
    run = training.run(steps=5, dies=dying)
    assert run.result.success, run.log
    assert lost.left == 0
    assert run.log.count("was started already; following it") == 2
    assert training.jobs() - before == {run.metadata["training_job"]}
    assert run.metadata["resumed_from"] == 0


def test_a_refused_request_says_so(training: Training) -> None:
    run = training.run(ResourceConfig={"InstanceType": "ml.none.large", "InstanceCount": 1, "VolumeSizeInGB": 1})
    assert "refused to start training job" in run.failure.description
    assert "enum value set" in run.failure.description
    assert run.failure.allow_retries is False
