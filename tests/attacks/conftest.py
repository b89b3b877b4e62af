"""The ground on which attacks are tried: the session's local cloud, two tables side by side, and who may read which."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from databricks.sdk import WorkspaceClient

from tests.conftest import Cloud
from unitydoor.catalog import Catalog
from unitydoor.columns import from_spark_json
from unitydoor.oauth import ClientCredentials
from unitydoor.secrets import ServicePrincipal, load_principal
from unitydoor.vending import Grant

LAKE = "govtune-lake"
TABLE, NEIGHBOUR = "govtune.raw.attacked", "govtune.raw.attacked_too"
SCHEMA = {"type": "struct", "fields": [{"name": "x", "type": "long", "nullable": True, "metadata": {}}]}
PERMISSIONS = "/api/2.1/unity-catalog/permissions"


def prefix_of(table: str) -> str:
    """The S3 prefix of a table's files. One is the beginning of the other's name, as text."""
    return f"raw/delta/{table.rsplit('.', 1)[-1]}"


@dataclass(frozen=True)
class Ground:
    """The running servers, the administrator, the loader who owns the tables, and a reader of one of them."""

    cloud: Cloud = field(repr=False)
    loader: ServicePrincipal
    reader: ServicePrincipal

    @property
    def host(self) -> str:
        return self.cloud.env["GOVTUNE_DATABRICKS_HOST"]

    @property
    def endpoint(self) -> str:
        return self.cloud.env["AWS_ENDPOINT_URL"]

    @property
    def admin(self) -> WorkspaceClient:
        known = json.loads((self.cloud.state / "credentials" / "databricks-admin.json").read_text())
        return WorkspaceClient(host=self.host, config_file="/dev/null", auth_type="oauth-m2m", **known)

    def client(self, service: str, **keys: str) -> Any:
        """A client of the local AWS that signs with `keys`, and asks once."""
        config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
        return boto3.client(service, endpoint_url=self.endpoint, region_name="us-east-1", config=config, **keys)

    def s3(self, grant: Grant) -> Any:
        """S3 with a vended credential."""
        return self.client(
            "s3",
            aws_access_key_id=grant.access_key_id,
            aws_secret_access_key=grant.secret_access_key,
            aws_session_token=grant.session_token,
        )

    def root(self, service: str) -> Any:
        """A client that acts as the account's root."""
        key = json.loads((self.cloud.state / "credentials" / "aws-root.json").read_text())
        return self.client(
            service, aws_access_key_id=key["access_key_id"], aws_secret_access_key=key["secret_access_key"]
        )

    def door(self, principal: ServicePrincipal) -> Catalog:
        return Catalog(self.host, ClientCredentials(self.host, principal))

    def token(self, principal: ServicePrincipal) -> str:
        return ClientCredentials(self.host, principal).token()

    def principal(self) -> ServicePrincipal:
        """A new service principal without privileges."""
        made = self.admin.service_principals.create(display_name=f"attack-{uuid.uuid4().hex[:8]}", active=True)
        secret = self.admin.service_principal_secrets_proxy.create(str(made.id)).secret
        return ServicePrincipal(str(made.application_id), str(secret), "attack/reader")

    def allow(self, kind: str, name: str, principal: ServicePrincipal, *privileges: str) -> None:
        change = {"principal": principal.client_id, "add": list(privileges)}
        self.admin.api_client.do("PATCH", f"{PERMISSIONS}/{kind}/{name}", body={"changes": [change]})


@pytest.fixture(scope="session")
def ground(cloud: Cloud) -> Ground:
    """Two tables of the loader, written as it writes its own; the reader may read the first."""
    root_key = json.loads((cloud.state / "credentials" / "aws-root.json").read_text())
    secrets = boto3.client(
        "secretsmanager",
        endpoint_url=cloud.env["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=root_key["access_key_id"],
        aws_secret_access_key=root_key["secret_access_key"],
    )
    bare = Ground(cloud, load_principal("databricks/loader", client=secrets), ServicePrincipal("", ""))
    made = Ground(cloud, bare.loader, bare.principal())
    door = made.door(made.loader)
    for table in (TABLE, NEIGHBOUR):
        location = f"s3://{LAKE}/{prefix_of(table)}"
        grant = door.vend_path(location, "PATH_CREATE_TABLE")
        made.s3(grant).put_object(Bucket=LAKE, Key=f"{prefix_of(table)}/part", Body=b"governed")
        door.create_external_delta_table(table, location, from_spark_json(SCHEMA, ()))
    made.allow("catalog", "govtune", made.reader, "USE CATALOG")
    made.allow("schema", "govtune.raw", made.reader, "USE SCHEMA", "EXTERNAL USE SCHEMA")
    made.allow("table", TABLE, made.reader, "SELECT")
    return made


def refused_by_aws(act: Any) -> str:
    """The error code with which AWS refused; fails when it did not."""
    with pytest.raises(ClientError) as raised:
        act()
    return str(raised.value.response["Error"]["Code"])
