"""Entry of the training job: configuration, data, model, trainer, evaluation, save.

In SageMaker, parameters come through Dagster Pipes and rows through Unity Catalog:

    python train.py

By hand, everything is named:

    python -m train.train --configuration FILE --rows FILE.jsonl --model DIR --out DIR
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

# Libraries read these when they are imported. Weights, tokenizer and metrics are all local: no hub is asked.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# OpenMP threads that wait for each other sleep instead of spinning: where other processes use the cores too,
# spinning threads keep from running the very thread that they wait for, and a step takes ten times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from train.config import FREE_TEXT, TrainingConfiguration, load, parse
from train.data import SPLITS, TEST_SPLITS, Row, Selection, Split, read_jsonl, read_snapshot, rows_digest, select
from train.job import Interrupted, InterruptionGuard, JobError, JobFolders, failure_line
from train.metrics import line
from unitydoor.catalog import Catalog
from unitydoor.oauth import ClientCredentials
from unitydoor.secrets import load_principal
from unitydoor.transport import Transport
from unitydoor.vending import Grant, Lease

LOG = logging.getLogger("train")
EXIT_INTERRUPTED = 128 + 15  # as a shell reports SIGTERM
_MESSAGE_SECONDS = 3.0
_PROVENANCE = ("table", "table_version", "merkle_root", "run_id", "code_version")
_PARAMETERS = ("configuration", "catalog_host", "secret_id", *_PROVENANCE)


class Report(Protocol):
    """Where the results go."""

    def __call__(self, metadata: Mapping[str, Any], data_version: str) -> None: ...


@dataclass(frozen=True)
class Job:
    """What to train on what, and whom to tell."""

    configuration: TrainingConfiguration
    rows: Sequence[Row]
    model: Path
    report: Report
    provenance: Mapping[str, Any] = field(default_factory=dict)
    credentials: Sequence[Mapping[str, str]] = ()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job. Exit code 0, 1 after a failure (its line stands in the failure file), 143 after SIGTERM."""
    logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.WARNING)
    LOG.setLevel(logging.INFO)
    arguments = _arguments(sys.argv[1:] if argv is None else argv)
    folders = JobFolders.of(os.environ, base=arguments.out)
    guard = InterruptionGuard()
    guard.install()
    try:
        if arguments.configuration:
            run(_job_by_hand(arguments), folders, guard)
        else:
            with _job_of_orchestrator(folders) as job:
                run(job, folders, guard)
    except Interrupted as interrupted:
        LOG.warning("%s", interrupted)
        return EXIT_INTERRUPTED
    except Exception as error:
        folders.write_failure(error)
        LOG.exception("failed: %s", failure_line(error))
        return 1
    return 0


def run(job: Job, folders: JobFolders, guard: InterruptionGuard) -> None:
    """Train, evaluate, save and report."""
    # Heavy imports: a refused configuration or credential is said before they are paid for.
    from train.attestation import attestation, environment, make_deterministic
    from train.evaluate import completion_loss, evaluate_generation
    from train.model import PRECISIONS, attach_adapter, load_base, save_adapter
    from train.trainer import train

    # Configuration.
    started = time.monotonic()
    configuration = job.configuration
    make_deterministic(configuration.optimization.seed, configuration.compute.threads)

    # Model.
    base = load_base(job.model, configuration.base_model)
    model = attach_adapter(base, configuration.lora)
    trainable = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    LOG.info("base model %s (%s), adapter of %d parameters", configuration.base_model.name, base.family, trainable)

    # Data.
    splits = {split: _select(job, split, base.tokenizer) for split in SPLITS}
    examples, validation = splits["train"].examples, splits["validation"].examples
    _require_headlines(splits[TEST_SPLITS[0]])
    content = rows_digest(example.row for selection in splits.values() for example in selection.examples)

    # Trainer.
    options = {
        "batch_size": configuration.evaluation.batch_size,
        "padding": base.tokenizer.pad_token_id,
        "dtype": PRECISIONS[configuration.base_model.precision],
    }
    loss_before = completion_loss(model, validation, **options)
    _progress("before training", {"validation_loss": loss_before})
    result = train(
        configuration,
        model=model,
        tokenizer=base.tokenizer,
        examples=examples,
        validation=validation,
        checkpoints=folders.checkpoints / _identity(configuration, content, base.digest),
        guard=guard,
        progress=_progress,
    )
    loss_after = completion_loss(model, validation, **options)
    _progress("after training", {"validation_loss": loss_after, "tokens_per_second": result.tokens_per_second})

    # Evaluation.
    scores: dict[str, float] = {}
    by_row: list[dict[str, Any]] = []
    for split in TEST_SPLITS:
        if splits[split].examples:
            found, records = evaluate_generation(
                model, base.tokenizer, splits[split].examples, configuration, progress=_progress
            )
            # What is said of unseen companies has the plain names: the gates and the registry read them.
            named = found if split == TEST_SPLITS[0] else {f"{split}_{key}": value for key, value in found.items()}
            _progress(f"{split} split", named)
            scores.update(named)
            by_row.extend(records)

    # Save.
    adapter = save_adapter(model, base.tokenizer, configuration.base_model, folders.model / "adapter")
    metrics = {
        **{f"rows_{split}": len(splits[split].examples) for split in SPLITS},
        **{f"overlong_{split}": splits[split].overlong for split in SPLITS},
        "loss_before": loss_before,
        "loss_after": loss_after,
        **scores,
        "steps": result.steps,
        "resumed_from": result.resumed_from,
        "tokens_per_second": result.tokens_per_second,
        "train_seconds": result.seconds,
        "seconds": time.monotonic() - started,
        "trainable_parameters": trainable,
    }
    record = attestation(
        configuration=configuration.as_parameters(),
        provenance=job.provenance,
        base_digest=base.digest,
        rows_digest=content,
        adapter_digest=adapter,
        environment=environment(),
    )
    _write_json(folders.model / "metrics.json", {**metrics, "losses": result.losses})
    _write_json(folders.model / "attestation.json", record)
    _write_lines(folders.model / "predictions.jsonl", by_row)
    LOG.info("adapter %s in %s", adapter, folders.model)
    job.report(
        {
            **metrics,
            "adapter_sha256": adapter.removeprefix("sha256:"),
            "base_model_digest": base.digest,
            "rows_digest": content,
            **job.provenance,
            "credentials": list(job.credentials),
            "environment": record["environment"],
        },
        adapter,
    )


def _select(job: Job, split: Split, tokenizer: Any) -> Selection:
    data = job.configuration.data
    limits = {"train": data.max_train_rows, "validation": data.max_validation_rows}
    limit = data.max_test_rows if split in TEST_SPLITS else limits[split]
    seed = job.configuration.optimization.seed
    selection = select(job.rows, split, tokenizer, data, limit=limit, seed=seed)
    tokens = sum(len(example.input_ids) for example in selection.examples)
    LOG.info(
        "%s: %d examples, %d tokens; %d of %d rows were too long",
        split,
        len(selection.examples),
        tokens,
        selection.overlong,
        selection.considered,
    )
    return selection


def _require_headlines(test: Selection) -> None:
    """Raise JobError where no row of T1 is generated: the model could not be judged, after hours of training."""
    if all(example.row.task != FREE_TEXT for example in test.examples):
        raise JobError(
            f"none of the {len(test.examples)} rows taken of the {TEST_SPLITS[0]} split is of {FREE_TEXT}: "
            "raise data.max_test_rows"
        )


def _identity(configuration: TrainingConfiguration, rows: str, base: str) -> str:
    """Name of this training's checkpoints: those of another configuration, data or model are never resumed."""
    text = json.dumps([configuration.as_parameters(), rows, base], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextmanager
def _job_of_orchestrator(folders: JobFolders) -> Iterator[Job]:
    """The job that Dagster Pipes describes.

    Its rows are read with a credential vended for their table, and are those whose gates have passed.
    """
    import boto3
    from dagster_pipes import (
        DAGSTER_PIPES_CONTEXT_ENV_VAR,
        PipesS3ContextLoader,
        PipesS3MessageWriter,
        open_dagster_pipes,
    )

    if DAGSTER_PIPES_CONTEXT_ENV_VAR not in os.environ:
        raise JobError("no parameters: run it from Dagster (DAGSTER_PIPES_CONTEXT), or name --configuration by hand")
    client = boto3.client("s3")
    with open_dagster_pipes(
        context_loader=PipesS3ContextLoader(client=client),
        message_writer=PipesS3MessageWriter(client=client, interval=_MESSAGE_SECONDS),
    ) as pipes:
        extras = pipes.extras
        if missing := [name for name in _PARAMETERS if name not in extras]:
            raise JobError(f"the job's parameters (Pipes extras) lack {', '.join(missing)}")
        configuration = parse(extras["configuration"], source="job parameter configuration")
        model = _base_model(folders, configuration)
        lease = Lease(_vending(extras))
        version, root = int(extras["table_version"]), str(extras["merkle_root"])
        rows = read_snapshot(lease.grant().url, version, lambda: lease.grant().storage_options(), root=root)
        LOG.info("read %d rows of %s version %d; their Merkle root is %s", len(rows), extras["table"], version, root)

        def report(metadata: Mapping[str, Any], data_version: str) -> None:
            pipes.report_asset_materialization(metadata=_pipes_metadata(metadata), data_version=data_version)

        provenance = {key: extras[key] for key in _PROVENANCE}
        yield Job(configuration, rows, model, report, provenance, lease.records())


def _base_model(folders: JobFolders, configuration: TrainingConfiguration) -> Path:
    """The channel `model`; without it the hub, where the job's environment allows it (HF_HUB_OFFLINE=0)."""
    if folders.has_channel("model") or os.environ["HF_HUB_OFFLINE"] != "0":
        return folders.channel("model")
    from train.model import from_hub

    return from_hub(configuration.base_model)


def _vending(extras: Mapping[str, Any]) -> Callable[[], Grant]:
    """Asks the catalog for a credential to read the snapshot's table, each time it is called."""
    principal = load_principal(extras["secret_id"])
    host = extras["catalog_host"]
    link = Transport(host, run_id=str(extras["run_id"]))
    door = Catalog(host, ClientCredentials(host, principal, transport=link), transport=link)
    return lambda: door.vend_table(extras["table"], "READ")


def _pipes_metadata(values: Mapping[str, Any]) -> dict[str, Any]:
    """Pipes infers the type of plain values; mappings and lists have to be called JSON."""
    return {
        key: {"type": "json", "raw_value": value} if isinstance(value, Mapping | list) else value
        for key, value in values.items()
    }


def _job_by_hand(arguments: argparse.Namespace) -> Job:
    def report(metadata: Mapping[str, Any], data_version: str) -> None:
        LOG.info("done: %s", json.dumps({"data_version": data_version, **metadata}))

    provenance = {"source": str(arguments.rows)}
    return Job(load(arguments.configuration), read_jsonl(arguments.rows), arguments.model, report, provenance)


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="train", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--configuration", type=Path, help="YAML file of train/configs")
    parser.add_argument("--rows", type=Path, help="JSON lines with prompt, completion and split")
    parser.add_argument("--model", type=Path, help="folder of the base model")
    parser.add_argument("--out", type=Path, help="folder for adapter, metrics, attestation and checkpoints")
    # SageMaker passes the job's hyperparameters as options; this job takes its parameters from Pipes.
    arguments, unknown = parser.parse_known_args(argv)
    by_hand = [arguments.configuration, arguments.rows, arguments.model, arguments.out]
    if any(by_hand) and (not all(by_hand) or unknown):
        parser.error("by hand, exactly --configuration, --rows, --model and --out are given")
    return arguments


def _progress(prefix: str, values: Mapping[str, float]) -> None:
    LOG.info("%s", line(prefix, values))


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _write_lines(path: Path, values: Sequence[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(value, sort_keys=True) + "\n" for value in values), encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
