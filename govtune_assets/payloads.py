"""Packs the payloads of jobs and puts them into S3 under their content's digest.

The archive's bytes depend on the files alone (fixed order, times and owners), so that an unchanged payload keeps
its address, and the address of the code that ran is part of what a materialization records.
"""

import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT_ROOT = Path(__file__).resolve().parent.parent
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip archive can hold."""
SUFFIXES = frozenset({".py", ".yaml", ".yml", ".json", ".txt"})


@dataclass(frozen=True)
class Payload:
    """A packed payload: `name` (spark or train), its files as (path in the archive, bytes), and their digest."""

    name: str
    files: tuple[tuple[str, bytes], ...]

    @property
    def digest(self) -> str:
        """SHA-256 over paths and contents, shortened to 16 hexadecimal digits: code version and S3 folder."""
        state = hashlib.sha256()
        for path, content in self.files:
            state.update(f"{path}\0{len(content)}\0".encode())
            state.update(content)
        return state.hexdigest()[:16]

    def without(self, prefix: str) -> "Payload":
        """The payload less the files under `prefix`."""
        return Payload(self.name, tuple(item for item in self.files if not item[0].startswith(prefix)))

    def zip(self) -> bytes:
        """The files as a zip archive, as spark-submit's --py-files takes it."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, content in self.files:
                archive.writestr(zipfile.ZipInfo(path, EPOCH), content, zipfile.ZIP_DEFLATED)
        return buffer.getvalue()

    def tar_gz(self) -> bytes:
        """The files as a gzipped tar archive, as SageMaker's script mode takes it."""
        buffer = io.BytesIO()
        with (
            gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as stream,
            tarfile.open(fileobj=stream, mode="w") as archive,
        ):
            for path, content in self.files:
                entry = tarfile.TarInfo(path)
                entry.size, entry.mode = len(content), 0o644
                archive.addfile(entry, io.BytesIO(content))
        return buffer.getvalue()


def spark_payload() -> Payload:
    """The packages that the Spark jobs import."""
    return Payload("spark", tuple(_sources("spark", "unitydoor")))


def train_payload() -> Payload:
    """The training job's folder: its packages, and at the root its entry point and requirements.

    The toolkit starts a file at the root; beside it the package of the same name wins an import, as packages do.
    """
    files = dict(_sources("train", "unitydoor"))
    for name in ("train.py", "requirements.txt"):
        files[name] = files[f"train/{name}"]
    return Payload("train", tuple(sorted(files.items())))


def source_digest(*paths: str) -> str:
    """Digest of the named project files and folders: the code version of what the Dagster process itself does."""
    files = []
    for name in paths:
        path = PROJECT_ROOT / name
        found = [path] if path.is_file() else sorted([*path.rglob("*.py"), *path.rglob("*.csv")])
        files += [(file.relative_to(PROJECT_ROOT).as_posix(), file.read_bytes()) for file in found]
    return Payload("source", tuple(files)).digest


def upload(s3: Any, bucket: str, payload: Payload, file_name: str, content: bytes) -> str:
    """Put one file of a payload under `code/<name>/<digest>/` and return its address.

    Nothing is sent when it is there already: the address names the content.
    """
    key = f"code/{payload.name}/{payload.digest}/{file_name}"
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
    if not any(item["Key"] == key and item["Size"] == len(content) for item in listed):
        s3.put_object(Bucket=bucket, Key=key, Body=content)
    return f"s3://{bucket}/{key}"


def _sources(*packages: str) -> Iterator[tuple[str, bytes]]:
    for package in sorted(packages):
        for path in sorted((PROJECT_ROOT / package).rglob("*")):
            if path.is_file() and path.suffix in SUFFIXES:
                yield path.relative_to(PROJECT_ROOT).as_posix(), path.read_bytes()
