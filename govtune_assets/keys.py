"""Names: asset keys and what they are called in Unity Catalog and in S3.

Asset keys mirror Unity Catalog names, so that the graph reads like the catalog.
"""

import dagster as dg

from govtune_assets.settings import Settings
from train.config import TrainingConfiguration

RAW_FILINGS = dg.AssetKey(["raw_filings"])
RAW_TABLE = dg.AssetKey(["raw", "risk_factors"])
EXAMPLES = dg.AssetKey(["curated", "risk_factor_examples"])
SNAPSHOT = dg.AssetKey(["curated", "training_snapshot"])
DATASET_VERSIONS = dg.AssetKey(["curated", "dataset_versions"])
EVALUATIONS = dg.AssetKey(["ml", "evaluations"])

RAW_JSON_PREFIX = "raw/risk_factors"
"""Prefix of the filings' JSON objects; Delta tables never live under it."""


def adapter_key(configuration: str) -> dg.AssetKey:
    """Asset key of the LoRA adapter of a training configuration."""
    return dg.AssetKey(["ml", configuration, "lora_adapter"])


def model_key(configuration: str) -> dg.AssetKey:
    """Asset key of the registered model of a training configuration."""
    return dg.AssetKey(["ml", configuration, "risk_factor_model"])


def table_name(settings: Settings, key: dg.AssetKey) -> str:
    """Full Unity Catalog name of a table asset: `catalog.schema.table`."""
    schema, table = key.path
    return f"{settings.catalog}.{schema}.{table}"


def table_location(settings: Settings, key: dg.AssetKey) -> str:
    """S3 address of a table asset's Delta folder."""
    schema, table = key.path
    return f"s3://{settings.lake_bucket}/{schema}/delta/{table}"


def model_name(settings: Settings, configuration: TrainingConfiguration) -> str:
    """Full Unity Catalog name of a configuration's registered model."""
    return f"{settings.catalog}.ml.{configuration.registered_model}"


def filing_object_key(record: dict[str, object]) -> str:
    """S3 key of a filing's JSON object, in the partition layout of the raw zone.

    `raw/risk_factors/form_type=10-K/fiscal_year=2024/cik=0000320193/risk_factors.json`, with `quarter=N`
    between year and CIK for Form 10-Q. Amendments, of which one report may have several, have folders of their own:
    `form_type=10-K-A`, and `accession=…` after the CIK.
    """
    form = str(record["form_type"])
    quarter = f"quarter={record['fiscal_quarter']}/" if form.startswith("10-Q") else ""
    amendment = f"accession={record['accession_number']}/" if form.endswith("/A") else ""
    return (
        f"{RAW_JSON_PREFIX}/form_type={form.replace('/', '-')}/fiscal_year={record['fiscal_year']}/"
        f"{quarter}cik={record['cik']}/{amendment}risk_factors.json"
    )


def report_object_key(fiscal_year: int) -> str:
    """S3 key of the report on a year's collection. Readers of folders pass over names with an underscore."""
    return f"{RAW_JSON_PREFIX}/_reports/fiscal_year={fiscal_year}.json"
