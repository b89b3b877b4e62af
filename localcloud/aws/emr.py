"""EMR Serverless whose StartJobRun really runs spark-submit, as the job's execution role.

moto's backend and response classes are extended; `spark.py` turns a job's parameters into a command line.
"""

from __future__ import annotations

import gzip
import logging
import re
import threading
from pathlib import Path
from typing import Any, ClassVar

from botocore.exceptions import BotoCoreError, ClientError
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.emrserverless import models, responses, urls
from moto.emrserverless.exceptions import ValidationException

from localcloud.aws.jobs import JobProcess, Shipper
from localcloud.aws.platform import InterruptedJobError, JobCredentials, Platform
from localcloud.aws.spark import SparkJob, SubmitError, last_error_lines, spark_job
from localcloud.aws.staging import split_s3_uri
from localcloud.aws.wire import RefusedError

log = logging.getLogger(__name__)

SERVICE = "emr-serverless"
PRINCIPAL = "emr-serverless.amazonaws.com"
RELEASE = re.compile(r"emr-(spark-)?\d+\.\d+\.\d+(-[\w.]+)?")
TERMINAL = ("SUCCESS", "FAILED", "CANCELLED")
CANCEL_GRACE_SECONDS = 10
DETAILS_LENGTH = 2048
CORES_PER_JOB = 2
MOTO_RELEASE = "emr-7.0.0"  # any label that moto's own check accepts
DEFAULT_LOG_GROUP = "/aws/emr-serverless"


class LocalEMRServerlessBackend(models.EMRServerlessBackend):  # type: ignore[misc]
    """Applications and job runs. What runs is kept apart from what is saved."""

    platform: ClassVar[Platform]
    slots: ClassVar[threading.Semaphore]
    processes: ClassVar[dict[str, JobProcess]] = {}
    _url_module = urls

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.tokens: dict[str, str] = {}

    def create_application(
        self, *, monitoring_configuration: Any = None, architecture: Any = None, **given: Any
    ) -> Any:
        """CreateApplication with today's release labels."""
        label = given["release_label"]
        if not RELEASE.fullmatch(label):
            raise ValidationException(f"release label '{label}' does not exist")
        token = f"application/{given.get('client_token')}"
        if token in self.tokens:
            return self.get_application(self.tokens[token])
        application = super().create_application(**{**given, "release_label": MOTO_RELEASE})
        application.release_label = label
        application.monitoring_configuration = monitoring_configuration or {}
        application.architecture = architecture or "X86_64"
        application.created_at = application.updated_at = utcnow()
        application.state = "CREATED"
        self.tokens[token] = application.id
        return application

    def start_job_run(self, *, retry_policy: Any = None, mode: Any = None, **given: Any) -> Any:
        """StartJobRun; a client token that was used before gives the run that it started."""
        application = self.get_application(given["application_id"])
        token = f"{application.id}/{given['client_token']}"
        if token in self.tokens:
            return self.get_job_run(application.id, self.tokens[token])
        if (retry_policy or {}).get("maxAttempts", 1) > 1 or mode == "STREAMING":
            raise ValidationException("the local EMR Serverless runs batch jobs with one attempt")
        run = super().start_job_run(**given)
        self.tokens[token] = run.id
        run.job_run_id, run.created_by, run.mode, run.attempt = run.id, run.execution_role_arn, "BATCH", 1
        run.created_at = run.attempt_created_at = utcnow()
        _set(run, "SUBMITTED")
        application.state = "STARTED"
        self.platform.run_in_background(f"emr-{run.id}", lambda: self._run_guarded(application, run))
        return run

    def cancel_job_run(self, application_id: str, job_run_id: str) -> tuple[str, str]:
        """CancelJobRun: the driver gets SIGTERM, then SIGKILL."""
        run = self.get_job_run(application_id, job_run_id)
        if run.state in TERMINAL:
            raise ValidationException(f"Job run {job_run_id} is in terminal state {run.state}")
        _set(run, "CANCELLING")
        if process := self.processes.get(job_run_id):
            self.platform.run_in_background(f"cancel-{run.id}", lambda: _end(process))
        return application_id, job_run_id

    # --- the life of a run --------------------------------------------------------------------------------------

    def _run_guarded(self, application: Any, run: Any) -> None:
        try:
            self._run(application, run)
        except (RefusedError, SubmitError, InterruptedJobError, ClientError, BotoCoreError, OSError) as error:
            log.warning("job run %s failed before or after its driver: %s", run.id, error)
            self._move(
                run, "FAILED", f"Job failed, please check complete logs in configured logging destination. {error}"
            )

    def _move(self, run: Any, state: str, details: str = "") -> bool:
        """Set a state unless the run is being cancelled; a cancelled run ends here."""
        with self.platform.changing(SERVICE):
            if run.state == "CANCELLING" and state not in TERMINAL:
                _set(run, "CANCELLED", "JobRun was cancelled")
                return False
            _set(run, state, details[:DETAILS_LENGTH])
            return True

    def _run(self, application: Any, run: Any) -> None:
        if not self._move(run, "PENDING"):
            return
        credentials = self.platform.credentials(PRINCIPAL, run.execution_role_arn, run.id, run.arn, self.region_name)
        with self.slots, self.platform.job_folder(run.id) as folder:
            if not self._move(run, "SCHEDULED"):
                return
            job = spark_job(run, folder, credentials, self.platform)
            if self._move(run, "RUNNING"):
                self._drive(application, run, job, credentials, folder)

    def _drive(self, application: Any, run: Any, job: SparkJob, credentials: JobCredentials, folder: Path) -> None:
        monitoring = _monitoring(application, run)
        base = f"/applications/{application.id}/jobs/{run.id}"
        output = _Output(folder, monitoring, base, credentials)
        run.started_at = utcnow()
        try:
            process = JobProcess(job.argv, env=job.environment, cwd=folder, sink=output.add)
            with self.platform.running(process):
                self.processes[run.id] = process
                if run.state == "CANCELLING":  # asked for before there was a process to tell
                    process.terminate()
                code = process.wait(run.execution_timeout_minutes * 60)
                timed_out = code is None
                if code is None:
                    code = _end(process)
        finally:
            self.processes.pop(run.id, None)
            output.close()
        output.upload(monitoring, base, credentials)
        self._finish(run, code, timed_out, process)

    def _finish(self, run: Any, code: int, timed_out: bool, process: JobProcess) -> None:
        with self.platform.changing(SERVICE):
            run.ended_at = utcnow()
            seconds = (run.ended_at - run.started_at).total_seconds()
            run.total_execution_duration_seconds = round(seconds)
            hours = max(seconds, 60) / 3600
            usage = {"vCPUHour": round(CORES_PER_JOB * hours, 3), "memoryGBHour": round(hours, 3), "storageGBHour": 0.0}
            run.total_resource_utilization = run.billed_resource_utilization = usage
        if run.state == "CANCELLING":
            self._move(run, "CANCELLED", "JobRun was cancelled")
        elif timed_out:
            self._move(run, "FAILED", f"JobRun timeout of {run.execution_timeout_minutes} minutes has been exceeded")
        elif code == 0:
            self._move(run, "SUCCESS")
        else:
            lines = "\n".join(last_error_lines(process.tail["stderr"], process.tail["stdout"]))
            self._move(
                run,
                "FAILED",
                f"Job execution failed, please check complete logs in configured logging destination. "
                f"ExitCode: {code}. Last few exceptions: {lines}",
            )


class _Output:
    """Where a driver's lines go: files for S3, CloudWatch as they come."""

    def __init__(self, folder: Path, monitoring: dict[str, Any], base: str, credentials: JobCredentials) -> None:
        self._files = {name: (folder / f"{name}.log").open("w", encoding="utf-8") for name in ("stdout", "stderr")}
        cloudwatch = monitoring.get("cloudWatchLoggingConfiguration") or {}
        self._shipper = None
        if cloudwatch.get("enabled"):
            prefix = cloudwatch.get("logStreamNamePrefix") or ""
            streams = {name: f"{prefix}{base}/SPARK_DRIVER/{name}" for name in self._files}
            group = cloudwatch.get("logGroupName") or DEFAULT_LOG_GROUP
            self._shipper = Shipper(credentials.client("logs"), group, streams)

    def add(self, stream: str, line: str) -> None:
        self._files[stream].write(line + "\n")
        if self._shipper is not None:
            self._shipper.add(stream, line)

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        if self._shipper is not None:
            self._shipper.close()

    def upload(self, monitoring: dict[str, Any], base: str, credentials: JobCredentials) -> None:
        uri = (monitoring.get("s3MonitoringConfiguration") or {}).get("logUri")
        if not uri:
            return
        bucket, prefix = split_s3_uri(uri)
        s3 = credentials.client("s3")
        for name, file in self._files.items():
            key = f"{prefix.rstrip('/')}{base}/SPARK_DRIVER/{name}.gz".lstrip("/")
            s3.put_object(Bucket=bucket, Key=key, Body=gzip.compress(Path(file.name).read_bytes()))


def _end(process: JobProcess) -> int:
    return process.stop(CANCEL_GRACE_SECONDS)


def _set(run: Any, state: str, details: str = "") -> None:
    run.state, run.state_details, run.updated_at = state, details, utcnow()


def _monitoring(application: Any, run: Any) -> dict[str, Any]:
    """The run's monitoring configuration over the application's, destination by destination."""
    own = (run.configuration_overrides or {}).get("monitoringConfiguration") or {}
    return {**application.monitoring_configuration, **own}


class LocalEMRServerlessResponse(responses.EMRServerlessResponse):  # type: ignore[misc]
    """EMR Serverless answers, with the members that moto leaves out."""

    def create_application(self) -> Any:
        """CreateApplication."""
        given = self._get_params()
        application = self.emrserverless_backend.create_application(
            name=given.get("name"),
            release_label=given["releaseLabel"],
            application_type=given["type"].upper(),
            client_token=given.get("clientToken"),
            initial_capacity=given.get("initialCapacity"),
            maximum_capacity=given.get("maximumCapacity"),
            tags=given.get("tags"),
            auto_start_configuration=given.get("autoStartConfiguration"),
            auto_stop_configuration=given.get("autoStopConfiguration"),
            network_configuration=given.get("networkConfiguration"),
            monitoring_configuration=given.get("monitoringConfiguration"),
            architecture=given.get("architecture"),
        )
        return ActionResult({"applicationId": application.id, "name": application.name, "arn": application.arn})

    def start_job_run(self) -> Any:
        """StartJobRun."""
        given = self._get_params()
        run = self.emrserverless_backend.start_job_run(
            application_id=self._get_param("applicationId"),
            client_token=given.get("clientToken"),
            execution_role_arn=given["executionRoleArn"],
            job_driver=given.get("jobDriver"),
            configuration_overrides=given.get("configurationOverrides"),
            tags=given.get("tags"),
            execution_timeout_minutes=given.get("executionTimeoutMinutes"),
            name=given.get("name"),
            retry_policy=given.get("retryPolicy"),
            mode=given.get("mode"),
        )
        return ActionResult({"applicationId": run.application_id, "jobRunId": run.id, "arn": run.arn})


def install(platform: Platform) -> None:
    """Put the extended classes in the places where moto looks for its own."""
    LocalEMRServerlessBackend.platform = platform
    LocalEMRServerlessBackend.slots = threading.Semaphore(max(1, platform.settings.cpus // CORES_PER_JOB))
    models.emrserverless_backends.backend = LocalEMRServerlessBackend
    urls.url_paths = dict.fromkeys(urls.url_paths, LocalEMRServerlessResponse.dispatch)


def fail_interrupted(account: str) -> None:
    """Runs that were alive when the last server ended are failures now."""
    for backend in list(models.emrserverless_backends[account].values()):
        for run in (run for runs in backend.job_runs.values() for run in runs):
            if run.state not in TERMINAL:
                _set(run, "FAILED", "The service was interrupted while the job ran")
