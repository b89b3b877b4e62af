"""What a principal has by a group, from above or by ownership; and what is hidden is not taken for absent."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from govtune_assets.access.beyond import beyond
from govtune_assets.access.declaration import Stage, declared, locations
from govtune_assets.access.differences import differences
from govtune_assets.access.explanation import Verdict, explain
from govtune_assets.access.facts import EVERYONE
from govtune_assets.settings import Settings
from tests.access.scripted import API, REFUSED, Answer, Told, workspace
from unitydoor.privileges import Action

SETTINGS = Settings(
    principal_loader="loader",
    principal_curator="curator",
    principal_trainer="trainer",
    principal_registrar="registrar",
    principal_auditor="auditor",
)
RAW = f"{API}/effective-permissions/schema/govtune.raw"
TABLE = "govtune.raw.risk_factors"


def assigned(grants: Iterable[tuple[str, str, str]]) -> Answer:
    """An answer of effective permissions: principal, privilege, and the catalog that it is inherited from or ""."""
    return 200, {
        "privilege_assignments": [
            {
                "principal": who,
                "privileges": [
                    {
                        "privilege": privilege,
                        **({"inherited_from_type": kind, "inherited_from_name": name} if kind else {}),
                    }
                ],
            }
            for who, privilege, above in grants
            for kind, _, name in [above.partition(" ")]
        ]
    }


def trainer_is_told(changes: dict[str, Answer]) -> Told:
    """What the trainer is told: nothing of others, and `changes`."""

    def told(path: str, query: dict[str, str]) -> Answer | None:
        if query.get("principal", "trainer") != "trainer":
            return changes.get(f"{path} {query['principal']}", REFUSED)
        return changes.get(path)

    return told


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({RAW: assigned([(EVERYONE, "SELECT", "")])}, ["SELECT on schema govtune.raw", "as a member of account users"]),
        (
            {RAW: assigned([]), f"{RAW} {EVERYONE}": assigned([(EVERYONE, "SELECT", "")])},
            ["SELECT on schema govtune.raw", "as a member of account users"],
        ),
        (
            {RAW: assigned([("trainer", "SELECT", "METASTORE m")])},
            ["SELECT on schema govtune.raw", "inherited from metastore m"],
        ),
        ({f"{API}/schemas/govtune.raw": (200, {"owner": "trainer"})}, ["OWNERSHIP on schema govtune.raw", "ownership"]),
    ],
)
def test_what_is_not_granted_to_the_principal_itself_is_seen(changes: dict[str, Answer], expected: list[str]) -> None:
    with workspace(trainer_is_told(changes), "trainer") as facts:
        (found,) = beyond(facts, SETTINGS, Stage.TRAINER)
    assert found.principal == "trainer" and all(words in str(found) for words in expected), found


def test_what_is_declared_and_what_is_granted_directly_is_left_to_the_differences() -> None:
    held = [
        ("trainer", "SELECT", ""),
        ("trainer", "MODIFY", ""),
        ("trainer", "MODIFY", "CATALOG govtune"),
        # By a group too, but no more than is declared.
        ("readers", "SELECT", ""),
    ]
    changes = {f"{API}/effective-permissions/schema/govtune.curated": assigned(held)}
    with workspace(trainer_is_told(changes), "trainer") as facts:
        assert beyond(facts, SETTINGS, Stage.TRAINER) == ()


def test_a_group_of_the_principal_is_asked_about() -> None:
    def told(path: str, query: dict[str, str]) -> Answer | None:
        if path.endswith("/ServicePrincipals") and query["filter"] == 'applicationId eq "trainer"':
            return 200, {"Resources": [{"groups": [{"display": "readers"}]}]}
        if path.startswith(f"{API}/effective-permissions/"):
            mine = query["principal"] == "readers" and path == RAW
            return assigned([("readers", "SELECT", "")] if mine else [])
        return None

    with workspace(told, "administrator") as facts:
        (found,) = beyond(facts, SETTINGS, Stage.TRAINER)
    assert str(found) == "SELECT on schema govtune.raw of trainer: granted, as a member of readers"


@pytest.mark.parametrize(("owner", "found"), [("loader", 0), ("registrar", 1), ("somebody", 1)])
def test_a_table_of_the_project_belongs_to_its_maker(owner: str, found: int) -> None:
    def told(path: str, query: dict[str, str]) -> Answer | None:
        entry = {"full_name": TABLE, "owner": owner}
        if path == f"{API}/tables":
            return 200, {"tables": [entry] if query["schema_name"] == "raw" else []}
        return (200, entry) if path == f"{API}/tables/{TABLE}" else assigned([])

    with workspace(told, "administrator") as facts:
        seen = beyond(facts, SETTINGS, Stage.TRAINER)
    assert [entry.principal for entry in seen] == [owner] * found


@pytest.mark.parametrize("listing", ["tables", "models"])
def test_a_plan_is_not_made_of_what_could_not_be_listed(listing: str) -> None:
    """Everything as declared, but for a listing that is refused."""

    def told(path: str, query: dict[str, str]) -> Answer | None:
        if path == f"{API}/{listing}":
            return REFUSED
        if path.startswith(f"{API}/permissions/"):
            kind, name = path.removeprefix(f"{API}/permissions/").split("/")
            return 200, {"privilege_assignments": held(kind.upper().replace("_", " "), "" if name == "m" else name)}
        return 200, {}

    def held(kind: str, name: str) -> list[dict[str, object]]:
        return [
            {"principal": str(grant.stage), "privileges": [grant.requirement.privilege.replace(" ", "_")]}
            for grant in declared(SETTINGS)
            if (grant.requirement.securable_type, grant.requirement.name) == (kind, name)
        ]

    with workspace(told, "administrator") as facts, pytest.raises(ValueError, match="what is in it are shown to"):
        differences(facts, SETTINGS)


def test_a_hidden_table_that_was_made_before_is_not_taken_for_one_to_make() -> None:
    """Its owner was changed: to the loader it looks as if it were not there."""
    held = [(grant.requirement.privilege, grant.requirement) for grant in declared(SETTINGS)]

    def told(path: str, query: dict[str, str]) -> Answer | None:
        if path == f"{API}/external-locations":
            return 200, {}
        kind, _, name = path.removeprefix(f"{API}/effective-permissions/").partition("/")
        wanted = kind.upper().replace("_", " "), name
        mine = [privilege for privilege, on in held if (on.securable_type, on.name) == wanted]
        return assigned([("loader", privilege, "") for privilege in mine]) if mine else None

    asked = ("loader", Action.WRITE_TABLE, TABLE, "s3://govtune-lake/raw/delta/risk_factors", locations(SETTINGS))
    with workspace(told, "loader") as facts:
        new, old = explain(facts, *asked), explain(facts, *asked, made=True)
    assert new.allowed and new.action is Action.CREATE_TABLE
    assert not old.allowed and [link.securable for link in old.untold] == [f"table {TABLE}"]
    assert "dropped, or another owns it" in old.untold[0].by and old.untold[0].verdict is Verdict.UNTOLD
