"""The workspace's state: one SQLite file, one writer at a time, each request one transaction.

Belongs here: rows and their shapes. What a principal may see or do is decided in `access`.
Times are epoch milliseconds.
"""

import json
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.databricks.privileges import Kind

_SCHEMA = """
CREATE TABLE IF NOT EXISTS principals (
    id TEXT PRIMARY KEY, application_id TEXT NOT NULL UNIQUE, display_name TEXT NOT NULL, active INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS secrets (
    id TEXT PRIMARY KEY, principal_id TEXT NOT NULL REFERENCES principals(id) ON DELETE CASCADE,
    salt BLOB NOT NULL, hash BLOB NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS securables (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, full_name TEXT NOT NULL,
    parent_id TEXT REFERENCES securables(id), owner TEXT NOT NULL, details TEXT NOT NULL,
    created_at INTEGER NOT NULL, created_by TEXT NOT NULL, updated_at INTEGER NOT NULL, updated_by TEXT NOT NULL,
    UNIQUE (kind, full_name)
) STRICT;
CREATE INDEX IF NOT EXISTS securables_parent ON securables(parent_id, kind);
CREATE TABLE IF NOT EXISTS grants (
    securable_id TEXT NOT NULL REFERENCES securables(id) ON DELETE CASCADE,
    principal TEXT NOT NULL, privilege TEXT NOT NULL, PRIMARY KEY (securable_id, principal, privilege)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS model_versions (
    id TEXT PRIMARY KEY, model_id TEXT NOT NULL REFERENCES securables(id) ON DELETE CASCADE,
    version INTEGER NOT NULL, status TEXT NOT NULL, details TEXT NOT NULL,
    created_at INTEGER NOT NULL, created_by TEXT NOT NULL, updated_at INTEGER NOT NULL, updated_by TEXT NOT NULL,
    UNIQUE (model_id, version)
) STRICT;
CREATE TABLE IF NOT EXISTS model_aliases (
    model_id TEXT NOT NULL REFERENCES securables(id) ON DELETE CASCADE,
    alias TEXT NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (model_id, alias)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tags (
    entity_id TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
    updated_at INTEGER NOT NULL, updated_by TEXT NOT NULL, PRIMARY KEY (entity_id, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lineage (
    id TEXT PRIMARY KEY, source TEXT NOT NULL, target TEXT NOT NULL, details TEXT NOT NULL,
    created_at INTEGER NOT NULL, created_by TEXT NOT NULL, UNIQUE (source, target)
) STRICT;
CREATE INDEX IF NOT EXISTS lineage_target ON lineage(target);
CREATE TABLE IF NOT EXISTS system_access_audit (
    event_id INTEGER PRIMARY KEY, event_time INTEGER NOT NULL, principal TEXT NOT NULL, action TEXT NOT NULL,
    securable TEXT NOT NULL, operation TEXT NOT NULL, credential_id TEXT NOT NULL, user_agent TEXT NOT NULL,
    decision TEXT NOT NULL, status INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS audit_time ON system_access_audit(event_time);
"""


def now_ms() -> int:
    """The time, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def new_id() -> str:
    """A fresh object id."""
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Securable:
    """An object that privileges are granted on. `details` holds what only its kind has."""

    id: str
    kind: Kind
    full_name: str
    parent_id: str | None
    owner: str
    details: Mapping[str, Any]
    created_at: int
    created_by: str
    updated_at: int
    updated_by: str

    @property
    def name(self) -> str:
        """The last part of its name."""
        dotted = self.kind in {Kind.SCHEMA, Kind.TABLE, Kind.MODEL, Kind.VOLUME}
        return self.full_name.rsplit(".", 1)[-1] if dotted else self.full_name


class Database:
    """Reads and writes inside one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Rows of a query."""
        return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Row | None:
        """The first row of a query."""
        found: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
        return found

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run a statement; the number of rows that it changed."""
        return self._connection.execute(sql, values).rowcount

    def securable(self, kind: Kind, full_name: str) -> Securable | None:
        """The securable of that kind and name."""
        found = self.row("SELECT * FROM securables WHERE kind = ? AND full_name = ?", (kind, full_name))
        return _securable(found) if found else None

    def securable_by_id(self, securable_id: str) -> Securable | None:
        """The securable of that id."""
        found = self.row("SELECT * FROM securables WHERE id = ?", (securable_id,))
        return _securable(found) if found else None

    def securables(self, kind: Kind, parent_id: str | None = None) -> list[Securable]:
        """All securables of a kind, in order of name, or those directly in a parent."""
        if parent_id is None:
            found = self.rows("SELECT * FROM securables WHERE kind = ? ORDER BY full_name", (kind,))
        else:
            sql = "SELECT * FROM securables WHERE kind = ? AND parent_id = ? ORDER BY full_name"
            found = self.rows(sql, (kind, parent_id))
        return [_securable(entry) for entry in found]

    def children(self, securable: Securable) -> list[Securable]:
        """What a container directly holds."""
        found = self.rows("SELECT * FROM securables WHERE parent_id = ?", (securable.id,))
        return [_securable(entry) for entry in found]

    def chain(self, securable: Securable) -> list[Securable]:
        """The securable and all that hold it, metastore first."""
        links = [securable]
        while links[0].parent_id is not None:
            parent = self.securable_by_id(links[0].parent_id)
            if parent is None:
                break
            links.insert(0, parent)
        return links

    def add_securable(
        self, kind: Kind, full_name: str, parent: Securable | None, owner: str, details: Mapping[str, Any]
    ) -> Securable:
        """Insert a securable; the caller has made sure that the name is free."""
        at = now_ms()
        made = Securable(
            new_id(), kind, full_name, parent.id if parent else None, owner, dict(details), at, owner, at, owner
        )
        self.execute(
            "INSERT INTO securables VALUES (?,?,?,?,?,?,?,?,?,?)",
            (made.id, kind, full_name, made.parent_id, owner, json.dumps(details), at, owner, at, owner),
        )
        return made

    def update_securable(
        self, securable: Securable, by: str, *, owner: str | None = None, details: Mapping[str, Any] | None = None
    ) -> Securable:
        """Change owner or details; what is not given stays."""
        new_details = dict(securable.details) if details is None else dict(details)
        self.execute(
            "UPDATE securables SET owner = ?, details = ?, updated_at = ?, updated_by = ? WHERE id = ?",
            (owner or securable.owner, json.dumps(new_details), now_ms(), by, securable.id),
        )
        updated = self.securable_by_id(securable.id)
        assert updated is not None  # noqa: S101  (updated in this transaction)
        return updated

    def remove_securable(self, securable: Securable) -> None:
        """Delete a securable that holds nothing, with its grants, versions, aliases and tags."""
        self.execute(
            "DELETE FROM tags WHERE entity_id = ? OR entity_id IN (SELECT id FROM model_versions WHERE model_id = ?)",
            (securable.id, securable.id),
        )
        self.execute("DELETE FROM securables WHERE id = ?", (securable.id,))

    def grants(self, securable: Securable, principal: str | None = None) -> dict[str, frozenset[str]]:
        """Privileges granted on the securable itself, by principal."""
        held: dict[str, set[str]] = {}
        sql = "SELECT principal, privilege FROM grants WHERE securable_id = ?"
        for entry in self.rows(sql, (securable.id,)):
            if principal is None or entry["principal"] == principal:
                held.setdefault(entry["principal"], set()).add(entry["privilege"])
        return {who: frozenset(what) for who, what in sorted(held.items())}


def _securable(found: sqlite3.Row) -> Securable:
    values = dict(found)
    values["kind"] = Kind(values["kind"])
    values["details"] = json.loads(values["details"])
    return Securable(**values)


class Store:
    """The SQLite file. Transactions are serialized by a lock, so that a check and what follows it are one."""

    def __init__(self, path: Path) -> None:
        # Made by us before SQLite opens it, so that its permissions are never wider than these.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;")
        self._connection.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[Database]:
        """One transaction: committed at its end, rolled back by any exception."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield Database(self._connection)
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
