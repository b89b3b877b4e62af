"""The replica as a process: start, health, clean end, wrong options, and the end of its parent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from localcloud.edgar.cli import main
from localcloud.edgar.faults import FaultSpecification
from tests.localcloud.edgar.replica_lab import DECLARED, TICKERS

WAIT_SECONDS = 60


@contextmanager
def started(command: list[str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a replica and read its address from the line that it writes when it listens."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert "http://127.0.0.1:" in line, line
        yield process, line.split()[-1]
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def command(root: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "localcloud.edgar", "--root", str(root), "--port", "0", *options]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_end(root: Path, number: signal.Signals) -> None:
    with started(command(root)) as (process, address):
        assert httpx.get(f"{address}/_localcloud/health").json()["status"] == "ok"
        assert httpx.get(address + TICKERS, headers={"User-Agent": DECLARED}).status_code == 200
        process.send_signal(number)
        assert process.wait(WAIT_SECONDS) == 0


def test_it_ends_with_the_process_that_started_it(root: Path) -> None:
    script = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen({command(root)!r}, stderr=subprocess.PIPE, text=True)\n"
        "print(child.pid, child.stderr.readline().split()[-1], flush=True)\n"
        "sys.stdin.read()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid, address = parent.stdout.readline().split()
    try:
        assert httpx.get(f"{address}/_localcloud/health").status_code == 200
        parent.kill()
        parent.communicate()
        deadline = time.monotonic() + WAIT_SECONDS
        while refuses_no_connection(address):
            assert time.monotonic() < deadline, f"the replica {pid} outlived its parent"
            time.sleep(0.1)
    finally:
        if refuses_no_connection(address):
            os.kill(int(pid), signal.SIGKILL)


def refuses_no_connection(address: str) -> bool:
    try:
        httpx.get(f"{address}/_localcloud/health")
    except httpx.TransportError:
        return False
    return True


def test_a_port_in_use_is_named_with_the_way_out(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit) as ended:
            main(["--root", str(root), "--port", str(port)])
    assert ended.value.code == 2
    assert f"port {port} on 127.0.0.1 is in use; choose another with --port" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--root", "/nonexistent"], "neither www/ nor data/ is there"),
        (["--root", ".", "--faults", "explode_every=2"], "--faults"),
        (["--root", ".", "--faults", "error_every=-1"], "--faults"),
    ],
)
def test_wrong_options_are_refused(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(options)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_faults_are_read_from_one_line() -> None:
    read = FaultSpecification.parse("latency=0.5, reset_every=7,only=/Archives/")
    assert read == FaultSpecification(latency=0.5, reset_every=7, only="/Archives/")
    assert FaultSpecification.parse("") == FaultSpecification()
    with pytest.raises(ValueError, match="unknown fault 'typo=1': expected name=value"):
        FaultSpecification.parse("typo=1")
