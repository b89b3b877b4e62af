"""A second account of who may do what, written apart from the workspace's: plain sets, no code in common with it.

From "Manage privileges in Unity Catalog", "Unity Catalog privileges and securable objects" and the reference of each
REST call. A decision is one of three: yes, no, or hidden (the object is as if it did not exist).
"""

from __future__ import annotations

from dataclasses import dataclass, field

YES, NO, HIDDEN = "yes", "no", "hidden"
ALL, MANAGE, BROWSE = "ALL PRIVILEGES", "MANAGE", "BROWSE"
FROM_OUTSIDE = {"EXTERNAL USE SCHEMA", "EXTERNAL USE LOCATION"}

TABLE = {"SELECT", "MODIFY", "APPLY TAG", MANAGE, ALL}
MODEL = {"EXECUTE", "CREATE MODEL VERSION", "APPLY TAG", MANAGE, ALL}
VOLUME = {"READ VOLUME", "WRITE VOLUME", "APPLY TAG", MANAGE, ALL}
SCHEMA = TABLE | MODEL | VOLUME
SCHEMA |= {"USE SCHEMA", "CREATE TABLE", "CREATE MODEL", "CREATE VOLUME", "EXTERNAL USE SCHEMA"}
CATALOG = SCHEMA | {"USE CATALOG", "CREATE SCHEMA", BROWSE}
FILES = {"CREATE EXTERNAL TABLE", "READ FILES", "WRITE FILES", MANAGE, ALL}
APPLIES = {
    "metastore": {"CREATE CATALOG", "CREATE EXTERNAL LOCATION", "CREATE EXTERNAL METADATA"},
    "storage_credential": FILES | {"CREATE EXTERNAL LOCATION"},
    "external_location": FILES | {BROWSE, "CREATE EXTERNAL VOLUME", "CREATE MANAGED STORAGE", "EXTERNAL USE LOCATION"},
    "external_metadata": {BROWSE, "MODIFY", MANAGE, ALL},
    "catalog": CATALOG,
    "schema": SCHEMA,
    "table": TABLE,
    "model": MODEL,
    "volume": VOLUME,
}
USAGE = {"catalog": "USE CATALOG", "schema": "USE SCHEMA"}
OF_DATA = {
    "table": {"SELECT", "MODIFY", "APPLY TAG"},
    "model": {"EXECUTE", "CREATE MODEL VERSION", "APPLY TAG"},
    "volume": {"READ VOLUME", "WRITE VOLUME", "APPLY TAG"},
}
MAKING = {"schema": "CREATE SCHEMA", "table": "CREATE TABLE", "model": "CREATE MODEL", "volume": "CREATE VOLUME"}
VENDING = {
    ("table", False): {"SELECT"},
    ("table", True): {"SELECT", "MODIFY"},
    ("volume", False): {"READ VOLUME"},
    ("volume", True): {"READ VOLUME", "WRITE VOLUME"},
    ("external_location", False): {"READ FILES"},
    ("external_location", True): {"READ FILES", "WRITE FILES"},
}
Thing = tuple[str, str]
"""A kind and a full name."""
ROOT: Thing = ("metastore", "local")


@dataclass
class Model:
    """Objects with their owners, and grants as triples (who, what, on which)."""

    admin: str
    owner: dict[Thing, str] = field(default_factory=dict)
    grants: set[tuple[str, str, Thing]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.owner[ROOT] = self.admin

    def containers(self, thing: Thing) -> set[Thing]:
        """The catalog and schema that hold a thing, read off its name; the metastore, which holds all, left out."""
        parts = thing[1].split(".") if thing[0] in {"schema", *OF_DATA} else [thing[1]]
        held_by = [("catalog", parts[0]), ("schema", ".".join(parts[:2]))]
        return set(held_by[: len(parts) - 1])

    def inside(self, thing: Thing) -> set[Thing]:
        """A thing and all that it holds."""
        return {other for other in self.owner if other == thing or thing in self.containers(other) or thing == ROOT}

    def has(self, who: str, what: str, thing: Thing) -> bool:
        """Whether somebody has a privilege on a thing: by grant there or above, or by owning it."""
        for level in {thing} | self.containers(thing):
            everything = (who, ALL, level) in self.grants and what in APPLIES[level[0]] - FROM_OUTSIDE - {MANAGE}
            if everything or (who, what, level) in self.grants:
                return True
        return self.owner[thing] == who and what in APPLIES[thing[0]] - FROM_OUTSIDE

    def uses(self, who: str, thing: Thing) -> bool:
        """Whether somebody may pass through everything that holds a thing."""
        return all(self.has(who, USAGE[level[0]], level) for level in self.containers(thing))

    def manages(self, who: str, thing: Thing) -> bool:
        """Whether somebody may change, drop and grant: as owner of it or of what holds it, or by MANAGE."""
        return any(
            self.owner[level] == who or (who, MANAGE, level) in self.grants
            for level in {thing} | self.containers(thing)
        ) or (who == self.admin)

    def may_grant(self, who: str, what: str, thing: Thing) -> bool:
        """EXTERNAL USE is granted by the owner of the catalog or the location; all else by who manages."""
        if what not in FROM_OUTSIDE:
            return self.manages(who, thing)
        top = {level for level in {thing} | self.containers(thing) if level[0] in {"catalog", "external_location"}}
        return who == self.admin or any(self.owner[level] == who for level in top)

    def knows(self, who: str, thing: Thing) -> bool:
        """Whether somebody has any part in a thing, in what it holds or in what holds it. All know the metastore."""
        if thing == ROOT or who == self.admin:
            return True
        reach: set[Thing] = set()
        for other in self.inside(thing):
            reach |= {other} | self.containers(other)
        return any(self.owner[level] == who for level in reach) or any(
            holder == who and level in reach for holder, _, level in self.grants
        )

    def sees(self, who: str, thing: Thing) -> bool:
        """Whether somebody may read what the catalog says about a thing."""
        by_right = who == self.admin or self.has(who, BROWSE, thing) or self.has(who, MANAGE, thing)
        if by_right or thing[0] not in OF_DATA:
            return by_right or self.knows(who, thing)
        return self.uses(who, thing) and any(self.has(who, what, thing) for what in OF_DATA[thing[0]])

    def _unless(self, allowed: bool, who: str, thing: Thing) -> str:
        return YES if allowed else NO if self.knows(who, thing) else HIDDEN

    def get(self, who: str, thing: Thing) -> str:
        """Read a thing's description."""
        return self._unless(self.sees(who, thing), who, thing)

    def grant(self, who: str, whom: str, what: str, thing: Thing, *, add: bool) -> str:
        """Give or take a privilege; does it when it is allowed."""
        answer = self._unless(self.knows(who, thing) and self.may_grant(who, what, thing), who, thing)
        if answer == YES:
            (self.grants.add if add else self.grants.discard)((whom, what, thing))
        return answer

    def transfer(self, who: str, whom: str, thing: Thing) -> str:
        """Make somebody the owner; does it when it is allowed."""
        answer = self._unless(self.sees(who, thing) and self.manages(who, thing), who, thing)
        if answer == YES:
            self.owner[thing] = whom
        return answer

    def make(self, who: str, thing: Thing, location: Thing) -> str:
        """Make a schema, table, model or volume; does it when it is allowed. Tables need the location as well."""
        kind = thing[0]
        (holder,) = {level for level in self.containers(thing) if not level[1].count(".") < thing[1].count(".") - 1}
        allowed = self.uses(who, thing) and self.has(who, MAKING[kind], holder)
        if kind == "table":
            allowed &= self.has(who, "EXTERNAL USE SCHEMA", holder)
            allowed &= all(self.has(who, what, location) for what in ("CREATE EXTERNAL TABLE", "EXTERNAL USE LOCATION"))
        answer = self._unless(allowed, who, holder)
        if answer == YES:
            self.owner[thing] = who
        return answer

    def vend(self, who: str, thing: Thing, *, write: bool) -> str:
        """Ask for a credential for a table's or volume's files, or for a path in an external location."""
        needed = VENDING[thing[0], write]
        if thing[0] == "external_location":
            return YES if all(self.has(who, what, thing) for what in needed | {"EXTERNAL USE LOCATION"}) else NO
        (schema,) = {level for level in self.containers(thing) if level[0] == "schema"}
        allowed = self.uses(who, thing) and self.has(who, "EXTERNAL USE SCHEMA", schema)
        return self._unless(allowed and all(self.has(who, what, thing) for what in needed), who, thing)
