"""Evaluation: completion loss, greedy generation, ROUGE, BLEU and accuracy; offline, and the same inside the job.

The metrics subclass `evaluate.Metric` over rouge_score and sacrebleu: `evaluate.load` would fetch their code
from a hub. Base and tuned model are the same weights with the adapter off and on.

What is kept of an evaluation is figures. Prompts, references and what is generated from them are governed text, and
the job's artifacts are read, and registered, by roles that have no rights on the table.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import datasets
import evaluate
import torch
from rouge_score import rouge_scorer
from sacrebleu.metrics import BLEU

from train.config import FREE_TEXT, TrainingConfiguration
from train.data import Example, Row
from train.job import JobError
from train.model import PRECISIONS

IGNORED = -100  # torch's cross entropy leaves out targets of this value

Progress = Callable[[str, Mapping[str, float]], None]

_TEXTS = datasets.Features({"predictions": datasets.Value("string"), "references": datasets.Value("string")})


_ROUGE = {"rouge1": "rouge_1", "rouge2": "rouge_2", "rougeL": "rouge_l"}  # rouge_score's names and ours


def rouge_by_row(predictions: Sequence[str], references: Sequence[str]) -> list[dict[str, float]]:
    """F-measures of ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004) with Porter stemming, 0 to 1, of each prediction."""
    scorer = rouge_scorer.RougeScorer(list(_ROUGE), use_stemmer=True)
    scores = [
        scorer.score(reference, prediction) for prediction, reference in zip(predictions, references, strict=True)
    ]
    return [{key: float(score[kind].fmeasure) for kind, key in _ROUGE.items()} for score in scores]


class Rouge(evaluate.Metric):  # type: ignore[misc]
    """Means of `rouge_by_row`."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="ROUGE-1, ROUGE-2, ROUGE-L", citation="", inputs_description="texts", features=_TEXTS
        )

    def _compute(self, predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
        scores = rouge_by_row(predictions, references)
        return {key: sum(score[key] for score in scores) / len(scores) for key in _ROUGE.values()}


class Bleu(evaluate.Metric):  # type: ignore[misc]
    """Corpus BLEU (Papineni et al. 2002; sacrebleu's 13a tokens), 0 to 100."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(description="corpus BLEU", citation="", inputs_description="texts", features=_TEXTS)

    def _compute(self, predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
        return {"bleu": BLEU().corpus_score(list(predictions), [list(references)]).score}


METRICS: Mapping[str, type[evaluate.Metric]] = {"rouge": Rouge, "bleu": Bleu}


def score(names: Sequence[str], predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """The named metrics of `METRICS` over predictions and their references."""
    scores: dict[str, float] = {}
    for name in names:
        metric = METRICS[name](keep_in_memory=True)
        scores.update(metric.compute(predictions=list(predictions), references=list(references)))
    return scores


def evaluate_generation(
    model: Any,
    tokenizer: Any,
    examples: Sequence[Example],
    configuration: TrainingConfiguration,
    *,
    progress: Progress,
) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Generate with the base model (adapter off) and the tuned one, and score both.

    Returns scores as `<metric>_base` and `<metric>_tuned`: the metrics of `configuration` over the rows of T1, and
    `<task>_accuracy` over those of each task of labels. And for each example its id, its split, its task and ROUGE or
    accuracy under both models, by which it can be found in the table by those who may read it (BLEU is a figure of a
    corpus). No text is among them: see the module.
    """
    wanted = configuration.evaluation
    dtype = PRECISIONS[configuration.base_model.precision]
    scores: dict[str, float] = {}
    by_row: dict[str, list[dict[str, float]]] = {}
    for name, adapter in (("base", model.disable_adapter()), ("tuned", nullcontext())):
        with adapter:
            texts = generate(
                model,
                tokenizer,
                examples,
                batch_size=wanted.batch_size,
                max_new_tokens=wanted.max_new_tokens,
                dtype=dtype,
                progress=_led_by(f"{name} model", progress),
            )
        found, by_row[name] = score_by_task(wanted.metrics, [example.row for example in examples], texts)
        scores.update({f"{metric}_{name}": value for metric, value in found.items()})
    records = [
        {
            "example_id": example.row.example_id,
            "split": example.row.split,
            "task": example.row.task,
            "base": base,
            "tuned": tuned,
        }
        for example, base, tuned in zip(examples, by_row["base"], by_row["tuned"], strict=True)
    ]
    return scores, records


def score_by_task(
    names: Sequence[str], rows: Sequence[Row], texts: Sequence[str]
) -> tuple[dict[str, float], list[dict[str, float]]]:
    """Score what was generated for rows: the named metrics over T1, accuracy over each task of labels.

    Returns the scores, and for each row its ROUGE, or 1.0 or 0.0 as `accuracy`.
    """
    scores: dict[str, float] = {}
    by_row: list[dict[str, float]] = [{} for _ in rows]
    for task in sorted({row.task for row in rows}):
        places = [place for place, row in enumerate(rows) if row.task == task]
        predictions, references = [texts[place] for place in places], [rows[place].completion for place in places]
        if task == FREE_TEXT:
            scores.update(score(names, predictions, references))
            found = rouge_by_row(predictions, references)
        else:
            found = [
                {"accuracy": float(_label(prediction) == _label(reference))}
                for prediction, reference in zip(predictions, references, strict=True)
            ]
            scores[f"{task.lower()}_accuracy"] = sum(row["accuracy"] for row in found) / len(found)
        for place, row in zip(places, found, strict=True):
            by_row[place] = row
    return scores, by_row


def _label(text: str) -> str:
    """The text as a label: in lower case, without a full stop and needless space."""
    return " ".join(text.casefold().split()).rstrip(".")


def _led_by(prefix: str, progress: Progress) -> Progress:
    return lambda text, values: progress(f"{prefix} {text}", values)


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
        for batch in _batches(examples, batch_size, length=lambda example: len(example.input_ids)):
            inputs = {name: tensor.to(model.device) for name, tensor in pad_right(batch, padding).items()}
            labels = inputs.pop("labels")
            keep = kept_positions(labels)
            logits = model(**inputs, logits_to_keep=keep, use_cache=False).logits
            targets = labels[:, keep + 1]
            total += token_losses(logits, targets).item()
            tokens += int((targets != IGNORED).sum())
    return total, tokens


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
    """Greedy completions of the prompts, in the order of the examples."""
    texts: dict[str, str] = {}
    started = time.monotonic()
    with inference(model, dtype):
        for batch in _batches(examples, batch_size, length=lambda example: example.prompt_length):
            inputs = _pad_left(batch, tokenizer.pad_token_id)
            width = inputs["input_ids"].shape[1]
            output = model.generate(
                **{name: tensor.to(model.device) for name, tensor in inputs.items()},
                max_new_tokens=max_new_tokens,
                do_sample=False,
                num_beams=1,
                use_cache=True,
                pad_token_id=tokenizer.pad_token_id,
                eos_token_id=tokenizer.eos_token_id,
            )
            decoded = tokenizer.batch_decode(output[:, width:], skip_special_tokens=True)
            texts.update(zip((example.row.example_id for example in batch), map(str.strip, decoded), strict=True))
            seconds = time.monotonic() - started
            left = seconds / len(texts) * (len(examples) - len(texts))
            progress(f"generated {len(texts)}/{len(examples)}", {"eta_seconds": left})
    return [texts[example.row.example_id] for example in examples]


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


def _batches(
    examples: Sequence[Example], size: int, *, length: Callable[[Example], int]
) -> Iterator[Sequence[Example]]:
    """Batches of examples of like length: the least padding."""
    ordered = sorted(examples, key=lambda example: (length(example), example.row.example_id))
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def _pad_left(examples: Sequence[Example], padding: int) -> dict[str, torch.Tensor]:
    """A batch for generation: prompts end at the same position, where the completions begin."""
    width = max(example.prompt_length for example in examples)
    ids = torch.full((len(examples), width), padding)
    mask = torch.zeros((len(examples), width), dtype=torch.long)
    for row, example in enumerate(examples):
        ids[row, width - example.prompt_length :] = torch.tensor(example.prompt_ids)
        mask[row, width - example.prompt_length :] = 1
    return {"input_ids": ids, "attention_mask": mask}
