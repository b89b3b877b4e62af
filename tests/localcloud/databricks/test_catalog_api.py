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
from unitydoor.vending import parse_grant

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


@pytest.fixture
def registrar(workspace: Workspace) -> ServicePrincipal:
    """A principal that may make models in `govtune.ml`."""
    principal = workspace.principal("databricks/registrar")
    workspace.grant("catalog", "govtune", principal, "USE_CATALOG")
    workspace.grant("schema", "govtune.ml", principal, "USE_SCHEMA", "CREATE_MODEL")
    return principal


class TestModels:
    def new_version(self, client: Any, name: str) -> dict[str, Any]:
        body = {"name": name, "source": "s3://x/y", "description": "d", "tags": [{"key": "code", "value": "abc"}]}
        return dict(client.api_client.do("POST", f"{REGISTRY}/model-versions/create", body=body)["model_version"])

    def credentials(self, client: Any, name: str, version: str, operation: str) -> Any:
        body = {"name": name, "version": version, "operation": f"MODEL_VERSION_OPERATION_{operation}"}
        path = f"{REGISTRY}/model-versions/generate-temporary-credentials"
        return client.api_client.do("POST", path, body=body)["credentials"]

    def test_a_version_is_made_written_and_final(self, workspace: Workspace, registrar: ServicePrincipal) -> None:
        client, short = workspace.client(registrar), fresh("m")
        name = f"govtune.ml.{short}"
        client.registered_models.create(catalog_name="govtune", schema_name="ml", name=short, comment="c")
        made = self.new_version(client, name)
        assert (made["version"], made["status"]) == ("1", "PENDING_REGISTRATION")
        place = made["storage_location"]
        answer = self.credentials(client, name, "1", "READ_WRITE")
        grant = parse_grant({"url": place, **answer}, principal="p", securable=name, operation="READ_WRITE")
        key = place.removeprefix(f"s3://{MODELS}/")
        grant.session().client("s3").put_object(Bucket=MODELS, Key=f"{key}/adapter.bin", Body=b"1")
        body = {"name": name, "version": "1"}
        done = client.api_client.do("POST", f"{REGISTRY}/model-versions/finalize", body=body)["model_version"]
        assert (done["status"], done["tags"]) == ("READY", [{"key": "code", "value": "abc"}])
        with pytest.raises(PermissionDenied, match="final"):
            self.credentials(client, name, "1", "READ_WRITE")
        with pytest.raises(DatabricksError, match="READY"):
            client.api_client.do("POST", f"{REGISTRY}/model-versions/finalize", body=body)

        user = workspace.principal()
        workspace.grant("catalog", "govtune", user, "USE_CATALOG")
        workspace.grant("schema", "govtune.ml", user, "USE_SCHEMA")
        with pytest.raises(PermissionDenied):
            self.credentials(workspace.client(user), name, "1", "READ")
        workspace.grant("function", name, user, "EXECUTE")
        read = self.credentials(workspace.client(user), name, "1", "READ")
        s3 = parse_grant({"url": place, **read}, principal="p", securable=name, operation="READ").session().client("s3")
        assert s3.get_object(Bucket=MODELS, Key=f"{key}/adapter.bin")["Body"].read() == b"1"
        with pytest.raises(PermissionDenied):
            self.new_version(workspace.client(user), name)

    def test_aliases_and_numbers(self, workspace: Workspace, registrar: ServicePrincipal) -> None:
        client, short = workspace.client(registrar), fresh("m")
        name = f"govtune.ml.{short}"
        client.registered_models.create(catalog_name="govtune", schema_name="ml", name=short)
        for _ in range(2):
            self.new_version(client, name)
        client.registered_models.set_alias(name, "champion", 1)
        assert client.model_versions.get_by_alias(name, "champion").version == 1
        client.registered_models.set_alias(name, "champion", 2)
        assert client.model_versions.get_by_alias(name, "champion").version == 2
        assert [entry.version for entry in client.model_versions.list(name)] == [2, 1]
        client.model_versions.delete(name, 2)
        with pytest.raises(NotFound):
            client.model_versions.get_by_alias(name, "champion")
        assert self.new_version(client, name)["version"] == "3"
        for alias in ("v1", "latest", "a b"):
            with pytest.raises(DatabricksError):
                client.registered_models.set_alias(name, alias, 1)
        with pytest.raises(NotFound):
            client.registered_models.set_alias(name, "champion", 9)
        other = workspace.principal()
        with pytest.raises(NotFound):
            workspace.client(other).registered_models.set_alias(name, "champion", 1)

    def test_tags(self, workspace: Workspace, registrar: ServicePrincipal) -> None:
        client, short = workspace.client(registrar), fresh("m")
        name = f"govtune.ml.{short}"
        client.registered_models.create(catalog_name="govtune", schema_name="ml", name=short)
        self.new_version(client, name)
        tag = {"name": name, "version": "1", "key": "delta_version", "value": "3"}
        client.api_client.do("POST", f"{REGISTRY}/model-versions/set-tag", body=tag)
        query = {"name": name, "version": "1"}
        found = client.api_client.do("GET", f"{REGISTRY}/model-versions/get", query=query)["model_version"]
        assert {entry["key"]: entry["value"] for entry in found["tags"]} == {"code": "abc", "delta_version": "3"}
        assignments = client.entity_tag_assignments
        made = uc.EntityTagAssignment(entity_type="models", entity_name=name, tag_key="owner", tag_value="risk")
        assignments.create(made)
        assert [entry.tag_value for entry in assignments.list("models", name)] == ["risk"]
        assignments.delete("models", name, "owner")
        assert list(assignments.list("models", name)) == []


def table_end(name: str) -> uc.ExternalLineageObject:
    return uc.ExternalLineageObject(table=uc.ExternalLineageTable(name=name))


def job_end(name: str) -> uc.ExternalLineageObject:
    return uc.ExternalLineageObject(external_metadata=uc.ExternalLineageExternalMetadata(name=name))


class TestLineage:
    def test_edges_are_written_read_both_ways_and_deleted(
        self, workspace: Workspace, loader: ServicePrincipal, table_name: str, make_table: Any
    ) -> None:
        make_table(table_name)
        client, job = workspace.client(loader), f"emr-run:{fresh()}"
        run = uc.ExternalMetadata(
            name=job, system_type=uc.SystemType.OTHER, entity_type="EMR job run", properties={"state": "SUCCESS"}
        )
        with pytest.raises(PermissionDenied):
            client.external_metadata.create_external_metadata(run)
        workspace.grant("metastore", str(client.metastores.current().metastore_id), loader, "CREATE_EXTERNAL_METADATA")
        client.external_metadata.create_external_metadata(run)
        assert client.external_metadata.get_external_metadata(job).properties == {"state": "SUCCESS"}
        for source, target in ((table_end(table_name), job_end(job)), (job_end(job), table_end(table_name))):
            edge = uc.CreateRequestExternalLineage(source=source, target=target, properties={"table_version": "3"})
            client.external_lineage.create_external_lineage_relationship(edge)
            with pytest.raises(AlreadyExists):
                client.external_lineage.create_external_lineage_relationship(edge)
        for direction in (uc.LineageDirection.UPSTREAM, uc.LineageDirection.DOWNSTREAM):
            (found,) = client.external_lineage.list_external_lineage_relationships(table_end(table_name), direction)
            assert found.external_metadata_info.name == job
            assert found.external_lineage_info.properties == {"table_version": "3"}
            (found,) = client.external_lineage.list_external_lineage_relationships(job_end(job), direction)
            assert found.table_info.name == table_name.rsplit(".", 1)[-1]
        client.external_lineage.delete_external_lineage_relationship(
            uc.DeleteRequestExternalLineage(source=table_end(table_name), target=job_end(job))
        )
        assert not list(
            client.external_lineage.list_external_lineage_relationships(
                table_end(table_name), uc.LineageDirection.DOWNSTREAM
            )
        )
        stranger = workspace.client(workspace.principal())
        with pytest.raises(NotFound):
            stranger.external_metadata.get_external_metadata(job)
        client.external_metadata.delete_external_metadata(job)
        assert not list(
            client.external_lineage.list_external_lineage_relationships(
                table_end(table_name), uc.LineageDirection.UPSTREAM
            )
        )

    def test_an_edge_into_a_table_needs_to_write_it(
        self, workspace: Workspace, reader: ServicePrincipal, table_name: str, make_table: Any
    ) -> None:
        make_table(table_name)
        client, job = workspace.client(reader), fresh("job")
        workspace.grant("table", table_name, reader, "SELECT")
        workspace.grant("metastore", str(client.metastores.current().metastore_id), reader, "CREATE_EXTERNAL_METADATA")
        client.external_metadata.create_external_metadata(
            uc.ExternalMetadata(name=job, system_type=uc.SystemType.OTHER, entity_type="job")
        )
        into = uc.CreateRequestExternalLineage(source=job_end(job), target=table_end(table_name))
        with pytest.raises(PermissionDenied):
            client.external_lineage.create_external_lineage_relationship(into)
        out = uc.CreateRequestExternalLineage(source=table_end(table_name), target=job_end(job))
        client.external_lineage.create_external_lineage_relationship(out)
        workspace.grant("table", table_name, reader, "MODIFY")
        client.external_lineage.create_external_lineage_relationship(into)

    def test_one_end_is_external_metadata(
        self, workspace: Workspace, loader: ServicePrincipal, table_name: str, make_table: Any
    ) -> None:
        make_table(table_name)
        edge = uc.CreateRequestExternalLineage(source=table_end(table_name), target=table_end(f"{table_name}x"))
        with pytest.raises(DatabricksError, match="must be external metadata"):
            workspace.client(loader).external_lineage.create_external_lineage_relationship(edge)


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
        status, answer = send(workspace, token, "GET", "/api/2.1/unity-catalog/volumes", None)
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
                assert set(answer) == {"error_code", "message"}

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
