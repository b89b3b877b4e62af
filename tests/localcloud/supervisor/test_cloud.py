"""The whole local cloud: started, seeded, used, stopped and killed, each in a state folder of its own."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from localcloud.seed import names
from localcloud.supervisor import instance
from localcloud.supervisor.layout import Layout
from tests.conftest import ROOT, Cloud, port_environment, start_cloud

pytestmark = pytest.mark.integration

GONE_SECONDS = 60


def localcloud(*arguments: str, ports: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs `python -m localcloud`, on free ports unless others are given."""
    return subprocess.run(
        [sys.executable, "-m", "localcloud", *arguments],
        cwd=ROOT,
        env={**os.environ, **(ports or port_environment())},
        capture_output=True,
        text=True,
        check=False,
    )


def processes_of(state: Path) -> list[int]:
    """Every process that names the state folder on its command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            zombie = (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            continue
        if not zombie and any(word.startswith(os.fsencode(state)) for word in words):
            found.append(int(folder.name))
    return found


def wait_until_gone(state: Path) -> list[int]:
    """The processes of the state folder that have not ended after a while."""
    deadline = time.monotonic() + GONE_SECONDS
    while (left := processes_of(state)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def test_settings_and_secrets_are_private_and_apart(cloud: Cloud) -> None:
    settings = (cloud.state / "settings.env").read_text()
    for path in [cloud.state / "settings.env", *(cloud.state / "credentials").iterdir()]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    for name in ("aws-root.json", "databricks-admin.json", "unity-catalog.json"):
        for value in json.loads((cloud.state / "credentials" / name).read_text()).values():
            assert value not in settings
    logs = "".join(path.read_text(errors="replace") for path in (cloud.state / "logs").iterdir())
    admin = json.loads((cloud.state / "credentials" / "databricks-admin.json").read_text())
    assert admin["client_secret"] not in logs


def session(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> boto3.Session:
    """A session with the orchestrator's settings, as the product gets them."""
    for name, value in cloud.env.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    return boto3.Session()


def test_the_orchestrator_may_ship_code_but_not_touch_the_lake(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    aws = session(cloud, monkeypatch)
    s3 = aws.client("s3")
    s3.put_object(Bucket=names.WORK_BUCKET, Key="code/test/payload.zip", Body=b"x")
    for bucket, key in ((names.LAKE_BUCKET, "raw/x"), (names.MODELS_BUCKET, "x"), (names.WORK_BUCKET, "other/x")):
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    secrets = aws.client("secretsmanager")
    assert json.loads(secrets.get_secret_value(SecretId="databricks/loader")["SecretString"])["client_id"]
    for denied in ("databricks/curator", "databricks/trainer"):
        with pytest.raises(ClientError, match="AccessDenied"):
            secrets.get_secret_value(SecretId=denied)


def test_the_orchestrator_cannot_become_the_storage_role(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    sts = session(cloud, monkeypatch).client("sts")
    with pytest.raises(ClientError, match="AccessDenied"):
        sts.assume_role(RoleArn=names.role_arn(names.CATALOG_ROLE), RoleSessionName="test")


def test_buckets_are_closed_to_the_public_and_the_lake_keeps_versions(cloud: Cloud) -> None:
    root = json.loads((cloud.state / "credentials" / "aws-root.json").read_text())
    s3 = boto3.client(
        "s3",
        endpoint_url=cloud.env["AWS_ENDPOINT_URL"],
        region_name=names.REGION,
        aws_access_key_id=root["access_key_id"],
        aws_secret_access_key=root["secret_access_key"],
    )
    for bucket in (names.LAKE_BUCKET, names.WORK_BUCKET, names.MODELS_BUCKET):
        block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        assert all(block.values())
    assert s3.get_bucket_versioning(Bucket=names.LAKE_BUCKET)["Status"] == "Enabled"


def test_status_tells_services_and_that_they_are_stand_ins(cloud: Cloud) -> None:
    done = localcloud("status", "--state", str(cloud.state))
    assert done.returncode == 0
    for service in ("aws", "databricks", "edgar", "mlflow"):
        assert any(line.startswith(service) and " ok " in line for line in done.stdout.splitlines())
    assert "local stand-ins" in done.stdout
    assert "statements on TLS and VPC endpoints" in done.stdout


def test_a_second_start_on_the_same_state_is_refused(cloud: Cloud) -> None:
    done = localcloud("up", "--no-dagster", "--state", str(cloud.state))
    assert done.returncode == 1
    assert f"already running (process {cloud.process.pid}" in done.stderr
    assert processes_of(cloud.state)


def test_a_command_runs_on_the_running_cloud(cloud: Cloud) -> None:
    code = "import os, sys; print(os.environ['GOVTUNE_LAKE_BUCKET']); sys.exit(3)"
    corpus = ["--state", str(cloud.state), "--companies", "4"]
    done = localcloud("run", *corpus, "--", sys.executable, "-c", code)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (3, names.LAKE_BUCKET)
    other = localcloud("run", "--state", str(cloud.state), "--edgar", "sample", "--", "true")
    assert other.returncode == 1
    assert "serves EDGAR=sample (4 companies), not sample" in other.stderr


def test_a_life_of_stops_and_kills(tmp_path: Path) -> None:
    """Stopped, started on what was there, killed, started again, and one service lost: nothing ever stays behind."""
    state = tmp_path / "state"
    first = start_cloud(state, "--companies", "2")
    try:
        credentials = {path.name: path.read_bytes() for path in (state / "credentials").iterdir()}
        done = localcloud("down", "--state", str(state))
        assert (done.returncode, done.stdout) == (0, "localcloud: stopped\n")
        assert wait_until_gone(state) == []
        assert localcloud("down", "--state", str(state)).stdout == "localcloud: nothing is running\n"
    finally:
        first.stop()

    second = start_cloud(state)
    try:
        record = instance.read(Layout(state))
        assert record is not None
        assert record.edgar == "sample (2 companies)"
        kept = ("GOVTUNE_PRINCIPAL_LOADER", "GOVTUNE_EMR_APPLICATION_ID", "GOVTUNE_KMS_KEY_ARN")
        assert {name: second.env[name] for name in kept} == {name: first.env[name] for name in kept}
        assert {path.name: path.read_bytes() for path in (state / "credentials").iterdir()} == credentials
        assert "grants: No difference: the catalog holds what is declared." in state.with_suffix(".log").read_text()
        second.process.send_signal(signal.SIGKILL)
        second.process.wait()
        assert wait_until_gone(state) == []
        assert localcloud("status", "--state", str(state)).returncode == 1
    finally:
        second.stop()

    third = start_cloud(state, "--companies", "3")
    try:
        assert "made from sample (2 companies); now serving sample (3" in state.with_suffix(".log").read_text()
        record = instance.read(Layout(state))
        assert record is not None
        (edgar,) = [service for service in record.services if service.name == "edgar"]
        os.kill(edgar.pid, signal.SIGTERM)
        assert third.process.wait(GONE_SECONDS) == 1
        assert wait_until_gone(state) == []
        assert "EDGAR replica (edgar) ended by itself" in state.with_suffix(".log").read_text()
    finally:
        third.stop()


def test_a_port_in_use_stops_the_start_before_anything_runs(tmp_path: Path) -> None:
    ports = port_environment()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", int(ports["GOVTUNE_EDGAR_PORT"])))
        listener.listen()
        done = localcloud("up", "--no-dagster", "--state", str(tmp_path / "state"), ports=ports)
    assert done.returncode == 1
    assert f"Port {ports['GOVTUNE_EDGAR_PORT']} for EDGAR replica is in use" in done.stderr
    assert "GOVTUNE_EDGAR_PORT=N" in done.stderr
    assert "answers at" not in done.stdout
    assert processes_of(tmp_path / "state") == []


def test_a_detached_start_that_fails_says_why(tmp_path: Path) -> None:
    done = localcloud("up", "--detach", "--state", str(tmp_path / "state"), "--edgar", "/nonexistent")
    assert done.returncode == 1
    assert "there is no such folder" in done.stdout + done.stderr
