"""The whole of train.py on tiny models: result, repetition, interruption, failure."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
import yaml
from peft import PeftModel
from safetensors.torch import load_file, save_file
from tiny import RunTraining, make_rows, tiny_configuration
from transformers import AutoModelForCausalLM, AutoTokenizer

from train import stages
from train.config import BaseModelSection, parse
from train.data import encode, parse_row
from train.files import folder_digest
from train.inference import completion_loss
from train.job import Interrupted, InterruptionGuard, JobFolders
from train.metrics import METRIC_DEFINITIONS
from train.model import load_base
from train.processes import Processes

ROOT = Path(__file__).parents[2]


def metrics(out: Path) -> dict[str, float]:
    return json.loads((out / "model" / "metrics.json").read_text())


def test_a_run_learns_and_leaves_all_that_is_needed(
    run_training: RunTraining, tmp_path: Path, tiny_llama: Path, job_log: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "out"
    assert run_training(out) == 0

    found = metrics(out)
    assert found["loss_after"] < found["loss_before"]
    assert (found["rows_train"], found["rows_validation"], found["rows_test_company"]) == (36, 12, 4)
    assert (found["rows_test_year"], found["rows_test_company_year"]) == (0, 0)
    assert not [key for key in found if key.startswith("test_")]
    assert found["steps"] == 14  # 36 rows, 1.5 epochs, 4 to a batch
    assert len(found["losses"]) == 14
    assert {"rouge_l_base", "rouge_l_tuned", "bleu_base", "bleu_tuned"} <= found.keys()

    record = json.loads((out / "model" / "attestation.json").read_text())
    assert record["subject"]["adapter"] == folder_digest(out / "model" / "adapter")
    assert record["inputs"]["base_model"] == folder_digest(tiny_llama)
    assert record["environment"]["threads"] == 1
    assert record["environment"]["version.trl"]
    assert record["configuration"]["lora"]["rank"] == 4

    predictions = [json.loads(text) for text in (out / "model" / "predictions.jsonl").read_text().splitlines()]
    assert len(predictions) == 4
    assert {row["split"] for row in predictions} == {"test_company"}
    mean = sum(row["tuned"]["rouge_l"] for row in predictions) / len(predictions)
    assert mean == pytest.approx(found["rouge_l_tuned"])

    base = AutoModelForCausalLM.from_pretrained(tiny_llama)
    tuned = PeftModel.from_pretrained(base, out / "model" / "adapter")
    assert tuned.peft_config["default"].base_model_name_or_path == "tests/tiny"
    assert AutoTokenizer.from_pretrained(out / "model" / "adapter").chat_template
    assert str(tmp_path) not in (out / "model" / "adapter" / "adapter_config.json").read_text()

    log = "\n".join(job_log.messages)
    for definition in METRIC_DEFINITIONS:
        assert re.search(definition["Regex"], log), definition
    assert re.search(r"step 3/14 train_loss=\S+ learning_rate=\S+ gradient_norm=\S+ eta_seconds=\d", log)


def test_no_text_of_the_table_stands_in_the_artifacts(run_training: RunTraining, tmp_path: Path) -> None:
    rows = [{**row, "completion": f"{row['completion']} Aardvark.", "cik": "cik"} for row in make_rows(60)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out"
    assert run_training(out, rows=path, optimization={"max_steps": 1}) == 0

    for line in (out / "model" / "predictions.jsonl").read_text().splitlines():
        found = json.loads(line)
        assert found.keys() == {"example_id", "split", "task", "base", "tuned"}
        for model in ("base", "tuned"):
            assert found[model].keys() == {"rouge_1", "rouge_2", "rouge_l"}
            assert all(isinstance(value, float) for value in found[model].values())
    for file in (path for folder in ("model", "output") for path in (out / folder).rglob("*")):
        if file.is_file():
            content = file.read_bytes()
            assert b"Aardvark" not in content and b"Write the subcaption" not in content, file


def test_splits_and_tasks_are_reported_apart(run_training: RunTraining, tmp_path: Path) -> None:
    rows = make_rows(60)
    for number, row in enumerate(rows):
        row["task"] = "T1" if number % 2 else "T2"
        if row["split"] == "validation" and number % 3 == 0:
            row["split"] = "test_year"
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    short = {"max_steps": 1}
    data = {"tasks": ["T1", "T2"], "max_test_rows": 12}
    assert run_training(tmp_path / "out", rows=path, optimization=short, data=data) == 0
    found = metrics(tmp_path / "out")
    assert found["rows_test_year"] == 4
    assert {"rouge_l_tuned", "t2_accuracy_tuned", "test_year_rouge_l_base", "test_year_t2_accuracy_base"} <= set(found)
    assert not [key for key in found if key.startswith("test_company_year_")]
    predictions = (tmp_path / "out" / "model" / "predictions.jsonl").read_text().splitlines()
    assert {(row["split"], row["task"]) for row in map(json.loads, predictions)} == {
        (split, task) for split in ("test_company", "test_year") for task in ("T1", "T2")
    }

    labels_only = [row | {"task": "T2"} if row["split"] == "test_company" else row for row in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in labels_only))
    assert run_training(tmp_path / "none", rows=path, optimization=short, data=data) == 1
    assert "rows taken of the test_company split is of T1: raise data.max_test_rows" in failure(tmp_path / "none")


def test_two_runs_give_the_same_adapter_bytes(run_training: RunTraining, tmp_path: Path) -> None:
    assert run_training(tmp_path / "one") == 0
    assert run_training(tmp_path / "two") == 0
    assert run_training(tmp_path / "seed", optimization={"seed": 18}) == 0

    digests = {name: folder_digest(tmp_path / name / "model" / "adapter") for name in ("one", "two", "seed")}
    assert digests["one"] == digests["two"] != digests["seed"]
    assert metrics(tmp_path / "one")["losses"] == metrics(tmp_path / "two")["losses"]


class _AtLine(logging.Handler):
    """Does something when the job logs a line that starts with a text."""

    def __init__(self, text: str, action: Callable[[], None]) -> None:
        super().__init__()
        self._text, self._action = text, action

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith(self._text):
            self._action()


@contextmanager
def at_line(text: str, action: Callable[[], None]) -> Iterator[None]:
    handler = _AtLine(text, action)
    logging.getLogger("train").addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger("train").removeHandler(handler)


def _terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_run_stopped_by_sigterm_goes_on_to_the_same_adapter(
    run_training: RunTraining, tmp_path: Path, job_log: pytest.LogCaptureFixture
) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert run_training(whole) == 0

    with at_line("step 7/", _terminate):
        assert run_training(stopped) == 143
    assert "stopped by SIGTERM after step" in job_log.text
    assert not (stopped / "model" / "adapter").exists()
    assert not (stopped / "output" / "failure").exists()
    newest = max(stopped.glob("checkpoints/*/checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))

    # A checkpoint that a kill cut off is no checkpoint: it must be passed over, not loaded.
    torn = newest.with_name("checkpoint-12")
    shutil.copytree(newest, torn)
    (torn / "optimizer.pt").write_bytes((newest / "optimizer.pt").read_bytes()[:100])

    assert run_training(stopped) == 0
    found = metrics(stopped)
    assert found["resumed_from"] == int(newest.name.split("-")[1])
    assert found["losses"] == metrics(whole)["losses"][found["resumed_from"] :]
    assert folder_digest(stopped / "model" / "adapter") == folder_digest(whole / "model" / "adapter")

    # A job that is taken away after its last step comes back to its evaluation.
    assert run_training(stopped) == 0
    assert metrics(stopped)["resumed_from"] == metrics(stopped)["steps"] == 14
    assert folder_digest(stopped / "model" / "adapter") == folder_digest(whole / "model" / "adapter")


def test_sigterm_during_a_validation_does_not_wait_for_its_end(
    run_training: RunTraining, tmp_path: Path, job_log: pytest.LogCaptureFixture
) -> None:
    short = {"max_steps": 5, "evaluation_steps": 3, "checkpoint_steps": 50}
    with at_line("step 3/", _terminate):  # this line comes right before the validation
        assert run_training(tmp_path, optimization=short) == 143
    assert "after step 3; a checkpoint is saved" in job_log.messages[-1]
    assert [path.name for path in tmp_path.glob("checkpoints/*/checkpoint-*")] == ["checkpoint-3"]
    assert not any(text.startswith("step 3/5 validation_loss") for text in job_log.messages)

    assert run_training(tmp_path, optimization=short) == 0
    assert metrics(tmp_path)["resumed_from"] == 3
    (state,) = tmp_path.glob("checkpoints/*/checkpoint-5/trainer_state.json")
    history = json.loads(state.read_text())["log_history"]
    assert [logs["step"] for logs in history if "eval_loss" in logs] == [0, 3]
    assert [logs["step"] for logs in history if "loss" in logs] == [1, 2, 3, 4, 5]


def test_sigterm_during_the_first_validation_leaves_no_checkpoint(tiny_llama: Path, tmp_path: Path) -> None:
    configuration = parse(tiny_configuration(), source="test")
    rows = [parse_row(row, source="test") for row in make_rows(60)]
    prepared = stages.prepare(configuration, rows, tiny_llama, Processes())
    folders, guard = JobFolders.of({}, base=tmp_path), InterruptionGuard()
    guard.requested = True  # as the signal sets it once the training has begun
    with pytest.raises(Interrupted):
        stages.fit(prepared, folders, guard, lambda step, values: None, Processes())
    assert not list(tmp_path.glob("checkpoints/*/checkpoint-*"))


def test_marks_of_the_upload_do_not_count_in_a_checkpoint(
    run_training: RunTraining, tmp_path: Path, job_log: pytest.LogCaptureFixture
) -> None:
    """SageMaker puts a mark beside each file that it uploads, and takes it away again, while the training goes on."""
    marks: list[Path] = []

    def upload() -> None:
        (identity,) = (tmp_path / "checkpoints").iterdir()
        for suffix in ("uploading", "uploaded"):
            marks.append(identity / "checkpoint-2" / f"optimizer.pt.sagemaker-{suffix}")
            marks[-1].parent.mkdir(exist_ok=True)
            # Its bytes cannot be read, as those of a mark that is gone when its turn comes.
            marks[-1].symlink_to("/proc/self/mem")

    short = {"max_steps": 2}
    with at_line("step 2/2 train_loss", upload):
        assert run_training(tmp_path, optimization=short) == 0
    for mark in marks:
        mark.unlink()
    (marks[0].parent / "trainer_state.json.sagemaker-uploaded").touch()
    assert run_training(tmp_path, optimization=short) == 0
    assert metrics(tmp_path)["resumed_from"] == 2


def test_max_steps_ends_a_training_early_and_never_late(run_training: RunTraining, tmp_path: Path) -> None:
    for name, steps, sections in (
        ("fewer", 1, {"optimization": {"epochs": 1.0, "max_steps": 1, "gradient_accumulation": 2}}),
        ("more", 5, {"optimization": {"epochs": 1.0, "max_steps": 9, "gradient_accumulation": 2}}),
        ("packed", 1, {"optimization": {"epochs": 0.5, "max_steps": 9}, "data": {"packing": True}}),
    ):
        assert run_training(tmp_path / name, **sections) == 0
        assert metrics(tmp_path / name)["steps"] == steps, name


def test_a_training_goes_on_where_what_changed_does_not_train(run_training: RunTraining, tmp_path: Path) -> None:
    short = {"max_steps": 2}
    assert run_training(tmp_path, optimization=short) == 0
    changed = {
        "description": "The same with a higher limit.",
        "compute": {"max_runtime_seconds": 9000, "volume_gib": 60, "instance_type": "ml.c7i.2xlarge"},
        "data": {"max_test_rows": 3},
        "evaluation": {"batch_size": 2, "metrics": ["rouge"]},
    }
    assert run_training(tmp_path, optimization=short, **changed) == 0
    assert metrics(tmp_path)["resumed_from"] == 2


def test_checkpoints_of_another_training_are_not_resumed(run_training: RunTraining, tmp_path: Path) -> None:
    assert run_training(tmp_path / "out", optimization={"max_steps": 5}) == 0
    for other in (
        {"optimization": {"max_steps": 5, "learning_rate": 0.002}},
        {"optimization": {"max_steps": 5}, "data": {"max_train_rows": 35}},
    ):
        assert run_training(tmp_path / "out", **other) == 0
        assert metrics(tmp_path / "out")["resumed_from"] == 0


@pytest.mark.parametrize("quantized", [False, True], ids=["bf16", "fp8"])
def test_ministral_3_trains_its_language_tower_only(
    run_training: RunTraining, tmp_path: Path, tiny_ministral: Path, quantized: bool
) -> None:
    """Class, targets, weights, chat template, evaluation and adapter of the production model, through all of main."""
    model = (_fp8 if quantized else shutil.copytree)(tiny_ministral, tmp_path / "model")
    (model / "chat_template.jinja").write_text(_INST_TEMPLATE)
    out = tmp_path / "out"
    code = run_training(
        out,
        model=model,
        base_model={"precision": "bf16"},
        data={"packing": True, "max_length": 256},
        lora={"targets": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]},
        optimization={"max_steps": 4, "gradient_checkpointing": True},
    )
    assert code == 0
    names = set(load_file(out / "model" / "adapter" / "adapter_model.safetensors"))
    assert len(names) == 2 * 7 * 2  # two layers, seven projections, two factors
    assert all("language_model" in name and "vision" not in name for name in names)
    found = metrics(out)
    assert found["loss_after"] < found["loss_before"]
    assert {"rouge_l_base", "rouge_l_tuned", "perplexity_tuned"} <= found.keys()

    # The saved adapter, on the checkpoint loaded anew, gives the loss that the job reported.
    wanted = BaseModelSection(name="tests/tiny", license="Apache-2.0", precision="bf16")
    base = load_base(model, wanted)
    assert type(base.model).__name__ == "Mistral3ForConditionalGeneration"
    tuned = PeftModel.from_pretrained(base.model, out / "model" / "adapter")
    rows = [parse_row(row, source="test") for row in make_rows(60) if row["split"] == "validation"]
    examples = [encode(row, base.tokenizer) for row in rows]
    assert base.tokenizer.decode(examples[0].prompt_ids).startswith("[INST]Write the subcaption")
    loss = completion_loss(tuned, examples, batch_size=4, padding=base.tokenizer.pad_token_id, dtype=torch.bfloat16)
    assert loss == pytest.approx(found["loss_after"], rel=1e-4)


_INST_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'user' %}[INST]{{ message['content'] }}[/INST]"
    "{% else %}{{ message['content'] }}{{ eos_token }}{% endif %}{% endfor %}"
)
"""Turns as Mistral's models mark them: no mark before the answer, the end of the text after it."""


def test_fp8_weights_are_kept_by_a_gpu_only(run_training: RunTraining, tmp_path: Path, tiny_ministral: Path) -> None:
    fp8 = {"base_model": {"precision": "fp8"}, "compute": {"instance_type": "ml.g6e.2xlarge"}}
    assert run_training(tmp_path / "none", model=tiny_ministral, **fp8) == 1
    assert "the checkpoint of tests/tiny has no FP8 weights: set bf16" in failure(tmp_path / "none")
    if not torch.cuda.is_available():
        assert run_training(tmp_path / "cpu", model=_fp8(tiny_ministral, tmp_path / "fp8"), **fp8) == 1
        assert "this machine has no GPU with FP8 (8.9 or later): set bf16" in failure(tmp_path / "cpu")


def test_packed_examples_do_not_see_each_other(
    run_training: RunTraining, tmp_path: Path, tiny_ministral: Path, tiny_llama: Path
) -> None:
    """A step over the same examples has the same loss and gradient, packed or not."""
    same = {"lora": {"dropout": 0.0}, "optimization": {"max_steps": 1, "epochs": 1.0}}
    for name, model in (("llama", tiny_llama), ("ministral", tiny_ministral)):
        apart, packed = tmp_path / f"{name}-apart", tmp_path / f"{name}-packed"
        assert run_training(apart, model=model, **same | {"optimization": {"max_steps": 1, "batch_size": 36}}) == 0
        rows = {"optimization": {"max_steps": 1, "batch_size": 100, "epochs": 1.0}}
        assert run_training(packed, model=model, **same | rows, data={"packing": True}) == 0
        assert metrics(packed)["losses"] == pytest.approx(metrics(apart)["losses"], rel=1e-5)
        norms = [_first_step(out)["grad_norm"] for out in (apart, packed)]
        assert norms[0] == pytest.approx(norms[1], rel=1e-4)


def _first_step(out: Path) -> dict[str, float]:
    (state,) = out.glob("checkpoints/*/checkpoint-1/trainer_state.json")
    return next(logs for logs in json.loads(state.read_text())["log_history"] if "grad_norm" in logs)


def test_rows_longer_than_the_model_has_positions_are_refused(
    run_training: RunTraining, tmp_path: Path, tiny_llama: Path, tiny_ministral: Path
) -> None:
    assert run_training(tmp_path / "long", data={"max_length": 1024}) == 1
    assert "data.max_length is 1024, tests/tiny has 512 positions" in failure(tmp_path / "long")
    packed = {"packing": True, "max_length": 512}
    assert run_training(tmp_path / "packed", model=tiny_ministral, data=packed) == 1
    assert "beyond position 256" in failure(tmp_path / "packed")


def _fp8(source: Path, target: Path) -> Path:
    """The checkpoint as the -2512 release stores it: static FP8 with one scale a tensor, vision tower in bf16."""
    shutil.copytree(source, target)
    stored: dict[str, torch.Tensor] = {}
    for name, weight in load_file(source / "model.safetensors").items():
        if "language_model" in name and name.endswith("_proj.weight"):
            scale = (weight.float().abs().max() / 448).to(torch.bfloat16)
            stored[name] = (weight.float() / scale.float()).to(torch.float8_e4m3fn)
            stored[f"{name}_scale_inv"] = scale
            stored[name.replace(".weight", ".activation_scale")] = torch.tensor(1.0, dtype=torch.bfloat16)
        else:
            stored[name] = weight
    save_file(stored, target / "model.safetensors", metadata={"format": "pt"})
    configuration = json.loads((target / "config.json").read_text())
    configuration["quantization_config"] = {
        "activation_scheme": "static",
        "dequantize": False,
        "modules_to_not_convert": ["model.vision_tower", "model.multi_modal_projector", "lm_head"],
        "quant_method": "fp8",
        "weight_block_size": None,
    }
    (target / "config.json").write_text(json.dumps(configuration))
    return target


def failure(out: Path) -> str:
    text = (out / "output" / "failure").read_text()
    assert "\n" not in text
    return text


def test_a_prompt_over_the_maximum_length_is_dropped_and_counted(run_training: RunTraining, tmp_path: Path) -> None:
    rows = make_rows(60)
    rows[0]["prompt"] *= 20
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    assert run_training(tmp_path / "drop", rows=path, optimization={"max_steps": 1}) == 0
    assert metrics(tmp_path / "drop")["overlong_train"] == 1
    assert metrics(tmp_path / "drop")["rows_train"] == 35

    assert run_training(tmp_path / "fail", rows=path, data={"overlong": "fail"}) == 1
    assert "example row-000 (train) has" in failure(tmp_path / "fail")


def test_a_loss_that_is_not_finite_fails(run_training: RunTraining, tmp_path: Path, tiny_llama: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tiny_llama, broken)
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"][0] = float("nan")
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})

    assert run_training(tmp_path / "out", model=broken) == 1
    assert "is nan" in failure(tmp_path / "out")
    assert not (tmp_path / "out" / "model" / "adapter").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"base_model": {"digest": "sha256:" + "0" * 64}}, "has digest sha256:"),
        ({"data": {"max_length": 32}}, "more than data.max_dropped_share"),
        ({"lora": {"rank": 0}}, "lora.rank: Input should be greater than or equal to 1"),
    ],
)
def test_a_failure_is_one_readable_line(
    run_training: RunTraining, tmp_path: Path, change: dict[str, dict[str, object]], message: str
) -> None:
    assert run_training(tmp_path / "out", **change) == 1
    assert message in failure(tmp_path / "out")


def test_a_full_disk_is_said(run_training: RunTraining, tmp_path: Path) -> None:
    model = tmp_path / "out" / "model"
    model.mkdir(parents=True)
    (model / "metrics.json").symlink_to("/dev/full")
    assert run_training(tmp_path / "out", optimization={"max_steps": 1}) == 1
    assert "No space left on device" in failure(tmp_path / "out")


def test_an_unsupported_family_and_missing_weights_are_refused(
    run_training: RunTraining, tmp_path: Path, tiny_llama: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny_llama, other)
    configuration = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**configuration, "model_type": "bert"}))
    assert run_training(tmp_path / "family", model=other) == 1
    assert "'bert' are not supported" in failure(tmp_path / "family")

    (other / "config.json").write_text(json.dumps({**configuration, "num_hidden_layers": 3}))
    assert run_training(tmp_path / "weights", model=other) == 1
    assert "lacks 9 weights of its model" in failure(tmp_path / "weights")


def test_the_container_starts_it_as_a_script_of_the_archive(tmp_path: Path, tiny_llama: Path, rows_file: Path) -> None:
    """SageMaker's toolkit unpacks the archive and runs `python train.py` in it, beside the packages."""
    code = tmp_path / "code"
    for package in ("train", "unitydoor"):
        shutil.copytree(ROOT / package, code / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "train" / "train.py", code)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny_configuration(optimization={"max_steps": 2})))
    inherited = {name: value for name, value in os.environ.items() if name != "DAGSTER_PIPES_CONTEXT"}

    def start(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "train.py", *options],
            cwd=code,
            env={**inherited, "SAGEMAKER_BASE_DIR": str(tmp_path / "ml")},
            capture_output=True,
            text=True,
            check=False,
        )

    out = tmp_path / "out"
    done = start(
        *("--configuration", str(tmp_path / "tiny.yaml"), "--rows", str(rows_file)),
        *("--model", str(tiny_llama), "--out", str(out)),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert metrics(out)["steps"] == 2

    # Without parameters from the orchestrator it says so, where SageMaker looks for the reason.
    assert start("--some_hyperparameter", "1").returncode == 1
    assert "no parameters" in (tmp_path / "ml" / "output" / "failure").read_text()
