"""Processes of a measurement: the replica, the backfill, the memory and CPU time of a process with its children, the
access log."""

import json
import os
import re
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.backfill import Job

ROOT = Path(__file__).resolve().parents[1]
_SAMPLE_EVERY = 0.5  # seconds
_CPU_SAMPLE_EVERY = 0.2  # seconds
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Answer:
    """A line of the replica's access log."""

    at: float
    path: str
    kind: str

    @property
    def is_document(self) -> bool:
        """Whether a filing's document was asked for."""
        return self.path.startswith("/Archives/")


@dataclass(frozen=True)
class Replica:
    """A running replica and its access log."""

    url: str
    log: Path

    def answers(self, since: float = 0.0) -> list[Answer]:
        """What it answered since a time, in order."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [answer for line in lines if (answer := Answer(**json.loads(line))).at >= since]


@contextmanager
def replica(root: Path, log: Path, *options: str) -> Iterator[Replica]:
    """A replica of a folder, in a process of its own."""
    command = [sys.executable, "-m", "localcloud.edgar", "--root", str(root), "--port", "0", "--access-log", str(log)]
    process = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment())
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+", line)
        if address is None:
            raise RuntimeError(f"the replica did not start: {line}{process.stderr.read()}")
        yield Replica(address[0], log)
    finally:
        process.terminate()
        process.communicate()


def environment() -> dict[str, str]:
    """The environment in which this checkout's modules are found first."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def start_backfill(job: Job, at: Path) -> subprocess.Popen[str]:
    """Start a backfill in a session of its own and wait until it is at work; its group can be killed as one."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.backfill", str(job.write(at))],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(),
        start_new_session=True,
    )
    assert process.stdout is not None
    if process.stdout.readline() != "started\n":
        raise RuntimeError("the backfill did not start")
    return process


class _Sampler(ABC):
    """Looks at a process and all its descendants again and again while it is used as a context manager."""

    def __init__(self, pid: int, every: float) -> None:
        self._pid = pid
        self._every = every
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(self._every):
            self._sample()

    @abstractmethod
    def _sample(self) -> None: ...


class Memory(_Sampler):
    """Samples the memory of a process and all its descendants while it is used as a context manager.

    `peak` is the largest sum of proportional set sizes (PSS), in bytes: a page that several processes share is
    counted once. A process counts from its second sample on: until it runs its own program, one that a Java process
    starts (vfork) has that one's memory, which would be counted twice.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(pid, _SAMPLE_EVERY)
        self.peak = 0
        self._before = {pid}

    def _sample(self) -> None:
        now = set(_tree(self._pid))
        self.peak = max(self.peak, sum(map(_pss, now & self._before)))
        self._before = now


class CpuTime(_Sampler):
    """Samples the CPU time of a process and all its descendants while it is used as a context manager.

    A process is known by its id and its start, and counts with what it had used when it was last seen. The kernel's
    own sum over ended children is not used: it leaves out those whose parent ignores their end, such as the workers
    of PySpark's daemon. What a process uses after its last sample is lost, at most a sample's distance.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(pid, _CPU_SAMPLE_EVERY)
        self._spent: dict[tuple[int, str], float] = {}
        self._lock = threading.Lock()

    def seconds(self) -> float:
        """What all of them have used until now, in seconds."""
        self._sample()
        with self._lock:
            return sum(self._spent.values())

    def _sample(self) -> None:
        with self._lock:
            for pid in _tree(self._pid):
                try:
                    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                except OSError:  # it ended meanwhile
                    continue
                # See proc_pid_stat(5): its user and system time, and its start, behind the name in brackets.
                self._spent[pid, fields[19]] = sum(map(int, fields[11:13])) / _TICKS


def _tree(pid: int) -> Iterator[int]:
    """The process and its descendants. A child belongs to the thread that started it: each is asked."""
    yield pid
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = listed.read_text().split()
        except OSError:  # it ended meanwhile
            continue
        for child in children:
            yield from _tree(int(child))


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it ended meanwhile
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
