"""Scores of texts and labels, each as a `Measure` of weighted rows. No code of them is fetched from a hub.

ROUGE comes from rouge_score, BLEU from sacrebleu; what is made of labels is arithmetic over counts. A measure is nan
where it is not defined: no row, no number in any text, one class only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import datasets
import evaluate
import numpy as np
from numpy.typing import NDArray
from rouge_score import rouge_scorer
from sacrebleu.metrics import BLEU

from train.bootstrap import Measure, Weights

ROUGE: Mapping[str, str] = {"rouge1": "rouge_1", "rouge2": "rouge_2", "rougeL": "rouge_l"}
"""rouge_score's names and ours."""

_NGRAMS = 4


class Rouge(evaluate.Metric):  # type: ignore[misc]
    """F-measures of ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004) with Porter stemming, 0 to 1: a list each, a row an entry.

    `evaluate.load` would fetch such a metric's code from a hub; this one is here.
    """

    def _info(self) -> evaluate.MetricInfo:
        texts = datasets.Features({"predictions": datasets.Value("string"), "references": datasets.Value("string")})
        return evaluate.MetricInfo(description="ROUGE by row", citation="", inputs_description="texts", features=texts)

    def _compute(self, predictions: Sequence[str], references: Sequence[str]) -> dict[str, list[float]]:
        scorer = rouge_scorer.RougeScorer(list(ROUGE), use_stemmer=True)
        scores = [
            scorer.score(reference, prediction) for prediction, reference in zip(predictions, references, strict=True)
        ]
        return {key: [float(score[kind].fmeasure) for score in scores] for kind, key in ROUGE.items()}


def rouge_by_row(predictions: Sequence[str], references: Sequence[str]) -> list[dict[str, float]]:
    """`Rouge` of each prediction; of at least one."""
    found = Rouge(keep_in_memory=True).compute(predictions=list(predictions), references=list(references))
    return [{key: found[key][row] for key in ROUGE.values()} for row in range(len(predictions))]


def mean(values: Sequence[float]) -> Measure:
    """The rows' mean."""
    return ratio(values, np.ones(len(values)).tolist())


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Measure:
    """The sum of one number over the sum of another."""
    parts = np.array([numerators, denominators], dtype=np.float64).T.reshape(-1, 2)

    def measure(weights: Weights) -> NDArray[np.float64]:
        above, below = (weights @ parts).T
        return _quotient(above, below)

    return measure


def perplexity(log_likelihoods: Sequence[float], tokens: Sequence[int]) -> Measure:
    """Exponential of the mean negative log likelihood a token; each token counts the same."""
    loss = ratio([-value for value in log_likelihoods], tokens)
    return lambda weights: np.exp(loss(weights))


def bleu(predictions: Sequence[str], references: Sequence[str]) -> Measure:
    """Corpus BLEU (Papineni et al. 2002; sacrebleu's 13a tokens and smoothing), 0 to 100."""
    metric = BLEU(effective_order=True)  # says nothing of single sentences; the corpus's score is taken below
    counted = []
    for prediction, reference in zip(predictions, references, strict=True):
        found = metric.sentence_score(prediction, [reference])
        counted.append([*found.counts, *found.totals, found.sys_len, found.ref_len])
    parts = np.array(counted, dtype=np.float64).reshape(-1, 2 * _NGRAMS + 2)

    def measure(weights: Weights) -> NDArray[np.float64]:
        sums = (weights @ parts).round().astype(int).tolist()
        return np.array([_bleu_of(row) if row[-1] else np.nan for row in sums])

    return measure


def _bleu_of(sums: list[int]) -> float:
    correct, total = sums[:_NGRAMS], sums[_NGRAMS : 2 * _NGRAMS]
    return float(BLEU.compute_bleu(correct, total, sums[-2], sums[-1], smooth_method="exp").score)


def accuracy(said: Sequence[str], labels: Sequence[str]) -> Measure:
    """Share of rows with the right label."""
    return mean([float(one == other) for one, other in zip(said, labels, strict=True)])


def macro_f1(said: Sequence[str], labels: Sequence[str]) -> Measure:
    """Mean of the F1 of each label that some row has or is given, as scikit-learn's `f1_score(average="macro")`."""
    names = sorted({*said, *labels})
    true_positives, given, had = _counted(said, labels, names)

    def measure(weights: Weights) -> NDArray[np.float64]:
        occurs = weights @ given + weights @ had
        scores = np.divide(2 * (weights @ true_positives), occurs, out=np.zeros(occurs.shape), where=occurs > 0)
        present = (occurs > 0).sum(axis=1)
        return _quotient(scores.sum(axis=1), present)

    return measure


def f1(said: Sequence[str], labels: Sequence[str], positive: str) -> Measure:
    """F1 of one label: nan where no row has it or is given it."""
    true_positives, given, had = _counted(said, labels, [positive])
    return ratio((2 * true_positives[:, 0]).tolist(), (given + had)[:, 0].tolist())


def _counted(
    said: Sequence[str], labels: Sequence[str], names: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """For each row and name, 1 where it is said and right, is said, and is right; shape (rows, names) each."""
    given = np.array([[float(one == name) for name in names] for one in said]).reshape(-1, len(names))
    had = np.array([[float(one == name) for name in names] for one in labels]).reshape(-1, len(names))
    return given * had, given, had


def auroc(scores: Sequence[float], positive: Sequence[bool]) -> Measure:
    """Area under the ROC curve: how often a positive row has the higher score than a negative one; ties count half."""
    order = np.argsort(np.array(scores, dtype=np.float64), kind="stable")
    is_positive = np.array(positive, dtype=bool)[order]
    _, group = np.unique(np.array(scores, dtype=np.float64)[order], return_inverse=True)
    ends = np.searchsorted(group, group, side="right")
    starts = np.searchsorted(group, group, side="left")

    def measure(weights: Weights) -> NDArray[np.float64]:
        sorted_weights = weights[:, order]
        negatives = np.concatenate(
            [np.zeros((len(weights), 1)), np.cumsum(sorted_weights * ~is_positive, axis=1)], axis=1
        )
        # Those below a row's score, and half of those at it.
        beaten = (negatives[:, starts] + negatives[:, ends]) / 2
        mine = sorted_weights * is_positive
        pairs = mine.sum(axis=1) * negatives[:, -1]
        won = (mine * beaten).sum(axis=1)
        return _quotient(won, pairs)

    return measure


def _quotient(above: NDArray[Any], below: NDArray[Any]) -> NDArray[np.float64]:
    """The quotients, nan where the divisor is not positive."""
    found = np.full(len(above), np.nan)
    return np.asarray(np.divide(above, below, out=found, where=below > 0))
