"""From a URL path to a file of the served folder: nothing outside the folder can be named.

The folder has EDGAR's layout: `www/files/company_tickers.json`, `www/Archives/edgar/data/...` and
`data/submissions/...`. Anything else that lies in the folder (such as ground truth for tests) has no URL.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from email.utils import formatdate
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from localcloud.edgar.bodies import Filler, Piece


class Area(StrEnum):
    """The part of EDGAR that a URL belongs to."""

    TICKERS = "files"
    ARCHIVES = "archives"
    SUBMISSIONS = "submissions"


_PREFIXES: Final = {
    "files": (Area.TICKERS, ("www", "files")),
    "Archives": (Area.ARCHIVES, ("www", "Archives")),
    "submissions": (Area.SUBMISSIONS, ("data", "submissions")),
}
_CONTENT_TYPES: Final = {
    ".htm": "text/html",
    ".html": "text/html",
    ".json": "application/json",
    ".txt": "text/plain",
    ".xml": "text/xml",
}


@dataclass(frozen=True)
class Document:
    """A file as it is served."""

    parts: tuple[Piece, ...]
    content_type: str
    etag: str
    last_modified: str
    modified_seconds: int


def area_of(url_path: str) -> Area | None:
    """The area that a URL path (still percent-encoded) belongs to, or None."""
    first = url_path.removeprefix("/").partition("/")[0]
    found = _PREFIXES.get(first)
    return None if found is None else found[0]


def locate(root: Path, url_path: str) -> Path | None:
    """The file that a URL path names, or None where there is none or the path leads outside `root`.

    `url_path` is the path of the request line, still percent-encoded and without a query. Symbolic links are
    followed only to files that lie inside `root`.
    """
    first, *rest = (unquote(part) for part in url_path.removeprefix("/").split("/"))
    found = _PREFIXES.get(first)
    if found is None or not rest or not all(_is_plain(part) for part in rest):
        return None
    try:
        resolved_root = root.resolve(strict=True)
        resolved = resolved_root.joinpath(*found[1], *rest).resolve(strict=True)
    except OSError:
        return None
    return resolved if resolved.is_file() and resolved.is_relative_to(resolved_root) else None


def _is_plain(part: str) -> bool:
    return part not in {"", ".", ".."} and not any(character in part for character in "/\\\0")


def read(path: Path, filler: Filler) -> Document:
    """Read a located file. Raises OSError where it vanished or may not be read, UnknownPieceError as `expand`.

    The tag is that of the file: pieces of filler never change under a running replica.
    """
    content = path.read_bytes()
    modified = int(path.stat().st_mtime)
    return Document(
        parts=filler.expand(content),
        content_type=_CONTENT_TYPES.get(path.suffix.lower(), "application/octet-stream"),
        etag=f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        last_modified=formatdate(modified, usegmt=True),
        modified_seconds=modified,
    )
