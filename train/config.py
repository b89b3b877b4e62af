"""The training configuration: one typed, validated schema for the orchestrator and for the job.

The Dagster side reads it to build assets and job requests, `train.py` reads the same values from the job's
hyperparameters. This module therefore imports neither torch nor a cloud client: pydantic, yaml and the standard
library only. What a field means, its unit and its limits stand at the field; an unknown key, an impossible value or
values that exclude each other are refused here, before a job is started.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from train.instances import Accelerator, accelerator

CONFIGS = Path(__file__).parent / "configs"
"""The configurations that ship with the payload."""

FREE_TEXT = "T1"
"""The task whose completion is a text. The others' is one of a few labels."""

HYPERPARAMETER_CHARACTERS = 2500
"""So long may the value of one be in CreateTrainingJob."""

SLUG = r"^[a-z0-9](?:[a-z0-9.-]{0,46}[a-z0-9])?$"

Task = Literal["T1", "T2", "T3", "T4"]
Slug = Annotated[str, StringConstraints(pattern=SLUG)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class ConfigurationError(Exception):
    """A configuration was refused; the message names the file, each field, and what it must be."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class BaseModelSection(_Section):
    """The model that the adapter is trained on."""

    name: Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$")] = Field(
        description="Name on the model hub, owner/name. It is recorded in the adapter; no hub is asked for it "
        "where the job has a `model` channel."
    )
    revision: Annotated[str, StringConstraints(pattern=r"^[\w./-]{1,64}$")] = Field(
        default="main", description="Commit, tag or branch on the hub; recorded, and used where the hub is."
    )
    license: str = Field(
        description="License of the weights: the SPDX identifier, or the hub's name for it where SPDX has none, such "
        "as llama3.1; a tag of every version."
    )
    parameters_billions: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="Size of the base model, billions of parameters. With it, an instance type whose accelerators "
        "cannot hold the weights is refused before a job is started.",
    )
    token_secret: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9/_+=.@-]{1,512}$")] | None = Field(
        default=None,
        description='Name of the Secrets Manager secret with the hub\'s token, {"token": ...}, for gated weights. The '
        "job reads it itself, where it asks the hub; the request for the job never holds it.",
    )
    digest: Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")] | None = Field(
        default=None,
        description="Expected digest of the model folder (train.files.folder_digest). The job refuses another.",
    )
    precision: Literal["bf16", "fp32", "fp8"] = Field(
        description="Precision of the frozen weights and of matrix products; the adapter is always float32. bf16 on a "
        "CPU without AVX512-BF16 or AMX works, but slowly. fp8 keeps the FP8 weights of a checkpoint as they are and "
        "turns each into bf16 where it is used: half the memory of bf16. It needs a GPU with FP8 (compute capability "
        "8.9). With bf16 and fp32 an FP8 checkpoint is turned into that precision when it is loaded."
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


class DistributionSection(_Section):
    """How a training is spread over processes, one for each accelerator."""

    strategy: Literal["none", "ddp", "fsdp"] = Field(
        default="none",
        description="none: one process, on one GPU at most. ddp: each process has the whole model and a part of each "
        "batch. fsdp: each process has a part of the weights as well, for models that one accelerator cannot hold.",
    )
    devices: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="Processes on each instance. None takes the accelerators of the instance type; on a CPU it has to "
        "be said. Batches add up: an optimizer step sees instances * devices * batch_size * gradient_accumulation.",
    )


class DataSection(_Section):
    """Which rows of the snapshot are used, and what is done with those that do not fit."""

    tasks: tuple[Task, ...] = Field(
        default=("T1",),
        min_length=1,
        strict=False,
        description="Tasks whose rows are used; T1 is always one, since its ROUGE is what the model is judged by. From "
        "the body of a risk factor, T1: its subcaption; T2: its category; T3: generic or specific; T4: whether it is "
        "one of the principal risks.",
    )
    shares: dict[Task, Annotated[float, Field(gt=0, le=1)]] | None = Field(
        default=None,
        description="Share of each task in the training and validation examples that are used; the shares add up to "
        "1. Rows of a task are taken in the order of a hash of seed and id, until its share of the rows is reached; "
        "the number of rows is the largest at which every task has enough for its share, at most max_train_rows, and "
        "each task's part is rounded down. "
        "None takes the rows as the snapshot mixes them.",
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
    packing: bool = Field(
        default=False,
        description="Put training examples one after the other into rows of up to max_length tokens, each seeing only "
        "itself: no padding. batch_size then counts such rows, so a step sees more examples.",
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

    @model_validator(mode="after")
    def _shares_are_of_the_tasks(self) -> DataSection:
        if self.shares is None:
            return self
        if set(self.shares) != set(self.tasks):
            raise ValueError(
                f"shares are of {', '.join(self.shares)}, tasks are {', '.join(self.tasks)}: name the same"
            )
        if not math.isclose(sum(self.shares.values()), 1, abs_tol=1e-6):
            raise ValueError(f"shares add up to {sum(self.shares.values()):g}, not to 1")
        task, least = min(self.shares.items(), key=lambda item: item[1])
        for name, most in (("max_train_rows", self.max_train_rows), ("max_validation_rows", self.max_validation_rows)):
            if most is not None and most * least < 1 - 1e-6:
                raise ValueError(
                    f"{name} is {most}, which leaves no row for {task}, whose share is {least:g}: raise it"
                )
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
    max_steps: int | None = Field(
        default=None, ge=1, description="Stop after so many optimizer steps, where epochs come to more."
    )
    batch_size: int = Field(default=1, ge=1, le=1024, description="Examples on one device at once.")
    gradient_accumulation: int = Field(default=1, ge=1, le=1024, description="Batches per optimizer step.")
    schedule: Literal["cosine", "linear", "constant"] = Field(
        default="cosine", description="Learning rate after the warm-up."
    )
    warmup_fraction: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.1, description="Share of the steps with a rising learning rate."
    )
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
    """What is measured of base model, tuned model and baselines, and on which rows."""

    batch_size: int = Field(
        default=8, ge=1, le=1024, description="Examples generated, or completions compared, at once."
    )
    max_new_tokens: int = Field(default=64, ge=1, le=4096, description="Longest generated completion, tokens.")
    splits: tuple[Literal["validation", "test_company", "test_year", "test_company_year"], ...] = Field(
        default=("validation", "test_company", "test_year", "test_company_year"),
        min_length=1,
        strict=False,
        description="Splits that are evaluated; test_company is always one, since the model is judged by it. The "
        "validation loss is taken in any case.",
    )
    metrics: tuple[Literal["rouge", "bleu", "faithfulness", "heading_rank", "perplexity"], ...] = Field(
        default=("rouge", "bleu", "faithfulness", "heading_rank", "perplexity"),
        min_length=1,
        strict=False,
        description="What is measured of headings; rouge is always one. Tasks of labels have F1, AUROC and accuracy in "
        "any case. docs/decisions/evaluation.md says what each is.",
    )
    heading_rank_rows: int = Field(
        default=64,
        ge=1,
        description="Rows of each split whose heading is ranked among ten others: each costs eleven completions.",
    )
    bootstrap_resamples: int = Field(
        default=2000, ge=100, le=100000, description="Resamples of the companies behind each interval."
    )

    @model_validator(mode="after")
    def _what_the_gates_read_is_measured(self) -> EvaluationSection:
        if "test_company" not in self.splits:
            raise ValueError(f"splits must have test_company, it has {', '.join(self.splits)}")
        if "rouge" not in self.metrics:
            raise ValueError(f"metrics must have rouge, it has {', '.join(self.metrics)}")
        return self


class TrainingConfiguration(_Section):
    """One way to train an adapter: `ml/<name>/lora_adapter` and `ml/<name>/risk_factor_model` come of it."""

    name: Slug = Field(description="Name of the configuration: lower case letters, digits, dots and hyphens.")
    description: str = Field(min_length=1, max_length=1000, description="What it is for, in a sentence.")
    enabled: bool = Field(
        default=True,
        description="Whether assets are built for it where GOVTUNE_TRAINING_CONFIGURATIONS names none.",
    )
    base_model: BaseModelSection
    compute: ComputeSection
    distribution: DistributionSection = Field(default_factory=DistributionSection)
    data: DataSection
    lora: LoraSection = Field(default_factory=LoraSection)
    optimization: OptimizationSection
    evaluation: EvaluationSection = Field(default_factory=EvaluationSection)
    experiment: Slug = Field(default="risk-factors", description="Experiment that the training run belongs to.")

    registered_model: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,98}$")] = Field(
        default_factory=lambda values: f"risk_factor_model_{re.sub(r'[.-]', '_', values.get('name', ''))}",
        validate_default=False,
        description="Name of the registered model in the schema `ml`: no hyphen or dot, which three-part names cannot "
        "hold. Default: risk_factor_model_<name>. No two configurations may have the same.",
    )

    @property
    def processes(self) -> int:
        """Processes on each instance, by the configuration: one without distribution, else one for each device."""
        if self.distribution.strategy == "none":
            return 1
        found = accelerator(self.compute.instance_type)
        return self.distribution.devices or (found.count if found else 1)

    @model_validator(mode="after")
    def _request_can_hold_it(self) -> TrainingConfiguration:
        for name, text in self.as_hyperparameters().items():
            if len(text) > HYPERPARAMETER_CHARACTERS:
                raise ValueError(
                    f"{name} has {len(text)} characters as a hyperparameter, at most {HYPERPARAMETER_CHARACTERS} are "
                    "taken: shorten it; a character that is not ASCII counts six or twelve times"
                )
        return self

    @model_validator(mode="after")
    def _compute_can_do_it(self) -> TrainingConfiguration:
        found = accelerator(self.compute.instance_type)
        _require_processes(self, found)
        _require_precision(self, found)
        _require_memory(self, found)
        return self

    def as_parameters(self) -> dict[str, Any]:
        """All fields, defaults too, as JSON values; `parse` takes them back."""
        return self.model_dump(mode="json")

    def as_decisive(self) -> dict[str, Any]:
        """What decides the steps of a training, as JSON values, in the fields' order, which is that of data.shares too.

        Configurations that have the same here go on from each other's checkpoints: of the weights the precision (their
        digest is not known here), of the machine the processes and threads. Limits, names, spot and evaluation may
        differ.
        """
        values = self.as_parameters()
        return {
            "precision": self.base_model.precision,
            "threads": self.compute.threads,
            "strategy": self.distribution.strategy,
            "processes": [self.compute.instance_count, self.processes],
            "data": {name: value for name, value in values["data"].items() if name != "max_test_rows"},
            "lora": values["lora"],
            "optimization": values["optimization"],
        }

    def as_hyperparameters(self) -> dict[str, str]:
        """The fields that are set as hyperparameters of a training job: `section.field`, each value as JSON.

        CreateTrainingJob takes at most 100. `from_hyperparameters` takes them back.
        """
        flat: dict[str, Any] = {}
        for name, value in self.as_parameters().items():
            if name in _SECTIONS:
                flat.update({f"{name}.{field}": inner for field, inner in value.items()})
            else:
                flat[name] = value
        return {name: json.dumps(value) for name, value in flat.items() if value is not None}


_SECTIONS = ("base_model", "compute", "distribution", "data", "lora", "optimization", "evaluation")


def _require_processes(configuration: TrainingConfiguration, found: Accelerator | None) -> None:
    compute, distribution, total = configuration.compute, configuration.distribution, configuration.processes
    if distribution.strategy == "none":
        if compute.instance_count > 1 or (distribution.devices or 1) > 1:
            raise ValueError(
                f"distribution.strategy is none, which is one process: it takes neither compute.instance_count = "
                f"{compute.instance_count} nor distribution.devices = {distribution.devices}; set ddp or fsdp"
            )
        if found is not None and found.count > 1:  # transformers would spread a batch by torch's DataParallel
            raise ValueError(
                f"distribution.strategy is none, which is one process on one GPU: {compute.instance_type} has "
                f"{found.count}; set ddp or fsdp, or take an instance type with one"
            )
        return
    if found is None and distribution.devices is None:
        raise ValueError(
            f"{compute.instance_type} has no GPU: say distribution.devices, the number of processes on its cores"
        )
    if found is not None and total > found.count:
        raise ValueError(f"distribution.devices is {total}, {compute.instance_type} has {found.count} GPUs")
    if total * compute.instance_count == 1:
        raise ValueError(
            f"distribution.strategy is {distribution.strategy}, which takes several processes: {compute.instance_type} "
            f"has one GPU and compute.instance_count is 1"
        )


def _require_precision(configuration: TrainingConfiguration, found: Accelerator | None) -> None:
    precision, instance = configuration.base_model.precision, configuration.compute.instance_type
    if precision == "fp8" and (found is None or not found.has_fp8):
        what = "no GPU" if found is None else f"{found.name} GPUs, which have no FP8"
        raise ValueError(f"base_model.precision is fp8, {instance} has {what}: set bf16, or take another instance type")
    if precision == "fp8" and configuration.distribution.strategy == "fsdp":
        raise ValueError("base_model.precision fp8 and distribution.strategy fsdp exclude each other: set bf16")
    if precision == "bf16" and found is not None and not found.has_bf16:
        raise ValueError(f"base_model.precision is bf16, {instance} has {found.name} GPUs, which have not: set fp32")


def _require_memory(configuration: TrainingConfiguration, found: Accelerator | None) -> None:
    """Refuse weights that do not fit. Activations and optimizer come on top: it is a lower limit, not a promise."""
    billions = configuration.base_model.parameters_billions
    if found is None or billions is None:
        return
    weights = billions * 1e9 * {"fp32": 4, "bf16": 2, "fp8": 1}[configuration.base_model.precision] / 2**30
    parts = 1
    if configuration.distribution.strategy == "fsdp":
        parts = configuration.processes * configuration.compute.instance_count
    if weights / parts > found.memory_gib:
        raise ValueError(
            f"the weights of {billions:g} billion parameters in {configuration.base_model.precision} are "
            f"{weights:.0f} GiB, over {parts} {'part' if parts == 1 else 'parts'}; a {found.name} of "
            f"{configuration.compute.instance_type} holds {found.memory_gib} GiB: spread them with "
            "distribution.strategy fsdp, or take a larger instance type"
        )


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


def from_hyperparameters(values: Mapping[str, str], *, source: str) -> TrainingConfiguration:
    """The configuration in a training job's hyperparameters, as `as_hyperparameters` wrote it.

    Hyperparameters of the container's toolkit (`sagemaker_...`) are passed over.

    Raises:
        ConfigurationError: a value is not JSON, or a field is unknown, missing or impossible.
    """
    nested: dict[str, Any] = {}
    for name, text in values.items():
        if name.startswith("sagemaker_"):
            continue
        try:
            value = json.loads(text)
        except ValueError as error:
            raise ConfigurationError(f"{source}: {name} is not JSON ({error})") from error
        section, _, field = name.partition(".")
        if field:
            nested.setdefault(section, {})[field] = value
        else:
            nested[name] = value
    return parse(nested, source=source)


class _UniqueKeys(yaml.SafeLoader):  # type: ignore[misc]
    """YAML's safe loader, which would silently take the last value of a key that is given twice."""

    def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:
        # Here and not where the mapping is made: there, the keys that it overrides in a merged one stand in it too.
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    problem = f"found the key {key.value!r} twice"
                    raise yaml.MarkedYAMLError("in a mapping", node.start_mark, problem, key.start_mark)
                seen.add((key.tag, key.value))
        return node


def load(path: Path) -> TrainingConfiguration:
    """Read a YAML file. Its name without the suffix must be the configuration's name.

    Raises:
        ConfigurationError: the file cannot be read, is not a mapping, names a key twice, or holds a refused value.
    """
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)  # noqa: S506 - a safe one
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path}: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ConfigurationError(f"{path}: expected a mapping of fields, found {type(values).__name__}")
    configuration = parse(values, source=str(path))
    if configuration.name != path.stem:
        raise ConfigurationError(f"{path}: name is {configuration.name!r}, but the file says {path.stem!r}")
    return configuration


def load_all(folder: Path = CONFIGS) -> dict[str, TrainingConfiguration]:
    """All configurations of a folder by name, in the order of their names.

    Raises:
        ConfigurationError: a file is refused, or two register the same model.
    """
    found = {path.stem: load(path) for path in sorted(folder.glob("*.yaml"))}
    owners: dict[str, str] = {}
    for name, configuration in found.items():
        other = owners.setdefault(configuration.registered_model, name)
        if other != name:
            raise ConfigurationError(
                f"{folder}: {other} and {name} have the same registered_model, {configuration.registered_model}: "
                "versions of one would take the place of the other's"
            )
    return found
