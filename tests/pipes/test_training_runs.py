"""The SageMaker resource on a real local SageMaker: budget, retries that help, and the cost in the UI."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from govtune_assets import cost, payloads, training_job
from govtune_assets.payloads import Payload
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

    @dg.asset
    def adapter(context: dg.AssetExecutionContext, sagemaker: SageMakerResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        completed = sagemaker.train(context, settings, configuration, {"steps": 2})
        [made] = completed.get_results()
        return dg.MaterializeResult(metadata={**made.metadata, **completed.metadata}, data_version=made.data_version)

    made = SageMakerResource.from_settings(settings, AwsResource(region="us-east-1"))
    built = SageMakerResource(**{**{name: getattr(made, name) for name in type(made).model_fields}, **resource})
    return dg.materialize(
        [adapter], resources={"sagemaker": built}, instance=dg.DagsterInstance.ephemeral(), raise_on_error=False
    )


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
