"""The project's training without SageMaker and evaluation: one contender of benchmarks/training.py.

    python -m benchmarks.training_ours prepare ROWS MODEL STEPS BATCH VALIDATION TASK.json
    python -m benchmarks.training_ours train TASK.json FOLDER

`prepare` chooses rows and makes tokens of them, as a training does. `train` runs the same functions as `train.py`, from
loading the base model to the last step. What the task does not name is the embedded default's (smollm2-135m), but for
the schedule and the dropout, which are TRL's defaults.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

# Ours is told the choices that train.py makes before torch is imported.
import train.train  # noqa: F401
from benchmarks.training_measure import Clock, Task, Tokens, read_task, report
from train.attestation import make_deterministic
from train.config import CONFIGS, TrainingConfiguration, load, parse
from train.data import Example, Row, read_jsonl, select
from train.job import InterruptionGuard
from train.model import attach_adapter, load_base, load_tokenizer
from train.processes import joined
from train.trainer import train as fit

RATE = 1e-3


def prepare(rows: Path, model: Path, steps: int, batch_size: int, validation_rows: int) -> Task:
    """The task: rows of the train and validation splits in the order that the configuration's seed gives."""
    configuration = load(CONFIGS / "smollm2-135m.yaml")
    found, tokenizer, seed = read_jsonl(rows), load_tokenizer(model), configuration.optimization.seed
    train, validation = (
        select(found, split, tokenizer, configuration.data, limit=limit, seed=seed).examples
        for split, limit in (("train", steps * batch_size), ("validation", validation_rows))
    )
    if len(train) < steps * batch_size:
        raise SystemExit(f"{rows} has {len(train)} training rows, {steps} steps of {batch_size} need more")
    return Task(
        model=str(model),
        train=[Tokens(list(example.input_ids), example.prompt_length) for example in train],
        validation=[Tokens(list(example.input_ids), example.prompt_length) for example in validation],
        batch_size=batch_size,
        learning_rate=RATE,
        rank=configuration.lora.rank,
        alpha=configuration.lora.alpha,
        targets=list(configuration.lora.targets),
        threads=2,
    )


def examples(tokens: list[Tokens]) -> list[Example]:
    """The examples as the trainer takes them."""
    row = Row(example_id="", task="T1", prompt="", completion="", split="train")
    return [Example(row, tuple(item.input_ids), item.prompt_length) for item in tokens]


def configured(task: Task) -> TrainingConfiguration:
    """The embedded default with what the task names."""
    values = load(CONFIGS / "smollm2-135m.yaml").as_parameters()
    values["lora"] |= {"rank": task.rank, "alpha": task.alpha, "dropout": 0.0, "targets": task.targets}
    values["compute"]["threads"] = task.threads
    values["optimization"] |= {
        "learning_rate": task.learning_rate,
        "epochs": 1.0,
        "batch_size": task.batch_size,
        "schedule": "linear",
        "warmup_fraction": 0.0,
        "checkpoint_steps": 500,  # TRL's default
    }
    return parse(values, source="benchmark")


def train_task(task: Task, folder: Path) -> None:
    """Train and report."""
    configuration, clock = configured(task), Clock()
    make_deterministic(configuration.optimization.seed, configuration.compute.threads)
    base = load_base(Path(task.model), configuration.base_model)
    model = attach_adapter(base, configuration.lora)

    def log_step(step: int, values: Mapping[str, float]) -> None:
        if step == 0:  # the validation loss before the first step
            clock.start()
        elif "train_loss" in values:
            clock.lap()

    with joined(os.environ) as processes:
        fit(
            configuration,
            model=model,
            tokenizer=base.tokenizer,
            examples=examples(task.train),
            validation=examples(task.validation),
            checkpoints=folder,
            guard=InterruptionGuard(),
            progress=lambda where, values: None,
            log_step=log_step,
            processes=processes,
        )
    report(task, clock, model)


def main(argv: list[str]) -> None:
    """Prepare the task or train."""
    if argv[0] == "prepare":
        rows, model, steps, batch_size, validation, target = argv[1:]
        task = prepare(Path(rows), Path(model), int(steps), int(batch_size), int(validation))
        Path(target).write_text(json.dumps(asdict(task)))
    else:
        train_task(read_task(Path(argv[1])), Path(argv[2]))


if __name__ == "__main__":
    main(sys.argv[1:])
