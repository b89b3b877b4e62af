"""The declared grants against the needs of the code: nothing is lacking, and nothing is too much."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from govtune_assets.access.declaration import Grant, Need, Stage, declared, locations, needs
from govtune_assets.definitions import build_defs
from govtune_assets.settings import Settings
from train.config import load_all
from unitydoor.privileges import Action, Requirement, for_action, implied_by_ownership, narrowest

SETTINGS = Settings()
CONFIGURATIONS = tuple(found for found in load_all(SETTINGS.training_configuration_folder).values() if found.enabled)
NEEDS = needs(SETTINGS, CONFIGURATIONS)
MAKES = {Action.WRITE_TABLE: Action.CREATE_TABLE, Action.CREATE_MODEL_VERSION: Action.CREATE_MODEL}
"""What is made by an action when it is not there: its maker owns it."""


def unmet(need: Need, grants: Iterable[Grant]) -> list[Requirement]:
    """What the grants do not give of a need, by inheritance and by ownership of what the stage itself makes."""
    mine = {grant.requirement for grant in grants if grant.stage is need.stage}
    covering = narrowest(need.location or need.target, locations(SETTINGS))
    actions = [need.action, *([MAKES[need.action]] if need.action in MAKES else [])]
    wanted = [requirement for action in actions for requirement in for_action(action, need.target, covering)[0]]
    owned = {other.target for other in NEEDS if other.stage is need.stage and other.action in MAKES}
    return [
        requirement
        for requirement in wanted
        if not (requirement.name in owned and implied_by_ownership(requirement.privilege))
        and not any(_gives(grant, requirement) for grant in mine)
    ]


def _gives(grant: Requirement, wanted: Requirement) -> bool:
    inherited = wanted.name == grant.name or wanted.name.startswith(f"{grant.name}.")
    return grant.privilege == wanted.privilege and inherited


def test_no_need_is_unmet() -> None:
    for need in NEEDS:
        assert unmet(need, declared(SETTINGS)) == [], need


@pytest.mark.parametrize("grant", declared(SETTINGS), ids=lambda grant: f"{grant.stage}: {grant.requirement}")
def test_no_grant_can_be_taken_away(grant: Grant) -> None:
    left = [other for other in declared(SETTINGS) if other != grant]
    assert len(left) == len(declared(SETTINGS)) - 1, "declared twice"
    assert [need for need in NEEDS if unmet(need, left)], f"{grant} is needed by nothing"


def test_nobody_may_change_grants_or_has_more_than_single_privileges() -> None:
    privileges = {grant.requirement.privilege for grant in declared(SETTINGS)}
    assert not privileges & {"MANAGE", "ALL PRIVILEGES"}


def test_who_writes_lineage_is_never_vended_a_credential() -> None:
    held = {grant.requirement.privilege for grant in declared(SETTINGS) if grant.stage is Stage.REGISTRAR}
    assert not held & {"EXTERNAL USE SCHEMA", "EXTERNAL USE LOCATION"}


def test_every_asset_says_what_it_needs() -> None:
    """The table of evaluations is no step: training writes it."""
    steps = build_defs(SETTINGS).resolve_asset_graph().materializable_asset_keys
    assert {need.step for need in NEEDS if need.step} == set(steps)
