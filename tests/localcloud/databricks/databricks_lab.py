"""Hands of the tests: a local AWS with IAM enforced and a local workspace on it, started as processes."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import AwsIamRoleRequest

from unitydoor.catalog import Catalog
from unitydoor.columns import Column, from_spark_json
from unitydoor.oauth import ClientCredentials
from unitydoor.secrets import ServicePrincipal

ROOT = Path(__file__).resolve().parents[3]
READY_SECONDS = 60
STOP_SECONDS = 30
LAKE, MODELS = "govtune-lake", "govtune-models"
ROLE = "arn:aws:iam::123456789012:role/govtune-unity-catalog"
PERMISSIONS = "/api/2.1/unity-catalog/permissions"


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_private(path: Path, content: dict[str, str]) -> Path:
    """A JSON file that only its owner can read."""
    path.touch(mode=0o600)
    path.write_text(json.dumps(content))
    return path


def start(module: str, port: int, *options: str) -> subprocess.Popen[bytes]:
    """Start a server of the local cloud and wait until it is healthy."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DATABRICKS_"))}
    command = [sys.executable, "-m", module, "--port", str(port), *options]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_localcloud/health", timeout=5):
                return process
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    stop(process)
    raise RuntimeError(f"{module} did not start")


def stop(process: subprocess.Popen[bytes]) -> int:
    """Stop a server that a test started; its exit status."""
    if process.poll() is None:
        process.terminate()
    return process.wait(STOP_SECONDS)


@dataclass(frozen=True)
class Aws:
    """The local AWS, with the buckets and the catalog's role made."""

    endpoint: str
    root: dict[str, str] = field(repr=False)
    catalog_user: dict[str, str] = field(repr=False)

    def client(self, service: str) -> Any:
        """A client that acts as the account's root."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.root["access_key_id"],
            aws_secret_access_key=self.root["secret_access_key"],
            config=Config(s3={"addressing_style": "path"}),
        )


COLUMNS: tuple[Column, ...] = from_spark_json(
    {"type": "struct", "fields": [{"name": "x", "type": "long", "nullable": True, "metadata": {}}]}
)


def location_of(name: str) -> str:
    """Where the tests keep a table's files."""
    return f"s3://{LAKE}/raw/delta/{name.rsplit('.', 1)[-1]}"


def start_aws(folder: Path) -> tuple[Aws, subprocess.Popen[bytes]]:
    """A local AWS in which only the catalog's role has rights on the buckets."""
    root = {"access_key_id": f"AKIA{secrets.token_hex(8).upper()}", "secret_access_key": secrets.token_hex(20)}
    port = free_port()
    options = ("--state", str(folder / "state"), "--root-credentials", str(write_private(folder / "root.json", root)))
    process = start("localcloud.aws", port, *options)
    try:
        return _seeded(Aws(f"http://127.0.0.1:{port}", root, {})), process
    except BaseException:
        stop(process)
        raise


def _seeded(made: Aws) -> Aws:
    for bucket in (LAKE, MODELS):
        made.client("s3").create_bucket(Bucket=bucket)
    iam = made.client("iam")
    iam.create_user(UserName="unity-catalog")
    assume = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": ROLE}
    iam.put_user_policy(UserName="unity-catalog", PolicyName="assume", PolicyDocument=_policy(assume))
    user = "arn:aws:iam::123456789012:user/unity-catalog"
    trust = {"Effect": "Allow", "Principal": {"AWS": user}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName="govtune-unity-catalog", AssumeRolePolicyDocument=_policy(trust))
    storage = {
        "Effect": "Allow",
        "Action": ["s3:*"],
        "Resource": [f"arn:aws:s3:::{bucket}{end}" for bucket in (LAKE, MODELS) for end in ("", "/*")],
    }
    iam.put_role_policy(RoleName="govtune-unity-catalog", PolicyName="storage", PolicyDocument=_policy(storage))
    key = iam.create_access_key(UserName="unity-catalog")["AccessKey"]
    keys = {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}
    return Aws(made.endpoint, made.root, keys)


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@dataclass(frozen=True)
class Workspace:
    """A running workspace, its administrator's client, and hands to make what a test needs."""

    host: str
    state: Path
    process: subprocess.Popen[bytes] = field(repr=False)
    admin_principal: ServicePrincipal = field(repr=False)

    @property
    def admin(self) -> WorkspaceClient:
        """databricks-sdk as the metastore's administrator."""
        return self.client(self.admin_principal)

    def client(self, principal: ServicePrincipal) -> WorkspaceClient:
        """databricks-sdk as a service principal, by client id and secret."""
        return WorkspaceClient(
            host=self.host,
            client_id=principal.client_id,
            client_secret=principal.client_secret,
            auth_type="oauth-m2m",
            config_file="/dev/null",
        )

    def door(self, principal: ServicePrincipal) -> Catalog:
        """The one door as a service principal."""
        return Catalog(self.host, ClientCredentials(self.host, principal))

    def principal(self, purpose: str = "databricks/tester") -> ServicePrincipal:
        """A new service principal without privileges."""
        admin = self.admin
        made = admin.service_principals.create(display_name=f"test-{uuid.uuid4().hex[:8]}", active=True)
        secret = admin.service_principal_secrets_proxy.create(str(made.id)).secret
        return ServicePrincipal(str(made.application_id), str(secret), purpose)

    def grant(self, kind: str, name: str, principal: ServicePrincipal, *privileges: str) -> None:
        """Grant privileges as the administrator."""
        self._change(kind, name, {"principal": principal.client_id, "add": list(privileges)})

    def revoke(self, kind: str, name: str, principal: ServicePrincipal, *privileges: str) -> None:
        """Revoke privileges as the administrator."""
        self._change(kind, name, {"principal": principal.client_id, "remove": list(privileges)})

    def _change(self, kind: str, name: str, change: dict[str, Any]) -> None:
        self.admin.api_client.do("PATCH", f"{PERMISSIONS}/{kind}/{name}", body={"changes": [change]})

    def audit(self, **equal: str) -> list[dict[str, Any]]:
        """Events of the audit log."""
        events: Any = self.admin.api_client.do("GET", "/_localcloud/audit", query=equal)
        return list(events["events"])


def start_workspace(folder: Path, aws: Aws, admin: ServicePrincipal, *options: str) -> Workspace:
    """Start a workspace on the state in `folder`."""
    port = free_port()
    files = [
        ("admin", {"client_id": admin.client_id, "client_secret": admin.client_secret}),
        ("aws", aws.catalog_user),
    ]
    paths = [write_private(folder / f"{name}.json", content) for name, content in files]
    given = ("--state", str(folder / "state"), "--admin-credentials", str(paths[0]))
    given += ("--aws-credentials", str(paths[1]), "--aws-endpoint", aws.endpoint, *options)
    process = start("localcloud.databricks", port, *given)
    return Workspace(f"http://127.0.0.1:{port}", folder / "state", process, admin)


def seed(workspace: Workspace) -> None:
    """Storage credential, external locations, catalog and schemas."""
    admin = workspace.admin
    admin.storage_credentials.create(name="govtune", aws_iam_role=AwsIamRoleRequest(role_arn=ROLE))
    places = {"lake": f"s3://{LAKE}/raw/delta", "json": f"s3://{LAKE}/raw/json", "models": f"s3://{MODELS}/govtune"}
    for name, url in places.items():
        admin.external_locations.create(name=name, url=url, credential_name="govtune")
    admin.catalogs.create(name="govtune", storage_root=places["models"])
    for schema in ("raw", "curated", "ml"):
        admin.schemas.create(name=schema, catalog_name="govtune")
