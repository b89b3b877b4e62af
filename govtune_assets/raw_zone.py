"""The raw zone in S3: one JSON object a filing, written and read with credentials of that prefix only.

An object appears whole or not at all (S3's PUT is atomic), and what a fiscal year holds equals its newest
materialization: objects that are no longer part of the year are removed, earlier bytes stay in the bucket's versions.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from govtune_assets.keys import RAW_JSON_PREFIX, filing_object_key, report_object_key

FORM_TYPES = ("10-K", "10-Q")
FORM_FOLDERS = ("10-K", "10-Q", "10-K-A", "10-Q-A")
"""Forms as `filing_object_key` writes them; the last two hold amendments."""
REQUESTS_AT_ONCE = 8
BATCH = 8 * REQUESTS_AT_ONCE
"""Filings held in memory at once."""

Record = Mapping[str, Any]
Item = TypeVar("Item")


@dataclass(frozen=True)
class RawZone:
    """The JSON objects of the raw zone.

    Args:
        s3: boto3 client made from a credential that the catalog vended for the raw zone's prefix.
        bucket: name of the lake bucket.
    """

    s3: Any
    bucket: str

    def replace_year(self, fiscal_year: int, records: Iterable[Record]) -> int:
        """Make the year's objects those of `records`.

        Records are taken a batch at a time, so that a year need not fit into memory.

        Returns:
            Bytes written.
        """
        written: set[str] = set()
        size = 0
        with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
            for batch in _batches(records, BATCH):
                bodies = {filing_object_key(dict(record)): _encode(record) for record in batch}
                list(pool.map(lambda item: self._put(*item), bodies.items()))
                written |= bodies.keys()
                size += sum(map(len, bodies.values()))
        for key in self._keys(fiscal_year):
            if key not in written:
                self.s3.delete_object(Bucket=self.bucket, Key=key)
        return size

    def write_report(self, fiscal_year: int, report: Mapping[str, Any]) -> str:
        """Keep what is said of a year's collection beside its objects; returns its S3 address."""
        key = report_object_key(fiscal_year)
        self._put(key, _encode(report))
        return f"s3://{self.bucket}/{key}"

    def read_year(self, fiscal_year: int) -> Iterator[dict[str, Any]]:
        """The year's records in the order of their keys, a batch in memory at a time."""
        with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
            for keys in _batches(self._keys(fiscal_year), BATCH):
                yield from pool.map(self._get, keys)

    def _put(self, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType="application/json")

    def _get(self, key: str) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())
        return record

    def _keys(self, fiscal_year: int) -> list[str]:
        return [
            key
            for form in FORM_FOLDERS
            for key in self._list(f"{RAW_JSON_PREFIX}/form_type={form}/fiscal_year={fiscal_year}/")
        ]

    def _list(self, prefix: str) -> Iterator[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        for page in pages:
            for item in page.get("Contents", []):
                yield item["Key"]


def _encode(record: Record) -> bytes:
    return json.dumps(record, ensure_ascii=False, sort_keys=True, indent=1).encode()


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch
