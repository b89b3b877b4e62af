"""Runs in a Databricks workspace, played by a stand-in that answers as its REST reference says: a real one is not to be
had here. What differs from MLflow's own server is who is asked, as whom, and how files are stored."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from train.config import CONFIGS, load
from train.tracking import DATABRICKS, FINISHED, MlflowTracker, Results, Server, started

INFO = {
    "run_id": "r1",
    "run_uuid": "r1",
    "experiment_id": "9",
    "status": "RUNNING",
    "lifecycle_stage": "active",
    "artifact_uri": "dbfs:/databricks/mlflow-tracking/9/r1/artifacts",
    "start_time": 1,
}
API = "/api/2.0/mlflow/"


@dataclass
class Workspace:
    """What the stand-in was told."""

    address: str = ""
    said: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    files: dict[str, tuple[bytes, dict[str, str]]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    stores: int = 200
    """Status that a file's address answers with; 0 for none at all."""

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and body of a request to the API."""
        self.said.append((path, body))
        if path == "experiments/get-by-name":
            return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such experiment"}
        signed = [
            {"signed_uri": f"{self.address}/signed/{name}?sig=s3cr3t", "headers": [{"name": "x-own", "value": "1"}]}
            for name in body.get("path", [])
        ]
        answers: dict[str, dict[str, Any]] = {
            "experiments/create": {"experiment_id": "9"},
            "runs/create": {"run": {"info": INFO, "data": {}}},
            "runs/update": {"run_info": INFO},
            "artifacts/credentials-for-write": {"credential_infos": signed},
        }
        return 200, answers.get(path, {})


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    told = Workspace()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._api({})

        def do_POST(self) -> None:
            self._api(json.loads(self._body()))

        def do_PUT(self) -> None:
            name = self.path.removeprefix("/signed/").partition("?")[0]
            told.files[name] = (self._body(), dict(self.headers))
            if told.stores:
                self._say(told.stores, {})

        def _api(self, body: dict[str, Any]) -> None:
            told.tokens.add(self.headers["Authorization"])
            self._say(*told.answer(self.path.removeprefix(API).partition("?")[0], body))

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def _say(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Nothing on the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.address = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield told
        server.shutdown()


def test_a_run_goes_to_the_workspace_as_the_trainer_and_its_files_to_signed_addresses(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What stands in the environment for other tools is not what the run is recorded with.
    monkeypatch.setenv("DATABRICKS_HOST", "https://other.example")
    monkeypatch.setenv("DATABRICKS_TOKEN", "other-token")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://another.example")
    tokens = iter(f"token-{number}" for number in range(1000))
    told = {"uri": DATABRICKS, "experiment": "/Shared/risk-factors", "run_url_template": "{experiment_id}/{run_id}"}
    tracker = MlflowTracker(Server.named(told, workspace.address, lambda: next(tokens)))
    digests = {"base_model_digest": "sha256:b", "rows_digest": "sha256:c"}
    about = started(load(CONFIGS / "smollm2-135m.yaml"), {}, job="job-1", rows={"train": 1}, digests=digests)
    tracker.start(about, tmp_path)
    tracker.log_step(1, {"train_loss": 2.0})
    tracked = tracker.finish(FINISHED, Results({"loss_after": 1.0}, [], {}))
    assert tracked.problem == ""
    assert (tracked.run_id, tracked.url) == ("r1", "9/r1")
    said = dict(workspace.said)
    assert said["experiments/create"]["name"] == "/Shared/risk-factors"
    assert said["runs/update"]["status"] == "FINISHED"
    logged = [metric for path, body in workspace.said if path == "runs/log-batch" for metric in body.get("metrics", [])]
    assert {metric["key"]: metric["value"] for metric in logged} == {"train/loss": 2.0, "loss_after": 1.0}
    assert len(workspace.tokens) > 1  # each request asks for one that is valid
    assert all(token.startswith("Bearer token-") for token in workspace.tokens)
    assert workspace.files.keys() == {"configuration.yaml", "evaluation.json"}
    for content, headers in workspace.files.values():
        assert content
        assert headers["x-own"] == "1"
        assert "Authorization" not in headers


@pytest.mark.parametrize("stores", [403, 503, 0], ids=["refused", "busy", "cut off"])
def test_a_signed_address_is_told_to_nobody(
    workspace: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture, stores: int
) -> None:
    workspace.stores = stores
    told = {"uri": DATABRICKS, "experiment": "/Shared/e"}
    tracker = MlflowTracker(Server.named(told, workspace.address, lambda: "t"), patience=0.5)
    digests = {"base_model_digest": "sha256:b", "rows_digest": "sha256:c"}
    about = started(load(CONFIGS / "smollm2-135m.yaml"), {}, job="", rows={}, digests=digests)
    tracker.start(about, tmp_path)
    tracked = tracker.finish(FINISHED, Results({}, [], {}))
    for thread in threading.enumerate():
        if thread.name == "mlflow":
            thread.join()
    assert workspace.files.keys() == {"configuration.yaml"}
    assert tracked.problem
    assert "/signed/configuration.yaml" in caplog.text
    assert "s3cr3t" not in tracked.problem + caplog.text


def test_what_the_workspace_forbids_is_said_and_not_asked_again(workspace: Workspace, tmp_path: Path) -> None:
    workspace.answer = lambda path, body: (  # type: ignore[method-assign]
        workspace.said.append((path, body))
        or (403, {"error_code": "PERMISSION_DENIED", "message": "no right on /Shared"})
    )
    tracker = MlflowTracker(
        Server.named({"uri": DATABRICKS, "experiment": "/Shared/e"}, workspace.address, lambda: "t")
    )
    about = started(
        load(CONFIGS / "smollm2-135m.yaml"),
        {},
        job="",
        rows={},
        digests={"base_model_digest": "sha256:b", "rows_digest": "sha256:c"},
    )
    tracker.start(about, tmp_path)
    tracked = tracker.finish(FINISHED, Results({}, [], {}))
    assert "PERMISSION_DENIED: no right on /Shared" in tracked.problem
    assert len(workspace.said) == 1
