"""Pipes client of SageMaker training jobs.

Context travels through S3, since SageMaker limits an environment value to 512 characters; messages and the job's
output travel through S3 while it runs. Limits are those of the CreateTrainingJob API reference.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
from botocore.exceptions import BotoCoreError, ClientError
from dagster import PipesClient, PipesSession, open_pipes_session
from dagster._core.definitions.resource_annotation import TreatAsResourceParam
from dagster._core.pipes.client import PipesClientCompletedInvocation
from dagster_aws.pipes import PipesS3ContextInjector

from govtune_assets.pipes.messages import TRAINING_PREFIX, PrefixedS3MessageReader

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
MAXIMUM_NAME = 63
MAXIMUM_TAGS = 50
MAXIMUM_TAG_VALUE = 256
LOG_TAIL_LINES = 20
TERMINAL = frozenset({"Completed", "Failed", "Stopped"})


class TrainingJobFailed(dg.Failure):
    """A training job ended in another state than Completed."""


@dataclass(frozen=True)
class JobName:
    """Builds the name under which a training job is idempotent: the same run and retry give the same name."""

    configuration: str
    run_id: str
    retry_number: int

    def __str__(self) -> str:
        tail = f"-{self.run_id[:8]}-{self.retry_number}"
        head = re.sub(r"[^A-Za-z0-9]+", "-", f"govtune-{self.configuration}").strip("-")
        return head[: MAXIMUM_NAME - len(tail)].rstrip("-") + tail


class PipesSageMakerClient(PipesClient, TreatAsResourceParam):
    """Runs a SageMaker training job with the Pipes protocol.

    Args:
        bucket: name of the bucket through which context and messages travel.
        sagemaker: boto3 client of SageMaker.
        s3: boto3 client of S3 with rights on the Pipes prefix of `bucket`.
        logs: boto3 client of CloudWatch Logs, asked for the tail of a failed job.
        forward_termination: stop the job when the Dagster run is interrupted.
        poll_interval: seconds between two looks at the job.
    """

    def __init__(
        self,
        *,
        bucket: str,
        sagemaker: Any,
        s3: Any,
        logs: Any,
        forward_termination: bool = True,
        poll_interval: float = 5.0,
    ):
        self._bucket = bucket
        self._sagemaker = sagemaker
        self._s3 = s3
        self._logs = logs
        self._forward_termination = forward_termination
        self._poll_interval = poll_interval

    def run(  # type: ignore[override]
        self,
        *,
        context: dg.AssetExecutionContext,
        create_training_job_params: Mapping[str, Any],
        extras: dict[str, Any] | None = None,
    ) -> PipesClientCompletedInvocation:
        """Start the job, follow it to its end and return what it reported.

        Args:
            context: context of the asset that is materialized.
            create_training_job_params: parameters of boto3's `create_training_job`.
            extras: parameters handed to the job through the Pipes context.

        Raises:
            TrainingJobFailed: the job failed or was stopped; the message holds FailureReason and the log's tail.
        """
        prefix = f"{TRAINING_PREFIX}/{context.run.run_id}"
        with open_pipes_session(
            context=context,
            context_injector=PipesS3ContextInjector(bucket=self._bucket, client=self._s3, key_prefix=f"{prefix}/"),
            message_reader=PrefixedS3MessageReader(
                bucket=self._bucket, client=self._s3, prefix=prefix, interval=min(self._poll_interval, 2.0)
            ),
            extras=extras,
        ) as session:
            params = self._enrich(session, create_training_job_params)
            name = params["TrainingJobName"]
            arn = self._start(context, params)
            session.report_launched({"extras": {"training_job_arn": arn}})
            try:
                job = self._wait(context, name)
            except BaseException:
                # Interrupted, or the service could not be asked any more: a job that nobody follows must not go on.
                self._stop(context, name)
                raise
            if job["TrainingJobStatus"] != "Completed":
                raise self._failure(job)
        return PipesClientCompletedInvocation(session, metadata=self._metadata(job))

    def _enrich(self, session: PipesSession, params: Mapping[str, Any]) -> dict[str, Any]:
        tags = [
            *params.get("Tags", []),
            *(
                {"Key": key, "Value": value[:MAXIMUM_TAG_VALUE]}
                for key, value in session.default_remote_invocation_info.items()
            ),
        ]
        return {
            **params,
            "Environment": {**params.get("Environment", {}), **session.get_bootstrap_env_vars()},
            "Tags": tags[:MAXIMUM_TAGS],
        }

    def _start(self, context: dg.AssetExecutionContext, params: Mapping[str, Any]) -> str:
        name = params["TrainingJobName"]
        try:
            arn = str(self._sagemaker.create_training_job(**params)["TrainingJobArn"])
        except self._sagemaker.exceptions.ResourceInUse:
            # The answer to an earlier request for the same run and retry was lost: that job is this job.
            arn = str(self._sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobArn"])
            context.log.warning(f"[pipes] training job {name} runs already; following it")
            return arn
        context.log.info(f"[pipes] training job {name} started")
        return arn

    def _wait(self, context: dg.AssetExecutionContext, name: str) -> dict[str, Any]:
        seen: tuple[str, str] | None = None
        while True:
            job: dict[str, Any] = self._sagemaker.describe_training_job(TrainingJobName=name)
            state = (job["TrainingJobStatus"], job.get("SecondaryStatus", ""))
            if state != seen:
                seen = state
                context.log.info(f"[pipes] training job {name}: {state[0]}, {state[1]}")
            if job["TrainingJobStatus"] in TERMINAL:
                return job
            time.sleep(self._poll_interval)

    def _stop(self, context: dg.AssetExecutionContext, name: str) -> None:
        if not self._forward_termination:
            return
        context.log.warning(f"[pipes] run interrupted: stopping training job {name}")
        try:
            self._sagemaker.stop_training_job(TrainingJobName=name)
        except (BotoCoreError, ClientError) as error:
            context.log.error(f"[pipes] training job {name} could not be stopped ({error}); stop it by hand")

    def _failure(self, job: Mapping[str, Any]) -> TrainingJobFailed:
        name = job["TrainingJobName"]
        reason = job.get("FailureReason") or f"secondary status {job.get('SecondaryStatus')}"
        return TrainingJobFailed(
            f"Training job {name} ended as {job['TrainingJobStatus']}: {reason}",
            metadata={**self._metadata(job), "Log tail": dg.MetadataValue.md(self._log_tail(name))},
            allow_retries=job["TrainingJobStatus"] == "Failed",
        )

    def _log_tail(self, name: str) -> str:
        try:
            return self._read_log_tail(name)
        except ClientError as error:
            # The reason of the failure matters more than its log: a job may fail before its log group exists.
            return f"No log: {error.response['Error']['Code']}."

    def _read_log_tail(self, name: str) -> str:
        streams = self._logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=f"{name}/")
        if not streams["logStreams"]:
            return "The job wrote no log."
        events = self._logs.get_log_events(
            logGroupName=LOG_GROUP,
            logStreamName=streams["logStreams"][-1]["logStreamName"],
            limit=LOG_TAIL_LINES,
            startFromHead=False,
        )["events"]
        return "```\n" + "\n".join(event["message"].replace("`", "'") for event in events) + "\n```"

    def _metadata(self, job: Mapping[str, Any]) -> dict[str, Any]:
        region = self._sagemaker.meta.region_name
        name = job["TrainingJobName"]
        console = f"https://{region}.console.aws.amazon.com"
        metadata: dict[str, Any] = {
            "SageMaker training job": dg.MetadataValue.url(f"{console}/sagemaker/home?region={region}#/jobs/{name}"),
            "CloudWatch logs": dg.MetadataValue.url(
                f"{console}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/"
                f"{LOG_GROUP.replace('/', '$252F')}$3FlogStreamNameFilter$3D{name}"
            ),
            "training_job": name,
            "training_job_arn": job.get("TrainingJobArn", ""),
            "model_artifact": job.get("ModelArtifacts", {}).get("S3ModelArtifacts", ""),
        }
        if "BillableTimeInSeconds" in job:
            metadata["billable_seconds"] = int(job["BillableTimeInSeconds"])
        return metadata
