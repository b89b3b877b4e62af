"""What this machine's process list shows while something runs: command lines, and what processes inherit."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

SAMPLE_SECONDS = 0.25


class ProcessList:
    """Keeps every command line and environment of this user's processes that it sees, each once."""

    def __init__(self) -> None:
        self.command_lines: set[bytes] = set()
        self.environments: set[bytes] = set()

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Look again and again until the block ends."""
        over = threading.Event()
        thread = threading.Thread(target=self._watch, args=(over,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _watch(self, over: threading.Event) -> None:
        while not over.wait(SAMPLE_SECONDS):
            for process in Path("/proc").glob("[0-9]*"):
                # A process may end between the two.
                with contextlib.suppress(OSError):
                    self.command_lines.add((process / "cmdline").read_bytes())
                    self.environments.add((process / "environ").read_bytes())
