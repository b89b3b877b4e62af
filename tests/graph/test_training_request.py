"""The request for a training job, against the service's own model of CreateTrainingJob."""

import json
from dataclasses import replace

import boto3
import pytest
from botocore.validate import ParamValidator

from govtune_assets.pipes.sagemaker import JobName
from govtune_assets.settings import Settings
from govtune_assets.training_job import TrainingRequest, build
from localcloud.aws.constraints import violations
from train.config import from_hyperparameters, load_all

ROLE = "arn:aws:iam::123456789012:role/training"
REQUEST = TrainingRequest(name="govtune-x-0", source_uri="s3://bucket/code/train/0/sourcedir.tar.gz", run_id="run")


@pytest.mark.parametrize("name", sorted(load_all()))
def test_every_configuration_makes_a_valid_request(name: str) -> None:
    settings = Settings(
        sagemaker_role_arn=ROLE,
        kms_key_arn="arn:aws:kms:us-east-1:123456789012:key/0",
        subnets=("subnet-0",),
        security_groups=("sg-0",),
        base_model_uris={name: "s3://bucket/models/x/"},
    )
    params = build(settings, load_all()[name], REQUEST)
    client = boto3.client("sagemaker", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    shape = client.meta.service_model.operation_model("CreateTrainingJob").input_shape
    report = ParamValidator().validate(params, shape)
    assert not report.has_errors(), report.generate_report()
    assert list(violations(shape, params)) == []
    assert params["OutputDataConfig"]["KmsKeyId"] == settings.kms_key_arn
    assert params["EnableInterContainerTrafficEncryption"] is True
    assert params["EnableNetworkIsolation"] is False
    assert params["VpcConfig"] == {"Subnets": ["subnet-0"], "SecurityGroupIds": ["sg-0"]}
    assert params["InputDataConfig"][0]["ChannelName"] == "model"
    sent = from_hyperparameters(json.loads(json.dumps(params["HyperParameters"])), source="request")
    assert sent == load_all()[name]
    assert all(len(value) <= 512 for value in params["Environment"].values())
    assert "huggingface-pytorch-training" in params["AlgorithmSpecification"]["TrainingImage"]


@pytest.mark.parametrize(
    ("instance_type", "takes_a_key"),
    [
        ("ml.c7i.2xlarge", True),
        ("ml.p3.2xlarge", True),
        ("ml.m5dn.xlarge", False),
        ("ml.r6gd.xlarge", False),
        ("ml.g6e.2xlarge", False),
        ("ml.p5.48xlarge", False),
    ],
)
def test_a_key_is_given_only_for_a_volume_that_takes_one(instance_type: str, takes_a_key: bool) -> None:
    """SageMaker refuses one for local disks, which the instance's hardware encrypts."""
    usual = load_all()["smollm2-135m"]
    other = usual.model_copy(update={"compute": usual.compute.model_copy(update={"instance_type": instance_type})})
    key = "arn:aws:kms:us-east-1:123456789012:key/0"
    params = build(Settings(sagemaker_role_arn=ROLE, kms_key_arn=key), other, REQUEST)
    assert params["ResourceConfig"].get("VolumeKmsKeyId") == (key if takes_a_key else None)
    assert params["OutputDataConfig"]["KmsKeyId"] == key


@pytest.mark.parametrize("given", ["subnets", "security_groups"])
def test_half_a_network_is_refused(given: str) -> None:
    """SageMaker takes both or none; without both the job would run outside the private subnets."""
    with pytest.raises(ValueError, match="GOVTUNE_SUBNETS and GOVTUNE_SECURITY_GROUPS go together"):
        Settings.model_validate({given: ("x-0",)})


def test_spot_waits_at_least_as_long_as_it_may_run() -> None:
    for configuration in load_all().values():
        params = build(Settings(sagemaker_role_arn=ROLE), configuration, REQUEST)
        stopping = params["StoppingCondition"]
        if params["EnableManagedSpotTraining"]:
            assert stopping["MaxWaitTimeInSeconds"] >= stopping["MaxRuntimeInSeconds"]
        else:
            assert "MaxWaitTimeInSeconds" not in stopping


def test_without_a_role_nothing_is_asked_for() -> None:
    with pytest.raises(ValueError, match="GOVTUNE_SAGEMAKER_ROLE_ARN is not set"):
        build(Settings(sagemaker_role_arn=""), load_all()["smollm2-135m"], REQUEST)


def test_job_names_are_the_services_and_follow_run_step_and_retry() -> None:
    name = JobName("llama-3.1-" + "x" * 80, "0123456789abcdef", 0, "step")
    others = [replace(name, retry_number=1), replace(name, run_id="0123456789abcdee"), replace(name, step_key="other")]
    assert len({str(one) for one in (name, *others)}) == 1 + len(others)
    assert all(len(str(one)) <= 63 and str(one).replace("-", "").isalnum() for one in (name, *others))
    assert str(replace(name)) == str(name)


def test_retries_and_re_executions_go_on_from_the_first_runs_checkpoints() -> None:
    again = replace(REQUEST, name="govtune-x-1", run_id="second", checkpoints="first")
    params = build(Settings(sagemaker_role_arn=ROLE), load_all()["smollm2-135m"], again)
    assert params["CheckpointConfig"]["S3Uri"].endswith("/smollm2-135m/first/")
