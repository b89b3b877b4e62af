"""The measure of usefulness by folds: its trainings end together, and its figures stand beside their own alone."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import usefulness

CONFIGURATION = Path(usefulness.__file__).parent / "usefulness.yaml"


def process(program: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", program])


def test_when_one_training_fails_the_others_are_ended(capsys: pytest.CaptureFixture[str]) -> None:
    slow, failing = process("import time; time.sleep(600)"), process("raise SystemExit(3)")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        usefulness.wait_for_all({Path("slow.log"): slow, Path("failing.log"): failing}, pause=0.05)
    assert caught.value.returncode == 3
    assert slow.poll() is not None
    assert "failing.log" in capsys.readouterr().err


def test_trainings_that_succeed_are_waited_for() -> None:
    both = [process("pass"), process("import time; time.sleep(0.5)")]
    usefulness.wait_for_all({Path(str(one.pid)): one for one in both}, pause=0.05)
    assert [one.poll() for one in both] == [0, 0]


@pytest.fixture
def arguments(tmp_path: Path) -> argparse.Namespace:
    (tmp_path / "manifest.json").write_text("[]")
    return argparse.Namespace(filings=tmp_path, configuration=CONFIGURATION)


def measured(folder: Path, basis: object) -> None:
    folder.mkdir()
    (folder / "test.json").write_text(json.dumps([{"task": "T1", "split": "test_company"}]))
    (folder / usefulness.BASIS).write_text(json.dumps(basis))


def test_figures_of_folds_are_taken_of_the_same_configuration_and_filings(arguments: argparse.Namespace) -> None:
    work, basis = usefulness.Work(arguments.filings), usefulness.basis(arguments)
    assert usefulness.folded(work, basis) == []
    measured(work.folder / "2-folds", basis)
    assert usefulness.folded(work, basis) == [{"task": "T1", "split": "folds"}]
    (arguments.filings / "manifest.json").write_text("[{}]")
    with pytest.raises(SystemExit, match="another configuration or of other filings"):
        usefulness.folded(work, usefulness.basis(arguments))
    measured(work.folder / "4-folds", basis)
    with pytest.raises(SystemExit, match="two numbers of folds"):
        usefulness.folded(work, basis)


@pytest.mark.parametrize("more", [["1"], ["2", "--closed"], ["2", "--card", "card.md"]])
def test_folds_are_two_or_more_and_write_no_card(more: list[str]) -> None:
    command = [sys.executable, "-m", "benchmarks.usefulness", "filings", "--folds", *more]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "--folds takes at least 2" in done.stderr
