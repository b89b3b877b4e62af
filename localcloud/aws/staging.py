"""Files between S3 and a job's folder: names are checked, so that no key or archive member leads out of the folder."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path
from typing import Any

_RELEASE_PYTHON = re.compile(r"/usr/bin/python3(?:\.\d+)?")


class StagingError(Exception):
    """Something cannot be brought into a job's folder, or out of it."""


def split_s3_uri(uri: str) -> tuple[str, str]:
    """The bucket and key of an `s3://` or `s3a://` URI. Raises StagingError for anything else."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme not in ("s3", "s3a") or not bucket:
        raise StagingError(f"{uri!r} is no S3 URI")
    return bucket, key


def download_object(s3: Any, uri: str, folder: Path) -> Path:
    """Bring one object into `folder` under its last name; returns where it lies."""
    bucket, key = split_s3_uri(uri)
    name = key.rsplit("/", 1)[-1]
    if name in ("", ".", ".."):
        raise StagingError(f"{uri!r} names no object")
    target = folder / name
    s3.download_file(bucket, key, str(target))
    return target


def download_prefix(s3: Any, uri: str, folder: Path) -> int:
    """Bring every object under a prefix into `folder`, as SageMaker lays a channel out; returns how many.

    A prefix that ends in `/` or names whole folders keeps the paths below it; one that is a single object gives that
    object.
    """
    bucket, prefix = split_s3_uri(uri)
    base = prefix if prefix.endswith("/") or not prefix else prefix.rsplit("/", 1)[0] + "/" if "/" in prefix else ""
    count = 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for found in page.get("Contents", []):
            key = found["Key"]
            if key.endswith("/"):
                continue
            below = (
                key[len(prefix) + 1 :]
                if key.startswith(prefix.rstrip("/") + "/") and base != prefix
                else key[len(base) :]
            )
            target = _inside(folder, below)
            target.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, key, str(target))
            count += 1
    return count


def _inside(folder: Path, name: str) -> Path:
    target = (folder / name.lstrip("/")).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise StagingError(f"object name {name!r} leads out of the job's folder")
    return target


def extract_source(archive: Path, folder: Path) -> None:
    """Unpack a sourcedir.tar.gz. Raises StagingError for members that lead out of `folder` or are no plain files."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, OSError) as error:
        raise StagingError(f"{archive.name} cannot be unpacked: {error}") from error


def extract_environment(archive: Path, folder: Path, python: Path) -> None:
    """Unpack a Python environment that a job brings, whose links lead to the release's own interpreter.

    Where this machine has no such interpreter, `python` takes its place. Raises StagingError as `extract_source` does.
    """
    lacking = set()

    def member(entry: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
        if not (entry.issym() and _RELEASE_PYTHON.fullmatch(entry.linkname)):
            return tarfile.data_filter(entry, path)
        tarfile.data_filter(entry.replace(linkname=".", deep=False), path)  # raises where the link itself lies outside
        if Path(entry.linkname).exists():
            return entry
        lacking.add(entry.linkname)
        return entry.replace(linkname=str(python), deep=False)

    folder.mkdir(parents=True)
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter=member)  # noqa: S202  `member` passes what data_filter passes
    except (tarfile.TarError, OSError) as error:
        raise StagingError(f"{archive.name} cannot be unpacked: {error}") from error
    settings = folder / "pyvenv.cfg"
    if lacking and settings.exists():
        text = settings.read_text("utf-8")
        settings.write_text(re.sub(r"(?m)^home = .*$", f"home = {python.parent}", text), "utf-8")


def pack_folder(folder: Path, archive: Path) -> bool:
    """Write `folder`'s content as a tar.gz, if there is any; returns whether there was."""
    names = sorted(path.name for path in folder.iterdir())
    if not names:
        return False
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        for name in names:
            tar.add(folder / name, arcname=name)
    return True
