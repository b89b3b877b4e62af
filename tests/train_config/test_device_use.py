"""GPU use as a driver's tool tells it: the mean of what it says, null where there is none."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from train.device_use import DeviceUse


def tool(folder: Path, body: str) -> dict[str, str]:
    path = folder / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{body}\necho asked >> {folder}/asked\n")
    path.chmod(0o755)
    return {"PATH": str(folder)}


def asked(folder: Path) -> None:
    """Wait until the tool has been asked twice: the first answer is taken by then."""
    path = folder / "asked"
    while not path.exists() or len(path.read_text().splitlines()) < 2:
        time.sleep(0.01)


def test_a_machine_without_gpus_has_none(tmp_path: Path) -> None:
    with DeviceUse({"PATH": str(tmp_path)}) as use:
        pass
    assert use.mean() is None


@pytest.mark.parametrize(("body", "mean"), [("echo 90; echo 50", 0.7), ("echo '[N/A]'", None)])
def test_the_mean_is_over_all_gpus_that_answer(tmp_path: Path, body: str, mean: float | None) -> None:
    with DeviceUse(tool(tmp_path, body), seconds=0.01) as use:
        asked(tmp_path)
    assert use.mean() == (None if mean is None else pytest.approx(mean))
