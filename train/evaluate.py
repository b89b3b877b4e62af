"""Evaluation of a trained adapter offline: the same code, rows and figures as in the job that trained it.

    python -m train.evaluate --adapter DIR --model DIR --rows FILE --configuration FILE --out FILE

FILE of --rows are the JSON lines that the adapter was trained on, all splits: the baselines learn from its training
rows, and the configuration chooses the rows of each split as it did for the job. --out is written as `evaluation.json`
is in a job's model folder. With --splits only some of the configuration's splits are evaluated.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# As train.train sets them: libraries read them when they are imported.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from train.config import ConfigurationError, TrainingConfiguration, load
from train.data import TEST_SPLITS, Row, read_jsonl
from train.job import JobError, failure_line

LOG = logging.getLogger("train")


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluate and write the figures. Exit code 0, or 1 after an error, which is said in one line."""
    logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.WARNING)
    LOG.setLevel(logging.INFO)
    arguments = _arguments(sys.argv[1:] if argv is None else argv)
    try:
        configuration = load(arguments.configuration)
        if arguments.splits:
            evaluation = configuration.evaluation.model_copy(update={"splits": tuple(arguments.splits)})
            configuration = configuration.model_copy(update={"evaluation": evaluation})
        rows = read_jsonl(arguments.rows)
        figures = evaluate_adapter(arguments.adapter, arguments.model, rows, configuration)
        arguments.out.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    except (JobError, ConfigurationError, OSError) as error:
        LOG.error("failed: %s", failure_line(error))
        return 1
    return 0


def evaluate_adapter(
    adapter: Path, model: Path, rows: Sequence[Row], configuration: TrainingConfiguration
) -> list[Mapping[str, Any]]:
    """The rows of the evaluation of the adapter in a folder, on the base model in another.

    Raises:
        JobError: a folder holds no model or adapter, or the rows do not fit the configuration.
    """
    # Heavy imports: a wrong path is said before they are paid for.
    from peft import PeftModel

    from train import stages
    from train.attestation import make_deterministic
    from train.evaluation import evaluate_splits, labels_of
    from train.model import load_base

    make_deterministic(configuration.optimization.seed, configuration.compute.threads)
    if not (adapter / "adapter_config.json").is_file():
        raise JobError(f"{adapter} holds no adapter: name the folder with adapter_config.json")
    base = load_base(model, configuration.base_model)
    splits = stages.choose(rows, base.tokenizer, configuration)
    training = [example.row for example in splits.pop("train").examples]
    evaluation = evaluate_splits(
        PeftModel.from_pretrained(base.model, adapter, local_files_only=True),
        base.tokenizer,
        {split: selection.examples for split, selection in splits.items()},
        training=training,
        labels=labels_of(rows),
        configuration=configuration,
        progress=stages.progress,
    )
    stages.progress("evaluated", evaluation.plain())
    return list(evaluation.rows)


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="train.evaluate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--adapter", type=Path, required=True, help="folder that train.py saved the adapter in")
    parser.add_argument("--model", type=Path, required=True, help="folder of the base model")
    parser.add_argument("--rows", type=Path, required=True, help="JSON lines with prompt, completion and split")
    parser.add_argument("--configuration", type=Path, required=True, help="YAML file of train/configs")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--splits", nargs="+", choices=("validation", *TEST_SPLITS), help="evaluate these splits only")
    return parser.parse_args(argv)


if __name__ == "__main__":
    raise SystemExit(main())
