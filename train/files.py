"""Digests of files and folders: what an adapter, a base model or a checkpoint is named by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_digest(folder: Path, *, without: Iterable[str] = (), without_suffixes: Iterable[str] = ()) -> str:
    """Digest of a folder: `sha256:` and the sha256 over the lines `<sha256>  <relative path>`, sorted by path.

    `sha256sum` prints the same lines, so a digest can be checked without this project. `without` names files
    (relative paths) that do not count, such as the record of the digest itself; `without_suffixes` the ends of such
    names. A file that does not count is not opened: it may vanish meanwhile.
    """
    skipped, ends = set(without), tuple(without_suffixes)
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    counted = [name for name in names if name not in skipped and not name.endswith(ends)]
    lines = "".join(f"{sha256(folder / name)}  {name}\n" for name in counted)
    return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"
