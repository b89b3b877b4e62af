"""A content-addressed store on disk: bodies by SHA-256, and an index entry for each address.

Files appear by rename, the body before its entry, so a process may be killed at any moment. Bodies are checked
against their name when read; a damaged one counts as not stored.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from govtune_assets.extraction.atomic import write_atomically


@dataclass(frozen=True, slots=True)
class Entry:
    """What an address answered: `sha256` of the body, or None for an object that does not exist."""

    url: str
    sha256: str | None
    checked_at: float
    fetched_at: float
    etag: str | None = None
    last_modified: str | None = None


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
            body = self.body_path(entry.sha256).read_bytes()
        except FileNotFoundError:
            return None
        return body if hashlib.sha256(body).hexdigest() == entry.sha256 else None

    def body_path(self, sha256: str) -> Path:
        """Where a body lies, stored or not."""
        return self._folder / "bodies" / sha256[:2] / sha256

    def store(self, url: str, body: bytes, etag: str | None, last_modified: str | None) -> Entry:
        """Keep a body under its digest, then the entry that names it."""
        digest = hashlib.sha256(body).hexdigest()
        write_atomically(self.body_path(digest), body)
        now = time.time()
        return self._commit(Entry(url, digest, now, now, etag, last_modified))

    def store_missing(self, url: str) -> Entry:
        """Keep that the source has no such object."""
        now = time.time()
        return self._commit(Entry(url, None, now, now))

    def confirm(self, entry: Entry) -> Entry:
        """Keep that the source confirmed an entry as current."""
        return self._commit(
            Entry(entry.url, entry.sha256, time.time(), entry.fetched_at, entry.etag, entry.last_modified)
        )

    def _commit(self, entry: Entry) -> Entry:
        write_atomically(self._entry_path(entry.url), json.dumps(asdict(entry)).encode())
        return entry

    def _entry_path(self, url: str) -> Path:
        name = hashlib.sha256(url.encode()).hexdigest()
        return self._folder / "entries" / name[:2] / f"{name}.json"
