"""Trainings of several processes, over gloo on this machine's cores."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from jobs import Job
from peft import PeftModel
from tiny import RunTraining
from transformers import AutoModelForCausalLM

STEPS = 27  # 36 rows, 3 epochs, 4 to a step
SMALL = {"metrics": ["rouge"], "splits": ["test_company"]}


def sections(strategy: str, **optimization: Any) -> dict[str, Any]:
    """Without dropout, whose random numbers differ from process to process."""
    several = strategy != "none"
    return {
        "lora": {"dropout": 0.0},
        "optimization": {"epochs": 3.0, "batch_size": 2 if several else 4, "checkpoint_steps": 9, **optimization},
        "distribution": {"strategy": strategy, "devices": 2} if several else {},
        "evaluation": SMALL,
    }


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_learn_what_one_learns_and_go_on_after_sigterm(
    run_training: RunTraining, tmp_path: Path, tiny_llama: Path, rows_file: Path, strategy: str
) -> None:
    assert run_training(tmp_path / "one", **sections("none")) == 0

    def again() -> Job:
        return Job(tmp_path / "two", model=tiny_llama, rows=rows_file, **sections(strategy))

    with again() as stopped:
        stopped.until("step 3/")
        stopped.process.send_signal(signal.SIGTERM)
        assert stopped.end() == 143, stopped.log
    assert not (tmp_path / "two" / "output" / "failure").exists()
    (checkpoint,) = stopped.checkpoints()
    step = int(checkpoint.name.rpartition("-")[2])

    with again() as job:
        assert job.end() == 0, job.log
    one = json.loads((tmp_path / "one" / "model" / "metrics.json").read_text())
    assert step == job.metrics["resumed_from"] < STEPS == job.metrics["steps"]
    assert job.metrics["losses"] == pytest.approx(one["losses"][step:], rel=1e-4)
    for name in ("loss_before", "loss_after"):
        assert job.metrics[name] == pytest.approx(one[name], rel=1e-4)

    # One process speaks, and what it saves is whole.
    assert sum(line.startswith(f"step {STEPS}/{STEPS} train_loss") for line in job.lines) == 1
    tuned = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_llama), job.adapter)
    assert sum(weight.numel() for name, weight in tuned.named_parameters() if "lora_" in name) == 3584


def test_the_end_of_one_process_is_the_end_of_all(tmp_path: Path, tiny_llama: Path, rows_file: Path) -> None:
    with Job(tmp_path, model=tiny_llama, rows=rows_file, **sections("ddp", epochs=100.0)) as job:
        job.until("step 1/")
        other = process_of_rank(job.process.pid, 1)
        os.kill(other, signal.SIGKILL)
        assert job.end() == 1, job.log
    failure = (tmp_path / "output" / "failure").read_text()
    assert failure.startswith("process 1 of 2 was ended by SIGKILL") or "onnection" in failure
    assert "\n" not in failure


def process_of_rank(parent: int, rank: int) -> int:
    """The launcher's child of that rank."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    wanted = f"RANK={rank}".encode()
    (found,) = [int(pid) for pid in children if wanted in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")]
    return found
