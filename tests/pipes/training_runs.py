"""Dagster runs of one asset that trains on a local SageMaker with a small real container payload."""

import contextlib
import io
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import botocore.awsrequest
import botocore.exceptions
import dagster as dg

from govtune_assets.pipes.sagemaker import JobName, PipesSageMakerClient, TrainingJobFailed
from tests.localcloud.aws.local_aws import LocalAws, allow, eventually, tar_gz

PREFIX = "pipes/train"
CONSOLE_NAME = "train:loss"

# It counts steps in its checkpoint folder, one line each, and ends or fails where its extras say so.
PROGRAM = """
import os, pathlib, signal, sys, time
import boto3
from dagster_pipes import PipesS3ContextLoader, PipesS3MessageWriter, open_dagster_pipes

print("container starts", flush=True)
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append("to stop"))
s3 = boto3.client("s3")
base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
with open_dagster_pipes(
    context_loader=PipesS3ContextLoader(client=s3), message_writer=PipesS3MessageWriter(client=s3, interval=0.5)
) as pipes:
    done = base / "checkpoints" / "step"
    step = first = int(done.read_text()) if done.exists() else 0
    print(f"goes on from {first}", flush=True)
    while step < pipes.extras["steps"]:
        step += 1
        done.write_text(str(step))
        print(f"step={step} loss={4 / step}", flush=True)
        if step == pipes.extras.get("fail_at"):
            (base / "output" / "failure").write_text("loss is not finite")
            raise ValueError("loss is not finite")
        time.sleep(0.1)
        if asked:  # after a whole step, whose line and checkpoint are written
            sys.exit(143)
    (base / "model" / "adapter").write_text("weights")
    pipes.report_asset_materialization(metadata={"resumed_from": first}, data_version="v1")
"""
ENDLESS = 10**6


class WorkerDied(Exception):
    """Stands for the death of the process that follows a job."""


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Any:
        yield self.read()


def _answer(status: int, code: str, message: str) -> Callable[[Any], Any]:
    """What botocore gets in the place of the service's answer."""
    text = json.dumps({"__type": code, "message": message}).encode()
    return lambda request: botocore.awsrequest.AWSResponse(request.url, status, {}, _Raw(text))


_INTERNAL = _answer(500, "InternalFailure", "We encountered an internal error")


class Fault:
    """Answers the first requests for some operations in the service's place, or loses its answers.

    It stands between botocore and the wire, so that the real client parses and retries.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self.left = 0

    def throttle(self, *operations: str, times: int) -> None:
        """Refuse the first `times` requests for `operations`."""
        self._refuse(_answer(400, "ThrottlingException", "Rate exceeded"), *operations, times=times)

    def fail(self, operation: str) -> None:
        """Answer the first request for `operation` with a fault of the service, which has done nothing."""
        self._refuse(_INTERNAL, operation, times=1)

    def _refuse(self, answer: Callable[[Any], Any], *operations: str, times: int) -> None:
        self.left = times

        def refuse(request: Any, **_: Any) -> Any:
            if self.left <= 0:
                return None
            self.left -= 1
            return answer(request)

        service = self._client.meta.service_model.service_id.hyphenize()
        for operation in operations:
            self._client.meta.events.register(f"before-send.{service}.{operation}", refuse)

    def die(self, operation: str, *, after: int) -> None:
        """Raise WorkerDied at the request for `operation` that comes after `after` others."""
        self.left = after

        def die(**_: Any) -> None:
            self.left -= 1
            if self.left < 0:
                raise WorkerDied

        service = self._client.meta.service_model.service_id.hyphenize()
        self._client.meta.events.register(f"before-send.{service}.{operation}", die)

    def lose_answer(self, operation: str) -> None:
        """Have the service do one request for `operation`, and lose its answer on the way back."""

        def lost(request: Any) -> Any:
            raise botocore.exceptions.ConnectionClosedError(endpoint_url=request.url)

        self._answer_with(lost, operation)

    def break_answer(self, operation: str) -> None:
        """Have the service do one request for `operation`, and answer that it failed itself."""
        self._answer_with(_INTERNAL, operation)

    def _answer_with(self, answer: Callable[[Any], Any], operation: str) -> None:
        session = self._client._endpoint.http_session
        send = session.send
        self.left = 1

        def sent(request: Any) -> Any:
            got = send(request)
            if self.left and request.headers.get("X-Amz-Target", b"").decode().endswith(operation):
                self.left -= 1
                return answer(request)
            return got

        session.send = sent


@dataclass
class Run:
    """An ended Dagster run and what it logged."""

    result: Any
    instance: dg.DagsterInstance
    raised: list[TrainingJobFailed]

    @property
    def log(self) -> str:
        """The run's event log as text."""
        return "\n".join(entry.user_message for entry in self.instance.all_logs(self.result.run_id))

    @property
    def failure(self) -> TrainingJobFailed:
        """Why the step failed."""
        [failure] = self.raised
        return failure

    @property
    def metadata(self) -> dict[str, Any]:
        """Metadata of the materialization, or where the step failed of the failure."""
        if self.result.success:
            [made] = self.result.asset_materializations_for_node("adapter")
            return {name: value.value for name, value in made.metadata.items()}
        return {name: value.value for name, value in self.failure.metadata.items()}


class Training:
    """A role and a bucket on a server, and the asset that trains there."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        self.bucket = aws.bucket("pipes-work")
        everything = [f"arn:aws:s3:::{self.bucket}", f"arn:aws:s3:::{self.bucket}/*"]
        self.role = aws.role(
            "pipes-training",
            {"Service": "sagemaker.amazonaws.com"},
            allow(["s3:GetObject", "s3:PutObject", "s3:ListBucket"], everything),
            allow(["logs:*", "cloudwatch:PutMetricData"]),
        )
        self.key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
        self.s3 = aws.client("s3")
        self.s3.put_object(Bucket=self.bucket, Key="code/sourcedir.tar.gz", Body=tar_gz(train_py=PROGRAM))
        self.client = aws.client("sagemaker")
        self.logs = aws.client("logs")

    def request(self, name: str, **more: Any) -> dict[str, Any]:
        """Parameters of CreateTrainingJob for the payload, with everything that the product sets."""
        return {
            "TrainingJobName": name,
            "RoleArn": self.role,
            "AlgorithmSpecification": {
                "TrainingImage": "training:latest",
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": CONSOLE_NAME, "Regex": r"loss=([0-9.]+)"}],
            },
            "HyperParameters": {
                "sagemaker_program": '"train.py"',
                "sagemaker_submit_directory": f'"s3://{self.bucket}/code/sourcedir.tar.gz"',
            },
            "OutputDataConfig": {"S3OutputPath": f"s3://{self.bucket}/training", "KmsKeyId": self.key},
            "ResourceConfig": {"InstanceType": "ml.g5.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
            "CheckpointConfig": {"S3Uri": f"s3://{self.bucket}/checkpoints/{uuid.uuid4().hex}"},
            "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
            "EnableInterContainerTrafficEncryption": True,
            "Tags": [{"Key": "team", "Value": "govtune"}],
            **more,
        }

    def sleeper(self, *, seconds: int) -> dict[str, Any]:
        """Changed parameters for a payload that does nothing for a while, whoever started it."""
        key = "code/sleeper.tar.gz"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=tar_gz(train_py=f"import time; time.sleep({seconds})"))
        submit = {"sagemaker_submit_directory": f'"s3://{self.bucket}/{key}"'}
        return {"HyperParameters": {"sagemaker_program": '"train.py"', **submit}}

    def run(
        self,
        *,
        steps: int = 3,
        extras: Mapping[str, Any] | None = None,
        client: Any = None,
        dies: Any = None,
        before: Callable[[str], None] = lambda name: None,
        **more: Any,
    ) -> Run:
        """Materialize the asset in this process.

        `before` is called with the job's name before it is started. With a client `dies`, a first worker starts the
        job with it and dies by it; the run then goes on in another.
        """
        instance, raised = dg.DagsterInstance.ephemeral(), list[TrainingJobFailed]()

        @dg.asset
        def adapter(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
            name = str(JobName.of("test", context))
            before(name)
            call = {
                "context": context,
                "create_training_job_params": self.request(name, **more),
                "extras": {"steps": steps, **(extras or {})},
            }
            if dies is not None:
                with contextlib.suppress(WorkerDied):
                    self.pipes(dies, forward_termination=False).run(**call)
            try:
                completed = self.pipes(client or self.client).run(**call)
            except TrainingJobFailed as failure:
                raised.append(failure)
                raise
            [made] = completed.get_results()
            return dg.MaterializeResult(
                metadata={**made.metadata, **completed.metadata}, data_version=made.data_version
            )

        result = dg.materialize([adapter], instance=instance, raise_on_error=False)
        return Run(result, instance, raised)

    def pipes(self, client: Any, **more: Any) -> PipesSageMakerClient:
        """The client under test."""
        return PipesSageMakerClient(
            bucket=self.bucket, prefix=PREFIX, client=client, s3=self.s3, logs=self.logs, poll_interval=0.4, **more
        )

    def jobs(self) -> set[str]:
        """Names of all jobs so far."""
        pages = self.client.get_paginator("list_training_jobs").paginate()
        return {job["TrainingJobName"] for page in pages for job in page["TrainingJobSummaries"]}

    def job(self, name: str) -> dict[str, Any]:
        """DescribeTrainingJob."""
        found: dict[str, Any] = self.client.describe_training_job(TrainingJobName=name)
        return found

    def writes(self, name: str, text: str) -> None:
        """Wait until the job's log has a line with `text`."""
        eventually(lambda: text in self.log(name))

    def log(self, name: str) -> str:
        """The job's lines in CloudWatch so far."""
        group = "/aws/sagemaker/TrainingJobs"
        try:
            streams = self.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")["logStreams"]
        except self.logs.exceptions.ResourceNotFoundException:  # no job has written yet
            return ""
        lines = []
        for stream in streams:
            got = self.logs.get_log_events(
                logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
            )
            lines += [event["message"] for event in got["events"]]
        return "\n".join(lines)
