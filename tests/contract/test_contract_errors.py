"""Errors by status and `error_code`, in the shape that clients parse; and whatever is sent, never a 500."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

import pytest
from contract_open_client import open_client
from contract_report import Area, Client, contract
from contract_subject import LINEAGE, REGISTRY, SCIM, UC, Capability, Subject
from contract_world import World, fresh
from databricks.sdk import errors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unitycatalog.client import CatalogsApi, CreateCatalog, TablesApi
from unitycatalog.client.exceptions import ApiException

pytestmark = pytest.mark.integration

ABSENT = [
    (f"{UC}/catalogs/nothing", "CATALOG_DOES_NOT_EXIST"),
    (f"{UC}/schemas/nothing.at", "SCHEMA_DOES_NOT_EXIST"),
    (f"{UC}/tables/nothing.at.all", "TABLE_DOES_NOT_EXIST"),
    (f"{UC}/volumes/nothing.at.all", "VOLUME_DOES_NOT_EXIST"),
    (f"{UC}/models/nothing.at.all", "REGISTERED_MODEL_DOES_NOT_EXIST"),
    (f"{UC}/storage-credentials/nothing", "STORAGE_CREDENTIAL_DOES_NOT_EXIST"),
    (f"{UC}/external-locations/nothing", "EXTERNAL_LOCATION_DOES_NOT_EXIST"),
    (f"{LINEAGE}/external-metadata/nothing", "EXTERNAL_METADATA_DOES_NOT_EXIST"),
]
PARTS = (Capability.VOLUMES, Capability.STORAGE_CREDENTIALS, Capability.EXTERNAL_LOCATIONS, Capability.METADATA)


@contract(Area.ERRORS, Client.HTTP, *PARTS)
@pytest.mark.parametrize(("path", "code"), ABSENT)
def test_what_is_not_there_is_404_with_its_kind(subject: Subject, path: str, code: str) -> None:
    answer = subject.ask("GET", path)
    assert (answer.status, answer.code) == (404, code)
    body: dict[str, Any] = answer.body or {}
    assert "nothing" in body["message"]
    assert body["details"][0]["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"


@contract(Area.ERRORS, Client.HTTP)
def test_the_status_tells_the_kind_of_error(subject: Subject, world: World) -> None:
    cases: list[tuple[str, str, object, int, str]] = [
        ("POST", f"{UC}/catalogs", {"name": world.catalog}, 409, "ALREADY_EXISTS"),
        ("POST", f"{UC}/catalogs", {}, 400, "INVALID_PARAMETER_VALUE"),
        ("POST", f"{UC}/catalogs", {"name": "a b"}, 400, "INVALID_PARAMETER_VALUE"),
        ("POST", f"{UC}/catalogs", {"name": 1}, 400, "INVALID_PARAMETER_VALUE"),
        ("POST", f"{UC}/catalogs", b"{", 400, "INVALID_PARAMETER_VALUE"),
        ("POST", f"{UC}/catalogs", b"[]", 400, "INVALID_PARAMETER_VALUE"),
        ("GET", f"{UC}/schemas/no-dot", None, 400, "INVALID_PARAMETER_VALUE"),
        ("GET", f"{UC}/schemas", None, 400, "INVALID_PARAMETER_VALUE"),
        ("DELETE", f"{UC}/catalogs/{world.catalog}", None, 409, "RESOURCE_CONFLICT"),
        ("GET", "/api/2.1/no-such-api", None, 404, "ENDPOINT_NOT_FOUND"),
        ("GET", "/api/9.9/unity-catalog/catalogs", None, 404, "ENDPOINT_NOT_FOUND"),
    ]
    for method, path, body, status, code in cases:
        answer = subject.ask(method, path, body)
        assert (answer.status, answer.code) == (status, code), (method, path, body)


@contract(Area.ERRORS, Client.HTTP, Capability.SIGN_IN, Capability.PRINCIPALS)
def test_who_may_not_is_told_so_without_the_privilege(subject: Subject) -> None:
    answer = subject.ask("POST", f"{UC}/catalogs", {"name": fresh()}, token=subject.bearer(subject.principal()))
    assert (answer.status, answer.code) == (403, "PERMISSION_DENIED")
    assert "CREATE" not in str(answer.body)
    for token in ("", "nonsense"):
        answer = subject.ask("GET", f"{UC}/catalogs", token=token)
        assert (answer.status, answer.code) == (401, "UNAUTHENTICATED")


@contract(Area.ERRORS, Client.SDK)
def test_databricks_sdk_raises_its_own_classes(world: World) -> None:
    admin = world.admin
    with pytest.raises(errors.NotFound) as absent:
        admin.catalogs.get("nothing")
    info = absent.value.get_error_details().error_info
    assert info is not None
    assert (info.reason, info.domain) == ("CATALOG_DOES_NOT_EXIST", "unity-catalog.databricks.com")
    with pytest.raises(errors.AlreadyExists):
        admin.catalogs.create(name=world.catalog)
    with pytest.raises(errors.InvalidParameterValue):
        admin.catalogs.create(name="a b")
    with pytest.raises(errors.ResourceConflict):
        admin.catalogs.delete(world.catalog)


@contract(Area.ERRORS, Client.UC_CLIENT)
def test_the_open_client_reads_the_status(subject: Subject, world: World) -> None:
    async def act(client: Any) -> list[int]:
        found = []
        for ask in (
            CatalogsApi(client).get_catalog("nothing"),
            CatalogsApi(client).create_catalog(CreateCatalog(name=world.catalog)),
            CatalogsApi(client).create_catalog(CreateCatalog(name="a b")),
            TablesApi(client).get_table("nothing.at.all"),
        ):
            with pytest.raises(ApiException) as raised:
                await ask
            found.append(raised.value.status)
        return found

    assert open_client(subject, act) == [404, 409, 400, 404]


KEYS = (
    "name",
    "catalog_name",
    "schema_name",
    "model_name",
    "table_id",
    "volume_id",
    "operation",
    "url",
    "storage_location",
    "storage_root",
    "owner",
    "comment",
    "properties",
    "columns",
    "changes",
    "aws_iam_role",
    "credential_name",
    "version",
    "version_num",
    "alias",
    "tags",
    "key",
    "value",
    "entity_type",
    "entity_name",
    "tag_key",
    "source",
    "target",
    "update_mask",
    "system_type",
    "Operations",
    "displayName",
    "active",
    "max_results",
    "page_token",
    "filter",
    "startIndex",
    "count",
    "external_access_enabled",
    "volume_type",
    "table_type",
    "data_source_format",
    "row_filter",
    "column_masks",
    "securable_type",
    "principal",
    "lineage_direction",
    "object_info",
)
TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            "EXTERNAL",
            "DELTA",
            "READ",
            "PATH_READ",
            "a.b",
            "a.b.c",
            "s3://b/../c",
            "s3://bucket/a",
            "1",
            "-1",
            "%00",
        ]
    ),
)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False), TEXTS)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | TEXTS, inner, max_size=3),
    max_leaves=6,
)
BODIES = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5)
QUERIES = st.dictionaries(st.sampled_from(KEYS), TEXTS, max_size=3)
PATHS = (
    *(f"{UC}/{end}" for end in ("catalogs", "schemas", "tables", "volumes", "models", "models/versions")),
    *(f"{UC}/{end}" for end in ("storage-credentials", "external-locations", "metastores", "metastore_summary")),
    *(f"{UC}/{kind}/{{}}" for kind in ("catalogs", "schemas", "tables", "volumes", "models", "metastores")),
    *(f"{UC}/{kind}/{{}}" for kind in ("storage-credentials", "external-locations")),
    *(f"{UC}/models/{{}}/{end}" for end in ("versions", "versions/{}", "aliases/{}", "versions/{}/finalize")),
    f"{UC}/tables/{{}}/exists",
    *(f"{UC}/{what}/{{}}/{{}}" for what in ("permissions", "effective-permissions")),
    f"{UC}/permissions/catalog/{{}}",
    *(f"{UC}/temporary-{what}-credentials" for what in ("table", "path", "volume", "model-version")),
    f"{UC}/entity-tag-assignments",
    f"{UC}/entity-tag-assignments/{{}}/{{}}/tags",
    f"{UC}/entity-tag-assignments/catalogs/{{}}/tags/{{}}",
    *(f"{LINEAGE}/{end}" for end in ("external-metadata", "external-metadata/{}", "external-lineage")),
    *(f"{REGISTRY}/registered-models/{end}" for end in ("create", "get", "update", "search", "alias", "set-tag")),
    *(f"{REGISTRY}/model-versions/{end}" for end in ("create", "get", "finalize", "search", "set-tag")),
    f"{REGISTRY}/model-versions/generate-temporary-credentials",
    SCIM,
    f"{SCIM}/{{}}",
    "/api/2.0/accounts/servicePrincipals/{}/credentials/secrets",
)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
REQUESTS = 400


@contract(Area.ERRORS, Client.HTTP, Capability.SIGN_IN, Capability.PRINCIPALS)
def test_no_request_makes_a_500(subject: Subject, world: World) -> None:
    # What the server accepts changes it: one that is not the suite's own is asked by a principal without privileges.
    token, asked = subject.bearer(None if subject.owned else subject.principal()), 0
    names = st.one_of(TEXTS, st.sampled_from([world.catalog, world.schema, f"{world.schema}.nothing", "nothing"]))

    @settings(max_examples=REQUESTS, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.sampled_from(METHODS), st.sampled_from(PATHS), st.lists(names, min_size=2, max_size=2), BODIES, QUERIES)
    def ask(method: str, path: str, parts: list[str], body: dict[str, Any], query: dict[str, str]) -> None:
        nonlocal asked
        if method == "DELETE":
            parts = ["nothing.at", "nothing.at"]
        filled = path.format(*(urllib.parse.quote(part, safe="") or "x" for part in parts))
        url = f"{filled}?{urllib.parse.urlencode(query, errors='replace')}"
        raw = json.dumps(body).encode() if method != "GET" else None
        answer = subject.ask(method, url, raw, token=token)
        asked += 1
        assert answer.status < 500, (method, url, body, answer)
        if answer.status >= 400 and not answer.no_route:
            assert answer.code, (method, url, answer)
            assert isinstance((answer.body or {})["message"], str)

    ask()
    assert asked >= REQUESTS
    assert subject.ask("GET", f"{UC}/schemas/{world.schema}").status == 200


@contract(Area.ERRORS, Client.HTTP)
@pytest.mark.parametrize(
    "raw", [b"\xff\xfe", b"null", b'"x"', b"1e999", b"[" * 3000, b'{"a":' * 900, b'{"name":"\\ud800"}', b"{}x", b"\0"]
)
def test_bodies_that_are_no_json_object(subject: Subject, raw: bytes) -> None:
    for path in (f"{UC}/catalogs", f"{UC}/temporary-table-credentials", f"{LINEAGE}/external-metadata"):
        answer = subject.ask("POST", path, raw)
        assert answer.status == 400, (path, answer)
        assert answer.code
