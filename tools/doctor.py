"""Checks what a machine must have before anything is built on it, and says how to mend what is missing.

Only the standard library, and only syntax that Python 3.8 reads: on a machine with the wrong Python this
file must still be able to say so. Each problem is one line with its mend; the exit code is 1 when there is
any.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PYTHON = (3, 11)
JAVA = 17
GIB = 1024**3
FIRST_BUILD_GIB = 8.0
LATER_BUILD_GIB = 2.0
COMMAND_TIMEOUT_SECONDS = 30
BUILT_STAMPS = tuple(f"{folder}/.bootstrap-digest" for folder in (".venv", ".venv-train", ".venv-tracking"))
BROWSERS = ("chromium", "chromium-browser")
PORTS = (
    ("GOVTUNE_AWS_PORT", 4570, "the local AWS"),
    ("GOVTUNE_DATABRICKS_PORT", 4571, "the local Databricks workspace"),
    ("GOVTUNE_EDGAR_PORT", 4572, "the EDGAR replica"),
    ("GOVTUNE_MLFLOW_PORT", 4573, "MLflow"),
    ("GOVTUNE_DAGSTER_PORT", 3000, "the Dagster UI"),
)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and what the reader does about it."""

    what: str
    mend: str

    def line(self) -> str:
        return f"{self.what}. Mend: {self.mend}."


def check_python(version: tuple[int, int]) -> list[Problem]:
    """The orchestrator and both payloads are pinned for one Python, the one of the constraints files."""
    if version == PYTHON:
        return []
    wanted = ".".join(map(str, PYTHON))
    here = ".".join(map(str, version))
    found = shutil.which(f"python{wanted}")
    if found:
        mend = f"run make with PYTHON={found}"
    else:
        mend = (
            f"install Python {wanted} (Debian: apt-get install python{wanted} python{wanted}-venv; "
            f"macOS: brew install python@{wanted}) and run make with PYTHON=python{wanted}"
        )
    return [Problem(f"This is Python {here} at {sys.executable}, but Python {wanted} is needed", mend)]


def check_venv() -> list[Problem]:
    """Debian ships `venv` and `ensurepip` apart from Python itself."""
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if not missing:
        return []
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    return [Problem(f"Python's module {' and '.join(missing)} is missing", f"apt-get install {package}")]


def check_make() -> list[Problem]:
    if shutil.which("make"):
        return []
    return [Problem("`make` is not installed", "apt-get install make, or Apple's command line tools on macOS")]


def java_command() -> str | None:
    """The `java` that Spark will start: that of JAVA_HOME when it is set, else the first on PATH."""
    home = os.environ.get("JAVA_HOME")
    if home:
        candidate = Path(home) / "bin" / "java"
        return str(candidate) if os.access(candidate, os.X_OK) else None
    return shutil.which("java")


def java_major(banner: str) -> int | None:
    """The major version in what `java -version` prints, for example 17 of `openjdk version "17.0.15"`."""
    match = re.search(r'version "(?:1\.)?(\d+)', banner)
    return int(match.group(1)) if match else None


def _java_banner(java: str, *options: str) -> tuple[bool, str]:
    try:
        done = subprocess.run(
            [java, *options, "-version"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=COMMAND_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    return done.returncode == 0, done.stdout.decode("utf-8", "replace")


def _java_mend() -> str:
    homes = [home for pattern in ("*-17-*", "*17*") for home in Path("/usr/lib/jvm").glob(pattern)]
    usable = sorted({home for home in homes if (home / "bin" / "java").exists() and not home.is_symlink()})
    if usable:
        return f"set JAVA_HOME={usable[0]}"
    return (
        f"install JDK {JAVA} (Debian and Ubuntu: apt-get install openjdk-{JAVA}-jdk-headless; "
        f"macOS: brew install openjdk@{JAVA}) or set JAVA_HOME to one"
    )


def check_java() -> list[Problem]:
    """Spark 4.0 runs on JDK 17 and opens its module `jdk.incubator.vector`, which stripped runtimes lack."""
    home = os.environ.get("JAVA_HOME")
    java = java_command()
    if java is None:
        what = f"JAVA_HOME={home} has no bin/java" if home else f"Java is not installed; JDK {JAVA} is needed"
        return [Problem(what, _java_mend())]
    works, banner = _java_banner(java)
    major = java_major(banner)
    if not works or major is None:
        first = banner.strip().splitlines()[0] if banner.strip() else "it printed nothing"
        return [Problem(f"`{java} -version` failed ({first})", _java_mend())]
    if major != JAVA:
        return [Problem(f"{java} is Java {major}, but JDK {JAVA} is needed", _java_mend())]
    if not _java_banner(java, "--add-modules=jdk.incubator.vector")[0]:
        return [Problem(f"{java} lacks the module jdk.incubator.vector that Spark opens", _java_mend())]
    return []


def check_browser() -> list[Problem]:
    """The browser tests drive the chromium of the distribution; none is downloaded."""
    if any(map(shutil.which, BROWSERS)):
        return []
    return [Problem("Chromium, which the browser tests drive, is not installed", "apt-get install chromium")]


def check_disk(root: Path) -> list[Problem]:
    """The first build brings two environments, jars and a model; later ones only write state."""
    built = all((root / stamp).exists() for stamp in BUILT_STAMPS)
    needed = LATER_BUILD_GIB if built else FIRST_BUILD_GIB
    free = shutil.disk_usage(root).free / GIB
    if free >= needed:
        return []
    mend = f"free at least {needed - free:.1f} GiB there, or move the checkout to a larger disk"
    return [Problem(f"{root} has {free:.1f} GiB of free disk, but {needed:.0f} GiB are needed", mend)]


def _port_problem(variable: str, default: int, holder: str) -> Problem | None:
    text = os.environ.get(variable, "") or str(default)
    if not (text.isascii() and text.isdecimal()) or not 0 < int(text) < 65536:  # noqa: PLR2004 - the range of TCP ports
        return Problem(f"{variable}={text} is not a port", f"set {variable} to a number from 1 to 65535")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(text)))
        except OSError:
            mend = f"stop what listens there (`ss -ltnp` names it), or set {variable} to a free port"
            return Problem(f"Port {text} for {holder} is in use", mend)
    return None


def instance_running(state: Path) -> bool:
    """Whether this checkout's own local cloud is up: it holds a lock on `lock` in its state folder."""
    import fcntl

    try:
        handle = os.open(state / "lock", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def check_ports(state: Path) -> list[Problem]:
    """All ports of the local cloud are free, or held by our own running instance."""
    if instance_running(state):
        return []
    found = [_port_problem(*port) for port in PORTS]
    return [problem for problem in found if problem is not None]


def examine(root: Path, *, ports: bool, browser: bool) -> list[Problem]:
    """Every check in turn; a wrong Python ends it, since the later answers would be about the wrong one."""
    problems = check_python((sys.version_info[0], sys.version_info[1]))
    if not problems:
        problems += check_venv()
    problems += check_make() + check_java() + check_disk(root)
    if browser:
        problems += check_browser()
    if ports:
        problems += check_ports(Path(os.environ.get("GOVTUNE_STATE") or root / ".govtune"))
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description="Check the prerequisites of this project on this machine.")
    parser.add_argument("--ports", action="store_true", help="also check that the local cloud's ports are free")
    parser.add_argument("--browser", action="store_true", help="also check for the tests' browser")
    options = parser.parse_args()
    root = Path(__file__).resolve().parent.parent
    problems = examine(root, ports=options.ports, browser=options.browser)
    for problem in problems:
        print(f"doctor: {problem.line()}", file=sys.stderr)
    if not problems:
        print(f"doctor: Python {'.'.join(map(str, PYTHON))}, JDK {JAVA}, disk and tools are as needed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
