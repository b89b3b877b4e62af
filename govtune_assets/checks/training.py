"""Model gates: on the adapter before it is registered, and on the registered version's lineage."""

import math

import dagster as dg

from govtune_assets import gates, lineage, provenance
from govtune_assets.checks.common import Gate, Verdict, build_gate
from govtune_assets.gates import DATA_VERSION
from govtune_assets.keys import model_key, model_name
from govtune_assets.lineage import Node
from govtune_assets.provenance import Materialized
from govtune_assets.resources.unity_catalog import UnityCatalogResource
from govtune_assets.settings import Settings
from train.config import TrainingConfiguration


def build_training_checks(settings: Settings, configuration: TrainingConfiguration) -> list[dg.AssetChecksDefinition]:
    """The gates of one configuration's adapter and model."""
    fell, better = gates.adapter_gates(configuration.name)
    return [
        build_gate(Gate(fell, "The validation loss fell during training.", evaluation_loss_fell)),
        build_gate(
            Gate(
                better,
                "The tuned model beats its base by ROUGE-L on companies that it never saw.",
                lambda made: tuned_beats_base(made, settings.minimum_rouge_gain),
            )
        ),
        _lineage_complete(settings, configuration),
    ]


def evaluation_loss_fell(made: Materialized) -> Verdict:
    """Loss after training is finite and below the loss before it."""
    before, after = float(made.metadata["loss_before"]), float(made.metadata["loss_after"])
    return Verdict(
        math.isfinite(after) and after < before,
        after,
        before,
        f"Validation loss went from {before:.3f} to {after:.3f}.",
    )


def tuned_beats_base(made: Materialized, gain: float) -> Verdict:
    """ROUGE-L of the tuned model exceeds the base model's by more than `gain`."""
    base, tuned = float(made.metadata["rouge_l_base"]), float(made.metadata["rouge_l_tuned"])
    return Verdict(tuned > base + gain, tuned, base + gain, f"ROUGE-L is {tuned:.3f}, of the base model {base:.3f}.")


def _lineage_complete(settings: Settings, configuration: TrainingConfiguration) -> dg.AssetChecksDefinition:
    key, name = model_key(configuration.name), model_name(settings, configuration)

    @dg.asset_check(
        asset=key,
        name="lineage_complete",
        description="Unity Catalog holds every edge from the raw table to the model version, with its versions.",
        blocking=True,
    )
    def lineage_complete(
        context: dg.AssetCheckExecutionContext, unity_catalog: UnityCatalogResource
    ) -> dg.AssetCheckResult:
        model = provenance.latest(context.instance, key)
        version = str(model.metadata["model_version"])
        # What was written then, not what the newest data would give: the check must hold for the version for ever.
        expected = lineage.from_json(model.metadata["lineage"])
        found = lineage.read_upstream(unity_catalog.workspace("registrar"), Node("model_version", name, version))
        absent = lineage.missing(expected, found)
        return dg.AssetCheckResult(
            passed=not absent,
            description=f"{len(expected) - len(absent)} of {len(expected)} edges are in the catalog.",
            metadata={
                "value": len(expected) - len(absent),
                "threshold": len(expected),
                "Missing": ", ".join(f"{edge.source.name} -> {edge.target.name}" for edge in absent) or "none",
                DATA_VERSION: model.data_version,
            },
        )

    return lineage_complete
