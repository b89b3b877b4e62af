"""Curation on EMR Serverless: `curated/risk_factor_examples` by fiscal year, and `curated/training_snapshot`."""

from typing import Any

import dagster as dg

from govtune_assets import gates, payloads, provenance
from govtune_assets.access.preflight import require_access
from govtune_assets.assets.common import (
    CURATION_GROUP,
    OWNERS,
    access_table,
    as_dict,
    as_list,
    code_references,
    column_schema,
    counts_table,
    job_report,
    table_metadata,
)
from govtune_assets.keys import EXAMPLES, RAW_TABLE, SNAPSHOT, table_location, table_name
from govtune_assets.partitions import FISCAL_YEARS
from govtune_assets.resources.emr_serverless import EmrServerlessResource
from govtune_assets.resources.unity_catalog import UnityCatalogResource
from govtune_assets.settings import Settings

IDENTITY_COLUMNS = [
    ("example_id", "string", "Digest of the example's content and place: its identity"),
    ("task", "string", "T1: from a risk factor's body to its subcaption"),
    ("prompt", "string", "What the model reads"),
    ("completion", "string", "What the model is to write"),
]
TRACE_COLUMNS = [
    ("cik", "string", "Central Index Key of the filer, ten digits"),
    ("accession_number", "string", "EDGAR accession number of the filing"),
    ("fiscal_year", "int", "Fiscal year of the filing"),
    ("form_type", "string", "10-K or 10-Q"),
    ("risk_factor_index", "int", "Place of the risk factor in its filing, from 0"),
    ("char_start", "int", "Start of the body in raw.risk_factors.risk_factor_text"),
    ("char_end", "int", "End of the body in raw.risk_factors.risk_factor_text"),
    ("body_sha256", "string", "SHA-256 of the body as filed, before cleaning"),
    ("source_url", "string", "Address of the filing's primary document"),
    ("template_version", "string", "Version of the task's template"),
    ("cleaner_version", "string", "Version of cleaning and scrubbing"),
]
EXAMPLE_COLUMNS = [
    *IDENTITY_COLUMNS,
    ("ticker", "string", "Ticker of the filer"),
    ("fiscal_quarter", "int", "1 to 3 for a 10-Q, null for a 10-K"),
    ("pii_removed", "int", "Spans that were replaced by placeholders"),
    *TRACE_COLUMNS,
]
SNAPSHOT_COLUMNS = [
    *IDENTITY_COLUMNS,
    ("split", "string", "train, validation or test; a company is in one split only"),
    ("cluster_id", "string", "Cluster of duplicates that stays in one split"),
    *TRACE_COLUMNS,
]


def build_curation_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """The two assets that Spark makes."""
    return [_examples(settings), _snapshot(settings)]


def _examples(settings: Settings) -> dg.AssetsDefinition:
    name, location = table_name(settings, EXAMPLES), table_location(settings, EXAMPLES)
    code_version = payloads.spark_payload().digest

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
            **column_schema(EXAMPLE_COLUMNS),
            **code_references("spark/jobs/examples.py", "spark/entry.py"),
            "dagster/table_name": name,
            "dagster/uri": location,
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
            "source_table": table_name(settings, RAW_TABLE),
            "target_table": name,
            "target_location": location,
            "fiscal_year": int(year),
        }
        completed = emr_serverless.run(context, extras)
        report, version = job_report(completed)
        return dg.MaterializeResult(
            metadata={
                **table_metadata(
                    name=name, location=location, rows=int(report["rows"]), size_bytes=int(report["bytes"])
                ),
                "Dropped rows": counts_table("reason", as_dict(report["dropped"])),
                "Access": access_table(as_list(report["credentials"])),
                **_job_metadata(completed.metadata),
                **report,
            },
            data_version=dg.DataVersion(version),
        )

    return risk_factor_examples


def _snapshot(settings: Settings) -> dg.AssetsDefinition:
    name, location = table_name(settings, SNAPSHOT), table_location(settings, SNAPSHOT)
    # Other years are another snapshot, though the payload is the same.
    code_version = provenance.digest([payloads.spark_payload().digest, sorted(settings.snapshot_years)])[:16]

    @dg.asset(
        key=SNAPSHOT,
        deps=[dg.AssetDep(EXAMPLES, partition_mapping=dg.AllPartitionMapping())],
        description=(
            "The frozen training set over the declared fiscal years: split by company, in a fixed order, with a "
            "Merkle root over its rows. It takes only years whose gates have passed."
        ),
        group_name=CURATION_GROUP,
        kinds={"spark", "deltalake"},
        owners=OWNERS,
        pool="curated.training_snapshot",
        code_version=code_version,
        metadata={
            **column_schema(SNAPSHOT_COLUMNS),
            **code_references("spark/jobs/snapshot.py", "spark/entry.py"),
            "dagster/table_name": name,
            "dagster/uri": location,
        },
    )
    def training_snapshot(
        context: dg.AssetExecutionContext,
        emr_serverless: EmrServerlessResource,
        unity_catalog: UnityCatalogResource,
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        years = declared_years(context.instance, settings)
        sources = {year: provenance.latest(context.instance, EXAMPLES, year) for year in years}
        versions = {year: source.data_version for year, source in sources.items()}
        gates.require(context.instance, "The training snapshot", gates.consumed_years(versions))
        require_access(context, unity_catalog, settings)
        extras = {
            **_common_extras(context, settings, unity_catalog, code_version),
            "job": "snapshot",
            "source_table": table_name(settings, EXAMPLES),
            "target_table": name,
            "target_location": location,
            "fiscal_years": [int(year) for year in years],
            "source_versions": versions,
        }
        completed = emr_serverless.run(context, extras)
        report, version = job_report(completed)
        return dg.MaterializeResult(
            metadata={
                **table_metadata(
                    name=name, location=location, rows=int(report["rows"]), size_bytes=int(report["bytes"])
                ),
                "Rows by split": counts_table("split", as_dict(report["rows_by_split"])),
                "Rows by fiscal year": counts_table("fiscal year", as_dict(report["rows_by_year"])),
                "Access": access_table(as_list(report["credentials"])),
                "source_versions": dg.MetadataValue.json(versions),
                **_job_metadata(completed.metadata),
                **report,
            },
            data_version=dg.DataVersion(version),
        )

    return training_snapshot


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
    }


def _job_metadata(metadata: Any) -> dict[str, Any]:
    """The job run's id under a name that lineage reads, beside what the Pipes client says of it."""
    return {**metadata, "job_run_id": metadata["AWS EMR Serverless Job Run ID"]}
