"""A folder that stands in for a bucket, for what `RawZone` asks of an S3 client: no network is measured."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from govtune_assets.extraction.atomic import write_atomically


class FolderStore:
    """Objects as files under one folder; parameters are named as boto3 names them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> None:  # noqa: N803
        """Write an object, whole or not at all."""
        write_atomically(self._folder / Bucket / Key, Body)

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        """An object's body, to be read like a file."""
        return {"Body": io.BytesIO((self._folder / Bucket / Key).read_bytes())}

    def delete_object(self, *, Bucket: str, Key: str) -> None:  # noqa: N803
        """Remove an object."""
        (self._folder / Bucket / Key).unlink(missing_ok=True)

    def get_paginator(self, operation: str) -> "_Pages":
        """Pages of `list_objects_v2`: one."""
        if operation != "list_objects_v2":
            raise NotImplementedError(operation)
        return _Pages(self._folder)


class _Pages:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        bucket = self._folder / Bucket
        found = sorted(path for path in (bucket / Prefix).rglob("*.json") if path.is_file())
        yield {"Contents": [{"Key": path.relative_to(bucket).as_posix()} for path in found]}
