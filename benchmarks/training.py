"""Training beside TRL's plain SFT script: tokens a second, memory, validation loss; each run a process of its own.

    .venv/bin/python -m benchmarks.recorded_rows FILINGS rows.jsonl
    .venv/bin/python -m benchmarks.training rows.jsonl

The contenders are the project's training, TRL in the version of the training container, and the newest TRL, whose
environment, `.cache/trl-venv`, is built from `constraints/trl.txt`. All have the same model, rows (as tokens), batch,
steps, learning rate and LoRA settings, two threads, and OpenMP threads that sleep while they wait; TRL has its defaults
for all else. They take turns, and the turn's first changes from round to round. Tokens are those of the examples:
padding counts for nothing. Seconds are from the start of the first step to the end of the last, without loading,
validation and checkpoints. CPU seconds are of the process, which a busy machine changes less than seconds by the clock.
Medians of the rounds are printed, and the range. The validation loss is taken by the same code for all, in float32.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.peers import ROOT, trl_interpreter
from tools import bootstrap

OURS = "govtune"


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path, help="JSON lines of benchmarks.recorded_rows")
    parser.add_argument("--model", type=Path, default=ROOT / ".cache" / "models" / "smollm2-135m")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--batch", type=int, default=8, help="examples in a step; TRL's default is 8")
    parser.add_argument("--validation", type=int, default=16, help="validation rows")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    ours = bootstrap.environments(ROOT)["training"].python
    with tempfile.TemporaryDirectory() as folder:
        task = Path(folder, "task.json")
        numbers = [str(number) for number in (arguments.steps, arguments.batch, arguments.validation)]
        module = [str(ours), "-m", "benchmarks.training_ours"]
        _run([*module, "prepare", str(arguments.rows), str(arguments.model), *numbers, str(task)])
        plain = [str(ROOT / "benchmarks" / "training_trl.py"), str(task)]
        contenders = {
            OURS: [*module, "train", str(task)],
            "container's TRL": [str(ours), *plain],
            "newest TRL": [str(trl_interpreter()), *plain],
        }
        rounds = _rounds(contenders, arguments.rounds, Path(folder))
    _print(rounds, arguments)


def _rounds(contenders: Mapping[str, Sequence[str]], count: int, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Measurements of each contender; the order turns by one each round."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(count):
        for name in [*names[number % len(names) :], *names[: number % len(names)]]:
            out = folder / f"{number}-{names.index(name)}"
            measured = json.loads(_run([*contenders[name], str(out)]).splitlines()[-1])
            found[name].append(measured)
            print(f"round {number + 1}, {name}: {json.dumps(measured)}", flush=True)
    return found


def _run(command: Sequence[str]) -> str:
    """What the command prints. Raises RuntimeError with the end of its errors where it fails."""
    settings = {"OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    environment = {**os.environ, **settings, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def _print(rounds: Mapping[str, Sequence[Mapping[str, Any]]], arguments: argparse.Namespace) -> None:
    tokens = rounds[OURS][0]["tokens"]
    print(f"\n{arguments.steps} steps of {arguments.batch} examples, {tokens} tokens; {arguments.rounds} rounds")
    print("| | tokens a second | tokens a CPU second (range) | CPU: govtune to it | peak memory | validation loss |")
    print("|---|---|---|---|---|---|")
    ours = median(run["cpu_seconds"] for run in rounds[OURS])
    for name, runs in rounds.items():
        rates = sorted(run["tokens"] / run["cpu_seconds"] for run in runs)
        label = name if name == OURS else f"{name} {runs[0]['versions']['trl']}"
        print(
            f"| {label} | {median(run['tokens'] / run['seconds'] for run in runs):.0f} "
            f"| {median(rates):.0f} ({rates[0]:.0f} to {rates[-1]:.0f}) "
            f"| {median(run['cpu_seconds'] for run in runs) / ours:.2f} "
            f"| {median(run['peak_mib'] for run in runs):.0f} MiB "
            f"| {median(run['validation_loss'] for run in runs):.3f} |"
        )


if __name__ == "__main__":
    main()
