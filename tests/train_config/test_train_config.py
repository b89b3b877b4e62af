"""The configuration's schema and the metric lines: what the orchestrator uses of train/, without torch."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from train.config import (
    CONFIGS,
    ConfigurationError,
    TrainingConfiguration,
    from_hyperparameters,
    load,
    load_all,
    parse,
)
from train.metrics import METRIC_DEFINITIONS, METRIC_NAMES, line


def shipped() -> dict[str, Any]:
    return load(CONFIGS / "smollm2-135m.yaml").as_parameters()


def test_the_shipped_configurations_are_valid_and_survive_the_job_parameters() -> None:
    found = load_all()
    assert {"smollm2-135m", "ministral-3-3b", "llama-3.1-8b", "llama-3.1-70b"} <= found.keys()
    for configuration in found.values():
        assert parse(configuration.as_parameters(), source="job") == configuration
        sent = {"sagemaker_program": '"train.py"', **configuration.as_hyperparameters()}
        assert from_hyperparameters(sent, source="job") == configuration
        # The limits of CreateTrainingJob.
        assert len(sent) <= 100
        assert all(len(name) <= 256 and len(value) <= 2500 for name, value in sent.items())
    production = found["ministral-3-3b"]
    assert production.base_model.name == "mistralai/Ministral-3-3B-Instruct-2512"
    assert production.compute.instance_type == "ml.g6e.2xlarge"
    assert production.registered_model == "risk_factor_model_ministral_3_3b"


def test_every_field_is_documented() -> None:
    def undocumented(model: Any, path: str) -> list[str]:
        missing = []
        for name, field in model.model_fields.items():
            if hasattr(field.annotation, "model_fields"):
                missing += undocumented(field.annotation, f"{path}{name}.")
            elif not field.description:
                missing.append(path + name)
        return missing

    assert undocumented(TrainingConfiguration, "") == []


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("lora.rank", 0, "lora.rank: Input should be greater than or equal to 1"),
        ("lora.rnak", 8, "lora.rnak: Extra inputs are not permitted"),
        ("lora.targets", ["q_proj", "q_proj"], "names a projection twice"),
        ("lora.targets", ["vision_tower"], "lora.targets.0: Input should be"),
        ("optimization.learning_rate", "2e-3", "optimization.learning_rate: Input should be a valid number"),
        ("optimization.learning_rate", float("nan"), "optimization.learning_rate"),
        ("optimization.epochs", float("inf"), "optimization.epochs"),
        ("optimization.warmup_fraction", 1.0, "optimization.warmup_fraction: Input should be less than 1"),
        ("optimization.max_gradient_norm", float("inf"), "optimization.max_gradient_norm: Input should be a finite"),
        ("base_model.parameters_billions", float("inf"), "base_model.parameters_billions: Input should be a finite"),
        ("optimization.seed", True, "optimization.seed: Input should be a valid integer"),
        ("base_model.precision", "fp16", "base_model.precision: Input should be 'bf16', 'fp32' or 'fp8'"),
        ("base_model.token_secret", "hf_abc def", "base_model.token_secret: String should match pattern"),
        ("base_model.name", "../../etc/passwd", "base_model.name: String should match pattern"),
        ("base_model.digest", "sha256:12", "base_model.digest: String should match pattern"),
        ("compute.instance_type", "c7i.2xlarge", "compute.instance_type: String should match pattern"),
        ("compute.spot", True, "spot training needs max_wait_seconds >= max_runtime_seconds"),
        ("compute.max_wait_seconds", 7200, "max_wait_seconds is for spot training only"),
        ("data.max_length", 8, "data.max_length: Input should be greater than or equal to 32"),
        ("data.tasks", [], "data.tasks"),
        ("data.tasks", ["T5"], "data.tasks.0: Input should be"),
        ("data.tasks", ["T2", "T3"], "tasks must have T1, it has T2, T3"),
        ("data.tasks", ["T1", "T2", "T2"], "tasks names a task twice: T1, T2, T2"),
        ("data.shares", {"T1": 0.5, "T2": 0.5}, "shares are of T1, T2, tasks are T1: name the same"),
        ("data.shares", {"T1": 0.5}, "shares add up to 0.5, not to 1"),
        (
            "data",
            {"max_length": 64, "tasks": ["T1", "T2"], "shares": {"T1": 0.75, "T2": 0.25}, "max_validation_rows": 3},
            "data: Value error, max_validation_rows is 3, which leaves no row for T2, whose share is 0.25",
        ),
        ("data.shares", {"T1": 0}, "data.shares.T1: Input should be greater than 0"),
        ("distribution.strategy", "tensor", "distribution.strategy: Input should be 'none', 'ddp' or 'fsdp'"),
        ("registered_model", "Model-1", "registered_model: String should match pattern"),
        ("name", "Smol LM", "name: String should match pattern"),
        ("description", "", "description: String should have at least 1 character"),
        ("description", "\u00e9" * 1000, "description has 6002 characters as a hyperparameter, at most 2500 are taken"),
        ("base_model.license", "x" * 2500, "base_model.license has 2502 characters as a hyperparameter"),
    ],
)
def test_an_unknown_or_impossible_value_is_refused_by_its_name(path: str, value: object, message: str) -> None:
    values = shipped()
    *sections, field = path.split(".")
    section = values
    for name in sections:
        section = section[name]
    section[field] = value
    with pytest.raises(ConfigurationError, match=re.escape(message)) as refused:
        parse(values, source="job parameter")
    assert str(refused.value).startswith("job parameter: ")
    assert "\n" not in str(refused.value)


GPU = {"instance_type": "ml.g6e.2xlarge"}
EIGHT = {"instance_type": "ml.p4de.24xlarge"}
LARGE = {"parameters_billions": 70.6}


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"base_model": {"precision": "fp8"}}, "ml.c7i.2xlarge has no GPU: set bf16"),
        (
            {"base_model": {"precision": "fp8"}, "compute": {"instance_type": "ml.g5.2xlarge"}},
            "ml.g5.2xlarge has A10G GPUs, which have no FP8",
        ),
        (
            {"base_model": {"precision": "fp8"}, "compute": {"instance_type": "ml.p5.48xlarge"}}
            | {"distribution": {"strategy": "fsdp"}},
            "fp8 and distribution.strategy fsdp exclude each other",
        ),
        ({"compute": {"instance_type": "ml.g4dn.xlarge"}}, "ml.g4dn.xlarge has T4 GPUs, which have not: set fp32"),
        ({"compute": {"instance_type": "ml.trn1.2xlarge"}}, "instance type ml.trn1.2xlarge is not known"),
        ({"compute": {"instance_type": "ml.p4d.48xlarge"}}, "instance type ml.p4d.48xlarge is not known"),
        ({"distribution": {"devices": 2}}, "distribution.strategy is none, which is one process"),
        (
            {"compute": {"instance_type": "ml.g5.12xlarge"}},
            "distribution.strategy is none, which is one process on one GPU: ml.g5.12xlarge has 4; set ddp or fsdp",
        ),
        ({"compute": {"instance_count": 2}}, "distribution.strategy is none, which is one process"),
        ({"distribution": {"strategy": "ddp"}}, "ml.c7i.2xlarge has no GPU: say distribution.devices"),
        ({"distribution": {"strategy": "ddp", "devices": 1}}, "takes several processes"),
        ({"compute": GPU, "distribution": {"strategy": "ddp"}}, "which takes several processes"),
        (
            {"compute": EIGHT, "distribution": {"strategy": "ddp", "devices": 9}},
            "distribution.devices is 9, ml.p4de.24xlarge has 8 GPUs",
        ),
        (
            {"compute": {"instance_type": "ml.p5.4xlarge"}, "base_model": LARGE},
            "70.6 billion parameters in bf16 are 132 GiB, over 1 part",
        ),
        (
            {"compute": EIGHT, "base_model": LARGE, "distribution": {"strategy": "ddp"}},
            "spread them with distribution.strategy fsdp",
        ),
        (
            {
                "compute": {"instance_type": "ml.g6.12xlarge"},
                "base_model": LARGE,
                "distribution": {"strategy": "fsdp"},
            },
            "over 4 parts; a L4 of ml.g6.12xlarge holds 24 GiB",
        ),
    ],
)
def test_a_machine_that_cannot_do_it_is_refused(sections: dict[str, dict[str, Any]], message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        parse(changed(sections), source="configuration")


def changed(sections: dict[str, dict[str, Any]]) -> dict[str, Any]:
    values = shipped()
    return {**values, **{name: {**values[name], **section} for name, section in sections.items()}}


@pytest.mark.parametrize(
    ("sections", "processes"),
    [
        ({}, 1),
        ({"distribution": {"strategy": "ddp", "devices": 2}}, 2),
        ({"compute": EIGHT, "distribution": {"strategy": "fsdp"}, "base_model": LARGE}, 8),
        ({"compute": EIGHT, "distribution": {"strategy": "ddp", "devices": 4}}, 4),
        ({"compute": {**GPU, "instance_count": 2}, "distribution": {"strategy": "ddp"}}, 1),
        ({"compute": GPU, "base_model": {"precision": "fp8"}}, 1),
    ],
)
def test_a_machine_that_can_do_it_is_taken(sections: dict[str, dict[str, Any]], processes: int) -> None:
    assert parse(changed(sections), source="configuration").processes == processes


def test_two_configurations_may_not_register_one_model(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump({**shipped(), "name": name, "registered_model": "same"}))
    with pytest.raises(ConfigurationError, match="one and two have the same registered_model, same"):
        load_all(tmp_path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lora.rank": "0"}, "lora.rank: Input should be greater than or equal to 1"),
        ({"lora.rank": "eight"}, "lora.rank is not JSON"),
        ({"rank": "8"}, "rank: Extra inputs are not permitted"),
        ({"lora.rank.of": "8"}, "lora.rank.of: Extra inputs are not permitted"),
    ],
)
def test_a_hyperparameter_that_does_not_fit_is_refused(values: dict[str, str], message: str) -> None:
    sent = load(CONFIGS / "smollm2-135m.yaml").as_hyperparameters()
    with pytest.raises(ConfigurationError, match=message):
        from_hyperparameters({**sent, **values}, source="hyperparameters")


def test_every_problem_of_a_file_is_named_at_once(tmp_path: Path) -> None:
    values = shipped()
    values["lora"]["rank"] = 0
    del values["optimization"]["learning_rate"]
    path = tmp_path / "smollm2-135m.yaml"
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(ConfigurationError) as refused:
        load(path)
    assert "lora.rank: " in str(refused.value)
    assert "optimization.learning_rate: Field required" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "expected a mapping of fields, found list"),
        ("a: [\n", "while parsing"),
        ("a: !!python/object/apply:os.system ['true']\n", "could not determine a constructor"),
        ("\x00", "special characters are not allowed"),
        ("a: {b: 1, c: 2, 'b': 3}", "found the key 'b' twice .*, line 1, column 17"),
        ("a: 1\nb: 2\na: 3\n", "found the key 'a' twice"),
        ("? [a]\n: 1\n", "found unhashable key"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        load(path)


def test_a_section_that_is_merged_into_another_may_be_overridden(tmp_path: Path) -> None:
    values = shipped()
    path = tmp_path / "smollm2-135m.yaml"
    own = yaml.safe_dump({name: value for name, value in values.items() if name != "lora"})
    lora = "lora:\n  <<: {rank: 4, alpha: 8, targets: [q_proj]}\n  rank: 6\n"
    path.write_text(own + lora)
    assert (load(path).lora.rank, load(path).lora.alpha) == (6, 8)


def test_the_file_is_named_after_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "other.yaml"
    path.write_text((CONFIGS / "smollm2-135m.yaml").read_text())
    with pytest.raises(ConfigurationError, match="name is 'smollm2-135m', but the file says 'other'"):
        load(path)


def test_what_the_orchestrator_imports_needs_no_torch() -> None:
    code = "import sys, train.config, train.metrics; print(sorted({'torch','transformers','boto3'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("value", [0, 1, 3.25, 1e-05, -2.5e10, 123456789.0])
def test_metric_definitions_read_what_the_job_writes(value: float) -> None:
    values = dict.fromkeys(METRIC_NAMES, value)
    text = line("step 3/24", values)
    assert len(METRIC_DEFINITIONS) == len(values)
    for definition in METRIC_DEFINITIONS:
        matches = re.findall(definition["Regex"], text)
        assert [float(match) for match in matches] == [pytest.approx(value, rel=1e-5)]


def test_metric_definitions_are_within_the_limits_of_the_service() -> None:
    # CreateTrainingJob: at most 40 definitions, names to 255 characters, regular expressions to 500.
    assert len(METRIC_DEFINITIONS) <= 40
    assert all(len(definition["Name"]) <= 255 for definition in METRIC_DEFINITIONS)
    assert all(len(definition["Regex"]) <= 500 for definition in METRIC_DEFINITIONS)


def test_the_container_gets_the_versions_of_the_lock() -> None:
    root = Path(__file__).parents[2]

    def pins(path: Path) -> set[str]:
        return {text for text in path.read_text().splitlines() if re.match(r"\w[\w.-]*==", text)}

    assert pins(root / "train" / "requirements.txt") <= pins(root / "constraints" / "training.txt")
    lock = (root / "constraints" / "training.txt").read_text()
    assert not re.search(r"https?://|--index|--find-links", lock)
