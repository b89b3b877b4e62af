"""Random catalogs, grants, revokes and transfers: the workspace decides as a second model, written apart, does."""

from __future__ import annotations

import json
import socket
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import privilege_model as second
import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from privilege_model import APPLIES, HIDDEN, NO, ROOT, YES, Model, Thing

from localcloud.databricks import oauth, privileges, workspace
from localcloud.databricks.access import Access
from localcloud.databricks.app import _find, _run, create_app
from localcloud.databricks.errors import ApiError
from localcloud.databricks.privileges import Kind
from localcloud.databricks.store import Store, new_id
from localcloud.databricks.vending import Order, Vendor
from localcloud.databricks.web import Call, Json

T = TypeVar("T")
DECISIONS = 20_000
HTTP_HISTORIES, HTTP_DECISIONS = 30, 1_000
PEOPLE = ("admin", "ann", "bob", "cy")
UC = "/api/2.1/unity-catalog"
KINDS = {
    "metastore": Kind.METASTORE,
    "storage_credential": Kind.STORAGE_CREDENTIAL,
    "external_location": Kind.EXTERNAL_LOCATION,
    "external_metadata": Kind.EXTERNAL_METADATA,
    "catalog": Kind.CATALOG,
    "schema": Kind.SCHEMA,
    "table": Kind.TABLE,
    "model": Kind.MODEL,
    "volume": Kind.VOLUME,
}
PLACES = {
    "storage_credential": f"{UC}/storage-credentials",
    "external_location": f"{UC}/external-locations",
    "external_metadata": "/api/2.0/lineage-tracking/external-metadata",
    "catalog": f"{UC}/catalogs",
    "schema": f"{UC}/schemas",
    "table": f"{UC}/tables",
    "model": f"{UC}/models",
    "volume": f"{UC}/volumes",
}
LOCATIONS = ("left", "right")
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
STATUS = {200: YES, 403: NO, 404: HIDDEN}


class _NoVendor:
    """Stands where STS is asked: a decision to vend is all that is wanted here."""

    def vend(self, order: Order) -> Json:
        return {"aws_temp_credentials": {"access_key_id": order.principal}}


class Catalog:
    """The workspace's own handlers on a fresh store, without HTTP and tokens in between."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.store = Store(folder / "databricks.sqlite")
        with self.store.transaction() as db:
            for who in PEOPLE:
                db.execute("INSERT INTO principals VALUES (?,?,?,?,?)", (new_id(), who, who, 1, 0))
            details = {"region": "us-east-1", "external_access_enabled": True}
            db.add_securable(Kind.METASTORE, "local", None, "admin", details)
        settings = workspace.Settings("http://127.0.0.1", folder, folder, folder, "", "us-east-1", 3600, 3600)
        tokens = oauth.Tokens(KEY, f"{settings.host}/oidc", settings.token_seconds)
        self.workspace = workspace.Workspace(settings, self.store, tokens, cast(Vendor, _NoVendor()))

    def ask(self, who: str, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        """One request by somebody."""
        route, parameters = _find(method, path)
        call = Call(self.workspace, who, method, path, {}, body or {}, "test")
        try:
            return 200, _run(route, call, parameters)
        except ApiError as error:
            return error.status, {"error_code": error.error_code, "message": error.message}

    def decision(self, who: str, method: str, path: str, body: Json | None = None) -> str:
        """One request by somebody, as yes, no or hidden."""
        status, answer = self.ask(who, method, path, body)
        assert status in STATUS, (who, method, path, body, status, answer)
        return STATUS[status]


class Served(Catalog):
    """The same catalog behind HTTP, with tokens, as clients meet it."""

    def __init__(self, folder: Path, server: Server) -> None:
        super().__init__(folder)
        self.tokens = {who: self.workspace.tokens.issue(who, "all-apis") for who in PEOPLE}
        self.server = server
        server.app = create_app(self.workspace)

    def ask(self, who: str, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        """One request by somebody."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}", "Content-Type": "application/json"}
        raw = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.server.url}{path}", data=raw, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)


class Server:
    """One listener for many catalogs, of which it serves the last; starting one for each would take the time."""

    def __init__(self) -> None:
        self.app: Any = None
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._uvicorn = uvicorn.Server(
            uvicorn.Config(self._serve, interface="asgi3", log_level="warning", lifespan="off")
        )
        self._thread = threading.Thread(target=self._uvicorn.run, args=([self._listener],))

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)

    def __enter__(self) -> Server:
        self._thread.start()
        while not self._uvicorn.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._uvicorn.should_exit = True
        self._thread.join()
        self._listener.close()


def body_of(thing: Thing, location: str) -> Json:
    """What makes a schema, or a table, model or volume in one; a table lies in the location."""
    kind, name = thing
    parts = name.split(".")
    keys = ("catalog_name", "name") if kind == "schema" else ("catalog_name", "schema_name", "name")
    names = dict(zip(keys, parts, strict=True))
    place = f"s3://bucket-{location}/tables/{name}"
    table = {"table_type": "EXTERNAL", "data_source_format": "DELTA", "storage_location": place}
    return {**names, **{"table": table, "volume": {"volume_type": "MANAGED"}}.get(kind, {})}


def details_of(thing: Thing) -> Json:
    """What the store keeps of a thing that is there from the start."""
    kind, name = thing
    if kind == "external_metadata":
        plain = dict.fromkeys(("description", "url"), "")
        return {"system_type": "OTHER", "entity_type": "job", **plain, "columns": [], "properties": {}}
    by_kind: dict[str, Json] = {
        "storage_credential": {"aws_iam_role": {"role_arn": "arn:aws:iam::123456789012:role/r", "external_id": "1"}},
        "external_location": {"url": f"s3://bucket-{name}", "credential_name": "key"},
        "catalog": {"storage_root": f"s3://bucket-{LOCATIONS[0]}/managed/{name}"},
        "table": {"storage_location": f"s3://bucket-{LOCATIONS[0]}/tables/{name}", "columns": []},
        "volume": {"storage_location": f"s3://bucket-{LOCATIONS[0]}/managed/{name}"},
    }
    return {"comment": "", **by_kind.get(kind, {})}


CATALOGS, SCHEMAS = ("c0", "c1"), ("s0", "s1")
FIXED: tuple[Thing, ...] = (
    ("storage_credential", "key"),
    *(("external_location", name) for name in LOCATIONS),
    ("external_metadata", "job"),
    *(("catalog", name) for name in CATALOGS),
)
people = st.sampled_from(PEOPLE)
actors = st.sampled_from(("admin", "admin", *PEOPLE))  # without the administrator few grants would ever be made
schemas = st.builds("{}.{}".format, st.sampled_from(CATALOGS), st.sampled_from(SCHEMAS)).map(lambda it: ("schema", it))
names = st.builds("{}.{}.{}".format, st.sampled_from(CATALOGS), st.sampled_from(SCHEMAS), st.sampled_from("xy"))
leaves = st.tuples(st.sampled_from(("table", "model", "volume")), names)
which = st.integers(0, 10_000)
"""Picks one of the objects, or of the privileges, that there are when the step is taken."""


@dataclass(frozen=True)
class Grant:
    """Somebody gives a privilege to somebody, or takes it away."""

    who: str
    whom: str
    thing: int
    privilege: int
    add: bool


@dataclass(frozen=True)
class Transfer:
    """Somebody makes somebody the owner."""

    who: str
    whom: str
    thing: int


@dataclass(frozen=True)
class Make:
    """Somebody makes a schema, table, model or volume."""

    who: str
    thing: Thing
    location: str


Step = Grant | Transfer | Make
grants = st.builds(Grant, actors, people, which, which, st.sampled_from((True, True, True, False)))
steps = st.one_of(
    grants,
    grants,
    grants,
    st.builds(Transfer, actors, people, which),
    st.builds(Make, people, schemas | leaves, st.sampled_from(LOCATIONS)),
)


@dataclass(frozen=True)
class History:
    """Objects that are there from the start, all the administrator's; what happens then; who lacks one privilege."""

    things: list[Thing]
    steps: list[Step]
    nearly: str = "ann"


histories = st.builds(
    lambda first, second, taken, nearly: History([*FIXED, *first, *second], taken, nearly),
    st.lists(schemas, max_size=3, unique=True),
    st.lists(leaves, max_size=5, unique=True),
    st.lists(steps, max_size=40),
    st.sampled_from(PEOPLE[1:]),
)


def _granted(first: list[Thing], thing: Thing, privilege: str, *then: Transfer) -> History:
    """The administrator grants bob one privilege on a thing; a step's numbers are places in the sorted lists."""
    at = sorted([ROOT, *FIXED, *first]).index(thing)
    given = Grant("admin", "bob", at, sorted(APPLIES[thing[0]]).index(privilege), True)
    return History([*FIXED, *first], [given, *(Transfer(step.who, step.whom, at) for step in then)])


ONE_TABLE: list[Thing] = [("schema", "c0.s0"), ("table", "c0.s0.x")]
ALL_ON_A_TABLE = _granted(ONE_TABLE, ONE_TABLE[1], second.ALL)
MANAGER_GIVES_AWAY = _granted([], ("external_metadata", "job"), second.MANAGE, Transfer("bob", "ann", 0))


class Pair:
    """The workspace and the second model, in the same state, asked the same."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog, self.model, self.count = catalog, Model("admin"), 0

    def same(self, ours: object, theirs: object, *told: object) -> None:
        """Count one decision; both sides must agree."""
        self.count += 1
        assert ours == theirs, (f"the workspace says {ours}, the model {theirs}", *told)

    def found(self, thing: Thing) -> None:
        """Put a thing of the administrator's in both, unless it is there or what holds it is not."""
        if thing in self.model.owner or not self.model.containers(thing) <= self.model.owner.keys():
            return
        with self.catalog.store.transaction() as db:
            holder = max(self.model.containers(thing), key=lambda level: level[1].count("."), default=ROOT)
            parent = db.securable(KINDS[holder[0]], holder[1])
            db.add_securable(KINDS[thing[0]], thing[1], parent, "admin", details_of(thing))
        self.model.owner[thing] = "admin"

    def step(self, step: Step) -> None:
        """One request that may change the state."""
        if isinstance(step, Make):
            self.make(step)
            return
        thing = _pick(sorted(self.model.owner), step.thing)
        if isinstance(step, Grant):
            what = _pick(sorted(APPLIES[thing[0]]), step.privilege)
            change = {"principal": step.whom, "add" if step.add else "remove": [what.replace(" ", "_")]}
            path = f"{UC}/permissions/{thing[0]}/{thing[1]}"
            ours = self.catalog.decision(step.who, "PATCH", path, {"changes": [change]})
            self.same(ours, self.model.grant(step.who, step.whom, what, thing, add=step.add), step, thing, what)
        elif thing != ROOT:
            ours = self.catalog.decision(step.who, "PATCH", f"{PLACES[thing[0]]}/{thing[1]}", {"owner": step.whom})
            self.same(ours, self.model.transfer(step.who, step.whom, thing), step, thing)

    def make(self, step: Make) -> None:
        """Make what is not there yet in what is."""
        kind, _ = step.thing
        if step.thing in self.model.owner or not self.model.containers(step.thing) <= self.model.owner.keys():
            return
        ours = self.catalog.decision(step.who, "POST", PLACES[kind], body_of(step.thing, step.location))
        self.same(ours, self.model.make(step.who, step.thing, ("external_location", step.location)), step)

    def compare_everything(self) -> None:
        """Every decision about every person, object and privilege, in the state as it is."""
        with self.catalog.store.transaction() as db:
            for thing in sorted(self.model.owner):
                securable = db.securable(KINDS[thing[0]], thing[1])
                assert securable is not None
                for who in PEOPLE:
                    access, said = Access(db, who), (who, thing)
                    self.same(access.manages(securable), self.model.manages(who, thing), "manages", *said)
                    self.same(access.visible(securable), self.model.sees(who, thing), "sees", *said)
                    self.same(access.knows(securable), self.model.knows(who, thing), "knows", *said)
                    self.same(access.reaches(securable), self.model.uses(who, thing), "uses", *said)
                    levels = access.levels(securable)
                    for what in sorted(APPLIES[thing[0]] - {second.ALL}):
                        self.same(access.can(securable, what), self.model.has(who, what, thing), what, *said)
                        ours = privileges.may_grant(levels, who, what)
                        self.same(ours, self.model.may_grant(who, what, thing), "grant", what, *said)

    def compare_requests(self) -> None:
        """What the interface answers to everyone who reads each object or asks for its credential."""
        for thing, identity in self.identities().items():
            for who in PEOPLE:
                if thing != ROOT:
                    ours = self.catalog.decision(who, "GET", f"{PLACES[thing[0]]}/{thing[1]}")
                    self.same(ours, self.model.get(who, thing), "get", who, thing)
                if thing[0] != "schema":
                    self.use(who, thing, identity)

    def compare_near_misses(self, who: str) -> None:
        """Give somebody all that using each object takes, then all but one privilege after the other.

        Requests that need many privileges would hardly ever be allowed, or fail for one alone, by random grants.
        """
        for thing, identity in self.identities().items():
            needed = _needed(thing, self.model)
            for what, level in needed:
                self.change(who, what, level, add=True)
            for what, level in needed:
                self.change(who, what, level, add=False)
                self.use(who, thing, identity)
                self.change(who, what, level, add=True)
                self.use(who, thing, identity)

    def change(self, who: str, what: str, thing: Thing, *, add: bool) -> None:
        """The administrator gives or takes a privilege."""
        at, privilege = sorted(self.model.owner).index(thing), sorted(APPLIES[thing[0]]).index(what)
        self.step(Grant("admin", who, at, privilege, add))

    def use(self, who: str, thing: Thing, identity: str) -> None:
        """Ask for a thing's credentials; make a table in a schema."""
        if thing[0] == "schema":
            self.make(Make(who, ("table", f"{thing[1]}.z{self.count}"), LOCATIONS[1]))
        for write in (False, True):
            order = _order(thing, identity, write=write)
            if order:
                ours = self.catalog.decision(who, "POST", *order)
                self.same(ours, self.model.vend(who, thing, write=write), "vend", who, thing, write)

    def identities(self) -> Mapping[Thing, str]:
        """The id of every object."""
        with self.catalog.store.transaction() as db:
            found = {thing: db.securable(KINDS[thing[0]], thing[1]) for thing in sorted(self.model.owner)}
        return {thing: securable.id for thing, securable in found.items() if securable}


def _needed(thing: Thing, model: Model) -> list[tuple[str, Thing]]:
    """What reading and writing a thing from outside takes; for a schema, what making a table in it takes."""
    levels = {level[0]: level for level in {thing} | model.containers(thing)}
    passing = [(what, levels[kind]) for kind, what in second.USAGE.items() if kind in levels]
    location = ("external_location", LOCATIONS[1])
    if thing[0] == "schema":
        there = [("CREATE EXTERNAL TABLE", location), ("EXTERNAL USE LOCATION", location)]
        return [*passing, ("CREATE TABLE", thing), ("EXTERNAL USE SCHEMA", thing), *there]
    if thing[0] == "external_location":
        return [(what, thing) for what in ("READ FILES", "WRITE FILES", "EXTERNAL USE LOCATION")]
    of_data = sorted(second.VENDING.get((thing[0], True), second.OF_DATA.get(thing[0], set())))
    outside = [("EXTERNAL USE SCHEMA", levels["schema"])] if of_data else []
    return [*passing, *outside, *((what, thing) for what in of_data)]


def _pick(those: Sequence[T], number: int) -> T:
    return those[number % len(those)]


def _order(thing: Thing, identity: str, *, write: bool) -> tuple[str, Json] | None:
    kind, name = thing
    if kind == "table":
        order = {"table_id": identity, "operation": "READ_WRITE" if write else "READ"}
        return f"{UC}/temporary-table-credentials", order
    if kind == "volume":
        order = {"volume_id": identity, "operation": "WRITE_VOLUME" if write else "READ_VOLUME"}
        return f"{UC}/temporary-volume-credentials", order
    if kind == "external_location":
        order = {"url": f"s3://bucket-{name}/free", "operation": "PATH_READ_WRITE" if write else "PATH_READ"}
        return f"{UC}/temporary-path-credentials", order
    return None


@contextmanager
def fresh_catalog(server: Server | None = None) -> Iterator[Catalog]:
    """A catalog on a store of its own, behind the server when one is given."""
    with tempfile.TemporaryDirectory() as folder:
        made = Served(Path(folder), server) if server else Catalog(Path(folder))
        try:
            yield made
        finally:
            made.store.close()


def play(history: History, pair: Pair) -> None:
    """Set up the objects, then take the steps."""
    for thing in history.things:
        pair.found(thing)
    for step in history.steps:
        pair.step(step)


def test_the_workspace_decides_as_the_second_model(capsys: pytest.CaptureFixture[str]) -> None:
    counted = 0

    @settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
    @example(MANAGER_GIVES_AWAY)
    @example(ALL_ON_A_TABLE)
    @given(histories)
    def compare(history: History) -> None:
        nonlocal counted
        with fresh_catalog() as catalog:
            pair = Pair(catalog)
            play(history, pair)
            pair.compare_everything()
            pair.compare_requests()
            pair.compare_near_misses(history.nearly)
            counted += pair.count

    compare()
    with capsys.disabled():
        print(f"\n{counted} decisions compared, no difference")
    assert counted >= DECISIONS


def test_the_workspace_decides_so_over_http(capsys: pytest.CaptureFixture[str]) -> None:
    counted = 0

    @settings(max_examples=HTTP_HISTORIES, suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(histories)
    def compare(history: History) -> None:
        nonlocal counted
        with fresh_catalog(server) as catalog:
            pair = Pair(catalog)
            play(history, pair)
            pair.compare_requests()
            pair.compare_near_misses(history.nearly)
            counted += pair.count

    with Server() as server:
        compare()
    with capsys.disabled():
        print(f"\n{counted} decisions compared over HTTP, no difference")
    assert counted >= HTTP_DECISIONS
