"""Credential vending end to end: the catalog decides, STS narrows, IAM enforces."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from arro3.core import Array, DataType, Table
from botocore.exceptions import ClientError
from databricks.sdk.errors import BadRequest, PermissionDenied
from databricks_lab import COLUMNS, LAKE, Aws, Workspace, location_of
from deltalake import DeltaTable, write_deltalake

from unitydoor.privileges import ExternalAccessDisabled, Refused
from unitydoor.secrets import ServicePrincipal
from unitydoor.transport import CatalogError, NotFound
from unitydoor.vending import Grant

pytestmark = pytest.mark.integration

MakeTable = Callable[[str], str]
PATH_CREDENTIALS = "/api/2.1/unity-catalog/temporary-path-credentials"


def rows(*values: int) -> Table:
    return Table.from_pydict({"x": Array(list(values), type=DataType.int64())})


def refused_by_iam(act: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as raised:
        act()
    return str(raised.value.response["Error"]["Code"])


def s3_of(grant: Grant) -> Any:
    return grant.session().client("s3")


def test_a_table_is_made_and_read_with_vended_credentials_alone(
    workspace: Workspace, loader: ServicePrincipal, reader: ServicePrincipal, table_name: str
) -> None:
    door, place = workspace.door(loader), location_of(table_name)
    made = door.vend_path(place, "PATH_CREATE_TABLE")
    write_deltalake(place, rows(1, 2), storage_options=made.storage_options())
    assert not door.table_exists(table_name)
    table = door.create_external_delta_table(table_name, place, COLUMNS, comment="numbers")
    write = door.vend_table(table_name, "READ_WRITE")
    write_deltalake(place, rows(3), mode="append", storage_options=write.storage_options())

    workspace.grant("table", table_name, reader, "SELECT")
    read = workspace.door(reader).vend_table(table_name, "READ")
    assert DeltaTable(read.url, storage_options=read.storage_options()).version() == 1
    assert (table.owner, read.url) == (loader.client_id, place)
    assert read.record() == {
        "principal": reader.client_id,
        "securable": table_name,
        "operation": "READ",
        "credential_id": read.access_key_id,
        "granted_at": read.granted_at.isoformat(timespec="seconds"),
        "expires_at": read.expires_at.isoformat(timespec="seconds"),
    }


def test_a_read_credential_reads_its_own_prefix_and_nothing_else(
    workspace: Workspace, aws: Aws, reader: ServicePrincipal, table_name: str, make_table: MakeTable
) -> None:
    place, neighbour = make_table(table_name), f"{table_name}2"
    make_table(neighbour)
    own, other = (f"raw/delta/{name.rsplit('.', 1)[-1]}" for name in (table_name, neighbour))
    for key in (f"{own}/part", f"{other}/part", "raw/json/part"):
        aws.client("s3").put_object(Bucket=LAKE, Key=key, Body=b"1")
    workspace.grant("table", table_name, reader, "SELECT")
    grant = workspace.door(reader).vend_table(table_name, "READ")
    s3 = s3_of(grant)

    assert grant.url == place
    assert s3.get_object(Bucket=LAKE, Key=f"{own}/part")["Body"].read() == b"1"
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=LAKE, Prefix=f"{own}/")["Contents"]] == [f"{own}/part"]
    denied = [
        lambda: s3.get_object(Bucket=LAKE, Key=f"{other}/part"),
        lambda: s3.get_object(Bucket=LAKE, Key="raw/json/part"),
        lambda: s3.list_objects_v2(Bucket=LAKE, Prefix=own),
        lambda: s3.list_objects_v2(Bucket=LAKE, Prefix=f"{other}/"),
        lambda: s3.list_objects_v2(Bucket=LAKE),
        lambda: s3.put_object(Bucket=LAKE, Key=f"{own}/part", Body=b"2"),
        lambda: s3.delete_object(Bucket=LAKE, Key=f"{own}/part"),
        lambda: grant.session().client("iam").list_users(),
    ]
    assert {refused_by_iam(act) for act in denied} == {"AccessDenied"}


def test_a_write_credential_stays_in_its_prefix(
    workspace: Workspace, loader: ServicePrincipal, table_name: str, make_table: MakeTable
) -> None:
    make_table(table_name)
    own = f"raw/delta/{table_name.rsplit('.', 1)[-1]}"
    s3 = s3_of(workspace.door(loader).vend_table(table_name, "READ_WRITE"))
    s3.put_object(Bucket=LAKE, Key=f"{own}/part", Body=b"2")
    s3.delete_object(Bucket=LAKE, Key=f"{own}/part")
    assert refused_by_iam(lambda: s3.put_object(Bucket=LAKE, Key=f"{own}2/part", Body=b"2")) == "AccessDenied"


def test_revoking_select_refuses_the_next_credential_and_says_what_to_grant(
    workspace: Workspace, reader: ServicePrincipal, table_name: str, make_table: MakeTable
) -> None:
    make_table(table_name)
    workspace.grant("table", table_name, reader, "SELECT")
    door = workspace.door(reader)
    door.vend_table(table_name, "READ")
    workspace.revoke("table", table_name, reader, "SELECT")
    with pytest.raises(Refused) as raised:
        door.vend_table(table_name, "READ")
    quoted = ".".join(f"`{part}`" for part in table_name.split("."))
    assert str(raised.value) == (
        f"Unity Catalog refused databricks/reader (service principal {reader.client_id}) READ on {table_name}.\n"
        f"Missing: SELECT on table {table_name}.\n"
        "Mend it with:\n"
        f"  GRANT SELECT ON TABLE {quoted} TO `{reader.client_id}`;"
    )
    workspace.grant("table", table_name, reader, "SELECT")
    assert door.vend_table(table_name, "READ").securable == table_name


@pytest.mark.parametrize(
    ("kind", "name", "privilege"),
    [
        ("catalog", "govtune", "USE CATALOG"),
        ("schema", "govtune.raw", "USE SCHEMA"),
        ("schema", "govtune.raw", "EXTERNAL USE SCHEMA"),
    ],
)
def test_every_link_of_the_chain_is_needed_and_named(
    workspace: Workspace,
    reader: ServicePrincipal,
    table_name: str,
    make_table: MakeTable,
    kind: str,
    name: str,
    privilege: str,
) -> None:
    make_table(table_name)
    workspace.grant("table", table_name, reader, "SELECT")
    workspace.revoke(kind, name, reader, privilege)
    with pytest.raises(Refused) as raised:
        workspace.door(reader).vend_table(table_name, "READ")
    assert [(need.privilege, need.name) for need in raised.value.missing] == [(privilege, name)]


def test_select_does_not_give_a_write_credential(
    workspace: Workspace, reader: ServicePrincipal, table_name: str, make_table: MakeTable
) -> None:
    make_table(table_name)
    workspace.grant("table", table_name, reader, "SELECT")
    with pytest.raises(Refused) as raised:
        workspace.door(reader).vend_table(table_name, "READ_WRITE")
    assert [need.privilege for need in raised.value.missing] == ["MODIFY"]


def test_a_hidden_table_is_not_told_from_an_absent_one(
    workspace: Workspace, table_name: str, make_table: MakeTable
) -> None:
    make_table(table_name)
    stranger = workspace.door(workspace.principal())
    with pytest.raises(NotFound, match="hidden from databricks/tester") as hidden:
        stranger.vend_table(table_name, "READ")
    with pytest.raises(NotFound) as absent:
        stranger.vend_table(f"{table_name}x", "READ")
    assert str(absent.value) == str(hidden.value).replace(table_name, f"{table_name}x")
    assert "SELECT on table" in str(hidden.value)


def test_the_administrator_has_no_data_without_a_grant(
    workspace: Workspace, table_name: str, make_table: MakeTable
) -> None:
    make_table(table_name)
    with pytest.raises(Refused) as raised:
        workspace.door(workspace.admin_principal).vend_table(table_name, "READ")
    assert {need.privilege for need in raised.value.missing} == {"SELECT", "EXTERNAL USE SCHEMA"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"row_filter": {"function_name": "govtune.raw.only_mine"}}, "row filter govtune.raw.only_mine"),
        ({"column_masks": {"x": "govtune.raw.hide"}}, "mask on its column x"),
    ],
)
def test_a_filtered_or_masked_table_is_never_vended(
    workspace: Workspace,
    loader: ServicePrincipal,
    table_name: str,
    make_table: MakeTable,
    change: dict[str, Any],
    named: str,
) -> None:
    place = make_table(table_name)
    workspace.admin.api_client.do("PATCH", f"/api/2.1/unity-catalog/tables/{table_name}", body=change)
    with pytest.raises(Refused, match=named):
        workspace.door(loader).vend_table(table_name, "READ")
    client = workspace.client(loader)
    with pytest.raises(PermissionDenied, match="no credential is given"):
        client.api_client.do(
            "POST",
            "/api/2.1/unity-catalog/temporary-table-credentials",
            body={"table_id": client.tables.get(table_name).table_id, "operation": "READ"},
        )
    workspace.grant("external_location", "lake", loader, "READ_FILES")
    with pytest.raises(Refused, match="no credential is given"):
        workspace.door(loader).vend_path(place, "PATH_READ")


def test_a_switched_off_metastore_says_so(
    workspace: Workspace, loader: ServicePrincipal, table_name: str, make_table: MakeTable
) -> None:
    make_table(table_name)
    admin = workspace.admin
    metastore = str(admin.metastores.current().metastore_id)
    path = f"/api/2.1/unity-catalog/metastores/{metastore}"
    admin.api_client.do("PATCH", path, body={"external_access_enabled": False})
    try:
        with pytest.raises(ExternalAccessDisabled, match="External data access is switched off for the metastore"):
            workspace.door(loader).vend_table(table_name, "READ")
    finally:
        admin.api_client.do("PATCH", path, body={"external_access_enabled": True})
    assert workspace.door(loader).vend_table(table_name, "READ")


class TestPaths:
    def test_files_are_read_and_written_under_a_path(self, workspace: Workspace) -> None:
        principal = workspace.principal("databricks/loader")
        workspace.grant("external_location", "json", principal, "READ_FILES", "WRITE_FILES", "EXTERNAL_USE_LOCATION")
        s3 = s3_of(workspace.door(principal).vend_path(f"s3://{LAKE}/raw/json/a", "PATH_READ_WRITE"))
        s3.put_object(Bucket=LAKE, Key="raw/json/a/b.json", Body=b"{}")
        assert refused_by_iam(lambda: s3.put_object(Bucket=LAKE, Key="raw/json/c", Body=b"")) == "AccessDenied"
        s3 = s3_of(workspace.door(principal).vend_path(f"s3://{LAKE}/raw/json", "PATH_READ"))
        assert s3.get_object(Bucket=LAKE, Key="raw/json/a/b.json")["Body"].read() == b"{}"

    def test_a_refusal_names_the_location_where_the_principal_can_see_it(
        self, workspace: Workspace, loader: ServicePrincipal
    ) -> None:
        with pytest.raises(Refused) as raised:
            workspace.door(loader).vend_path(f"s3://{LAKE}/raw/delta/q", "PATH_READ")
        assert "GRANT READ FILES ON EXTERNAL LOCATION `lake` TO" in str(raised.value)
        with pytest.raises(Refused) as raised:
            workspace.door(workspace.principal()).vend_path(f"s3://{LAKE}/raw/delta/q", "PATH_READ")
        assert "ON EXTERNAL LOCATION <external location> TO" in str(raised.value)
        assert [need.privilege for need in raised.value.needs] == ["EXTERNAL USE LOCATION", "READ FILES"]

    def test_a_path_is_no_way_around_a_tables_privileges(
        self, workspace: Workspace, table_name: str, make_table: MakeTable
    ) -> None:
        place = make_table(table_name)
        principal = workspace.principal()
        workspace.grant("external_location", "lake", principal, "ALL_PRIVILEGES", "EXTERNAL_USE_LOCATION")
        door = workspace.door(principal)
        for operation in ("PATH_READ", "PATH_READ_WRITE"):
            with pytest.raises((Refused, NotFound)):
                door.vend_path(place, operation)
            with pytest.raises((Refused, NotFound)):
                door.vend_path(f"{place}/_delta_log", operation)
            with pytest.raises(CatalogError, match="overlaps"):
                door.vend_path(f"s3://{LAKE}/raw/delta", operation)
        with pytest.raises(CatalogError, match="overlaps"):
            door.vend_path(place, "PATH_CREATE_TABLE")

    @pytest.mark.parametrize(
        "path",
        [
            "s3://govtune-lake/raw/json/../delta",
            "s3://govtune-lake/raw/json/%2e%2e/delta",
            "s3://govtune-lake/raw/json%2f..%2fdelta",
            "s3://govtune-lake/raw/json//x",
            "s3://govtune-lake/raw/json/*",
            "s3://govtune-lake/raw/json/${aws:username}",
            "s3://govtune-lake/raw/json/?",
            "s3://govtune-lake/raw/json/\\..\\delta",
            "file:///etc/passwd",
            "s3:///raw/json",
            "https://govtune-lake.s3.amazonaws.com/raw/json",
        ],
    )
    def test_ambiguous_paths_are_refused(self, workspace: Workspace, path: str) -> None:
        principal = workspace.principal()
        workspace.grant("external_location", "json", principal, "READ_FILES", "EXTERNAL_USE_LOCATION")
        with pytest.raises(CatalogError) as raised:
            workspace.door(principal).vend_path(path, "PATH_READ")
        assert raised.value.status == 400

    def test_prefixes_are_compared_by_segment(self, workspace: Workspace) -> None:
        principal = workspace.principal()
        workspace.grant("external_location", "json", principal, "READ_FILES", "EXTERNAL_USE_LOCATION")
        with pytest.raises(Refused):
            workspace.door(principal).vend_path(f"s3://{LAKE}/raw/jsonx", "PATH_READ")


class TestRegistering:
    def test_needs_are_named(self, workspace: Workspace, table_name: str) -> None:
        principal = workspace.principal()
        workspace.grant("catalog", "govtune", principal, "USE_CATALOG")
        workspace.grant("schema", "govtune.raw", principal, "USE_SCHEMA", "CREATE_TABLE")
        workspace.grant("external_location", "lake", principal, "EXTERNAL_USE_LOCATION")
        with pytest.raises(Refused) as raised:
            workspace.door(principal).create_external_delta_table(table_name, location_of(table_name), COLUMNS)
        assert [need.privilege for need in raised.value.missing] == ["EXTERNAL USE SCHEMA", "CREATE EXTERNAL TABLE"]

    def test_locations_of_tables_do_not_overlap(
        self, workspace: Workspace, loader: ServicePrincipal, table_name: str, make_table: MakeTable
    ) -> None:
        place = make_table(table_name)
        door = workspace.door(loader)
        for other in (place, f"{place}/inside", f"s3://{LAKE}/raw/delta"):
            with pytest.raises(CatalogError, match="overlaps") as raised:
                door.create_external_delta_table(f"{table_name}x", other, COLUMNS)
            assert raised.value.error_code == "LOCATION_OVERLAP"
        with pytest.raises(CatalogError, match="already exists"):
            door.create_external_delta_table(table_name, f"{place}x", COLUMNS)

    def test_managed_tables_are_refused_by_name(self, workspace: Workspace, loader: ServicePrincipal) -> None:
        body = {
            "catalog_name": "govtune",
            "schema_name": "raw",
            "name": f"m{uuid.uuid4().hex[:8]}",
            "table_type": "MANAGED",
            "data_source_format": "DELTA",
            "storage_location": f"s3://{LAKE}/raw/delta/m",
        }
        with pytest.raises(BadRequest, match=rf"govtune\.raw\.{body['name']}.*only EXTERNAL"):
            workspace.client(loader).api_client.do("POST", "/api/2.1/unity-catalog/tables", body=body)


def test_every_decision_is_in_the_audit_log_and_no_secret_is(
    workspace: Workspace, reader: ServicePrincipal, table_name: str, make_table: MakeTable
) -> None:
    make_table(table_name)
    workspace.grant("table", table_name, reader, "SELECT")
    grant = workspace.door(reader).vend_table(table_name, "READ")
    workspace.revoke("table", table_name, reader, "SELECT")
    with pytest.raises(Refused):
        workspace.door(reader).vend_table(table_name, "READ")
    (vended,) = workspace.audit(credential_id=grant.access_key_id)
    assert (vended["principal"], vended["action"], vended["securable"], vended["decision"]) == (
        reader.client_id,
        "generateTemporaryTableCredential",
        table_name,
        "ALLOW",
    )
    assert "unitydoor" in vended["user_agent"]
    denied = workspace.audit(principal=reader.client_id, decision="DENY")[0]
    assert (denied["action"], denied["securable"], denied["status"]) == ("getTable", table_name, 403)
    everything = str(workspace.audit(principal=reader.client_id))
    assert reader.client_secret not in everything
    assert grant.secret_access_key not in everything
    with pytest.raises(PermissionDenied):
        workspace.client(reader).api_client.do("GET", "/_localcloud/audit")
