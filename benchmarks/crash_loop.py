"""A backfill that is killed at random moments and started again, and what must hold for it in the end.

`crash_loop` raises AssertionError, with what it found, unless: the objects of the run that at last went through are,
but for `retrieved_at`, those of a run that nobody disturbed; a run on the same cached documents, extracted anew, gives
the same bytes; and no document whose entry was in the cache when a run was killed was ever asked for again.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.backfill import Job
from benchmarks.processes import Replica, start_backfill


@dataclass(frozen=True)
class Outcome:
    """Counts of a loop: runs that were killed, documents in the cache at each kill, and what was asked for in all."""

    kills: int
    committed: list[int]
    documents: int
    document_requests: int
    seconds: float


@dataclass(frozen=True)
class Loop:
    """How a loop goes: `kills` times, at moments drawn from `seed`."""

    source: dict[str, Any]
    years: Sequence[int]
    folder: Path
    kills: int
    seed: int

    def job(self, name: str, cache: str) -> Job:
        """The job of one run; it writes to a folder of its own name."""
        source = self.source | {"cache_dir": str(self.folder / cache)}
        report = str(self.folder / f"{name}.report.json")
        return Job(source, list(self.years), str(self.folder / name), report, delta=False)


def crash_loop(loop: Loop, served: Replica) -> Outcome:
    """Run the loop against a replica that nobody else asks; the folder must be new or empty."""
    loop.folder.mkdir(parents=True, exist_ok=True)
    began = time.time()
    undisturbed = loop.job("undisturbed", "cache-undisturbed")
    seconds = _run(undisturbed, loop.folder)
    killed_since = time.time()
    committed = _kill(loop, served, seconds)
    disturbed = loop.job("disturbed", "cache")
    _run(disturbed, loop.folder)
    requests = [answer for answer in served.answers(killed_since) if answer.is_document]
    objects = _objects(disturbed)
    expected = _objects(undisturbed)
    _check({name: _unstamped(body) for name, body in objects.items()}, {n: _unstamped(b) for n, b in expected.items()})
    shutil.rmtree(loop.folder / "cache" / "extracted")
    again = loop.job("again", "cache")
    _run(again, loop.folder)
    _check(_objects(again), objects)
    assert len([answer for answer in served.answers(killed_since) if answer.is_document]) == len(requests)
    return Outcome(len(committed), committed, len(objects), len(requests), time.time() - began)


def _kill(loop: Loop, served: Replica, undisturbed_seconds: float) -> list[int]:
    """Kill run after run; the numbers of documents that were in the cache at each kill.

    The first runs are killed early, the last ones at any moment up to the end, also while objects are written.
    """
    chance = random.Random(loop.seed)
    job = loop.job("disturbed", "cache")
    committed: list[int] = []
    before: set[str] = set()
    whole_run = undisturbed_seconds
    while len(committed) < loop.kills:
        since = time.time()
        process = start_backfill(job, loop.folder / "job.json")
        began = time.monotonic()
        killed = False
        try:
            process.wait(chance.uniform(0, min(whole_run, undisturbed_seconds * (len(committed) + 1) / loop.kills)))
            whole_run = time.monotonic() - began  # it went through: the next ones find everything in the cache
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            killed = True
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
        _check_not_asked_again(served, since, before)
        before = _committed(Path(job.source["cache_dir"]))
        if killed:
            committed.append(len(before))
    return committed


def _check_not_asked_again(served: Replica, since: float, before: set[str]) -> None:
    again = before & {answer.path for answer in served.answers(since)}
    assert not again, f"{len(again)} documents were in the cache and were asked for again: {sorted(again)[:3]}"


def _committed(cache: Path) -> set[str]:
    """The URL paths of documents whose entries are in a cache."""
    entries = [json.loads(path.read_bytes()) for path in (cache / "entries").rglob("*.json")]
    paths = {urlsplit(entry["url"]).path for entry in entries if entry["sha256"]}
    return {path for path in paths if path.startswith("/Archives/")}


def _run(job: Job, folder: Path) -> float:
    """Let a job go through; seconds from its start of work."""
    process = start_backfill(job, folder / "job.json")
    began = time.monotonic()
    process.communicate()
    assert process.returncode == 0, f"the run ended with {process.returncode}"
    return time.monotonic() - began


def _objects(job: Job) -> dict[str, bytes]:
    out = Path(job.out)
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*.json")}


def _unstamped(body: bytes) -> bytes:
    """An object without the line that says when its document was fetched."""
    return b"\n".join(line for line in body.split(b"\n") if not line.startswith(b' "retrieved_at"'))


def _check(found: dict[str, bytes], expected: dict[str, bytes]) -> None:
    assert found.keys() == expected.keys(), f"other objects: {sorted(found.keys() ^ expected.keys())[:3]}"
    differing = [name for name, body in found.items() if body != expected[name]]
    assert not differing, f"{len(differing)} objects differ: {differing[:3]}"
    assert found, "there is no object to compare"
