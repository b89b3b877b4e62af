"""The figures of several trainings together, each on the companies that it never saw.

    python -m benchmarks.usefulness_folds --configuration FILE --model DIR --out FILE FOLDER ...

Each FOLDER holds the `rows.jsonl` of one fold (`benchmarks.recorded_rows.fold`) and, in `out/model/adapter`, what a
training on them left. What base, adapter and baselines say to a fold's test rows is put side by side with the other
folds', and judged as one test: intervals are over all companies. Runs in the training environment.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

import train.train  # noqa: F401  (the choices that train.py makes before torch is imported)
from train import stages
from train.attestation import make_deterministic
from train.config import TrainingConfiguration, load
from train.data import Row, read_jsonl
from train.evaluation import Answered, Answers, answer, figures, labels_of, question
from train.model import BaseModel, load_base

SPLIT = "test_company"


def main() -> None:
    """Answer every fold's test rows and write the figures of all."""
    arguments = _arguments()
    logging.basicConfig(stream=sys.stdout, format="%(message)s")
    logging.getLogger("train").setLevel(logging.INFO)
    configuration = load(arguments.configuration)
    make_deterministic(configuration.optimization.seed, configuration.compute.threads)
    folds = {folder: read_jsonl(folder / "rows.jsonl") for folder in arguments.folders}
    labels = labels_of(row for rows in folds.values() for row in rows)
    by_task: dict[str, list[Answered]] = {}
    for folder, rows in folds.items():
        base = load_base(arguments.model, configuration.base_model)
        for answered in answers_of(base, folder / "out" / "model" / "adapter", rows, labels, configuration):
            by_task.setdefault(answered.asked.task, []).append(answered)
    found = [row for parts in by_task.values() for row in figures(SPLIT, joined(parts), configuration)]
    arguments.out.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def answers_of(
    base: BaseModel,
    adapter: Path,
    rows: Sequence[Row],
    labels: Mapping[str, Sequence[str]],
    configuration: TrainingConfiguration,
) -> list[Answered]:
    """What an adapter, its base and the baselines say to the test rows of its fold, by task."""
    from peft import PeftModel  # after what train.train sets for it

    model = PeftModel.from_pretrained(base.model, adapter, local_files_only=True)
    splits = stages.choose(rows, base.tokenizer, configuration)
    training = [example.row for example in splits["train"].examples]
    tested = splits[SPLIT].examples
    return [
        answer(
            model,
            base.tokenizer,
            question(task, tested, training, labels.get(task, ()), configuration),
            configuration,
            stages.progress,
        )
        for task in sorted({example.row.task for example in tested})
    ]


def joined(parts: Sequence[Answered]) -> Answered:
    """The folds' examples of one task behind each other, with the answers of the systems that every fold has.

    Raises:
        ValueError: a company is tested in two folds; its examples would count as if they were independent.
    """
    companies = [{example.row.cik for example in part.asked.examples} for part in parts]
    if sum(map(len, companies)) > len(set().union(*companies)):
        raise ValueError("a company is tested in two folds: write the folds' rows anew, of the same filings")
    first = parts[0].asked
    asked = type(first)(
        first.task,
        [example for part in parts for example in part.asked.examples],
        [row for part in parts for row in part.asked.training],
        first.labels,
        first.template,
        [headings for part in parts for headings in part.asked.headings],
    )
    systems = [name for name in parts[0].by_system if all(name in part.by_system for part in parts)]
    return Answered(asked, {name: _joined([part.by_system[name] for part in parts]) for name in systems})


def _joined(parts: Sequence[Answers]) -> Answers:
    """Answers behind each other. Likelihoods and ranks are left out: no claim is about them."""
    if parts[0].texts is not None:
        return Answers(texts=[text for part in parts for text in part.texts or ()])
    return Answers(choices=np.concatenate([part.choices for part in parts if part.choices is not None]))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configuration", type=Path, required=True, help="YAML file of train/configs")
    parser.add_argument("--model", type=Path, required=True, help="folder of the base model")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="folder of a fold")
    return parser.parse_args()


if __name__ == "__main__":
    main()
