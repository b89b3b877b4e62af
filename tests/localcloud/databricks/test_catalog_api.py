"""Objects, grants, models and lineage through databricks-sdk, and bad input of every kind."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import uuid
from typing import Any

import pytest
from databricks.sdk.errors import (
    AlreadyExists,
    BadRequest,
    DatabricksError,
    InvalidParameterValue,
    NotFound,
    PermissionDenied,
    ResourceConflict,
)
from databricks.sdk.service import catalog as uc
from databricks_lab import LAKE, MODELS, ROLE, Workspace, location_of

from localcloud.databricks.routes import ALL
from unitydoor.oauth import ClientCredentials
from unitydoor.secrets import ServicePrincipal

pytestmark = pytest.mark.integration

REGISTRY = "/api/2.0/mlflow/unity-catalog"


def fresh(prefix: str = "x") -> str:
    return f"{prefix}{uuid.uuid4().hex[:10]}"


class TestObjects:
    def test_catalogs_and_schemas(self, workspace: Workspace) -> None:
        admin, name = workspace.admin, fresh("Cat")
        made = admin.catalogs.create(name=name, comment="first", properties={"a": "b"})
        assert (made.name, made.owner, made.comment) == (name.lower(), "metastore-admin", "first")
        assert admin.catalogs.update(name.lower(), comment="second").comment == "second"
        with pytest.raises(AlreadyExists):
            admin.catalogs.create(name=name)
        schema = admin.schemas.create(name="s", catalog_name=name)
        assert schema.full_name == f"{name.lower()}.s"
        assert [entry.name for entry in admin.schemas.list(name)] == ["s"]
        with pytest.raises(ResourceConflict):
            admin.catalogs.delete(name)
        admin.catalogs.delete(name, force=True)
        with pytest.raises(NotFound):
            admin.schemas.get(f"{name}.s")

    def test_a_listing_is_paged(self, workspace: Workspace) -> None:
        admin = workspace.admin
        admin.catalogs.create(name=(name := fresh("paged")))
        names = [f"s{number}" for number in range(7)]
        for schema in names:
            admin.schemas.create(name=schema, catalog_name=name)
        assert [entry.name for entry in admin.schemas.list(name, max_results=3)] == names

    def test_what_a_principal_has_no_part_in_is_hidden(
        self, workspace: Workspace, reader: ServicePrincipal, table_name: str, make_table: Any
    ) -> None:
        make_table(table_name)
        stranger = workspace.client(workspace.principal())
        assert list(stranger.catalogs.list()) == []
        with pytest.raises(NotFound):
            stranger.catalogs.get("govtune")
        with pytest.raises(NotFound):
            stranger.tables.get(table_name)
        client = workspace.client(reader)
        assert [entry.name for entry in client.catalogs.list()] == ["govtune"]
        assert table_name not in {entry.full_name for entry in client.tables.list("govtune", "raw")}
        with pytest.raises(PermissionDenied) as raised:
            client.tables.get(table_name)
        assert "SELECT" not in str(raised.value)
        workspace.grant("table", table_name, reader, "SELECT")
        assert client.tables.get(table_name).columns[0].type_name is uc.ColumnTypeName.LONG
        assert client.tables.exists(table_name).table_exists
        assert not client.tables.exists(f"{table_name}x").table_exists

    def test_tables_are_changed_and_dropped_by_their_owner(
        self, workspace: Workspace, loader: ServicePrincipal, reader: ServicePrincipal, table_name: str, make_table: Any
    ) -> None:
        make_table(table_name)
        workspace.grant("table", table_name, reader, "SELECT", "MODIFY")
        with pytest.raises(PermissionDenied):
            workspace.client(reader).tables.delete(table_name)
        workspace.client(loader).tables.update(table_name, owner=reader.client_id)
        assert workspace.admin.tables.get(table_name).owner == reader.client_id
        workspace.client(reader).tables.delete(table_name)
        with pytest.raises(NotFound):
            workspace.admin.tables.get(table_name)

    def test_storage_is_guarded(self, workspace: Workspace, loader: ServicePrincipal) -> None:
        admin = workspace.admin
        with pytest.raises(ResourceConflict, match="lake"):
            admin.storage_credentials.delete("govtune")
        with pytest.raises((BadRequest, InvalidParameterValue), match="overlaps"):
            admin.external_locations.create(name=fresh(), url=f"s3://{LAKE}/raw/delta/in", credential_name="govtune")
        with pytest.raises((BadRequest, InvalidParameterValue), match="role_arn"):
            admin.storage_credentials.create(name=fresh(), aws_iam_role=uc.AwsIamRoleRequest(role_arn="me"))
        with pytest.raises(DatabricksError):
            workspace.client(loader).storage_credentials.create(
                name=fresh(), aws_iam_role=uc.AwsIamRoleRequest(role_arn=ROLE)
            )
        with pytest.raises((BadRequest, InvalidParameterValue), match="in no external location"):
            admin.catalogs.create(name=fresh(), storage_root="s3://elsewhere/x")
        with pytest.raises(DatabricksError, match="overlaps"):
            client = workspace.client(loader)
            workspace.grant("external_location", "models", loader, "READ_FILES", "EXTERNAL_USE_LOCATION")
            client.api_client.do(
                "POST",
                "/api/2.0/unity-catalog/temporary-path-credentials",
                body={"url": f"s3://{MODELS}/govtune/models/x", "operation": "PATH_READ"},
            )


class TestGrants:
    def test_effective_grants_show_where_they_come_from(self, workspace: Workspace, table_name: str) -> None:
        admin, principal = workspace.admin, workspace.principal()
        change = uc.PermissionsChange(principal=principal.client_id, add=[uc.Privilege.USE_CATALOG])
        admin.grants.update("catalog", "govtune", changes=[change])
        change = uc.PermissionsChange(principal=principal.client_id, add=[uc.Privilege.SELECT])
        admin.grants.update("schema", "govtune.raw", changes=[change])
        (mine,) = admin.grants.get_effective(
            "schema", "govtune.raw", principal=principal.client_id
        ).privilege_assignments
        assert [(entry.privilege.value, entry.inherited_from_name) for entry in mine.privileges] == [
            ("USE_CATALOG", "govtune"),
            ("SELECT", None),
        ]
        (direct,) = admin.grants.get("schema", "govtune.raw", principal=principal.client_id).privilege_assignments
        assert direct.privileges == [uc.Privilege.SELECT]

    def test_both_spellings_are_understood(self, workspace: Workspace) -> None:
        principal = workspace.principal()
        workspace.grant("SCHEMA", "govtune.raw", principal, "use schema", "EXTERNAL USE SCHEMA")
        workspace.revoke("schema", "govtune.raw", principal, "USE_SCHEMA")
        assert workspace.door(principal).effective_privileges("SCHEMA", "govtune.raw") == {"EXTERNAL USE SCHEMA"}

    def test_others_grants_are_not_shown(self, workspace: Workspace, reader: ServicePrincipal) -> None:
        client = workspace.client(reader)
        with pytest.raises(PermissionDenied):
            client.grants.get("schema", "govtune.raw", principal="metastore-admin")
        held = client.grants.get("schema", "govtune.raw").privilege_assignments
        assert [entry.principal for entry in held] == [reader.client_id]

    def test_who_may_grant(
        self, workspace: Workspace, loader: ServicePrincipal, reader: ServicePrincipal, table_name: str, make_table: Any
    ) -> None:
        make_table(table_name)
        change = [uc.PermissionsChange(principal=reader.client_id, add=[uc.Privilege.SELECT])]
        with pytest.raises(PermissionDenied):
            workspace.client(reader).grants.update("table", table_name, changes=change)
        workspace.client(loader).grants.update("table", table_name, changes=change)
        with pytest.raises(PermissionDenied):
            workspace.client(loader).grants.update("schema", "govtune.raw", changes=change)
        workspace.grant("schema", "govtune.raw", loader, "MANAGE")
        workspace.client(loader).grants.update("schema", "govtune.raw", changes=change)
        external = [uc.PermissionsChange(principal=reader.client_id, add=[uc.Privilege.EXTERNAL_USE_SCHEMA])]
        with pytest.raises(PermissionDenied):
            workspace.client(loader).grants.update("schema", "govtune.raw", changes=external)

    def test_a_change_holds_whole_or_not_at_all(self, workspace: Workspace) -> None:
        principal = workspace.principal()
        with pytest.raises(DatabricksError, match="CREATE CATALOG cannot be granted on a schema"):
            workspace.grant("schema", "govtune.raw", principal, "USE_SCHEMA", "CREATE_CATALOG")
        with pytest.raises(NotFound):
            workspace.admin.grants.update(
                "schema",
                "govtune.raw",
                changes=[
                    uc.PermissionsChange(principal=principal.client_id, add=[uc.Privilege.USE_SCHEMA]),
                    uc.PermissionsChange(principal="nobody", add=[uc.Privilege.USE_SCHEMA]),
                ],
            )
        assert workspace.door(principal).effective_privileges("schema", "govtune.raw") is None


def send(workspace: Workspace, token: str, method: str, path: str, raw: bytes | None) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{workspace.host}{path}", data=raw, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


class TestBadInput:
    def test_unknown_routes(self, workspace: Workspace) -> None:
        token = ClientCredentials(workspace.host, workspace.admin_principal).token()
        status, answer = send(workspace, token, "GET", "/api/2.1/unity-catalog/nothing", None)
        assert (status, answer["error_code"]) == (404, "ENDPOINT_NOT_FOUND")

    def test_a_body_that_is_too_large(self, workspace: Workspace) -> None:
        token = ClientCredentials(workspace.host, workspace.admin_principal).token()
        raw = b'{"name": "' + b"a" * (5 * 1024 * 1024) + b'"}'
        assert send(workspace, token, "POST", "/api/2.1/unity-catalog/catalogs", raw)[0] == 413

    @pytest.mark.parametrize(
        "raw",
        [
            b"{",
            b"[]",
            b"null",
            b'"x"',
            b"\xff\xfe",
            b"[" * 100_000,
            b'{"name": 1, "catalog_name": [], "schema_name": {}, "url": 5, "operation": 1, "table_id": null}',
            b'{"name": "a\\u0000b", "catalog_name": "a", "schema_name": "b", "comment": "\\ud800"}',
            b'{"name": "n", "catalog_name": "govtune", "schema_name": "raw", "table_type": "EXTERNAL", '
            b'"data_source_format": "DELTA", "storage_location": "s3://govtune-lake/raw/delta/q", "columns": [3]}',
            b'{"changes": [{"principal": 3}], "source": [], "target": 1, "version": 1e400, "properties": {"a": 1}}',
            b'{"changes": [{"principal": "metastore-admin", "add": "SELECT"}], "columns": "x", "tags": [{}]}',
        ],
    )
    def test_no_body_is_a_server_error_on_any_route(self, workspace: Workspace, raw: bytes) -> None:
        token = ClientCredentials(workspace.host, workspace.admin_principal).token()
        for route in ALL:
            if route.method == "DELETE":
                continue
            path = route.pattern.pattern.replace("\\", "")
            for name in route.pattern.groupindex:
                path = path.replace(f"(?P<{name}>[^/]+)", "schema" if name == "securable_type" else "govtune.raw")
            status, answer = send(workspace, token, route.method, path, None if route.method == "GET" else raw)
            assert status < 500, (route.method, path, answer)
            if status >= 400:
                assert set(answer) == {"error_code", "message", "details"}

    @pytest.mark.parametrize("name", ["a b", "a.b", "a/b", "", "a" * 256, "a\tb", "..", "a\\b"])
    def test_names_are_checked(self, workspace: Workspace, name: str) -> None:
        with pytest.raises(DatabricksError) as raised:
            workspace.admin.catalogs.create(name=name)
        assert raised.value.error_code == "INVALID_PARAMETER_VALUE"

    def test_columns_are_checked(self, workspace: Workspace, loader: ServicePrincipal, table_name: str) -> None:
        body = {
            "catalog_name": "govtune",
            "schema_name": "raw",
            "name": table_name.rsplit(".", 1)[-1],
            "table_type": "EXTERNAL",
            "data_source_format": "DELTA",
            "storage_location": location_of(table_name),
        }
        column = {"name": "x", "type_name": "LONG", "type_text": "bigint"}
        bad = [
            [{**column, "type_name": "TEXT"}],
            [{**column, "name": ""}],
            [column, {**column, "name": "X"}],
            [{**column, "mask": {"function_name": "f"}}],
            [{**column, "position": "first"}],
        ]
        for columns in bad:
            with pytest.raises(DatabricksError) as raised:
                workspace.client(loader).api_client.do(
                    "POST", "/api/2.1/unity-catalog/tables", body={**body, "columns": columns}
                )
            assert raised.value.error_code == "INVALID_PARAMETER_VALUE"
