"""Thresholds of the gates on data and models: the one place that holds them. Each check shows its own beside its value.

The numbers are settings (`GOVTUNE_DATA_THRESHOLDS` and `GOVTUNE_MODEL_THRESHOLDS`, JSON objects of those that differ),
since what is enough depends on the model and on how many companies are taken. docs/decisions/data-gates.md and
docs/decisions/model-gates.md say where each default comes from.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field

TOKENS_PER_WORD = 1.35
"""Tokens that a word, what stands between white space, is taken for: 99 % of the recorded filings' risk factors have
no more with SmolLM2's tokenizer. It is what bodies are cut by (spark/templates.py)."""


class TaskKind(StrEnum):
    """What a task asks of the model: it decides how many examples are enough."""

    CLASSIFICATION = "classification"
    STRUCTURED_OUTPUT = "structured_output"
    STYLE = "style"
    REASONING = "reasoning"


TASK_KINDS: Mapping[str, TaskKind] = MappingProxyType(
    {
        "T1": TaskKind.STYLE,
        "T2": TaskKind.CLASSIFICATION,
        "T3": TaskKind.CLASSIFICATION,
        "T4": TaskKind.CLASSIFICATION,
    }
)
"""Kind of each task. T1 writes a headline as issuers do; T2 to T4 choose one of a few labels."""


class DataThresholds(BaseModel):
    """What the data must reach before it trains a model; shares and distances are from 0 to 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    examples_of_year: int = Field(100, ge=0, description="Least number of examples of a fiscal year, all tasks.")
    examples_classification: int = Field(
        200, ge=0, description="Least number of training examples of a task that chooses a label (T2, T3, T4)."
    )
    examples_structured_output: int = Field(
        500, ge=0, description="Least number of training examples of a task that fills a given structure."
    )
    examples_style: int = Field(
        1000, ge=0, description="Least number of training examples of a task that writes in a given manner (T1)."
    )
    examples_reasoning: int = Field(5000, ge=0, description="Least number of training examples of a reasoning task.")
    tokens: int = Field(
        768,
        ge=1,
        description=f"Longest example in tokens, at {TOKENS_PER_WORD} tokens a word of prompt and completion; the "
        "default is the least `max_length` of train/configs.",
    )
    pii_spans: int = Field(0, ge=0, description="Most spans of personal data left in prompts and completions.")
    exact_duplicate_share: float = Field(
        0.5, ge=0, le=1, description="Largest share of exact duplicates among a fiscal year's examples."
    )
    duplicate_share: float = Field(
        0.95,
        ge=0,
        le=1,
        description="Largest share of the examples of all years that repeat others, nearly or exactly.",
    )
    labels: int = Field(2, ge=0, description="Least number of labels among the training examples of T2, T3 and T4.")
    largest_label_share: float = Field(
        0.9, ge=0, le=1, description="Largest share that one label may have of a task's training examples."
    )
    smallest_label_share: float = Field(
        0.005, ge=0, le=1, description="Smallest share that a label may have of a task's training examples."
    )
    length_distance: float = Field(
        0.25, ge=0, le=1, description="Largest Kolmogorov-Smirnov distance of a split's prompt lengths from train's."
    )
    shared_grams: float = Field(
        0.2, ge=0, le=1, description="Largest share of a test body's 13-grams of words that may stand in train too."
    )
    companies: float = Field(
        0.9, ge=0, le=1, description="Least share of the companies with a full Item 1A that must have an example."
    )
    label_drift: float = Field(
        0.15, ge=0, le=1, description="Largest total variation distance of a year's label mix from the year before."
    )

    def examples_of(self, kind: TaskKind) -> int:
        """Least number of training examples of a task of this kind."""
        return {
            TaskKind.CLASSIFICATION: self.examples_classification,
            TaskKind.STRUCTURED_OUTPUT: self.examples_structured_output,
            TaskKind.STYLE: self.examples_style,
            TaskKind.REASONING: self.examples_reasoning,
        }[kind]


TASK_METRICS: Mapping[str, str] = MappingProxyType({"T1": "rouge_l", "T2": "macro_f1", "T3": "f1", "T4": "f1"})
"""By which metric each task is judged; all are from 0 to 1, and more is better."""


class ModelThresholds(BaseModel):
    """What a training and its adapter must reach before the adapter is registered."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    loss_rise: float = Field(
        0.05,
        ge=0,
        description="Largest rise of the validation loss above its lowest point until the end of the training, as a "
        "share of that point.",
    )
    gradient_norm: float = Field(
        100.0, gt=0, description="Largest norm of a step's gradients, before they are clipped."
    )
    device_use: float = Field(
        0.3,
        ge=0,
        le=1,
        description="Least mean share of the training's time in which the GPU worked. Where the instance type has a "
        "GPU, a training without a figure of it fails; 0 asks for none. Of a CPU instance type it is not asked.",
    )
    rouge_l_gain: float = Field(
        0.0,
        ge=-1,
        le=1,
        description="ROUGE-L by which the tuned model must exceed its base, on companies it never saw.",
    )
    under_base: float = Field(
        0.0, ge=0, le=1, description="By how much the metric of a task may be under the base model's."
    )
    under_baselines: float = Field(
        0.0,
        ge=0,
        le=1,
        description="By how much the metric of a task may be under the lower bound of the best baseline's interval.",
    )
    under_champion: float = Field(
        0.05, ge=0, le=1, description="Largest share by which ROUGE-1 may be under that of the current champion."
    )
