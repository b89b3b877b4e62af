"""Registered models through three interfaces: the catalog's own, the open-source client's, and MLflow's registry."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from contract_open_client import open_client
from contract_report import Area, Client, contract
from contract_subject import Capability, Subject
from contract_world import World, fresh, refused, split
from databricks.sdk.service import catalog as uc
from unitycatalog.client import (
    CreateModelVersion,
    CreateRegisteredModel,
    FinalizeModelVersion,
    ModelVersionsApi,
    ModelVersionStatus,
    RegisteredModelsApi,
    UpdateModelVersion,
)

pytestmark = pytest.mark.integration

MADE = (Capability.MODELS, Capability.MAKE_VERSIONS, Capability.STORAGE)
MLFLOW = (Capability.MLFLOW, Capability.SIGN_IN, Capability.STORAGE)


@contract(Area.MODELS, Client.SDK, *MADE)
def test_a_model_and_its_versions_live(world: World) -> None:
    models, versions, made = world.admin.registered_models, world.admin.model_versions, world.model()
    name = str(made.full_name)
    assert (made.full_name, made.comment) == (f"{world.schema}.{made.name}", "rates risk")
    with refused("ALREADY_EXISTS"):
        models.create(catalog_name=world.catalog, schema_name="s", name=made.name)
    assert models.update(name, comment="second").comment == "second"
    assert made.name in {entry.name for entry in models.list(catalog_name=world.catalog, schema_name="s")}
    assert [world.version(name), world.version(name)] == [1, 2]
    waiting = versions.get(name, 2)
    assert waiting.status is uc.ModelVersionInfoStatus.PENDING_REGISTRATION
    assert versions.update(name, 2, comment="third").comment == "third"
    assert [entry.version for entry in versions.list(name)] == [2, 1]
    versions.delete(name, 2)
    assert world.version(name) == 3, "a number is not given twice"
    with refused("MODEL_VERSION_DOES_NOT_EXIST"):
        versions.get(name, 2)
    models.delete(name)
    with refused("REGISTERED_MODEL_DOES_NOT_EXIST"):
        models.get(name)


@contract(Area.MODELS, Client.SDK, *MADE, Capability.ALIASES)
def test_an_alias_moves(world: World) -> None:
    models, versions, name = world.admin.registered_models, world.admin.model_versions, str(world.model().full_name)
    for number in (1, 2):
        assert world.version(name) == number
        assert models.set_alias(name, "champion", number).version_num == number
        assert versions.get_by_alias(name, "champion").version == number
    (alias,) = models.get(name).aliases or []
    assert (alias.alias_name, alias.version_num) == ("champion", 2)
    for bad in ("latest", "v1", "a b"):
        with refused("INVALID_PARAMETER_VALUE"):
            models.set_alias(name, bad, 1)
    with refused("MODEL_VERSION_DOES_NOT_EXIST"):
        models.set_alias(name, "champion", 9)
    models.delete_alias(name, "champion")
    with refused("ALIAS_DOES_NOT_EXIST"):
        versions.get_by_alias(name, "champion")


@contract(Area.MODELS, Client.UC_CLIENT, *MADE)
def test_the_open_client_makes_a_version(subject: Subject, world: World) -> None:
    short = fresh("m")
    name = f"{world.schema}.{short}"

    async def act(client: Any) -> None:
        models, versions = RegisteredModelsApi(client), ModelVersionsApi(client)
        names = {"catalog_name": world.catalog, "schema_name": "s"}
        made = await models.create_registered_model(CreateRegisteredModel(**names, name=short, comment="c"))
        assert made.full_name == name
        version = await versions.create_model_version(
            CreateModelVersion(**names, model_name=short, source="s3://elsewhere/model", run_id="1")
        )
        assert (version.version, version.status) == (1, ModelVersionStatus.PENDING_REGISTRATION)
        final = FinalizeModelVersion(full_name=name, version=1)
        assert (await versions.finalize_model_version(name, 1, final)).status is ModelVersionStatus.READY
        assert (await versions.update_model_version(name, 1, UpdateModelVersion(comment="d"))).comment == "d"
        assert [entry.version for entry in (await versions.list_model_versions(name)).model_versions or []] == [1]
        await versions.delete_model_version(name, 1)
        await models.delete_registered_model(name)

    open_client(subject, act)


@contract(Area.TAGS, Client.SDK, *MADE, Capability.TAGS)
def test_tags_of_every_kind_of_object(world: World) -> None:
    api, table, model = world.admin.entity_tag_assignments, world.table(), world.model()
    named = [("catalogs", world.catalog), ("schemas", world.schema), ("tables", str(table.full_name))]
    for kind, name in [*named, ("models", str(model.full_name))]:
        made = uc.EntityTagAssignment(entity_type=kind, entity_name=name, tag_key="team", tag_value="risk")
        assert api.create(made).tag_value == "risk"
        with refused("ALREADY_EXISTS"):
            api.create(made)
        made.tag_value = "audit"
        assert api.update(kind, name, "team", made, "tag_value").tag_value == "audit"
        assert [(entry.tag_key, entry.tag_value) for entry in api.list(kind, name)] == [("team", "audit")]
        api.delete(kind, name, "team")
        with refused("TAG_DOES_NOT_EXIST"):
            api.get(kind, name, "team")


class TestMlflow:
    """MLflow with the registry `databricks-uc`: it signs in, uploads with the vended credential, and finalizes."""

    @pytest.fixture
    def mlflow(self, subject: Subject, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
        """An MLflow client of this server, with its records in a folder of this test."""
        assert subject.admin is not None
        known = {
            "DATABRICKS_HOST": subject.host,
            "DATABRICKS_CLIENT_ID": subject.admin.client_id,
            "DATABRICKS_CLIENT_SECRET": subject.admin.client_secret,
            "DATABRICKS_CONFIG_FILE": "/dev/null",
            "AWS_REGION": world.storage.region,
            "MLFLOW_ALLOW_FILE_STORE": "true",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        }
        if world.storage.endpoint:
            known |= {"MLFLOW_S3_ENDPOINT_URL": world.storage.endpoint, "AWS_ENDPOINT_URL": world.storage.endpoint}
        for name, value in known.items():
            monkeypatch.setenv(name, value)
        import mlflow

        logging.getLogger("mlflow").setLevel(logging.ERROR)
        mlflow.set_tracking_uri(str(tmp_path / "runs"))
        mlflow.set_registry_uri("databricks-uc")
        yield mlflow
        mlflow.set_tracking_uri(None)
        mlflow.set_registry_uri(None)

    @pytest.fixture
    def folder(self, mlflow: Any, tmp_path: Path) -> Path:
        """A model folder with the signature that the registry insists on."""
        from mlflow.models import Model, ModelSignature
        from mlflow.types import ColSpec, Schema

        made = tmp_path / "model"
        made.mkdir()
        text = Schema([ColSpec("string")])
        flavors = {"python_function": {"loader_module": "adapter"}}
        Model(signature=ModelSignature(text, text), flavors=flavors).save(str(made / "MLmodel"))
        (made / "adapter.bin").write_bytes(bytes(range(256)) * 64)
        return made

    @contract(Area.MODELS, Client.MLFLOW, *MLFLOW)
    def test_a_model_is_registered_found_by_alias_and_downloaded(
        self, mlflow: Any, folder: Path, world: World, tmp_path: Path
    ) -> None:
        client, name = mlflow.MlflowClient(), f"{world.schema}.{fresh('m')}"
        client.create_registered_model(name, tags={"team": "risk"}, description="rates risk")
        version = client.create_model_version(name, source=str(folder), tags={"code": "abc"})
        assert (version.version, version.status, version.tags) == ("1", "READY", {"code": "abc"})
        client.set_registered_model_alias(name, "champion", version.version)
        assert client.get_model_version_by_alias(name, "champion").version == "1"
        got = Path(mlflow.artifacts.download_artifacts(f"models:/{name}@champion", dst_path=str(tmp_path / "got")))
        assert (got / "adapter.bin").read_bytes() == (folder / "adapter.bin").read_bytes()

    @contract(Area.MODELS, Client.MLFLOW, *MLFLOW)
    def test_what_mlflow_registers_the_catalog_shows_and_keeps(self, mlflow: Any, folder: Path, world: World) -> None:
        client, name = mlflow.MlflowClient(), f"{world.schema}.{fresh('m')}"
        client.create_registered_model(name, description="first")
        client.create_model_version(name, source=str(folder))
        assert client.update_registered_model(name, description="second").description == "second"
        assert world.admin.registered_models.get(name).comment == "second"
        found = world.admin.model_versions.get(name, 1)
        assert found.status is uc.ModelVersionInfoStatus.READY
        bucket, key = split(str(found.storage_location))
        body = {"name": name, "version": "1", "operation": "MODEL_VERSION_OPERATION_READ"}
        path = "/api/2.0/mlflow/unity-catalog/model-versions/generate-temporary-credentials"
        answer: Any = world.admin.api_client.do("POST", path, body=body)
        keys = uc.GenerateTemporaryTableCredentialResponse.from_dict(answer["credentials"])
        with pytest.raises(ClientError, match="AccessDenied"):
            world.s3(keys).put_object(Bucket=bucket, Key=f"{key}/adapter.bin", Body=b"other")
        with refused("PERMISSION_DENIED", says="final"):
            world.admin.api_client.do("POST", path, body={**body, "operation": "MODEL_VERSION_OPERATION_READ_WRITE"})

    @contract(Area.TAGS, Client.MLFLOW, *MLFLOW)
    def test_tags_are_set_and_dropped(self, mlflow: Any, folder: Path, world: World) -> None:
        client, name = mlflow.MlflowClient(), f"{world.schema}.{fresh('m')}"
        client.create_registered_model(name, tags={"team": "risk"})
        client.create_model_version(name, source=str(folder))
        client.set_model_version_tag(name, "1", "delta_version", "3")
        client.set_registered_model_tag(name, "stage", "test")
        client.delete_registered_model_tag(name, "team")
        assert client.get_registered_model(name).tags == {"stage": "test"}
        assert client.get_model_version(name, "1").tags == {"delta_version": "3"}
        client.delete_model_version_tag(name, "1", "delta_version")
        assert client.get_model_version(name, "1").tags == {}

    @contract(Area.ERRORS, Client.MLFLOW, *MLFLOW)
    def test_mlflow_reads_the_error_codes(self, mlflow: Any, world: World) -> None:
        client, name = mlflow.MlflowClient(), f"{world.schema}.{fresh('m')}"
        with pytest.raises(mlflow.exceptions.RestException) as raised:
            client.get_registered_model(name)
        assert raised.value.json["error_code"] == "REGISTERED_MODEL_DOES_NOT_EXIST"
        client.create_registered_model(name)
        with pytest.raises(mlflow.exceptions.RestException) as raised:
            client.create_registered_model(name)
        assert raised.value.json["error_code"] == "ALREADY_EXISTS"

    @contract(Area.PAGES, Client.MLFLOW, *MLFLOW)
    def test_mlflow_pages_through_versions(self, mlflow: Any, folder: Path, world: World) -> None:
        client, name = mlflow.MlflowClient(), f"{world.schema}.{fresh('m')}"
        client.create_registered_model(name)
        for _ in range(3):
            client.create_model_version(name, source=str(folder))
        seen, token = [], None
        for _ in range(3):
            page = client.search_model_versions(f"name='{name}'", max_results=1, page_token=token)
            seen += [int(entry.version) for entry in page]
            token = page.token
        assert (seen, bool(token)) == ([3, 2, 1], False)
