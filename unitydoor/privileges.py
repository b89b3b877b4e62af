"""Which privileges an operation needs, and the refusal that names the missing ones.

Chains follow "Unity Catalog credential vending for external system access" and "Unity Catalog privileges and
securable objects" of the Databricks documentation: usage on every container, the privilege on the object itself,
and the EXTERNAL USE privilege, which neither ownership nor ALL PRIVILEGES implies.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

NAME_LEVELS = 3
_FORBIDDEN_IN_NAMES = frozenset("./ ")
_EXPLICIT_ONLY = frozenset({"EXTERNAL USE SCHEMA", "EXTERNAL USE LOCATION", "MANAGE"})
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


@dataclass(frozen=True)
class Requirement:
    """One privilege on one securable. `name` is empty when the securable's name is not known."""

    privilege: str
    securable_type: str
    name: str

    def __str__(self) -> str:
        return f"{self.privilege} on {self.securable_type.lower()} {self.name or 'that covers the path'}"

    def grant_statement(self, client_id: str) -> str:
        """The SQL that mends it."""
        if self.securable_type == "METASTORE":
            return f"GRANT {self.privilege} ON METASTORE TO {quote(client_id)};"
        # Names of catalogs, schemas and what they hold are dotted; an external location's is one identifier.
        dotted = self.securable_type in {"CATALOG", "SCHEMA", "TABLE", "FUNCTION"}
        parts = self.name.split(".") if dotted else [self.name]
        target = ".".join(quote(part) for part in parts) if self.name else "<external location>"
        return f"GRANT {self.privilege} ON {self.securable_type} {target} TO {quote(client_id)};"


def implied_by_ownership(privilege: str) -> bool:
    """Whether owning a securable, or ALL PRIVILEGES on it, gives `privilege` without a grant."""
    return privilege not in _EXPLICIT_ONLY


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
