"""Is the adapter useful? SmolLM2-135M trained on recorded real filings, beside its base and simple rules.

    .venv/bin/python -m benchmarks.usefulness ../shared/edgar --closed --configuration FILE
    .venv/bin/python -m benchmarks.usefulness ../shared/edgar --card docs/model-card.md
    .venv/bin/python -m benchmarks.usefulness ../shared/edgar --folds 2

Rows come of the project's own curation (`recorded_rows.py`), the training is `train.train` by hand in its environment.
It sees the companies that train and those that validate; the latter stand in for the test in its evaluation, and
every choice is made by that. The rows of the test companies are kept in a file apart, which `train.evaluate` reads
once a choice has been made; with `--closed` that step is left out. Claims are judged on unseen companies: each is
a paired difference whose 95% interval over companies lies above zero.

The test companies are few. With `--folds` every company is unseen once: the companies fall into folds, one adapter is
trained without each, all at once and with one thread each, and the claims are judged on the companies of all folds
together; a card that is written afterwards, of the same configuration and filings, has their figures too. The
configuration stays as it was chosen; the companies that it was chosen by validate and are not tested.

Without `--folds`, a training that the work folder has already, of the same configuration and rows, is not repeated.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks import recorded_rows
from train.config import load

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv-train" / "bin" / "python"
LEAST_FOLDS = 2
BASIS = "basis.json"
"""Beside the figures of all folds: what they were made of."""
CPU_SECONDS = 3600.0
"""Half an hour on two cores. CPU time is counted, since a machine that others use too is slower by the clock."""


@dataclass(frozen=True)
class Claim:
    """The tuned model is better than another system."""

    task: str
    metric: str
    against: str


CLAIMS = (
    Claim("T1", "rouge_l", "base"),
    Claim("T1", "rouge_l", "lead_sentence"),
    Claim("T2", "macro_f1", "base"),
    Claim("T2", "macro_f1", "majority"),
)


def main() -> int:
    """Make rows, train, evaluate and judge. Exit code 0 where all claims hold, else 1."""
    arguments = _arguments()
    if arguments.folds:
        return _said(across_folds(arguments))
    work = Work(arguments.work)
    work.folder.mkdir(parents=True, exist_ok=True)
    write_rows(arguments.filings, work)
    for line in recorded_rows.described(work.everything):
        print(line)
    if not work.holds_training_of(arguments.configuration):
        named = ("--configuration", arguments.configuration, "--rows", work.rows, "--model", arguments.model)
        run("train.train", *named, "--out", work.out)
    figures = [figure | {"split": "validation"} for figure in read(work.model / "evaluation.json")]
    judged_by = "validation"
    if not arguments.closed:
        figures += opened(work, arguments)
        judged_by = "test_company"
    if arguments.card:
        write_card(work, [*figures, *folded(work, basis(arguments))], arguments.card)
    return _said([*judged(figures, judged_by), _affordable(read(work.model / "metrics.json"))])


def _said(verdicts: Sequence[tuple[bool, str]]) -> int:
    for holds, text in verdicts:
        print(f"{'holds' if holds else 'DOES NOT HOLD'}: {text}")
    return 0 if all(holds for holds, _ in verdicts) else 1


@dataclass(frozen=True)
class Work:
    """The files of one measurement."""

    folder: Path

    @property
    def everything(self) -> Path:
        """All rows, the test companies' too."""
        return self.folder / "everything.jsonl"

    @property
    def rows(self) -> Path:
        """What the training is given."""
        return self.folder / "rows.jsonl"

    @property
    def configuration(self) -> Path:
        """The configuration of a fold; a training asks that the file has the configuration's name."""
        return self.folder / "usefulness.yaml"

    @property
    def log(self) -> Path:
        """What the training of a fold said."""
        return self.folder / "training.log"

    @property
    def out(self) -> Path:
        """The training's folders."""
        return self.folder / "out"

    @property
    def model(self) -> Path:
        """The model folder that a finished training leaves."""
        return self.out / "model"

    def holds_training_of(self, configuration: Path) -> bool:
        """Whether a training of the configuration has come to its end, on the rows as they are now."""
        done = self.model / "attestation.json"
        if not done.is_file() or done.stat().st_mtime < self.rows.stat().st_mtime:
            return False
        return bool(read(done)["configuration"] == load(configuration).model_dump(mode="json"))


def across_folds(arguments: argparse.Namespace) -> list[tuple[bool, str]]:
    """Train an adapter for each fold, and judge the claims on the test companies of all folds together."""
    folds = [Work(arguments.work / f"fold-{number}-of-{arguments.folds}") for number in range(arguments.folds)]
    for number, work in enumerate(folds):
        work.folder.mkdir(parents=True, exist_ok=True)
        recorded_rows.write_rows(arguments.filings, work.rows, recorded_rows.fold(number, len(folds)))
        for line in recorded_rows.described(work.rows):
            print(f"fold {number}: {line}", flush=True)
        # In the training itself hardly anything is evaluated: that is done for all folds together.
        _varied(
            arguments.configuration,
            work.configuration,
            compute={"threads": 1},
            data={"max_test_rows": 8},
            optimization={"evaluation_steps": None},
            evaluation={"metrics": ["rouge"], "splits": ["test_company"]},
        )
    train_at_once(folds, arguments.model)
    together = Work(arguments.work / f"{len(folds)}-folds")
    together.folder.mkdir(exist_ok=True)
    _varied(arguments.configuration, together.configuration, evaluation={"metrics": ["rouge"]})
    found = together.folder / "test.json"
    named = ("--configuration", together.configuration, "--model", arguments.model, "--out", found)
    run("benchmarks.usefulness_folds", *named, *(work.folder for work in folds))
    (together.folder / BASIS).write_text(json.dumps(basis(arguments)), encoding="utf-8")
    bills = [_affordable(read(work.model / "metrics.json")) for work in folds]
    return [*judged(read(found), "test_company"), *bills]


def _varied(configuration: Path, target: Path, **sections: Mapping[str, Any]) -> None:
    """Write a configuration with some values of its sections changed, and refuse it where that makes it invalid."""
    content = yaml.safe_load(configuration.read_text(encoding="utf-8"))
    for section, values in sections.items():
        content[section] = content.get(section, {}) | values
    target.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    load(target)


def train_at_once(folds: Sequence[Work], model: Path) -> None:
    """Train all folds at the same time; what each says goes to a file in its folder.

    Raises:
        subprocess.CalledProcessError: a training failed; the others were ended.
    """
    started: dict[Path, subprocess.Popen[bytes]] = {}
    for work in folds:
        with work.log.open("wb") as log:
            named = ("--configuration", work.configuration, "--rows", work.rows, "--model", model, "--out", work.out)
            started[work.log] = subprocess.Popen(
                _command("train.train", *named), cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
            )
    wait_for_all(started)


def wait_for_all(processes: Mapping[Path, subprocess.Popen[bytes]], pause: float = 1.0) -> None:
    """Wait for processes, each by the file that it logs to. When one fails, the others are ended.

    Raises:
        subprocess.CalledProcessError: one failed.
    """
    waiting = dict(processes)
    try:
        while waiting:
            for log, process in list(waiting.items()):
                code = process.poll()
                if code:
                    print(f"a training failed; see {log}", file=sys.stderr)
                    raise subprocess.CalledProcessError(code, process.args)
                if code == 0:
                    del waiting[log]
            time.sleep(pause)
    finally:
        for process in waiting.values():
            process.terminate()
        for process in waiting.values():
            process.wait()


def write_rows(filings: Path, work: Work) -> None:
    """Write all rows, and those of the training: the companies that validate are there a second time as the test.

    A file that has the same content already keeps its time.
    """
    recorded_rows.write_rows(filings, work.everything)
    found = [json.loads(line) for line in work.everything.read_text(encoding="utf-8").splitlines()]
    kept = [row for row in found if row["split"] in ("train", "validation")]
    kept += [row | {"split": "test_company"} for row in kept if row["split"] == "validation"]
    text = "".join(json.dumps(row, sort_keys=True) + "\n" for row in kept)
    if not work.rows.is_file() or work.rows.read_text(encoding="utf-8") != text:
        work.rows.write_text(text, encoding="utf-8")


def opened(work: Work, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """The adapter's figures on the test companies."""
    found = work.folder / "test.json"
    named = ("--configuration", arguments.configuration, "--rows", work.everything, "--model", arguments.model)
    run("train.evaluate", *named, "--adapter", work.model / "adapter", "--splits", "test_company", "--out", found)
    figures: list[dict[str, Any]] = read(found)
    return figures


def basis(arguments: argparse.Namespace) -> dict[str, Any]:
    """What figures were made of: the configuration and the digest of the filings' list."""
    filings = hashlib.sha256((arguments.filings / "manifest.json").read_bytes()).hexdigest()
    return {"configuration": load(arguments.configuration).model_dump(mode="json"), "filings": filings}


def folded(work: Work, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The figures of all folds, where the work folder has them.

    Raises:
        SystemExit: they are of another configuration or other filings, or there are two numbers of folds.
    """
    found = sorted(work.folder.glob("*-folds/test.json"))
    if len(found) > 1:
        named = ", ".join(str(path.parent) for path in found)
        raise SystemExit(f"figures of two numbers of folds: {named}; remove all but one")
    if not found:
        return []
    (path,) = found
    known = path.parent / BASIS
    if not known.is_file() or read(known) != wanted:
        raise SystemExit(
            f"{path} was made with another configuration or of other filings: measure again with --folds, or remove it"
        )
    return [figure | {"split": "folds"} for figure in read(path)]


def write_card(work: Work, figures: list[dict[str, Any]], card: Path) -> None:
    """The model card of the training, with the figures of all companies that it did not train on."""
    folder = work.folder / "card"
    folder.mkdir(exist_ok=True)
    metrics = {name: value for name, value in read(work.model / "metrics.json").items() if "_test_" not in name}
    metrics["rows_validation"] = _examples(figures, "validation")
    metrics["rows_test_company"] = _examples(figures, "test_company")
    shutil.copy(work.model / "attestation.json", folder)
    (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    (folder / "evaluation.json").write_text(json.dumps(figures), encoding="utf-8")
    run("train.model_card", folder, "--out", card)


def _examples(figures: list[dict[str, Any]], split: str) -> int:
    own = [figure for figure in figures if figure["split"] == split]
    tasks = {figure["task"] for figure in own}
    return sum(max(figure["examples"] for figure in own if figure["task"] == task) for task in tasks)


def read(path: Path) -> Any:
    """A JSON file's content."""
    return json.loads(path.read_text(encoding="utf-8"))


def judged(figures: list[dict[str, Any]], split: str) -> Iterator[tuple[bool, str]]:
    """Whether each claim holds on the companies of a split, and its figures."""
    for claim in CLAIMS:
        named = {"split": split, "task": claim.task, "metric": claim.metric, "system": "tuned"}
        found = next((one for one in figures if one["against"] == claim.against and named.items() <= one.items()), None)
        text = f"{claim.task} {claim.metric}, tuned less {claim.against}: "
        if found is None or found["low"] is None:
            yield False, text + "no interval"
        else:
            size = f"{found['examples']} examples of {found['companies']} companies"
            yield found["low"] > 0, f"{text}{found['value']:+.3f} ({found['low']:+.3f} to {found['high']:+.3f}), {size}"


def _affordable(metrics: dict[str, Any]) -> tuple[bool, str]:
    cpu, clock = metrics["train_cpu_seconds"], metrics["train_seconds"]
    return cpu <= CPU_SECONDS, f"{cpu:.0f} CPU seconds of training, at most {CPU_SECONDS:.0f}; {clock:.0f} by the clock"


def run(module: str, *options: Any) -> None:
    """Run a module in the training environment; its lines are shown as they come."""
    subprocess.run(_command(module, *options), cwd=ROOT, check=True, stdout=sys.stdout)


def _command(module: str, *options: Any) -> list[str]:
    return [str(PYTHON), "-m", module, *map(str, options)]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("filings", type=Path, help="folder in EDGAR's layout with manifest.json")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "usefulness", help="folder for rows and results")
    parser.add_argument("--model", type=Path, default=ROOT / ".cache" / "models" / "smollm2-135m", help="base model")
    parser.add_argument("--configuration", type=Path, default=Path(__file__).parent / "usefulness.yaml")
    parser.add_argument("--card", type=Path, help="write the model card there")
    parser.add_argument("--closed", action="store_true", help="leave the test companies out: for choices")
    parser.add_argument("--folds", type=int, help="train so many adapters, that each company is unseen once")
    arguments = parser.parse_args()
    if arguments.folds is not None and (arguments.folds < LEAST_FOLDS or arguments.card or arguments.closed):
        parser.error(f"--folds takes at least {LEAST_FOLDS}, and neither --card nor --closed")
    return arguments


if __name__ == "__main__":
    raise SystemExit(main())
