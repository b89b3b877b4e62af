"""A model at work without training: losses, greedy generation, and how likely given completions are. Batched.

Nothing is scored here. Every function takes examples in any order, sorts them by length itself (little padding), and
gives its answers in the order in which the examples came.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from train.data import Example
from train.job import JobError
from train.processes import spread

IGNORED = -100  # torch's cross entropy leaves out targets of this value

Progress = Callable[[str, Mapping[str, float]], None]

Item = TypeVar("Item")


@dataclass(frozen=True)
class Likelihood:
    """Of a completion after its prompt: log likelihood in nats, and the number of its tokens, end of turn included."""

    total: float
    tokens: int

    @property
    def mean(self) -> float:
        """Nats a token."""
        return self.total / self.tokens


@dataclass(frozen=True)
class Asked:
    """A prompt in tokens with the completions, in tokens, whose likelihood is wanted."""

    prompt: tuple[int, ...]
    completions: tuple[tuple[int, ...], ...]


def completion_loss(
    model: Any, examples: Sequence[Example], *, batch_size: int, padding: int, dtype: torch.dtype
) -> float:
    """Mean negative log likelihood (nats) of the completions' tokens, each token counting the same.

    Raises:
        JobError: it is not a finite number.
    """
    total, tokens = loss_totals(model, examples, batch_size=batch_size, padding=padding, dtype=dtype)
    if not math.isfinite(total):
        raise JobError(f"the loss on {len(examples)} examples is {total}: the weights are broken or have diverged")
    return total / tokens


def loss_totals(
    model: Any, examples: Sequence[Example], *, batch_size: int, padding: int, dtype: torch.dtype
) -> tuple[float, int]:
    """Sum of the negative log likelihoods (nats) and number of the completions' tokens."""
    total, tokens = 0.0, 0
    with inference(model, dtype):
        for batch, _ in _batches(examples, batch_size, length=lambda example: len(example.input_ids)):
            logits, targets = _completion_logits(model, batch, padding)
            total += token_losses(logits, targets).item()
            tokens += int((targets != IGNORED).sum())
    return total, tokens


@spread
def likelihoods(
    model: Any,
    examples: Sequence[Example],
    *,
    batch_size: int,
    padding: int,
    dtype: torch.dtype,
    progress: Progress,
) -> list[Likelihood]:
    """How likely each example's own completion is."""
    found: list[Likelihood | None] = [None] * len(examples)
    told = _Countdown("scored", len(examples), progress)
    with inference(model, dtype):
        for batch, places in _batches(examples, batch_size, length=lambda example: len(example.input_ids)):
            logits, targets = _completion_logits(model, batch, padding)
            losses = torch.nn.functional.cross_entropy(
                logits.float().transpose(1, 2), targets, ignore_index=IGNORED, reduction="none"
            ).sum(dim=1)
            tokens = (targets != IGNORED).sum(dim=1)
            for place, loss, count in zip(places, losses.tolist(), tokens.tolist(), strict=True):
                found[place] = Likelihood(-loss, count)
            told.done(len(batch))
    return [likelihood for likelihood in found if likelihood is not None]


@spread
def choice_likelihoods(
    model: Any,
    asked: Sequence[Asked],
    *,
    batch_size: int,
    padding: int,
    dtype: torch.dtype,
    progress: Progress,
) -> list[list[Likelihood]]:
    """How likely each of its completions is after each prompt.

    A prompt goes through the model once; its completions, which are short, follow from the cache it left, side by
    side. `batch_size` bounds prompts times completions, and so the memory of the cache.
    """
    found: list[list[Likelihood]] = [[] for _ in asked]
    told = _Countdown("compared", len(asked), progress)
    width = max((len(item.completions) for item in asked), default=1)
    with inference(model, dtype):
        for batch, places in _batches(asked, max(1, batch_size // width), length=lambda item: len(item.prompt)):
            for place, likelihood in zip(places, _choices(model, batch, padding), strict=True):
                found[place] = likelihood
            told.done(len(batch))
    return found


def _choices(model: Any, batch: Sequence[Asked], padding: int) -> list[list[Likelihood]]:
    """`choice_likelihoods` of one batch. Prompts with fewer completions than others repeat their last one."""
    count = max(len(item.completions) for item in batch)
    rows = [item.completions[min(number, len(item.completions) - 1)] for item in batch for number in range(count)]
    ids, mask = _left_padded([item.prompt for item in batch], padding)
    ids, mask = ids.to(model.device), mask.to(model.device)
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    prompts = model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=True, logits_to_keep=1)
    first = prompts.logits[:, -1:].float().repeat_interleave(count, dim=0)
    cache = prompts.past_key_values
    cache.batch_repeat_interleave(count)
    targets = torch.full((len(rows), max(map(len, rows))), IGNORED)
    for row, tokens in enumerate(rows):
        targets[row, : len(tokens)] = torch.tensor(tokens)
    targets = targets.to(model.device)
    shown = targets[:, :-1].masked_fill(targets[:, :-1] == IGNORED, padding)
    logits = first
    if shown.shape[1]:
        whole = torch.cat([mask.repeat_interleave(count, dim=0), (targets[:, :-1] != IGNORED).long()], dim=1)
        after = (whole.cumsum(dim=1) - 1)[:, mask.shape[1] :].clamp(min=0)
        output = model(input_ids=shown, attention_mask=whole, position_ids=after, past_key_values=cache, use_cache=True)
        logits = torch.cat([first, output.logits.float()], dim=1)
    losses = torch.nn.functional.cross_entropy(
        logits.transpose(1, 2), targets, ignore_index=IGNORED, reduction="none"
    ).sum(dim=1)
    totals = losses.tolist()
    return [
        [
            Likelihood(-totals[at * count + number], len(completion))
            for number, completion in enumerate(item.completions)
        ]
        for at, item in enumerate(batch)
    ]


@spread
def generate(
    model: Any,
    tokenizer: Any,
    examples: Sequence[Example],
    *,
    batch_size: int,
    max_new_tokens: int,
    dtype: torch.dtype,
    progress: Progress,
) -> list[str]:
    """Greedy completions of the prompts."""
    texts = [""] * len(examples)
    told = _Countdown("generated", len(examples), progress)
    with inference(model, dtype):
        for batch, places in _batches(examples, batch_size, length=lambda example: example.prompt_length):
            ids, mask = _left_padded([example.prompt_ids for example in batch], tokenizer.pad_token_id)
            output = model.generate(
                input_ids=ids.to(model.device),
                attention_mask=mask.to(model.device),
                max_new_tokens=max_new_tokens,
                do_sample=False,
                num_beams=1,
                use_cache=True,
                pad_token_id=tokenizer.pad_token_id,
                eos_token_id=tokenizer.eos_token_id,
            )
            decoded = tokenizer.batch_decode(output[:, ids.shape[1] :], skip_special_tokens=True)
            for place, text in zip(places, decoded, strict=True):
                texts[place] = text.strip()
            told.done(len(batch))
    return texts


def kept_positions(labels: torch.Tensor) -> torch.Tensor:
    """Positions whose next token is to be predicted in some example of the batch.

    A completion is a small part of an example and a vocabulary is large: only these positions need to go through
    the LM head, which would else be a large part of a small model's work.
    """
    return (labels[:, 1:] != IGNORED).any(dim=0).nonzero().squeeze(1)


def token_losses(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Sum of the cross entropies of all targets that count."""
    return torch.nn.functional.cross_entropy(
        logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum"
    )


def pad_right(examples: Sequence[Example], padding: int) -> dict[str, torch.Tensor]:
    """A training batch: input_ids, attention_mask and labels, which are IGNORED outside the completion."""
    width = max(len(example.input_ids) for example in examples)
    ids = torch.full((len(examples), width), padding)
    mask = torch.zeros((len(examples), width), dtype=torch.long)
    labels = torch.full((len(examples), width), IGNORED)
    for row, example in enumerate(examples):
        tokens = torch.tensor(example.input_ids)
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
        labels[row, example.prompt_length : len(tokens)] = tokens[example.prompt_length :]
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


@contextmanager
def inference(model: Any, dtype: torch.dtype) -> Iterator[None]:
    """No gradients, no dropout, and matrix products in `dtype`; the model's mode comes back afterwards."""
    training = model.training
    model.eval()
    autocast: AbstractContextManager[Any] = nullcontext()
    if dtype is torch.bfloat16:
        autocast = torch.autocast(model.device.type, dtype=dtype)
    try:
        with torch.inference_mode(), autocast:
            yield
    finally:
        model.train(training)


class _Countdown:
    """Says after each batch how many are done, and in how many seconds the rest will be."""

    def __init__(self, verb: str, total: int, progress: Progress) -> None:
        self._verb, self._total, self._progress = verb, total, progress
        self._count = 0
        self._started = time.monotonic()

    def done(self, count: int) -> None:
        self._count += count
        left = (time.monotonic() - self._started) / self._count * (self._total - self._count)
        self._progress(f"{self._verb} {self._count}/{self._total}", {"eta_seconds": round(left)})


def _batches(
    items: Sequence[Item], size: int, *, length: Callable[[Item], int]
) -> Iterator[tuple[Sequence[Item], Sequence[int]]]:
    """Batches of items of like length, each with the items' places: the least padding."""
    ordered = sorted(range(len(items)), key=lambda place: (length(items[place]), place))
    for start in range(0, len(ordered), size):
        places = ordered[start : start + size]
        yield [items[place] for place in places], places


def _completion_logits(model: Any, batch: Sequence[Example], padding: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (batch, positions, vocabulary) of the positions before completion tokens, and those tokens."""
    inputs = {name: tensor.to(model.device) for name, tensor in pad_right(batch, padding).items()}
    labels = inputs.pop("labels")
    keep = kept_positions(labels)
    return model(**inputs, logits_to_keep=keep, use_cache=False).logits, labels[:, keep + 1]


def _left_padded(prompts: Sequence[Sequence[int]], padding: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and mask of prompts that all end at the last position, where what follows begins."""
    width = max(map(len, prompts))
    ids = torch.full((len(prompts), width), padding)
    mask = torch.zeros((len(prompts), width), dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    return ids, mask
