"""Curation on EMR Serverless: `curated/risk_factor_examples` by fiscal year, and `curated/training_snapshot` over all
years with `curated/dataset_versions`, which one job writes together.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from govtune_assets import dataset_report, gates, payloads, provenance
from govtune_assets.access.preflight import require_access
from govtune_assets.assets.common import (
    CURATION_GROUP,
    OWNERS,
    access_table,
    as_dict,
    as_list,
    code_references,
    column_lineage,
    column_schema,
    job_report,
    table_metadata,
)
from govtune_assets.checks.common import recorded
from govtune_assets.keys import DATASET_VERSIONS, EXAMPLES, RAW_TABLE, SNAPSHOT, table_location, table_name
from govtune_assets.partitions import FISCAL_YEARS
from govtune_assets.resources.emr_serverless import EmrServerlessResource
from govtune_assets.resources.unity_catalog import UnityCatalogResource
from govtune_assets.settings import Settings
from spark import columns
from spark.column_lineage import EXAMPLES_FROM_RAW, SNAPSHOT_FROM_EXAMPLES


def build_curation_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """What Spark makes: the examples, and in one step the snapshot and its version."""
    return [_examples(settings), _snapshot(settings)]


def _examples(settings: Settings) -> dg.AssetsDefinition:
    # What makes other rows of the same input and payload: a filing that is listed anew decides which of equal bodies is
    # kept, another detector scrubs other spans.
    choices = [sorted(settings.benchmark_filings), settings.pii_detector]
    code_version = provenance.digest([payloads.spark_payload().digest, *choices])[:16]

    @dg.asset(
        key=EXAMPLES,
        deps=[RAW_TABLE],
        description=(
            "Instruction pairs out of the risk factors of a fiscal year, cleaned, scrubbed of PII and without "
            "exact duplicates; each row names its filing, risk factor and character span."
        ),
        group_name=CURATION_GROUP,
        kinds={"spark", "deltalake"},
        owners=OWNERS,
        partitions_def=FISCAL_YEARS,
        backfill_policy=dg.BackfillPolicy.multi_run(1),
        pool="curated.risk_factor_examples",
        code_version=code_version,
        metadata={
            **column_schema(columns.EXAMPLES),
            **column_lineage(RAW_TABLE, EXAMPLES_FROM_RAW),
            **code_references("spark/jobs/examples.py", "spark/entry.py"),
            "dagster/table_name": table_name(settings, EXAMPLES),
            "dagster/uri": table_location(settings, EXAMPLES),
        },
    )
    def risk_factor_examples(
        context: dg.AssetExecutionContext,
        emr_serverless: EmrServerlessResource,
        unity_catalog: UnityCatalogResource,
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        year = context.partition_key
        source = provenance.latest(context.instance, RAW_TABLE, year)
        consumed = gates.Consumed(gates.RAW_GATES, source.data_version, year)
        gates.require(context.instance, f"Curation of fiscal year {year}", [consumed])
        require_access(context, unity_catalog, settings)
        extras = {
            **_common_extras(context, settings, unity_catalog, code_version),
            "job": "examples",
            **_tables(settings, source=RAW_TABLE, target=EXAMPLES),
            "fiscal_year": int(year),
            "benchmark_filings": list(settings.benchmark_filings),
            "pii_detector": settings.pii_detector,
            "source_content": recorded(source, "content_root"),
        }
        completed = emr_serverless.run(context, extras)
        report, version = job_report(completed)
        return dg.MaterializeResult(
            metadata={
                **_table_metadata(settings, EXAMPLES, report),
                **column_lineage(RAW_TABLE, EXAMPLES_FROM_RAW),
                **dataset_report.year_tables(report),
                "Access": access_table(as_list(report["credentials"])),
                **_job_metadata(completed.metadata),
                **report,
            },
            data_version=dg.DataVersion(version),
        )

    return risk_factor_examples


def _snapshot(settings: Settings) -> dg.AssetsDefinition:
    # Other years, or other filings that must not train, are another snapshot, though the payload is the same.
    choices = [
        sorted(settings.snapshot_years),
        sorted(settings.benchmark_filings),
        settings.data_thresholds.shared_grams,
    ]
    code_version = provenance.digest([payloads.spark_payload().digest, *choices])[:16]

    @dg.multi_asset(
        name="training_snapshot",
        specs=[_snapshot_spec(settings, code_version), _versions_spec(settings, code_version)],
        pool="curated.training_snapshot",
    )
    def training_snapshot(
        context: dg.AssetExecutionContext,
        emr_serverless: EmrServerlessResource,
        unity_catalog: UnityCatalogResource,
    ) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
        years = declared_years(context.instance, settings)
        sources = {year: provenance.latest(context.instance, EXAMPLES, year) for year in years}
        versions = {year: source.data_version for year, source in sources.items()}
        gates.require(context.instance, "The training snapshot", gates.consumed_years(versions))
        require_access(context, unity_catalog, settings)
        extras = {
            **_common_extras(context, settings, unity_catalog, code_version),
            "job": "snapshot",
            "asset_key": SNAPSHOT.to_user_string(),
            **_tables(settings, source=EXAMPLES, target=SNAPSHOT, versions=DATASET_VERSIONS),
            "fiscal_years": [int(year) for year in years],
            "source_versions": versions,
            "raw_table": table_name(settings, RAW_TABLE),
            "raw_versions": {year: str(source.metadata["source_delta_version"]) for year, source in sources.items()},
            "benchmark_filings": list(settings.benchmark_filings),
            "most_13gram_share": settings.data_thresholds.shared_grams,
            "description": settings.dataset_description,
        }
        completed = emr_serverless.run(context, extras)
        report, version = job_report(completed)
        yield dg.MaterializeResult(
            asset_key=SNAPSHOT,
            metadata={
                **_table_metadata(settings, SNAPSHOT, report),
                **dataset_report.tables(report),
                **column_lineage(EXAMPLES, SNAPSHOT_FROM_EXAMPLES),
                "Access": access_table(as_list(report["credentials"])),
                "source_versions": dg.MetadataValue.json(versions),
                **_job_metadata(completed.metadata),
                **report,
            },
            data_version=dg.DataVersion(version),
        )
        yield _version_result(settings, report)

    return training_snapshot


def _snapshot_spec(settings: Settings, code_version: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        SNAPSHOT,
        deps=[dg.AssetDep(EXAMPLES, partition_mapping=dg.AllPartitionMapping())],
        description=(
            "The frozen training set over the declared fiscal years: without near-duplicates, split by company and "
            "year, in a fixed order, with a Merkle root over its rows. It takes only years whose gates have passed."
        ),
        group_name=CURATION_GROUP,
        kinds={"spark", "deltalake"},
        owners=OWNERS,
        code_version=code_version,
        metadata={
            **column_schema(columns.SNAPSHOT),
            **column_lineage(EXAMPLES, SNAPSHOT_FROM_EXAMPLES),
            **code_references("spark/jobs/snapshot.py", "spark/entry.py"),
            "dagster/table_name": table_name(settings, SNAPSHOT),
            "dagster/uri": table_location(settings, SNAPSHOT),
        },
    )


def _versions_spec(settings: Settings, code_version: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        DATASET_VERSIONS,
        deps=[SNAPSHOT],
        description=(
            "A row for each version of the training set: what it holds, what it was made of, what changed since the "
            "version before. The snapshot's own stage writes it, and only when the content is new."
        ),
        group_name=CURATION_GROUP,
        kinds={"spark", "deltalake"},
        owners=OWNERS,
        code_version=code_version,
        metadata={
            **column_schema(columns.VERSIONS),
            **code_references("spark/manifest.py", "spark/jobs/snapshot.py"),
            "dagster/table_name": table_name(settings, DATASET_VERSIONS),
            "dagster/uri": table_location(settings, DATASET_VERSIONS),
        },
    )


def _version_result(settings: Settings, report: Mapping[str, Any]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """What the snapshot's job reported of the version; the data version is the manifest's digest."""
    manifest = as_dict(report["manifest"])
    changes = as_dict(manifest["changes"])
    return dg.MaterializeResult(
        asset_key=DATASET_VERSIONS,
        metadata={
            **table_metadata(
                name=table_name(settings, DATASET_VERSIONS),
                location=table_location(settings, DATASET_VERSIONS),
                rows=int(manifest["version"]),
            ),
            "version": int(manifest["version"]),
            "merkle_root": manifest["snapshot"]["merkle_root"],
            "created_at": manifest["created_at"],
            **{kind: int(changes[kind]) for kind in columns.KINDS},
            "Changes": dg.MetadataValue.md(dataset_report.changes_table(changes)),
            "Manifest": str(report["manifest_url"]),
            "manifest": dg.MetadataValue.json(manifest),
        },
        data_version=dg.DataVersion(provenance.digest(manifest)),
    )


def _table_metadata(settings: Settings, key: dg.AssetKey, report: Mapping[str, Any]) -> dict[str, Any]:
    name, location = table_name(settings, key), table_location(settings, key)
    return table_metadata(name=name, location=location, rows=int(report["rows"]), size_bytes=int(report["bytes"]))


def _tables(settings: Settings, **keys: dg.AssetKey) -> dict[str, str]:
    """Name and location of the tables that a job reads and writes, by their part in it."""
    named = {f"{part}_table": table_name(settings, key) for part, key in keys.items()}
    return named | {f"{part}_location": table_location(settings, key) for part, key in keys.items()}


def declared_years(instance: dg.DagsterInstance, settings: Settings) -> list[str]:
    """Fiscal years that the snapshot takes: those of the configuration, else the materialized ones.

    Raises:
        dagster.Failure: there is none.
    """
    years = sorted(settings.snapshot_years) or provenance.materialized_years(instance, EXAMPLES)
    if not years:
        raise dg.Failure(
            "No fiscal year of curated/risk_factor_examples is materialized: materialize one, "
            "or name years in GOVTUNE_SNAPSHOT_YEARS.",
            allow_retries=False,
        )
    return years


def _common_extras(
    context: dg.AssetExecutionContext,
    settings: Settings,
    unity_catalog: UnityCatalogResource,
    code_version: str,
) -> dict[str, Any]:
    return {
        "catalog_host": unity_catalog.host,
        "secret_id": unity_catalog.secret_id("curator"),
        "region": settings.region,
        "code_version": code_version,
        "run_id": context.run.run_id,
        "openlineage_url": settings.openlineage_url,
    }


def _job_metadata(metadata: Any) -> dict[str, Any]:
    """The job run's id under a name that lineage reads, beside what the Pipes client says of it."""
    return {**metadata, "job_run_id": metadata["AWS EMR Serverless Job Run ID"]}
