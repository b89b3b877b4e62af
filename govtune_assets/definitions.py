"""Assembly of the Dagster definitions: one function, which is also the seam that tests use."""

import warnings
from collections.abc import Mapping
from typing import Any

import dagster as dg

from govtune_assets.assets.curated import build_curation_assets
from govtune_assets.assets.evaluations import build_evaluation_assets
from govtune_assets.assets.filings import build_filing_assets
from govtune_assets.assets.training import build_training_assets
from govtune_assets.checks.access import build_access_checks
from govtune_assets.checks.audit import build_audit_checks
from govtune_assets.checks.curated import build_curation_checks
from govtune_assets.checks.filings import build_filing_checks
from govtune_assets.checks.training import build_training_checks
from govtune_assets.resources.aws import AwsResource
from govtune_assets.resources.edgar import EdgarResource
from govtune_assets.resources.emr_serverless import EmrServerlessResource
from govtune_assets.resources.sagemaker import SageMakerResource
from govtune_assets.resources.unity_catalog import UnityCatalogResource
from govtune_assets.settings import Settings
from train.config import TrainingConfiguration, load_all


def build_defs(settings: Settings | None = None, resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The project's definitions.

    Args:
        settings: where things are; by default what the environment says.
        resource_overrides: resources by name that stand in place of those that the settings describe.

    Raises:
        ValueError: the settings name a training configuration that does not exist.
    """
    # Dagster is pinned, so its notes that an interface may change say nothing new at each load.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return _assemble(settings or Settings(), resource_overrides or {})


def _assemble(settings: Settings, resource_overrides: Mapping[str, Any]) -> dg.Definitions:
    configurations = _configurations(settings)
    assets: list[dg.AssetsDefinition | dg.AssetSpec] = [
        *build_filing_assets(settings),
        *build_curation_assets(settings),
        *build_evaluation_assets(settings, configurations),
    ]
    checks = [*build_filing_checks(settings), *build_curation_checks(settings), *build_access_checks(settings)]
    for configuration in configurations:
        assets += build_training_assets(settings, configuration)
        checks += build_training_checks(settings, configuration)
    checks += build_audit_checks(settings, configurations)
    return dg.Definitions(
        assets=assets,
        asset_checks=checks,
        resources={**_resources(settings), **resource_overrides},
        executor=dg.in_process_executor,
    )


def _resources(settings: Settings) -> dict[str, Any]:
    aws = AwsResource(region=settings.region)
    return {
        "edgar": EdgarResource.from_settings(settings),
        "unity_catalog": UnityCatalogResource.from_settings(settings, aws),
        "emr_serverless": EmrServerlessResource.from_settings(settings, aws),
        "sagemaker": SageMakerResource.from_settings(settings, aws),
    }


def _configurations(settings: Settings) -> list[TrainingConfiguration]:
    known = load_all(settings.training_configuration_folder)
    wanted = settings.training_configurations or tuple(name for name, found in known.items() if found.enabled)
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        raise ValueError(
            f"GOVTUNE_TRAINING_CONFIGURATIONS names {', '.join(unknown)} "
            f"which {settings.training_configuration_folder} lacks; it has {', '.join(known)}."
        )
    return [known[name] for name in wanted]


@dg.definitions
def defs() -> dg.Definitions:
    """What Dagster loads."""
    return build_defs()
