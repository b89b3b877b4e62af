"""The training loop: TRL's SFTTrainer on tokens, with checkpoints that a stopped job resumes from.

Batches, their order and the loss are this module's own business; optimizer, schedule, devices, processes and
checkpoint files are the trainer's.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, ProgressCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from train.config import TrainingConfiguration
from train.data import Example, packed_order, training_order
from train.files import folder_digest
from train.inference import IGNORED, Progress, kept_positions, loss_totals, pad_right, token_losses
from train.job import Interrupted, InterruptionGuard, JobError
from train.model import PRECISIONS
from train.processes import Processes, is_sharded

_COMPLETE = "complete.json"
# SageMaker puts these marks beside the files that it uploads, and removes them (FILE_LOCK_SUFFIX and FILE_SAFE_SUFFIX
# in checkpointing.py of aws/sagemaker-xgboost-container).
_UPLOAD_MARKS = (".sagemaker-uploading", ".sagemaker-uploaded")
_CPU_TOKENS = 2048  # tokens that go through a model on a CPU at once: about 3 GB of activations in SmolLM2-135M
_FSDP = {"fsdp_version": 2, "reshard_after_forward": True, "state_dict_type": "FULL_STATE_DICT"}


@dataclass(frozen=True)
class TrainingResult:
    """What a training came to. `losses` has one number for each step since `resumed_from`.

    `loss_before` and `loss_after` are of the validation split, in nats a token.
    """

    steps: int
    resumed_from: int
    losses: tuple[float, ...]
    loss_before: float
    loss_after: float
    seconds: float
    cpu_seconds: float
    tokens_per_second: float


def train(
    configuration: TrainingConfiguration,
    *,
    model: Any,
    tokenizer: Any,
    examples: Sequence[Example],
    validation: Sequence[Example],
    checkpoints: Path,
    guard: InterruptionGuard,
    progress: Progress,
    log_step: Callable[[int, Mapping[str, float]], None],
    processes: Processes,
) -> TrainingResult:
    """Train the model's adapter in place, from the last whole checkpoint in `checkpoints` if there is one.

    `log_step` is told of each step's numbers, and of each validation loss.

    Raises:
        JobError: a loss or gradient norm is not a finite number.
        Interrupted: SIGTERM came; a checkpoint of the last step was saved, where there was one.
    """
    report = _Report(checkpoints, guard, progress, log_step, processes)
    trainer = _trainer(configuration, model, tokenizer, examples, validation, checkpoints, report, processes)
    report.validate = trainer.evaluate
    latest = processes.from_main(latest_checkpoint(checkpoints) if processes.is_main else None)
    guard.deferred = True
    started, worked = time.monotonic(), time.process_time()
    try:
        trainer.train(resume_from_checkpoint=str(latest) if latest else None)
    finally:
        guard.deferred = False
    if report.is_interrupted():
        raise Interrupted(f"stopped by SIGTERM after step {trainer.state.global_step}; a checkpoint is saved")
    seconds, cpu_seconds = time.monotonic() - started, time.process_time() - worked
    trainer.evaluate()
    return TrainingResult(
        steps=trainer.state.global_step,
        resumed_from=report.resumed_from,
        losses=tuple(report.losses),
        loss_before=report.validation[0],
        loss_after=report.validation[-1],
        seconds=seconds,
        cpu_seconds=sum(processes.gathered(cpu_seconds)),
        tokens_per_second=sum(processes.gathered(trainer.tokens)) / seconds,
    )


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint whose files are all there and as they were saved; one cut off by a kill is not."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)
    for path in found:
        try:
            record = json.loads((path / _COMPLETE).read_text())
        except (OSError, ValueError):
            continue
        if record == _record(path):
            return path
    return None


def _record(checkpoint: Path) -> dict[str, str]:
    """What `complete.json` says of a checkpoint."""
    return {"digest": folder_digest(checkpoint, without=[_COMPLETE], without_suffixes=_UPLOAD_MARKS)}


class _CompletionTrainer(SFTTrainer):  # type: ignore[misc]
    """SFTTrainer that scores completion tokens only, and evaluates with the loss of `evaluate.py`.

    TRL sends each position through the LM head and takes entropy and accuracy over the whole vocabulary there:
    with a small model that is a large part of the work.
    """

    def __init__(
        self,
        *,
        validation: Sequence[Example],
        batch_size: int,
        dtype: torch.dtype,
        is_interrupted: Callable[[], bool],
        **options: Any,
    ) -> None:
        super().__init__(compute_loss_func=_mean_loss, **options)
        self.tokens = 0
        self._validation = validation
        self._batch_size = batch_size
        self._dtype = dtype
        self._is_interrupted = is_interrupted

    def training_step(
        self, model: Any, inputs: dict[str, torch.Tensor], num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        """Gradients of a batch, on a CPU part by part: they add up to the same, and a part's activations are freed.

        Several processes must take the same number of backward passes, so theirs are of whole batches.
        """
        whole = self.accelerator.device.type != "cpu" or self.accelerator.num_processes > 1
        parts = [inputs] if whole else list(batch_parts(inputs, _CPU_TOKENS))
        losses = [super(_CompletionTrainer, self).training_step(model, part, num_items_in_batch) for part in parts]
        return torch.stack(losses).sum()

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Loss of a batch. The base Trainer scales it for accumulation and for several processes."""
        mask = inputs.get("attention_mask")  # packed rows have none, and next to no padding
        self.tokens += int((inputs["input_ids"] != self.processing_class.pad_token_id if mask is None else mask).sum())
        keep = kept_positions(inputs["labels"])
        shown = {
            **inputs,
            "labels": inputs["labels"][:, keep + 1],
            "logits_to_keep": keep,
            "use_cache": False,
        }
        # SFTTrainer's own compute_loss is what is replaced; its base class's is used.
        return super(SFTTrainer, self).compute_loss(model, shown, return_outputs, num_items_in_batch)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Validation loss over all processes, each token counting the same.

        SIGTERM breaks it off: it may take longer than what is left to save a checkpoint in. Then nothing is logged, and
        a checkpoint and the end of the training are asked for.
        """
        # Spread weights come together in each forward pass of all processes at once: all take the same batches.
        alike = is_sharded(self.model)
        first, of = (0, 1) if alike else (self.accelerator.process_index, self.accelerator.num_processes)
        share = sorted(self._validation[first::of], key=lambda example: len(example.input_ids))
        total, tokens = 0.0, 0
        # All processes take as many turns as the one with the most rows, so that they agree in each.
        for start in range(0, math.ceil(len(self._validation) / of), self._batch_size):
            if self._is_interrupted():
                self.control.should_save = self.control.should_training_stop = True
                return {}
            found = loss_totals(
                self.model,
                share[start : start + self._batch_size],
                batch_size=self._batch_size,
                padding=self.processing_class.pad_token_id,
                dtype=self._dtype,
            )
            total, tokens = total + found[0], tokens + found[1]
        summed = torch.tensor((total, tokens), device=self.accelerator.device)
        if not alike:
            summed = self.accelerator.reduce(summed, reduction="sum")
        metrics = {"eval_loss": float(summed[0] / summed[1])}
        self.log(metrics)
        return metrics


def batch_parts(inputs: Mapping[str, torch.Tensor], most_tokens: int) -> Iterator[dict[str, torch.Tensor]]:
    """Consecutive rows of a right-padded batch, each part as wide as its longest row and of at most `most_tokens`.

    A row that has more is a part of its own. Packed rows have no mask, and count as wide as the batch.
    """
    mask = inputs.get("attention_mask")
    rows, width = inputs["input_ids"].shape
    lengths = [width] * rows if mask is None else mask.sum(dim=1).tolist()
    start = 0
    for end in range(1, len(lengths) + 1):
        full = end < len(lengths) and max(lengths[start : end + 1]) * (end + 1 - start) > most_tokens
        if full or end == len(lengths):
            yield {name: tensor[start:end, : max(lengths[start:end])] for name, tensor in inputs.items()}
            start = end


def _mean_loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int) -> torch.Tensor:
    return token_losses(outputs.logits, labels) / num_items_in_batch


class _Report(TrainerCallback):  # type: ignore[misc]
    """Progress, refusal of numbers that are not finite, whole checkpoints, and the end on SIGTERM."""

    def __init__(
        self,
        checkpoints: Path,
        guard: InterruptionGuard,
        progress: Progress,
        log_step: Callable[[int, Mapping[str, float]], None],
        processes: Processes,
    ) -> None:
        self.losses: list[float] = []
        self.validation: list[float] = []
        self.validate: Callable[[], object] = lambda: None
        self.resumed_from = 0
        self._checkpoints = checkpoints
        self._guard = guard
        self._progress = progress
        self._log_step = log_step
        self._processes = processes
        self._started = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.resumed_from = state.global_step
        self._started = time.monotonic()
        for logs in state.log_history:  # what the stopped run has logged before its checkpoint
            if found := _numbers(logs):
                self._take(logs["step"], found)
        if _lacks_validation(args, state):
            self.validate()
        if self.is_interrupted():
            raise Interrupted("stopped by SIGTERM before a step of training; the last checkpoint, if any, is as it was")

    def is_interrupted(self) -> bool:
        """Whether SIGTERM came to some process; all have to ask."""
        return self._processes.any(self._guard.requested)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        if self.is_interrupted():
            control.should_save = True
            control.should_training_stop = True
        return control

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        for name in ("loss", "grad_norm", "eval_loss"):
            if not math.isfinite(logs.get(name, 0.0)):
                cause = "training diverged; lower optimization.learning_rate, or look for broken rows"
                if state.global_step == 0:
                    cause = "the base model's weights are broken"
                raise JobError(f"{name} is {logs[name]} at step {state.global_step}: {cause}")
        if not (found := _numbers(logs)):
            return
        where = f"step {state.global_step}/{state.max_steps}"
        self._take(state.global_step, found)
        if "loss" in logs:
            self.losses.append(logs["loss"])
            done = state.global_step - self.resumed_from
            left = (time.monotonic() - self._started) / done * (state.max_steps - state.global_step)
            self._progress(where, {**found, "eta_seconds": round(left)})
        else:
            self._progress(where, found)

    def _take(self, step: int, found: Mapping[str, float]) -> None:
        self._log_step(step, found)
        if "validation_loss" in found:
            self.validation.append(found["validation_loss"])

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        folder = self._checkpoints / f"checkpoint-{state.global_step}"
        self._processes.wait()  # each process writes a part of its own: the states of its random numbers
        if state.is_world_process_zero:
            (folder / _COMPLETE).write_text(json.dumps(_record(folder)))


def _lacks_validation(args: Any, state: Any) -> bool:
    """Whether a training that begins has to take a validation loss first.

    At step 0 a fresh adapter changes nothing: it is the base model's. Later it is one that SIGTERM has broken off.
    """
    if any(logs["step"] == state.global_step and "eval_loss" in logs for logs in state.log_history):
        return False
    return bool(state.global_step == 0 or (args.eval_strategy != "no" and state.global_step % args.eval_steps == 0))


_NUMBERS = {
    "loss": "train_loss",
    "learning_rate": "learning_rate",
    "grad_norm": "gradient_norm",
    "eval_loss": "validation_loss",
}  # the trainer's names and ours


def _numbers(logs: Mapping[str, float]) -> dict[str, float]:
    return {ours: logs[theirs] for theirs, ours in _NUMBERS.items() if theirs in logs}


def _trainer(
    configuration: TrainingConfiguration,
    model: Any,
    tokenizer: Any,
    examples: Sequence[Example],
    validation: Sequence[Example],
    checkpoints: Path,
    report: _Report,
    processes: Processes,
) -> _CompletionTrainer:
    optimization = configuration.optimization
    lengths = [len(example.input_ids) for example in examples]
    order = _rows(configuration, lengths, processes)
    precision = configuration.base_model.precision
    sharded = configuration.distribution.strategy == "fsdp"
    arguments = SFTConfig(
        output_dir=str(checkpoints),
        num_train_epochs=1,  # `order` holds all epochs, as far as max_steps; of itself the trainer would repeat them
        train_sampling_strategy="sequential",
        per_device_train_batch_size=optimization.batch_size,
        gradient_accumulation_steps=optimization.gradient_accumulation,
        learning_rate=optimization.learning_rate,
        lr_scheduler_type=optimization.schedule if optimization.schedule != "constant" else "constant_with_warmup",
        warmup_steps=optimization.warmup_fraction,
        weight_decay=optimization.weight_decay,
        max_grad_norm=optimization.max_gradient_norm,
        optim="adamw_torch",
        gradient_checkpointing=optimization.gradient_checkpointing,
        gradient_checkpointing_kwargs={"use_reentrant": False},
        # FSDP keeps the weights' precision by itself; with autocast accelerate would make them float32.
        bf16=precision != "fp32" and not sharded,
        fsdp="full_shard auto_wrap" if sharded else "",
        fsdp_config=_FSDP if sharded else None,
        ddp_find_unused_parameters=False,
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=torch.cuda.is_available(),
        seed=optimization.seed,
        data_seed=optimization.seed,
        save_strategy="steps",
        save_steps=optimization.checkpoint_steps,
        save_total_limit=2,
        eval_strategy="steps" if optimization.evaluation_steps else "no",
        eval_steps=optimization.evaluation_steps,
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        max_length=None,  # rows that are too long never get here
        dataset_kwargs={"skip_prepare_dataset": True},
        shuffle_dataset=False,
    )
    trainer = _CompletionTrainer(
        validation=validation,
        batch_size=configuration.evaluation.batch_size,
        dtype=PRECISIONS[precision],
        is_interrupted=report.is_interrupted,
        model=model,
        args=arguments,
        processing_class=tokenizer,
        train_dataset=[{"examples": [examples[index] for index in row]} for row in order],
        eval_dataset=[{"examples": [example]} for example in validation],
        data_collator=_collator(configuration, tokenizer.pad_token_id),
        callbacks=[report],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    return trainer


def _rows(configuration: TrainingConfiguration, lengths: Sequence[int], processes: Processes) -> list[tuple[int, ...]]:
    """Which examples make each row of a batch, for the whole training: one, or with packing as many as fit."""
    optimization = configuration.optimization
    step = optimization.batch_size * optimization.gradient_accumulation * processes.count
    most = None if optimization.max_steps is None else optimization.max_steps * step
    return _order(configuration, lengths, processes)[:most]


def _order(configuration: TrainingConfiguration, lengths: Sequence[int], processes: Processes) -> list[tuple[int, ...]]:
    """The same without regard to max_steps."""
    optimization, data = configuration.optimization, configuration.data
    if data.packing:
        return packed_order(lengths, capacity=data.max_length, epochs=optimization.epochs, seed=optimization.seed)
    order = training_order(
        lengths,
        batch_size=optimization.batch_size * processes.count,
        epochs=optimization.epochs,
        seed=optimization.seed,
    )
    return [(index,) for index in order]


def _collator(configuration: TrainingConfiguration, padding: int) -> Callable[[list[Any]], dict[str, torch.Tensor]]:
    if configuration.data.packing:
        return lambda batch: pack([item["examples"] for item in batch], padding)
    return lambda batch: pad_right([item["examples"][0] for item in batch], padding)


def pack(rows: Sequence[Sequence[Example]], padding: int) -> dict[str, torch.Tensor]:
    """A training batch of rows with several examples each: input_ids, position_ids and labels.

    Positions begin anew with each example, and with the padding. That is how transformers' attention knows them apart
    where no mask is given (`find_packed_sequence_indices`): none sees another.
    """
    width = max(sum(len(example.input_ids) for example in row) for row in rows)
    ids = torch.full((len(rows), width), padding)
    labels = torch.full((len(rows), width), IGNORED)
    positions = torch.arange(width).repeat(len(rows), 1)
    for number, row in enumerate(rows):
        start = 0
        for example in row:
            tokens = torch.tensor(example.input_ids)
            end = start + len(tokens)
            ids[number, start:end] = tokens
            positions[number, start:] = torch.arange(width - start)
            labels[number, start + example.prompt_length : end] = tokens[example.prompt_length :]
            start = end
        positions[number, start:] = torch.arange(width - start)
    return {"input_ids": ids, "position_ids": positions, "labels": labels}
