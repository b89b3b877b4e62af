"""What the assets share: owners, groups, metadata for the Dagster UI, and how a job's report becomes a result."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.pipes.client import PipesClientCompletedInvocation

from govtune_assets import markdown
from govtune_assets.payloads import PROJECT_ROOT

OWNERS = ["team:govtune"]

FILINGS_GROUP = "filings"
CURATION_GROUP = "curation"


def training_group(configuration: str) -> str:
    """Group of a configuration's assets: in the graph their names differ by it alone."""
    return "training_" + re.sub(r"[^A-Za-z0-9]+", "_", configuration)


def code_references(*paths: str) -> dict[str, Any]:
    """Code references of an asset whose work is done in a payload: project files that the UI links to."""
    return {
        "dagster/code_references": dg.CodeReferencesMetadataValue(
            code_references=[
                dg.LocalFileCodeReference(file_path=str(PROJECT_ROOT / path), label=Path(path).name) for path in paths
            ]
        )
    }


def column_schema(columns: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    """Column schema of a table, from (name, type, comment)."""
    return {
        "dagster/column_schema": dg.TableSchema(
            columns=[dg.TableColumn(name, kind, description=comment) for name, kind, comment in columns]
        )
    }


def table_metadata(*, name: str, location: str, rows: int, size_bytes: int | None = None) -> dict[str, Any]:
    """The entries that the UI knows of a table: name, address, row count and size in bytes."""
    metadata: dict[str, Any] = {
        "dagster/table_name": name,
        "dagster/uri": location,
        "dagster/row_count": rows,
    }
    if size_bytes is not None:
        metadata["dagster/size_bytes"] = size_bytes
    return metadata


def counts_table(title: str, counts: Mapping[str, int]) -> dg.MarkdownMetadataValue:
    """Counts as a small table that the UI shows in place."""
    return dg.MetadataValue.md(markdown.table([title, "count"], sorted(counts.items())))


def access_table(credentials: Sequence[Mapping[str, str]]) -> dg.MarkdownMetadataValue:
    """Who asked the catalog for what, and until when: one row a vended credential, no secret."""
    columns = ("principal", "securable", "operation", "credential_id", "expires_at")
    rows = [[credential[column] for column in columns] for credential in credentials]
    return dg.MetadataValue.md(markdown.table(["principal", "securable", "operation", "credential", "expires"], rows))


def column_lineage(upstream: dg.AssetKey, made_of: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Which columns of `upstream` each column of a table is made of."""
    return {
        "dagster/column_lineage": dg.TableColumnLineage(
            {
                column: [dg.TableColumnDep(asset_key=upstream, column_name=name) for name in names]
                for column, names in made_of.items()
            }
        )
    }


def job_report(completed: PipesClientCompletedInvocation) -> tuple[dict[str, Any], str]:
    """What a payload reported of its one materialization: plain metadata and the data version.

    The last report counts: where a container was lost after its report, another made the artifact and reported again.

    Raises:
        dagster.Failure: the job succeeded without a report, so that nothing is known of what it made.
    """
    reported = completed.get_results(implicit_materializations=False)
    result = next((item for item in reversed(reported) if isinstance(item, dg.MaterializeResult)), None)
    if result is None or result.data_version is None or not result.metadata:
        raise dg.Failure(
            "The job ended well but reported no materialization: its payload is older than this orchestrator, "
            "or its messages could not be written (does the job's role allow s3:PutObject on its prefix of pipes/?)."
        )
    metadata = {name: getattr(value, "value", value) for name, value in result.metadata.items()}
    return metadata, result.data_version.value


def as_dict(value: Any) -> dict[str, Any]:
    """A reported JSON value as a dict, whether it travelled as an object or as text."""
    parsed = json.loads(value) if isinstance(value, str) else value
    return dict(parsed or {})


def as_list(value: Any) -> list[Any]:
    """A reported JSON value as a list, whether it travelled as a list, as an object's items or as text."""
    parsed = json.loads(value) if isinstance(value, str) else value
    return list(parsed or [])
