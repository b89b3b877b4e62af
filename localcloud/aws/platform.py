"""What the job services share: settings of this machine, credentials for jobs, environments, and running processes."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from localcloud.aws.iam.enforcement import Account
from localcloud.aws.jobs import JobProcess
from localcloud.aws.state import State, private_folder

STOP_SECONDS = 15.0
_INHERITED = ("PATH", "JAVA_HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ")


class InterruptedJobError(Exception):
    """The server stops, and the job with it."""

    def __init__(self) -> None:
        super().__init__("the service was interrupted while the job ran")


@dataclass(frozen=True)
class PlatformSettings:
    """Which programs of this machine stand for the services' images.

    `spark_jars` is a folder of jars put on every Spark job's class path; `training_python` the interpreter of the
    training environment.
    """

    spark_submit: Path
    spark_python: Path
    spark_jars: Path | None
    training_python: Path
    java_home: Path | None
    cpus: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> PlatformSettings:
        """Read the LOCALCLOUD_* variables; without them this server's own interpreter runs the jobs."""

        def path(name: str) -> Path | None:
            value = environment.get(f"LOCALCLOUD_{name}")
            return Path(value).absolute() if value else None

        own = Path(sys.executable)
        return cls(
            spark_submit=path("SPARK_SUBMIT") or _bundled_spark_submit(),
            spark_python=path("SPARK_PYTHON") or own,
            spark_jars=path("SPARK_JARS"),
            training_python=path("TRAINING_PYTHON") or own,
            java_home=path("JAVA_HOME"),
            cpus=os.cpu_count() or 1,
        )


def _bundled_spark_submit() -> Path:
    """spark-submit of the pyspark package, or the bare name when it is not installed."""
    spec = find_spec("pyspark")
    if spec is None or spec.origin is None:
        return Path("spark-submit")
    return Path(spec.origin).parent / "bin" / "spark-submit"


@dataclass(frozen=True)
class JobCredentials:
    """A session of a job's execution role."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    region: str
    endpoint: str

    def environment(self) -> dict[str, str]:
        """The variables that AWS SDKs read."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_SESSION_TOKEN": self.session_token,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self.endpoint,
        }

    def client(self, service: str) -> Any:
        """A boto3 client that acts as the role, and so within its rights."""
        session = boto3.Session(
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            aws_session_token=self.session_token,
            region_name=self.region,
        )
        config = Config(retries={"mode": "standard", "max_attempts": 3}, s3={"addressing_style": "path"})
        return session.client(service, endpoint_url=self.endpoint, config=config)


class Platform:
    """The side of the server on which jobs run."""

    def __init__(
        self,
        account: Account,
        state: State,
        lock: threading.RLock,
        endpoint: str,
        folder: Path,
        settings: PlatformSettings,
    ) -> None:
        self.account = account
        self.endpoint = endpoint
        self.settings = settings
        self._state = state
        self._lock = lock
        self._folder = private_folder(folder)
        self._processes: set[JobProcess] = set()
        self._threads: set[threading.Thread] = set()
        self._stopping = False
        for left in self._folder.iterdir():  # of jobs that a crash ended
            shutil.rmtree(left)

    @property
    def stopping(self) -> bool:
        """Whether the server stops, and its jobs with it."""
        return self._stopping

    @contextlib.contextmanager
    def changing(self, service: str) -> Iterator[None]:
        """Change backends from a job's thread: alone, and saved afterwards."""
        with self._lock:
            yield
            self._state.changed(service)

    def credentials(self, service: str, role_arn: str, session: str, source_arn: str, region: str) -> JobCredentials:
        """Assume a job's role as the service does. Raises RefusedError when the role does not trust it."""
        with self.changing("sts"):
            opened = self.account.open_service_session(service, role_arn, session, source_arn, region)
        return JobCredentials(
            opened.access_key_id, opened.secret_access_key, opened.session_token, region, self.endpoint
        )

    @contextlib.contextmanager
    def job_folder(self, name: str) -> Iterator[Path]:
        """A private folder that is gone when the job is over."""
        folder = private_folder(self._folder / name)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def base_environment(self, home: Path) -> dict[str, str]:
        """What a job inherits from this machine: nothing of the server's own secrets, and a home of its own."""
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        if self.settings.java_home is not None:
            inherited["JAVA_HOME"] = str(self.settings.java_home)
        return {"LANG": "C.UTF-8", **inherited, "HOME": str(home), "TMPDIR": str(private_folder(home / "tmp"))}

    def run_in_background(self, name: str, work: Callable[[], object]) -> None:
        """Run a job's thread."""

        def run() -> None:
            try:
                work()
            finally:
                with self._lock:
                    self._threads.discard(thread)

        thread = threading.Thread(target=run, name=name, daemon=True)
        with self._lock:
            self._threads.add(thread)
        thread.start()

    @contextlib.contextmanager
    def running(self, process: JobProcess) -> Iterator[JobProcess]:
        """Keep `process` known while it runs, so that it ends with the server.

        Raises InterruptedJobError afterwards if that is why it ended.
        """
        with self._lock:
            self._processes.add(process)
            if self._stopping:
                process.kill()
        try:
            yield process
        finally:
            with self._lock:
                self._processes.discard(process)
        if self._stopping:
            raise InterruptedJobError

    def stop_jobs(self) -> None:
        """Kill every running job with all its processes, and let its thread note that."""
        with self._lock:
            self._stopping = True
            for process in self._processes:
                process.kill()
            threads = list(self._threads)
        deadline = time.monotonic() + STOP_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
