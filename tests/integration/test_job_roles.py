"""Job roles hold no right on tables: a job that goes past the catalog is refused by S3 itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from govtune_assets.payloads import Payload
from govtune_assets.settings import Settings
from govtune_assets.training_job import TrainingRequest, build
from tests.integration.conftest import Project
from train.config import load

pytestmark = pytest.mark.integration

PROBE = b"""
import boto3, sys
from botocore.exceptions import ClientError
s3 = boto3.client("s3")
for prefix in ("raw/risk_factors/", "raw/delta/risk_factors/", "curated/delta/training_snapshot/"):
    for attempt in (
        lambda: s3.list_objects_v2(Bucket="govtune-lake", Prefix=prefix),
        lambda: s3.get_object(Bucket="govtune-lake", Key=prefix + "_delta_log/00000000000000000000.json"),
        lambda: s3.put_object(Bucket="govtune-lake", Key=prefix + "planted", Body=b""),
    ):
        try:
            attempt()
        except ClientError as error:
            if error.response["Error"]["Code"] == "AccessDenied":
                continue
        sys.exit("a table was reached past the catalog: " + prefix)
for name in ("databricks/loader", "databricks/registrar"):
    try:
        boto3.client("secretsmanager").get_secret_value(SecretId=name)
    except ClientError as error:
        if "AccessDenied" in error.response["Error"]["Code"]:
            continue
    sys.exit("another stage's secret was read: " + name)
print("PROBE: all refused")
"""
JOB_SECONDS = 120


def ended(state: Callable[[], str], running: set[str]) -> str:
    deadline = time.monotonic() + JOB_SECONDS
    while state() in running and time.monotonic() < deadline:
        time.sleep(0.5)
    return state()


def test_a_training_job_cannot_reach_a_table(in_environment: Project, materialized: object) -> None:
    settings = Settings()
    payload = Payload("probe", (("train.py", PROBE),))
    key = f"code/train/{payload.digest}/sourcedir.tar.gz"
    boto3.client("s3").put_object(Bucket=settings.work_bucket, Key=key, Body=payload.tar_gz())
    name = f"probe-{time.time_ns()}"
    request = TrainingRequest(name=name, source_uri=f"s3://{settings.work_bucket}/{key}", run_id="probe")
    params = build(settings, load(settings.training_configuration_folder / "quick.yaml"), request)
    params.pop("InputDataConfig")
    sagemaker = boto3.client("sagemaker")
    sagemaker.create_training_job(**params)

    def job() -> dict[str, Any]:
        described: dict[str, Any] = sagemaker.describe_training_job(TrainingJobName=name)
        return described

    status = ended(lambda: job()["TrainingJobStatus"], {"InProgress", "Stopping"})
    assert status == "Completed", job().get("FailureReason")


def test_a_spark_job_cannot_reach_a_table(in_environment: Project, materialized: object) -> None:
    settings = Settings()
    payload = Payload("probe", (("entry.py", PROBE),))
    key = f"code/spark/{payload.digest}/entry.py"
    boto3.client("s3").put_object(Bucket=settings.work_bucket, Key=key, Body=PROBE)
    emr = boto3.client("emr-serverless")
    started = emr.start_job_run(
        applicationId=settings.emr_application_id,
        executionRoleArn=settings.emr_role_arn,
        clientToken=f"probe-{time.time_ns()}",
        jobDriver={"sparkSubmit": {"entryPoint": f"s3://{settings.work_bucket}/{key}"}},
    )

    def job() -> dict[str, Any]:
        described: dict[str, Any] = emr.get_job_run(
            applicationId=settings.emr_application_id, jobRunId=started["jobRunId"]
        )["jobRun"]
        return described

    state = ended(lambda: job()["state"], {"SUBMITTED", "PENDING", "SCHEDULED", "RUNNING", "QUEUED"})
    assert state == "SUCCESS", job().get("stateDetails")
