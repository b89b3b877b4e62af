"""A second workspace on the session's AWS whose vended credentials end after seconds, for renewals and for attacks."""

from __future__ import annotations

import copy
import json
import secrets
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import boto3
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import AwsIamRoleRequest

from tests.conftest import ROOT, Cloud, free_ports
from unitydoor.catalog import Catalog
from unitydoor.oauth import ClientCredentials
from unitydoor.secrets import ServicePrincipal
from unitydoor.transport import Transport

READY_SECONDS = 60
STOP_SECONDS = 30
BUCKET, FOLDER = "govtune-models", "short"
"""Outside the lake: the session's own catalog has vended nothing here, and its audit must not find it there."""
ROLE = "arn:aws:iam::123456789012:role/govtune-unity-catalog"


@dataclass(frozen=True)
class ShortLived:
    """The workspace: an external location over FOLDER of BUCKET, a schema govtune.raw, all its administrator's."""

    host: str
    admin: ServicePrincipal = field(repr=False)

    @property
    def client(self) -> WorkspaceClient:
        return WorkspaceClient(
            host=self.host,
            client_id=self.admin.client_id,
            client_secret=self.admin.client_secret,
            auth_type="oauth-m2m",
            config_file="/dev/null",
        )

    def credentials(self, run_id: str = "") -> ClientCredentials:
        return ClientCredentials(self.host, self.admin, transport=Transport(self.host, run_id=run_id))

    def door(self, run_id: str = "") -> Catalog:
        """The catalog, on behalf of a run."""
        return Catalog(self.host, self.credentials(run_id), transport=Transport(self.host, run_id=run_id))

    def vended(self, run_id: str) -> int:
        """How many credentials of tables the run was given, by the workspace's audit log."""
        query = {"action": "generateTemporaryTableCredential", "decision": "ALLOW"}
        events = self.client.api_client.do("GET", "/_localcloud/audit", query=query)["events"]  # type: ignore[index,call-overload]
        return sum(f"govtune-run/{run_id}" in event["user_agent"].split() for event in events)


@contextmanager
def short_lived_workspace(
    cloud: Cloud, folder: Path, seconds: int, *, token_seconds: int = 3600
) -> Iterator[ShortLived]:
    """Started with state of its own in `folder`, and seeded. Its credentials live `seconds`, its access tokens
    `token_seconds`."""
    admin = {"client_id": str(uuid.uuid4()), "client_secret": secrets.token_urlsafe(30)}
    file = folder / "admin.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(admin))
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "localcloud.databricks", "--port", str(port), "--state", str(folder / "state")]
    command += ["--admin-credentials", str(file), "--aws-endpoint", cloud.env["AWS_ENDPOINT_URL"]]
    command += ["--aws-credentials", str(cloud.state / "credentials" / "unity-catalog.json")]
    command += ["--credential-seconds", str(seconds), "--token-seconds", str(token_seconds)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL)
    made = ShortLived(f"http://127.0.0.1:{port}", ServicePrincipal(**admin, purpose="short/admin"))
    try:
        _wait(process, made.host)
        with _trusted(cloud, _external_id(made)):
            _seed(made)
            yield made
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


def _external_id(made: ShortLived) -> str:
    role = AwsIamRoleRequest(role_arn=ROLE)
    credential = made.client.storage_credentials.create(name="govtune", aws_iam_role=role)
    assert credential.aws_iam_role and credential.aws_iam_role.external_id
    return credential.aws_iam_role.external_id


@contextmanager
def _trusted(cloud: Cloud, external_id: str) -> Iterator[None]:
    """The session's role takes the workspace's external id beside those that it takes already, as the account's
    administrator decides."""
    root = json.loads((cloud.state / "credentials" / "aws-root.json").read_text())
    iam = boto3.client(
        "iam",
        endpoint_url=cloud.env["AWS_ENDPOINT_URL"],
        region_name=cloud.env["AWS_REGION"],
        aws_access_key_id=root["access_key_id"],
        aws_secret_access_key=root["secret_access_key"],
    )
    name = ROLE.rpartition("/")[2]
    before = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    trust = copy.deepcopy(before)
    asked = next(one for one in trust["Statement"] if one["Sid"] == "TheCatalog")["Condition"]["StringEquals"]
    known = asked["sts:ExternalId"]
    asked["sts:ExternalId"] = [*([known] if isinstance(known, str) else known), external_id]
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
    try:
        yield
    finally:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(before))


def _seed(made: ShortLived) -> None:
    client = made.client
    client.external_locations.create(name="lake", url=f"s3://{BUCKET}/{FOLDER}", credential_name="govtune")
    client.catalogs.create(name="govtune")
    client.schemas.create(name="raw", catalog_name="govtune")
    explicit = {"schema/govtune.raw": "EXTERNAL USE SCHEMA", "external_location/lake": "EXTERNAL USE LOCATION"}
    for securable, privilege in explicit.items():
        changes = [{"principal": made.admin.client_id, "add": [privilege]}]
        path = f"/api/2.1/unity-catalog/permissions/{securable}"
        client.api_client.do("PATCH", path, body={"changes": changes})
