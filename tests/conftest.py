"""Fixtures that all tests share. Only the standard library is imported here: both environments read this file."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

try:
    from hypothesis import HealthCheck, settings
except ImportError:  # the training environment has no property tests
    pass
else:
    # How long an example takes is the machine's business: a busy one must not fail a property.
    settings.register_profile("usual", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile("thorough", settings.get_profile("usual"), max_examples=5000)
    settings.load_profile("usual")

ROOT = Path(__file__).resolve().parent.parent
SMALLEST_CORPUS = 4
READY_SECONDS = 300
STOP_SECONDS = 120


@dataclass(frozen=True)
class Cloud:
    """A running local cloud: its state folder, and the environment that points the product at it."""

    state: Path
    env: dict[str, str] = field(repr=False)
    process: subprocess.Popen[bytes] = field(repr=False)

    def stop(self) -> None:
        """Stops it and all that it started; returns when they are gone."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(STOP_SECONDS)


def free_ports(number: int) -> list[int]:
    """TCP ports of 127.0.0.1 on which nothing listens at this moment, all different."""
    probes = [socket.socket() for _ in range(number)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def port_environment() -> dict[str, str]:
    """Free ports for every service of a local cloud, as its environment variables."""
    services = ("AWS", "DATABRICKS", "EDGAR", "MLFLOW", "DAGSTER")
    names = [f"GOVTUNE_{service}_PORT" for service in services]
    return dict(zip(names, map(str, free_ports(len(names))), strict=True))


def start_cloud(state: Path, *options: str) -> Cloud:
    """Starts a local cloud without Dagster and waits until it is ready; it ends with this process."""
    from localcloud.process import kill_with_parent
    from localcloud.seed.settings import read_settings
    from localcloud.supervisor import instance
    from localcloud.supervisor.layout import Layout

    layout = Layout(state)
    log = state.parent / f"{state.name}.log"
    command = [sys.executable, "-m", "localcloud", "up", "--state", str(state), "--no-dagster", *options]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **port_environment()},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=kill_with_parent,  # noqa: PLW1509 - the fixture runs in the main thread
        )
    deadline = time.monotonic() + READY_SECONDS
    while True:
        record = instance.read(layout)
        if record is not None and record.pid == process.pid and record.ready:
            break
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise RuntimeError(f"the local cloud did not start:\n{log.read_text(errors='replace')}")
        time.sleep(0.1)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DATABRICKS_"))}
    return Cloud(state, {**inherited, **read_settings(layout.settings)}, process)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A seeded local cloud on the smallest sample corpus, shared by the tests of a session."""
    started = start_cloud(tmp_path_factory.mktemp("cloud") / "state", "--companies", str(SMALLEST_CORPUS))
    try:
        yield started
    finally:
        started.stop()
