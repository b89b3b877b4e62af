"""A content-addressed store on disk: bodies by SHA-256, and an index entry for each address.

Bodies are kept packed with gzip, as they come over the wire: a fourteenth of their size. Files appear by rename, the
body before its entry, so a process may be killed at any moment. Nothing is flushed to the disk itself, which would cost
a wait for each file: bodies are checked against their name when read, and one that a power failure damaged counts as
not stored.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import time
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

from govtune_assets.extraction.atomic import PART_PREFIX, write_atomically

_ABANDONED = 3600.0  # seconds after which a file that is still being written belongs to a process that was killed


@dataclass(frozen=True, slots=True)
class Entry:
    """What an address answered: `sha256` of the body, or None for an object that does not exist."""

    url: str
    sha256: str | None
    checked_at: float
    fetched_at: float
    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """A body: its bytes, the same packed with gzip, and the SHA-256 of the unpacked bytes."""

    content: bytes
    packed: bytes
    sha256: str

    @classmethod
    def of(cls, content: bytes, packed: bytes | None = None) -> Body:
        """A body from its bytes; `packed` is its gzip stream, where it came as one."""
        return cls(content, packed or gzip.compress(content, 1, mtime=0), hashlib.sha256(content).hexdigest())


class DiskCache:
    """The store under one folder, which is made on first use, readable by its owner only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def entry(self, url: str) -> Entry | None:
        """The entry of an address, where it and its body are whole."""
        try:
            entry = Entry(**json.loads(self._entry_path(url).read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        if entry.sha256 is not None and not self.body_path(entry.sha256).is_file():
            return None
        return entry

    def body(self, entry: Entry) -> bytes | None:
        """The stored body, or None where it is gone or damaged."""
        if entry.sha256 is None:
            return None
        try:
            body = gzip.decompress(self.body_path(entry.sha256).read_bytes())
        except (FileNotFoundError, gzip.BadGzipFile, EOFError, zlib.error):
            return None
        return body if hashlib.sha256(body).hexdigest() == entry.sha256 else None

    def body_path(self, sha256: str) -> Path:
        """Where a body lies, stored or not, packed with gzip."""
        return self._folder / "bodies" / sha256[:2] / f"{sha256}.gz"

    def store(self, url: str, body: Body, etag: str | None, last_modified: str | None) -> Entry:
        """Keep a body under its digest, then the entry that names it."""
        write_atomically(self.body_path(body.sha256), body.packed)
        now = time.time()
        return self._commit(Entry(url, body.sha256, now, now, etag, last_modified))

    def store_missing(self, url: str) -> Entry:
        """Keep that the source has no such object."""
        now = time.time()
        return self._commit(Entry(url, None, now, now))

    def confirm(self, entry: Entry) -> Entry:
        """Keep that the source confirmed an entry as current."""
        return self._commit(
            Entry(entry.url, entry.sha256, time.time(), entry.fetched_at, entry.etag, entry.last_modified)
        )

    def sweep(self) -> None:
        """Remove what killed processes left half written, an hour after they began to write it."""
        before = time.time() - _ABANDONED
        for folder, _, names in os.walk(self._folder):
            for name in names:
                path = Path(folder, name)
                if name.startswith(PART_PREFIX) and path.stat().st_mtime < before:
                    path.unlink(missing_ok=True)

    def _commit(self, entry: Entry) -> Entry:
        write_atomically(self._entry_path(entry.url), json.dumps(asdict(entry)).encode())
        return entry

    def _entry_path(self, url: str) -> Path:
        name = hashlib.sha256(url.encode()).hexdigest()
        return self._folder / "entries" / name[:2] / f"{name}.json"
