"""Entry of the training job: configuration, data, model, trainer, evaluation, save.

In SageMaker, parameters come through Dagster Pipes and rows through Unity Catalog:

    python train.py

By hand, everything is named:

    python -m train.train --configuration FILE --rows FILE.jsonl --model DIR --out DIR
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

# Libraries read these when they are imported. Weights, tokenizer and metrics are all local: no hub is asked.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# OpenMP threads that wait for each other sleep instead of spinning: where other processes use the cores too,
# spinning threads keep from running the very thread that they wait for, and a step takes ten times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from train.config import TrainingConfiguration, from_hyperparameters, load
from train.curve import Curve
from train.data import Row, read_jsonl, read_snapshot
from train.device_use import DeviceUse
from train.evaluations_table import Evaluated, write
from train.files import folder_digest
from train.job import Interrupted, InterruptionGuard, JobError, JobFolders, failure_line
from train.launch import launch, plan
from train.processes import Processes, is_started, joined
from train.tracking import FINISHED, MlflowTracker, NoTracker, Results, Server, Tracker, started, watched
from unitydoor.catalog import Catalog
from unitydoor.oauth import ClientCredentials
from unitydoor.secrets import load_principal
from unitydoor.transport import Transport
from unitydoor.vending import Lease

LOG = logging.getLogger("train")
EXIT_INTERRUPTED = 128 + 15  # as a shell reports SIGTERM
_PIPES_CONTEXT = "DAGSTER_PIPES_CONTEXT"
_MESSAGE_SECONDS = 3.0
_PROVENANCE = ("table", "table_version", "merkle_root", "run_id", "code_version")
_PARAMETERS = ("catalog_host", "secret_id", "evaluations_table", "evaluations_location", *_PROVENANCE)


class Report(Protocol):
    """Where the results go."""

    def __call__(self, metadata: Mapping[str, Any], data_version: str) -> None: ...


@dataclass(frozen=True)
class Published:
    """Where the evaluation's figures stand beside the report: metadata of it, and credentials that were vended."""

    metadata: Mapping[str, Any] = field(default_factory=dict)
    credentials: Sequence[Mapping[str, str]] = ()


class Publish(Protocol):
    """Where the evaluation's figures go; by hand they stay in the model folder."""

    def __call__(self, figures: Sequence[Mapping[str, Any]], adapter: str, base_model: str) -> Published:
        """Take the figures of an adapter and its base model, both by their digests."""


def _keep(figures: Sequence[Mapping[str, Any]], adapter: str, base_model: str) -> Published:
    return Published()


@dataclass(frozen=True)
class Job:
    """What to train on what, and whom to tell."""

    configuration: TrainingConfiguration
    rows: Sequence[Row]
    model: Path
    report: Report
    provenance: Mapping[str, Any] = field(default_factory=dict)
    credentials: Sequence[Mapping[str, str]] = ()
    publish: Publish = _keep
    tracker: Tracker = field(default_factory=NoTracker)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job. Exit code 0, 1 after a failure (its line stands in the failure file), 143 after SIGTERM."""
    logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.WARNING)
    LOG.setLevel(logging.INFO)
    options = sys.argv[1:] if argv is None else argv
    arguments = _arguments(options)
    folders = JobFolders.of(os.environ, base=arguments.out)
    guard = InterruptionGuard()
    guard.install()
    several = is_started(os.environ)
    try:
        configuration = _configuration(arguments, folders)
        if (planned := plan(configuration, os.environ)) is not None:
            return launch(planned, options, folders)
        if several and os.environ["RANK"] != "0":
            LOG.setLevel(logging.WARNING)
        with joined(os.environ) as processes, _job(arguments, configuration, folders, processes) as job:
            run(job, folders, guard, processes)
    except Exception as error:
        # What other processes leave behind when SIGTERM ends them first is no failure of this one.
        if isinstance(error, Interrupted) or (several and guard.requested):
            LOG.warning("%s", failure_line(error))
            return EXIT_INTERRUPTED
        (folders.write_first_failure if several else folders.write_failure)(error)
        LOG.exception("failed: %s", failure_line(error))
        return 1
    return 0


def run(job: Job, folders: JobFolders, guard: InterruptionGuard, processes: Processes) -> None:
    """Train, evaluate, save and report; all processes take part, the main one alone saves and reports."""
    with watched(job.tracker):
        _run(job, folders, guard, processes)


def _run(job: Job, folders: JobFolders, guard: InterruptionGuard, processes: Processes) -> None:
    began = time.monotonic()
    # Heavy imports: a refused configuration or credential is said before they are paid for.
    from train import stages
    from train.attestation import make_deterministic

    configuration = job.configuration
    make_deterministic(configuration.optimization.seed, configuration.compute.threads)
    curve = Curve()
    prepared = stages.prepare(configuration, job.rows, job.model, processes)
    digests = {"base_model_digest": prepared.base.digest, "rows_digest": prepared.content}
    rows: dict[str, int] = {split: len(selection.examples) for split, selection in prepared.splits.items()}
    name = os.environ.get("TRAINING_JOB_NAME", "")
    about = started(configuration, job.provenance, job=name, rows=rows, digests=digests)
    job.tracker.start(about, folders.checkpoints / prepared.identity)

    def log_step(step: int, values: Mapping[str, float]) -> None:
        curve.add(step, values)
        job.tracker.log_step(step, values)

    with DeviceUse(os.environ) as device_use:
        fitted = stages.fit(prepared, folders, guard, log_step, processes)
    assessed = stages.assess(prepared)
    metrics = stages.metrics_of(prepared, fitted, assessed, seconds=time.monotonic() - began)
    weights = stages.adapter_weights(prepared)
    if not processes.is_main:
        return
    saved = stages.save(
        prepared, fitted, assessed, weights=weights, metrics=metrics, provenance=job.provenance, folders=folders
    )
    published = job.publish(assessed.figures, saved.adapter, prepared.base.digest)
    use = device_use.mean()
    numbers = metrics if use is None else {**metrics, "device_use": use}
    tracked = job.tracker.finish(FINISHED, Results(numbers, assessed.figures, {"adapter_sha256": saved.adapter}))
    job.report(
        {
            **metrics,
            "curve": curve.points(),
            "device_use": use,
            "evaluation": list(assessed.figures),
            **published.metadata,
            **tracked.metadata(),
            "adapter_sha256": saved.adapter.removeprefix("sha256:"),
            # Of every file that is registered, not of the adapter alone.
            "model_digest": folder_digest(folders.model),
            **digests,
            **job.provenance,
            "credentials": [*job.credentials, *published.credentials],
            "environment": saved.environment,
        },
        saved.adapter,
    )


@contextmanager
def _job(
    arguments: argparse.Namespace, configuration: TrainingConfiguration, folders: JobFolders, processes: Processes
) -> Iterator[Job]:
    """The job for this process. The main one reads the rows and tells the others."""
    if not processes.is_main:
        rows: Sequence[Row] = processes.from_main(())
        model = arguments.model or _base_model(folders, configuration)
        yield Job(configuration, rows, model, _say_nothing)
    elif arguments.configuration:
        rows = processes.from_main(read_jsonl(arguments.rows))
        yield Job(configuration, rows, arguments.model, _say, {"source": str(arguments.rows)})
    else:
        with _job_of_orchestrator(configuration, folders) as job:
            processes.from_main(job.rows)
            yield job


@contextmanager
def _job_of_orchestrator(configuration: TrainingConfiguration, folders: JobFolders) -> Iterator[Job]:
    """The job that Dagster Pipes describes.

    Its rows are read with a credential vended for their table, and are those whose gates have passed.
    """
    import boto3
    from dagster_pipes import (
        PipesS3ContextLoader,
        PipesS3MessageWriter,
        open_dagster_pipes,
    )

    client = boto3.client("s3")
    with open_dagster_pipes(
        context_loader=PipesS3ContextLoader(client=client),
        message_writer=PipesS3MessageWriter(client=client, interval=_MESSAGE_SECONDS),
    ) as pipes:
        extras = pipes.extras
        if missing := [name for name in _PARAMETERS if name not in extras]:
            raise JobError(f"the job's parameters (Pipes extras) lack {', '.join(missing)}")
        model = _base_model(folders, configuration)
        link, credentials = _signed_in(extras)
        door = Catalog(link.host, credentials, transport=link)
        lease = Lease(lambda: door.vend_table(extras["table"], "READ"))
        version, root = int(extras["table_version"]), str(extras["merkle_root"])
        rows = read_snapshot(lease.grant().url, version, lambda: lease.grant().storage_options(), root=root)
        LOG.info("read %d rows of %s version %d; their Merkle root is %s", len(rows), extras["table"], version, root)

        def report(metadata: Mapping[str, Any], data_version: str) -> None:
            pipes.report_asset_materialization(metadata=_pipes_metadata(metadata), data_version=data_version)

        provenance = {key: extras[key] for key in _PROVENANCE}
        publish = _into_table(door, extras, configuration)
        tracker = _tracker(extras, link.host, credentials)
        yield Job(configuration, rows, model, report, provenance, lease.records(), publish, tracker)


def _configuration(arguments: argparse.Namespace, folders: JobFolders) -> TrainingConfiguration:
    """The configuration in the file that is named, or in the job's hyperparameters."""
    if arguments.configuration:
        return load(arguments.configuration)
    if _PIPES_CONTEXT not in os.environ:
        raise JobError(f"no parameters: run it from Dagster ({_PIPES_CONTEXT}), or name --configuration by hand")
    return from_hyperparameters(folders.hyperparameters(), source="the job's hyperparameters")


def _base_model(folders: JobFolders, configuration: TrainingConfiguration) -> Path:
    """The channel `model`; without it the hub, where the job's environment allows it (HF_HUB_OFFLINE=0)."""
    if folders.has_channel("model") or os.environ["HF_HUB_OFFLINE"] != "0":
        return folders.channel("model")
    from train.hub import from_hub

    return from_hub(configuration.base_model)


def _signed_in(extras: Mapping[str, Any]) -> tuple[Transport, ClientCredentials]:
    """The way to the workspace, and the principal whose secret the parameters name."""
    principal = load_principal(extras["secret_id"])
    link = Transport(extras["catalog_host"], run_id=str(extras["run_id"]))
    return link, ClientCredentials(link.host, principal, transport=link)


def _tracker(extras: Mapping[str, Any], workspace: str, credentials: ClientCredentials) -> Tracker:
    """The tracking server that the parameters name, if any."""
    if not extras.get("tracking"):
        return NoTracker()
    return MlflowTracker(Server.named(extras["tracking"], workspace, credentials.token))


def _into_table(door: Catalog, extras: Mapping[str, Any], configuration: TrainingConfiguration) -> Publish:
    """Writes the figures into the table of evaluations, with a credential of its own for that table."""

    def publish(figures: Sequence[Mapping[str, Any]], adapter: str, base_model: str) -> Published:
        of = Evaluated(
            configuration=configuration.name,
            adapter_sha256=adapter.removeprefix("sha256:"),
            base_model_digest=base_model,
            snapshot_version=int(extras["table_version"]),
            merkle_root=str(extras["merkle_root"]),
            training_job=os.environ["TRAINING_JOB_NAME"],
            run_id=str(extras["run_id"]),
            evaluated_at=datetime.now(UTC),
        )
        table = str(extras["evaluations_table"])
        written = write(door, table, str(extras["evaluations_location"]), figures, of)
        LOG.info("wrote %d figures into %s, version %d", written.rows, table, written.version)
        return Published({"evaluations_version": written.version}, [written.grant.record()])

    return publish


def _pipes_metadata(values: Mapping[str, Any]) -> dict[str, Any]:
    """Pipes infers the type of plain values; mappings and lists have to be called JSON."""
    return {
        key: {"type": "json", "raw_value": value} if isinstance(value, Mapping | list) else value
        for key, value in values.items()
    }


def _say(metadata: Mapping[str, Any], data_version: str) -> None:
    numbers = {key: value for key, value in metadata.items() if not isinstance(value, Mapping | list)}
    LOG.info("done: %s", json.dumps({"data_version": data_version, **numbers}))


def _say_nothing(metadata: Mapping[str, Any], data_version: str) -> None:
    """What another process than the main one reports."""


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="train", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--configuration", type=Path, help="YAML file of train/configs")
    parser.add_argument("--rows", type=Path, help="JSON lines with prompt, completion and split")
    parser.add_argument("--model", type=Path, help="folder of the base model")
    parser.add_argument("--out", type=Path, help="folder for adapter, metrics, attestation and checkpoints")
    # SageMaker's toolkit passes the hyperparameters as options too, not all of them as JSON; their file is read.
    arguments, unknown = parser.parse_known_args(argv)
    by_hand = [arguments.configuration, arguments.rows, arguments.model, arguments.out]
    if any(by_hand) and (not all(by_hand) or unknown):
        parser.error("by hand, exactly --configuration, --rows, --model and --out are given")
    return arguments


if __name__ == "__main__":
    raise SystemExit(main())
