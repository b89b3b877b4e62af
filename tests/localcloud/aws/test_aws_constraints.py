"""Limits of the service's model: what the local SageMaker refuses before a job exists."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from localcloud.aws.constraints import violations


@pytest.fixture(scope="module")
def shape() -> Any:
    """The input of CreateTrainingJob."""
    client = boto3.client("sagemaker", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    return client.meta.service_model.operation_model("CreateTrainingJob").input_shape


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        ({"TrainingJobName": "under_score"}, "TrainingJobName: Member must satisfy regular expression"),
        ({"TrainingJobName": "x" * 64}, "TrainingJobName: Member must have length less than or equal to 63"),
        ({"Environment": {"A": "x" * 513}}, "Environment.A.member: Member must have length less than or equal to 512"),
        ({"Environment": {"A-B": "x"}}, "Environment.A-B.key: Member must satisfy"),
        ({"HyperParameters": {"a": "x" * 2501}}, "less than or equal to 2500"),
        ({"HyperParameters": {str(n): "" for n in range(101)}}, "HyperParameters: Member must have length less"),
        (
            {"ResourceConfig": {"InstanceType": "ml.none.large"}},
            "ResourceConfig.InstanceType: Member must satisfy enum",
        ),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 0}}, "Member must have value greater than or equal to 1"),
        ({"Tags": [{"Key": "a\x01b", "Value": ""}]}, "Tags.1.member.Key: Member must satisfy"),
        ({"VpcConfig": {"Subnets": []}}, "VpcConfig.Subnets: Member must have length greater than or equal to 1"),
        ({"OutputDataConfig": {"S3OutputPath": "bucket"}}, "OutputDataConfig.S3OutputPath: Member must satisfy"),
    ],
)
def test_what_breaks_a_limit_is_named(shape: Any, request_: dict[str, Any], problem: str) -> None:
    assert problem in "\n".join(violations(shape, request_))


def test_what_keeps_them_passes(shape: Any) -> None:
    request = {
        "TrainingJobName": "a" + "-b" * 31,
        "Environment": {"_A1": "any\ntext"},
        "Tags": [{"Key": "dagster/run-id", "Value": "Größe 1_2.3:/=+-@"}],
        "ResourceConfig": {"InstanceType": "ml.g6e.2xlarge", "InstanceCount": 1},
        "Unknown": object(),
    }
    assert list(violations(shape, request)) == []
