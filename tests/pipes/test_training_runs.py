"""The SageMaker resource on a real local SageMaker: budget, retries that help, and the cost in the UI."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from govtune_assets import cost, payloads, training_job
from govtune_assets.payloads import Payload
from govtune_assets.pipes.sagemaker import JobName
from govtune_assets.resources.aws import AwsResource
from govtune_assets.resources.sagemaker import SageMakerResource
from govtune_assets.settings import Settings
from tests.localcloud.aws.local_aws import ROOT_KEY
from tests.pipes.training_runs import PROGRAM, Training
from train.config import CONFIGS, TrainingConfiguration, load

TABLE = """
source: a test
regions:
  us-east-1:
    ml.c7i.2xlarge: {usd_per_hour: 3600, date: 2026-01-02}
"""
CONFIGURATION = load(CONFIGS / "smollm2-135m.yaml")


@pytest.fixture
def settings(training: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The product's settings for the local server, with the small payload in the place of the training's."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", training.aws.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ROOT_KEY["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", ROOT_KEY["secret_access_key"])
    monkeypatch.setattr(payloads, "train_payload", lambda: Payload("train", (("train.py", PROGRAM.encode()),)))
    table = tmp_path / "prices.yaml"
    table.write_text(TABLE)
    yield Settings(
        work_bucket=training.bucket,
        sagemaker_role_arn=training.role,
        kms_key_arn=training.key,
        subnets=("subnet-1",),
        security_groups=("sg-1",),
        training_image="training:latest",
        prices=table,
        poll_seconds=0.4,
    )


def train(settings: Settings, configuration: TrainingConfiguration, **resource: Any) -> Any:
    """Materialize an asset that trains as the product's does."""
    asset, built = training_asset(settings, configuration, **resource)
    return dg.materialize(
        [asset], resources={"sagemaker": built}, instance=dg.DagsterInstance.ephemeral(), raise_on_error=False
    )


def training_asset(
    settings: Settings, configuration: TrainingConfiguration, **resource: Any
) -> tuple[dg.AssetsDefinition, SageMakerResource]:
    """An asset that trains as the product's does, and its resource."""

    @dg.asset
    def adapter(context: dg.AssetExecutionContext, sagemaker: SageMakerResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        completed = sagemaker.train(context, settings, configuration, {"steps": 2})
        [made] = completed.get_results()
        return dg.MaterializeResult(metadata={**made.metadata, **completed.metadata}, data_version=made.data_version)

    made = SageMakerResource.from_settings(settings, AwsResource(region="us-east-1"))
    return adapter, SageMakerResource(**{**{name: getattr(made, name) for name in type(made).model_fields}, **resource})


def test_a_launch_above_the_budget_is_refused_before_anything_is_started(
    training: Training, settings: Settings
) -> None:
    jobs, code = training.jobs(), training.s3.list_objects_v2(Bucket=training.bucket, Prefix="code/train/")["KeyCount"]
    result = train(settings, CONFIGURATION, budget_usd=1.0)
    [event] = [event for event in result.all_events if event.event_type_value == "STEP_FAILURE"]
    said = event.step_failure_data.user_failure_data
    assert "may cost" in said.description and "nothing was started" in said.description
    assert said.metadata["Budget (USD)"].value == 1.0
    assert training.jobs() == jobs
    assert training.s3.list_objects_v2(Bucket=training.bucket, Prefix="code/train/")["KeyCount"] == code


def test_missing_capacity_starts_another_job_which_has_its_cost_in_the_ui(
    training: Training, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = training_job.build

    def first_without_capacity(*arguments: Any) -> dict[str, Any]:
        params = build(*arguments)
        if params["TrainingJobName"].endswith("-0"):
            params["Tags"] = [*params["Tags"], {"Key": "localcloud:capacity", "Value": "none"}]
        return params

    monkeypatch.setattr(training_job, "build", first_without_capacity)
    before = training.jobs()
    result = train(settings, CONFIGURATION, retry_seconds=0.0)
    assert result.success
    started = sorted(training.jobs() - before)
    assert [name[-2:] for name in started] == ["-0", "-1"]
    assert training.job(started[0])["FailureReason"].startswith("CapacityError")
    second = training.job(started[1])
    assert second["CheckpointConfig"]["S3Uri"].endswith(f"/{result.run_id}/")
    [made] = result.asset_materializations_for_node("adapter")
    metadata = {name: value.value for name, value in made.metadata.items()}
    assert metadata["Billed cost (USD)"] == pytest.approx(second["BillableTimeInSeconds"], abs=0.01)
    assert metadata["Estimated cost (USD)"] == CONFIGURATION.compute.max_runtime_seconds
    assert "upper bound" in metadata["Cost estimate"]
    assert metadata["cost_basis"] == cost.basis(CONFIGURATION, None)["cost_basis"]
    assert metadata["billable_seconds"] == second["BillableTimeInSeconds"]


def test_a_cause_that_stays_is_not_tried_again(training: Training, settings: Settings) -> None:
    before = training.jobs()
    result = train(settings.model_copy(update={"subnets": ("no_subnet",)}), CONFIGURATION, retry_seconds=0.0)
    assert not result.success
    assert training.jobs() == before
    assert not [event for event in result.all_events if event.event_type_value == "STEP_UP_FOR_RETRY"]


def test_a_re_execution_ends_the_job_of_the_run_whose_worker_was_killed(training: Training, settings: Settings) -> None:
    """A killed worker stops nothing, and both jobs would write the same checkpoints."""
    asset, sagemaker = training_asset(settings, CONFIGURATION)
    job = dg.Definitions(
        assets=[asset],
        resources={"sagemaker": sagemaker},
        jobs=[dg.define_asset_job("training", executor_def=dg.in_process_executor)],
    ).resolve_job_def("training")
    with dg.DagsterInstance.ephemeral() as instance:
        killed = instance.create_run_for_job(job, status=dg.DagsterRunStatus.FAILURE).run_id
        name = str(JobName(CONFIGURATION.name, killed, 0, "adapter"))
        training.client.create_training_job(**training.request(name, **training.sleeper(seconds=30)))
        again = instance.create_run_for_job(job, root_run_id=killed, parent_run_id=killed)
        result = execute_run(InMemoryJob(job), again, instance)
        log = "\n".join(entry.user_message for entry in instance.all_logs(again.run_id))
    assert result.success, log
    assert training.job(name)["TrainingJobStatus"] == "Stopped"
    assert f"training job {name} of an earlier attempt still runs" in log


def test_earlier_attempts_are_those_of_the_runs_re_executed_and_of_this_run(settings: Settings) -> None:
    @dg.asset
    def adapter() -> None:
        raise dg.RetryRequested(max_retries=2)

    job = dg.Definitions(assets=[adapter], jobs=[dg.define_asset_job("training")]).resolve_job_def("training")
    with dg.DagsterInstance.ephemeral() as instance:
        first = job.execute_in_process(instance=instance, raise_on_error=False).run_id
        tags = {"dagster/root_run_id": first}  # as Dagster tags what it executes again
        second, third = (
            instance.create_run_for_job(job, root_run_id=first, parent_run_id=first, tags=tags).run_id for _ in "23"
        )
        this = JobName("x", third, 1, "adapter")
        assert set(this.earlier(instance, root_run_id=first)) == {
            *(JobName("x", first, retry, "adapter") for retry in range(3)),
            JobName("x", second, 0, "adapter"),
            JobName("x", third, 0, "adapter"),
        }
        assert list(JobName("x", first, 0, "adapter").earlier(instance, root_run_id=None)) == []
