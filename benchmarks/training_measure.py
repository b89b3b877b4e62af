"""What a contender of benchmarks/training.py measures of itself: seconds of the steps, memory, validation loss.

It runs in the environments of the project's training and of the newest TRL alike: torch and the standard library only.
"""

from __future__ import annotations

import importlib.metadata
import json
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Tokens:
    """An example: chat template, prompt and completion as token ids. `prompt_length` of them are no target."""

    input_ids: list[int]
    prompt_length: int


@dataclass(frozen=True)
class Task:
    """What all contenders do alike. The examples are for one pass: `len(train)` is steps times batch size."""

    model: str
    train: list[Tokens]
    validation: list[Tokens]
    batch_size: int
    learning_rate: float
    rank: int
    alpha: int
    targets: list[str]
    threads: int

    @property
    def steps(self) -> int:
        """Optimizer steps."""
        return len(self.train) // self.batch_size

    @property
    def tokens(self) -> int:
        """Tokens of the training examples, padding left out."""
        return sum(len(example.input_ids) for example in self.train)


def read_task(path: Path) -> Task:
    """The task as `benchmarks/training.py` wrote it."""
    values = json.loads(path.read_text())
    splits = {name: [Tokens(**example) for example in values.pop(name)] for name in ("train", "validation")}
    return Task(**values, **splits)


class Clock:
    """Seconds between the start of the first step and the end of the last, by the clock and of CPU."""

    def __init__(self) -> None:
        self.seconds = self.cpu_seconds = 0.0
        self.peak_mib = 0.0
        self._started = (0.0, 0.0)

    def start(self) -> None:
        """The first step begins now."""
        self._started = (time.perf_counter(), time.process_time())

    def lap(self) -> None:
        """A step ended now."""
        began, began_cpu = self._started
        self.seconds = time.perf_counter() - began
        self.cpu_seconds = time.process_time() - began_cpu
        self.peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(task: Task, clock: Clock, model: Any) -> None:
    """Print the measurement as one JSON line."""
    found = {
        "tokens": task.tokens,
        "seconds": clock.seconds,
        "cpu_seconds": clock.cpu_seconds,
        "peak_mib": clock.peak_mib,
        "validation_loss": validation_loss(model, task.validation),
        "versions": {name: importlib.metadata.version(name) for name in ("trl", "transformers", "peft", "torch")},
    }
    sys.stdout.write(json.dumps(found) + "\n")


def validation_loss(model: Any, examples: Sequence[Tokens]) -> float:
    """Mean loss of the completions' tokens (nats), in float32 and one example at a time, whatever was trained in."""
    import torch

    model = model.float().eval()
    total, count = 0.0, 0
    with torch.inference_mode():
        for example in examples:
            ids = torch.tensor([example.input_ids])
            logits = model(input_ids=ids, use_cache=False).logits[0, example.prompt_length - 1 : -1]
            targets = ids[0, example.prompt_length :]
            total += float(torch.nn.functional.cross_entropy(logits.float(), targets, reduction="sum"))
            count += len(targets)
    return total / count
