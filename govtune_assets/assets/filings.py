"""From EDGAR to the raw table: `raw_filings` (JSON objects) and `raw/risk_factors` (an external Delta table)."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import dagster as dg
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from govtune_assets import collection_report, gates, payloads, provenance
from govtune_assets.access.preflight import require_access
from govtune_assets.assets.common import (
    FILINGS_GROUP,
    OWNERS,
    access_table,
    code_references,
    column_schema,
    table_metadata,
)
from govtune_assets.edgar import Progress, Skip, SkipReason
from govtune_assets.keys import (
    RAW_FILINGS,
    RAW_JSON_PREFIX,
    RAW_TABLE,
    filing_object_key,
    table_location,
    table_name,
)
from govtune_assets.partitions import FISCAL_YEARS
from govtune_assets.progress import Throttle
from govtune_assets.raw_table import COLUMNS, arrow_table, content_root
from govtune_assets.raw_zone import RawZone
from govtune_assets.resources.edgar import EdgarResource
from govtune_assets.resources.unity_catalog import UnityCatalogResource
from govtune_assets.settings import Settings
from unitydoor.catalog import Catalog
from unitydoor.columns import from_spark_json
from unitydoor.vending import Grant

COLLECTING_SOURCES = ("govtune_assets/extraction", "govtune_assets/edgar", "govtune_assets/raw_zone.py")

RAW_COLUMNS = [(name, str(kind), comment) for name, kind, comment in COLUMNS]


def build_filing_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """The two assets of the raw zone."""
    return [_raw_filings(settings), _raw_table(settings)]


def _raw_filings(settings: Settings) -> dg.AssetsDefinition:
    zone_url = f"s3://{settings.lake_bucket}/{RAW_JSON_PREFIX}"

    @dg.asset(
        key=RAW_FILINGS,
        description=(
            "Risk factors (Item 1A) of each 10-K and 10-Q of a fiscal year, fetched from EDGAR and extracted: "
            "one JSON object a filing in S3, written with a credential that Unity Catalog vends to the loader."
        ),
        group_name=FILINGS_GROUP,
        kinds={"s3", "json"},
        owners=OWNERS,
        partitions_def=FISCAL_YEARS,
        backfill_policy=dg.BackfillPolicy.multi_run(1),
        code_version=payloads.source_digest(*COLLECTING_SOURCES),
        metadata={
            **column_schema(RAW_COLUMNS),
            **code_references("govtune_assets/edgar/__init__.py", "govtune_assets/extraction/__init__.py"),
            "dagster/uri": zone_url,
            "EDGAR": dg.MetadataValue.url(settings.edgar_www_url),
        },
    )
    def raw_filings(
        context: dg.AssetExecutionContext, edgar: EdgarResource, unity_catalog: UnityCatalogResource
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        require_access(context, unity_catalog, settings)
        year = int(context.partition_key)
        collection = edgar.collect(year, _Progress(context))
        _refuse_incomplete(year, collection.skips)
        if not collection.filings:
            raise dg.Failure(
                f"No filing of fiscal year {year} could be extracted from {settings.edgar_www_url}: "
                f"{len(collection.skips)} were skipped. Choose another year or another source.",
                metadata={"Skipped": _skips(collection.skips)},
                allow_retries=False,
            )
        grant = unity_catalog.door("loader").vend_path(zone_url, "PATH_READ_WRITE")
        zone = RawZone(grant.session(settings.region).client("s3"), settings.lake_bucket)
        tally = collection_report.Tally()
        size = zone.replace_year(year, tally.watch(collection.records))
        report = zone.write_report(year, collection_report.report(collection))
        rows = len(collection.filings)
        return dg.MaterializeResult(
            metadata={
                **table_metadata(name="raw_filings", location=zone_url, rows=rows, size_bytes=size),
                **collection_report.tables(collection, tally),
                "Access": access_table([grant.record()]),
                **collection_report.figures(collection, tally),
                "Report": report,
                "Example object": f"s3://{settings.lake_bucket}/{filing_object_key(collection.records[0])}",
                "credentials": dg.MetadataValue.json([grant.record()]),
            },
            data_version=dg.DataVersion(tally.data_version),
        )

    return raw_filings


def _raw_table(settings: Settings) -> dg.AssetsDefinition:
    name, location = table_name(settings, RAW_TABLE), table_location(settings, RAW_TABLE)

    @dg.asset(
        key=RAW_TABLE,
        deps=[RAW_FILINGS],
        description=(
            "External Delta table in Unity Catalog with a row a filing. A fiscal year is replaced atomically, "
            "with credentials vended for this one table."
        ),
        group_name=FILINGS_GROUP,
        kinds={"deltalake", "databricks"},
        owners=OWNERS,
        partitions_def=FISCAL_YEARS,
        backfill_policy=dg.BackfillPolicy.multi_run(1),
        code_version=payloads.source_digest("govtune_assets/raw_table.py", "govtune_assets/raw_zone.py"),
        pool="raw.risk_factors",
        metadata={
            **column_schema(RAW_COLUMNS),
            **code_references("govtune_assets/raw_table.py", "govtune_assets/raw_zone.py"),
            "dagster/table_name": name,
            "dagster/uri": location,
        },
    )
    def raw_risk_factors(
        context: dg.AssetExecutionContext, unity_catalog: UnityCatalogResource
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        require_access(context, unity_catalog, settings)
        year = int(context.partition_key)
        _require_gates(context)
        door = unity_catalog.door("loader")
        source = door.vend_path(f"s3://{settings.lake_bucket}/{RAW_JSON_PREFIX}", "PATH_READ")
        zone = RawZone(source.session(settings.region).client("s3"), settings.lake_bucket)
        digests: list[str] = []
        rows = arrow_table(_noting(digests, zone.read_year(year)))
        version = provenance.digest_of_digests(digests)
        _refuse_changed_objects(context, version)
        grants, delta_version, size = _write_year(door, settings, name, location, year, rows)
        accesses = [grant.record() for grant in (source, *grants)]
        return dg.MaterializeResult(
            metadata={
                **table_metadata(name=name, location=location, rows=len(digests), size_bytes=size),
                "delta_version": delta_version,
                "content_root": content_root(rows),
                "Access": access_table(accesses),
                "credentials": dg.MetadataValue.json(accesses),
            },
            data_version=dg.DataVersion(version),
        )

    return raw_risk_factors


def _noting(digests: list[str], records: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The records as they come, the digest of each added to `digests`."""
    for record in records:
        digests.append(provenance.digest_of_record(record))
        yield record


def _require_gates(context: dg.AssetExecutionContext) -> None:
    """A year that lacks too much, or failed too often, does not replace a better one in the table."""
    year = context.partition_key
    version = provenance.latest(context.instance, RAW_FILINGS, year).data_version
    consumed = gates.Consumed(gates.FILINGS_GATES, version, year)
    gates.require(context.instance, f"The raw table's fiscal year {year}", [consumed])


def _refuse_changed_objects(context: dg.AssetExecutionContext, version: str) -> None:
    """The raw zone must hold what `raw_filings` recorded: nobody else writes there."""
    recorded = provenance.latest(context.instance, RAW_FILINGS, context.partition_key).data_version
    if recorded != version:
        raise dg.Failure(
            f"The objects of fiscal year {context.partition_key} differ from what raw_filings recorded "
            f"({version[:12]} instead of {recorded[:12]}): somebody changed the raw zone, or a run was cut off. "
            "Materialize raw_filings for this year again.",
            allow_retries=False,
        )


def _write_year(
    door: Catalog, settings: Settings, name: str, location: str, year: int, rows: pa.Table
) -> tuple[list[Grant], int, int]:
    """Replace the year's rows in one Delta commit; register the table when it is new.

    Returns the credentials, the table's new version, and the size of the year's files in bytes.
    """
    exists = door.table_exists(name)
    grant = door.vend_table(name, "READ_WRITE") if exists else door.vend_path(location, "PATH_CREATE_TABLE")
    options = grant.storage_options(settings.region)
    if not DeltaTable.is_deltatable(location, options):
        write_deltalake(location, rows.slice(0, 0), partition_by=["fiscal_year"], storage_options=options)
    write_deltalake(
        location,
        rows,
        mode="overwrite",
        predicate=f"fiscal_year = {year:d}",
        storage_options=options,
    )
    table = DeltaTable(location, storage_options=options)
    if not exists:
        comments = {column: comment for column, _, comment in COLUMNS}
        schema = table.schema().to_json()
        door.create_external_delta_table(
            name, location, from_spark_json(_with_comments(schema, comments), ("fiscal_year",))
        )
    return [grant], table.version(), _bytes_of_year(table, year)


def _bytes_of_year(table: DeltaTable, year: int) -> int:
    files = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    return sum(file["size_bytes"] for file in files if file["partition.fiscal_year"] == year)


def _with_comments(schema: str, comments: dict[str, str]) -> dict[str, Any]:
    struct: dict[str, Any] = json.loads(schema)
    for field in struct["fields"]:
        field["metadata"] = {**field.get("metadata", {}), "comment": comments[field["name"]]}
    return struct


def _refuse_incomplete(year: int, skips: Sequence[Skip]) -> None:
    """What could not be downloaded may be there in a minute: a year without it would replace a whole one."""
    failed = [skip for skip in skips if skip.reason is SkipReason.DOWNLOAD_FAILED]
    if failed:
        raise dg.Failure(
            f"{len(failed)} downloads of fiscal year {year} failed, so the year was left as it is. Materialize it "
            "again: what was fetched is in the cache.",
            metadata={"Failed downloads": _skips(failed)},
        )


def _skips(skips: Sequence[Skip]) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(collection_report.skips_table(skips))


class _Progress:
    """Writes the collection's progress into the run's log, now and then."""

    def __init__(self, context: dg.AssetExecutionContext):
        self._context = context
        self._throttle = Throttle()

    def __call__(self, progress: Progress) -> None:
        if self._throttle.is_due(progress):
            self._context.log.info(str(progress))
