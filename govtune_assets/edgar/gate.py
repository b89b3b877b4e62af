"""One rate limit and one pause for all processes that share a folder.

The SEC counts requests of one user over all processes and machines; a backfill runs a process for each year. The
schedule therefore is a small file under an advisory lock: the time of the next free slot, and the end of a pause.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

_LAYOUT = struct.Struct("<dd")  # next free slot, end of the pause; seconds since the epoch
_LEAST_GAP = 0.9  # of a slot's length is kept after a late start, so that the average holds
_TICK = 1.0  # seconds between reports of a countdown


class RateGate:
    """Lets requests go `1 / rate` seconds apart, over every process that uses the same file.

    One task of a process waits for its slot at a time, and a late start moves the next slot: a process that was held up
    must not send what it missed in one burst.
    """

    def __init__(self, path: Path, rate: float, pause_seconds: float) -> None:
        self._path = path
        self._step = 1.0 / rate
        self._pause = pause_seconds
        self._turn = asyncio.Lock()

    async def slot(self, on_wait: Callable[[float], None]) -> float:
        """Wait for a slot and return the time; `on_wait` is told the seconds left, every second of a pause."""
        async with self._turn:
            while True:
                at, pause_ends = self._reserve()
                await self._sleep_until(at, pause_ends, on_wait)
                started = self._start(at)
                if started is not None:
                    return started

    def pause(self, asked_at: float) -> bool:
        """Begin a pause because a request made at `asked_at` was refused; False where one began since."""
        with _Locked(self._path) as file:
            slot, until = file.read()
            if until - self._pause >= asked_at:
                return False
            until = time.time() + self._pause
            file.write(max(slot, until), until)
            return True

    def paused_until(self) -> float:
        """The end of the pause in force, or of the last one."""
        with _Locked(self._path) as file:
            return file.read()[1]

    def _reserve(self) -> tuple[float, float]:
        """The time of a slot, and the end of the pause in force or of the last one."""
        with _Locked(self._path) as file:
            slot, until = file.read()
            now = time.time()
            if slot > now + self._pause + 60:  # written under a clock that has been set back since
                slot = until = 0.0
            at = max(now, slot, until)
            file.write(at + self._step, until)
            return at, until

    def _start(self, at: float) -> float | None:
        """The time, now that the slot has come; None where a pause began meanwhile."""
        with _Locked(self._path) as file:
            slot, until = file.read()
            if until > at:
                return None
            now = time.time()
            file.write(max(slot, now + _LEAST_GAP * self._step), until)
            return now

    async def _sleep_until(self, at: float, pause_ends: float, on_wait: Callable[[float], None]) -> None:
        while (left := at - (now := time.time())) > 0:
            if pause_ends > now:
                on_wait(pause_ends - now)
            await asyncio.sleep(min(left, _TICK))


class _Locked:
    """The schedule file, opened and locked; held for microseconds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def __enter__(self) -> _Locked:
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def read(self) -> tuple[float, float]:
        data = os.pread(self._fd, _LAYOUT.size, 0)
        slot, until = _LAYOUT.unpack(data) if len(data) == _LAYOUT.size else (0.0, 0.0)
        return slot, until

    def write(self, slot: float, until: float) -> None:
        os.pwrite(self._fd, _LAYOUT.pack(slot, until), 0)
