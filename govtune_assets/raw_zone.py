"""The raw zone in S3: one JSON object a filing, written and read with credentials of that prefix only.

An object appears whole or not at all (S3's PUT is atomic), and what a fiscal year holds equals its newest
materialization: objects that are no longer part of the year are removed, earlier bytes stay in the bucket's versions.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from govtune_assets.keys import RAW_JSON_PREFIX, filing_object_key

FORM_TYPES = ("10-K", "10-Q")
REQUESTS_AT_ONCE = 8

Record = Mapping[str, Any]


@dataclass(frozen=True)
class RawZone:
    """The JSON objects of the raw zone.

    Args:
        s3: boto3 client made from a credential that the catalog vended for the raw zone's prefix.
        bucket: name of the lake bucket.
    """

    s3: Any
    bucket: str

    def replace_year(self, fiscal_year: int, records: Sequence[Record], keep: frozenset[str]) -> int:
        """Make the year's objects those of `records`; objects named in `keep` stay though not written.

        Returns:
            Bytes written.
        """
        bodies = {filing_object_key(dict(record)): _encode(record) for record in records}
        with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
            list(pool.map(lambda item: self._put(*item), bodies.items()))
        for key in self._keys(fiscal_year):
            if key not in bodies and key not in keep:
                self.s3.delete_object(Bucket=self.bucket, Key=key)
        return sum(map(len, bodies.values()))

    def read_year(self, fiscal_year: int) -> list[dict[str, Any]]:
        """The year's records in the order of their keys."""
        with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
            return list(pool.map(self._get, self._keys(fiscal_year)))

    def _put(self, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType="application/json")

    def _get(self, key: str) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())
        return record

    def _keys(self, fiscal_year: int) -> list[str]:
        return [
            key
            for form in FORM_TYPES
            for key in self._list(f"{RAW_JSON_PREFIX}/form_type={form}/fiscal_year={fiscal_year}/")
        ]

    def _list(self, prefix: str) -> Iterator[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        for page in pages:
            for item in page.get("Contents", []):
                yield item["Key"]


def _encode(record: Record) -> bytes:
    return json.dumps(record, ensure_ascii=False, sort_keys=True, indent=1).encode()
