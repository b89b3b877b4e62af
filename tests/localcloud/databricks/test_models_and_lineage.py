"""Registered models and external lineage through databricks-sdk and the registry's API."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from databricks.sdk.errors import AlreadyExists, DatabricksError, NotFound, PermissionDenied
from databricks.sdk.service import catalog as uc
from databricks_lab import MODELS, Workspace

from unitydoor.secrets import ServicePrincipal
from unitydoor.vending import parse_grant

pytestmark = pytest.mark.integration

REGISTRY = "/api/2.0/mlflow/unity-catalog"


def fresh(prefix: str = "x") -> str:
    return f"{prefix}{uuid.uuid4().hex[:10]}"


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
