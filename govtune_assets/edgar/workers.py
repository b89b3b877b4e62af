"""Worker processes that extract documents: plain subprocesses that are asked over a pipe, a JSON line a document.

They start in a tenth of a second wherever the parent runs, as they import the extraction alone, and see none of the
parent's environment but what a process needs to run: documents are hostile, and no secret is near them. A document that
ends, or hangs, its worker takes no other document along.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import govtune_assets
from govtune_assets.extraction import worker
from govtune_assets.extraction.worker import DamagedBodyError, Extracted

WORKER_MODULE = worker.__name__
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
_LONGEST_ANSWER = 64 * 1024  # bytes of a line
_HANGS = worker.TIME_LIMIT + 30  # seconds after which a worker that did not give up by itself is killed


class WorkerEndedError(Exception):
    """A document ended its worker, twice."""


class DocumentFailedError(Exception):
    """The extraction of a document raised an error, whose type and words the message has, or gave no sound answer."""


class Workers:
    """At most `number` processes, started as they are needed; `close` ends them."""

    def __init__(self, number: int, cache_dir: Path) -> None:
        self._cache_dir = cache_dir
        self._turns = asyncio.Semaphore(number)
        self._idle: list[_Worker] = []

    async def extract(self, document: Path, sha256: str, form_type: str) -> Extracted:
        """Extract a stored document, as `worker.run` does.

        Raises DamagedBodyError, DocumentFailedError, WorkerEndedError, TimeoutError for a document that hangs its
        worker, and OSError where the result cannot be written.
        """
        request = {
            "document": str(document),
            "sha256": sha256,
            "form_type": form_type,
            "cache_dir": str(self._cache_dir),
        }
        async with self._turns:
            answer = await self._ask(request) or await self._ask(request)
        if answer is None:
            raise WorkerEndedError(f"{document} ended its worker, and another one that it was given alone")
        found = worker.load(worker.result_path(self._cache_dir, sha256, form_type)) if "cpu_seconds" in answer else None
        if found is not None:
            return replace(found, cpu_seconds=answer["cpu_seconds"])
        if "damaged" in answer:
            raise DamagedBodyError(answer["damaged"])
        if "errno" in answer:
            raise OSError(answer["errno"], answer["strerror"], answer["filename"])
        raise DocumentFailedError(answer.get("failed", "the result vanished from the cache folder"))

    async def close(self) -> None:
        """End the processes; each has a moment to do so."""
        for idle in self._idle:
            idle.requests.close()
        await asyncio.gather(*(idle.process.wait() for idle in self._idle))
        self._idle.clear()

    async def _ask(self, request: dict[str, str]) -> dict[str, Any] | None:
        """A worker's answer, or None where the worker ended instead."""
        asked = self._idle.pop() if self._idle else await self._start()
        try:
            asked.requests.write(json.dumps(request).encode() + b"\n")
            answer = _read(await asyncio.wait_for(_line(asked.answers), _HANGS))
        except BaseException:
            asked.process.kill()
            await asked.process.wait()
            raise
        if answer is None:
            await asked.process.wait()
        else:
            self._idle.append(asked)
        return answer

    async def _start(self) -> _Worker:
        root = Path(govtune_assets.__file__).parents[1]
        passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            WORKER_MODULE,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_ANSWER,
            env={**passed_on, "PYTHONPATH": str(root)},
        )
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a worker was started without its pipes")
        return _Worker(process, process.stdin, process.stdout)


@dataclass(frozen=True, slots=True)
class _Worker:
    process: asyncio.subprocess.Process
    requests: asyncio.StreamWriter
    answers: asyncio.StreamReader


async def _line(answers: asyncio.StreamReader) -> bytes:
    """A line, empty at the end of the stream."""
    try:
        return await answers.readline()
    except ValueError:  # so `readline` reports a line beyond the stream's limit
        raise DocumentFailedError(f"its worker answered with more than {_LONGEST_ANSWER} bytes") from None


def _read(line: bytes) -> dict[str, Any] | None:
    """The answer in a line; None for a line that is empty or was cut by the worker's end."""
    if not line.endswith(b"\n"):
        return None
    try:
        answer = json.loads(line)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise DocumentFailedError("its worker answered with something else than a JSON object")
    return answer
