"""Metrics as lines of the job's log, and the regular expressions that read them back.

SageMaker finds metrics in a job's log by `MetricDefinitions`; the job and whoever submits it share them here.
Standard library only: the orchestrator imports this module too.
"""

from __future__ import annotations

from collections.abc import Mapping

NUMBER = r"([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)"

# Key in the log line -> name in CloudWatch and in the training job's FinalMetricDataList.
METRIC_NAMES: Mapping[str, str] = {
    "train_loss": "train:loss",
    "learning_rate": "train:learning_rate",
    "gradient_norm": "train:gradient_norm",
    "tokens_per_second": "train:tokens_per_second",
    "validation_loss": "validation:loss",
    "rouge_1_base": "test:rouge_1:base",
    "rouge_1_tuned": "test:rouge_1:tuned",
    "rouge_2_base": "test:rouge_2:base",
    "rouge_2_tuned": "test:rouge_2:tuned",
    "rouge_l_base": "test:rouge_l:base",
    "rouge_l_tuned": "test:rouge_l:tuned",
    "bleu_base": "test:bleu:base",
    "bleu_tuned": "test:bleu:tuned",
}

METRIC_DEFINITIONS: tuple[Mapping[str, str], ...] = tuple(
    {"Name": name, "Regex": rf"\b{key}={NUMBER}"} for key, name in METRIC_NAMES.items()
)
"""For `AlgorithmSpecification.MetricDefinitions` of CreateTrainingJob."""


def line(prefix: str, values: Mapping[str, float | int]) -> str:
    """A log line: the prefix, then `key=value` with six significant digits."""
    return " ".join([prefix, *(f"{key}={value:.6g}" for key, value in values.items())])
