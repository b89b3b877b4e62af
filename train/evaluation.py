"""Evaluation of base and tuned model beside baselines: which system answers what, and the rows that come of it.

Base and tuned model are the same weights with the adapter off and on. T1 is generated, greedily. A task of labels is
answered by the label that is likeliest as the whole answer, end of turn included: every answer is then a label, and the
log likelihoods give scores for AUROC and perplexity. Each figure has a 95% interval over companies (train.bootstrap),
and so has the paired difference of the tuned model from every other system.

What is kept of an evaluation is figures. Prompts, references and what is generated from them are governed text, and
the job's artifacts are read, and registered, by roles that have no rights on the table.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train import baselines, scores
from train.bootstrap import Draws, Measure, Resamples
from train.config import FREE_TEXT, TrainingConfiguration
from train.data import Example, Row, Split, encode
from train.inference import Asked, Likelihood, Progress, choice_likelihoods, generate, likelihoods
from train.model import PRECISIONS
from train.texts import Template, faithful_entities, faithful_numbers, template_of

BASE, TUNED = "base", "tuned"
POSITIVE: Mapping[str, str] = {"T3": "generic", "T4": "yes"}
"""Of the tasks with two labels, the one whose F1 is taken and for which a higher score speaks."""


@dataclass(frozen=True)
class Evaluation:
    """`rows` are those of the table of evaluations; `by_example` has figures of each example, and no text."""

    rows: tuple[Mapping[str, Any], ...]
    by_example: tuple[Mapping[str, Any], ...]

    def plain(self, plain_split: Split = "test_company") -> dict[str, float]:
        """The models' own figures by name: `rouge_l_tuned`; `t2_macro_f1_base` of labels; `test_year_...`.

        What is said of unseen companies has the plain names: gates and registry read them.
        """
        found = {}
        for row in self.rows:
            if row["against"] is None and row["system"] in (BASE, TUNED) and row["value"] is not None:
                split = "" if row["split"] == plain_split else f"{row['split']}_"
                task = "" if row["task"] == FREE_TEXT else f"{row['task'].lower()}_"
                found[f"{split}{task}{row['metric']}_{row['system']}"] = row["value"]
        return found


@dataclass(frozen=True)
class Answers:
    """What one system says to the examples of one task, in their order; None for what it cannot say.

    `choices` are log likelihoods, shape (examples, labels). `ranks` are None too for examples that are not ranked.
    """

    texts: Sequence[str] | None = None
    own: Sequence[Likelihood] | None = None
    choices: NDArray[np.float64] | None = None
    ranks: Sequence[int | None] | None = None


@dataclass(frozen=True)
class Question:
    """The examples of one task in all splits, and what is needed to answer them.

    `headings` holds for each example the true heading and those it is ranked among, or None.
    """

    task: str
    examples: Sequence[Example]
    training: Sequence[Row]
    labels: Sequence[str]
    template: Template
    headings: Sequence[Sequence[str] | None] = field(default=())

    @property
    def bodies(self) -> list[str]:
        return [self.template.body(example.row.prompt) for example in self.examples]

    @property
    def training_bodies(self) -> list[str]:
        return [self.template.body(row.prompt) for row in self.training]


@dataclass(frozen=True)
class Answered:
    """The examples of one task, and what each system says to them."""

    asked: Question
    by_system: Mapping[str, Answers]


def labels_of(rows: Iterable[Row]) -> dict[str, tuple[str, ...]]:
    """The completions that a task of labels allows: all that stand in a snapshot."""
    found: dict[str, set[str]] = {}
    for row in rows:
        if row.task != FREE_TEXT:
            found.setdefault(row.task, set()).add(row.completion)
    return {task: tuple(sorted(labels)) for task, labels in sorted(found.items())}


def evaluate_splits(
    model: Any,
    tokenizer: Any,
    splits: Mapping[Split, Sequence[Example]],
    *,
    training: Sequence[Row],
    labels: Mapping[str, Sequence[str]],
    configuration: TrainingConfiguration,
    progress: Progress,
) -> Evaluation:
    """Evaluate the model with its adapter off and on, and the baselines, on the examples of the splits.

    `training` are the rows that the adapter was trained on: the baselines learn from them. `labels` are the completions
    that each task of labels allows. Splits that `configuration.evaluation` does not name are left out.
    """
    wanted = {split: list(examples) for split, examples in splits.items() if split in configuration.evaluation.splits}
    examples = [example for split in wanted.values() for example in split]
    rows: list[Mapping[str, Any]] = []
    by_example: dict[str, Mapping[str, Any]] = {}
    for task in sorted({example.row.task for example in examples}):
        asked = question(task, examples, training, labels.get(task, ()), configuration)
        answered = answer(model, tokenizer, asked, configuration, progress)
        for split in wanted:
            rows.extend(figures(split, answered, configuration))
        by_example.update(_figures_by_example(answered))
    order = {split: number for number, split in enumerate(wanted)}
    rows.sort(key=lambda row: order[row["split"]])
    return Evaluation(tuple(rows), tuple(by_example[f"{e.row.split}:{e.row.example_id}"] for e in examples))


def question(
    task: str,
    examples: Sequence[Example],
    training: Sequence[Row],
    labels: Sequence[str],
    configuration: TrainingConfiguration,
) -> Question:
    """What a task asks: those of the examples that are its own, and those of the training rows."""
    own = [example for example in examples if example.row.task == task]
    learned = [row for row in training if row.task == task]
    template = template_of([*(example.row.prompt for example in own), *(row.prompt for row in learned)])
    headings: list[Sequence[str] | None] = [None] * len(own)
    if task == FREE_TEXT and "heading_rank" in configuration.evaluation.metrics:
        headings = _headings_to_rank(own, configuration.evaluation.heading_rank_rows)
    return Question(task, own, learned, labels, template, headings)


def _headings_to_rank(examples: Sequence[Example], limit: int) -> list[Sequence[str] | None]:
    """For the first `limit` examples of each split the true heading and its hard negatives.

    Negatives are headings of evaluated rows alone: the model has seen those of training, and would know them again.
    """
    known = baselines.Headings([example.row.completion for example in examples])
    counted: Counter[str] = Counter()
    found: list[Sequence[str] | None] = []
    for example in examples:
        heading, split = example.row.completion, example.row.split
        negatives = known.hard_negatives(heading) if counted[split] < limit else None
        counted[split] += negatives is not None
        found.append(None if negatives is None else [heading, *negatives])
    return found


def answer(
    model: Any, tokenizer: Any, asked: Question, configuration: TrainingConfiguration, progress: Progress
) -> Answered:
    """What the model says with its adapter off and on, and the baselines."""
    models = _models(model, tokenizer, asked, configuration, progress)
    progress(f"{asked.task} answered", {"examples": len(asked.examples)})
    return Answered(asked, {**models, **_baselines(asked)})


def _models(
    model: Any, tokenizer: Any, asked: Question, configuration: TrainingConfiguration, progress: Progress
) -> dict[str, Answers]:
    """The answers of the base model (adapter off) and of the tuned one."""
    by_task = _headings_by_model if asked.task == FREE_TEXT else _labels_by_model
    found = {}
    for name, adapter in ((BASE, model.disable_adapter()), (TUNED, nullcontext())):
        with adapter:
            led = _led_by(f"{asked.task} {name} model", progress)
            found[name] = by_task(model, tokenizer, asked, configuration, led)
    return found


def _headings_by_model(
    model: Any, tokenizer: Any, asked: Question, configuration: TrainingConfiguration, progress: Progress
) -> Answers:
    options = _options(tokenizer, configuration, progress)
    wanted = configuration.evaluation
    texts = generate(
        model,
        tokenizer,
        asked.examples,
        batch_size=wanted.batch_size,
        max_new_tokens=wanted.max_new_tokens,
        dtype=options["dtype"],
        progress=progress,
    )
    own = likelihoods(model, asked.examples, **options) if "perplexity" in wanted.metrics else None
    ranked = [place for place, headings in enumerate(asked.headings) if headings is not None]
    compared = choice_likelihoods(
        model, [_asked(asked.examples[at], asked.headings[at] or (), tokenizer) for at in ranked], **options
    )
    ranks: list[int | None] = [None] * len(asked.examples)
    for place, found in zip(ranked, compared, strict=True):
        # By the mean over tokens: a sum would prefer short headings.
        ranks[place] = _rank([likelihood.mean for likelihood in found])
    return Answers(texts=texts, own=own, ranks=ranks)


def _labels_by_model(
    model: Any, tokenizer: Any, asked: Question, configuration: TrainingConfiguration, progress: Progress
) -> Answers:
    found = choice_likelihoods(
        model,
        [_asked(example, asked.labels, tokenizer) for example in asked.examples],
        **_options(tokenizer, configuration, progress),
    )
    right = [asked.labels.index(example.row.completion) for example in asked.examples]
    return Answers(
        own=[row[place] for row, place in zip(found, right, strict=True)],
        choices=np.array([[likelihood.total for likelihood in row] for row in found]),
    )


def _options(tokenizer: Any, configuration: TrainingConfiguration, progress: Progress) -> dict[str, Any]:
    return {
        "batch_size": configuration.evaluation.batch_size,
        "padding": tokenizer.pad_token_id,
        "dtype": PRECISIONS[configuration.base_model.precision],
        "progress": progress,
    }


def _asked(example: Example, completions: Sequence[str], tokenizer: Any) -> Asked:
    encoded = [encode(replace(example.row, completion=text), tokenizer) for text in completions]
    return Asked(example.prompt_ids, tuple(one.input_ids[one.prompt_length :] for one in encoded))


def _rank(values: Sequence[float]) -> int:
    """Place of the first among all, from 1; what is equal to it stands before it."""
    return 1 + sum(value >= values[0] for value in values[1:])


def _baselines(asked: Question) -> dict[str, Answers]:
    """The answers without a model; one that has nothing to learn from is left out."""
    if asked.task == FREE_TEXT:
        return _heading_baselines(asked)
    if not asked.training:
        return {}
    learned = [row.completion for row in asked.training]
    found = {"majority": Answers(choices=baselines.Majority(learned).of(asked.bodies, asked.labels))}
    if len(set(learned)) > 1:
        logistic = baselines.TfidfLogistic(asked.training_bodies, learned)
        found["tfidf_logistic"] = Answers(choices=logistic.of(asked.bodies, asked.labels))
    return found


def _heading_baselines(asked: Question) -> dict[str, Answers]:
    found = {"lead_sentence": Answers(texts=[baselines.lead_sentence(body) for body in asked.bodies])}
    if asked.training:
        nearest = baselines.NearestHeading(asked.training_bodies, [row.completion for row in asked.training])
        ranks = [
            None if headings is None else _rank(nearest.nearness(body, headings))
            for body, headings in zip(asked.bodies, asked.headings, strict=True)
        ]
        found["nearest_heading"] = Answers(texts=nearest.of(asked.bodies), ranks=ranks)
    return found


def figures(split: Split, answered: Answered, configuration: TrainingConfiguration) -> list[Mapping[str, Any]]:
    """The rows of one split and task: each system's figures, then the tuned model's differences."""
    asked = answered.asked
    places = [place for place, example in enumerate(asked.examples) if example.row.split == split]
    if not places:
        return []
    optimization, wanted = configuration.optimization, configuration.evaluation
    found: dict[str, dict[str, Draws]] = {}
    sizes: dict[str, tuple[int, int]] = {}
    for system, answers in answered.by_system.items():
        for metric, (rows, measure) in _measures(asked, answers, places, wanted.metrics).items():
            companies = [asked.examples[place].row.cik for place in rows]
            drawn = Resamples(companies, seed=optimization.seed, resamples=wanted.bootstrap_resamples)
            found.setdefault(metric, {})[system] = drawn.of(measure)
            sizes[metric] = len(rows), drawn.companies
    described: list[Mapping[str, Any]] = []
    for metric, by_system in found.items():
        head = {"split": split, "task": asked.task, "metric": metric}
        size = dict(zip(("examples", "companies"), sizes[metric], strict=True))
        for system, draws in by_system.items():
            described.append({**head, "system": system, "against": None, **_interval(draws), **size})
        for other in [system for system in by_system if system != TUNED and TUNED in by_system]:
            less = by_system[TUNED].less(by_system[other])
            described.append({**head, "system": TUNED, "against": other, **_interval(less), **size})
    return described


def _interval(draws: Draws) -> dict[str, float | None]:
    low, high = draws.interval() or (None, None)
    return {"value": None if math.isnan(draws.value) else draws.value, "low": low, "high": high}


def _measures(
    asked: Question, answer: Answers, places: Sequence[int], wanted: Sequence[str]
) -> dict[str, tuple[Sequence[int], Measure]]:
    """By metric the examples (places) that it is of, and its measure on them."""
    found: dict[str, tuple[Sequence[int], Measure]] = {}
    if answer.texts is not None:
        found.update(_text_measures(asked, answer.texts, places, wanted))
    if answer.ranks is not None:
        ranks = answer.ranks
        ranked = [place for place in places if ranks[place] is not None]
        reciprocal = [1 / rank for place in ranked if (rank := ranks[place]) is not None]
        if ranked:
            found["heading_rank"] = ranked, scores.mean(reciprocal)
            found["heading_rank_at_1"] = ranked, scores.mean([float(value == 1) for value in reciprocal])
    if answer.choices is not None:
        found.update(_label_measures(asked, answer.choices, places))
    if answer.own is not None and "perplexity" in wanted:
        own = [answer.own[place] for place in places]
        found["perplexity"] = places, scores.perplexity([one.total for one in own], [one.tokens for one in own])
    return found


def _text_measures(
    asked: Question, texts: Sequence[str], places: Sequence[int], wanted: Sequence[str]
) -> dict[str, tuple[Sequence[int], Measure]]:
    own = [texts[place] for place in places]
    references = [asked.examples[place].row.completion for place in places]
    found: dict[str, tuple[Sequence[int], Measure]] = {}
    if "rouge" in wanted:
        by_row = scores.rouge_by_row(own, references)
        for metric in scores.ROUGE.values():
            found[metric] = places, scores.mean([row[metric] for row in by_row])
    if "bleu" in wanted:
        found["bleu"] = places, scores.bleu(own, references)
    if "faithfulness" in wanted:
        bodies = [asked.template.body(asked.examples[place].row.prompt) for place in places]
        rules: tuple[tuple[str, Callable[[str, str], tuple[int, int]]], ...] = (
            ("entity_faithfulness", faithful_entities),
            ("number_faithfulness", faithful_numbers),
        )
        for metric, rule in rules:
            counted = [rule(text, body) for text, body in zip(own, bodies, strict=True)]
            found[metric] = places, scores.ratio([one for one, _ in counted], [one for _, one in counted])
    return found


def _label_measures(
    asked: Question, choices: NDArray[np.float64], places: Sequence[int]
) -> dict[str, tuple[Sequence[int], Measure]]:
    said = _said(asked, choices, places)
    labels = [asked.examples[place].row.completion for place in places]
    found: dict[str, tuple[Sequence[int], Measure]] = {"accuracy": (places, scores.accuracy(said, labels))}
    positive = POSITIVE.get(asked.task)
    if positive is None:
        found["macro_f1"] = places, scores.macro_f1(said, labels)
    elif positive in asked.labels and len(asked.labels) == 2:  # noqa: PLR2004  (the label and its opposite)
        column = asked.labels.index(positive)
        margin = (choices[:, column] - choices[:, 1 - column])[list(places)]
        found["f1"] = places, scores.f1(said, labels, positive)
        found["auroc"] = places, scores.auroc(margin.tolist(), [label == positive for label in labels])
    return found


def _said(asked: Question, choices: NDArray[np.float64], places: Sequence[int]) -> list[str]:
    return [asked.labels[int(choices[place].argmax())] for place in places]


def _figures_by_example(answered: Answered) -> dict[str, Mapping[str, Any]]:
    """ROUGE of each heading, or whether the label is right, by base and tuned model; by split and example_id."""
    asked = answered.asked
    places = range(len(asked.examples))
    references = [example.row.completion for example in asked.examples]
    found: dict[str, list[dict[str, float]]] = {}
    for system in (BASE, TUNED):
        answers = answered.by_system[system]
        if answers.texts is not None:
            found[system] = scores.rouge_by_row(answers.texts, references)
        elif answers.choices is not None:
            said = _said(asked, answers.choices, places)
            found[system] = [{"accuracy": float(one == other)} for one, other in zip(said, references, strict=True)]
    return {
        f"{example.row.split}:{example.row.example_id}": {
            "example_id": example.row.example_id,
            "split": example.row.split,
            "task": example.row.task,
            **{system: by_row[place] for system, by_row in found.items()},
        }
        for place, example in enumerate(asked.examples)
    }


def _led_by(prefix: str, progress: Progress) -> Progress:
    return lambda text, values: progress(f"{prefix} {text}", values)
