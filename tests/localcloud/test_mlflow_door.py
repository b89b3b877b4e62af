"""Who may ask the tracking server for what, with MLflow's application played by one that says yes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from localcloud.mlflow.door import Door, SignIn, looks, writes

API = "/api/2.0/mlflow"
WRITER, OTHER = "token-of-the-writer", "token-of-another"


class Workspace(BaseHTTPRequestHandler):
    """Knows two principals by their tokens."""

    asked: list[str]

    def do_GET(self) -> None:
        token = self.headers["Authorization"].removeprefix("Bearer ")
        self.asked.append(self.path)
        name = {WRITER: "govtune-trainer", OTHER: "govtune-loader"}.get(token)
        body = json.dumps({"displayName": name}).encode()
        self.send_response(200 if name else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def workspace() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Known", (Workspace,), {"asked": asked}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    server.server_close()


@pytest.fixture
def client(workspace: tuple[str, list[str]]) -> TestClient:
    async def yes(_: Request) -> Response:
        return PlainTextResponse("yes")

    inside = Starlette(routes=[Route("/{path:path}", yes, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])])
    return TestClient(Door(inside, SignIn(workspace[0]), frozenset({"govtune-trainer"})))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/health"),
        ("GET", "/static-files/main.js"),
        ("GET", f"{API}/runs/get"),
        ("GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval"),
        ("GET", "/ajax-api/2.0/mlflow-artifacts/artifacts/1/run/artifacts/configuration.yaml"),
        ("POST", "/ajax-api/2.0/mlflow/runs/search"),
        ("POST", "/graphql"),
    ],
)
def test_looking_needs_no_sign_in(client: TestClient, method: str, path: str) -> None:
    assert client.request(method, path).text == "yes"


@pytest.mark.parametrize("path", [f"{API}/runs/create", f"{API}/runs/log-batch", f"{API}/experiments/create"])
def test_writing_needs_a_token_of_a_writer(client: TestClient, path: str) -> None:
    assert client.post(path).status_code == 401
    assert client.post(path, headers={"Authorization": f"Basic {WRITER}"}).status_code == 401
    assert client.post(path, headers=bearer("forged")).status_code == 401
    assert client.post(path, headers=bearer("x" * 9000)).status_code == 401
    refused = client.post(path, headers=bearer(OTHER))
    assert (refused.status_code, refused.json()["error_code"]) == (403, "PERMISSION_DENIED")
    assert client.post(path, headers=bearer(WRITER)).text == "yes"


def test_artifacts_are_written_by_writers_only(client: TestClient) -> None:
    path = "/api/2.0/mlflow-artifacts/artifacts/1/run/artifacts/configuration.yaml"
    assert client.put(path).status_code == 401
    assert client.put(path, headers=bearer(WRITER)).text == "yes"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/ajax-api/3.0/mlflow/assistant/message"),
        ("GET", "/ajax-api/3.0/mlflow/assistant/config"),
        ("GET", "/ajax-api/3.0/mlflow/gateway/secrets/list"),
        ("POST", "/gateway/any/mlflow/invocations"),
        ("POST", "/ajax-api/3.0/mlflow/jobs/"),
        ("POST", "/v1/traces"),
        ("POST", "/ajax-api/2.0/mlflow/runs/log-batch"),
        ("POST", f"{API}/runs/delete"),
        ("DELETE", "/api/2.0/mlflow-artifacts/artifacts/1/run/artifacts/configuration.yaml"),
        ("POST", f"{API}/runs/create/../../webhooks"),
        ("GET", "/build/../server/handlers.py"),
    ],
)
def test_the_rest_of_the_server_is_not_there_even_for_a_writer(method: str, path: str) -> None:
    assert not looks(method, path)
    assert not writes(method, path)


def test_what_is_not_on_a_list_is_answered_with_404(client: TestClient) -> None:
    refused = client.post(f"{API}/runs/delete", headers=bearer(WRITER))
    assert (refused.status_code, refused.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND")


def test_the_workspace_is_asked_once_a_minute(client: TestClient, workspace: tuple[str, list[str]]) -> None:
    for _ in range(3):
        client.post(f"{API}/runs/log-batch", headers=bearer(WRITER))
    assert workspace[1] == ["/api/2.0/preview/scim/v2/Me"]


def test_a_workspace_that_is_away_lets_nobody_write() -> None:
    async def yes(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("asked")

    away = TestClient(Door(yes, SignIn("http://127.0.0.1:9"), frozenset({"govtune-trainer"})))
    assert away.post(f"{API}/runs/create", headers=bearer(WRITER)).status_code == 503
