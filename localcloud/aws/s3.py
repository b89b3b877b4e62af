"""S3 on files: object bodies live in a folder, are read in pieces, and survive the server.

moto keeps bodies in memory or temporary files. Here its key, bucket, multipart upload and response classes are
extended so that a body is one immutable file named at random, and the pickled key holds only the name.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import threading
import uuid
import zlib
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import xmltodict  # type: ignore[import-untyped]
from moto import settings
from moto.core.responses import ActionResult
from moto.iam.access_control import PermissionResult
from moto.s3 import models, responses, urls
from moto.s3.exceptions import EntityTooSmall, InvalidPart, MalformedXML
from moto.s3.utils import compute_checksum

log = logging.getLogger(__name__)

CHUNK = 1 << 20
REFUSED_KEYS = "localcloud.refused_keys"
_streaming: ContextVar[bool] = ContextVar("streaming", default=False)


class BodyStore:
    """A folder of immutable object bodies."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self._doomed: list[str] = []

    def write(self, pieces: Iterable[bytes]) -> str:
        """Keep the bytes of `pieces`; returns the name of their file. A write that fails leaves no file."""
        name = uuid.uuid4().hex
        path = self.folder / name
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            try:
                file.writelines(pieces)
                file.flush()
            except BaseException:
                path.unlink()
                raise
        return name

    def read(self, name: str) -> bytes:
        """The whole body."""
        return (self.folder / name).read_bytes()

    def open(self, name: str) -> FileBody:
        """The body, to be read in pieces."""
        return FileBody(self.folder / name)

    def remove(self, name: str) -> None:
        """Note that a body is no longer needed. It goes with `expunge`, after the change itself is safe."""
        self._doomed.append(name)

    def expunge(self) -> None:
        """Delete the bodies that are no longer needed."""
        while self._doomed:
            (self.folder / self._doomed.pop()).unlink(missing_ok=True)

    def sweep(self, kept: set[str]) -> int:
        """Remove bodies that no object refers to, left by a crash; returns how many."""
        orphans = [path for path in self.folder.iterdir() if path.name not in kept]
        for path in orphans:
            path.unlink()
        return len(orphans)


class FileBody:
    """An open body that answers `len`, slices and iteration without being read whole.

    It keeps the file open, so that an overwrite while it is sent does no harm.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        self._size = os.fstat(self._descriptor).st_size

    def __len__(self) -> int:
        return self._size

    def __bool__(self) -> bool:
        return self._size > 0

    def __getitem__(self, span: slice) -> bytes:
        start, stop, _ = span.indices(self._size)
        return os.pread(self._descriptor, max(0, stop - start), start)

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, self._size, CHUNK):
            yield self[start : start + CHUNK]

    def close(self) -> None:
        """Close the file; reading is over."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        self.close()


@dataclass(frozen=True)
class AssembledBody:
    """The body of a finished multipart upload, already in the store."""

    name: str
    size: int


class StoredKey(models.FakeKey):  # type: ignore[misc]
    """An object version whose body is a file of the store."""

    store: ClassVar[BodyStore]
    _body: str | None = None
    _etag: str | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._value_buffer.close()
        del self._value_buffer

    @property
    def value(self) -> Any:
        """The body: bytes, or a FileBody while a GetObject answer is made."""
        if self._body is None:
            return b""
        return self.store.open(self._body) if _streaming.get() else self.store.read(self._body)

    @value.setter
    def value(self, data: bytes | str | AssembledBody) -> None:
        if isinstance(data, AssembledBody):
            self._body, self.contentsize = data.name, data.size
            return
        raw = data.encode() if isinstance(data, str) else bytes(data)
        self._drop()
        self._body = self.store.write([raw])
        self.contentsize = len(raw)
        if self._etag is None:
            self._etag = hashlib.md5(raw, usedforsecurity=False).hexdigest()

    @property
    def etag(self) -> str:
        """The quoted entity tag."""
        return f'"{self._etag}"'

    @property
    def body_name(self) -> str | None:
        """The name of the body's file."""
        return self._body

    def dispose(self, garbage: bool = False) -> None:
        """Remove the body when the object is deleted or replaced; being collected by Python does not delete it."""
        if not garbage:
            self._drop()
            if self.multipart:
                self.multipart.dispose()
        self.disposed = True

    def _drop(self) -> None:
        if self._body is not None:
            self.store.remove(self._body)
            self._body = None

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.lock = threading.Lock()


class StoredMultipart(models.FakeMultipart):  # type: ignore[misc]
    """A multipart upload that is put together on disk, a part at a time, and drops its parts when it is."""

    def complete(self, body: Iterable[tuple[int, str]]) -> tuple[AssembledBody, str, tuple[str, str, int] | None]:
        """Join the named parts; returns the body, its entity tag and its checksum."""
        parts = list(self._named(body))
        checksum = PartChecksum(self.metadata.get("x-amz-checksum-algorithm"), self.metadata.get("x-amz-checksum-type"))
        digest = hashlib.md5(usedforsecurity=False)

        def pieces() -> Iterator[bytes]:
            for part in parts:
                data = part.value
                digest.update(bytes.fromhex(part.etag.strip('"')))
                checksum.add(data)
                yield data

        name = StoredKey.store.write(pieces())
        for part in self.parts.values():
            part.dispose()
        size = sum(part.contentsize for part in parts)
        return AssembledBody(name, size), f"{digest.hexdigest()}-{len(parts)}", checksum.result()

    def _named(self, body: Iterable[tuple[int, str]]) -> Iterator[StoredKey]:
        last: StoredKey | None = None
        for number, etag in body:
            part = self.parts.get(number)
            if part is None or part.etag.strip('"') != etag.strip('"'):
                raise InvalidPart
            if last is not None and last.contentsize < models.S3_UPLOAD_PART_MIN_SIZE:
                raise EntityTooSmall
            last = part
            yield part
        if last is None:
            raise MalformedXML


class PartChecksum:
    """The checksum of an upload from its parts: CRC-32 over the whole, or any algorithm over the parts' checksums.

    Other checksums over the whole object are not kept, and then not answered.
    """

    def __init__(self, algorithm: str | None, kind: str | None) -> None:
        self._algorithm = algorithm or ""
        self._whole = kind == "FULL_OBJECT"
        self._crc = 0
        self._parts: list[bytes] = []

    def add(self, data: bytes) -> None:
        """Take the next part."""
        if self._whole and self._algorithm == "CRC32":
            self._crc = zlib.crc32(data, self._crc)
        elif not self._whole and self._algorithm:
            self._parts.append(compute_checksum(data, self._algorithm, encode_base64=False))

    def result(self) -> tuple[str, str, int] | None:
        """The kind, the value in base64 and the number of parts it is over; None when there is none."""
        if self._whole and self._algorithm == "CRC32":
            return "FULL_OBJECT", base64.b64encode(self._crc.to_bytes(4, "big")).decode(), 1
        if self._parts:
            value = compute_checksum(b"".join(self._parts), self._algorithm).decode()
            return "COMPOSITE", value, len(self._parts)
        return None


class StoredBucket(models.FakeBucket):  # type: ignore[misc]
    """A bucket whose policy is judged at the door, with principals and conditions, and not a second time here."""

    def get_permission(self, action: str, resource: str) -> Any:
        """Neither allow nor deny."""
        return PermissionResult.NEUTRAL


class LocalS3Backend(models.S3Backend):  # type: ignore[misc]
    """Buckets; moto's own would load its url map anew, without the extended answers."""

    _url_module = urls


class LocalS3Response(responses.S3Response):  # type: ignore[misc]
    """S3 answers: bodies are streamed, and keys that the caller may not delete are answered one by one."""

    def get_object(self) -> Any:
        """GetObject without reading the body."""
        token = _streaming.set(True)
        try:
            return super().get_object()
        finally:
            _streaming.reset(token)

    @staticmethod
    def _enrich_response(headers: dict[str, str], body: Any) -> tuple[dict[str, str], Any]:
        if isinstance(body, FileBody):
            return headers, body
        return responses.S3Response._enrich_response(headers, body)  # type: ignore[no-any-return]

    def _bucket_response_delete_keys(self, bucket_name: str, authenticated: bool = True) -> Any:
        refused = self.request.environ.get(REFUSED_KEYS, frozenset())
        document = xmltodict.parse(self.body, strip_whitespace=False)["Delete"]
        objects = document["Object"] if isinstance(document["Object"], list) else [document["Object"]]
        granted = [one for one in objects if one["Key"] not in refused]
        bypass = self.headers.get("x-amz-bypass-governance-retention", "").lower() == "true"
        deleted, locked = self.backend.delete_objects(bucket_name, granted, bypass) if granted else ([], [])
        quiet = str(document.get("Quiet", "")).lower() == "true"
        self.data["Action"] = "DeleteObjects"
        errors = [(one["Key"], "Access Denied") for one in objects if one["Key"] in refused]
        errors += [(key, "Access Denied because object protected by object lock.") for key in locked]
        result = {
            "Deleted": [] if quiet else [_deleted(*one) for one in deleted],
            "Errors": [{"Key": key, "Code": "AccessDenied", "Message": message} for key, message in errors],
        }
        return self.serialized(ActionResult(result))


def _deleted(key: str, version: str | None, marker: str | None) -> dict[str, Any]:
    return {
        "Key": key,
        "VersionId": version or None,
        "DeleteMarkerVersionId": marker or None,
        "DeleteMarker": True if marker else None,
    }


def install(store: BodyStore) -> None:
    """Put the extended classes in the places where moto looks for its own."""
    StoredKey.store = store
    settings.S3_IGNORE_SUBDOMAIN_BUCKETNAME = True  # the bucket is always in the path: one reading of every request
    models.FakeKey = StoredKey
    models.FakeMultipart = StoredMultipart
    models.FakeBucket = StoredBucket
    models.s3_backends.backend = LocalS3Backend
    dispatch = {
        "bucket_dispatch": LocalS3Response.bucket_dispatch,
        "ambiguous_dispatch": LocalS3Response.ambiguous_dispatch,
        "key_dispatch": LocalS3Response.key_dispatch,
    }
    urls.url_paths = {path: dispatch[handler.__name__] for path, handler in urls.url_paths.items()}


def reconcile(store: BodyStore, account: str) -> None:
    """Make objects and bodies agree after a crash: no object without its body, no body without an object."""
    kept: set[str] = set()
    for bucket in models.s3_backends[account]["aws"].buckets.values():
        for key, versions in list(bucket.keys._iterlists()):
            whole = [one for one in versions if not isinstance(one, StoredKey) or _has_body(store, one)]
            if len(whole) < len(versions):
                log.warning("a body of %s/%s is lost; the version is dropped", bucket.name, key)
                dict.__setitem__(bucket.keys, key, whole) if whole else dict.pop(bucket.keys, key)
            kept.update(one.body_name for one in whole if isinstance(one, StoredKey) and one.body_name)
        for upload_id, upload in list(bucket.multiparts.items()):
            if all(part.body_name and _has_body(store, part) for part in upload.parts.values()):
                kept.update(part.body_name for part in upload.parts.values())
            else:  # finished or aborted just before the crash
                del bucket.multiparts[upload_id]
    store.sweep(kept)


def _has_body(store: BodyStore, key: StoredKey) -> bool:
    return key.body_name is None or (store.folder / key.body_name).exists()
