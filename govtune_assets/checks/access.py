"""The check on grants: whether the catalog still holds what is declared, no less and no more, as far as it tells."""

import dagster as dg

from govtune_assets import markdown, provenance
from govtune_assets.access.beyond import Beyond, beyond
from govtune_assets.access.declaration import Stage, principals
from govtune_assets.access.differences import Difference, differences_of
from govtune_assets.access.facts import Facts
from govtune_assets.gates import DATA_VERSION
from govtune_assets.keys import SNAPSHOT
from govtune_assets.resources.unity_catalog import UnityCatalogResource
from govtune_assets.settings import Settings

NAME = "access_as_declared"
Row = tuple[str, str, str, str, str]
"""How it differs, whose, which privilege, on what, and by what."""
SHOWN = 50
"""Differences that are listed in the UI; `govtune access plan` shows all."""


def build_access_checks(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """The check, on the snapshot: what trains a model should be read and written by nobody else."""

    @dg.asset_check(
        asset=SNAPSHOT,
        name=NAME,
        description=(
            "The project's principals hold the declared grants in Unity Catalog, no less and no more. Each principal "
            "is asked about itself: grants to it, what it inherits, what it owns, and grants to its groups where the "
            "catalog shows them to a member. It does not see what is hidden from all of them: other groups' grants, "
            "and those of anybody else; `govtune access plan` asks as an administrator. It warns and blocks nothing: "
            "a missing grant stops the step that needs it."
        ),
        blocking=False,
    )
    def access_as_declared(
        context: dg.AssetCheckExecutionContext, unity_catalog: UnityCatalogResource
    ) -> dg.AssetCheckResult:
        asked = [stage for stage in Stage if unity_catalog.can_ask(stage)]
        rows = [row for stage in asked for row in _rows(unity_catalog.own_facts(stage), settings, stage)]
        found = list(dict.fromkeys(rows))
        silent = [stage for stage in Stage if stage not in asked]
        made = provenance.find_latest(context.instance, SNAPSHOT)
        return dg.AssetCheckResult(
            passed=not found and not silent,
            severity=dg.AssetCheckSeverity.WARN,
            description=_sentence(found, silent),
            metadata={
                "value": len(found),
                "threshold": 0,
                "Differences": dg.MetadataValue.md(_table(found)),
                **({DATA_VERSION: made.data_version} if made else {}),
            },
        )

    return [access_as_declared]


def _rows(facts: Facts, settings: Settings, stage: Stage) -> list[Row]:
    """What differs for a stage's principal, as it is told itself."""
    rows = [
        ("missing" if entry.missing else "surplus", str(stage), entry.requirement.privilege, _where(entry), "grant")
        for entry in differences_of(facts, settings, stage)
    ]
    names = {principal: str(known) for known, principal in principals(settings).items()}
    return rows + [
        ("beyond", names.get(entry.principal, entry.principal), entry.requirement.privilege, _where(entry), entry.by)
        for entry in beyond(facts, settings, stage)
    ]


def _sentence(found: list[Row], silent: list[Stage]) -> str:
    past = sum(row[0] == "beyond" for row in found)
    words = f"{len(found) - past} grants differ from the declaration"
    if past:
        words += f", and {past} privileges come by a group, from above or by ownership"
    if silent:
        words += f"; nobody could ask for the {' and the '.join(silent)} (GOVTUNE_PREFLIGHT_ROLE_ARN is not set)"
    return f"{words}. `govtune access plan` shows what mends them." if found else f"{words}."


def _table(found: list[Row]) -> str:
    return markdown.bounded_table(("", "principal", "privilege", "on", "by"), found, SHOWN)


def _where(entry: Difference | Beyond) -> str:
    return f"{entry.requirement.securable_type.lower()} {entry.requirement.name}".rstrip()
