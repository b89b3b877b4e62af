"""The door against a workspace that fails: the faults a healthy server cannot be made to show."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from unitydoor.catalog import Catalog
from unitydoor.oauth import ClientCredentials, SignInFailed
from unitydoor.privileges import Refused
from unitydoor.secrets import ServicePrincipal
from unitydoor.transport import CatalogError, RetryPolicy, Transport, normalize_host

SECRET = "very-secret-client-secret"
PRINCIPAL = ServicePrincipal("client-1", SECRET, "databricks/trainer")
TABLES = "/api/2.1/unity-catalog/tables/"
TABLE = {"table_id": "t1", "storage_location": "s3://b/t", "catalog_name": "c", "schema_name": "s", "name": "t"}
VENDED = {
    "aws_temp_credentials": {"access_key_id": "ASIA1", "secret_access_key": "key-secret", "session_token": "tok"},
    "expiration_time": 4102444800000,
    "url": "s3://b/t",
}
Reply = tuple[int, Any] | tuple[int, Any, dict[str, str]]


@dataclass
class Script:
    """What the workspace answers: by path, a list that is used up, its last entry for ever."""

    host: str = ""
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    seen: list[tuple[str, str, str]] = field(default_factory=list)

    def answer(self, method: str, path: str, token: str) -> Reply:
        self.seen.append((method, path, token))
        replies = self.replies.get(
            path.split("?", maxsplit=1)[0], [(404, {"error_code": "NOT_FOUND", "message": "no"})]
        )
        return replies.pop(0) if len(replies) > 1 else replies[0]

    def count(self, path: str) -> int:
        return sum(1 for _, seen, _ in self.seen if seen.split("?")[0] == path)


@pytest.fixture
def script() -> Iterator[Script]:
    made = Script()

    class Handler(BaseHTTPRequestHandler):
        def reply(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body, *rest = made.answer(self.command, self.path, self.headers.get("Authorization", ""))
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in (rest[0] if rest else {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = reply  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    made.host = f"http://127.0.0.1:{server.server_address[1]}"
    made.replies = {
        "/.well-known/databricks-config": [(200, {"oidc_endpoint": f"{made.host}/oidc"})],
        "/oidc/.well-known/oauth-authorization-server": [(200, {"token_endpoint": f"{made.host}/oidc/v1/token"})],
        "/oidc/v1/token": [(200, {"access_token": f"token-{n}", "expires_in": 3600}) for n in range(9)],
        f"{TABLES}c.s.t": [(200, TABLE)],
        "/api/2.1/unity-catalog/temporary-table-credentials": [(200, VENDED)],
        "/api/2.1/unity-catalog/metastore_summary": [(200, {"external_access_enabled": True})],
    }
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def transport(script: Script, waits: list[float] | None = None) -> Transport:
    return Transport(script.host, sleep=(waits if waits is not None else []).append, timeout=10)


def door(script: Script, waits: list[float] | None = None) -> Catalog:
    link = transport(script, waits)
    return Catalog(script.host, ClientCredentials(script.host, PRINCIPAL, transport=link), transport=link)


def test_a_token_that_is_not_accepted_is_renewed_once(script: Script) -> None:
    script.replies[f"{TABLES}c.s.t"] = [(401, {}), (200, TABLE)]
    assert door(script).table("c.s.t").table_id == "t1"
    assert [token for _, path, token in script.seen if path == f"{TABLES}c.s.t"] == ["Bearer token-0", "Bearer token-1"]


def test_a_second_401_is_an_error_without_the_token(script: Script) -> None:
    script.replies[f"{TABLES}c.s.t"] = [(401, {"error_code": "UNAUTHENTICATED", "message": "expired"})]
    with pytest.raises(CatalogError) as raised:
        door(script).table("c.s.t")
    assert (raised.value.status, script.count(f"{TABLES}c.s.t")) == (401, 2)
    assert "token-" not in str(raised.value)


def test_a_busy_workspace_is_asked_again_with_growing_waits(script: Script) -> None:
    script.replies[f"{TABLES}c.s.t"] = [(503, b"<html>"), (429, {}), (500, {}), (200, TABLE)]
    waits: list[float] = []
    assert door(script, waits).table("c.s.t").full_name == "c.s.t"
    assert len(waits) == 3
    assert 0 < waits[0] <= 0.25 < waits[2] <= 1.0


def test_patience_is_bounded(script: Script) -> None:
    script.replies[f"{TABLES}c.s.t"] = [(503, {"error_code": "TEMPORARILY_UNAVAILABLE", "message": "later"})]
    waits: list[float] = []
    with pytest.raises(CatalogError, match="TEMPORARILY_UNAVAILABLE: later"):
        door(script, waits).table("c.s.t")
    assert (script.count(f"{TABLES}c.s.t"), len(waits)) == (5, 4)


@pytest.mark.parametrize(("asked", "waited"), [("2", 2.0), ("9999", 20.0), ("-1", 0.0), ("soon", None)])
def test_retry_after_is_honoured_within_bounds(script: Script, asked: str, waited: float | None) -> None:
    script.replies[f"{TABLES}c.s.t"] = [(429, {}, {"Retry-After": asked}), (200, TABLE)]
    waits: list[float] = []
    door(script, waits).table("c.s.t")
    assert waits[0] == waited if waited is not None else 0 < waits[0] <= 0.25


def test_registering_is_not_repeated_when_it_may_have_happened(script: Script) -> None:
    script.replies["/api/2.1/unity-catalog/tables"] = [(500, {"error_code": "INTERNAL", "message": "?"})]
    with pytest.raises(CatalogError, match="INTERNAL"):
        door(script).create_external_delta_table("c.s.t", "s3://b/t", ())
    assert script.count("/api/2.1/unity-catalog/tables") == 1


def test_an_unreachable_workspace_is_named() -> None:
    link = Transport("http://127.0.0.1:1", retry=RetryPolicy(attempts=2), sleep=lambda _: None)
    credentials = ClientCredentials("http://127.0.0.1:1", PRINCIPAL, transport=link)
    with pytest.raises(CatalogError, match=r"http://127\.0\.0\.1:1 did not answer"):
        credentials.token()


def test_tokens_are_cached_and_renewed_before_they_expire(script: Script) -> None:
    now = [0.0]
    credentials = ClientCredentials(script.host, PRINCIPAL, transport=transport(script), clock=lambda: now[0])
    first = credentials.token()
    now[0] = 3600 - 121
    assert credentials.token() == first
    now[0] = 3600 - 119
    assert credentials.token() != first
    assert script.count("/oidc/v1/token") == 2


def test_a_fresh_token_is_signed_in_for_and_takes_the_place_of_the_cached_one(script: Script) -> None:
    credentials = ClientCredentials(script.host, PRINCIPAL, transport=transport(script))
    assert [credentials.token(), credentials.fresh(), credentials.token()] == ["token-0", "token-1", "token-1"]


def test_threads_share_one_sign_in(script: Script) -> None:
    credentials = ClientCredentials(script.host, PRINCIPAL, transport=transport(script))
    tokens: list[str] = []
    threads = [threading.Thread(target=lambda: tokens.append(credentials.token())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (set(tokens), script.count("/oidc/v1/token")) == ({"token-0"}, 1)


@pytest.mark.parametrize(
    "reply", [(401, {"error": "invalid_client"}), (400, {"error": "x", "error_description": SECRET})]
)
def test_a_refused_sign_in_names_the_principal_and_no_secret(script: Script, reply: Reply) -> None:
    script.replies["/oidc/v1/token"] = [reply]
    with pytest.raises(SignInFailed) as raised:
        door(script).table("c.s.t")
    assert "databricks/trainer (service principal client-1)" in str(raised.value)
    assert SECRET not in str(raised.value)
    assert SECRET not in repr(PRINCIPAL)


@pytest.mark.parametrize(
    "found", ["https://elsewhere.example/token", "http://127.0.0.1:1/token", None, 7, "http://127.0.0.1.evil.example/"]
)
def test_a_sign_in_address_elsewhere_never_gets_the_secret(script: Script, found: object) -> None:
    script.replies["/oidc/.well-known/oauth-authorization-server"] = [(200, {"token_endpoint": found})]
    with pytest.raises(CatalogError, match="refused"):
        door(script).table("c.s.t")


def test_a_redirect_is_not_followed(script: Script) -> None:
    script.replies[f"{TABLES}c.s.t"] = [(302, {}, {"Location": f"{script.host}/elsewhere"})]
    with pytest.raises(CatalogError) as raised:
        door(script).table("c.s.t")
    assert raised.value.status == 302
    assert script.count("/elsewhere") == 0


@pytest.mark.parametrize("body", [b"not json", b"[]", b"{", b'{"table_id": 1}', b"{}", b'{"table_id": "a"}'])
def test_a_nonsense_answer_is_a_clear_error(script: Script, body: bytes) -> None:
    script.replies[f"{TABLES}c.s.t"] = [(200, body)]
    with pytest.raises(CatalogError, match=r"workspace answered|catalog described"):
        door(script).table("c.s.t")


@pytest.mark.parametrize("spoil", ["aws_temp_credentials", "expiration_time", "url"])
def test_an_incomplete_credential_is_refused(script: Script, spoil: str) -> None:
    body = {key: value for key, value in VENDED.items() if key != spoil}
    script.replies["/api/2.1/unity-catalog/temporary-table-credentials"] = [(200, body)]
    with pytest.raises(CatalogError, match=r"c\.s\.t"):
        door(script).vend_table("c.s.t", "READ")


def test_a_grant_shows_no_secret(script: Script) -> None:
    grant = door(script).vend_table("c.s.t", "READ")
    assert grant.secret_access_key == "key-secret"
    for text in (repr(grant), str(grant), str(grant.record())):
        assert "key-secret" not in text
        assert "tok" not in text.replace("token", "")


def test_when_the_catalog_will_not_tell_every_need_is_listed(script: Script) -> None:
    script.replies["/api/2.1/unity-catalog/temporary-table-credentials"] = [(403, {"message": "no"})]
    with pytest.raises(Refused) as raised:
        door(script).vend_table("c.s.t", "READ_WRITE")
    assert [need.privilege for need in raised.value.needs] == [
        "USE CATALOG",
        "USE SCHEMA",
        "EXTERNAL USE SCHEMA",
        "SELECT",
        "MODIFY",
    ]
    assert "GRANT EXTERNAL USE SCHEMA ON SCHEMA `c`.`s` TO `client-1`;" in str(raised.value)


def test_a_refusal_with_every_privilege_held_repeats_what_the_catalog_said(script: Script) -> None:
    path = "/api/2.1/unity-catalog/effective-permissions"
    held = [{"privilege": name} for name in ("USE_CATALOG", "USE_SCHEMA", "SELECT", "EXTERNAL_USE_SCHEMA")]
    answer = (200, {"privilege_assignments": [{"principal": "client-1", "privileges": held}]})
    for securable in ("catalog/c", "schema/c.s", "table/c.s.t"):
        script.replies[f"{path}/{securable}"] = [answer]
    script.replies["/api/2.1/unity-catalog/temporary-table-credentials"] = [(403, {"message": "workspace binding"})]
    with pytest.raises(Refused, match="The catalog says: workspace binding") as raised:
        door(script).vend_table("c.s.t", "READ")
    assert (raised.value.missing, raised.value.needs) == ((), ())


def test_a_grant_to_a_group_is_not_called_missing(script: Script) -> None:
    """The service shows a group's grants under the group's name to who is in it."""
    path = "/api/2.1/unity-catalog/effective-permissions"
    mine = {"principal": "client-1", "privileges": [{"privilege": "USE_CATALOG"}, {"privilege": "USE_SCHEMA"}]}
    group = {"principal": "readers", "privileges": [{"privilege": "SELECT"}]}
    for securable in ("catalog/c", "schema/c.s", "table/c.s.t"):
        script.replies[f"{path}/{securable}"] = [(200, {"privilege_assignments": [mine, group]})]
    script.replies["/api/2.1/unity-catalog/temporary-table-credentials"] = [(403, {"message": "no"})]
    with pytest.raises(Refused) as raised:
        door(script).vend_table("c.s.t", "READ")
    assert [need.privilege for need in raised.value.missing] == ["EXTERNAL USE SCHEMA"]
    assert door(script).effective_privileges("SCHEMA", "c.s") == {"USE CATALOG", "USE SCHEMA", "SELECT"}


@pytest.mark.parametrize("ask", [lambda d: d.vend_table("c.s.t", "WRITE"), lambda d: d.vend_path("s3://b/x", "READ")])
def test_unknown_operations_are_not_sent(script: Script, ask: Callable[[Catalog], object]) -> None:
    with pytest.raises(ValueError, match="unknown operation"):
        ask(door(script))
    assert script.seen == []


@pytest.mark.parametrize("name", ["t", "a.b", "a.b.c.d", "a..c", "a.b/x.c", "a.b c.d", "a.b.c\n"])
def test_bad_names_are_not_sent(script: Script, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        door(script).vend_table(name, "READ")
    assert script.seen == []


@pytest.mark.parametrize(
    ("host", "normal"),
    [
        ("dbc-1.cloud.databricks.com", "https://dbc-1.cloud.databricks.com"),
        ("https://dbc-1.cloud.databricks.com/", "https://dbc-1.cloud.databricks.com"),
        ("http://127.0.0.1:4571", "http://127.0.0.1:4571"),
        ("http://localhost:4571/", "http://localhost:4571"),
    ],
)
def test_addresses(host: str, normal: str) -> None:
    assert normalize_host(host) == normal


@pytest.mark.parametrize(
    "host",
    [
        "",
        "http://dbc.example",
        "ftp://dbc.example",
        "https://user:pw@dbc.example",
        "https://dbc.example/?x",
        "https://",
    ],
)
def test_unsafe_addresses(host: str) -> None:
    with pytest.raises(ValueError, match="address") as raised:
        normalize_host(host)
    assert "pw" not in str(raised.value)


VENDING = "/api/2.1/unity-catalog/temporary-table-credentials"


@pytest.mark.parametrize(
    ("described", "operation", "reason"),
    [
        ({"table_type": "VIEW", "storage_location": None}, "READ", "It is a view, which has no files"),
        ({"table_type": "MATERIALIZED_VIEW"}, "READ", "It is a materialized view, which has no files"),
        ({"table_type": "FOREIGN"}, "READ", "It is a foreign table, which has no files"),
        ({"data_source_format": "ICEBERG"}, "READ", "Its files are ICEBERG, and only Delta is read"),
        ({"table_type": "MANAGED"}, "READ_WRITE", "It is a managed table, whose files only Databricks writes"),
        ({"row_filter": {"function_name": "c.s.mine"}}, "READ", "The table has the row filter c.s.mine"),
        ({"columns": [{"name": "x", "mask": {"function_name": "f"}}]}, "READ", "The table has a mask on its column x"),
        (
            {"table_type": "MANAGED", "row_filter": {"function_name": "c.s.mine"}},
            "READ",
            "The table has the row filter c.s.mine",
        ),
    ],
)
def test_what_no_credential_serves_is_refused_by_name(
    script: Script, described: dict[str, Any], operation: str, reason: str
) -> None:
    script.replies[f"{TABLES}c.s.t"] = [(200, {**TABLE, **described})]
    with pytest.raises(Refused) as raised:
        door(script).vend_table("c.s.t", operation)
    assert f"{operation} on c.s.t.\n{reason}" in str(raised.value)
    assert script.count(VENDING) == 0


def test_a_managed_table_is_read(script: Script) -> None:
    script.replies[f"{TABLES}c.s.t"] = [(200, {**TABLE, "table_type": "MANAGED", "data_source_format": "DELTA"})]
    assert door(script).vend_table("c.s.t", "READ").access_key_id == "ASIA1"
