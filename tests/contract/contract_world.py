"""What the suite makes on a server before its tests, and takes away after: one catalog of its own, and hands for it."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
from arro3.core import Array, DataType, Table
from botocore.config import Config
from contract_subject import UC, Capability, Storage, Subject
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError
from databricks.sdk.service import catalog as uc

from unitydoor.secrets import ServicePrincipal

ID_COLUMN: dict[str, Any] = {
    "name": "id",
    "type_name": "LONG",
    "type_text": "bigint",
    "type_json": '{"name":"id","type":"long","nullable":true,"metadata":{"comment":"number"}}',
    "nullable": True,
    "comment": "number",
    "position": 0,
}
ID = uc.ColumnInfo(
    name="id",
    type_name=uc.ColumnTypeName.LONG,
    type_text="bigint",
    type_json=ID_COLUMN["type_json"],
    nullable=True,
    comment="number",
    position=0,
)


def fresh(prefix: str = "x") -> str:
    """A name that nothing else has."""
    return f"{prefix}{secrets.token_hex(5)}"


def rows(*values: int) -> Table:
    """Rows of a table with the column `id`."""
    return Table.from_pydict({"id": Array(list(values), type=DataType.int64())})


@dataclass(frozen=True)
class World:
    """A catalog, its schema `s`, and an external location over a prefix; all are named `catalog`."""

    subject: Subject
    catalog: str

    @property
    def schema(self) -> str:
        """Full name of the schema that tests share."""
        return f"{self.catalog}.s"

    @property
    def storage(self) -> Storage:
        """The storage that the server was given.

        Raises:
            LookupError: it has none; a test that comes here must say so in its marker.
        """
        if self.subject.storage is None:
            raise LookupError("this test needs Capability.STORAGE in its marker")
        return self.subject.storage

    @property
    def admin(self) -> WorkspaceClient:
        """databricks-sdk as the administrator."""
        return self.subject.client()

    @property
    def root(self) -> str:
        """Where all files of this run lie; a local folder where the server has no S3."""
        storage = self.subject.storage
        return f"{storage.url}/{self.catalog}" if storage else f"file:///var/tmp/{self.catalog}"

    def place(self, name: str) -> str:
        """Where a table or volume of that name lies."""
        return f"{self.root}/data/{name}"

    def table(self, principal: ServicePrincipal | None = None, name: str | None = None) -> uc.TableInfo:
        """Register an external Delta table with one column."""
        short = name or fresh("t")
        return self.subject.client(principal).tables.create(
            name=short,
            catalog_name=self.catalog,
            schema_name="s",
            table_type=uc.TableType.EXTERNAL,
            data_source_format=uc.DataSourceFormat.DELTA,
            storage_location=self.place(short),
            columns=[ID],
            properties={"team": "risk"},
        )

    def model(self) -> uc.RegisteredModelInfo:
        """Register a model."""
        return self.admin.registered_models.create(
            catalog_name=self.catalog, schema_name="s", name=fresh("m"), comment="rates risk"
        )

    def version(self, model: str) -> int:
        """Make a version of a model; it waits for its files."""
        catalog, schema, name = model.split(".")
        body = {"catalog_name": catalog, "schema_name": schema, "model_name": name, "source": "s3://elsewhere/model"}
        made = self.subject.ask("POST", f"{UC}/models/versions", body)
        assert made.status == 200, made
        return int((made.body or {})["version"])

    def grant(self, kind: str, name: str, principal: ServicePrincipal, *privileges: str) -> None:
        """Grant as the administrator."""
        self._change(kind, name, {"principal": principal.client_id, "add": list(privileges)})

    def revoke(self, kind: str, name: str, principal: ServicePrincipal, *privileges: str) -> None:
        """Revoke as the administrator."""
        self._change(kind, name, {"principal": principal.client_id, "remove": list(privileges)})

    def _change(self, kind: str, name: str, change: dict[str, Any]) -> None:
        self.admin.api_client.do("PATCH", f"{UC}/permissions/{kind}/{name}", body={"changes": [change]})

    def reader(self) -> ServicePrincipal:
        """A principal with usage of the schema, also from outside, and no privilege on data."""
        made = self.subject.principal()
        self.grant("catalog", self.catalog, made, "USE_CATALOG")
        self.grant("schema", self.schema, made, "USE_SCHEMA", "EXTERNAL_USE_SCHEMA")
        return made

    def itself(self) -> None:
        """Let the administrator use the catalog from outside, which ownership alone does not."""
        admin = self.subject.admin
        if admin is not None:
            self.grant("catalog", self.catalog, admin, "EXTERNAL_USE_SCHEMA")
            self.grant("external_location", self.catalog, admin, "EXTERNAL_USE_LOCATION")

    def s3(self, credential: Any) -> Any:
        """An S3 client that holds a vended credential; databricks-sdk's, or the same fields of another client."""
        keys = credential.aws_temp_credentials
        return boto3.client(
            "s3",
            endpoint_url=self.storage.endpoint,
            region_name=self.storage.region,
            aws_access_key_id=keys.access_key_id,
            aws_secret_access_key=keys.secret_access_key,
            aws_session_token=keys.session_token,
            config=Config(s3={"addressing_style": "path"}),
        )

    def delta(self, credential: Any) -> dict[str, str]:
        """delta-rs storage options that hold a vended credential."""
        keys, storage = credential.aws_temp_credentials, self.storage
        options = {
            "AWS_ACCESS_KEY_ID": keys.access_key_id,
            "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
            "AWS_SESSION_TOKEN": keys.session_token,
            "AWS_REGION": storage.region,
        }
        if storage.endpoint:
            options |= {"AWS_ENDPOINT_URL": storage.endpoint, "AWS_ALLOW_HTTP": "true"}
        return options


def split(url: str) -> tuple[str, str]:
    """Bucket and key prefix of an S3 URL, without a slash at the end."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key.rstrip("/")


def build(subject: Subject) -> World:
    """Make the catalog and what it stands on, as far as the server has such things."""
    made = World(subject, fresh("contract_"))
    admin, name = made.admin, made.catalog
    if subject.storage is None:
        admin.api_client.do("POST", f"{UC}/catalogs", body={"name": name})
    else:
        admin.storage_credentials.create(
            name=name, aws_iam_role=uc.AwsIamRoleRequest(role_arn=subject.storage.role_arn)
        )
        admin.external_locations.create(name=name, url=made.root, credential_name=name)
        admin.catalogs.create(name=name, storage_root=f"{made.root}/managed", comment="of the contract suite")
    admin.schemas.create(name="s", catalog_name=name)
    if Capability.EFFECTIVE not in subject.missing:
        made.itself()
    return made


def remove(world: World) -> None:
    """Take away what `build` and the tests made."""
    admin, name = world.admin, world.catalog
    admin.catalogs.delete(name, force=True)
    if world.subject.storage is not None:
        admin.external_locations.delete(name, force=True)
        admin.storage_credentials.delete(name, force=True)
    if Capability.PRINCIPALS not in world.subject.missing:
        for principal in list(admin.service_principals.list(filter=f'displayName eq "{world.subject.run}"')):
            admin.service_principals.delete(str(principal.id))


@contextlib.contextmanager
def refused(*codes: str, says: str = "") -> Iterator[None]:
    """Expect databricks-sdk to raise an error with one of these `error_code`s, and `says` in its message.

    Raises:
        AssertionError: there was none, or another.
    """
    try:
        yield
    except DatabricksError as error:
        assert error.error_code in codes, f"{error.error_code}: {error}"
        assert says in str(error), str(error)
    else:
        raise AssertionError(f"nothing was refused; expected {' or '.join(codes)}")
