"""Base weights out of a model hub with a token out of Secrets Manager: real clients, and a hub played on loopback."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from tests.conftest import ROOT

TOKEN = "hf_a-token-that-nobody-may-see-5f21"
NAME = "firm/gated-model"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "config.json": b'{"model_type": "llama"}',
    "model.safetensors": b"weights" * 1000,
    "consolidated.safetensors": b"the same weights in another layout",
    "README.md": b"words",
}
FETCH = f"""
import sys
from pathlib import Path
from train.config import BaseModelSection
from train.hub import from_hub
from train.job import JobFolders, failure_line
try:
    gated = BaseModelSection(name="{NAME}", license="gated", precision="bf16", token_secret="huggingface/token")
    print(from_hub(gated))
except Exception as error:
    JobFolders.of({{}}, base=Path(sys.argv[1])).write_failure(error)
    raise
"""


@dataclass
class PlayedHub:
    """What a hub and Secrets Manager answer here, and who asked the hub with which token."""

    gated_for: str
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""


@contextmanager
def played(hub: PlayedHub) -> Iterator[PlayedHub]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["X-Amz-Target"] == "secretsmanager.GetSecretValue"
            content = {"Name": "huggingface/token", "SecretString": json.dumps({"token": TOKEN})}
            self._answer(200, json.dumps(content).encode())

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            hub.asked.append((self.path, self.headers.get("Authorization")))
            if self.headers.get("Authorization") != f"Bearer {hub.gated_for}":
                self._answer(403, b"{}", {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted."})
            elif self.path.startswith(f"/api/models/{NAME}/tree/"):
                tree = [{"type": "file", "path": name, "size": len(FILES[name]), "oid": name} for name in FILES]
                self._answer(200, json.dumps(tree).encode())
            elif self.path.startswith(f"/api/models/{NAME}"):
                siblings = [{"rfilename": name} for name in FILES]
                body = {"id": NAME, "sha": COMMIT, "siblings": siblings, "private": False, "downloads": 0, "tags": []}
                self._answer(200, json.dumps(body).encode())
            else:
                content = FILES[self.path.rpartition("/")[2]]
                etag = hashlib.sha256(content).hexdigest()
                self._answer(200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})

        def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing is said: the test looks at what was asked."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        hub.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def fetched(hub: PlayedHub, folder: Path) -> subprocess.CompletedProcess[str]:
    """`from_hub` in a process of its own: the hub's address and offline mode are read when its client is imported."""
    environment = os.environ | {
        "HF_ENDPOINT": hub.url,
        "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(folder / "cache"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "AWS_ENDPOINT_URL": hub.url,
        "AWS_ACCESS_KEY_ID": "played",
        "AWS_SECRET_ACCESS_KEY": "played",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    environment.pop("HF_TOKEN", None)
    command = [sys.executable, "-c", FETCH, str(folder / "out")]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def assert_token_is_nowhere(done: subprocess.CompletedProcess[str], folder: Path) -> None:
    assert TOKEN not in done.stdout + done.stderr
    for path in folder.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path


def test_gated_weights_come_with_the_token_and_the_token_stays_nowhere(tmp_path: Path) -> None:
    with played(PlayedHub(gated_for=TOKEN)) as hub:
        done = fetched(hub, tmp_path)
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip())
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors"}
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    assert {token for _, token in hub.asked} == {f"Bearer {TOKEN}"}
    assert_token_is_nowhere(done, tmp_path)


def test_a_refused_token_is_said_without_the_token(tmp_path: Path) -> None:
    with played(PlayedHub(gated_for="another")) as hub:
        done = fetched(hub, tmp_path)
    assert done.returncode == 1
    failure = (tmp_path / "out" / "output" / "failure").read_text()
    assert failure.startswith(f"cannot fetch {NAME} at main from the model hub")
    assert "give the job a `model` channel" in failure
    assert_token_is_nowhere(done, tmp_path)
