"""Figures of several trainings together: judged as one test, of companies that each tests once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny import RunTraining
from tiny import make_rows as rows_of_headings

from benchmarks.usefulness_folds import main as put_together
from train.evaluate import main as evaluate


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def rows() -> list[dict[str, object]]:
    """Headings, and categories of every fourth row; the companies of the test alternate between two folds."""
    made = rows_of_headings(160)
    for number, row in enumerate(made):
        if number // 5 % 4 == 1:
            row |= {"task": "T2", "completion": ("cyber", "people", "weather")[number % 3]}
    return made


def folder(path: Path, adapter: Path, rows: list[dict[str, object]], tests: set[object]) -> Path:
    write(path / "rows.jsonl", [row for row in rows if row["split"] != "test_company" or row["cik"] in tests])
    (path / "out" / "model").mkdir(parents=True)
    (path / "out" / "model" / "adapter").symlink_to(adapter)
    return path


def test_folds_together_say_what_one_test_of_all_their_companies_says(
    run_training: RunTraining, rows: list[dict[str, object]], tmp_path: Path, tiny_llama: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    everything = write(tmp_path / "rows.jsonl", rows)
    sections = {"data": {"tasks": ["T1", "T2"], "max_test_rows": 60}, "optimization": {"max_steps": 1}}
    sections["evaluation"] = {"splits": ["test_company"], "metrics": ["rouge"], "max_new_tokens": 4}
    assert run_training(tmp_path / "out", rows=everything, **sections) == 0
    adapter = tmp_path / "out" / "model" / "adapter"
    named = ["--configuration", str(tmp_path / "tiny.yaml"), "--model", str(tiny_llama)]
    companies = sorted({str(row["cik"]) for row in rows if row["split"] == "test_company"})
    folds = [folder(tmp_path / f"fold-{at}", adapter, rows, set(companies[at::2])) for at in range(2)]

    def together(*folders: Path) -> list[dict[str, object]]:
        out = tmp_path / "together.json"
        monkeypatch.setattr("sys.argv", ["folds", *named, "--out", str(out), *map(str, folders)])
        put_together()
        return list(json.loads(out.read_text()))

    whole = tmp_path / "whole.json"
    assert evaluate([*named, "--adapter", str(adapter), "--rows", str(everything), "--out", str(whole)]) == 0
    expected = [one for one in json.loads(whole.read_text()) if one["metric"] != "perplexity"]
    found = together(*folds)
    assert {(one["task"], one["companies"]) for one in found} == {("T1", len(companies)), ("T2", len(companies))}
    key = lambda one: tuple(str(one[name]) for name in ("task", "metric", "system", "against"))  # noqa: E731
    assert sorted(map(key, found)) == sorted(map(key, expected))
    by_key = {key(one): one for one in expected}
    for one in found:
        assert one["value"] == pytest.approx(by_key[key(one)]["value"])
    again = folder(tmp_path / "again", adapter, rows, set(companies[:1]))
    with pytest.raises(ValueError, match="a company is tested in two folds"):
        together(*folds, again)
