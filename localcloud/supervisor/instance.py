"""One supervisor for a state folder: the lock that ensures it, and the record that tells others what runs.

The lock is the kernel's (`flock`), so it is free again the moment its holder ends, however that happens. The record
only tells; whether it is true is what the lock says.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from localcloud.supervisor.errors import AlreadyRunning, LocalCloudError
from localcloud.supervisor.layout import Layout
from localcloud.supervisor.private import write_private

# A holder that has just started needs a moment to write its record.
RECORD_WAIT_SECONDS = 5.0


@dataclass(frozen=True)
class ServiceRecord:
    """One running service, as `status` shows it."""

    name: str
    what: str
    url: str
    health: str
    pid: int


@dataclass(frozen=True)
class Instance:
    """What a supervisor says about itself."""

    pid: int
    started: str
    ready: bool
    edgar: str
    services: tuple[ServiceRecord, ...] = ()

    def is_alive(self) -> bool:
        """Whether the process still is the one that wrote this, and not a later one with its number."""
        return process_start(self.pid) == self.started

    def has(self, service: str) -> bool:
        return any(record.name == service for record in self.services)


def process_start(pid: int) -> str:
    """What tells a process from a later one with the same number: its start time; empty where none runs."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            # Fields 3 (state) and 22 (start time) of proc(5), counted behind the command name, which may itself
            # hold spaces and brackets.
            fields = stat.read_text().rpartition(")")[2].split()
            return "" if fields[0] == "Z" else fields[19]
        except (FileNotFoundError, ProcessLookupError):
            return ""
    done = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)],  # noqa: S607 - macOS keeps ps in /bin
        capture_output=True,
        text=True,
        check=False,
    )
    state, _, started = done.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else started.strip()


@dataclass
class Claim:
    """The held lock of a state folder; publishes the record."""

    layout: Layout
    edgar: str

    def publish(self, services: tuple[ServiceRecord, ...], *, ready: bool) -> None:
        pid = os.getpid()
        record = Instance(pid, process_start(pid), ready, self.edgar, services)
        write_private(self.layout.instance, json.dumps(asdict(record), indent=2) + "\n")


@contextlib.contextmanager
def claim(layout: Layout, edgar: str) -> Iterator[Claim]:
    """Holds the state folder's lock.

    Raises AlreadyRunning when another supervisor does.
    """
    handle = os.open(layout.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not _locked_now(handle):
            holder = running(layout)
            if holder is None:  # it ended, or another process only looked whether the lock is held
                continue
            raise AlreadyRunning(
                f"The local cloud of {layout.state} is already running (process {holder.pid}, "
                f"EDGAR={holder.edgar}). Stop it with `make down`, or choose another state folder with "
                "GOVTUNE_STATE."
            )
        holding = Claim(layout, edgar)
        holding.publish((), ready=False)
        yield holding
        layout.instance.unlink(missing_ok=True)
    finally:
        os.close(handle)


def _locked_now(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def running(layout: Layout) -> Instance | None:
    """The instance that holds the state folder, or None.

    Raises LocalCloudError when the lock is held but no record of the holder appears.
    """
    deadline = time.monotonic() + RECORD_WAIT_SECONDS
    while _is_locked(layout.lock):
        instance = read(layout)
        if instance is not None and instance.is_alive():
            return instance
        if time.monotonic() > deadline:
            raise LocalCloudError(
                f"{layout.lock} is held by a process that left no record in {layout.instance}; "
                f"find it with `fuser {layout.lock}` and stop it."
            )
        time.sleep(0.05)
    return None


def read(layout: Layout) -> Instance | None:
    """The record as it lies there, true or stale; None where there is none."""
    try:
        raw: dict[str, Any] = json.loads(layout.instance.read_text())
        services = tuple(ServiceRecord(**record) for record in raw.pop("services"))
        return Instance(**raw, services=services)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise LocalCloudError(f"{layout.instance} is not a record of this version ({error}); delete it.") from None


def _is_locked(lock: Path) -> bool:
    try:
        handle = os.open(lock, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
