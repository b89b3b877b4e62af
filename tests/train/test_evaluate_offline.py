"""The whole evaluation on tiny models: every task and split beside baselines, and offline as in the job."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from tiny import RunTraining, make_rows, tiny_configuration

from train.evaluate import main
from train.evaluations_table import FIGURES

TASKS = {"T2": ("cyber", "people", "weather"), "T3": ("generic", "specific"), "T4": ("no", "yes")}
SECTIONS = {
    "data": {"tasks": ["T1", "T2", "T3", "T4"], "max_test_rows": 60},
    "optimization": {"max_steps": 2},
    "evaluation": {"splits": ["validation", "test_company", "test_year", "test_company_year"], "max_new_tokens": 4},
}


def rows_of_all_tasks() -> list[dict[str, object]]:
    rows = make_rows(200)
    for number, row in enumerate(rows):
        # Headings that differ, so that ten others can be found for each.
        row["completion"] = f"Plant {number} faces cause {number % 83}"
        task = ("T1", "T2", "T3", "T4")[number // 5 % 4]
        if task in TASKS:
            row |= {"task": task, "completion": TASKS[task][number % 7 % len(TASKS[task])]}
        if row["split"] == "test_company" and number % 10 == 9:
            row["split"] = "test_company_year"
    return rows


@pytest.fixture
def trained(run_training: RunTraining, tmp_path: Path) -> tuple[Path, Path]:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in rows_of_all_tasks()))
    assert run_training(tmp_path / "out", rows=rows, **SECTIONS) == 0
    return rows, tmp_path / "out" / "model"


def test_every_task_is_measured_beside_baselines_and_offline_the_same(
    trained: tuple[Path, Path], tmp_path: Path, tiny_llama: Path, job_log: pytest.LogCaptureFixture
) -> None:
    rows, model = trained
    figures = json.loads((model / "evaluation.json").read_text())
    assert all(list(figure) and set(figure) == {name for name, _, _ in FIGURES} for figure in figures)
    assert {figure["split"] for figure in figures} == {"validation", "test_company", "test_company_year"}
    assert {(figure["task"], figure["metric"]) for figure in figures} == {
        *(("T1", name) for name in ("rouge_1", "rouge_2", "rouge_l", "bleu", "perplexity")),
        *(("T1", f"{name}_faithfulness") for name in ("entity", "number")),
        *(("T1", name) for name in ("heading_rank", "heading_rank_at_1")),
        *(("T2", name) for name in ("macro_f1", "accuracy", "perplexity")),
        *((task, name) for task in ("T3", "T4") for name in ("f1", "auroc", "accuracy", "perplexity")),
    }
    keys = [tuple(figure[name] for name in ("split", "task", "metric", "system", "against")) for figure in figures]
    assert len(set(keys)) == len(keys)
    by_key = dict(zip(keys, figures, strict=True))
    for (split, task, metric, system, against), figure in by_key.items():
        if against is not None and figure["value"] is not None:
            one, other = (by_key[split, task, metric, name, None]["value"] for name in (system, against))
            assert figure["value"] == pytest.approx(one - other)
            assert figure["low"] <= figure["high"]
    assert by_key["test_company", "T3", "auroc", "majority", None]["value"] == 0.5
    assert {key[3] for key in keys if key[1] == "T2"} == {"base", "tuned", "majority", "tfidf_logistic"}
    assert {key[3] for key in keys if key[1] == "T1"} == {"base", "tuned", "lead_sentence", "nearest_heading"}

    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(tiny_configuration(**SECTIONS)))
    options = {"--adapter": model / "adapter", "--model": tiny_llama, "--rows": rows, "--configuration": path}
    out = tmp_path / "again.json"
    assert main([str(part) for option in {**options, "--out": out}.items() for part in option]) == 0
    assert json.loads(out.read_text()) == figures

    options["--adapter"] = tmp_path
    assert main([str(part) for option in {**options, "--out": out}.items() for part in option]) == 1
    assert any("holds no adapter" in message for message in job_log.messages)
