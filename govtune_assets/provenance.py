"""What past materializations recorded, read back in one way, and content digests.

Everything that looks at the event log for what was consumed, by whom and in which version belongs here.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from dagster import AssetRecordsFilter

INPUT_VERSION = "dagster/input_data_version/"


@dataclass(frozen=True)
class Materialized:
    """The newest materialization of an asset or of one of its partitions."""

    key: dg.AssetKey
    partition: str | None
    run_id: str
    timestamp: float
    data_version: str
    code_version: str | None
    metadata: Mapping[str, Any]
    input_versions: Mapping[str, str] = field(default_factory=dict)
    """Data version of each input that was consumed, by asset key, as Dagster recorded it."""


class NotMaterialized(dg.Failure):
    """An asset or partition that a stage consumes has never been materialized."""

    def __init__(self, key: dg.AssetKey, partition: str | None):
        where = f"{key.to_user_string()}" + (f", fiscal year {partition}" if partition else "")
        super().__init__(f"{where} has no materialization: materialize it first.", allow_retries=False)


def latest(instance: dg.DagsterInstance, key: dg.AssetKey, partition: str | None = None) -> Materialized:
    """The newest materialization of `key` (of `partition`).

    Raises:
        NotMaterialized: there is none.
    """
    found = find_latest(instance, key, partition)
    if found is None:
        raise NotMaterialized(key, partition)
    return found


def find_latest(instance: dg.DagsterInstance, key: dg.AssetKey, partition: str | None = None) -> Materialized | None:
    """The newest materialization of `key` (of `partition`), or None."""
    records_filter = AssetRecordsFilter(asset_key=key, asset_partitions=[partition] if partition else None)
    records = instance.fetch_materializations(records_filter, limit=1).records
    if not records or records[0].asset_materialization is None:
        return None
    record, event = records[0], records[0].asset_materialization
    tags = event.tags or {}
    return Materialized(
        key=key,
        partition=partition,
        run_id=record.event_log_entry.run_id,
        timestamp=record.timestamp,
        data_version=tags.get("dagster/data_version", ""),
        code_version=tags.get("dagster/code_version"),
        metadata={name: plain(value) for name, value in event.metadata.items()},
        input_versions={
            name.removeprefix(INPUT_VERSION): version
            for name, version in tags.items()
            if name.startswith(INPUT_VERSION)
        },
    )


def plain(value: Any) -> Any:
    """A metadata value as the plain Python value that was reported."""
    return getattr(value, "value", value)


def materialized_years(instance: dg.DagsterInstance, key: dg.AssetKey) -> list[str]:
    """Fiscal years of which `key` has a materialization, ascending."""
    return sorted(instance.get_materialized_partitions(key))


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON of `value`, as hexadecimal."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of_record(record: Mapping[str, Any]) -> str:
    """Digest of one filing record by content: the time of retrieval does not matter."""
    return digest({name: value for name, value in record.items() if name != "retrieved_at"})


def digest_of_digests(digests: Iterable[str]) -> str:
    """Digest of a set of records, from theirs: their order does not matter."""
    return digest(sorted(digests))
