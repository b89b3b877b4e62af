"""The stages of a training, in their order: prepare, fit, assess, save.

Each takes what the one before it left and returns what it made; none talks to the orchestrator, to the catalog or to a
tracking server. `train.train.run` strings them together and tells the outside world. A stage that writes files does
so under the job's folders only.

torch and transformers are imported here, so this module is imported only once a job's parameters were accepted.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train.attestation import attestation, environment
from train.config import FREE_TEXT, TrainingConfiguration
from train.data import SPLITS, TEST_SPLITS, Row, Selection, Split, rows_digest, select
from train.evaluation import evaluate_splits, labels_of
from train.job import InterruptionGuard, JobError, JobFolders
from train.metrics import line
from train.model import BaseModel, adapter_state, attach_adapter, checked_digest, load_base, save_adapter
from train.processes import Processes
from train.trainer import TrainingResult, train

LOG = logging.getLogger("train")

LogStep = Callable[[int, Mapping[str, float]], None]
"""Told of the numbers of an optimizer step: train_loss, learning_rate, gradient_norm, or validation_loss."""


@dataclass(frozen=True)
class Prepared:
    """The base model with a fresh adapter on it, and the examples of each split. `content` is the digest of those,
    `trained_on` that of the ones that train and validate. `labels` are the completions that each task of labels allows.
    """

    configuration: TrainingConfiguration
    base: BaseModel
    model: Any
    splits: Mapping[Split, Selection]
    content: str
    trained_on: str
    labels: Mapping[str, Sequence[str]]

    @property
    def trainable(self) -> int:
        """Number of the adapter's parameters."""
        return sum(parameter.numel() for parameter in self.model.parameters() if parameter.requires_grad)

    @property
    def identity(self) -> str:
        """Names the checkpoints: those of other settings, rows or weights that decide the training are never resumed.

        What does not decide it may change on the way, such as a limit of time that was too low.
        """
        text = json.dumps([self.configuration.as_decisive(), self.trained_on, self.base.digest])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Assessed:
    """What evaluation came to: named scores for the registry, figures of each example, and the figures that the table
    of evaluations holds, each with the columns of `evaluations_table.FIGURES`."""

    scores: Mapping[str, float]
    by_example: Sequence[Mapping[str, Any]]
    figures: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Saved:
    """What stands in the model folder. `adapter` is the digest of the adapter's folder."""

    adapter: str
    environment: Mapping[str, Any]


def prepare(configuration: TrainingConfiguration, rows: Sequence[Row], folder: Path, processes: Processes) -> Prepared:
    """Load the base model, put the adapter on it, choose the rows and turn them into tokens.

    Raises:
        JobError: model, rows and configuration do not fit each other.
    """
    # One process reads large weights for their digest; the others take its word.
    wanted = configuration.base_model
    digest = processes.from_main(checked_digest(folder, wanted) if processes.is_main else "")
    base = load_base(folder, wanted, digest=digest)
    _require_room(base, configuration)
    model = attach_adapter(base, configuration.lora)
    splits = choose(rows, base.tokenizer, configuration)
    _require_headlines(splits[TEST_SPLITS[0]])
    prepared = Prepared(
        configuration,
        base,
        model,
        splits,
        content=_digest_of(splits, SPLITS),
        trained_on=_digest_of(splits, ("train", "validation")),
        labels=labels_of(rows),
    )
    LOG.info(
        "base model %s (%s), adapter of %d parameters", configuration.base_model.name, base.family, prepared.trainable
    )
    return prepared


def fit(
    prepared: Prepared, folders: JobFolders, guard: InterruptionGuard, log_step: LogStep, processes: Processes
) -> TrainingResult:
    """Train the adapter, from the last checkpoint of the same training where there is one.

    Raises:
        JobError: a loss is no finite number.
        Interrupted: SIGTERM came; a checkpoint is saved.
    """
    result = train(
        prepared.configuration,
        model=prepared.model,
        tokenizer=prepared.base.tokenizer,
        examples=prepared.splits["train"].examples,
        validation=prepared.splits["validation"].examples,
        checkpoints=folders.checkpoints / prepared.identity,
        guard=guard,
        progress=progress,
        log_step=log_step,
        processes=processes,
    )
    progress(f"{result.steps} steps", {"tokens_per_second": result.tokens_per_second})
    return result


def assess(prepared: Prepared) -> Assessed:
    """Evaluate base model, tuned model and baselines."""
    evaluation = evaluate_splits(
        prepared.model,
        prepared.base.tokenizer,
        {split: prepared.splits[split].examples for split in SPLITS if split != "train"},
        training=[example.row for example in prepared.splits["train"].examples],
        labels=prepared.labels,
        configuration=prepared.configuration,
        progress=progress,
    )
    scores = evaluation.plain()
    progress("evaluated", scores)
    return Assessed(scores, evaluation.by_example, evaluation.rows)


def adapter_weights(prepared: Prepared) -> Mapping[str, Any]:
    """The adapter's weights, whole, on the CPU. All processes take part where the weights are spread over them."""
    return adapter_state(prepared.model)


def save(
    prepared: Prepared,
    fitted: TrainingResult,
    assessed: Assessed,
    *,
    weights: Mapping[str, Any],
    metrics: Mapping[str, float],
    provenance: Mapping[str, Any],
    folders: JobFolders,
) -> Saved:
    """Write adapter, metrics, attestation and the figures of each example into the model folder."""
    configuration, base = prepared.configuration, prepared.base
    adapter = save_adapter(prepared.model, weights, base.tokenizer, configuration.base_model, folders.model / "adapter")
    found = environment()
    record = attestation(
        configuration=configuration.as_parameters(),
        provenance=provenance,
        base_digest=base.digest,
        rows_digest=prepared.content,
        adapter_digest=adapter,
        environment=found,
    )
    _write_json(folders.model / "metrics.json", {**metrics, "losses": fitted.losses})
    _write_json(folders.model / "attestation.json", record)
    _write_lines(folders.model / "predictions.jsonl", assessed.by_example)
    _write_json(folders.model / "evaluation.json", list(assessed.figures))
    LOG.info("adapter %s in %s", adapter, folders.model)
    return Saved(adapter, found)


def metrics_of(prepared: Prepared, fitted: TrainingResult, assessed: Assessed, *, seconds: float) -> dict[str, float]:
    """The plain numbers of a training. `seconds` is the time of the whole job."""
    return {
        **{f"rows_{split}": len(prepared.splits[split].examples) for split in SPLITS},
        **{f"overlong_{split}": prepared.splits[split].overlong for split in SPLITS},
        "loss_before": fitted.loss_before,
        "loss_after": fitted.loss_after,
        **assessed.scores,
        "steps": fitted.steps,
        "resumed_from": fitted.resumed_from,
        "tokens_per_second": fitted.tokens_per_second,
        "train_seconds": fitted.seconds,
        "train_cpu_seconds": fitted.cpu_seconds,
        "seconds": seconds,
        "trainable_parameters": prepared.trainable,
    }


def progress(prefix: str, values: Mapping[str, float]) -> None:
    """One line of the job's log, in the form that the metric definitions read."""
    LOG.info("%s", line(prefix, values))


def choose(rows: Sequence[Row], tokenizer: Any, configuration: TrainingConfiguration) -> dict[Split, Selection]:
    """The examples of each split that a configuration uses.

    Raises:
        JobError: a split that is needed has none, or too many of its rows are too long.
    """
    return {split: _select(rows, split, tokenizer, configuration) for split in SPLITS}


def _digest_of(splits: Mapping[Split, Selection], some: Sequence[Split]) -> str:
    return rows_digest(example.row for split in some for example in splits[split].examples)


def _select(rows: Sequence[Row], split: Split, tokenizer: Any, configuration: TrainingConfiguration) -> Selection:
    data = configuration.data
    limits = {"train": data.max_train_rows, "validation": data.max_validation_rows}
    limit = data.max_test_rows if split in TEST_SPLITS else limits[split]
    selection = select(rows, split, tokenizer, data, limit=limit, seed=configuration.optimization.seed)
    tokens = sum(len(example.input_ids) for example in selection.examples)
    LOG.info(
        "%s: %d examples, %d tokens; %d of %d rows were too long",
        split,
        len(selection.examples),
        tokens,
        selection.overlong,
        selection.considered,
    )
    return selection


def _require_room(base: BaseModel, configuration: TrainingConfiguration) -> None:
    """Raise JobError where the model cannot tell the positions of a row of data.max_length tokens apart."""
    text, longest = base.model.config.get_text_config(), configuration.data.max_length
    if longest > text.max_position_embeddings:
        raise JobError(
            f"data.max_length is {longest}, {configuration.base_model.name} has {text.max_position_embeddings} "
            "positions: lower it"
        )
    # Ministral 3 scales queries by their position in the row, which packing does not begin anew with each example.
    rope = getattr(text, "rope_parameters", None) or {}
    steady = rope.get("original_max_position_embeddings", longest)
    if configuration.data.packing and "llama_4_scaling_beta" in rope and longest > steady:
        raise JobError(
            f"data.packing with data.max_length {longest} would change what {configuration.base_model.name} sees "
            f"beyond position {steady}: lower data.max_length to it, or turn data.packing off"
        )


def _require_headlines(test: Selection) -> None:
    """Raise JobError where no row of T1 is generated: the model could not be judged, after hours of training."""
    if all(example.row.task != FREE_TEXT for example in test.examples):
        raise JobError(
            f"none of the {len(test.examples)} rows taken of the {TEST_SPLITS[0]} split is of {FREE_TEXT}: "
            "raise data.max_test_rows"
        )


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _write_lines(path: Path, values: Sequence[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(value, sort_keys=True) + "\n" for value in values), encoding="utf-8")
