"""One service as a child process: started with its log in a file, waited for until it answers, stopped whole."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from localcloud.process import supervised
from localcloud.supervisor.errors import LocalCloudError
from localcloud.supervisor.instance import ServiceRecord
from localcloud.supervisor.layout import LOOPBACK, PROJECT_ROOT

START_SECONDS = 180.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.1
PROBE_SECONDS = 5.0
LOG_TAIL_LINES = 25
LOG_KEEP_BYTES = 20 * 1024 * 1024
HEALTHY_STATUS = 200
CLOUD_HEALTH = "/_localcloud/health"


@dataclass(frozen=True)
class Service:
    """How to start one service, and where it answers."""

    name: str
    what: str
    url: str
    port_variable: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    health: str = CLOUD_HEALTH

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 80


def check_port_free(service: Service) -> None:
    """Raises LocalCloudError, with the port and how to choose another, when something listens there."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, service.port))
        except PermissionError as error:
            raise LocalCloudError(
                f"Port {service.port} for {service.what} may not be used ({error.strerror}); "
                f"choose one above 1023 with {service.port_variable}=N."
            ) from None
        except OSError:
            raise LocalCloudError(
                f"Port {service.port} for {service.what} is in use, perhaps by another checkout's local cloud or "
                f"another server (`ss -ltnp 'sport = :{service.port}'` names it). Stop that one, or choose "
                f"another port with {service.port_variable}=N."
            ) from None


def answers(url: str, path: str) -> bool:
    """Whether the service at `url` says that it is well; any other answer, or none, is a no."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or LOOPBACK, parts.port, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    if response.status != HEALTHY_STATUS:
        return False
    if path != CLOUD_HEALTH:
        return True
    try:
        return bool(json.loads(body).get("status") == "ok")
    except (ValueError, AttributeError):
        return False


class Guarded:
    """A child under a small guard that ends its whole process tree when it is told to, or when this process ends."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], output: BinaryIO | None) -> None:
        self._process = subprocess.Popen(
            supervised(argv),
            env=dict(environment),
            cwd=PROJECT_ROOT,
            stdin=subprocess.PIPE,  # the lifeline: the guard kills the tree when it closes
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def ended(self) -> int | None:
        """The exit code once it has ended."""
        return self._process.poll()

    def wait(self) -> int:
        """Waits for its end; returns the exit code."""
        return self._process.wait()

    def stop(self) -> None:
        """Asks it to end, and after a while ends it; either way its whole process tree is gone then."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class RunningService:
    """A started service with its log."""

    def __init__(self, service: Service, log: Path) -> None:
        self.service = service
        self.log = log
        with _open_log(log) as output:
            self._process = Guarded(service.argv, service.environment, output)

    def record(self) -> ServiceRecord:
        service = self.service
        return ServiceRecord(service.name, service.what, service.url, service.health, self._process.pid)

    def ended(self) -> int | None:
        """The exit code once it has ended."""
        return self._process.ended()

    def wait_until_healthy(self) -> None:
        """Returns when the service answers.

        Raises LocalCloudError with the end of its log when it ends first or takes too long.
        """
        deadline = time.monotonic() + START_SECONDS
        while not answers(self.service.url, self.service.health):
            code = self.ended()
            if code is not None:
                raise self.failure(f"ended with exit code {code} before it answered")
            if time.monotonic() > deadline:
                raise self.failure(f"did not answer at {self.service.url} within {START_SECONDS:.0f} s")
            time.sleep(POLL_SECONDS)

    def failure(self, what: str) -> LocalCloudError:
        """An error that shows what the service last said."""
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        tail = "\n".join(f"    {line}" for line in lines) or "    (empty)"
        return LocalCloudError(f"{self.service.what} ({self.service.name}) {what}. The end of {self.log}:\n{tail}")

    def stop(self) -> None:
        """Ends the service and its whole process tree."""
        self._process.stop()


def _open_log(log: Path) -> BinaryIO:
    """Appends to the log; one that has grown long starts anew, with the old one beside it."""
    if log.exists() and log.stat().st_size > LOG_KEEP_BYTES:
        log.replace(log.with_suffix(".previous.log"))
    return os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb")
