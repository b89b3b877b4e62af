"""Trainings as MLflow runs: what is recorded, by whom, and what becomes of it while the server is away."""

from __future__ import annotations

import http.client
import json
import logging
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import dagster as dg
import pytest
from botocore.exceptions import ClientError
from mlflow import MlflowClient

from govtune_assets import provenance
from govtune_assets.keys import adapter_key
from localcloud.seed import names
from tests.conftest import Cloud, free_ports
from tests.integration.conftest import Project
from train.config import TrainingConfiguration, load
from train.tracking import FINISHED, STOPPED, MlflowTracker, Results, Server, Started, started
from unitydoor.oauth import ClientCredentials
from unitydoor.secrets import load_principal

pytestmark = pytest.mark.integration

ROOT = "a" * 64
FIGURE = {
    "split": "test_company",
    "task": "T1",
    "metric": "rouge_l",
    "system": "tuned",
    "against": None,
    "value": 0.25,
    "low": 0.2,
    "high": 0.3,
    "examples": 8,
    "companies": 3,
}
FIGURES = [FIGURE, {**FIGURE, "against": "base", "value": 0.05}, {**FIGURE, "metric": "bleu", "value": None}]


@pytest.fixture(scope="module")
def configuration() -> TrainingConfiguration:
    return load(Path(__file__).parent / "configs" / "quick.yaml")


@pytest.fixture
def about(configuration: TrainingConfiguration) -> Started:
    table = {"table": "govtune.curated.training_snapshot", "table_version": 7, "merkle_root": ROOT, "run_id": "run-1"}
    digests = {"base_model_digest": "sha256:b", "rows_digest": "sha256:c"}
    return started(configuration, table, job="job-1", rows={"train": 3}, digests=digests)


def as_root(cloud: Cloud, service: str) -> Any:
    root = json.loads((cloud.state / "credentials" / "aws-root.json").read_text())
    return boto3.client(
        service,
        endpoint_url=cloud.env["AWS_ENDPOINT_URL"],
        region_name=names.REGION,
        aws_access_key_id=root["access_key_id"],
        aws_secret_access_key=root["secret_access_key"],
    )


def server(cloud: Cloud, *, principal: str = "trainer", address: str = "", experiment: str) -> Server:
    """The local tracking server as a job is told of it, with the access tokens of a principal."""
    host, uri = cloud.env["GOVTUNE_DATABRICKS_HOST"], cloud.env["GOVTUNE_TRACKING_URI"]
    credentials = ClientCredentials(
        host, load_principal(f"databricks/{principal}", client=as_root(cloud, "secretsmanager"))
    )
    page = f"{uri}/#/experiments/{{experiment_id}}/runs/{{run_id}}"
    told = {"uri": address or uri, "experiment": experiment, "run_url_template": page}
    return Server.named(told, host, credentials.token)


def reader(cloud: Cloud) -> MlflowClient:
    return MlflowClient(cloud.env["GOVTUNE_TRACKING_URI"])


def steps(tracker: MlflowTracker, first: int, last: int) -> None:
    for step in range(first, last + 1):
        tracker.log_step(step, {"train_loss": 1 / step, "gradient_norm": float("nan")})


def losses(cloud: Cloud, run_id: str) -> dict[int, float]:
    history = reader(cloud).get_metric_history(run_id, "train/loss")
    assert len({metric.step for metric in history}) == len(history)
    return {metric.step: metric.value for metric in history}


def test_a_training_is_recorded_whole(cloud: Cloud, about: Started, tmp_path: Path) -> None:
    tracker = MlflowTracker(server(cloud, experiment="whole"))
    tracker.start(about, tmp_path)
    steps(tracker, 1, 2500)
    tracked = tracker.finish(FINISHED, Results({"loss_after": 0.5}, FIGURES, {"adapter_sha256": "d"}))
    assert tracked.problem == ""
    run = reader(cloud).get_run(tracked.run_id)
    assert (
        tracked.url
        == f"{cloud.env['GOVTUNE_TRACKING_URI']}/#/experiments/{run.info.experiment_id}/runs/{tracked.run_id}"
    )
    assert (run.info.status, run.info.run_name) == ("FINISHED", "job-1")
    assert reader(cloud).get_experiment(run.info.experiment_id).name == "whole"
    assert (run.data.params["lora.rank"], run.data.params["data.max_length"]) == ("16", "512")
    named = {"dagster_run": "run-1", "training_job": "job-1", "snapshot_version": "7", "merkle_root": ROOT}
    assert named.items() <= run.data.tags.items()
    assert run.data.tags["adapter_sha256"] == "d"
    assert losses(cloud, tracked.run_id) == pytest.approx({step: 1 / step for step in range(1, 2501)})
    assert "train/gradient_norm" not in run.data.metrics
    assert run.data.metrics["loss_after"] == 0.5
    assert run.data.metrics["test_company.T1.rouge_l.tuned"] == 0.25
    assert run.data.metrics["test_company.T1.rouge_l.tuned-base"] == 0.05
    assert "test_company.T1.bleu.tuned" not in run.data.metrics
    (dataset,) = run.inputs.dataset_inputs
    assert (dataset.dataset.name, dataset.dataset.digest) == ("govtune.curated.training_snapshot", ROOT[:36])
    assert json.loads(dataset.dataset.source)["delta_table_version"] == 7
    assert json.loads(dataset.dataset.profile) == {"rows_train": 3, "digest": ROOT}
    files = Path(reader(cloud).download_artifacts(tracked.run_id, "", str(tmp_path)))
    assert json.loads((files / "evaluation.json").read_text())["columns"] == list(FIGURE)
    assert "max_length: 512" in (files / "configuration.yaml").read_text()


def test_a_resumed_training_goes_on_with_its_run(cloud: Cloud, about: Started, tmp_path: Path) -> None:
    first = MlflowTracker(server(cloud, experiment="resumed"))
    first.start(about, tmp_path)
    steps(first, 1, 5)
    stopped = first.finish(STOPPED)
    assert reader(cloud).get_run(stopped.run_id).info.status == "KILLED"
    again = MlflowTracker(server(cloud, experiment="resumed"))
    # A limit may be raised on the way; the server keeps the parameter that it was told first.
    section = {**about.configuration["compute"], "max_runtime_seconds": 9001}
    file = "compute: {max_runtime_seconds: 9001}"
    longer = replace(about, configuration={**about.configuration, "compute": section}, configuration_file=file)
    again.start(longer, tmp_path)
    steps(again, 4, 8)  # from a checkpoint that is older than the stop
    finished = again.finish(FINISHED, Results({}, [], {}))
    assert (finished.run_id, finished.problem) == (stopped.run_id, "")
    assert reader(cloud).get_run(stopped.run_id).info.status == "FINISHED"
    assert losses(cloud, stopped.run_id) == pytest.approx({step: 1 / step for step in range(1, 9)})
    assert Path(reader(cloud).download_artifacts(stopped.run_id, "configuration.yaml")).read_text() == file


def test_only_the_trainer_writes(cloud: Cloud, about: Started, tmp_path: Path) -> None:
    tracker = MlflowTracker(server(cloud, principal="loader", experiment="refused"))
    tracker.start(about, tmp_path)
    tracked = tracker.finish(FINISHED, Results({}, [], {}))
    assert tracked.run_id == ""
    assert "govtune-loader may not write here" in tracked.problem
    assert reader(cloud).get_experiment_by_name("refused") is None


def test_a_server_that_stays_away_costs_one_warning(
    cloud: Cloud, about: Started, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = f"http://127.0.0.1:{free_ports(1)[0]}"
    tracker = MlflowTracker(server(cloud, address=nowhere, experiment="away"), patience=1.5)
    with caplog.at_level(logging.WARNING, logger="train"):
        tracker.start(about, tmp_path)
        steps(tracker, 1, 3)
        tracked = tracker.finish(FINISHED, Results({}, [], {}))
    assert tracked.run_id == ""
    assert nowhere in tracked.problem
    assert tracked.metadata() == {"mlflow_problem": tracked.problem}
    assert sum("is away" in line for line in caplog.messages) == 1


class Detour(BaseHTTPRequestHandler):
    """Hands each request on to the tracking server, under the server's own name."""

    target: str

    def forward(self) -> None:
        way = http.client.HTTPConnection(self.target)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        way.request(self.command, self.path, body, {**dict(self.headers), "Host": self.target})
        answer = way.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers["Content-Type"])
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self.forward()

    def do_POST(self) -> None:
        self.forward()

    def do_PUT(self) -> None:
        self.forward()

    def log_message(self, *_: Any) -> None:
        """Nothing on the terminal."""


def test_a_server_that_comes_back_gets_everything(
    cloud: Cloud, about: Started, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_ports(1)[0]
    tracker = MlflowTracker(server(cloud, address=f"http://127.0.0.1:{port}", experiment="back"))
    with caplog.at_level(logging.WARNING, logger="train"):
        tracker.start(about, tmp_path)
        steps(tracker, 1, 3)
        deadline = time.monotonic() + 60
        while not any("is away" in line for line in caplog.messages) and time.monotonic() < deadline:
            time.sleep(0.05)
    handler = type("Way", (Detour,), {"target": cloud.env["GOVTUNE_TRACKING_URI"].removeprefix("http://")})
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as way:
        threading.Thread(target=way.serve_forever, daemon=True).start()
        tracked = tracker.finish(FINISHED, Results({}, [], {}))
        way.shutdown()
    assert tracked.problem == "", caplog.messages
    assert losses(cloud, tracked.run_id).keys() == {1, 2, 3}


def answer(cloud: Cloud, path: str, headers: Mapping[str, str], body: bytes | None = None) -> int:
    request = urllib.request.Request(f"{cloud.env['GOVTUNE_TRACKING_URI']}{path}", data=body, headers=dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_other_names_and_other_pages_are_refused(cloud: Cloud) -> None:
    assert answer(cloud, "/", {}) == 200
    assert answer(cloud, "/", {"Host": "rebound.example:80"}) == 403
    search = ("/ajax-api/2.0/mlflow/runs/search", b'{"experiment_ids": ["0"]}')
    assert answer(cloud, search[0], {"Content-Type": "application/json"}, search[1]) == 200
    foreign = {"Content-Type": "application/json", "Origin": "https://page.example"}
    assert answer(cloud, search[0], foreign, search[1]) == 403


def test_the_bucket_of_runs_is_the_servers_alone(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in cloud.env.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    with pytest.raises(ClientError, match="AccessDenied"):
        boto3.client("s3").list_objects_v2(Bucket=names.TRACKING_BUCKET)
    for role in (names.SAGEMAKER_ROLE, names.EMR_ROLE):
        policies = as_root(cloud, "iam").list_role_policies(RoleName=role)["PolicyNames"]
        documents = [as_root(cloud, "iam").get_role_policy(RoleName=role, PolicyName=name) for name in policies]
        assert documents
        assert names.TRACKING_BUCKET not in json.dumps(documents, default=str)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(cloud.state / "credentials" / "mlflow-credentials"))
    own = boto3.Session().client("s3")
    own.list_objects_v2(Bucket=names.TRACKING_BUCKET)
    with pytest.raises(ClientError, match="AccessDenied"):
        own.list_objects_v2(Bucket=names.WORK_BUCKET)


def texts_of_filings(s3: Any) -> set[str]:
    """Paragraphs of the filings that were trained and evaluated on."""
    listed = s3.list_objects_v2(Bucket=names.LAKE_BUCKET, Prefix="raw/risk_factors/form_type=10-K/")["Contents"]
    bodies = (s3.get_object(Bucket=names.LAKE_BUCKET, Key=item["Key"])["Body"].read() for item in listed)
    return {text for body in bodies for text in strings(json.loads(body)) if len(text) > 40 and " " in text}


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from strings(item)


def test_a_run_of_the_whole_path_holds_no_text_of_a_filing(project: Project, instance: dg.DagsterInstance) -> None:
    adapter = provenance.latest(instance, adapter_key("quick")).metadata
    run_id = str(adapter["mlflow_run_id"])
    run = reader(project.cloud).get_run(run_id)
    assert run.data.tags["training_job"] == adapter["training_job"]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/#/experiments/\d+/runs/" + run_id, str(adapter["MLflow run"]))
    s3 = as_root(project.cloud, "s3")
    listed = s3.list_objects_v2(Bucket=names.TRACKING_BUCKET)["Contents"]
    bodies = [s3.get_object(Bucket=names.TRACKING_BUCKET, Key=item["Key"])["Body"].read() for item in listed]
    bodies += [path.read_bytes() for path in (project.cloud.state / "mlflow").iterdir()]
    assert any(run_id.encode() in body for body in bodies)
    texts = texts_of_filings(s3)
    assert len(texts) > 20
    assert [text for text in texts if any(text.encode() in body for body in bodies)] == []
