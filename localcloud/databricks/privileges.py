"""What a principal may do: a pure decision over owners and grants along the chain of securables.

Rules as in "Unity Catalog privileges and securable objects" and "Manage privileges": grants are inherited by what a
container holds; an owner has every privilege on the object itself except the EXTERNAL USE ones, which must be granted;
ALL PRIVILEGES stands for those that the object it is granted on has, the EXTERNAL USE ones and MANAGE left out.
Privileges are spelled with spaces here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

ALL = "ALL PRIVILEGES"
EXTERNAL_USE = frozenset({"EXTERNAL USE SCHEMA", "EXTERNAL USE LOCATION"})
NOT_IN_ALL = EXTERNAL_USE | {"MANAGE"}


class Kind(StrEnum):
    """Types of securable."""

    METASTORE = "metastore"
    STORAGE_CREDENTIAL = "storage credential"
    EXTERNAL_LOCATION = "external location"
    EXTERNAL_METADATA = "external metadata"
    CATALOG = "catalog"
    SCHEMA = "schema"
    TABLE = "table"
    MODEL = "registered model"
    VOLUME = "volume"


_TABLE = frozenset({"SELECT", "MODIFY", "APPLY TAG", "MANAGE", ALL})
_MODEL = frozenset({"EXECUTE", "APPLY TAG", "CREATE MODEL VERSION", "MANAGE", ALL})
_VOLUME = frozenset({"READ VOLUME", "WRITE VOLUME", "APPLY TAG", "MANAGE", ALL})
_SCHEMA = (
    _TABLE
    | _MODEL
    | _VOLUME
    | {"USE SCHEMA", "CREATE TABLE", "CREATE MODEL", "CREATE FUNCTION", "CREATE VOLUME", "EXTERNAL USE SCHEMA"}
    | {"CREATE MATERIALIZED VIEW", "REFRESH"}
)
GRANTABLE: dict[Kind, frozenset[str]] = {
    Kind.METASTORE: frozenset(
        {
            "CREATE CATALOG",
            "CREATE EXTERNAL LOCATION",
            "CREATE EXTERNAL METADATA",
            "CREATE STORAGE CREDENTIAL",
            "CREATE CONNECTION",
            "CREATE SHARE",
            "CREATE RECIPIENT",
            "CREATE PROVIDER",
            "MANAGE ALLOWLIST",
        }
    ),
    Kind.STORAGE_CREDENTIAL: frozenset(
        {"CREATE EXTERNAL LOCATION", "CREATE EXTERNAL TABLE", "READ FILES", "WRITE FILES", "MANAGE", ALL}
    ),
    Kind.EXTERNAL_LOCATION: frozenset(
        {
            "BROWSE",
            "CREATE EXTERNAL TABLE",
            "CREATE EXTERNAL VOLUME",
            "CREATE MANAGED STORAGE",
            "EXTERNAL USE LOCATION",
            "READ FILES",
            "WRITE FILES",
            "MANAGE",
            ALL,
        }
    ),
    Kind.EXTERNAL_METADATA: frozenset({"BROWSE", "MODIFY", "MANAGE", ALL}),
    Kind.CATALOG: _SCHEMA | {"USE CATALOG", "CREATE SCHEMA", "BROWSE"},
    Kind.SCHEMA: _SCHEMA,
    Kind.TABLE: _TABLE,
    Kind.MODEL: _MODEL,
    Kind.VOLUME: _VOLUME,
}


@dataclass(frozen=True)
class Level:
    """One securable of a chain: who owns it and what one principal was granted on it."""

    kind: Kind
    name: str
    owner: str
    granted: frozenset[str]


@dataclass(frozen=True)
class Effective:
    """A privilege that a principal has, and the level that gives it."""

    privilege: str
    source: Level


def spaced(privilege: str) -> str:
    """The spelling with spaces of a privilege that may be spelled with underscores."""
    return privilege.strip().upper().replace("_", " ")


def effective(chain: Sequence[Level]) -> tuple[Effective, ...]:
    """Privileges by grant on the last securable of `chain` (metastore first), inherited ones included.

    Metastore privileges are not inherited: they say what may be made in it.
    """
    levels = [level for level in chain if level.kind is not Kind.METASTORE or level is chain[-1]]
    found = [Effective(privilege, level) for level in levels for privilege in sorted(level.granted)]
    return tuple(found)


def has(chain: Sequence[Level], principal: str, privilege: str) -> bool:
    """Whether `principal`, whose grants the chain shows, has `privilege` on its last securable."""
    target = chain[-1]
    for entry in effective(chain):
        if entry.privilege == privilege or (entry.privilege == ALL and privilege in _in_all(entry.source.kind)):
            return True
    if target.owner == principal and privilege not in EXTERNAL_USE:
        return privilege in GRANTABLE[target.kind]
    return False


def _in_all(kind: Kind) -> frozenset[str]:
    return GRANTABLE[kind] - NOT_IN_ALL


def may_manage(chain: Sequence[Level], principal: str) -> bool:
    """Whether `principal` may change, drop and grant on the last securable: as owner of it or of what holds it,
    by MANAGE, or as metastore administrator (the metastore's owner)."""
    owns = any(level.owner == principal for level in chain)
    return owns or any(entry.privilege == "MANAGE" for entry in effective(chain))


def may_grant(chain: Sequence[Level], principal: str, privilege: str) -> bool:
    """Whether `principal` may grant `privilege` on the last securable.

    EXTERNAL USE SCHEMA is granted by the catalog's owner and EXTERNAL USE LOCATION by the location's owner only (or by
    the metastore administrator, who can take either over).
    """
    if privilege not in EXTERNAL_USE:
        return may_manage(chain, principal)
    owners = {level.owner for level in chain if level.kind not in {Kind.SCHEMA, Kind.TABLE, Kind.MODEL, Kind.VOLUME}}
    return principal in owners


def not_grantable(kind: Kind, privileges: Iterable[str]) -> list[str]:
    """Those of `privileges` that a securable of this kind does not have."""
    return sorted(set(privileges) - GRANTABLE[kind])
