"""The check on grants: whether the catalog still holds what is declared, no less and no more."""

import dagster as dg

from govtune_assets import markdown, provenance
from govtune_assets.access.declaration import Stage
from govtune_assets.access.differences import Difference, differences_of
from govtune_assets.gates import DATA_VERSION
from govtune_assets.keys import SNAPSHOT
from govtune_assets.resources.unity_catalog import UnityCatalogResource
from govtune_assets.settings import Settings

NAME = "access_as_declared"
SHOWN = 50
"""Differences that are listed in the UI; `govtune access plan` shows all."""


def build_access_checks(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """The check, on the snapshot: what trains a model should be read and written by nobody else."""

    @dg.asset_check(
        asset=SNAPSHOT,
        name=NAME,
        description=(
            "The project's principals hold the declared grants in Unity Catalog, no less and no more. Each principal "
            "is asked about itself. It warns and blocks nothing: a missing grant stops the step that needs it."
        ),
        blocking=False,
    )
    def access_as_declared(
        context: dg.AssetCheckExecutionContext, unity_catalog: UnityCatalogResource
    ) -> dg.AssetCheckResult:
        asked = [stage for stage in Stage if unity_catalog.can_ask(stage)]
        found = [
            (stage, entry)
            for stage in asked
            for entry in differences_of(unity_catalog.own_facts(stage), settings, stage)
        ]
        silent = [stage for stage in Stage if stage not in asked]
        made = provenance.find_latest(context.instance, SNAPSHOT)
        return dg.AssetCheckResult(
            passed=not found and not silent,
            severity=dg.AssetCheckSeverity.WARN,
            description=_sentence(len(found), silent),
            metadata={
                "value": len(found),
                "threshold": 0,
                "Differences": dg.MetadataValue.md(_table(found)),
                **({DATA_VERSION: made.data_version} if made else {}),
            },
        )

    return [access_as_declared]


def _sentence(differences: int, silent: list[Stage]) -> str:
    words = f"{differences} grants differ from the declaration"
    if silent:
        words += f"; nobody could ask for the {' and the '.join(silent)} (GOVTUNE_PREFLIGHT_ROLE_ARN is not set)"
    return f"{words}. `govtune access apply` mends them." if differences else f"{words}."


def _table(found: list[tuple[Stage, Difference]]) -> str:
    rows = [
        ("missing" if entry.missing else "surplus", str(stage), entry.requirement.privilege, _where(entry))
        for stage, entry in found
    ]
    return markdown.bounded_table(("", "principal", "privilege", "on"), rows, SHOWN)


def _where(entry: Difference) -> str:
    return f"{entry.requirement.securable_type.lower()} {entry.requirement.name}".rstrip()
