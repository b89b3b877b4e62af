"""A second workspace on the session's AWS whose vended credentials end after seconds, and a table that it knows."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import AwsIamRoleRequest

from tests.attacks.conftest import LAKE, SCHEMA, TABLE, Ground, prefix_of
from tests.conftest import ROOT, free_ports
from unitydoor.catalog import Catalog
from unitydoor.columns import from_spark_json
from unitydoor.oauth import ClientCredentials
from unitydoor.secrets import ServicePrincipal

READY_SECONDS = 60
STOP_SECONDS = 30


@contextmanager
def workspace(ground: Ground, folder: Path, seconds: int) -> Iterator[tuple[str, ServicePrincipal]]:
    """Its address and administrator."""
    admin = {"client_id": str(uuid.uuid4()), "client_secret": secrets.token_urlsafe(30)}
    file = folder / "admin.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(admin))
    (port,) = free_ports(1)
    host = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "localcloud.databricks", "--port", str(port), "--state", str(folder / "state")]
    command += ["--admin-credentials", str(file), "--aws-endpoint", ground.endpoint]
    command += ["--aws-credentials", str(ground.cloud.state / "credentials" / "unity-catalog.json")]
    process = subprocess.Popen([*command, "--credential-seconds", str(seconds)], cwd=ROOT, stdin=subprocess.DEVNULL)
    try:
        _wait(process, host)
        yield host, ServicePrincipal(admin["client_id"], admin["client_secret"], "short/admin")
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _wait(process: subprocess.Popen[bytes], host: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"{host}/_localcloud/health", timeout=5):
                return
        except OSError:
            assert process.poll() is None and time.monotonic() < deadline, "the workspace did not start"
            time.sleep(0.05)


@contextmanager
def lake_reader(ground: Ground, folder: Path, *, seconds: int, table: str = TABLE) -> Iterator[tuple[Catalog, str]]:
    """A door at a workspace whose credentials live `seconds`, and the name of a table over the files of `table`."""
    with workspace(ground, folder, seconds) as (host, admin):
        client = WorkspaceClient(
            host=host,
            client_id=admin.client_id,
            client_secret=admin.client_secret,
            auth_type="oauth-m2m",
            config_file="/dev/null",
        )
        role = AwsIamRoleRequest(role_arn="arn:aws:iam::123456789012:role/govtune-unity-catalog")
        client.storage_credentials.create(name="govtune", aws_iam_role=role)
        client.external_locations.create(name="lake", url=f"s3://{LAKE}/raw/delta", credential_name="govtune")
        client.catalogs.create(name="govtune")
        client.schemas.create(name="raw", catalog_name="govtune")
        for kind, name, privileges in (
            ("schema", "govtune.raw", ["EXTERNAL USE SCHEMA"]),
            ("external_location", "lake", ["EXTERNAL USE LOCATION"]),
        ):
            change = {"principal": admin.client_id, "add": privileges}
            path = f"/api/2.1/unity-catalog/permissions/{kind}/{name}"
            client.api_client.do("PATCH", path, body={"changes": [change]})
        door = Catalog(host, ClientCredentials(host, admin))
        door.create_external_delta_table(table, f"s3://{LAKE}/{prefix_of(table)}", from_spark_json(SCHEMA, ()))
        yield door, table
