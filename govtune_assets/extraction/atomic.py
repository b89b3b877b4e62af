"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

PART_PREFIX = ".part-"
"""How the name of a file begins that is not whole yet."""


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that others see all of it or nothing. Raises OSError, leaving nothing behind."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=PART_PREFIX)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
