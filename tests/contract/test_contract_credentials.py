"""What a vended credential may do, where, and for how long; each privilege that it needs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from contract_open_client import open_client
from contract_report import Area, Client, contract
from contract_subject import UC, Capability, Subject
from contract_world import World, fresh, refused, split
from databricks.sdk.service import catalog as uc
from unitycatalog.client import (
    GenerateTemporaryModelVersionCredential,
    GenerateTemporaryPathCredential,
    ModelVersionOperation,
    PathOperation,
    TemporaryCredentialsApi,
)

from unitydoor.secrets import ServicePrincipal

pytestmark = pytest.mark.integration

STORED = (Capability.STORAGE, Capability.EXTERNAL_LOCATIONS, Capability.TABLE_CREDENTIALS)
GRANTED = (*STORED, Capability.SIGN_IN, Capability.PRINCIPALS, Capability.PERMISSIONS)
HOUR_MS = 3600_000
SKEW_MS = 5_000


def vend_table(world: World, table: uc.TableInfo, operation: str, who: ServicePrincipal | None = None) -> Any:
    """A credential for a table."""
    return world.subject.client(who).temporary_table_credentials.generate_temporary_table_credentials(
        operation=uc.TableOperation(operation), table_id=table.table_id
    )


def vend_path(world: World, url: str, operation: str, who: ServicePrincipal | None = None) -> Any:
    """A credential for a path."""
    return world.subject.client(who).temporary_path_credentials.generate_temporary_path_credentials(
        url, uc.PathOperation(operation)
    )


def denied(act: Callable[[], Any]) -> bool:
    """Whether S3 says AccessDenied; HEAD has no body to say it in."""
    try:
        act()
    except ClientError as error:
        return error.response["Error"]["Code"] in {"AccessDenied", "403"}
    return False


def assert_narrow(s3: Any, url: str, *, write: bool) -> None:
    """The client reads below `url` (and writes, when it may) and nothing beside, above or after it by name."""
    bucket, key = split(url)
    assert s3.list_objects_v2(Bucket=bucket, Prefix=f"{key}/")["KeyCount"] >= 0
    assert denied(lambda: s3.put_object(Bucket=bucket, Key=f"{key}/own", Body=b"1")) is not write
    elsewhere = [f"{key}x/own", f"{key}_1/own", f"{key.rsplit('/', 1)[0]}/own", "own"]
    for other in elsewhere:
        assert denied(lambda key=other: s3.get_object(Bucket=bucket, Key=key)), other  # type: ignore[misc]
        assert denied(lambda key=other: s3.put_object(Bucket=bucket, Key=key, Body=b"1")), other  # type: ignore[misc]
        assert denied(lambda key=other: s3.delete_object(Bucket=bucket, Key=key)), other  # type: ignore[misc]
    for prefix in ("", key, key.rsplit("/", 1)[0], f"{key}x/"):
        assert denied(lambda prefix=prefix: s3.list_objects_v2(Bucket=bucket, Prefix=prefix)), prefix  # type: ignore[misc]
    assert denied(s3.list_buckets)


def assert_short(credential: Any) -> None:
    """The credential ends within the hour."""
    left = int(credential.expiration_time) - time.time() * 1000
    assert 0 < left <= HOUR_MS + SKEW_MS


@contract(Area.CREDENTIALS, Client.SDK, *STORED)
@pytest.mark.parametrize("operation", ["READ", "READ_WRITE"])
def test_a_table_credential_is_short_and_narrow(world: World, operation: str) -> None:
    table = world.table()
    made = vend_table(world, table, operation)
    assert str(made.url).rstrip("/") == str(table.storage_location).rstrip("/")
    assert_short(made)
    assert_narrow(world.s3(made), str(made.url), write=operation == "READ_WRITE")


@contract(Area.CREDENTIALS, Client.SDK, *STORED, Capability.PATH_CREDENTIALS)
@pytest.mark.parametrize("operation", ["PATH_READ", "PATH_READ_WRITE", "PATH_CREATE_TABLE"])
def test_a_path_credential_is_short_and_narrow(world: World, operation: str) -> None:
    place = world.place(fresh("files"))
    made = vend_path(world, place, operation)
    assert_short(made)
    assert_narrow(world.s3(made), place, write=operation != "PATH_READ")


@contract(Area.CREDENTIALS, Client.UC_CLIENT, *STORED, Capability.PATH_CREDENTIALS)
def test_the_open_client_vends_for_a_path(subject: Subject, world: World) -> None:
    place = world.place(fresh("files"))

    async def act(client: Any) -> Any:
        body = GenerateTemporaryPathCredential(url=place, operation=PathOperation.PATH_READ_WRITE)
        return await TemporaryCredentialsApi(client).generate_temporary_path_credentials(body)

    made = open_client(subject, act)
    assert_short(made)
    assert_narrow(world.s3(made), place, write=True)


@contract(Area.CREDENTIALS, Client.UC_CLIENT, *STORED, Capability.MODEL_CREDENTIALS, Capability.MAKE_VERSIONS)
def test_the_open_client_vends_for_a_model_version(subject: Subject, world: World) -> None:
    model = world.model()
    version = world.version(str(model.full_name))
    place = str(world.admin.model_versions.get(str(model.full_name), version).storage_location)

    async def act(client: Any) -> Any:
        body = GenerateTemporaryModelVersionCredential(
            catalog_name=world.catalog,
            schema_name="s",
            model_name=str(model.name),
            version=version,
            operation=ModelVersionOperation.READ_WRITE_MODEL_VERSION,
        )
        return await TemporaryCredentialsApi(client).generate_temporary_model_version_credentials(body)

    made = open_client(subject, act)
    assert_short(made)
    assert_narrow(world.s3(made), place, write=True)


@contract(Area.CREDENTIALS, Client.SDK, *GRANTED)
def test_every_link_of_the_chain_is_needed_for_a_table(world: World) -> None:
    reader, table = world.reader(), world.table()
    name = str(table.full_name)
    links = [
        ("catalog", world.catalog, "USE_CATALOG"),
        ("schema", world.schema, "USE_SCHEMA"),
        ("schema", world.schema, "EXTERNAL_USE_SCHEMA"),
        ("table", name, "SELECT"),
    ]
    world.grant("table", name, reader, "SELECT")
    assert vend_table(world, table, "READ", reader).aws_temp_credentials
    with refused("PERMISSION_DENIED"):
        vend_table(world, table, "READ_WRITE", reader)
    for kind, on, privilege in links:
        world.revoke(kind, on, reader, privilege)
        with refused("PERMISSION_DENIED", "TABLE_DOES_NOT_EXIST"):
            vend_table(world, table, "READ", reader)
        world.grant(kind, on, reader, privilege)
    world.grant("table", name, reader, "MODIFY")
    assert vend_table(world, table, "READ_WRITE", reader).aws_temp_credentials


@contract(Area.CREDENTIALS, Client.SDK, *GRANTED, Capability.PATH_CREDENTIALS)
@pytest.mark.parametrize(
    ("operation", "needed"),
    [
        ("PATH_READ", ("READ_FILES",)),
        ("PATH_READ_WRITE", ("READ_FILES", "WRITE_FILES")),
        ("PATH_CREATE_TABLE", ("CREATE_EXTERNAL_TABLE",)),
    ],
)
def test_every_privilege_on_the_location_is_needed_for_a_path(
    world: World, operation: str, needed: tuple[str, ...]
) -> None:
    who, place, all_of = world.subject.principal(), world.place(fresh("files")), (*needed, "EXTERNAL_USE_LOCATION")
    world.grant("external_location", world.catalog, who, *all_of)
    assert vend_path(world, place, operation, who).aws_temp_credentials
    for privilege in all_of:
        world.revoke("external_location", world.catalog, who, privilege)
        with refused("PERMISSION_DENIED"):
            vend_path(world, place, operation, who)
        world.grant("external_location", world.catalog, who, privilege)


@contract(Area.CREDENTIALS, Client.SDK, *GRANTED, Capability.PATH_CREDENTIALS)
def test_a_path_does_not_open_the_table_in_it(world: World) -> None:
    who, table = world.subject.principal(), world.table()
    world.grant("external_location", world.catalog, who, "READ_FILES", "EXTERNAL_USE_LOCATION")
    for place in (str(table.storage_location), f"{table.storage_location}/_delta_log"):
        with refused("PERMISSION_DENIED", "LOCATION_OVERLAP"):
            vend_path(world, place, "PATH_READ", who)
    with refused("LOCATION_OVERLAP", "PERMISSION_DENIED"):
        vend_path(world, world.place("")[:-1], "PATH_READ", who)


@contract(Area.CREDENTIALS, Client.HTTP, *STORED)
def test_bad_orders_are_refused_by_name(subject: Subject, world: World) -> None:
    table = str(world.table().table_id)
    cases: list[tuple[str, dict[str, str], int, str]] = [
        ("table", {"operation": "READ", "table_id": fresh()}, 404, "TABLE_DOES_NOT_EXIST"),
        ("table", {"operation": "DROP", "table_id": table}, 400, "INVALID_PARAMETER_VALUE"),
        ("table", {"operation": "READ"}, 400, "INVALID_PARAMETER_VALUE"),
        ("path", {"operation": "PATH_READ", "url": f"{world.root}/a/../b"}, 400, "INVALID_PARAMETER_VALUE"),
        ("path", {"operation": "PATH_READ", "url": f"{world.root}/a%2Fb"}, 400, "INVALID_PARAMETER_VALUE"),
        ("path", {"operation": "PATH_READ", "url": "https://example.com/x"}, 400, "INVALID_PARAMETER_VALUE"),
        ("path", {"operation": "PATH_READ", "url": "s3://somewhere-else/x"}, 403, "PERMISSION_DENIED"),
    ]
    for kind, body, status, code in cases:
        answer = subject.ask("POST", f"{UC}/temporary-{kind}-credentials", body)
        assert (answer.status, answer.code) == (status, code), body
