"""Jobs that go past the catalog: the roles of EMR and SageMaker hold no right on tables, whatever a payload tries."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from govtune_assets.payloads import Payload
from govtune_assets.settings import Settings
from govtune_assets.training_job import TrainingRequest, build
from tests.attacks.conftest import LAKE, TABLE, Ground, prefix_of
from train.config import CONFIGS, load

pytestmark = pytest.mark.integration

KEY = f"{prefix_of(TABLE)}/part"
JOB_SECONDS = 240
BY_ROLE = f"""
import boto3, sys
from botocore.exceptions import ClientError
s3 = boto3.client("s3")
attempts = {{
    "list": lambda: s3.list_objects_v2(Bucket="{LAKE}", Prefix="{prefix_of(TABLE)}/"),
    "read": lambda: s3.get_object(Bucket="{LAKE}", Key="{KEY}"),
    "head": lambda: s3.head_object(Bucket="{LAKE}", Key="{KEY}"),
    "write": lambda: s3.put_object(Bucket="{LAKE}", Key="{prefix_of(TABLE)}/planted", Body=b""),
    "copy": lambda: s3.copy_object(Bucket="govtune-work", Key="pipes/OWN/x", CopySource="{LAKE}/{KEY}"),
    "forge": lambda: s3.put_object(Bucket="govtune-work", Key="pipes/OTHER/run/0.json", Body=b"{{}}"),
    "raw": lambda: s3.list_objects_v2(Bucket="{LAKE}", Prefix="raw/risk_factors/"),
    "audit": lambda: s3.list_objects_v2(Bucket="govtune-audit"),
    "role": lambda: boto3.client("sts").assume_role(
        RoleArn="arn:aws:iam::123456789012:role/govtune-unity-catalog", RoleSessionName="attack"),
    "secret": lambda: boto3.client("secretsmanager").get_secret_value(SecretId="databricks/loader"),
}}
for name, attempt in attempts.items():
    try:
        attempt()
    except ClientError as error:
        if error.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException", "403"):
            print("refused:", name)
            continue
        sys.exit(name + ": " + str(error))
    sys.exit(name + " went past the catalog")
"""
BY_SPARK = f"""{BY_ROLE}
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
for scheme in ("s3", "s3a"):
    for read in (spark.read.text, spark.read.format("delta").load):
        try:
            read(scheme + "://{LAKE}/{prefix_of(TABLE)}").count()
        except Exception as error:
            text = str(getattr(error, "java_exception", None) or error)
            if "AccessDenied" in text or "403" in text or "Forbidden" in text:
                print("refused:", scheme)
                continue
            sys.exit(scheme + " failed otherwise: " + text[:500])
        sys.exit(scheme + ":// was read without a table")
"""


def probe(text: str, own: str, other: str) -> bytes:
    """A payload's text for one kind of job: `own` is its folder of messages, `other` that of the other kind."""
    return text.replace("OWN", own).replace("OTHER", other).encode()


@pytest.fixture
def orchestrator(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """This process as the orchestrator: its AWS user, its settings."""
    for name, value in ground.cloud.env.items():
        if name.startswith(("AWS_", "GOVTUNE_")):
            monkeypatch.setenv(name, value)
    yield Settings()


def end_of(state: Callable[[], str], running: set[str]) -> str:
    deadline = time.monotonic() + JOB_SECONDS
    while state() in running and time.monotonic() < deadline:
        time.sleep(0.5)
    return state()


def test_a_spark_job_reads_nothing_without_a_table(ground: Ground, orchestrator: Settings) -> None:
    entry = probe(BY_SPARK, "spark", "train")
    key = f"code/spark/{Payload('attack', (('entry.py', entry),)).digest}/entry.py"
    boto3.client("s3").put_object(Bucket=orchestrator.work_bucket, Key=key, Body=entry)
    emr = boto3.client("emr-serverless")
    job = {"applicationId": orchestrator.emr_application_id}
    job["jobRunId"] = emr.start_job_run(
        **job,
        executionRoleArn=orchestrator.emr_role_arn,
        clientToken=f"attack-{time.time_ns()}",
        jobDriver={
            "sparkSubmit": {
                "entryPoint": f"s3://{orchestrator.work_bucket}/{key}",
                "sparkSubmitParameters": "--conf spark.driver.memory=1g "
                "--conf spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension "
                "--conf spark.sql.catalog.spark_catalog=org.apache.spark.sql.delta.catalog.DeltaCatalog",
            }
        },
    )["jobRunId"]
    state = end_of(
        lambda: str(emr.get_job_run(**job)["jobRun"]["state"]),
        {"SUBMITTED", "PENDING", "SCHEDULED", "RUNNING", "QUEUED"},
    )
    assert state == "SUCCESS", emr.get_job_run(**job)["jobRun"]["stateDetails"]


def test_a_training_job_reads_nothing_without_a_table(ground: Ground, orchestrator: Settings) -> None:
    payload = Payload("attack", (("train.py", probe(BY_ROLE, "train", "spark")),))
    key = f"code/train/{payload.digest}/sourcedir.tar.gz"
    boto3.client("s3").put_object(Bucket=orchestrator.work_bucket, Key=key, Body=payload.tar_gz())
    name = f"attack-{time.time_ns()}"
    request = TrainingRequest(name=name, source_uri=f"s3://{orchestrator.work_bucket}/{key}", run_id="attack")
    params = build(orchestrator, load(CONFIGS / "smollm2-135m.yaml"), request)
    params.pop("InputDataConfig", None)
    sagemaker = boto3.client("sagemaker")
    sagemaker.create_training_job(**params)

    def job() -> dict[str, Any]:
        described: dict[str, Any] = sagemaker.describe_training_job(TrainingJobName=name)
        return described

    status = end_of(lambda: str(job()["TrainingJobStatus"]), {"InProgress", "Stopping"})
    assert status == "Completed", job().get("FailureReason")
