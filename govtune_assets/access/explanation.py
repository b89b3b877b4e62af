"""Why a principal may or may not do something: the chain of privileges, what gives each, and what mends it.

Each privilege is asked for on the securable that it belongs to, since the catalog's effective permissions of an
object show only privileges that apply to its type: USE SCHEMA on the schema, SELECT on the table.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from govtune_assets.access.facts import Absent, Facts, Untold
from unitydoor import privileges
from unitydoor.privileges import EXTERNAL_ACTIONS, PATH_ACTIONS, Action, Requirement, narrowest

EXTERNAL_ACCESS = "external data access"


class Verdict(StrEnum):
    """What is known of one link of a chain."""

    HELD = "held"
    MISSING = "missing"
    UNTOLD = "not told"


@dataclass(frozen=True)
class Link:
    """One link: what is needed on which securable, whether it is there, and by what or why not."""

    securable: str
    need: str
    verdict: Verdict
    by: str
    requirement: Requirement | None = None
    """The privilege; None for what no grant gives."""

    @property
    def cells(self) -> tuple[str, str, str]:
        """Securable, need, and what gives it or that it is missing."""
        words = {Verdict.HELD: self.by, Verdict.MISSING: "MISSING", Verdict.UNTOLD: "NOT TOLD"}[self.verdict]
        note = f": {self.by}" if self.verdict is not Verdict.HELD and self.by else ""
        return self.securable, self.need, words + note


@dataclass(frozen=True)
class Explanation:
    """A question and the chain that answers it."""

    principal: str
    action: Action
    target: str
    links: tuple[Link, ...]

    @property
    def missing(self) -> tuple[Link, ...]:
        """The links that are not there."""
        return tuple(link for link in self.links if link.verdict is Verdict.MISSING)

    @property
    def untold(self) -> tuple[Link, ...]:
        """The links of which the catalog tells nothing to who asked."""
        return tuple(link for link in self.links if link.verdict is Verdict.UNTOLD)

    @property
    def allowed(self) -> bool:
        """Whether every link is there."""
        return all(link.verdict is Verdict.HELD for link in self.links)

    def lines(self) -> list[str]:
        """The chain as a table for a terminal, from the metastore down."""
        rows = [link.cells for link in self.links]
        widths = [max(len(row[column]) for row in rows) for column in range(2)]
        return [f"  {a:{widths[0]}}  {b:{widths[1]}}  {c}" for a, b, c in rows]

    def statements(self, declared: Iterable[Requirement] = ()) -> list[str]:
        """SQL that mends what is missing. Where a grant on a container is `declared`, that one is named."""
        wanted = tuple(declared)
        return list(
            dict.fromkeys(
                _as_declared(link.requirement, wanted).grant_statement(self.principal)
                for link in self.missing
                if link.requirement is not None
            )
        )


def explain(
    facts: Facts,
    principal: str,
    action: Action,
    target: str,
    location: str = "",
    locations: Mapping[str, str] | None = None,
    *,
    made: bool = False,
) -> Explanation:
    """Walk the chain of one action.

    Args:
        facts: the catalog, as whoever asks.
        principal: application id of the service principal (or name of a user or group).
        action: what it wants to do.
        target: full name of a table or model, or the `s3://` address of a path; "" for the metastore.
        location: `s3://` address of a table that may have to be registered first. What does not exist can be written
            only by making it, so that WRITE_TABLE then needs what CREATE_TABLE needs, and CREATE_MODEL_VERSION what
            CREATE_MODEL needs: the maker owns it.
        locations: name and address of external locations that are known to exist, for who asks may see none.
        made: whether the table or model was made before, so that one who does not see it cannot tell whether it is
            there to be written: it was dropped, or another owns it now.

    Raises:
        ValueError: the target has another form, or CREATE_TABLE lacks the location.
    """
    if action in PATH_ACTIONS and not target.startswith("s3://"):
        raise ValueError(f"{action} takes an address, s3://bucket/path, not {target!r}")
    if action is Action.CREATE_TABLE and not location:
        raise ValueError(f"{action} of {target} needs the table's address, s3://bucket/path")
    wanted, action = action, _as_possible(facts, action, target, location)
    place = target if action in PATH_ACTIONS else location
    covering = (facts.location_over(place) or narrowest(place, locations or {})) if place else ""
    walker = _Walker(facts, principal)
    ways = [walker.walk(way, place) for way in privileges.for_action(action, target, covering)]
    links = next((way for way in ways if all(link.verdict is Verdict.HELD for link in way)), ways[0])
    if action in EXTERNAL_ACTIONS:
        links = (_external_access(facts), *links)
    if made and action is not wanted:
        by = "it was made before and is hidden from who asks: dropped, or another owns it"
        links = (Link(f"{'table' if location else 'model'} {target}", "ownership", Verdict.UNTOLD, by), *links)
    return Explanation(principal, action, target, links)


def _as_possible(facts: Facts, action: Action, target: str, location: str) -> Action:
    if action is Action.WRITE_TABLE and location and not facts.exists("TABLE", target):
        return Action.CREATE_TABLE
    if action is Action.CREATE_MODEL_VERSION and not facts.exists("FUNCTION", target):
        return Action.CREATE_MODEL
    return action


def _external_access(facts: Facts) -> Link:
    said = facts.external_access()
    verdict = {True: Verdict.HELD, False: Verdict.MISSING, None: Verdict.UNTOLD}[said]
    by = "switched on" if said else "a metastore administrator switches it on in the metastore's settings"
    return Link("metastore", EXTERNAL_ACCESS, verdict, by)


@dataclass(frozen=True)
class _Walker:
    facts: Facts
    principal: str

    def walk(self, way: Sequence[Requirement], place: str) -> tuple[Link, ...]:
        return tuple(self._link(requirement, place) for requirement in way)

    def _link(self, requirement: Requirement, place: str) -> Link:
        kind, name = requirement.securable_type, requirement.name
        if kind == "EXTERNAL LOCATION" and not name:
            by = f"no external location over {place} that who asks may see"
            return Link("external location", requirement.privilege, Verdict.MISSING, by, requirement)
        shown = f"{kind.lower()} {name}".strip()
        try:
            by = self._given(requirement, kind, name)
        except Untold:
            return Link(shown, requirement.privilege, Verdict.UNTOLD, "who asks may not see its grants", requirement)
        except Absent:
            return self._on_container(requirement, shown)
        return Link(shown, requirement.privilege, Verdict.HELD if by else Verdict.MISSING, by, requirement)

    def _given(self, requirement: Requirement, kind: str, name: str) -> str:
        held = self.facts.effective(kind, name, self.principal)
        by = privileges.given_by(requirement, self.principal, held, "")
        return by or privileges.given_by(requirement, self.principal, held, self.facts.owner(kind, name))

    def _on_container(self, requirement: Requirement, shown: str) -> Link:
        """A table or model that is not there, yet or for who asks: its schema tells what it would inherit."""
        name, note = requirement.name, "it does not exist, or is hidden from who asks"
        if requirement.securable_type not in {"TABLE", "FUNCTION"}:
            return Link(shown, requirement.privilege, Verdict.MISSING, note, requirement)
        schema = name.rpartition(".")[0]
        try:
            by = self._given(requirement, "SCHEMA", schema)
        except (Untold, Absent):
            by = ""
        if by in {"", "ownership"}:
            return Link(shown, requirement.privilege, Verdict.MISSING, note, requirement)
        by = f"inherited from schema {schema}" if by == "granted" else by
        return Link(shown, requirement.privilege, Verdict.HELD, f"{by}; the object does not exist yet", requirement)


def _as_declared(requirement: Requirement, declared: Sequence[Requirement]) -> Requirement:
    """The declared grant that gives the requirement by inheritance, if there is one."""
    if requirement.securable_type == "EXTERNAL LOCATION" and not requirement.name:
        return requirement
    names = [requirement.name]
    while "." in names[-1]:
        names.append(names[-1].rpartition(".")[0])
    for grant in declared:
        if grant.privilege == requirement.privilege and grant.name in names:
            return grant
    return requirement
