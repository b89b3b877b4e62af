"""Builds the project's three Python environments from their resolved constraints, once.

`.venv` holds the orchestrator (Dagster, the local cloud, the tests), `.venv-train` what a training job runs in,
`.venv-tracking` MLflow's server; see docs/decisions/environments.md. Only the standard library: nothing is installed
yet when this runs. An environment carries a stamp with the digest of everything it was built from, written last, so
that a second run is instant. An interrupted build is thrown away and made again out of the package cache: what is in
it may be half a package.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tools import pip_settings

STAMP = ".bootstrap-digest"
UNFINISHED_FOLDER = Path(".cache") / "bootstrap"
LAYOUT_VERSION = "1"
LOG_TAIL_LINES = 40
NO_SETTINGS = pip_settings.PipSettings({})


class BootstrapError(Exception):
    """A step failed; the message says which, and holds the end of its output without registry addresses."""


@dataclass(frozen=True)
class Environment:
    """One virtual environment: where it lies, what it is built from, whether it has the project."""

    name: str
    folder: Path
    constraints: Path
    inputs: tuple[Path, ...]
    holds_project: bool

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def stamp(self) -> Path:
        return self.folder / STAMP

    @property
    def unfinished(self) -> Path:
        """A mark that is there while a build is under way, and after one that was interrupted."""
        return self.folder.parent / UNFINISHED_FOLDER / f"{self.name}-unfinished"

    def digest(self) -> str:
        """Identifies what the environment must hold: its inputs, the interpreter and its own folder."""
        parts = [LAYOUT_VERSION, sys.version, str(self.folder)]
        parts += [hashlib.sha256(path.read_bytes()).hexdigest() for path in self.inputs]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def is_current(self) -> bool:
        return self.python.exists() and self.stamp.exists() and self.stamp.read_text().strip() == self.digest()


def environments(root: Path) -> dict[str, Environment]:
    """The project's environments by name."""
    constraints = root / "constraints"
    return {
        "orchestrator": Environment(
            name="orchestrator",
            folder=root / ".venv",
            constraints=constraints / "orchestrator.txt",
            inputs=(constraints / "orchestrator.txt", root / "pyproject.toml"),
            holds_project=True,
        ),
        "training": Environment(
            name="training",
            folder=root / ".venv-train",
            constraints=constraints / "training.txt",
            inputs=(constraints / "training.txt",),
            holds_project=False,
        ),
        "tracking": Environment(
            name="tracking",
            folder=root / ".venv-tracking",
            constraints=constraints / "tracking.txt",
            inputs=(constraints / "tracking.txt",),
            holds_project=False,
        ),
    }


def pinned_version(constraints: Path, package: str) -> str:
    """The version of `package` in a resolved constraints file.

    Raises BootstrapError where the file does not pin it.
    """
    for line in constraints.read_text().splitlines():
        name, separator, version = line.split(";")[0].strip().partition("==")
        if separator and name.lower() == package:
            return version
    raise BootstrapError(f"{constraints} does not pin {package}; run `make constraints`")


def run_step(what: str, command: list[str], settings: pip_settings.PipSettings, *, cwd: Path) -> None:
    """Runs one quiet step.

    Raises BootstrapError with the end of its output, from which every configured registry address is removed.
    """
    done = subprocess.run(
        command,
        cwd=cwd,
        env=settings.environment(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        text=True,
        errors="replace",
    )
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-LOG_TAIL_LINES:])
        raise BootstrapError(f"{what} failed (exit code {done.returncode}):\n{settings.redact(tail)}")


def make_orchestrator(target: Environment, root: Path) -> None:
    """Creates `.venv` with the pip that Python ships, brings in uv, and lets uv do the rest."""
    if not target.python.exists():
        run_step("Creating .venv", [sys.executable, "-m", "venv", str(target.folder)], NO_SETTINGS, cwd=root)
    settings = pip_settings.read(target.python)
    uv_version = pinned_version(target.constraints, "uv")
    pip = [str(target.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run_step("Installing uv", [*pip, f"uv=={uv_version}"], settings, cwd=root)
    sync(target, uv=target.folder / "bin" / "uv", settings=settings, root=root)


def make_beside(target: Environment, orchestrator: Environment, root: Path) -> None:
    """Creates one of the other environments with the orchestrator's uv, on the same interpreter."""
    settings = pip_settings.read(orchestrator.python)
    uv = orchestrator.folder / "bin" / "uv"
    if not target.python.exists():
        command = [str(uv), "venv", "--quiet", "--python", str(orchestrator.python), str(target.folder)]
        run_step(f"Creating {target.folder.name}", command, settings, cwd=root)
    sync(target, uv=uv, settings=settings, root=root)


def sync(target: Environment, *, uv: Path, settings: pip_settings.PipSettings, root: Path) -> None:
    """Makes the environment hold exactly what its constraints say, and the project where it belongs."""
    install = [str(uv), "pip"]
    options = ["--quiet", "--python", str(target.python), *settings.uv_arguments()]
    run_step(
        f"Installing {target.constraints.name}",
        [*install, "sync", *options, str(target.constraints)],
        settings,
        cwd=root,
    )
    if target.holds_project:
        editable = [
            "--no-deps",
            "--no-build-isolation",
            "--config-settings",
            "editable_mode=compat",
            "--editable",
        ]
        run_step(
            "Installing the project",
            [*install, "install", *options, *editable, str(root)],
            settings,
            cwd=root,
        )


def build(target: Environment, orchestrator: Environment, root: Path) -> None:
    """Builds one environment unless it is current; the stamp goes first and comes back last.

    One made by hand, which has neither stamp nor mark of a build, is brought to the constraints in place.
    """
    if target.is_current():
        print(f"bootstrap: the {target.name} environment is current")
        return
    print(f"bootstrap: building the {target.name} environment in {target.folder.name} ...", flush=True)
    started = time.monotonic()
    if target.unfinished.exists():
        shutil.rmtree(target.folder, ignore_errors=True)
    target.unfinished.parent.mkdir(parents=True, exist_ok=True)
    target.unfinished.touch()
    target.stamp.unlink(missing_ok=True)
    if target == orchestrator:
        make_orchestrator(target, root)
    else:
        make_beside(target, orchestrator, root)
    target.stamp.write_text(target.digest() + "\n")
    target.unfinished.unlink()
    print(f"bootstrap: the {target.name} environment is ready ({time.monotonic() - started:.0f} s)")


def main() -> int:
    root = Path(__file__).resolve().parent.parent
    known = environments(root)
    parser = argparse.ArgumentParser(description="Build the project's Python environments.")
    parser.add_argument("names", nargs="*", metavar="ENVIRONMENT", help=f"of {', '.join(known)}; default: all")
    chosen = parser.parse_args().names or list(known)
    unknown = sorted(set(chosen) - set(known))
    if unknown:
        parser.error(f"unknown environment {', '.join(unknown)}; choose of {', '.join(known)}")
    try:
        for name in known:
            if name in chosen:
                build(known[name], known["orchestrator"], root)
    except (BootstrapError, pip_settings.PipSettingsError, subprocess.CalledProcessError) as error:
        print(f"bootstrap: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
