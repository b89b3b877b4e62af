"""One supervisor for a state folder, and a record that is believed only while its writer lives."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from localcloud.supervisor import instance
from localcloud.supervisor.errors import AlreadyRunning, LocalCloudError
from localcloud.supervisor.instance import ServiceRecord
from localcloud.supervisor.layout import PROJECT_ROOT, Layout

HOLD = """
import sys, pathlib
from localcloud.supervisor import instance
from localcloud.supervisor.layout import Layout
with instance.claim(Layout(pathlib.Path(sys.argv[1])), "sample"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "state")
    made.create()
    return made


def hold(layout: Layout) -> subprocess.Popen[str]:
    """Another process that holds the state folder until its input closes."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(layout.state)],
        cwd=PROJECT_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_free_folder_runs_nothing(layout: Layout) -> None:
    assert instance.running(layout) is None


def test_the_holder_is_told_and_gone_when_it_ends(layout: Layout) -> None:
    with instance.claim(layout, "sample") as claim:
        service = ServiceRecord("aws", "Local AWS", "http://127.0.0.1:1", "/health", 7)
        claim.publish((service,), ready=True)
        found = instance.running(layout)
        assert found is not None
        assert (found.pid, found.ready, found.edgar, found.services) == (os.getpid(), True, "sample", (service,))
        assert stat.S_IMODE(layout.instance.stat().st_mode) == 0o600
    assert instance.running(layout) is None
    assert not layout.instance.exists()


def test_a_second_supervisor_is_refused_and_told_of_the_first(layout: Layout) -> None:
    with hold(layout) as first:
        with pytest.raises(AlreadyRunning, match=f"process {first.pid}") as refusal, instance.claim(layout, "live"):
            pytest.fail("held twice")
        assert "make down" in str(refusal.value)
        assert "GOVTUNE_STATE" in str(refusal.value)
        first.communicate()
    with instance.claim(layout, "live"):
        pass


def test_a_killed_holder_holds_nothing(layout: Layout) -> None:
    with hold(layout) as first:
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert layout.instance.exists()
    assert instance.running(layout) is None
    with instance.claim(layout, "sample"):
        found = instance.running(layout)
        assert found is not None
        assert found.pid == os.getpid()


def test_a_later_process_with_the_same_number_is_not_the_holder(layout: Layout) -> None:
    with instance.claim(layout, "sample"):
        record = json.loads(layout.instance.read_text())
        layout.instance.write_text(json.dumps({**record, "started": "0"}))
        found = instance.read(layout)
        assert found is not None
        assert not found.is_alive()


def test_process_starts_tell_processes_apart() -> None:
    assert instance.process_start(os.getpid())
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    assert instance.process_start(ended.pid) == ""


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pid": 1, "services": [{"x": 1}]}'])
def test_a_record_of_another_shape_is_an_error_that_names_it(text: str, layout: Layout) -> None:
    layout.instance.write_text(text)
    with pytest.raises(LocalCloudError, match=r"instance\.json"):
        instance.read(layout)
