"""How fast a collection goes now, and when it will be done."""

from __future__ import annotations

from collections import deque

_WINDOW = 30.0  # seconds over which a rate is taken: a start from the cache must not make the rest look fast


class Pace:
    """The rate of the last half minute."""

    def __init__(self, began: float) -> None:
        self._seen = deque([(began, 0)])

    def of(self, now: float, done: int, expected: float | None) -> tuple[float, float | None]:
        """Filings a second, and the seconds left; None where the rate is zero or nobody knows how many there will be.

        `now` is in monotonic seconds, `done` and `expected` are counts of filings.
        """
        self._seen.append((now, done))
        while now - self._seen[0][0] > _WINDOW:
            self._seen.popleft()
        since, before = self._seen[0]
        rate = (done - before) / (now - since) if now > since else 0.0
        if expected is None:
            return rate, None
        left = max(0.0, expected - done)
        return rate, 0.0 if not left else left / rate if rate else None
