"""Records a training as a run at an MLflow tracking server, beside the training and never in its way.

What belongs here: what is told of a run, and how it gets there. All talk with the server happens in one thread of its
own, in batches; a server that is slow or away costs no step, and one that stays away costs no training: it is warned
of once, asked again and again, and the report says what is missing there. Configuration, numbers, names and digests
are recorded; never a prompt, a completion or a row.

The server is MLflow's own or that of a Databricks workspace, whose interface is the same. The access token goes to
the workspace itself or to this machine only, and is held in memory alone: MLflow's own ways to find one, by
environment and files, which child processes inherit, are not used.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import yaml

from train.config import TrainingConfiguration
from train.job import Interrupted
from train.metrics import METRIC_NAMES
from unitydoor.transport import LOOPBACK_HOSTS, CatalogError

if TYPE_CHECKING:
    from mlflow.entities import Metric, Run
    from mlflow.utils.rest_utils import MlflowHostCreds

LOG = logging.getLogger("train")

DATABRICKS = "databricks"
"""The address that stands for the tracking server of the catalog's own workspace."""

RECORD = "mlflow.json"
"""Beside the checkpoints: which run a job that resumes from them goes on with."""

FINISHED, FAILED, STOPPED = "FINISHED", "FAILED", "KILLED"
"""How a run ends, in MLflow's words."""

BATCH_METRICS = 1000  # MLflow takes so many in a request
BATCH_PARAMETERS = 100
LONGEST_VALUE = 500  # characters of a parameter; Databricks takes no more of some
LONGEST_DIGEST = 36  # characters of a dataset's digest in MLflow
STORE_SECONDS = 20.0  # for a file at a signed address
FLUSH_SECONDS = 2.0
FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 60.0
PATIENCE_SECONDS = 60.0
"""How long the end of a training waits for what is still to be sent."""
STOPPED_PATIENCE_SECONDS = 15.0
"""The same after SIGTERM: SageMaker grants 120 s, and the checkpoint comes first."""

# Read by MLflow at its import: no report home, no hidden retries or jitter (the latter would disturb `random`).
_CLIENT_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_ALLOW_HTTP_REDIRECTS": "false",
}
_KIND = ("mlflow.experimentKind", "custom_model_development")  # else its pages guess, and ask
_RETRIED_STATUS = frozenset({401, 408, 429})
_CLIENT_ERRORS = range(400, 500)
_QUERY = re.compile(r"\?[^\s'\"]+")

Token = Callable[[], str]


@dataclass(frozen=True)
class Dataset:
    """What is trained on: name, version and digest (the Merkle root) of its table; rows of each split."""

    name: str
    version: int | None
    digest: str
    rows: Mapping[str, int]


@dataclass(frozen=True)
class Started:
    """What is known of a run when it starts. `tags` name the job, the orchestrator's run, the snapshot."""

    name: str
    configuration: Mapping[str, Any]
    configuration_file: str
    dataset: Dataset
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Results:
    """What a finished training came to: plain metrics, and the rows of the evaluation."""

    metrics: Mapping[str, float]
    figures: Sequence[Mapping[str, Any]]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Tracked:
    """Which run it became. `problem` says why the tracking server has none, or not all, of it."""

    run_id: str = ""
    url: str = ""
    problem: str = ""

    def metadata(self) -> dict[str, str]:
        """For the job's report; nothing where there is no tracking server."""
        named = {"mlflow_run_id": self.run_id, "mlflow_run_url": self.url, "mlflow_problem": self.problem}
        return {key: value for key, value in named.items() if value}


class Tracker(Protocol):
    """Told of a training as it goes. No call waits for a server, except `finish`, which waits a bounded time."""

    def start(self, run: Started, checkpoints: Path) -> None:
        """The training starts; its checkpoints lie in that folder."""

    def log_step(self, step: int, values: Mapping[str, float]) -> None:
        """The numbers of an optimizer step."""

    def finish(self, status: str, results: Results | None = None) -> Tracked:
        """The training has ended: FINISHED with results, FAILED or STOPPED."""


class NoTracker:
    """Where no tracking server is named."""

    def start(self, run: Started, checkpoints: Path) -> None:
        """Nothing to tell."""

    def log_step(self, step: int, values: Mapping[str, float]) -> None:
        """Nothing to tell."""

    def finish(self, status: str, results: Results | None = None) -> Tracked:
        """No run."""
        return Tracked()


@dataclass(frozen=True)
class Server:
    """A tracking server, as the job's parameters name it.

    `url_template` is the address of a run's page with {experiment_id} and {run_id}; `token` gives an access token for
    it, or None where it takes none.
    """

    address: str
    experiment: str
    url_template: str
    token: Token | None = field(default=None, repr=False)

    @classmethod
    def named(cls, parameters: Mapping[str, Any], workspace: str, token: Token) -> Server:
        """The server in the job's parameters: `uri`, `experiment` and, where it is known, `run_url_template`.

        The workspace's token is for the workspace and for servers on this machine, and goes to no other.
        """
        uri = str(parameters["uri"])
        address = (workspace if uri == DATABRICKS else uri).rstrip("/")
        if "://" not in address:
            address = f"https://{address}"
        local = urllib.parse.urlsplit(address).hostname in LOOPBACK_HOSTS
        template = str(parameters.get("run_url_template") or "")
        return cls(address, str(parameters["experiment"]), template, token if local or uri == DATABRICKS else None)


class MlflowTracker:
    """Records one training at a server, in a thread of its own."""

    def __init__(self, server: Server, *, patience: float = PATIENCE_SECONDS) -> None:
        self._server = server
        self._patience = patience
        self._changed = threading.Condition()
        self._pending: list[tuple[str, float, int, int]] = []
        self._ending: tuple[str, Results | None] | None = None
        self._deadline = math.inf
        self._tracked = Tracked()
        self._thread: threading.Thread | None = None

    def start(self, run: Started, checkpoints: Path) -> None:
        """Begin to record; returns at once."""
        self._thread = threading.Thread(target=self._record, args=(run, checkpoints), name="mlflow", daemon=True)
        self._thread.start()

    def log_step(self, step: int, values: Mapping[str, float]) -> None:
        """Take a step's numbers; they are sent within seconds."""
        if self._thread is None or not self._thread.is_alive():
            return
        now = time.time_ns() // 1_000_000
        with self._changed:
            self._pending += [(_curve(key), value, now, step) for key, value in values.items() if math.isfinite(value)]

    def finish(self, status: str, results: Results | None = None) -> Tracked:
        """Send what is left and close the run, waiting for the server a bounded time."""
        if self._thread is None:
            return Tracked(problem="the training ended before its run was started")
        patience = self._patience if status != STOPPED else min(self._patience, STOPPED_PATIENCE_SECONDS)
        with self._changed:
            self._ending, self._deadline = (status, results), time.monotonic() + patience
            self._changed.notify_all()
        self._thread.join(patience)
        if self._thread.is_alive() and not self._tracked.problem:
            self._problem("the tracking server did not answer in time")
        return self._tracked

    def _record(self, run: Started, checkpoints: Path) -> None:
        """The thread: open the run, send its numbers as they come, close it."""
        try:
            client = _Client(self._server)
            self._patiently(lambda: client.open(run, checkpoints))
            self._tracked = Tracked(client.run_id, client.url, self._tracked.problem)
            LOG.info("MLflow run %s", client.url or client.run_id)
            while (ending := self._wait()) is None or self._pending:
                self._send(client)
            self._patiently(lambda: client.close(*ending))
            self._tracked = Tracked(client.run_id, client.url)
        except Exception as error:  # whatever it is, the training goes on, and its report says so
            self._problem(f"{type(error).__name__}: {_plain(error)}")

    def _wait(self) -> tuple[str, Results | None] | None:
        with self._changed:
            if self._ending is None:
                self._changed.wait(FLUSH_SECONDS)
            return self._ending

    def _send(self, client: _Client) -> None:
        with self._changed:
            batch = self._pending[:BATCH_METRICS]
        if batch:
            self._patiently(lambda: client.metrics(batch))
            with self._changed:
                del self._pending[: len(batch)]

    def _patiently(self, work: Callable[[], None]) -> None:
        """Do the work, again and again while the server is away. Raises what asking again cannot mend."""
        pause = FIRST_RETRY_SECONDS
        while True:
            try:
                work()
                return
            except Exception as error:
                if not _may_pass(error) or time.monotonic() > self._deadline:
                    raise
                if not self._tracked.problem:
                    self._problem(f"{self._server.address} is away ({type(error).__name__}); it is asked again")
            with self._changed:
                if self._ending is None:
                    self._changed.wait(pause)
                else:
                    time.sleep(min(pause, FIRST_RETRY_SECONDS))
            pause = min(2 * pause, LONGEST_RETRY_SECONDS)

    def _problem(self, what: str) -> None:
        self._tracked = Tracked(self._tracked.run_id, self._tracked.url, what)
        LOG.warning("MLflow: %s; the training goes on", what)


class _Client:
    """Requests of one run, through MLflow's own client for tracking servers."""

    def __init__(self, server: Server) -> None:
        os.environ.update({key: value for key, value in _CLIENT_SETTINGS.items() if key not in os.environ})
        from mlflow.store.tracking.rest_store import RestStore

        self._server = server
        self._store = RestStore(self._credentials)
        self._run: Run | None = None
        self._known: dict[str, int] = {}

    @property
    def run_id(self) -> str:
        """Id of the run, once it is open."""
        return str(self._run.info.run_id) if self._run else ""

    @property
    def url(self) -> str:
        """Address of the run's page; empty where the job was not told what it looks like."""
        if self._run is None:
            return ""
        return self._server.url_template.format(experiment_id=self._run.info.experiment_id, run_id=self.run_id)

    def open(self, started: Started, checkpoints: Path) -> None:
        """Go on with the run that the checkpoints name, or start one and tell it what it is of."""
        self._run = self._resumed(checkpoints)
        if self._run is None:
            self._run = self._create(started)
            checkpoints.mkdir(parents=True, exist_ok=True)
            (checkpoints / RECORD).write_text(json.dumps({**self._place(), "run_id": self.run_id}) + "\n")
        self._describe(started)

    def metrics(self, batch: Sequence[tuple[str, float, int, int]]) -> None:
        """Numbers by step: key, value, milliseconds since 1970, step. Those that the run has already are left out."""
        from mlflow.entities import Metric

        new = [Metric(*entry) for entry in batch if entry[3] > self._known.get(entry[0], -1)]
        if new:
            self._store.log_batch(self.run_id, metrics=new, params=[], tags=[])

    def close(self, status: str, results: Results | None) -> None:
        """Add the results, and end the run."""
        from mlflow.entities import RunStatus

        if results is not None:
            for some in _parts(_final_metrics(results), BATCH_METRICS):
                self._store.log_batch(self.run_id, metrics=some, params=[], tags=[])
            self._put("evaluation.json", json.dumps(_table(results.figures)))
            shown = json.dumps([{"path": "evaluation.json", "type": "table"}])
            self._tag({**results.tags, "mlflow.loggedArtifacts": shown})
        now = time.time_ns() // 1_000_000
        self._store.update_run_info(self.run_id, RunStatus.from_string(status), now, None)

    def _credentials(self) -> MlflowHostCreds:
        from mlflow.utils.rest_utils import MlflowHostCreds

        return MlflowHostCreds(self._server.address, token=self._server.token() if self._server.token else None)

    def _place(self) -> dict[str, str]:
        return {"address": self._server.address, "experiment": self._server.experiment}

    def _resumed(self, checkpoints: Path) -> Run | None:
        """The run that the checkpoints belong to, open again; None where there is none at this server."""
        from mlflow.entities import LifecycleStage, RunStatus
        from mlflow.exceptions import MlflowException

        try:
            record = json.loads((checkpoints / RECORD).read_text())
        except (OSError, ValueError):
            return None
        if not isinstance(record, dict) or {key: record.get(key) for key in self._place()} != self._place():
            return None
        try:
            run = self._store.get_run(str(record.get("run_id")))
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        if run.info.lifecycle_stage != LifecycleStage.ACTIVE:
            return None
        for key in run.data.metrics:
            history = self._store.get_metric_history(run.info.run_id, key)
            self._known[key] = max((metric.step for metric in history), default=-1)
        self._store.update_run_info(run.info.run_id, RunStatus.RUNNING, None, None)
        return run

    def _create(self, started: Started) -> Run:
        from mlflow.entities import RunTag

        tags = [RunTag("mlflow.source.name", "train/train.py"), RunTag("mlflow.source.type", "JOB")]
        now = time.time_ns() // 1_000_000
        return self._store.create_run(self._experiment(), "", now, tags, started.name)

    def _experiment(self) -> str:
        from mlflow.entities import ExperimentTag
        from mlflow.exceptions import MlflowException

        name = self._server.experiment
        found = self._store.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self._store.create_experiment(name, tags=[ExperimentTag(*_KIND)]))
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":  # else another job was faster
                    raise
                found = self._store.get_experiment_by_name(name)
        return str(found.experiment_id)

    def _describe(self, started: Started) -> None:
        """Parameters, tags, dataset and configuration; again for a run that goes on.

        A server refuses another value of a parameter that it has. What a training may change on the way, such as its
        limit of time, stands anew in the file of the configuration only.
        """
        from mlflow.entities import DatasetInput, InputTag, Param

        assert self._run is not None  # noqa: S101 - the run is open
        has, flat = self._run.data.params, flattened(started.configuration)
        new = [Param(key, value[:LONGEST_VALUE]) for key, value in flat.items() if key not in has]
        for some in _parts(new, BATCH_PARAMETERS):
            self._store.log_batch(self.run_id, metrics=[], params=some, tags=[])
        self._tag(started.tags)
        dataset = DatasetInput(_dataset(started.dataset), [InputTag("mlflow.data.context", "training")])
        self._store.log_inputs(self.run_id, [dataset])
        self._put("configuration.yaml", started.configuration_file)

    def _tag(self, tags: Mapping[str, str]) -> None:
        from mlflow.entities import RunTag

        self._store.log_batch(self.run_id, [], [], [RunTag(key, value) for key, value in tags.items()])

    def _put(self, name: str, text: str) -> None:
        """One artifact: through the server, or with the signed address that a workspace gives for it."""
        from mlflow.utils.request_utils import cloud_storage_http_request
        from mlflow.utils.rest_utils import augmented_raise_for_status, http_request, verify_rest_response

        assert self._run is not None  # noqa: S101 - the run is open
        place, data = urllib.parse.urlsplit(self._run.info.artifact_uri), text.encode()
        if place.scheme == "mlflow-artifacts":
            path = f"/api/2.0/mlflow-artifacts/artifacts{place.path}/{name}"
            augmented_raise_for_status(http_request(self._credentials(), path, "PUT", data=data))
            return
        path = "/api/2.0/mlflow/artifacts/credentials-for-write"
        answer = http_request(self._credentials(), path, "POST", json={"run_id": self.run_id, "path": [name]})
        (given,) = verify_rest_response(answer, path).json()["credential_infos"]
        headers = {header["name"]: header["value"] for header in given.get("headers", [])}
        # No retries of its own: they would take a minute unasked, and write the signed address into the log.
        once = {"max_retries": 0, "timeout": STORE_SECONDS}
        with cloud_storage_http_request("put", given["signed_uri"], data=data, headers=headers, **once) as stored:
            augmented_raise_for_status(stored)


@contextmanager
def watched(tracker: Tracker) -> Iterator[None]:
    """Ends the run of a training that does not come to its end; the error goes on."""
    try:
        yield
    except BaseException as error:
        tracker.finish(STOPPED if isinstance(error, Interrupted) else FAILED)
        raise


def started(
    configuration: TrainingConfiguration,
    provenance: Mapping[str, Any],
    *,
    job: str,
    rows: Mapping[str, int],
    digests: Mapping[str, str],
) -> Started:
    """What a run is told at its start.

    `job` is the training job's name, empty by hand; `rows` counts the examples of each split; `digests` are those of
    the base model and of the rows.
    """
    version = provenance.get("table_version")
    name = str(provenance.get("table") or provenance.get("source") or "rows")
    digest = str(provenance.get("merkle_root") or digests["rows_digest"])
    named = {
        "configuration": configuration.name,
        "dagster_run": provenance.get("run_id"),
        "training_job": job,
        "snapshot_version": version,
        "merkle_root": provenance.get("merkle_root"),
        "training_code": provenance.get("code_version"),
        **digests,
    }
    parameters = configuration.as_parameters()
    return Started(
        name=job or configuration.name,
        configuration=parameters,
        configuration_file=yaml.safe_dump(parameters, sort_keys=False),
        dataset=Dataset(name, None if version is None else int(version), digest, rows),
        tags={key: str(value) for key, value in named.items() if value not in (None, "")},
    )


def flattened(configuration: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """The fields of a nested configuration by their path: `lora.rank`; lists with commas, None as `none`."""
    flat: dict[str, str] = {}
    for key, value in configuration.items():
        if isinstance(value, Mapping):
            flat |= flattened(value, f"{prefix}{key}.")
        elif isinstance(value, list | tuple):
            flat[f"{prefix}{key}"] = ",".join(map(str, value))
        else:
            flat[f"{prefix}{key}"] = "none" if value is None else str(value)
    return flat


def _curve(key: str) -> str:
    """A curve's name: CloudWatch's with a slash, by which MLflow's pages group charts, these before all others."""
    return METRIC_NAMES.get(key, key).replace(":", "/")


def _dataset(of: Dataset) -> Any:
    """MLflow's entity. Its digest is cut to what MLflow keeps; the whole one stands in its source and profile."""
    from mlflow.entities import Dataset as Entity

    source = {"delta_table_name": of.name, "delta_table_version": of.version, "digest": of.digest}
    profile = {**{f"rows_{split}": count for split, count in of.rows.items()}, "digest": of.digest}
    digest = of.digest.rpartition(":")[2][:LONGEST_DIGEST]
    return Entity(of.name, digest, "delta_table", json.dumps(source), profile=json.dumps(profile))


def _final_metrics(results: Results) -> list[Metric]:
    """The plain metrics, and each figure of the evaluation as split.task.metric.system; differences as a-b."""
    from mlflow.entities import Metric

    named = {key: float(value) for key, value in results.metrics.items()}
    for figure in results.figures:
        system = "-".join(str(name) for name in (figure["system"], figure["against"]) if name)
        if figure["value"] is not None:
            key = ".".join(str(figure[part]) for part in ("split", "task", "metric"))
            named[f"{key}.{system}"] = float(figure["value"])
    now = time.time_ns() // 1_000_000
    return [Metric(key, value, now, 0) for key, value in named.items() if math.isfinite(value)]


def _table(figures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The figures in the form of MLflow's tables, which its pages show."""
    columns = list(figures[0]) if figures else []
    return {"columns": columns, "data": [[figure[column] for column in columns] for figure in figures]}


def _parts(items: list[Any], size: int) -> list[list[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _may_pass(error: Exception) -> bool:
    """Whether asking again may help: the server or the workspace is away, busy or broken."""
    import requests
    from mlflow.exceptions import MlflowException

    if isinstance(error, MlflowException):
        status = error.get_http_status_code()
    elif isinstance(error, requests.HTTPError) and error.response is not None:
        status = error.response.status_code
    else:
        return isinstance(error, OSError | CatalogError)
    return status in _RETRIED_STATUS or status not in _CLIENT_ERRORS


def _plain(error: Exception) -> str:
    """The error's text in one line. Of addresses the query is left out: it signs those of files, and who reads it may
    write there."""
    return _QUERY.sub("", " ".join(str(error).split()))[:300]
