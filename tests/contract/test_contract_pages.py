"""Every listing in small pages: nothing twice, nothing missing, tokens that say nothing and that nobody can guess."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest
from contract_open_client import open_client
from contract_report import Area, Client, contract
from contract_subject import LINEAGE, REGISTRY, SCIM, UC, Answer, Capability, Subject
from contract_world import World, fresh, refused
from databricks.sdk.service import catalog as uc
from unitycatalog.client import SchemasApi

pytestmark = pytest.mark.integration

EVERYTHING = (
    Capability.STORAGE,
    Capability.VOLUMES,
    Capability.MAKE_VERSIONS,
    Capability.TAGS,
    Capability.METADATA,
    Capability.EXTERNAL_LINEAGE,
    Capability.MLFLOW,
    Capability.PRINCIPALS,
)
MADE = 3
"""How many objects each listing has at least; pages of one make as many requests."""


@pytest.fixture(scope="module")
def crowd(world: World) -> Iterator[dict[str, str]]:
    """Three of everything that is listed; gives each listing's path and query by its key in the answer."""
    admin, place = world.admin, world.storage
    model, metadata = str(world.model().full_name), [fresh("run") for _ in range(MADE)]
    table, *_ = [world.table() for _ in range(MADE)]
    for number in range(MADE):
        admin.volumes.create(world.catalog, "s", fresh("v"), uc.VolumeType.MANAGED)
        admin.schemas.create(name=fresh("s"), catalog_name=world.catalog)
        world.model()
        world.version(model)
        tag = uc.EntityTagAssignment(entity_type="tables", entity_name=str(table.full_name), tag_key=f"k{number}")
        admin.entity_tag_assignments.create(tag)
        admin.external_metadata.create_external_metadata(
            uc.ExternalMetadata(name=metadata[number], system_type=uc.SystemType.OTHER, entity_type="job")
        )
        admin.external_lineage.create_external_lineage_relationship(
            uc.CreateRequestExternalLineage(
                source=uc.ExternalLineageObject(table=uc.ExternalLineageTable(name=str(table.full_name))),
                target=uc.ExternalLineageObject(
                    external_metadata=uc.ExternalLineageExternalMetadata(name=metadata[number])
                ),
            )
        )
    names = [fresh("c") for _ in range(MADE - 1)]
    role = uc.AwsIamRoleRequest(role_arn=place.role_arn)
    for name in names:
        admin.catalogs.create(name=name)
        admin.storage_credentials.create(name=name, aws_iam_role=role)
        admin.external_locations.create(name=name, url=f"{place.url}/{world.catalog}-{name}", credential_name=name)
    principals = [world.subject.principal() for _ in range(MADE)]
    for who in principals:
        world.grant("table", str(table.full_name), who, "SELECT")
    scim = next(iter(admin.service_principals.list(filter=f'applicationId eq "{principals[0].client_id}"')))
    for _ in range(MADE - 1):
        admin.service_principal_secrets_proxy.create(str(scim.id))
    inside = f"catalog_name={world.catalog}&schema_name=s"
    downstream = f"object_info.table.name={table.full_name}&lineage_direction=DOWNSTREAM"
    yield {
        "catalogs": f"{UC}/catalogs?",
        "schemas": f"{UC}/schemas?catalog_name={world.catalog}",
        "tables": f"{UC}/tables?{inside}",
        "volumes": f"{UC}/volumes?{inside}",
        "registered_models": f"{UC}/models?{inside}",
        "model_versions": f"{UC}/models/{model}/versions?",
        "storage_credentials": f"{UC}/storage-credentials?",
        "external_locations": f"{UC}/external-locations?",
        "tag_assignments": f"{UC}/entity-tag-assignments/tables/{table.full_name}/tags?",
        "privilege_assignments": f"{UC}/permissions/table/{table.full_name}?",
        "external_metadata": f"{LINEAGE}/external-metadata?",
        "external_lineage_relationships": f"{LINEAGE}/external-lineage?{downstream}",
        "secrets": f"/api/2.0/accounts/servicePrincipals/{scim.id}/credentials/secrets?",
    }
    for name in metadata:
        admin.external_metadata.delete_external_metadata(name)
    for name in names:
        admin.external_locations.delete(name)
        admin.storage_credentials.delete(name)
        admin.catalogs.delete(name)


def page(subject: Subject, listing: str, size: int, token: str = "") -> Answer:
    """One page of a listing; newer interfaces call its size `page_size`."""
    word = "page_size" if listing.startswith((LINEAGE, "/api/2.0/accounts")) else "max_results"
    query = {word: str(size), **({"page_token": token} if token else {})}
    return subject.ask("GET", f"{listing}&{urllib.parse.urlencode(query)}")


KEYS = (
    "catalogs",
    "schemas",
    "tables",
    "volumes",
    "registered_models",
    "model_versions",
    "storage_credentials",
    "external_locations",
    "tag_assignments",
    "privilege_assignments",
    "external_metadata",
    "external_lineage_relationships",
    "secrets",
)


@contract(Area.PAGES, Client.HTTP, *EVERYTHING)
@pytest.mark.parametrize("key", KEYS)
def test_pages_of_one_give_what_one_page_gives(subject: Subject, crowd: dict[str, str], key: str) -> None:
    listing = crowd[key]
    whole: list[Any] = (page(subject, listing, 1000).body or {})[key]
    assert len(whole) >= MADE
    pages, token = [], ""
    while True:
        answer = page(subject, listing, 1, token)
        assert answer.status == 200, answer
        body: dict[str, Any] = answer.body or {}
        assert len(body[key]) <= 1
        pages += body[key]
        token = body.get("next_page_token", "")
        if not token:
            break
        assert not any(str(entry["name"]) == token for entry in whole if "name" in entry), "a page token is opaque"
    assert pages == whole


@contract(Area.PAGES, Client.HTTP, *EVERYTHING)
@pytest.mark.parametrize("key", KEYS)
def test_a_token_that_the_listing_did_not_give_is_refused(subject: Subject, crowd: dict[str, str], key: str) -> None:
    other = crowd["schemas" if key != "schemas" else "tables"]
    alien = (page(subject, other, 1).body or {})["next_page_token"]
    own = str((page(subject, crowd[key], 1).body or {})["next_page_token"])
    changed = own[:-3] + ("AAA" if own[-3:] != "AAA" else "BBB")
    for token in (alien, changed, own[1:], "govtune", "%00", "ü", "=", "a" * 5000):
        answer = page(subject, crowd[key], 1, token)
        assert (answer.status, answer.code) == (400, "INVALID_PARAMETER_VALUE"), token[:20]


@contract(Area.PAGES, Client.HTTP, *EVERYTHING)
@pytest.mark.parametrize("size", ["-1", "many", "1.5", "9" * 30])
def test_a_page_size_that_is_none_is_refused(subject: Subject, crowd: dict[str, str], size: str) -> None:
    for key in KEYS:
        word = "page_size" if crowd[key].startswith((LINEAGE, "/api/2.0/accounts")) else "max_results"
        answer = subject.ask("GET", f"{crowd[key]}&{word}={size}")
        assert (answer.status, answer.code) == (400, "INVALID_PARAMETER_VALUE"), key


@contract(Area.PAGES, Client.SDK, *EVERYTHING)
def test_databricks_sdk_follows_the_tokens(world: World, crowd: dict[str, str]) -> None:
    admin, inside = world.admin, {"catalog_name": world.catalog, "schema_name": "s"}
    listings = [
        (admin.catalogs.list, {}),
        (admin.schemas.list, {"catalog_name": world.catalog}),
        (admin.tables.list, inside),
        (admin.volumes.list, inside),
        (admin.registered_models.list, inside),
        (admin.storage_credentials.list, {}),
        (admin.external_locations.list, {}),
    ]
    for listed, where in listings:
        seen = [entry.name for entry in listed(**where, max_results=2)]  # type: ignore[operator]
        assert len(seen) == len(set(seen)) >= MADE
    metadata = [entry.name for entry in admin.external_metadata.list_external_metadata(page_size=2)]
    assert len(metadata) == len(set(metadata)) >= MADE


@contract(Area.PAGES, Client.HTTP, *EVERYTHING)
def test_the_registry_and_scim_have_pages_of_their_own(subject: Subject, crowd: dict[str, str]) -> None:
    search = f"{REGISTRY}/registered-models/search?"
    first: dict[str, Any] = page(subject, search, 1).body or {}
    second: dict[str, Any] = page(subject, search, 1, first["next_page_token"]).body or {}
    assert first["registered_models"] != second["registered_models"]
    ids = []
    for start in (1, 2, 3):
        answer = subject.ask("GET", f"{SCIM}?startIndex={start}&count=1").body or {}
        assert (answer["startIndex"], answer["itemsPerPage"]) == (start, 1)
        ids += [entry["id"] for entry in answer["Resources"]]
    assert len(set(ids)) == 3


@contract(Area.PAGES, Client.UC_CLIENT, *EVERYTHING)
def test_the_open_client_pages(subject: Subject, world: World, crowd: dict[str, str]) -> None:
    async def act(client: Any) -> list[str]:
        names, token = [], None
        while True:
            found = await SchemasApi(client).list_schemas(world.catalog, max_results=1, page_token=token)
            names += [entry.name for entry in found.schemas]
            token = found.next_page_token
            if not token:
                return names

    names = open_client(subject, act)
    assert len(names) == len(set(names)) > MADE


@contract(Area.PAGES, Client.SDK)
def test_databricks_sdk_is_told_of_a_bad_token(world: World) -> None:
    with refused("INVALID_PARAMETER_VALUE"):
        list(world.admin.catalogs.list(page_token="nonsense"))
