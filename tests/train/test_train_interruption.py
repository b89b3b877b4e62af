"""Processes that are ended: by SIGTERM in the middle, by SIGKILL while they write a checkpoint."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from jobs import Job

from train.files import folder_digest

# Enough steps that a signal after the first of them comes before the last.
LONG: dict[str, Any] = {
    "optimization": {"epochs": 9.0, "checkpoint_steps": 20},
    "evaluation": {"metrics": ["rouge"], "splits": ["test_company"]},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path, rows_file: Path) -> Job:
    """A training of 81 steps that nothing has interrupted."""
    with Job(tmp_path_factory.mktemp("whole"), model=tiny_llama, rows=rows_file, **LONG) as job:
        assert job.end() == 0, job.log
    assert job.metrics["steps"] == 81
    return job


def test_another_process_gives_the_same_adapter_bytes(
    whole: Job, tmp_path: Path, tiny_llama: Path, rows_file: Path
) -> None:
    with Job(tmp_path, model=tiny_llama, rows=rows_file, **LONG) as job:
        assert job.end() == 0, job.log
    assert folder_digest(job.adapter) == folder_digest(whole.adapter)
    assert job.metrics["losses"] == whole.metrics["losses"]
    figures = [json.loads((each.out / "model" / "evaluation.json").read_text()) for each in (job, whole)]
    assert figures[0] == figures[1]


def test_a_killed_and_a_stopped_training_go_on_to_the_same_adapter(
    whole: Job, tmp_path: Path, tiny_llama: Path, rows_file: Path
) -> None:
    def again() -> Job:
        return Job(tmp_path, model=tiny_llama, rows=rows_file, **LONG)

    # The write of a file in the second checkpoint blocks at a pipe that nobody reads: the kill comes in the middle.
    identity = next((whole.out / "checkpoints").iterdir()).name
    pipe = tmp_path / "checkpoints" / identity / "checkpoint-40" / "optimizer.pt"
    pipe.parent.mkdir(parents=True)
    os.mkfifo(pipe)
    with again() as killed:
        killed.until("step 40/")
        while not (pipe.parent / "adapter_model.safetensors").exists():
            assert killed.process.poll() is None
        killed.process.send_signal(signal.SIGKILL)
        assert killed.end() == -signal.SIGKILL
    pipe.unlink()
    pipe.write_bytes(b"torn")

    with again() as stopped:
        first = stopped.until("step 2")
        assert first.startswith("step 21/81 ")  # the last whole checkpoint is that of step 20
        stopped.process.send_signal(signal.SIGTERM)
        assert stopped.end() == 143, stopped.log
    assert "a checkpoint is saved" in stopped.lines[-1]
    assert not (tmp_path / "model" / "adapter").exists()
    assert not (tmp_path / "output" / "failure").exists()
    saved = int(stopped.lines[-1].partition("after step ")[2].partition(";")[0])
    assert stopped.checkpoints()[-1].name == f"checkpoint-{max(saved, 40)}"

    with again() as last:
        assert last.end() == 0, last.log
    assert last.metrics["resumed_from"] == saved < 81
    assert last.metrics["losses"] == whole.metrics["losses"][saved:]
    assert last.metrics["loss_before"] == whole.metrics["loss_before"]
    assert folder_digest(last.adapter) == folder_digest(whole.adapter)
