"""How often a collection's progress is written where each line stays, such as a run's log or a file."""

import time
from collections.abc import Callable

from govtune_assets.edgar import Progress

EVERY = 5.0
"""Seconds between two lines while filings come in."""
EVERY_IN_PAUSE = 30.0
"""Seconds between two lines of the countdown while the source wants no requests."""


class Throttle:
    """Decides which reports are written. Events are, and so is the first report of a pause.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._last = clock()
        self._pausing = False

    def is_due(self, progress: Progress) -> bool:
        """Whether this report is to be written; it counts as written then."""
        pausing = progress.paused is not None
        event = bool(progress.message) and not pausing
        begins = pausing and not self._pausing
        self._pausing = pausing
        silence = self._clock() - self._last
        if not (event or begins or silence >= (EVERY_IN_PAUSE if pausing else EVERY)):
            return False
        self._last = self._clock()
        return True
