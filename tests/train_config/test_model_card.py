"""The model card: every figure of the files stands in it, and what is missing is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import recorded_rows
from benchmarks.usefulness import Work, judged, write_rows
from train.config import CONFIGS, load
from train.model_card import card, main


def figure(metric: str, system: str, value: float | None, against: str | None = None, **changed: Any) -> dict[str, Any]:
    low, high = (None, None) if value is None else (value - 0.01, value + 0.02)
    return {
        "split": "test_company",
        "task": "T1",
        "metric": metric,
        "system": system,
        "against": against,
        "value": value,
        "low": low,
        "high": high,
        "examples": 186,
        "companies": 6,
    } | changed


FIGURES = [
    figure("rouge_l", "base", 0.1234),
    figure("rouge_l", "tuned", 0.3456),
    figure("rouge_l", "lead_sentence", 0.25, low=None, high=None),
    figure("rouge_l", "tuned", 0.2222, "base"),
    figure("rouge_l", "tuned", 0.005, "lead_sentence"),
    figure("number_faithfulness", "base", None),
    figure("macro_f1", "tuned", 0.4, "majority", task="T2"),
]
METRICS = {"loss_before": 3.5, "loss_after": 2.25, "steps": 151, "rows_train": 603, "rows_test_company": 246}


def attested() -> dict[str, Any]:
    return {
        "subject": {"adapter": "sha256:abc"},
        "inputs": {"base_model": "sha256:def", "rows": "sha256:123", "source": "/home/someone/rows.jsonl"},
        "configuration": load(CONFIGS / "smollm2-135m.yaml").as_parameters(),
        "environment": {"python": "3.11.7", "device": "cpu"},
    }


def test_the_card_says_what_the_files_say_and_no_path_of_the_machine() -> None:
    text = card(attested(), METRICS, FIGURES)
    assert "# Model card: smollm2-135m\n" in text
    assert "| rouge l | 186 of 6 | 0.123 (0.113 to 0.143) | 0.346 (0.336 to 0.366) | 0.250 |" in text
    assert "| rouge l | +0.222 (+0.212 to +0.242) | +0.005 (-0.005 to +0.025) |" in text
    assert "| number faithfulness | 186 of 6 | – | – | – |" in text  # noqa: RUF001
    assert "from 3.500 to 2.250 nats" in text
    assert "| train | rows that the adapter is trained on | 603 | 0 |" in text
    assert "`rows.jsonl`" in text
    assert "/home/someone" not in text
    assert "Apache-2.0" in text
    assert "sha256:abc" in text


@pytest.mark.parametrize(("after", "said"), [(3.75, "rose from 3.500 to 3.750"), (3.5, "stayed at 3.500")])
def test_the_card_says_where_the_loss_did_not_fall(after: float, said: str) -> None:
    assert f"The validation loss {said} nats a token." in card(attested(), METRICS | {"loss_after": after}, FIGURES)


def test_a_card_is_made_of_a_folder_or_the_missing_file_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "card.md"
    (tmp_path / "attestation.json").write_text(json.dumps(attested()))
    (tmp_path / "metrics.json").write_text(json.dumps(METRICS))
    assert main([str(tmp_path), "--out", str(out)]) == 1
    assert "evaluation.json is needed for a card" in capsys.readouterr().err
    (tmp_path / "evaluation.json").write_text(json.dumps(FIGURES))
    assert main([str(tmp_path), "--out", str(out)]) == 0
    assert out.read_text() == card(attested(), METRICS, FIGURES)


def test_usefulness_is_claimed_only_where_the_interval_excludes_zero() -> None:
    found = list(judged(FIGURES, "test_company"))
    assert [holds for holds, _ in found] == [True, False, False, True]
    assert found[1][1].startswith("T1 rouge_l, tuned less lead_sentence: +0.005 (-0.005 to +0.025), 186 examples of 6")
    assert found[2][1].endswith("no interval")


def test_closed_rows_hold_nothing_of_the_test_companies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    splits = ("train", "validation", "test_company", "test_year", "test_company_year")
    everything = "".join(json.dumps({"split": split, "cik": split}) + "\n" for split in splits)
    # In place of the extraction, which takes filings and Spark.
    monkeypatch.setattr(recorded_rows, "write_rows", lambda filings, target: target.write_text(everything))
    work = Work(tmp_path)
    write_rows(tmp_path / "filings", work)
    rows = [json.loads(line) for line in work.rows.read_text().splitlines()]
    assert [(row["split"], row["cik"]) for row in rows] == [
        ("train", "train"),
        ("validation", "validation"),
        ("test_company", "validation"),
    ]


def test_each_company_but_those_that_validate_is_unseen_in_one_fold() -> None:
    ciks = [f"{number:010}" for number in range(40)]
    folds = [recorded_rows.fold(number, 3)(ciks) for number in range(3)]
    usual = recorded_rows.by_shares(ciks)
    assert all(set(roles) == set(ciks) for roles in folds)
    tested = {cik: [roles[cik] for roles in folds].count("test") for cik in ciks}
    assert tested == {cik: int(usual[cik] != "validation") for cik in ciks}
    assert all(roles[cik] == "validation" for roles in folds for cik in ciks if usual[cik] == "validation")
    assert all({"train", "test"} <= set(roles.values()) for roles in folds)
