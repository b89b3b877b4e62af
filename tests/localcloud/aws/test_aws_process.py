"""Processes end with their starter, whole trees of them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from local_aws import eventually

from localcloud.aws.jobs import JobProcess
from localcloud.aws.spark import SubmitError, last_error_lines, parse_parameters
from localcloud.aws.staging import StagingError, split_s3_uri
from localcloud.process import supervised

TREE = """
import os, pathlib, subprocess, sys, time
own = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(900)"])
apart = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(900)"], start_new_session=True)
pathlib.Path(sys.argv[1]).write_text(f"{os.getpid()} {own.pid} {apart.pid}\\n")
if "leave" not in sys.argv:
    time.sleep(900)
"""


def _pids(path: Path) -> list[int]:
    eventually(lambda: path.exists() and path.read_text().endswith("\n"))
    return [int(pid) for pid in path.read_text().split()]


def _ended(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # it may end between the opening of the file and the reading
        return True
    return status.rsplit(")", 1)[1].split()[0] == "Z"


def _start(tmp_path: Path, *arguments: str) -> subprocess.Popen[bytes]:
    argv = supervised([sys.executable, "-c", TREE, str(tmp_path / "pids"), *arguments])
    return subprocess.Popen(argv, stdin=subprocess.PIPE)


def test_closing_the_lifeline_ends_the_whole_tree(tmp_path: Path) -> None:
    process = _start(tmp_path)
    pids = _pids(tmp_path / "pids")
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(60) == 128 + signal.SIGKILL
    for pid in pids:
        eventually(lambda pid=pid: _ended(pid))


def test_a_term_is_handed_on_and_leaves_nobody(tmp_path: Path) -> None:
    with _start(tmp_path) as process:
        pids = _pids(tmp_path / "pids")
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
        for pid in pids:
            eventually(lambda pid=pid: _ended(pid))


def test_a_job_that_ends_takes_what_it_left_with_it(tmp_path: Path) -> None:
    with _start(tmp_path, "leave") as process:
        pids = _pids(tmp_path / "pids")
        assert process.wait(60) == 0
        for pid in pids:
            eventually(lambda pid=pid: _ended(pid))


def test_killing_the_starter_ends_the_whole_tree(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        f"subprocess.Popen({supervised([sys.executable, '-c', TREE, str(tmp_path / 'pids')])!r}, "
        "stdin=subprocess.PIPE)\ntime.sleep(900)"
    )
    starter = subprocess.Popen([sys.executable, "-c", code])
    pids = _pids(tmp_path / "pids")
    starter.kill()
    starter.wait()
    for pid in pids:
        eventually(lambda pid=pid: _ended(pid))


def test_a_job_that_ignores_term_is_killed_after_the_grace(tmp_path: Path) -> None:
    lines: list[tuple[str, str]] = []
    code = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('ready', flush=True); print('oops', file=sys.stderr, flush=True); time.sleep(900)"
    )
    job = JobProcess([sys.executable, "-c", code], env={}, cwd=tmp_path, sink=lambda *line: lines.append(line))
    eventually(lambda: len(lines) == 2)
    assert job.wait(0.1) is None
    assert job.stop(0.2) == 128 + signal.SIGKILL
    assert sorted(lines) == [("stderr", "oops"), ("stdout", "ready")]
    assert list(job.tail["stderr"]) == ["oops"]


def test_submit_parameters_are_taken_apart() -> None:
    taken = parse_parameters(
        "--py-files s3://b/a.zip,s3://b/c.zip --conf spark.x='a b' --conf=spark.y=1=2 --driver-memory 8g "
        "--class org.Main --conf spark.emr-serverless.driverEnv.K=v --conf spark.emr-serverless.executor.disk=9G"
    )
    assert taken.files == {"--py-files": ["s3://b/a.zip", "s3://b/c.zip"]}
    assert taken.confs == {"spark.x": "a b", "spark.y": "1=2"}
    assert taken.driver_environment == {"K": "v"}
    assert taken.options == ["--class", "org.Main"]


@pytest.mark.parametrize("parameters", ["--conf spark.x", "--conf", "word", "--conf 'unclosed"])
def test_submit_parameters_that_are_none_are_refused(parameters: str) -> None:
    with pytest.raises(SubmitError, match="sparkSubmitParameters"):
        parse_parameters(parameters)


def test_the_last_error_lines_leave_log_lines_out() -> None:
    stderr = ["26/01/02 03:04:05 INFO SparkContext: started", "Traceback:", "ValueError: no", ""]
    assert last_error_lines(stderr, ["out"]) == ["Traceback:", "ValueError: no"]
    assert last_error_lines(stderr[:1], ["out"]) == ["out"]


def test_only_s3_uris_are_staged() -> None:
    assert split_s3_uri("s3://bucket/a/b") == ("bucket", "a/b")
    assert split_s3_uri("s3a://bucket") == ("bucket", "")
    for uri in ("file:///etc/passwd", "/etc/passwd", "s3:///x"):
        with pytest.raises(StagingError, match="no S3 URI"):
            split_s3_uri(uri)
