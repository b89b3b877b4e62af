"""The training configuration: one typed, validated schema for the orchestrator and for the job.

The Dagster side reads it to build assets and job requests, `train.py` reads the same values from the job's
parameters. This module therefore imports neither torch nor a cloud client: pydantic, yaml and the standard
library only. What a field means, its unit and its limits stand at the field; an unknown key or an impossible
value is refused here, before a job is started.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

CONFIGS = Path(__file__).parent / "configs"
"""The configurations that ship with the payload."""

FREE_TEXT = "T1"
"""The task whose completion is a text. The others' is one of a few labels."""

SLUG = r"^[a-z0-9](?:[a-z0-9.-]{0,46}[a-z0-9])?$"

Slug = Annotated[str, StringConstraints(pattern=SLUG)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class ConfigurationError(Exception):
    """A configuration was refused; the message names the file, each field, and what it must be."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class BaseModelSection(_Section):
    """The model that the adapter is trained on."""

    name: Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$")] = Field(
        description="Name on the model hub, owner/name. It is recorded in the adapter; no hub is asked for it "
        "where the job has a `model` channel."
    )
    revision: Annotated[str, StringConstraints(pattern=r"^[\w./-]{1,64}$")] = Field(
        default="main", description="Commit, tag or branch on the hub; recorded, and used where the hub is."
    )
    license: str = Field(description="License of the weights as an SPDX identifier; a tag of every version.")
    digest: Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")] | None = Field(
        default=None,
        description="Expected digest of the model folder (train.files.folder_digest). The job refuses another.",
    )
    precision: Literal["bf16", "fp32"] = Field(
        description="Precision of the frozen weights and of matrix products. The adapter itself is always "
        "float32. bf16 on a CPU without AVX512-BF16 or AMX works, but slowly."
    )


class ComputeSection(_Section):
    """What SageMaker is asked for. One machine ignores instance type and volume."""

    instance_type: Annotated[str, StringConstraints(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9-]+$")] = Field(
        description="SageMaker instance type, such as ml.g6e.2xlarge."
    )
    instance_count: int = Field(default=1, ge=1, le=64, description="Instances in the training cluster.")
    volume_gib: int = Field(default=50, ge=1, le=16384, description="EBS volume, GiB: weights and checkpoints.")
    max_runtime_seconds: int = Field(
        default=7200, ge=60, le=28 * 86400, description="SageMaker stops the job after this many seconds."
    )
    spot: bool = Field(default=False, description="Use managed spot training; the job resumes from checkpoints.")
    max_wait_seconds: int | None = Field(
        default=None,
        description="With spot: longest time from submission to the end, at least max_runtime_seconds.",
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=256,
        description="Threads of CPU kernels. The order of additions depends on it, so a run that must be "
        "repeated byte for byte sets it. None takes the machine's cores.",
    )

    @model_validator(mode="after")
    def _wait_covers_the_run(self) -> ComputeSection:
        if self.spot and (self.max_wait_seconds or 0) < self.max_runtime_seconds:
            raise ValueError("spot training needs max_wait_seconds >= max_runtime_seconds")
        if not self.spot and self.max_wait_seconds is not None:
            raise ValueError("max_wait_seconds is for spot training only: set spot or leave it out")
        return self


class DataSection(_Section):
    """Which rows of the snapshot are used, and what is done with those that do not fit."""

    tasks: tuple[Literal["T1", "T2", "T3", "T4"], ...] = Field(
        default=("T1",),
        min_length=1,
        strict=False,
        description="Tasks whose rows are used; T1 is always one, since its ROUGE is what the model is judged by. From "
        "the body of a risk factor, T1: its subcaption; T2: its category; T3: generic or specific; T4: whether it is "
        "one of the principal risks.",
    )
    max_length: int = Field(
        ge=32, le=131072, description="Longest example in tokens: chat template, prompt and completion."
    )
    overlong: Literal["drop", "fail"] = Field(
        default="drop",
        description="An example over max_length is dropped and counted, or fails the job. It is never cut: a "
        "cut prompt leaves no completion, and TRL then reports a loss of 0.0.",
    )
    max_dropped_share: Fraction = Field(
        default=0.25, description="The job fails where a greater share of a split does not fit max_length."
    )
    max_train_rows: int | None = Field(
        default=None, ge=1, description="Use at most so many training rows, chosen by a hash of their id."
    )
    max_validation_rows: int | None = Field(default=None, ge=1, description="The same for the validation rows.")
    max_test_rows: int | None = Field(default=None, ge=1, description="The same for the rows of each test split.")

    @model_validator(mode="after")
    def _headlines_are_among_the_tasks(self) -> DataSection:
        if FREE_TEXT not in self.tasks:
            raise ValueError(f"tasks must have {FREE_TEXT}, it has {', '.join(self.tasks)}")
        if len(set(self.tasks)) != len(self.tasks):
            raise ValueError(f"tasks names a task twice: {', '.join(self.tasks)}")
        return self


class LoraSection(_Section):
    """The adapter (Hu et al. 2021, LoRA; the terms are those of peft.LoraConfig)."""

    rank: int = Field(default=16, ge=1, le=512, description="Rank of the update.")
    alpha: int = Field(default=32, ge=1, le=1024, description="Scale: the update is multiplied by alpha / rank.")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.05, description="Dropout before the update.")
    targets: tuple[Literal["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"], ...] = Field(
        default=("q_proj", "k_proj", "v_proj", "o_proj"),
        min_length=1,
        strict=False,
        description="Projections of the language model that are adapted; never those of a vision tower.",
    )

    @model_validator(mode="after")
    def _targets_are_distinct(self) -> LoraSection:
        if len(set(self.targets)) != len(self.targets):
            raise ValueError(f"targets names a projection twice: {list(self.targets)}")
        return self


class OptimizationSection(_Section):
    """Optimizer (AdamW), schedule and batches."""

    learning_rate: Annotated[float, Field(gt=0, le=0.1)] = Field(description="Peak learning rate.")
    epochs: Annotated[float, Field(gt=0, le=100)] = Field(default=1.0, description="Passes over the training rows.")
    max_steps: int | None = Field(default=None, ge=1, description="Stop after so many optimizer steps.")
    batch_size: int = Field(default=1, ge=1, le=1024, description="Examples on one device at once.")
    gradient_accumulation: int = Field(default=1, ge=1, le=1024, description="Batches per optimizer step.")
    schedule: Literal["cosine", "linear", "constant"] = Field(
        default="cosine", description="Learning rate after the warm-up."
    )
    warmup_fraction: Fraction = Field(default=0.1, description="Share of the steps with a rising learning rate.")
    weight_decay: Annotated[float, Field(ge=0, le=1)] = Field(default=0.0, description="AdamW weight decay.")
    max_gradient_norm: Annotated[float, Field(gt=0)] = Field(default=1.0, description="Gradients are clipped to it.")
    gradient_checkpointing: bool = Field(
        default=False, description="Recompute activations in the backward pass: less memory, a third more work."
    )
    checkpoint_steps: int = Field(default=50, ge=1, description="Steps between two checkpoints.")
    evaluation_steps: int | None = Field(
        default=None, ge=1, description="Steps between two validation losses; None: before and after only."
    )
    seed: int = Field(default=17, ge=0, lt=2**32, description="Seed of adapter, dropout, row choice and order.")


class EvaluationSection(_Section):
    """Loss on the validation split, and greedy generation on the test splits by base and tuned model."""

    batch_size: int = Field(default=8, ge=1, le=1024, description="Examples generated at once.")
    max_new_tokens: int = Field(default=64, ge=1, le=4096, description="Longest generated completion, tokens.")
    metrics: tuple[Literal["rouge", "bleu"], ...] = Field(
        default=("rouge", "bleu"), min_length=1, strict=False, description="Metrics of train/evaluate.py."
    )


class TrainingConfiguration(_Section):
    """One way to train an adapter: `ml/<name>/lora_adapter` and `ml/<name>/risk_factor_model` come of it."""

    name: Slug = Field(description="Name of the configuration: lower case letters, digits, dots and hyphens.")
    description: str = Field(min_length=1, description="What it is for, in a sentence.")
    base_model: BaseModelSection
    compute: ComputeSection
    data: DataSection
    lora: LoraSection = Field(default_factory=LoraSection)
    optimization: OptimizationSection
    evaluation: EvaluationSection = Field(default_factory=EvaluationSection)
    experiment: Slug = Field(default="risk-factors", description="Experiment that the training run belongs to.")

    @property
    def registered_model(self) -> str:
        """Name of the registered model in its schema: no hyphen or dot, which three-part names cannot hold."""
        return f"risk_factor_model_{re.sub(r'[.-]', '_', self.name)}"

    def as_parameters(self) -> dict[str, Any]:
        """All fields, defaults too, as JSON values; `parse` takes them back."""
        return self.model_dump(mode="json")


def parse(values: Mapping[str, Any], *, source: str) -> TrainingConfiguration:
    """The configuration in `values`; `source` names them in an error.

    Raises:
        ConfigurationError: a field is unknown, missing or impossible.
    """
    try:
        return TrainingConfiguration.model_validate(dict(values))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'configuration'}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_context=False)
        )
        raise ConfigurationError(f"{source}: {problems}") from None


def load(path: Path) -> TrainingConfiguration:
    """Read a YAML file. Its name without the suffix must be the configuration's name.

    Raises:
        ConfigurationError: the file cannot be read, is not a mapping, or holds a refused value.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path}: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ConfigurationError(f"{path}: expected a mapping of fields, found {type(values).__name__}")
    configuration = parse(values, source=str(path))
    if configuration.name != path.stem:
        raise ConfigurationError(f"{path}: name is {configuration.name!r}, but the file says {path.stem!r}")
    return configuration


def load_all(folder: Path = CONFIGS) -> dict[str, TrainingConfiguration]:
    """All configurations of a folder by name, in the order of their names."""
    return {path.stem: load(path) for path in sorted(folder.glob("*.yaml"))}
