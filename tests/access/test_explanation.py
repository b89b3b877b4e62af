"""`govtune access explain` on a real workspace: what gives a privilege, what is missing, and that it is the truth."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from databricks.sdk.errors.base import DatabricksError

from govtune_assets import cli, lineage
from govtune_assets.access.command import ADMINISTRATOR
from govtune_assets.access.declaration import Stage, declared, locations
from govtune_assets.access.explanation import EXTERNAL_ACCESS, Explanation, Verdict, explain
from govtune_assets.lineage import Job, Node, Step
from tests.access.conftest import COLUMNS, Access, door
from unitydoor.privileges import Action, Refused, Requirement
from unitydoor.transport import CatalogError

pytestmark = pytest.mark.integration

ZONE = "s3://govtune-lake/raw/risk_factors"


def ask(access: Access, stage: Stage, action: Action, target: str, location: str = "") -> Explanation:
    """The administrator's and the stage's own explanation, which agree."""
    given = (access.id(stage), action, target, location, locations(access.settings))
    as_admin, as_itself = explain(access.admin, *given), explain(access.catalog.own_facts(stage), *given)
    assert [link.verdict for link in as_admin.links] == [link.verdict for link in as_itself.links]
    return as_admin


def by(found: Explanation, need: str) -> str:
    """What the table says of a privilege."""
    (link,) = [link for link in found.links if link.need == need]
    return link.cells[2]


def missing(found: Explanation) -> list[str]:
    """The privileges that are missing."""
    return [link.need for link in found.missing]


def test_grants_are_found_on_the_securable_and_above_it(access: Access, table: str) -> None:
    found = ask(access, Stage.CURATOR, Action.READ_TABLE, table)
    assert found.allowed and found.statements() == []
    assert by(found, EXTERNAL_ACCESS) == "switched on"
    assert by(found, "USE CATALOG") == by(found, "EXTERNAL USE SCHEMA") == "granted"
    assert by(found, "SELECT") == "inherited from schema govtune.raw"


def test_all_privileges_gives_all_but_external_use_and_manage(access: Access, table: str) -> None:
    trainer = access.id(Stage.TRAINER)
    access.grant(trainer, "ALL PRIVILEGES", "CATALOG", "govtune")
    found = ask(access, Stage.TRAINER, Action.WRITE_TABLE, table)
    assert by(found, "MODIFY") == "ALL PRIVILEGES, inherited from catalog govtune"
    assert missing(found) == ["EXTERNAL USE SCHEMA"]
    assert found.statements() == [f"GRANT EXTERNAL USE SCHEMA ON SCHEMA `govtune`.`raw` TO `{trainer}`;"]
    with pytest.raises(Refused, match="EXTERNAL USE SCHEMA"):
        door(access, Stage.TRAINER).vend_table(table, "READ_WRITE")


def test_an_owner_needs_no_grant_but_external_use(access: Access, table: str) -> None:
    found = ask(access, Stage.LOADER, Action.WRITE_TABLE, table)
    assert found.allowed and by(found, "MODIFY") == by(found, "SELECT") == "ownership"
    access.revoke(access.id(Stage.LOADER), "EXTERNAL USE SCHEMA", "SCHEMA", "govtune.raw")
    assert missing(ask(access, Stage.LOADER, Action.WRITE_TABLE, table)) == ["EXTERNAL USE SCHEMA"]


def test_managing_a_table_is_not_reading_it(access: Access, table: str) -> None:
    access.grant(access.id(Stage.REGISTRAR), "MANAGE", "TABLE", table)
    access.revoke(access.id(Stage.REGISTRAR), "SELECT", "SCHEMA", "govtune.raw")
    assert missing(ask(access, Stage.REGISTRAR, Action.LINEAGE_FROM_TABLE, table)) == ["SELECT"]


def test_switched_off_external_access_is_named_and_no_grant_mends_it(access: Access, table: str) -> None:
    path = f"/api/2.1/unity-catalog/metastores/{access.admin.workspace.metastores.current().metastore_id}"
    access.admin.workspace.api_client.do("PATCH", path, body={"external_access_enabled": False})
    try:
        found = explain(access.catalog.own_facts(Stage.CURATOR), access.id(Stage.CURATOR), Action.READ_TABLE, table)
    finally:
        access.admin.workspace.api_client.do("PATCH", path, body={"external_access_enabled": True})
    assert missing(found) == [EXTERNAL_ACCESS] and found.statements() == []
    assert "administrator switches it on" in by(found, EXTERNAL_ACCESS)


def test_what_is_not_there_is_written_by_making_it(access: Access, capsys: pytest.CaptureFixture[str]) -> None:
    name, at = "govtune.curated.not_yet", "s3://govtune-lake/curated/delta/not_yet"
    found = ask(access, Stage.CURATOR, Action.WRITE_TABLE, name, at)
    assert found.action is Action.CREATE_TABLE and found.allowed
    model = ask(access, Stage.REGISTRAR, Action.CREATE_MODEL_VERSION, "govtune.ml.not_yet")
    assert model.action is Action.CREATE_MODEL and model.allowed
    assert cli.main(["access", "explain", "curator", "write-table", name, "--location", at]) == 0
    assert "This holds while there is no govtune.curated.not_yet" in capsys.readouterr().out
    reading = ask(access, Stage.TRAINER, Action.READ_TABLE, name)
    assert by(reading, "SELECT") == "inherited from schema govtune.curated; the object does not exist yet"


def test_browse_on_the_catalog_is_enough_for_lineage(access: Access, table: str) -> None:
    assert missing(ask(access, Stage.TRAINER, Action.READ_LINEAGE, table)) == ["USE SCHEMA", "SELECT"]
    access.grant(access.id(Stage.TRAINER), "BROWSE", "CATALOG", "govtune")
    assert [link.need for link in ask(access, Stage.TRAINER, Action.READ_LINEAGE, table).links] == ["BROWSE"]


def test_another_principal_is_not_told(access: Access, table: str) -> None:
    """The auditor sees nobody's grants but its own: neither held nor missing, and so not allowed."""
    found = explain(access.catalog.own_facts(Stage.AUDITOR), access.id(Stage.CURATOR), Action.READ_TABLE, table)
    assert {link.verdict for link in found.links if link.requirement} == {Verdict.UNTOLD}
    assert not found.allowed and found.missing == () and found.statements() == []


def test_a_hidden_external_location_is_named_as_it_was_declared(access: Access) -> None:
    for grant in declared(access.settings):
        if grant.stage is Stage.LOADER and grant.requirement.securable_type == "EXTERNAL LOCATION":
            access.take(grant.stage, grant.requirement)
    found = ask(access, Stage.LOADER, Action.WRITE_PATH, ZONE)
    assert missing(found) == ["EXTERNAL USE LOCATION", "READ FILES", "WRITE FILES"]
    assert found.statements()[1] == (
        f"GRANT READ FILES ON EXTERNAL LOCATION `govtune_raw_json` TO `{access.id(Stage.LOADER)}`;"
    )


def test_the_command_shows_the_chain_and_the_declared_grant(
    access: Access, table: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """SELECT is declared on the schema, so that the statement names the schema; no administrator is needed."""
    monkeypatch.delenv(ADMINISTRATOR)
    command = ["access", "explain", "curator", "read-table", table]
    assert cli.main(command) == 0
    assert capsys.readouterr().out.endswith("Allowed.\n")
    access.revoke(access.id(Stage.CURATOR), "SELECT", "SCHEMA", "govtune.raw")
    assert cli.main(command) == 2
    shown = capsys.readouterr().out.splitlines()
    assert next(line.split() for line in shown if "SELECT" in line) == ["table", table, "SELECT", "MISSING"]
    assert shown[-1] == f"  GRANT SELECT ON SCHEMA `govtune`.`raw` TO `{access.id(Stage.CURATOR)}`;"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trainer", "read-table", "govtune.raw"], "not a name of 3 parts"),
        (["trainer", "read-path", "govtune.raw.t"], "takes an address"),
        (["loader", "create-table", "govtune.raw.t"], "needs the table's address"),
        (["trainer", "read-table", "govtune.raw.a/b"], "no space, slash"),
    ],
)
def test_what_cannot_be_asked_is_said(
    access: Access, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["access", "explain", *words]) == 1
    assert said in capsys.readouterr().err


Act = Callable[[], object]


def acts(access: Access, stage: Stage) -> list[tuple[Action, str, str, Act]]:
    """What each stage does with the catalog: the action to explain with target and address, and the act itself."""
    entered, short = door(access, stage), f"probe_{uuid.uuid4().hex[:8]}"

    def creation(schema: str) -> tuple[Action, str, str, Act]:
        name, at = f"govtune.{schema}.{short}", f"s3://govtune-lake/{schema}/delta/{short}"

        def create() -> None:
            entered.vend_path(at, "PATH_CREATE_TABLE")
            entered.create_external_delta_table(name, at, COLUMNS)
            access.admin.workspace.tables.delete(name)

        return Action.CREATE_TABLE, name, at, create

    def reading(name: str) -> tuple[Action, str, str, Act]:
        return Action.READ_TABLE, name, "", lambda: entered.vend_table(name, "READ")

    def path(action: Action, operation: str) -> tuple[Action, str, str, Act]:
        return action, ZONE, "", lambda: entered.vend_path(ZONE, operation)

    own = access.catalog.own_facts(stage).workspace

    def model() -> None:
        own.registered_models.create(catalog_name="govtune", schema_name="ml", name=short)
        access.admin.workspace.registered_models.delete(f"govtune.ml.{short}")

    def edge(source: Node, target: Node) -> None:
        job = Job(Node("job", short + uuid.uuid4().hex[:4]), "test", "https://example.com", {})
        lineage.write(own, lineage.chain([Step(source, job, target, {}, {})]))

    tables = {schema: f"govtune.{schema}.kept" for schema in ("raw", "curated", "ml")}
    raw, curated = (Node("table", tables[schema]) for schema in ("raw", "curated"))
    return {
        Stage.LOADER: [
            path(Action.READ_PATH, "PATH_READ"),
            path(Action.WRITE_PATH, "PATH_READ_WRITE"),
            creation("raw"),
        ],
        Stage.CURATOR: [reading(tables["raw"]), creation("curated")],
        Stage.TRAINER: [reading(tables["curated"]), creation("ml")],
        Stage.AUDITOR: [reading(name) for name in tables.values()],
        Stage.REGISTRAR: [
            (Action.CREATE_MODEL, f"govtune.ml.{short}", "", model),
            (Action.LINEAGE_FROM_TABLE, raw.name, "", lambda: edge(raw, curated)),
            (Action.LINEAGE_FROM_TABLE, curated.name, "", lambda: edge(curated, curated)),
        ],
    }[stage]


@pytest.fixture
def kept(access: Access) -> None:
    """A table in each schema, made once for the tests below."""
    for stage, schema in ((Stage.LOADER, "raw"), (Stage.CURATOR, "curated"), (Stage.TRAINER, "ml")):
        name = f"govtune.{schema}.kept"
        if not access.admin.exists("TABLE", name):
            at = f"s3://govtune-lake/{schema}/delta/kept"
            door(access, stage).create_external_delta_table(name, at, COLUMNS)


@pytest.mark.parametrize("stage", Stage)
def test_what_is_explained_is_what_happens(access: Access, kept: None, stage: Stage) -> None:
    """Each declared grant taken away: the explanation names it alone, and the catalog refuses just what it says."""
    mine = [grant.requirement for grant in declared(access.settings) if grant.stage is stage]
    done = acts(access, stage)
    for requirement in mine:
        access.take(stage, requirement)
        mend = requirement.grant_statement(access.id(stage))
        refused = [refusal(access, stage, mine, asked) for asked in done]
        assert set().union(*refused) == {mend}, f"{requirement} was taken away"
        access.grant(access.id(stage), requirement.privilege, requirement.securable_type, requirement.name)


def refusal(access: Access, stage: Stage, mine: list[Requirement], asked: tuple[Action, str, str, Act]) -> set[str]:
    """The statements that the explanation of an act gives, none if and only if the act is let through."""
    action, target, location, act = asked
    wanted = [(action, target, location)]
    if action is Action.LINEAGE_FROM_TABLE:  # an edge has two ends and a job
        wanted += [(Action.LINEAGE_INTO_TABLE, "govtune.curated.kept", ""), (Action.CREATE_EXTERNAL_METADATA, "", "")]
    chain = [explain(access.admin, access.id(stage), *each) for each in wanted]
    try:
        act()
    except (Refused, CatalogError, DatabricksError) as error:
        assert not all(found.allowed for found in chain), f"{action} {target} was refused: {error}"
    else:
        assert all(found.allowed for found in chain), f"{action} {target} was allowed"
    return {statement for found in chain for statement in found.statements(mine)}
