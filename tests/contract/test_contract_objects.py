"""Metastore, storage credentials, external locations, catalogs and schemas."""

from __future__ import annotations

from typing import Any

import pytest
from contract_open_client import open_client
from contract_report import Area, Client, contract
from contract_subject import Capability, Subject
from contract_world import World, fresh, refused
from databricks.sdk.service import catalog as uc
from unitycatalog.client import CatalogsApi, MetastoresApi, SchemasApi, UpdateSchema
from unitycatalog.client import CreateCatalog as OpenCreateCatalog
from unitycatalog.client import CreateSchema as OpenCreateSchema
from unitycatalog.client.exceptions import ApiException, NotFoundException

pytestmark = pytest.mark.integration

HERE = (Capability.STORAGE, Capability.STORAGE_CREDENTIALS, Capability.EXTERNAL_LOCATIONS)


class TestMetastore:
    @contract(Area.METASTORE, Client.SDK)
    def test_the_summary_names_the_metastore(self, world: World) -> None:
        summary = world.admin.metastores.summary()
        assert summary.metastore_id
        assert summary.name

    @contract(Area.METASTORE, Client.UC_CLIENT)
    def test_the_open_client_reads_the_same_summary(self, subject: Subject, world: World) -> None:
        seen = open_client(subject, lambda client: MetastoresApi(client).summary())
        assert seen.metastore_id == world.admin.metastores.summary().metastore_id

    @contract(Area.METASTORE, Client.SDK, *HERE, Capability.SWITCH, Capability.TABLE_CREDENTIALS)
    def test_no_credential_leaves_while_external_access_is_off(self, world: World) -> None:
        admin, table = world.admin, world.table()
        metastore = str(admin.metastores.summary().metastore_id)
        ask = admin.temporary_table_credentials.generate_temporary_table_credentials
        try:
            assert admin.metastores.update(metastore, external_access_enabled=False).external_access_enabled is False
            with refused("PERMISSION_DENIED"):
                ask(operation=uc.TableOperation.READ, table_id=table.table_id)
            with refused("PERMISSION_DENIED"):
                admin.temporary_path_credentials.generate_temporary_path_credentials(
                    world.place("elsewhere"), uc.PathOperation.PATH_READ
                )
        finally:
            admin.metastores.update(metastore, external_access_enabled=True)
        assert ask(operation=uc.TableOperation.READ, table_id=table.table_id).aws_temp_credentials


class TestStorage:
    @contract(Area.STORAGE, Client.SDK, *HERE)
    def test_a_storage_credential_is_made_read_and_deleted(self, world: World) -> None:
        api, name = world.admin.storage_credentials, fresh("cred")
        role = uc.AwsIamRoleRequest(role_arn=world.storage.role_arn)
        made = api.create(name=name, aws_iam_role=role, comment="first", read_only=True)
        assert made.id
        assert made.aws_iam_role is not None
        assert made.aws_iam_role.external_id
        assert (made.comment, made.read_only) == ("first", True)
        with refused("ALREADY_EXISTS"):
            api.create(name=name, aws_iam_role=role)
        assert api.update(name, comment="second").comment == "second"
        assert name in {entry.name for entry in api.list()}
        api.delete(name)
        with refused("STORAGE_CREDENTIAL_DOES_NOT_EXIST"):
            api.get(name)

    @contract(Area.STORAGE, Client.SDK, *HERE)
    def test_what_is_in_use_is_not_deleted(self, world: World) -> None:
        world.table()
        with refused("RESOURCE_CONFLICT"):
            world.admin.storage_credentials.delete(world.catalog)
        with refused("RESOURCE_CONFLICT"):
            world.admin.external_locations.delete(world.catalog)

    @contract(Area.STORAGE, Client.SDK, *HERE)
    def test_external_locations_do_not_overlap(self, world: World) -> None:
        api = world.admin.external_locations
        for url in (f"{world.root}/data/in", world.root, world.storage.url):
            with refused("INVALID_PARAMETER_VALUE"):
                api.create(name=fresh("loc"), url=url, credential_name=world.catalog)
        beside = api.create(name=fresh("loc"), url=f"{world.root}x", credential_name=world.catalog)
        try:
            found = api.get(str(beside.name))
            assert (found.url, found.credential_name) == (f"{world.root}x", world.catalog)
            assert api.update(str(beside.name), comment="beside").comment == "beside"
        finally:
            api.delete(str(beside.name))

    @contract(Area.STORAGE, Client.SDK, *HERE)
    @pytest.mark.parametrize("end", ["/../up", "/a//b", "/a%2Fb", "/*", "/?", "/${aws:username}", "/a\\b"])
    def test_a_url_that_two_parsers_read_differently_is_refused(self, world: World, end: str) -> None:
        with refused("INVALID_PARAMETER_VALUE"):
            world.admin.external_locations.create(
                name=fresh("loc"), url=f"{world.storage.url}/{fresh()}{end}", credential_name=world.catalog
            )


class TestCatalogs:
    @contract(Area.OBJECTS, Client.SDK)
    def test_a_catalog_lives(self, world: World) -> None:
        api, name = world.admin.catalogs, fresh("cat")
        made = api.create(name=name, comment="first", properties={"team": "risk"})
        try:
            assert (made.name, made.comment, made.properties) == (name, "first", {"team": "risk"})
            with refused("ALREADY_EXISTS"):
                api.create(name=name)
            assert api.update(name, comment="second").comment == "second"
            assert name in {entry.name for entry in api.list()}
        finally:
            api.delete(name)
        with refused("CATALOG_DOES_NOT_EXIST"):
            api.get(name)

    @contract(Area.OBJECTS, Client.SDK)
    def test_a_schema_lives(self, world: World) -> None:
        api, name = world.admin.schemas, fresh("sch")
        made = api.create(name=name, catalog_name=world.catalog, comment="first", properties={"team": "risk"})
        full = f"{world.catalog}.{name}"
        assert (made.full_name, made.comment, made.properties) == (full, "first", {"team": "risk"})
        with refused("ALREADY_EXISTS"):
            api.create(name=name, catalog_name=world.catalog)
        assert api.update(full, comment="second").comment == "second"
        assert name in {entry.name for entry in api.list(world.catalog)}
        api.delete(full)
        with refused("SCHEMA_DOES_NOT_EXIST"):
            api.get(full)

    @contract(Area.OBJECTS, Client.SDK)
    def test_a_catalog_that_holds_something_is_deleted_by_force_only(self, world: World) -> None:
        admin, name = world.admin, fresh("cat")
        admin.catalogs.create(name=name)
        admin.schemas.create(name="s", catalog_name=name)
        with refused("RESOURCE_CONFLICT"):
            admin.catalogs.delete(name)
        admin.catalogs.delete(name, force=True)
        with refused("SCHEMA_DOES_NOT_EXIST"):
            admin.schemas.get(f"{name}.s")

    @contract(Area.OBJECTS, Client.UC_CLIENT)
    def test_the_open_client_makes_catalog_and_schema(self, subject: Subject) -> None:
        name = fresh("cat")

        async def act(client: Any) -> None:
            catalogs, schemas = CatalogsApi(client), SchemasApi(client)
            made = await catalogs.create_catalog(OpenCreateCatalog(name=name, comment="c", properties={"a": "b"}))
            assert (made.name, made.comment, made.properties) == (name, "c", {"a": "b"})
            schema = await schemas.create_schema(OpenCreateSchema(name="s", catalog_name=name))
            assert schema.full_name == f"{name}.s"
            changed = await schemas.update_schema(f"{name}.s", UpdateSchema(comment="d"))
            assert changed.comment == "d"
            assert [entry.name for entry in (await schemas.list_schemas(name)).schemas or []] == ["s"]
            with pytest.raises(ApiException):
                await catalogs.delete_catalog(name)
            await catalogs.delete_catalog(name, force=True)
            with pytest.raises(NotFoundException):
                await catalogs.get_catalog(name)

        open_client(subject, act)
