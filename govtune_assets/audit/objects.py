"""Log files in S3: folders by day, objects that may be gzipped, records that may be anything until they are read."""

import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

LONGEST_FILE = 256 * 2**20
"""Bytes of one log file, unpacked; a longer one is refused before it fills the memory."""


class AuditUnreadable(RuntimeError):
    """A log cannot be read; the message says which and what to do."""


@dataclass(frozen=True)
class Folder:
    """A folder in S3; `prefix` has no slash at its end."""

    bucket: str
    prefix: str

    @classmethod
    def parse(cls, url: str) -> "Folder":
        """Read `s3://bucket/prefix`.

        Raises:
            ValueError: it is something else.
        """
        match = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.+?)/*", url)
        if match is None:
            raise ValueError(f"{url!r} is no folder in S3: give it as s3://BUCKET/PREFIX")
        return cls(match[1], match[2])

    def below(self, path: str) -> "Folder":
        """A folder in it."""
        return Folder(self.bucket, f"{self.prefix}/{path}")


def days(since: datetime, until: datetime) -> Iterator[date]:
    """The UTC days from one time to another, and the next: a delivery may fall on the day after its events."""
    day, last = since.astimezone(UTC).date(), until.astimezone(UTC).date() + timedelta(days=1)
    while day <= last:
        yield day
        day += timedelta(days=1)


class LogObjects:
    """Reads log objects with one S3 client; each is fetched once, since logs are only added to."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3
        self._fetched: dict[tuple[str, str], tuple[Mapping[str, Any], ...]] = {}

    def records(self, folder: Folder, since: datetime, key: str = "") -> Iterator[Mapping[str, Any]]:
        """The records of every object in `folder` that was written since: a list under `key` of one JSON object, or
        without `key` JSON lines.

        Raises:
            AuditUnreadable: S3 refuses, or an object is no such file.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=folder.bucket, Prefix=f"{folder.prefix}/")
            for page in pages:
                for entry in page.get("Contents", []):
                    # S3 gives whole seconds.
                    if entry["LastModified"] >= since - timedelta(seconds=1):
                        yield from self._object(folder.bucket, entry["Key"], str(entry["ETag"]), key)
        except (BotoCoreError, ClientError) as error:
            raise AuditUnreadable(
                f"The log in s3://{folder.bucket}/{folder.prefix} cannot be read: {error}. This process needs "
                "s3:ListBucket and s3:GetObject there."
            ) from error

    def _object(self, bucket: str, name: str, etag: str, key: str) -> tuple[Mapping[str, Any], ...]:
        if (name, etag) not in self._fetched:
            body = self._s3.get_object(Bucket=bucket, Key=name)["Body"].read(LONGEST_FILE)
            self._fetched[name, etag] = tuple(_parsed(body, key, f"s3://{bucket}/{name}"))
        return self._fetched[name, etag]


def _parsed(body: bytes, key: str, name: str) -> Iterator[Mapping[str, Any]]:
    try:
        text = _unpacked(body)
        found = json.loads(text)[key] if key else [json.loads(line) for line in text.splitlines() if line.strip()]
        if not isinstance(found, list):
            raise TypeError(f"{key} is no list")
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise AuditUnreadable(
            f"{name} is no log file ({type(error).__name__}): look who wrote it; only the log's own service may"
        ) from error
    for record in found:
        if isinstance(record, Mapping):
            yield record


def _unpacked(body: bytes) -> bytes:
    if body[:2] != b"\x1f\x8b":
        return body
    with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
        unpacked = file.read(LONGEST_FILE + 1)
    if len(unpacked) > LONGEST_FILE:
        raise ValueError("too long")
    return unpacked
