"""`govtune access plan` and `apply` on a real workspace: both directions, and nothing of anybody else's."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from govtune_assets import cli
from govtune_assets.access.command import ADMINISTRATOR
from govtune_assets.access.declaration import Stage, declared
from govtune_assets.access.differences import Difference, NotApplied, apply, compare, differences, differences_of
from govtune_assets.access.facts import Facts, client
from govtune_assets.settings import Settings
from tests.access.conftest import Access
from unitydoor.privileges import Requirement
from unitydoor.secrets import ServicePrincipal, load_principal

pytestmark = pytest.mark.integration

SELECT = Requirement("SELECT", "SCHEMA", "govtune.raw")


def told(found: Sequence[Difference]) -> set[tuple[str, str, str]]:
    return {(entry.sign, entry.principal, str(entry.requirement)) for entry in found}


def test_a_seeded_cloud_has_no_difference(access: Access, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["access", "plan"]) == 0
    assert capsys.readouterr().out == "No difference: the catalog holds what is declared.\n"


def test_plan_shows_both_directions_and_apply_revokes_only_when_told_to(
    access: Access, table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    curator, trainer = access.id(Stage.CURATOR), access.id(Stage.TRAINER)
    access.take(Stage.CURATOR, SELECT)
    access.grant(trainer, "MODIFY", "SCHEMA", "govtune.curated")
    access.grant(trainer, "SELECT", "TABLE", table)
    access.grant(trainer, "CREATE CATALOG", "METASTORE", "")
    shown = [
        f"+ GRANT SELECT ON SCHEMA `govtune`.`raw` TO `{curator}`;  -- curator",
        f"- REVOKE CREATE CATALOG ON METASTORE FROM `{trainer}`;  -- trainer",
        f"- REVOKE MODIFY ON SCHEMA `govtune`.`curated` FROM `{trainer}`;  -- trainer",
        f"- REVOKE SELECT ON TABLE `{table.replace('.', '`.`')}` FROM `{trainer}`;  -- trainer",
    ]
    assert cli.main(["access", "plan"]) == 2
    advice = "`govtune access apply` makes the grants, with --revoke it takes the surplus away."
    assert capsys.readouterr().out.splitlines() == [*shown, f"1 missing, 3 surplus. {advice}"]
    assert cli.main(["access", "apply"]) == 0
    left = "3 surplus grants are left as they are: `govtune access apply --revoke` takes them away."
    assert capsys.readouterr().out.splitlines() == [shown[0], "1 granted, 0 revoked.", left]
    assert cli.main(["access", "plan"]) == 2
    assert capsys.readouterr().out.splitlines() == [*shown[1:], f"0 missing, 3 surplus. {advice}"]
    assert cli.main(["access", "apply", "--revoke"]) == 0
    assert capsys.readouterr().out.splitlines() == [*shown[1:], "0 granted, 3 revoked."]
    assert cli.main(["access", "plan"]) == 0


def test_others_grants_and_other_securables_are_left_alone(access: Access) -> None:
    stranger, catalog = access.stranger(), "not_ours"
    workspace = access.admin.workspace
    workspace.catalogs.create(name=catalog)
    try:
        access.grant(stranger, "SELECT", "SCHEMA", "govtune.raw")
        access.grant(access.id(Stage.TRAINER), "USE CATALOG", "CATALOG", catalog)
        assert differences(access.admin, access.settings) == ()
        access.take(Stage.CURATOR, SELECT)
        apply(access.admin, differences(access.admin, access.settings))
        assert (stranger, SELECT) in access.admin.granted("SCHEMA", "govtune.raw")
        assert access.admin.granted("CATALOG", catalog)
    finally:
        access.revoke(stranger, "SELECT", "SCHEMA", "govtune.raw")
        workspace.catalogs.delete(catalog, force=True)


def test_each_principal_sees_its_own_part_of_the_difference(access: Access, table: str) -> None:
    access.take(Stage.CURATOR, SELECT)
    access.grant(access.id(Stage.TRAINER), "USE SCHEMA", "SCHEMA", "govtune.raw")
    access.grant(access.id(Stage.TRAINER), "MODIFY", "TABLE", table)
    seen = {stage: differences_of(access.catalog.own_facts(stage), access.settings, stage) for stage in Stage}
    assert {stage for stage, found in seen.items() if found} == {Stage.CURATOR, Stage.TRAINER}
    together = [entry for found in seen.values() for entry in found]
    assert told(together) == told(differences(access.admin, access.settings))


def test_a_principal_that_holds_nothing_lacks_all_that_is_declared_for_it(access: Access) -> None:
    mine = [grant.requirement for grant in declared(access.settings) if grant.stage is Stage.TRAINER]
    for requirement in mine:
        access.take(Stage.TRAINER, requirement)
    found = differences_of(access.catalog.own_facts(Stage.TRAINER), access.settings, Stage.TRAINER)
    assert {entry.requirement for entry in found if entry.missing} == set(mine)
    assert len(found) == len(mine)


def test_who_may_not_grant_is_told_what_was_not_made(access: Access) -> None:
    access.take(Stage.CURATOR, SELECT)
    found = differences(access.admin, access.settings)
    loader = access.catalog.own_facts(Stage.LOADER)
    with pytest.raises(NotApplied, match=r"Not made:\n  GRANT SELECT ON SCHEMA `govtune`.`raw` TO"):
        apply(loader, found)
    assert differences(access.admin, access.settings) == found


def test_who_may_not_see_grants_is_told_so(
    access: Access, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The loader's own credentials in place of an administrator's: no plan, rather than an empty one."""
    principal = load_principal("databricks/loader", client=access.catalog.aws.client("secretsmanager"))
    path = tmp_path / "loader.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps({"client_id": principal.client_id, "client_secret": principal.client_secret}))
    monkeypatch.setenv(ADMINISTRATOR, str(path))
    assert cli.main(["access", "plan"]) == 1
    shown = capsys.readouterr()
    assert shown.out == "" and "does not exist, or is hidden from who asks" in shown.err
    assert principal.client_secret not in shown.err


def test_without_an_administrator_the_variable_is_named(
    access: Access, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(ADMINISTRATOR)
    assert cli.main(["access", "apply"]) == 1
    assert f"{ADMINISTRATOR} is not set" in capsys.readouterr().err


def test_a_catalog_that_is_not_there_is_named(access: Access) -> None:
    settings = Settings(catalog="nonesuch")
    with pytest.raises(ValueError, match="catalog nonesuch does not exist, or is hidden"):
        differences(access.admin, settings)


def test_two_stages_may_be_one_principal() -> None:
    use, read = Requirement("USE CATALOG", "CATALOG", "c"), Requirement("SELECT", "SCHEMA", "c.s")
    wanted = [("one", use), ("one", read)]
    assert compare(wanted, [("one", use), ("other", read)], ["one"]) == (Difference("one", read, True),)


def test_a_secret_is_in_no_repr(access: Access) -> None:
    principal = ServicePrincipal("id", "very-secret", "test")
    assert "very-secret" not in repr(Facts(client(os.environ["GOVTUNE_DATABRICKS_HOST"], principal)))
