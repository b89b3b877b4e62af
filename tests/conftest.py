"""Fixtures that all tests share. Only the standard library is imported here: both environments read this file."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
TOGETHER = ("integration", "spark")
"""Folders whose tests share a local cloud with a whole path on it, or a Spark session."""
BELOW_CLIENTS = range(15000, 32000)
"""Linux gives clients the ports from 32768 up (net.ipv4.ip_local_port_range)."""


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


def pytest_configure() -> None:
    """Lets the processes that tests start be interrupted: a shell's background job inherits that SIGINT is ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where two processes share the tests, one takes a file at a time, or a whole folder that shares a dear fixture."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        """Tests that share a scope go to one process, in their order."""

        def _split_scope(self, nodeid: str) -> str:
            return _shared_scope(nodeid)

    return Scheduling(config, log)


def _shared_scope(nodeid: str) -> str:
    file = nodeid.partition("::")[0].removeprefix("tests/")
    folder = file.partition("/")[0]
    return folder if folder in TOGETHER else file


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins, so that two processes come to an end together."""
    order = {name: place for place, name in enumerate(TOGETHER)}
    items.sort(key=lambda item: order.get(_shared_scope(item.nodeid), len(order)))


def free_ports(number: int) -> list[int]:
    """TCP ports of 127.0.0.1 on which nothing listens at this moment, all different.

    From below the range out of which the kernel gives ports to clients: between now and the service's start none of
    the many connections of a test in the other process can take one.
    """
    probes: list[socket.socket] = []
    try:
        for port in random.sample(BELOW_CLIENTS, len(BELOW_CLIENTS)):
            probe = socket.socket()
            probes.append(probe)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                probes.pop().close()
            if len(probes) == number:
                return [probe.getsockname()[1] for probe in probes]
        raise RuntimeError(f"fewer than {number} ports are free in {BELOW_CLIENTS}")
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
