"""The life of a training job: from its request through download, training and upload to one of its ends.

A spot job may lose its instance on the way and begin again with its checkpoints (`plays.py`). Local spot instances
cost what others cost: what is not billed is the time between two instances.
"""

from __future__ import annotations

import datetime as dt
import logging
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.core.utils import utcnow

from localcloud.aws import container
from localcloud.aws.container import OptMl
from localcloud.aws.jobs import JobProcess, Shipper
from localcloud.aws.platform import InterruptedJobError, JobCredentials, Platform
from localcloud.aws.plays import AWAY_SECONDS, NO_CAPACITY, WAITING_MESSAGE, Plays
from localcloud.aws.staging import StagingError, download_prefix, pack_folder, split_s3_uri
from localcloud.aws.wire import RefusedError

log = logging.getLogger(__name__)

SERVICE = "sagemaker"
PRINCIPAL = "sagemaker.amazonaws.com"
LOG_GROUP = "/aws/sagemaker/TrainingJobs"
METRIC_NAMESPACE = "/aws/sagemaker/TrainingJobs"
STOP_GRACE_SECONDS = 120  # StopTrainingJob's documented delay before SIGKILL
CHECKPOINT_SECONDS = 5.0
FAILURE_LENGTH = 1024
DEFAULT_MAX_RUNTIME = 24 * 3600
FAILURE_LINES = 12
WAITING_SECONDS = 0.2
TERMINAL = ("Completed", "Failed", "Stopped")
_KEPT_MEMBERS = (
    "TrainingJobName",
    "HyperParameters",
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "VpcConfig",
    "StoppingCondition",
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
    "CheckpointConfig",
    "DebugHookConfig",
    "TensorBoardOutputConfig",
    "ExperimentConfig",
    "ProfilerConfig",
    "Environment",
    "RetryStrategy",
)


class TrainingJob:
    """What the service knows of a job. It is saved; nothing in it is a process."""

    billable_seconds = 0.0
    """Seconds in which a container ran, those of interrupted instances too."""
    interrupted = False
    """Whether it has lost a spot instance."""

    def __init__(self, request: dict[str, Any], arn: str, region: str) -> None:
        self.request = request
        self.arn = arn
        self.region = region
        self.tags = list(request.get("Tags") or [])
        self.creation_time = self.last_modified_time = utcnow()
        self.training_start_time: Any = None
        self.training_end_time: Any = None
        self.training_job_status = "InProgress"
        self.failure_reason = ""
        self.metrics: dict[str, tuple[float, Any]] = {}
        self.transitions: list[dict[str, Any]] = []
        self.move("Starting", "Preparing the instances for training")

    @property
    def training_job_name(self) -> str:
        """The job's name."""
        return str(self.request["TrainingJobName"])

    def move(self, secondary: str, message: str) -> None:
        """Enter a secondary status."""
        now = utcnow()
        if self.transitions:
            self.transitions[-1]["EndTime"] = now
        self.transitions.append({"Status": secondary, "StartTime": now, "StatusMessage": message})
        self.last_modified_time = now

    def say(self, message: str) -> None:
        """Change the message of the secondary status."""
        self.transitions[-1]["StatusMessage"] = message

    @property
    def spot(self) -> bool:
        """Whether it runs on spot instances."""
        return bool(self.request.get("EnableManagedSpotTraining"))

    @property
    def waits_until(self) -> dt.datetime | None:
        """When a spot job is ended at the latest, waiting and running together."""
        seconds = self.request["StoppingCondition"].get("MaxWaitTimeInSeconds")
        return self.creation_time + dt.timedelta(seconds=seconds) if self.spot and seconds else None

    def end(self, status: str, secondary: str, message: str) -> None:
        """Reach a terminal status."""
        self.training_job_status = status
        self.move(secondary, message)
        self.transitions[-1]["EndTime"] = self.training_end_time = self.last_modified_time

    def fail(self, reason: str) -> None:
        """End as Failed."""
        self.failure_reason = reason[:FAILURE_LENGTH]
        self.end("Failed", "Failed", "Training job failed")

    @property
    def output_prefix(self) -> str:
        """Where the artifacts go, as an S3 URI."""
        return f"{self.request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{self.training_job_name}/output"

    @property
    def response_object(self) -> dict[str, Any]:
        """DescribeTrainingJob's answer."""
        answer = {name: self.request[name] for name in _KEPT_MEMBERS if self.request.get(name) is not None}
        answer |= {
            "TrainingJobArn": self.arn,
            "TrainingJobStatus": self.training_job_status,
            "SecondaryStatus": self.transitions[-1]["Status"],
            "SecondaryStatusTransitions": self.transitions,
            "CreationTime": self.creation_time,
            "LastModifiedTime": self.last_modified_time,
            "ModelArtifacts": {"S3ModelArtifacts": f"{self.output_prefix}/model.tar.gz"},
            "FinalMetricDataList": [
                {"MetricName": name, "Value": value, "Timestamp": moment}
                for name, (value, moment) in self.metrics.items()
            ],
        }
        if self.failure_reason:
            answer["FailureReason"] = self.failure_reason
        if self.training_start_time:
            answer["TrainingStartTime"] = self.training_start_time
            if self.training_end_time:
                seconds = max(1, round((self.training_end_time - self.training_start_time).total_seconds()))
                answer |= {
                    "TrainingEndTime": self.training_end_time,
                    "TrainingTimeInSeconds": seconds,
                    "BillableTimeInSeconds": min(seconds, max(1, round(self.billable_seconds))),
                }
        return answer


class Metrics:
    """Reads MetricDefinitions out of a job's lines, keeps the last value of each and sends all to CloudWatch."""

    def __init__(self, job: TrainingJob, client: Any) -> None:
        definitions = job.request["AlgorithmSpecification"].get("MetricDefinitions") or []
        self._expressions = [(one["Name"], re.compile(one["Regex"])) for one in definitions]
        self._job = job
        self._client = client
        self._data: list[dict[str, Any]] = []

    def read(self, line: str) -> None:
        """Look for metrics in a line. A match that is no number is none."""
        for name, expression in self._expressions:
            match = expression.search(line)
            if match is None or not match.groups():
                continue
            try:
                value = float(match[1])
            except ValueError:
                continue
            now = utcnow()
            self._job.metrics[name] = (value, now)
            dimensions = [{"Name": "TrainingJobName", "Value": self._job.training_job_name}]
            self._data.append({"MetricName": name, "Value": value, "Timestamp": now, "Dimensions": dimensions})

    def send(self) -> None:
        """Send the metrics; a role without the right keeps its job, as in AWS."""
        try:
            for start in range(0, len(self._data), 500):
                self._client.put_metric_data(Namespace=METRIC_NAMESPACE, MetricData=self._data[start : start + 500])
        except (ClientError, BotoCoreError) as error:
            log.warning("metrics of %s are dropped: %s", self._job.training_job_name, error)


class Checkpoints:
    """Brings a job's checkpoints from S3 and keeps S3 up to date while it runs."""

    def __init__(self, folder: Path, uri: str, s3: Any) -> None:
        self._folder = folder
        self._uri = uri.rstrip("/") + "/"
        self._s3 = s3
        self._sent: dict[Path, tuple[int, int]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)

    def start(self) -> None:
        """Download what is there, then begin to upload what changes."""
        download_prefix(self._s3, self._uri, self._folder)
        self._sent = dict(self._files())
        self._thread.start()

    def finish(self) -> None:
        """Upload the last changes."""
        self._over.set()
        self._thread.join()
        self._upload()

    def _run(self) -> None:
        while not self._over.wait(CHECKPOINT_SECONDS):
            try:
                self._upload()
            except (ClientError, BotoCoreError, OSError) as error:  # a file that vanished; `finish` tries again
                log.warning("checkpoints to %s wait: %s", self._uri, error)

    def _files(self) -> list[tuple[Path, tuple[int, int]]]:
        found = []
        for path in sorted(self._folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                facts = path.stat()
                found.append((path, (facts.st_mtime_ns, facts.st_size)))
        return found

    def _upload(self) -> None:
        bucket, prefix = split_s3_uri(self._uri)
        for path, version in self._files():
            if self._sent.get(path) != version:
                self._s3.upload_file(str(path), bucket, prefix + path.relative_to(self._folder).as_posix())
                self._sent[path] = version


@dataclass(frozen=True)
class _Outcome:
    """How a container ended. `late` is the secondary status where its time was over, `taken` a lost instance."""

    code: int
    late: str
    taken: bool
    process: JobProcess


class Runner:
    """Runs training jobs, one at a time: each takes the machine's processors."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._machine = threading.Semaphore(1)
        self._processes: dict[str, JobProcess] = {}

    def start(self, job: TrainingJob) -> None:
        """Run `job` in the background."""
        self._platform.run_in_background(f"train-{job.training_job_name}", lambda: self._run_guarded(job))

    def stop(self, job: TrainingJob) -> None:
        """Have `job` stop."""
        job.training_job_status = "Stopping"
        job.move("Stopping", "Stopping the training job")
        if process := self._processes.get(job.arn):
            self._platform.run_in_background(f"stop-{job.training_job_name}", lambda: _end(process))

    def _run_guarded(self, job: TrainingJob) -> None:
        try:
            if Plays.of(job.tags).without_capacity:
                self._wait_in_vain(job)
                return
            # Each loss of a spot instance leaves nothing of its folder: the next one begins with the checkpoints.
            with self._machine:
                while self._attempt(job):
                    time.sleep(AWAY_SECONDS)
                    if not self._move(job, "Starting", "Preparing the instances for training"):
                        return
        except StagingError as error:
            self._fail(job, f"ClientError: Data download failed: {error}")
        except ClientError as error:
            self._fail(job, f"ClientError: {error}")
        except (RefusedError, InterruptedJobError, BotoCoreError, OSError, re.error) as error:
            self._fail(job, f"InternalServerError: {error}")

    def _attempt(self, job: TrainingJob) -> bool:
        """Run one container from its start; returns whether its instance was taken away."""
        with self._platform.job_folder(job.training_job_name) as folder:
            return self._run(job, folder)

    def _wait_in_vain(self, job: TrainingJob) -> None:
        """No instance comes: fail at once, or with spot wait as long as the request allows."""
        until = job.waits_until
        if until is None:
            self._fail(job, NO_CAPACITY)
            return
        with self._platform.changing(SERVICE):
            job.say(WAITING_MESSAGE)
        while utcnow() < until and job.training_job_status != "Stopping" and not self._platform.stopping:
            time.sleep(WAITING_SECONDS)
        if self._platform.stopping:
            raise InterruptedJobError
        with self._platform.changing(SERVICE):
            if job.training_job_status == "Stopping":
                job.end("Stopped", "Stopped", "Training job stopped")
            else:
                job.end("Stopped", "MaxWaitTimeExceeded", "Training job wait time exceeded MaxWaitTimeInSeconds")

    def _fail(self, job: TrainingJob, reason: str) -> None:
        with self._platform.changing(SERVICE):
            job.fail(reason)

    def _move(self, job: TrainingJob, secondary: str, message: str) -> bool:
        """Enter a secondary status, unless the job is stopping: then it ends here, before its container runs."""
        with self._platform.changing(SERVICE):
            if job.training_job_status == "Stopping":
                job.end("Stopped", "Stopped", "Training job stopped")
                return False
            job.move(secondary, message)
            return True

    def _run(self, job: TrainingJob, folder: Path) -> bool:
        credentials = self._platform.credentials(
            PRINCIPAL, job.request["RoleArn"], job.training_job_name, job.arn, job.region
        )
        s3 = credentials.client("s3")
        ml = OptMl(folder / "opt" / "ml")
        ml.create()
        if not self._move(job, "Downloading", "Downloading input data"):
            return False
        container.write_configuration(ml, job.request)
        container.download_channels(ml, job.request, s3)
        argv = container.command(ml, job.request, self._platform.settings.training_python, s3)
        checkpoints = _checkpoints(job, ml, s3)
        if checkpoints is not None:
            checkpoints.start()
        if not self._move(job, "Training", "Training image download completed. Training in progress."):
            return False
        environment = self._environment(job, ml, credentials, folder)
        outcome = self._train(job, argv, environment, ml, credentials)
        if outcome.taken and job.training_job_status != "Stopping":
            if checkpoints is not None:
                checkpoints.finish()
            with self._platform.changing(SERVICE):
                job.interrupted = True
                job.move("Interrupted", "The spot instance was interrupted (played by the local cloud)")
            return True
        self._upload(job, ml, s3, checkpoints, folder)
        self._conclude(job, ml, outcome)
        return False

    def _environment(self, job: TrainingJob, ml: OptMl, credentials: JobCredentials, folder: Path) -> dict[str, str]:
        return {
            **self._platform.base_environment(folder),
            **(job.request.get("Environment") or {}),
            **container.environment(
                ml, job.request, job.training_job_name, job.arn, job.region, self._platform.settings.cpus
            ),
            **credentials.environment(),
        }

    def _train(
        self, job: TrainingJob, argv: list[str], env: Mapping[str, str], ml: OptMl, credentials: JobCredentials
    ) -> _Outcome:
        """Run the container to its end, or until its time is over or its instance is taken away."""
        stream = f"{job.training_job_name}/{container.HOST}-{int(time.time())}"
        shipper = Shipper(credentials.client("logs"), LOG_GROUP, {"stdout": stream, "stderr": stream})
        metrics = Metrics(job, credentials.client("cloudwatch"))
        interrupt_at = "" if job.interrupted else Plays.of(job.tags).interrupt_at
        taken = threading.Event()

        def sink(name: str, line: str) -> None:
            shipper.add(name, line)
            metrics.read(line)
            if interrupt_at and interrupt_at in line and not taken.is_set():
                taken.set()
                self._platform.run_in_background(f"take-{job.training_job_name}", lambda: self._end_of(job))

        job.training_start_time = job.training_start_time or utcnow()
        seconds, late = _time_left(job)
        began = time.monotonic()
        try:
            process = JobProcess(argv, env=env, cwd=ml.code, sink=sink)
            with self._platform.running(process):
                self._processes[job.arn] = process
                if job.training_job_status == "Stopping":
                    process.terminate()
                elif taken.is_set():  # by its first lines, before it was known here
                    self._platform.run_in_background(f"take-{job.training_job_name}", lambda: _end(process))
                code = process.wait(seconds)
                ended_in_time = code is not None
                if code is None:
                    code = _end(process)
        finally:
            job.billable_seconds += time.monotonic() - began
            self._processes.pop(job.arn, None)
            shipper.close()
        metrics.send()
        return _Outcome(code, "" if ended_in_time else late, taken.is_set(), process)

    def _end_of(self, job: TrainingJob) -> None:
        if process := self._processes.get(job.arn):
            _end(process)

    def _upload(self, job: TrainingJob, ml: OptMl, s3: Any, checkpoints: Checkpoints | None, folder: Path) -> None:
        with self._platform.changing(SERVICE):
            job.move("Uploading", "Uploading generated training model")
        output = job.request["OutputDataConfig"]
        extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": output["KmsKeyId"]} if output.get("KmsKeyId") else {}
        bucket, prefix = split_s3_uri(job.output_prefix)
        for source, name in ((ml.model, "model.tar.gz"), (ml.output_data, "output.tar.gz")):
            archive = folder / name
            if pack_folder(source, archive):
                s3.upload_file(str(archive), bucket, f"{prefix}/{name}", ExtraArgs=extra)
        if checkpoints is not None:
            checkpoints.finish()

    def _conclude(self, job: TrainingJob, ml: OptMl, outcome: _Outcome) -> None:
        with self._platform.changing(SERVICE):
            if job.training_job_status == "Stopping":
                job.end("Stopped", "Stopped", "Training job stopped")
            elif outcome.late:
                job.end("Stopped", outcome.late, f"Training job was stopped: {outcome.late}")
            elif outcome.code == 0:
                job.end("Completed", "Completed", "Training job completed")
            else:
                tail = outcome.process.tail
                told = ml.failure() or "\n".join(list(tail["stderr"] or tail["stdout"])[-FAILURE_LINES:])
                ending = f", exit code: {outcome.code}"
                job.fail(f"AlgorithmError: {told[: FAILURE_LENGTH - 40]}{ending}")


def _time_left(job: TrainingJob) -> tuple[float, str]:
    """Seconds that a container may run, and the secondary status when they are over."""
    limit = job.request["StoppingCondition"].get("MaxRuntimeInSeconds") or DEFAULT_MAX_RUNTIME
    runtime = max(0.0, limit - job.billable_seconds)
    if job.waits_until is not None:
        wait = max(0.0, (job.waits_until - utcnow()).total_seconds())
        if wait < runtime:
            return wait, "MaxWaitTimeExceeded"
    return runtime, "MaxRuntimeExceeded"


def _checkpoints(job: TrainingJob, ml: OptMl, s3: Any) -> Checkpoints | None:
    configuration = job.request.get("CheckpointConfig")
    if not configuration:
        return None
    local = configuration.get("LocalPath") or "/opt/ml/checkpoints"
    if not local.startswith("/opt/ml/"):
        raise StagingError(f"CheckpointConfig.LocalPath {local!r} must lie under /opt/ml")
    folder = ml.base / Path(local).relative_to("/opt/ml")
    folder.mkdir(parents=True, exist_ok=True)
    return Checkpoints(folder, configuration["S3Uri"], s3)


def _end(process: JobProcess) -> int:
    return process.stop(STOP_GRACE_SECONDS)
