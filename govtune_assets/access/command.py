"""`govtune access plan | apply | explain`: what each prints, and its exit status.

Exit status: 0 when nothing is different (or the principal is allowed), 2 when something is, so that a pipeline can
tell it from a failure, which is 1.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from govtune_assets.access.beyond import beyond
from govtune_assets.access.declaration import Stage, declared, locations, principals
from govtune_assets.access.differences import Difference, apply, differences
from govtune_assets.access.explanation import explain
from govtune_assets.access.facts import Facts, client
from govtune_assets.settings import Settings
from unitydoor.privileges import Action
from unitydoor.secrets import ServicePrincipal

ADMINISTRATOR = "GOVTUNE_ADMIN_CREDENTIALS_FILE"
DIFFERENT = 2
NO_DIFFERENCE = "No difference: the catalog holds what is declared."
ADVICE = "`govtune access apply` makes the grants, with --revoke it takes the surplus away."


@dataclass(frozen=True)
class Outcome:
    """What a command prints, and its exit status."""

    lines: tuple[str, ...]
    status: int = 0


def run_plan(settings: Settings, environment: Mapping[str, str]) -> Outcome:
    """Show what `apply` would do, and what it would not touch."""
    facts = administrator(settings, environment)
    found = differences(facts, settings)
    more = tuple(dict.fromkeys(entry for stage in Stage for entry in beyond(facts, settings, stage)))
    if not found and not more:
        return Outcome((NO_DIFFERENCE,))
    lines = _listed(found, settings)
    if found:
        lines.append(f"{_counted(found)}. {ADVICE}")
    lines += [f"! {entry}  -- {_stages(entry.principal, settings)}" for entry in more]
    if more:
        lines.append(f"{len(more)} beyond the declaration, which `govtune access apply` leaves: see who is meant to.")
    return Outcome(tuple(lines), DIFFERENT)


def run_apply(settings: Settings, environment: Mapping[str, str], revoke: bool = False) -> Outcome:
    """Make the missing grants, with `revoke` take the surplus ones away, and show each statement that was made."""
    facts = administrator(settings, environment)
    found = differences(facts, settings)
    made = tuple(entry for entry in found if entry.missing or revoke)
    apply(facts, made)
    lines = _listed(made, settings)
    if made or not found:
        granted = sum(entry.missing for entry in made)
        lines.append(f"{granted} granted, {len(made) - granted} revoked." if made else NO_DIFFERENCE)
    if left := len(found) - len(made):
        lines.append(f"{left} surplus grants are left as they are: `govtune access apply --revoke` takes them away.")
    return Outcome(tuple(lines))


def run_explain(
    settings: Settings, environment: Mapping[str, str], principal: str, action: Action, target: str, location: str
) -> Outcome:
    """Walk the chain of one action of a principal, which is named by stage or by application id.

    Asked as the administrator where one is configured, else as the stage's principal itself, whose own grants it may
    see.
    """
    ids = principals(settings)
    stage = next((stage for stage in Stage if principal in {stage, ids[stage]}), None)
    application_id = ids[stage] if stage else principal
    found = explain(
        _asked_as(settings, environment, stage), application_id, action, target, location, locations(settings)
    )
    mine = [grant.requirement for grant in declared(settings) if grant.stage == stage]
    title = f"{stage} ({application_id})" if stage else application_id
    lines = [f"{title}: {found.action} {target}".rstrip(), *found.lines()]
    if found.action is not action:
        lines.append(f"This holds while there is no {target}; to who asks, what is hidden looks the same.")
    if found.allowed:
        return Outcome((*lines, "Allowed."))
    lines.append(f"Refused: {len(found.missing)} missing, {len(found.untold)} not told.")
    lines += [f"  {statement}" for statement in found.statements(mine)]
    return Outcome(tuple(lines), DIFFERENT)


def administrator(settings: Settings, environment: Mapping[str, str]) -> Facts:
    """The catalog as its administrator, whose credentials lie in a file that the environment names.

    Raises:
        ValueError: no file is named, or it holds something else.
    """
    path = environment.get(ADMINISTRATOR)
    if not path:
        raise ValueError(
            f"{ADMINISTRATOR} is not set: name a JSON file with client_id and client_secret of a "
            "service principal that owns the catalog"
        )
    content = json.loads(Path(path).read_text())
    if not isinstance(content, dict) or not {"client_id", "client_secret"} <= set(content):
        raise ValueError(f"{path} is not a JSON object with client_id and client_secret")
    admin = ServicePrincipal(str(content["client_id"]), str(content["client_secret"]), "administrator")
    return Facts(client(settings.required("databricks_host"), admin))


def _asked_as(settings: Settings, environment: Mapping[str, str], stage: Stage | None) -> Facts:
    if environment.get(ADMINISTRATOR) or stage is None:
        return administrator(settings, environment)
    from govtune_assets.resources.aws import AwsResource
    from govtune_assets.resources.unity_catalog import UnityCatalogResource

    return UnityCatalogResource.from_settings(settings, AwsResource(region=settings.region)).own_facts(stage)


def _listed(found: tuple[Difference, ...], settings: Settings) -> list[str]:
    return [f"{entry.sign} {entry.statement()}  -- {_stages(entry.principal, settings)}" for entry in found]


def _stages(principal: str, settings: Settings) -> str:
    return ", ".join(stage for stage, known in principals(settings).items() if known == principal) or "not ours"


def _counted(found: tuple[Difference, ...]) -> str:
    missing = sum(entry.missing for entry in found)
    return f"{missing} missing, {len(found) - missing} surplus"
