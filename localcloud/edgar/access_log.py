"""The replica's access log: a JSON line for each answer, so that a test can tell what was asked for, and when."""

from __future__ import annotations

import json
import time
from pathlib import Path
from threading import Lock


class AccessLog:
    """Appends to one file, a whole line at a time. Safe for several threads.

    A line has `at` (seconds since the epoch), `path` and `kind`, the name under which the statistics count the answer.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._lock = Lock()

    def write(self, path: str, kind: str) -> None:
        """Add one answer."""
        with self._lock:
            line = json.dumps({"at": time.time(), "path": path, "kind": kind})
            self._file.write(line.encode() + b"\n")
