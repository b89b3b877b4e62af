"""Pipes client of SageMaker training jobs.

Context and messages travel through S3, since SageMaker limits an environment value to 512 characters. The job's lines
are read from CloudWatch while it runs and written to the step's standard output; its status and its metrics go to
the run's event log, metrics as one line of values at most every half minute. An AssetObservation for each would draw
a curve, but would leave the values of failed jobs on the asset.
"""

import hashlib
import re
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import dagster as dg
from botocore.exceptions import BotoCoreError, ClientError
from dagster import PipesClient, PipesSession, open_pipes_session
from dagster._core.definitions.resource_annotation import TreatAsResourceParam
from dagster._core.pipes.client import PipesClientCompletedInvocation
from dagster._core.storage.tags import ROOT_RUN_ID_TAG
from dagster_aws.pipes import PipesS3ContextInjector

from govtune_assets import markdown
from govtune_assets.pipes.aws_errors import error_code, is_passing, is_server_error
from govtune_assets.pipes.cloudwatch import LogFollower, LogsUnreadable
from govtune_assets.pipes.messages import RestartableS3MessageReader
from govtune_assets.pipes.sagemaker_ends import TERMINAL, end_of

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
MAXIMUM_NAME = 63
MAXIMUM_TAGS = 50
MAXIMUM_TAG_KEY = 128
MAXIMUM_TAG_VALUE = 256
MAXIMUM_VARIABLE = 512
LOG_TAIL_LINES = 20
METRICS_SECONDS = 30.0
MESSAGES_SECONDS = 2.0
STOP_SECONDS = 900.0
"""How long a stopped job is waited for: 120 seconds of grace, and the upload of what it left."""
PATIENCE = 20
"""Failed looks at a job, one after the other, before it counts as lost and is stopped."""


class TrainingJobFailed(dg.Failure):
    """A training job ended in another state than Completed, or was not started."""


@dataclass(frozen=True)
class JobName:
    """The name under which a training job is started at most once.

    The same run, step and retry give the same name, so that a request whose answer was lost finds the job that it
    started. Another retry gives another job.
    """

    configuration: str
    run_id: str
    retry_number: int
    step_key: str = ""

    @classmethod
    def of(cls, configuration: str, context: dg.AssetExecutionContext) -> "JobName":
        """The name for the step that runs."""
        step = context.get_step_execution_context().step.key
        return cls(configuration, context.run.run_id, context.retry_number, step)

    def earlier(self, instance: dg.DagsterInstance, root_run_id: str | None) -> list["JobName"]:
        """Names of the step's other attempts: earlier retries, and each attempt of the runs that were re-executed.

        `root_run_id` is the run that was executed first; None where this one is it.
        """
        names = [replace(self, retry_number=number) for number in range(self.retry_number)]
        if root_run_id is None:
            return names
        executed = instance.get_run_records(dg.RunsFilter(tags={ROOT_RUN_ID_TAG: root_run_id}))
        for run_id in {root_run_id, *(record.dagster_run.run_id for record in executed)} - {self.run_id}:
            stats = instance.get_run_step_stats(run_id, [self.step_key])
            attempts = max([1, *(one.attempts or 1 for one in stats)])
            names += [replace(self, run_id=run_id, retry_number=number) for number in range(attempts)]
        return names

    def __str__(self) -> str:
        identity = hashlib.sha256(f"{self.run_id}/{self.step_key}".encode()).hexdigest()[:12]
        tail = f"-{identity}-{self.retry_number}"
        head = re.sub(r"[^A-Za-z0-9]+", "-", f"govtune-{self.configuration}").strip("-")
        return head[: MAXIMUM_NAME - len(tail)].rstrip("-") + tail


class JobMetrics:
    """Reads metrics out of a job's lines by its MetricDefinitions, as SageMaker does, and keeps the last of each."""

    def __init__(self, definitions: Sequence[Mapping[str, str]]):
        self._expressions = [(one["Name"], re.compile(one["Regex"])) for one in definitions]
        self.last: dict[str, float] = {}
        self._told: dict[str, float] = {}

    def read(self, line: str) -> None:
        """Look for metrics in a line; a match that is no number is none."""
        for name, expression in self._expressions:
            match = expression.search(line)
            if match is None or not match.groups():
                continue
            try:
                self.last[name] = float(match[1])
            except ValueError:
                continue

    def news(self) -> str:
        """What has changed since the last call, as one line; empty when nothing has."""
        changed = {name: value for name, value in self.last.items() if self._told.get(name) != value}
        self._told = dict(self.last)
        return ", ".join(f"{name} {value:.6g}" for name, value in changed.items())


@dataclass
class _Watch:
    """What has been seen of one job."""

    name: str
    reader: RestartableS3MessageReader
    metrics: JobMetrics
    log: LogFollower | None
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=LOG_TAIL_LINES))
    transitions: int = 0
    message: str = ""
    metrics_at: float = float("-inf")


class PipesSageMakerClient(PipesClient, TreatAsResourceParam):
    """Runs a SageMaker training job with the Pipes protocol.

    A job is started at most once for its `TrainingJobName`: give the name of the run, step and retry (`JobName`). One
    that runs already is followed. When the Dagster run is interrupted, or the job cannot be followed any more, it is
    stopped and waited for, so that nothing is billed that nobody sees.

    Args:
        bucket: name of the bucket through which context and messages travel.
        prefix: key prefix in it, without a slash at its end.
        client: boto3 client of SageMaker.
        s3: boto3 client of S3 with rights on `prefix`.
        logs: boto3 client of CloudWatch Logs.
        forward_termination: stop the job when the Dagster run is interrupted.
        poll_interval: seconds between two looks at the job and its log.
        job_metadata: more metadata from DescribeTrainingJob's last answer, such as what the job cost.
    """

    def __init__(
        self,
        *,
        bucket: str,
        prefix: str,
        client: Any,
        s3: Any,
        logs: Any,
        forward_termination: bool = True,
        poll_interval: float = 5.0,
        job_metadata: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,
    ):
        self._bucket = bucket
        self._prefix = prefix
        self._client = client
        self._s3 = s3
        self._logs = logs
        self._forward_termination = forward_termination
        self._poll_interval = poll_interval
        self._job_metadata = job_metadata

    def run(  # type: ignore[override]
        self,
        *,
        context: dg.AssetExecutionContext,
        create_training_job_params: Mapping[str, Any],
        extras: dict[str, Any] | None = None,
        earlier: Sequence[JobName] = (),
    ) -> PipesClientCompletedInvocation:
        """Start the job, follow it to its end and return what it reported.

        Args:
            context: context of the asset that is materialized.
            create_training_job_params: parameters of boto3's `create_training_job`.
            extras: parameters handed to the job through the Pipes context.
            earlier: jobs that must be over before this one starts, since they write the same checkpoints. One that
                still runs, because its worker was killed and could not stop it, is stopped and waited for.

        Raises:
            TrainingJobFailed: the job was refused, failed or was stopped; the message holds the reason, the metadata
                the log's tail, and `allow_retries` says whether the same request may succeed later.
        """
        name = create_training_job_params["TrainingJobName"]
        self._end_earlier(context, [str(one) for one in earlier])
        folder = f"{self._prefix}/{context.run.run_id}/{name}"
        reader = RestartableS3MessageReader(
            bucket=self._bucket, client=self._s3, prefix=folder, interval=min(self._poll_interval, MESSAGES_SECONDS)
        )
        definitions = create_training_job_params["AlgorithmSpecification"].get("MetricDefinitions", [])
        watch = _Watch(name, reader, JobMetrics(definitions), LogFollower(self._logs, LOG_GROUP, f"{name}/"))
        with open_pipes_session(
            context=context,
            context_injector=PipesS3ContextInjector(bucket=self._bucket, client=self._s3, key_prefix=f"{folder}/"),
            message_reader=reader,
            extras=extras,
        ) as session:
            try:
                arn = self._start(context, self._enrich(session, create_training_job_params))
                session.report_launched({"extras": {"training_job_arn": arn}})
                job = self._follow(context, watch)
            except TrainingJobFailed:
                raise
            except BaseException:
                # Interrupted, or the service could not be asked any more: a job that nobody follows must not go on.
                self._stop(context, watch)
                raise
            finally:
                reader.job_ended()
            if job["TrainingJobStatus"] != "Completed":
                raise self._failure(job, watch)
        context.log.info(f"[pipes] training job {name} completed")
        return PipesClientCompletedInvocation(session, metadata=self._metadata(job, watch))

    # --- start -----------------------------------------------------------------------------------------------------

    def _end_earlier(self, context: dg.AssetExecutionContext, names: Sequence[str]) -> None:
        """Stop each of the jobs that still runs and wait until it is over.

        Raises:
            TrainingJobFailed: one could not be looked at, or could not be stopped; nothing was started.
        """
        for name in names:
            try:
                if self._describe_patiently(context, name)["TrainingJobStatus"] in TERMINAL:
                    continue
            except (BotoCoreError, ClientError) as error:
                if isinstance(error, ClientError) and _is_missing(error):
                    continue
                raise TrainingJobFailed(
                    f"Training job {name} of an earlier attempt could not be looked at ({error}): it may be running, "
                    "so no other is started.",
                    allow_retries=is_passing(error),
                ) from error
            context.log.warning(f"[pipes] training job {name} of an earlier attempt still runs: stopping it")
            if problem := self._end(context, name):
                raise TrainingJobFailed(
                    f"Training job {name} of an earlier attempt could not be stopped ({problem}): stop it by hand, and "
                    "re-execute the run.",
                    allow_retries=False,
                )

    def _enrich(self, session: PipesSession, params: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters with the Pipes variables, and with tags that name the Dagster run.

        Raises:
            ValueError: a variable is longer than SageMaker allows.
        """
        variables = {**params.get("Environment", {}), **session.get_bootstrap_env_vars()}
        for key, value in variables.items():
            if len(value) > MAXIMUM_VARIABLE:
                raise ValueError(
                    f"environment variable {key} has {len(value)} characters, SageMaker takes {MAXIMUM_VARIABLE}: "
                    "hand it over as an extra of the Pipes context"
                )
        tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags", [])}
        for key, value in session.default_remote_invocation_info.items():
            tags.setdefault(_tag(key, MAXIMUM_TAG_KEY), _tag(value, MAXIMUM_TAG_VALUE))
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        return {**params, "Environment": variables, "Tags": listed[:MAXIMUM_TAGS]}

    def _start(self, context: dg.AssetExecutionContext, params: Mapping[str, Any]) -> str:
        name = params["TrainingJobName"]
        try:
            arn = str(self._client.create_training_job(**params)["TrainingJobArn"])
        except self._client.exceptions.ResourceInUse:
            # The answer to an earlier request for the same run, step and retry was lost: that job is this job.
            context.log.warning(f"[pipes] training job {name} was started already; following it")
            return str(self._describe_patiently(context, name)["TrainingJobArn"])
        except (BotoCoreError, ClientError) as error:
            if isinstance(error, ClientError) and not is_server_error(error):
                raise self._refusal(name, error) from error
            # A fault of the service says as little as no answer does of whether the job was made before it.
            return self._after_lost_answer(context, name, error)
        context.log.info(f"[pipes] training job {name} started")
        return arn

    def _refusal(self, name: str, error: ClientError) -> TrainingJobFailed:
        code = error_code(error)
        return TrainingJobFailed(
            f"SageMaker refused to start training job {name}: {code}: {error.response['Error'].get('Message', '')}",
            allow_retries=is_passing(error) or code == "ResourceLimitExceeded",
        )

    def _after_lost_answer(
        self, context: dg.AssetExecutionContext, name: str, error: BotoCoreError | ClientError
    ) -> str:
        """The job's ARN where it was started although no answer came, or only that the service failed.

        Raises:
            TrainingJobFailed: it was not started, or nobody knows.
        """
        context.log.warning(f"[pipes] no answer to the start of training job {name} ({error}); looking for it")
        try:
            return str(self._describe_patiently(context, name)["TrainingJobArn"])
        except ClientError as refused:
            if _is_missing(refused):
                raise TrainingJobFailed(f"Training job {name} was not started: {error}", allow_retries=True) from error
            raise TrainingJobFailed(
                f"It is not known whether training job {name} was started ({error}; then {refused}): look for it in "
                "the console, and stop it before the run is executed again.",
                allow_retries=False,
            ) from error

    # --- follow ----------------------------------------------------------------------------------------------------

    def _describe(self, name: str) -> dict[str, Any]:
        job: dict[str, Any] = self._client.describe_training_job(TrainingJobName=name)
        return job

    def _describe_patiently(self, context: dg.AssetExecutionContext, name: str) -> dict[str, Any]:
        """The job, also where the service is throttled or away for a while.

        Raises:
            BotoCoreError, ClientError: it refuses, or stays away for `PATIENCE` looks.
        """
        for attempt in range(1, PATIENCE + 1):
            try:
                return self._describe(name)
            except (BotoCoreError, ClientError) as error:
                if attempt == PATIENCE or not is_passing(error):
                    raise
                context.log.warning(f"[pipes] training job {name} could not be looked at ({error}); trying again")
                time.sleep(self._poll_interval)
        raise AssertionError("unreachable")

    def _follow(self, context: dg.AssetExecutionContext, watch: _Watch) -> dict[str, Any]:
        while True:
            job = self._describe_patiently(context, watch.name)
            self._tell_transitions(context, watch, job)
            self._tell_log(context, watch)
            if job["TrainingJobStatus"] in TERMINAL:
                self._tell_last_lines(context, watch)
                return job
            time.sleep(self._poll_interval)

    def _tell_transitions(self, context: dg.AssetExecutionContext, watch: _Watch, job: Mapping[str, Any]) -> None:
        """Log each secondary status once, also those that came and went between two looks, and new messages of it."""
        transitions = job.get("SecondaryStatusTransitions", [])
        for index in range(max(watch.transitions - 1, 0), len(transitions)):
            one = transitions[index]
            fresh = index >= watch.transitions
            if fresh and index and transitions[index - 1]["Status"] in ("Interrupted", "Restarting"):
                watch.reader.restarted(one["StartTime"])
            if fresh or one.get("StatusMessage", "") != watch.message:
                watch.message = one.get("StatusMessage", "")
                level = context.log.warning if one["Status"] == "Interrupted" else context.log.info
                level(f"[pipes] training job {watch.name}: {one['Status']}: {watch.message}")
        watch.transitions = len(transitions)

    def _tell_log(self, context: dg.AssetExecutionContext, watch: _Watch) -> None:
        if watch.log is None:
            return
        try:
            lines = watch.log.read()
        except LogsUnreadable as error:
            # The job goes on without its log in the run; said once.
            context.log.warning(f"[pipes] the log of training job {watch.name} is not shown here: {error}")
            watch.log = None
            return
        for line in lines:
            sys.stdout.write(f"{line}\n")
            watch.tail.append(line)
            watch.metrics.read(line)
        sys.stdout.flush()
        if time.monotonic() - watch.metrics_at >= METRICS_SECONDS and (news := watch.metrics.news()):
            watch.metrics_at = time.monotonic()
            context.log.info(f"[pipes] training job {watch.name}: {news}")

    def _tell_last_lines(self, context: dg.AssetExecutionContext, watch: _Watch) -> None:
        """CloudWatch takes some seconds to show what a job wrote last."""
        time.sleep(min(self._poll_interval, MESSAGES_SECONDS))
        self._tell_log(context, watch)
        if news := watch.metrics.news():
            context.log.info(f"[pipes] training job {watch.name}: {news}")

    # --- end -------------------------------------------------------------------------------------------------------

    def _stop(self, context: dg.AssetExecutionContext, watch: _Watch) -> None:
        """Stop the job and wait until it is over; a second interruption ends the waiting, not the stop."""
        if not self._forward_termination:
            return
        context.log.warning(f"[pipes] interrupted: stopping training job {watch.name}")
        problem = self._end(context, watch.name)
        self._tell_log(context, watch)
        if problem:
            context.log.error(f"[pipes] training job {watch.name} could not be stopped ({problem}); stop it by hand")

    def _end(self, context: dg.AssetExecutionContext, name: str) -> str:
        """Stop a job and wait until it is over; returns why it is not, and nothing where it is."""
        asked, deadline = False, time.monotonic() + STOP_SECONDS
        while True:
            problem = "it still runs"
            try:
                job = self._describe(name)
                if job["TrainingJobStatus"] in TERMINAL:
                    context.log.warning(f"[pipes] training job {name} is over: {_summary(job)}")
                    return ""
                if not asked:
                    self._client.stop_training_job(TrainingJobName=name)
                    asked = True
            except (BotoCoreError, ClientError) as error:
                if isinstance(error, ClientError) and _is_missing(error):
                    context.log.info(f"[pipes] training job {name} was never started")
                    return ""
                problem = str(error)
            if time.monotonic() > deadline:
                return problem
            time.sleep(self._poll_interval)

    def _failure(self, job: Mapping[str, Any], watch: _Watch) -> TrainingJobFailed:
        end = end_of(job)
        reason = job.get("FailureReason") or end.cause
        return TrainingJobFailed(
            f"Training job {watch.name} ended as {job['TrainingJobStatus']}"
            f" ({job.get('SecondaryStatus', '')}): {reason}. {end.mend}",
            metadata={**self._metadata(job, watch), "Cause": end.cause, "Log tail": _log_tail(watch)},
            allow_retries=end.retry,
        )

    def _metadata(self, job: Mapping[str, Any], watch: _Watch) -> dict[str, Any]:
        region = self._client.meta.region_name
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
            "instance_type": job.get("ResourceConfig", {}).get("InstanceType", ""),
        }
        if "BillableTimeInSeconds" in job:
            metadata["billable_seconds"] = int(job["BillableTimeInSeconds"])
            metadata["training_seconds"] = int(job["TrainingTimeInSeconds"])
        final = {one["MetricName"]: float(one["Value"]) for one in job.get("FinalMetricDataList", [])}
        if metrics := final or watch.metrics.last:
            metadata["Metrics"] = _metrics_table(metrics)
        return {**metadata, **(self._job_metadata(job) if self._job_metadata else {})}


def _tag(text: str, length: int) -> str:
    """`text` with the characters that a tag may have."""
    return re.sub(r"[^\w\s.:/=+\-@]", "-", text)[:length]


def _is_missing(error: ClientError) -> bool:
    return "not found" in str(error.response["Error"].get("Message", "")).lower()


def _summary(job: Mapping[str, Any]) -> str:
    return f"{job['TrainingJobStatus']}, {job.get('BillableTimeInSeconds', 0)} billable seconds"


def _log_tail(watch: _Watch) -> dg.MarkdownMetadataValue:
    text = "\n".join(watch.tail).replace("`", "'")
    return dg.MetadataValue.md(f"```\n{text}\n```" if text else "No line of the job was seen.")


def _metrics_table(metrics: Mapping[str, float]) -> dg.MarkdownMetadataValue:
    rows = [[name, f"{value:.6g}"] for name, value in sorted(metrics.items())]
    return dg.MetadataValue.md(markdown.table(["metric", "last value"], rows))
