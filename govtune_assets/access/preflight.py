"""Before a step spends anything, ask the catalog whether its principal may do all that the step needs.

Each principal is asked about itself: Unity Catalog tells others' grants only to who may also change them, and nobody
in the orchestrator may. docs/decisions/access.md says why, and what is left untold.
"""

from collections.abc import Iterable, Sequence

import dagster as dg

from govtune_assets.access.declaration import Grant, Need, Stage, declared, locations, needs, principals
from govtune_assets.access.explanation import Explanation, explain
from govtune_assets.resources.unity_catalog import UnityCatalogResource
from govtune_assets.settings import Settings
from train.config import TrainingConfiguration


class AccessMissing(dg.Failure):
    """A step's principal lacks a privilege; nothing was fetched, uploaded or submitted."""

    def __init__(self, step: str, stage: Stage, refused: Sequence[Explanation], statements: Sequence[str]):
        who = f"the {stage}, service principal {refused[0].principal}"
        what = "\n".join(f"- {line}" for found in refused for line in _missing(found))
        listing = "\n".join(statements)
        mend = f"Mend it with:\n{listing}\nor, where it is declared, with `govtune access apply`." if statements else ""
        super().__init__(
            f"{step} was not started: Unity Catalog would refuse {who}.\n{what}\n{mend}".rstrip(),
            metadata={
                "Missing": dg.MetadataValue.md(what),
                **({"Grants": dg.MetadataValue.md(f"```sql\n{listing}\n```")} if statements else {}),
            },
            allow_retries=False,
        )


def require_access(
    context: dg.AssetExecutionContext,
    catalog: UnityCatalogResource,
    settings: Settings,
    configurations: Iterable[TrainingConfiguration] = (),
) -> None:
    """Let the step go on only if the catalog would let its principal do all that the step needs.

    What the catalog does not tell is logged and left to the job itself, which the catalog refuses as well.

    Raises:
        AccessMissing: names each missing privilege and the statement that grants it.
    """
    steps = context.selected_asset_keys
    for stage, wanted in _by_stage(need for need in needs(settings, configurations) if need.step in steps).items():
        if not catalog.can_ask(stage):
            context.log.warning(
                f"Nobody asked whether the {stage} may do this job: GOVTUNE_PREFLIGHT_ROLE_ARN is not set. A missing "
                "grant will be found inside the job."
            )
            continue
        facts, principal = catalog.own_facts(stage), principals(settings)[stage]
        known = locations(settings)
        made = {step for step in steps if context.instance.get_latest_materialization_event(step) is not None}
        found = [
            explain(facts, principal, need.action, need.target, need.location, known, made=need.step in made)
            for need in wanted
        ]
        untold = sorted({f"{link.need} on {link.securable}" for answer in found for link in answer.untold})
        if untold:
            context.log.warning(f"The catalog does not tell whether the {stage} has {', '.join(untold)}.")
        refused = [answer for answer in found if answer.missing]
        if refused:
            names = " with ".join(sorted(step.to_user_string() for step in steps))
            raise AccessMissing(names, stage, refused, _statements(refused, declared(settings), stage))


def _by_stage(wanted: Iterable[Need]) -> dict[Stage, list[Need]]:
    found: dict[Stage, list[Need]] = {}
    for need in wanted:
        found.setdefault(need.stage, []).append(need)
    return found


def _missing(found: Explanation) -> list[str]:
    return [f"{found.action} {found.target}: {link.need} on {link.securable} is missing" for link in found.missing]


def _statements(refused: Iterable[Explanation], grants: Iterable[Grant], stage: Stage) -> list[str]:
    mine = [grant.requirement for grant in grants if grant.stage is stage]
    return list(dict.fromkeys(statement for found in refused for statement in found.statements(mine)))
