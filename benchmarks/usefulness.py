"""Is the adapter useful? SmolLM2-135M trained on recorded real filings, beside its base and simple rules.

    .venv/bin/python -m benchmarks.usefulness ../shared/edgar --work build/usefulness --card docs/model-card.md
    .venv/bin/python -m benchmarks.usefulness ../shared/edgar --work build/tuning --closed --configuration FILE

Rows come of the project's own curation (`recorded_rows.py`), the training is `train.train` by hand in its environment,
and the figures are those of its evaluation. Four claims are judged on companies that were never seen; each is a paired
difference whose 95% interval over companies lies above zero. With `--closed` the rows of the test companies are not
written at all, and the companies that validate stand in for them: choices are made that way.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import recorded_rows

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv-train" / "bin" / "python"
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
    arguments.work.mkdir(parents=True, exist_ok=True)
    rows, out = arguments.work / "rows.jsonl", arguments.work / "out"
    if not rows.is_file():
        recorded_rows.write_rows(arguments.filings, rows)
        if arguments.closed:
            close(rows)
    for line in recorded_rows.described(rows):
        print(line)
    run(
        "train.train",
        "--configuration",
        arguments.configuration,
        "--rows",
        rows,
        "--model",
        arguments.model,
        "--out",
        out,
    )
    model = out / "model"
    figures = json.loads((model / "evaluation.json").read_text())
    metrics = json.loads((model / "metrics.json").read_text())
    if arguments.card:
        run("train.model_card", model, "--out", arguments.card)
    verdicts = [*judged(figures), _affordable(metrics)]
    for holds, text in verdicts:
        print(f"{'holds' if holds else 'DOES NOT HOLD'}: {text}")
    return 0 if all(holds for holds, _ in verdicts) else 1


def close(rows: Path) -> None:
    """Take the test companies' rows out of the file; those that validate stand in for them."""
    found = [json.loads(line) for line in rows.read_text(encoding="utf-8").splitlines()]
    kept = [row for row in found if row["split"] in ("train", "validation")]
    kept += [row | {"split": "test_company"} for row in kept if row["split"] == "validation"]
    rows.write_text("".join(json.dumps(row, sort_keys=True) + "\n" for row in kept), encoding="utf-8")


def judged(figures: list[dict[str, Any]]) -> Iterator[tuple[bool, str]]:
    """Whether each claim holds, and its figures."""
    for claim in CLAIMS:
        named = {"split": "test_company", "task": claim.task, "metric": claim.metric, "system": "tuned"}
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
    subprocess.run([PYTHON, "-m", module, *map(str, options)], cwd=ROOT, check=True, stdout=sys.stdout)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("filings", type=Path, help="folder in EDGAR's layout with manifest.json")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "usefulness", help="folder for rows and results")
    parser.add_argument("--model", type=Path, default=ROOT / ".cache" / "models" / "smollm2-135m", help="base model")
    parser.add_argument("--configuration", type=Path, default=Path(__file__).parent / "usefulness.yaml")
    parser.add_argument("--card", type=Path, help="write the model card there")
    parser.add_argument("--closed", action="store_true", help="leave the test companies out: for choices")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
