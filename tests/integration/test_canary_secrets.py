"""After the whole path, no secret stands anywhere but in the secrets store: not in a file, log, table, event or object.

Every secret of a local cloud is random and its own, so each is a canary: client secrets of the service principals,
lasting AWS keys, and the keys and tokens of every session that STS has opened, vended credentials among them.
"""

from __future__ import annotations

import base64
import configparser
import gzip
import io
import json
import os
import pickle
import re
import subprocess
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.integration.conftest import Project
from tests.integration.process_list import ProcessList

pytestmark = pytest.mark.integration

# The store: the local cloud's own credential files, and what AWS keeps secrets in: users, sessions and secrets.
STORE = ("credentials/", "aws/backends/iam.", "aws/backends/sts.", "aws/backends/secretsmanager.")
TOKEN = rb"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}"
SHORTEST = 16


def lasting(project: Project) -> dict[str, str]:
    """Secrets that do not end by themselves, by what they are."""
    folder = project.cloud.state / "credentials"
    root = json.loads((folder / "aws-root.json").read_text())
    profile, tracking = configparser.ConfigParser(interpolation=None), configparser.ConfigParser(interpolation=None)
    profile.read(folder / "aws-credentials")
    tracking.read(folder / "mlflow-credentials")
    found = {
        "root's key": root["secret_access_key"],
        "administrator's client secret": json.loads((folder / "databricks-admin.json").read_text())["client_secret"],
        "catalog's AWS key": json.loads((folder / "unity-catalog.json").read_text())["secret_access_key"],
        "orchestrator's AWS key": profile["default"]["aws_secret_access_key"],
        "tracking server's AWS key": tracking["default"]["aws_secret_access_key"],
    }
    manager = boto3.client(
        "secretsmanager",
        endpoint_url=project.env["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=root["access_key_id"],
        aws_secret_access_key=root["secret_access_key"],
    )
    for secret in manager.list_secrets(Filters=[{"Key": "name", "Values": ["databricks/"]}])["SecretList"]:
        content = json.loads(manager.get_secret_value(SecretId=secret["ARN"])["SecretString"])
        found[f"client secret of {secret['Name']}"] = content["client_secret"]
        pair = f"{content['client_id']}:{content['client_secret']}".encode()
        found[f"Basic header of {secret['Name']}"] = base64.b64encode(pair).decode()
    return found


def sessions(project: Project) -> dict[str, str]:
    """Secret keys and tokens of every session, out of the local AWS' own state."""
    found = {}
    for path in (project.cloud.state / "aws" / "backends").glob("sts.*.pickle"):
        with path.open("rb") as file:
            pickle.load(file)
            *_, content, _ = pickle.load(file)
        for session in content["assumed_roles"]:
            found[f"secret key of session {session.access_key_id}"] = session.secret_access_key
            found[f"token of session {session.access_key_id}"] = session.session_token
    return found


def spellings(secret: str) -> set[str]:
    """The secret as it may have been written down."""
    return {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], base64.b64encode(secret.encode()).decode()}


def unpacked(body: bytes) -> Iterator[bytes]:
    """What a compressed body holds."""
    if body[:2] == b"\x1f\x8b":
        yield gzip.decompress(body)
    elif body[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    elif body[:4] == b"PAR1":
        table = pq.read_table(io.BytesIO(body))
        for column in table.columns:
            kind = column.type.value_type if pa.types.is_list(column.type) else column.type
            if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_struct(kind):
                yield json.dumps(column.to_pylist(), default=str).encode()


class Search:
    """Looks for patterns in files with grep, which takes hundreds of them at once."""

    def __init__(self, patterns: Iterable[str], folder: Path) -> None:
        self._file = folder / "patterns"
        self._file.touch(mode=0o600)
        self._file.write_text("\n".join(sorted(patterns)))
        self._unpacked = folder / "unpacked"

    def files(self, paths: Iterable[Path]) -> list[str]:
        """Those of the files that hold a pattern, packed or not."""
        return self._both(["-F", "-f", str(self._file)], paths)

    def tokens(self, paths: Iterable[Path]) -> list[str]:
        """Those of the files that hold an access token, packed or not."""
        return self._both(["-P", TOKEN.decode()], paths)

    def _both(self, options: list[str], paths: Iterable[Path]) -> list[str]:
        listed = [str(path) for path in paths]
        unpacked = self._unpack(listed)
        inside = [unpacked[found] for found in self._grep(options, list(unpacked))]
        return list(dict.fromkeys(self._grep(options, listed) + inside))

    def _unpack(self, paths: list[str]) -> dict[str, str]:
        """What packed files hold, as files of their own: path to the packed file's path."""
        self._unpacked.mkdir(exist_ok=True)
        made = {}
        for path in paths:
            with Path(path).open("rb") as file:
                packed = file.read(4)[:2] in {b"\x1f\x8b", b"PK", b"PA"}
            for number, content in enumerate(unpacked(Path(path).read_bytes()) if packed else ()):
                one = self._unpacked / f"{len(made)}-{number}"
                one.write_bytes(content)
                made[str(one)] = path
        return made

    @staticmethod
    def _grep(options: list[str], paths: list[str]) -> list[str]:
        if not paths:
            return []
        command = ["grep", "-a", "-l", "-s", "-Z", *options, "--", *paths]
        done = subprocess.run(command, capture_output=True, env={**os.environ, "LC_ALL": "C"}, check=False)
        assert done.returncode in {0, 1}, done.stderr.decode()
        return [name.decode() for name in done.stdout.split(b"\0") if name]


@pytest.fixture(scope="module")
def canaries(project: Project, materialized: subprocess.CompletedProcess[str]) -> dict[str, str]:
    assert materialized.returncode == 0, materialized.stdout[-3000:] + materialized.stderr[-3000:]
    found = lasting(project) | sessions(project)
    assert len(lasting(project)) == 5 + 2 * 5
    assert sum(name.startswith("token") for name in found) > 20
    assert all(len(secret) >= SHORTEST for secret in found.values())
    return found


def test_no_secret_is_left_in_any_file(project: Project, canaries: dict[str, str], tmp_path: Path) -> None:
    state = project.cloud.state
    files = [path for path in state.rglob("*") if path.is_file()] + [state.parent / f"{state.name}.log"]
    outside = [
        path
        for path in files
        if not str(path.relative_to(state.parent)).startswith(tuple(f"{state.name}/{part}" for part in STORE))
    ]
    kinds = {path.suffix for path in outside}
    assert {".db", ".sqlite", ".log", ".jsonl"} <= kinds, kinds
    # What was asked of the services that run jobs is searched too.
    searched = {path.name.split(".", maxsplit=1)[0] for path in outside if path.parent.name == "backends"}
    assert {"s3", "sagemaker"} <= searched, searched
    # And MLflow's store, with the run of the training in it.
    store = state / "mlflow" / "mlflow.sqlite"
    assert store in outside
    assert b"govtune-quick-" in store.read_bytes()
    patterns = {spelling for secret in canaries.values() for spelling in spellings(secret)}
    search = Search(patterns, tmp_path)
    # The search finds what is there: in the store they stand as they are.
    inside = [path for path in files if path not in set(outside)]
    assert any("credentials" in name for name in search._grep(["-F", "-f", str(search._file)], list(map(str, inside))))
    found = search.files(outside)
    assert {name: said(Path(name), canaries) for name in found} == {}
    assert search.tokens(outside) == []


def said(path: Path, canaries: dict[str, str]) -> list[str]:
    """Which secrets stand in a file: names, never the secrets themselves."""
    body = path.read_bytes()
    bodies = [body, *unpacked(body)]
    return [
        name
        for name, secret in canaries.items()
        if any(spelling.encode() in one for one in bodies for spelling in spellings(secret))
    ]


def test_packed_secrets_would_be_found(tmp_path: Path) -> None:
    """The search itself: a canary and a token in gzip, zip, Parquet, as they are, and nowhere."""
    canary, token = "canary-0123456789abcdef", f"eyJ{'a' * 20}.eyJ{'b' * 20}.{'c' * 40}"
    said = f"x {canary} y Bearer {token} z"
    (tmp_path / "a.gz").write_bytes(gzip.compress(said.encode()))
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner", said)
    pq.write_table(pa.table({"text": [said] * 100}), tmp_path / "c.parquet")
    (tmp_path / "d.txt").write_text("nothing")
    (tmp_path / "e.pickle").write_bytes(pickle.dumps({"parameters": said}))
    search, files = Search([canary], tmp_path), sorted(tmp_path.glob("?.*"))
    wanted = {"a.gz", "b.zip", "c.parquet", "e.pickle"}
    assert {Path(name).name for name in search.files(files)} == wanted
    assert {Path(name).name for name in search.tokens(files)} == wanted


def test_no_secret_stood_in_the_process_list(process_list: ProcessList, canaries: dict[str, str]) -> None:
    lines = b"\n".join(process_list.command_lines)
    assert b"spark" in lines and b"train" in lines
    assert [name for name, secret in canaries.items() if secret.encode() in lines] == []
    assert re.search(TOKEN, lines) is None


def test_no_process_inherits_a_client_secret(project: Project, process_list: ProcessList) -> None:
    """Jobs inherit their own role's session, as the platform gives it to them, and no lasting secret."""
    inherited = b"\n".join(process_list.environments)
    assert b"AWS_SESSION_TOKEN" in inherited
    assert [name for name, secret in lasting(project).items() if secret.encode() in inherited] == []
    assert re.search(TOKEN, inherited) is None


def test_no_secret_is_said_by_the_command_line(
    materialized: subprocess.CompletedProcess[str], canaries: dict[str, str]
) -> None:
    text = materialized.stdout + materialized.stderr
    assert [name for name, secret in canaries.items() if secret in text] == []
