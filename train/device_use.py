"""How busy the GPUs are while a model is trained, as the driver's own tool tells it."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Mapping

_SECONDS = 5.0
_QUERY = ("--query-gpu=utilization.gpu", "--format=csv,noheader,nounits")


class DeviceUse:
    """Looks at the machine's GPUs every few seconds while it is entered; a machine without `nvidia-smi` has none.

    `utilization.gpu` is the share of the last sample period, at most a second, in which the GPU was at work.
    """

    def __init__(self, environment: Mapping[str, str], *, seconds: float = _SECONDS) -> None:
        self._tool = shutil.which("nvidia-smi", path=environment.get("PATH"))
        self._seconds = seconds
        self._found: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> DeviceUse:
        if self._tool:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._tool:
            self._thread.join()

    def mean(self) -> float | None:
        """Mean use of all GPUs, 0 to 1; None where there are none, or none could be asked."""
        return sum(self._found) / len(self._found) if self._found else None

    def _look(self) -> None:
        while not self._over.wait(self._seconds):
            done = subprocess.run([str(self._tool), *_QUERY], capture_output=True, text=True, check=False)
            numbers = [line.strip() for line in done.stdout.splitlines()]
            if done.returncode == 0:
                self._found += [int(number) / 100 for number in numbers if number.isdecimal()]
