"""The table `ml/evaluations` as an asset: what the training jobs measured, a partition for each configuration.

The job writes the table itself, so Dagster materializes nothing here: the adapter's step reports what was written.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from govtune_assets import evaluations, model_report, provenance
from govtune_assets.assets.common import OWNERS, as_list, code_references, column_schema, table_metadata
from govtune_assets.keys import EVALUATIONS, adapter_key, table_location, table_name
from govtune_assets.settings import Settings
from train.config import TrainingConfiguration
from train.evaluations_table import COLUMNS

GROUP = "evaluations"


def build_evaluation_assets(settings: Settings, configurations: Sequence[TrainingConfiguration]) -> list[dg.AssetSpec]:
    """The one table of all configurations; none where there is no configuration to train."""
    if not configurations:
        return []
    names = [configuration.name for configuration in configurations]
    return [
        dg.AssetSpec(
            EVALUATIONS,
            deps=[adapter_key(name) for name in names],
            description=(
                "A row for each figure of each trained adapter, its base model and the baselines: by split, task and "
                "metric, with 95% bootstrap intervals over companies. The training job writes it; a partition is a "
                "training configuration. The gate `not_under_champion` reads the champion's figures here."
            ),
            group_name=GROUP,
            kinds={"deltalake", "sagemaker"},
            owners=OWNERS,
            partitions_def=dg.StaticPartitionsDefinition(names),
            metadata={
                **column_schema(list(COLUMNS)),
                **code_references("train/evaluations_table.py", "train/evaluate.py"),
                "dagster/table_name": table_name(settings, EVALUATIONS),
                "dagster/uri": table_location(settings, EVALUATIONS),
            },
        )
    ]


def materialization(
    settings: Settings, configuration: TrainingConfiguration, report: Mapping[str, Any], adapter: str
) -> dg.AssetMaterialization:
    """What a training job wrote of its evaluation, from its report; `adapter` is the adapter's data version."""
    figures = evaluations.parse(as_list(report["evaluation"]))
    rows = len(figures)
    version = provenance.digest({"adapter": adapter, "figures": as_list(report["evaluation"])})
    return dg.AssetMaterialization(
        asset_key=EVALUATIONS,
        partition=configuration.name,
        metadata={
            **table_metadata(
                name=table_name(settings, EVALUATIONS), location=table_location(settings, EVALUATIONS), rows=rows
            ),
            "delta_version": int(report["evaluations_version"]),
            **model_report.charts(figures),
            "Figures": dg.MetadataValue.md(model_report.all_figures(figures)),
            "Differences": dg.MetadataValue.md(model_report.differences(figures)),
            "adapter_version": adapter,
        },
        tags={"dagster/data_version": version},
    )
