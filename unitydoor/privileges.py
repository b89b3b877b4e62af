"""Which privileges an operation needs, what gives them, and the refusal that names the missing ones.

Chains follow "Unity Catalog credential vending for external system access" and "Unity Catalog privileges and
securable objects" of the Databricks documentation: usage on every container, the privilege on the object itself,
and the EXTERNAL USE privilege, which neither ownership nor ALL PRIVILEGES implies.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

NAME_LEVELS = 3
_FORBIDDEN_IN_NAMES = frozenset("./ ")
_EXTERNAL_USE = frozenset({"EXTERNAL USE SCHEMA", "EXTERNAL USE LOCATION"})
_DOTTED = frozenset({"CATALOG", "SCHEMA", "TABLE", "FUNCTION"})
"""Types whose names are dotted; an external location's name is one identifier."""
_TABLE = {"READ": ("SELECT",), "READ_WRITE": ("SELECT", "MODIFY")}
_PATH = {
    "PATH_READ": ("READ FILES",),
    "PATH_READ_WRITE": ("READ FILES", "WRITE FILES"),
    "PATH_CREATE_TABLE": ("CREATE EXTERNAL TABLE",),
}


def quote(name: str) -> str:
    """A SQL identifier in backticks."""
    return "`" + name.replace("`", "``") + "`"


def split_name(full_name: str, levels: int = NAME_LEVELS) -> tuple[str, ...]:
    """Parts of a dotted name; an object's name has no dot, space, slash or control character.

    Raises:
        ValueError: another number of parts, or a part that cannot be an object's name.
    """
    parts = tuple(full_name.split("."))
    if len(parts) != levels or not all(parts):
        raise ValueError(f"not a name of {levels} parts: {full_name!r}")
    if any(c in _FORBIDDEN_IN_NAMES or not c.isprintable() for part in parts for c in part):
        raise ValueError(f"a catalog object's name has no space, slash or control character: {full_name!r}")
    return parts


class Action(StrEnum):
    """What a principal may want to do with an object, each a chain of privileges."""

    READ_TABLE = "read-table"
    WRITE_TABLE = "write-table"
    CREATE_TABLE = "create-table"
    READ_PATH = "read-path"
    WRITE_PATH = "write-path"
    USE_MODEL = "use-model"
    CREATE_MODEL = "create-model"
    CREATE_MODEL_VERSION = "create-model-version"
    PROMOTE_MODEL = "promote-model"
    READ_LINEAGE = "read-lineage"
    LINEAGE_FROM_TABLE = "lineage-from-table"
    LINEAGE_INTO_TABLE = "lineage-into-table"
    CREATE_EXTERNAL_METADATA = "create-external-metadata"


EXTERNAL_ACTIONS = frozenset(
    {Action.READ_TABLE, Action.WRITE_TABLE, Action.CREATE_TABLE, Action.READ_PATH, Action.WRITE_PATH}
)
"""Actions for which a storage credential is vended, so that the metastore must allow external data access."""
PATH_ACTIONS = frozenset({Action.READ_PATH, Action.WRITE_PATH})


@dataclass(frozen=True, order=True)
class Requirement:
    """One privilege on one securable. `name` is empty when the securable's name is not known."""

    privilege: str
    securable_type: str
    name: str

    def __str__(self) -> str:
        return f"{self.privilege} on {self.securable_type.lower()} {self.name or 'that covers the path'}"

    def grant_statement(self, client_id: str) -> str:
        """The SQL that makes the grant."""
        return f"GRANT {self.privilege} ON {self._sql_name()} TO {quote(client_id)};"

    def revoke_statement(self, client_id: str) -> str:
        """The SQL that takes the grant away."""
        return f"REVOKE {self.privilege} ON {self._sql_name()} FROM {quote(client_id)};"

    def _sql_name(self) -> str:
        if self.securable_type == "METASTORE":
            return "METASTORE"
        parts = self.name.split(".") if self.securable_type in _DOTTED else [self.name]
        target = ".".join(quote(part) for part in parts) if self.name else "<external location>"
        return f"{self.securable_type} {target}"


@dataclass(frozen=True)
class Effective:
    """A privilege that a principal has by grant on a securable; `inherited_from` is empty for a grant on it."""

    privilege: str
    grantee: str
    inherited_from: str = ""


def effective_of(assignments: Iterable[Mapping[str, Any]]) -> tuple[Effective, ...]:
    """The entries of an effective-permissions answer that was filtered to one principal.

    Grants to a group that the principal is in stand under the group's name: `grantee` says which.
    """
    return tuple(
        Effective(
            privilege=str(entry.get("privilege", "")).replace("_", " "),
            grantee=str(assignment.get("principal", "")),
            inherited_from=_ancestor(entry),
        )
        for assignment in assignments
        for entry in assignment.get("privileges", [])
    )


def _ancestor(entry: Mapping[str, Any]) -> str:
    kind = str(entry.get("inherited_from_type") or "").lower().replace("_", " ")
    return f"{kind} {entry.get('inherited_from_name', '')}".strip()


def given_by(requirement: Requirement, principal: str, held: Iterable[Effective], owner: str) -> str:
    """What gives the principal the required privilege, in words; "" when nothing does.

    `owner` is the owner of the required securable, "" when it is not known. Owning what contains a securable gives
    the right to grant on it, not the privilege itself; MANAGE likewise.
    """
    held = tuple(held)
    for entry in held:
        if entry.privilege == requirement.privilege:
            return source(entry, principal)
    for entry in held:
        if entry.privilege == "ALL PRIVILEGES" and implied_by_all_privileges(requirement.privilege):
            return f"ALL PRIVILEGES, {source(entry, principal)}"
    return "ownership" if owner == principal and implied_by_ownership(requirement.privilege) else ""


def source(entry: Effective, principal: str) -> str:
    """Where a privilege of the principal comes from, in words."""
    words = f"inherited from {entry.inherited_from}" if entry.inherited_from else "granted"
    return words if entry.grantee == principal else f"{words}, as a member of {entry.grantee}"


def implied_by_all_privileges(privilege: str) -> bool:
    """Whether ALL PRIVILEGES on a securable gives `privilege` too."""
    return privilege not in _EXTERNAL_USE and privilege != "MANAGE"


def implied_by_ownership(privilege: str) -> bool:
    """Whether owning a securable gives `privilege` on it without a grant."""
    return privilege not in _EXTERNAL_USE


def narrowest(url: str, locations: Mapping[str, str]) -> str:
    """Name of the narrowest of the locations (name to address) that covers `url`, or ""."""
    covering = [(len(at), name) for name, at in locations.items() if covers(at, url)]
    return max(covering, default=(0, ""))[1]


def covers(location: str, url: str) -> bool:
    """Whether an address is another one or lies under it, by whole segments of the path."""
    return f"{url.rstrip('/')}/".startswith(f"{location.rstrip('/')}/")


def usage(full_name: str) -> tuple[Requirement, ...]:
    """What it takes to reach an object of three parts."""
    catalog, schema, _ = split_name(full_name)
    return (
        Requirement("USE CATALOG", "CATALOG", catalog),
        Requirement("USE SCHEMA", "SCHEMA", f"{catalog}.{schema}"),
    )


def for_table(full_name: str, operation: str) -> tuple[Requirement, ...]:
    """What a credential of a table needs; `operation` is READ or READ_WRITE."""
    catalog, schema, _ = split_name(full_name)
    own = tuple(Requirement(privilege, "TABLE", full_name) for privilege in _choice(_TABLE, operation))
    return (*usage(full_name), *own, Requirement("EXTERNAL USE SCHEMA", "SCHEMA", f"{catalog}.{schema}"))


def for_path(location: str, operation: str) -> tuple[Requirement, ...]:
    """What a credential of a path needs, on the external location (by name, or "") that covers it."""
    own = ("EXTERNAL USE LOCATION", *_choice(_PATH, operation))
    return tuple(Requirement(privilege, "EXTERNAL LOCATION", location) for privilege in own)


def for_external_table(full_name: str, location: str) -> tuple[Requirement, ...]:
    """What it takes to register an external table from outside the workspace, under an external location."""
    catalog, schema, _ = split_name(full_name)
    return (
        *usage(full_name),
        Requirement("CREATE TABLE", "SCHEMA", f"{catalog}.{schema}"),
        Requirement("EXTERNAL USE SCHEMA", "SCHEMA", f"{catalog}.{schema}"),
        *for_path(location, "PATH_CREATE_TABLE"),
    )


def for_action(action: Action, target: str, location: str = "") -> tuple[tuple[Requirement, ...], ...]:
    """The ways to be allowed an action, each a chain of privileges; the first is the one to grant.

    Args:
        action: what is to be done.
        target: full name of the table or model; for a path and for CREATE TABLE the external location counts.
        location: name of the external location that covers the path or the table's address, "" when not known.

    Raises:
        ValueError: the target is no name of three parts.
    """
    if action in PATH_ACTIONS:
        return (for_path(location, "PATH_READ" if action is Action.READ_PATH else "PATH_READ_WRITE"),)
    if action is Action.CREATE_EXTERNAL_METADATA:
        return ((Requirement("CREATE EXTERNAL METADATA", "METASTORE", ""),),)
    if action is Action.CREATE_TABLE:
        return (for_external_table(target, location),)
    if action in {Action.READ_TABLE, Action.WRITE_TABLE}:
        return (for_table(target, "READ" if action is Action.READ_TABLE else "READ_WRITE"),)
    catalog, schema, _ = split_name(target)
    if action is Action.CREATE_MODEL:
        return ((*usage(target), Requirement("CREATE MODEL", "SCHEMA", f"{catalog}.{schema}")),)
    kind, privilege = _ON_OBJECT[action]
    way = (*usage(target), Requirement(privilege, kind, target))
    # Metadata, and lineage is metadata, may be looked at with BROWSE alone.
    return (way, (Requirement("BROWSE", "CATALOG", catalog),)) if action is Action.READ_LINEAGE else (way,)


_ON_OBJECT = {
    Action.USE_MODEL: ("FUNCTION", "EXECUTE"),
    Action.CREATE_MODEL_VERSION: ("FUNCTION", "CREATE MODEL VERSION"),
    Action.PROMOTE_MODEL: ("FUNCTION", "MANAGE"),
    Action.READ_LINEAGE: ("TABLE", "SELECT"),
    Action.LINEAGE_FROM_TABLE: ("TABLE", "SELECT"),
    Action.LINEAGE_INTO_TABLE: ("TABLE", "MODIFY"),
}
"""Registered models are functions to the grants of Unity Catalog."""


def _choice(table: dict[str, tuple[str, ...]], operation: str) -> tuple[str, ...]:
    if operation not in table:
        raise ValueError(f"unknown operation {operation!r}; one of {', '.join(table)}")
    return table[operation]


class Refused(Exception):
    """The catalog does not let the principal do this. The message names what is missing and how to mend it.

    Attributes:
        principal: client id of who asked.
        securable: full name or URL that was asked for.
        operation: what was asked.
        missing: the privileges that are missing, as far as the catalog tells.
        needs: the privileges that are needed where the catalog does not tell which of them is missing.
    """

    def __init__(
        self,
        *,
        who: str,
        principal: str,
        securable: str,
        operation: str,
        missing: Sequence[Requirement] = (),
        needs: Sequence[Requirement] = (),
        reason: str = "",
    ) -> None:
        self.principal, self.securable, self.operation = principal, securable, operation
        self.missing, self.needs, self.reason = tuple(missing), tuple(needs), reason
        lines = [f"Unity Catalog refused {who} {operation} on {securable}."]
        if reason:
            lines.append(reason)
        if self.missing:
            lines.append("Missing: " + _listed(self.missing) + ".")
        if self.needs:
            lines.append("Needs (the catalog does not say which is missing): " + _listed(self.needs) + ".")
        statements = [need.grant_statement(principal) for need in (*self.missing, *self.needs)]
        if statements:
            lines.append("Mend it with:\n" + "\n".join(f"  {statement}" for statement in statements))
        super().__init__("\n".join(lines))


def _listed(requirements: Iterable[Requirement]) -> str:
    return ", ".join(str(requirement) for requirement in requirements)


class ExternalAccessDisabled(Refused):
    """The metastore vends no credentials to anyone outside the workspace until an administrator allows it."""
