"""The doctor names what is missing and how to mend it, on any Python."""

import fcntl
import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import doctor

DOCTOR = Path(doctor.__file__)


def fake_java(folder: Path, script: str) -> Path:
    """A `bin/java` that is a shell script, as JAVA_HOME would hold it."""
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\n{script}\n")
    java.chmod(java.stat().st_mode | stat.S_IXUSR)
    return folder


@pytest.mark.parametrize(
    ("banner", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "21" 2023-09-19', 21),
        ('java version "1.8.0_392"', 8),
        ("The operation couldn't be completed. Unable to locate a Java Runtime.", None),
    ],
)
def test_java_versions_are_read(banner: str, major: int | None) -> None:
    assert doctor.java_major(banner) == major


def test_this_machine_passes() -> None:
    assert doctor.examine(DOCTOR.parent.parent, ports=False, browser=False) == []


def test_another_python_is_named_with_its_mend() -> None:
    (problem,) = doctor.check_python((3, 8))
    assert "Python 3.8" in problem.line()
    assert "Python 3.11 is needed" in problem.line()
    assert "PYTHON=" in problem.mend


def test_another_python_without_a_right_one_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    (problem,) = doctor.check_python((3, 12))
    assert "apt-get install python3.11" in problem.mend


def test_missing_tools_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert [problem.what for problem in doctor.check_make()] == ["`make` is not installed"]
    (java,) = doctor.check_java()
    assert java.what == "Java is not installed; JDK 17 is needed"
    (browser,) = doctor.check_browser()
    assert "apt-get install chromium" in browser.line()


def test_java_home_without_java_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    (problem,) = doctor.check_java()
    assert problem.what == f"JAVA_HOME={tmp_path} has no bin/java"


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo 'openjdk version \"11.0.2\"' >&2", "is Java 11, but JDK 17 is needed"),
        ("echo broken >&2; exit 1", "failed (broken)"),
        ('case "$*" in *vector*) exit 1;; esac; echo \'openjdk version "17.0.1"\'', "lacks the module"),
    ],
)
def test_a_wrong_java_is_named(script: str, expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "jdk", script)))
    (problem,) = doctor.check_java()
    assert expected in problem.what


def test_too_little_disk_says_how_much_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: _Usage())
    (problem,) = doctor.check_disk(tmp_path)
    assert "has 5.0 GiB of free disk, but 8 GiB are needed" in problem.what
    assert "at least 3.0 GiB" in problem.mend
    for stamp in doctor.BUILT_STAMPS:
        (tmp_path / stamp).parent.mkdir(parents=True)
        (tmp_path / stamp).touch()
    assert doctor.check_disk(tmp_path) == []


class _Usage:
    free = 5 * doctor.GIB


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_port_in_use_names_port_and_variable(
    taken_port: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GOVTUNE_EDGAR_PORT", str(taken_port))
    lines = [problem.line() for problem in doctor.check_ports(tmp_path)]
    (line,) = [line for line in lines if str(taken_port) in line]
    assert "EDGAR replica" in line
    assert "set GOVTUNE_EDGAR_PORT to a free port" in line


def test_ports_of_our_own_instance_are_no_problem(
    taken_port: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GOVTUNE_EDGAR_PORT", str(taken_port))
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert doctor.check_ports(tmp_path) == []


@pytest.mark.parametrize("text", ["0", "65536", "http", "-1", "٣"])
def test_what_is_no_port_is_said(text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOVTUNE_AWS_PORT", text)
    assert any(f"GOVTUNE_AWS_PORT={text} is not a port" in p.what for p in doctor.check_ports(tmp_path))


def test_it_ends_with_one_where_something_is_missing() -> None:
    environment = {**os.environ, "JAVA_HOME": "/nonexistent"}
    done = subprocess.run([sys.executable, str(DOCTOR)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("doctor: JAVA_HOME=/nonexistent has no bin/java. Mend: ")
