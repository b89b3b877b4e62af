"""One rate limit and one pause for all processes that share a folder.

The SEC counts requests of one user over all processes and machines; a backfill runs a process for each year. The
schedule therefore is a small file under an advisory lock: when the next request is due, the earliest time at which it
may go, the end of a pause, and the time of the last request.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from pathlib import Path

_LAYOUT = struct.Struct("<dddd")  # a `_Schedule`; seconds since the epoch
_CATCH_UP = 0.9  # of a slot's length is kept between requests that make up for a late one
_LATEST = 1.0  # seconds by which requests may be behind and still be made up for
_TICK = 1.0  # seconds between reports of a countdown


@dataclass(frozen=True, slots=True)
class _Schedule:
    due: float = 0.0
    earliest: float = 0.0
    paused_until: float = 0.0
    started: float = 0.0


class RateGate:
    """Lets requests go `1 / rate` seconds apart on average, over every process that uses the same file.

    One task of a process waits for its slot at a time. A request that starts late, as on a machine with other work,
    moves the next ones, which then go a tenth faster until they have made up for it: never in one burst, and never for
    time in which nobody asked. `least_gap` is the time, in seconds, that two requests are apart whatever the rate.
    """

    def __init__(self, path: Path, rate: float, pause_seconds: float, least_gap: float = 0.0) -> None:
        self._path = path
        self._step = 1.0 / rate
        self._gap = max(_CATCH_UP * self._step, least_gap)
        self._pause = pause_seconds
        self._turn = asyncio.Lock()

    async def slot(self, on_wait: Callable[[float], None]) -> float:
        """Wait for a slot and return the time; `on_wait` is told the seconds left, every second of a pause."""
        asked_at = time.time()
        async with self._turn:
            at, pause_ends = self._reserve(asked_at)
            while True:
                await self._sleep_until(at, pause_ends, on_wait)
                started, at, pause_ends = self._start()
                if started is not None:
                    return started

    def pause(self, asked_at: float) -> bool:
        """Begin a pause because a request made at `asked_at` was refused; False where one began since."""
        with _Locked(self._path) as file:
            known = file.read()
            if known.paused_until - self._pause >= asked_at:
                return False
            until = time.time() + self._pause
            file.write(
                replace(known, due=max(known.due, until), earliest=max(known.earliest, until), paused_until=until)
            )
            return True

    def _reserve(self, asked_at: float) -> tuple[float, float]:
        """The time of a slot, and the end of the pause in force or of the last one."""
        with _Locked(self._path) as file:
            known = file.read()
            now = time.time()
            if known.earliest > now + self._pause + 60:  # written under a clock that has been set back since
                known = _Schedule()
            due = max(known.due, min(asked_at, now), now - _LATEST)
            at = max(now, due, known.earliest, known.paused_until)
            file.write(replace(known, due=due + self._step, earliest=at + self._gap))
            return at, known.paused_until

    def _start(self) -> tuple[float | None, float, float]:
        """The time, now that the slot has come; None, and when to try again and the end of the pause, where it may not
        start yet: a pause began meanwhile, or another process started late, just now."""
        with _Locked(self._path) as file:
            known = file.read()
            now = time.time()
            at = max(known.paused_until, known.started + self._gap)
            if now < at:
                return None, at, known.paused_until
            file.write(replace(known, earliest=max(known.earliest, now + self._gap), started=now))
            return now, now, known.paused_until

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

    def read(self) -> _Schedule:
        data = os.pread(self._fd, _LAYOUT.size, 0)
        return _Schedule(*_LAYOUT.unpack(data)) if len(data) == _LAYOUT.size else _Schedule()

    def write(self, schedule: _Schedule) -> None:
        os.pwrite(self._fd, _LAYOUT.pack(*astuple(schedule)), 0)
