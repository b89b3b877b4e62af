"""The SEC's fair-access rules: a declared User-Agent, and at most ten requests a second for one client."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Final

MAX_REQUESTS_PER_SECOND: Final = 10
DEFAULT_BLOCK_SECONDS: Final = 600.0

_EMAIL: Final = re.compile(r"[^\s@<>(),;]+@[^\s@<>(),;]+\.[^\s@<>(),;]+")
_NAME: Final = re.compile(r"[^\W\d_]{2,}")


def is_declared(user_agent: str | None) -> bool:
    """Tell whether a User-Agent holds a name and, apart from it, a contact e-mail address."""
    if user_agent is None:
        return False
    rest, addresses = _EMAIL.subn(" ", user_agent)
    return addresses > 0 and _NAME.search(rest) is not None


class RateLimiter:
    """Blocks a client that sends more than `max_per_second` requests within any one second.

    A blocked client stays blocked for `block_seconds` after its last request: asking again extends the block.
    Safe for use by several threads. `clock` returns monotonic seconds.
    """

    def __init__(
        self,
        max_per_second: int = MAX_REQUESTS_PER_SECOND,
        block_seconds: float = DEFAULT_BLOCK_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if max_per_second < 1 or block_seconds < 0:
            raise ValueError("max_per_second must be at least 1 and block_seconds must not be negative")
        self.max_per_second = max_per_second
        self.block_seconds = block_seconds
        self._clock = clock
        self._lock = Lock()
        self._recent: dict[str, deque[float]] = {}
        self._blocked_until: dict[str, float] = {}

    def admit(self, client: str) -> bool:
        """Count one request of `client` and tell whether it may be answered."""
        with self._lock:
            now = self._clock()
            if now < self._blocked_until.get(client, now):
                self._blocked_until[client] = now + self.block_seconds
                return False
            recent = self._recent.setdefault(client, deque())
            while recent and now - recent[0] >= 1.0:
                recent.popleft()
            recent.append(now)
            if len(recent) <= self.max_per_second:
                return True
            recent.clear()
            self._blocked_until[client] = now + self.block_seconds
            return False
