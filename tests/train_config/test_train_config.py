"""The configuration's schema and the metric lines: what the orchestrator uses of train/, without torch."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from train.config import CONFIGS, ConfigurationError, TrainingConfiguration, load, load_all, parse
from train.metrics import METRIC_DEFINITIONS, METRIC_NAMES, line


def shipped() -> dict[str, Any]:
    return load(CONFIGS / "smollm2-135m.yaml").as_parameters()


def test_the_shipped_configurations_are_valid_and_survive_the_job_parameters() -> None:
    found = load_all()
    assert {"smollm2-135m", "ministral-3-3b"} <= found.keys()
    for configuration in found.values():
        assert parse(configuration.as_parameters(), source="job") == configuration
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
        ("optimization.seed", True, "optimization.seed: Input should be a valid integer"),
        ("base_model.precision", "fp8", "base_model.precision: Input should be 'bf16' or 'fp32'"),
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
        ("name", "Smol LM", "name: String should match pattern"),
        ("description", "", "description: String should have at least 1 character"),
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
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        load(path)


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
