"""Services start with their log, are waited for, and are gone with everything they started."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.supervisor import services
from localcloud.supervisor.errors import LocalCloudError
from localcloud.supervisor.layout import PROJECT_ROOT
from localcloud.supervisor.services import RunningService, Service, answers, check_port_free

SERVER = """
import http.server, subprocess, sys
port, pids = int(sys.argv[1]), sys.argv[2]
children = [subprocess.Popen(["sleep", "600"], start_new_session=own) for own in (False, True)]
open(pids, "w").write(" ".join(str(child.pid) for child in children))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b'{"service": "x", "status": "ok"}')
print("serving", flush=True)
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
OWNER = """
import sys, time, pathlib
sys.path.insert(0, sys.argv[3])
from test_services import describe
from localcloud.supervisor.services import RunningService
folder = pathlib.Path(sys.argv[2])
running = RunningService(describe(int(sys.argv[1]), folder), folder / "x.log")
running.wait_until_healthy()
print("healthy", flush=True)
time.sleep(600)
"""
GONE_SECONDS = 30


@pytest.fixture
def port() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    yield number


def describe(port: int, folder: Path, code: str = SERVER) -> Service:
    return Service(
        name="x",
        what="Service X",
        url=f"http://127.0.0.1:{port}",
        port_variable="X_PORT",
        argv=(sys.executable, "-c", code, str(port), str(folder / "pids")),
        environment=dict(os.environ),
    )


def children(folder: Path) -> list[int]:
    return [int(word) for word in (folder / "pids").read_text().split()]


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie that nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def all_gone(pids: list[int]) -> bool:
    """Whether all of them end; kills what does not, so that a failing test leaves nothing behind."""
    deadline = time.monotonic() + GONE_SECONDS
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    left = [pid for pid in pids if alive(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return not left


def test_a_service_answers_and_is_gone_whole_when_stopped(port: int, tmp_path: Path) -> None:
    running = RunningService(describe(port, tmp_path), tmp_path / "x.log")
    try:
        running.wait_until_healthy()
        assert answers(f"http://127.0.0.1:{port}", "/_localcloud/health")
        assert (tmp_path / "x.log").read_text().startswith("serving")
        assert running.ended() is None
    finally:
        running.stop()
    assert all_gone(children(tmp_path))
    assert not answers(f"http://127.0.0.1:{port}", "/_localcloud/health")


def test_a_killed_owner_leaves_nothing_behind(port: int, tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(port), str(tmp_path), str(Path(__file__).parent)],
        cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "healthy\n"
        owner.send_signal(signal.SIGKILL)
    assert all_gone(children(tmp_path))
    check_port_free(describe(port, tmp_path))


def test_a_service_that_ends_at_once_shows_the_end_of_its_log(port: int, tmp_path: Path) -> None:
    code = "import sys; print('line of the log'); sys.exit('cannot read the state')"
    running = RunningService(describe(port, tmp_path, code), tmp_path / "x.log")
    with pytest.raises(LocalCloudError) as failure:
        running.wait_until_healthy()
    running.stop()
    message = str(failure.value)
    assert "Service X (x) ended with exit code 1 before it answered" in message
    assert "cannot read the state" in message
    assert str(tmp_path / "x.log") in message


def test_a_service_that_never_answers_is_given_up(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "START_SECONDS", 0.3)
    running = RunningService(describe(port, tmp_path, "import time; time.sleep(600)"), tmp_path / "x.log")
    try:
        with pytest.raises(LocalCloudError, match="did not answer"):
            running.wait_until_healthy()
    finally:
        running.stop()


def test_a_service_that_ignores_the_polite_request_is_ended(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "STOP_SECONDS", 0.5)
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVER
    running = RunningService(describe(port, tmp_path, stubborn), tmp_path / "x.log")
    running.wait_until_healthy()
    running.stop()
    assert running.ended() is not None
    assert all_gone(children(tmp_path))


def test_a_port_in_use_is_named_with_the_way_to_another(port: int, tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen()
        with pytest.raises(LocalCloudError) as refusal:
            check_port_free(describe(port, tmp_path))
    assert f"Port {port} for Service X is in use" in str(refusal.value)
    assert "X_PORT=N" in str(refusal.value)


def test_a_log_that_has_grown_long_starts_anew(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "LOG_KEEP_BYTES", 10)
    log = tmp_path / "x.log"
    log.write_text("a long old log\n")
    running = RunningService(describe(port, tmp_path), log)
    running.wait_until_healthy()
    running.stop()
    assert log.read_text().startswith("serving")
    assert (tmp_path / "x.previous.log").read_text() == "a long old log\n"


def test_nobody_there_is_no_answer(port: int) -> None:
    assert not answers(f"http://127.0.0.1:{port}", "/_localcloud/health")
