"""The difference between the declared grants and the catalog's, in both directions, and making it.

Looked at: grants of the project's principals on the securables that the declaration names, and on the tables and
models in its schemas. Grants of anybody else, and on anything else, are neither shown nor changed. What a principal has
by other ways than a grant to itself belongs to `beyond`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from govtune_assets.access.declaration import Grant, Stage, declared, principals
from govtune_assets.access.facts import Absent, Facts, Untold
from govtune_assets.settings import Settings
from unitydoor.privileges import Requirement

Held = tuple[str, Requirement]
"""A principal's application id, and what it was granted."""
_ORDER = ("METASTORE", "EXTERNAL LOCATION", "CATALOG", "SCHEMA", "TABLE", "FUNCTION")


@dataclass(frozen=True)
class Difference:
    """A declared grant that the catalog lacks, or one of the project's principals that is not declared."""

    principal: str
    requirement: Requirement
    missing: bool

    @property
    def sign(self) -> str:
        """`+` for a grant to make, `-` for one to take away."""
        return "+" if self.missing else "-"

    def statement(self) -> str:
        """The SQL statement that mends it."""
        if self.missing:
            return self.requirement.grant_statement(self.principal)
        return self.requirement.revoke_statement(self.principal)


class NotApplied(RuntimeError):
    """A securable's grants could not be changed; says which statements were made before and which were not."""

    def __init__(self, made: Sequence[Difference], left: Sequence[Difference], reason: str):
        lines = [f"The catalog refused to change grants: {reason}"]
        for words, differences in (("Made before:", made), ("Not made:", left)):
            lines += [words, *(f"  {difference.statement()}" for difference in differences)] if differences else []
        lines.append("Apply as the owner of these securables, or as a metastore administrator.")
        super().__init__("\n".join(lines))


def compare(wanted: Iterable[Held], held: Iterable[Held], ours: Iterable[str]) -> tuple[Difference, ...]:
    """What is wanted and not held, then what is held by `ours` and not wanted, each from the metastore down."""
    wanted, held, ours = set(wanted), set(held), set(ours)
    missing = [Difference(principal, requirement, True) for principal, requirement in wanted - held]
    surplus = [
        Difference(principal, requirement, False) for principal, requirement in held - wanted if principal in ours
    ]
    return (*sorted(missing, key=_place), *sorted(surplus, key=_place))


def _place(difference: Difference) -> tuple[int, str, str, str]:
    requirement = difference.requirement
    return _ORDER.index(requirement.securable_type), requirement.name, difference.principal, requirement.privilege


def with_principals(grants: Iterable[Grant], ids: Mapping[Stage, str]) -> set[Held]:
    """The grants with the principals' application ids. Two stages may be one principal: it has the grants of both."""
    return {(ids[grant.stage], grant.requirement) for grant in grants}


def securables(grants: Iterable[Grant]) -> list[tuple[str, str]]:
    """(type, name) of each securable that the grants name."""
    return sorted({(grant.requirement.securable_type, grant.requirement.name) for grant in grants})


def differences(facts: Facts, settings: Settings) -> tuple[Difference, ...]:
    """The difference, as an administrator sees it.

    Raises:
        ValueError: a principal is not configured, a securable of the declaration does not exist, or who asks may not
            see its grants or what is in it.
    """
    ids, grants = principals(settings), declared(settings)
    held: set[Held] = set()
    for kind, name in securables(grants):
        with _told(kind, name):
            held |= facts.granted(kind, name)
            inside = list(facts.inside(name)) if kind == "SCHEMA" else []
        for child in inside:
            with _told(*child):
                held |= facts.granted(*child)
    return compare(with_principals(grants, ids), held, ids.values())


@contextmanager
def _told(kind: str, name: str) -> Iterator[None]:
    """Names the securable of which the catalog tells nothing, and who is told."""
    try:
        yield
    except Absent as error:
        raise ValueError(
            f"{kind.lower()} {name} does not exist, or is hidden from who asks: make it first, or ask as the "
            f"catalog's owner or a metastore administrator ({error})"
        ) from error
    except Untold as error:
        raise ValueError(
            f"the grants on {kind.lower()} {name} and what is in it are shown to its owner, to who has MANAGE on it "
            f"and to a metastore administrator only: ask as one of them ({error})"
        ) from error


def differences_of(facts: Facts, settings: Settings, stage: Stage) -> tuple[Difference, ...]:
    """The difference for one stage's principal, as this principal itself is told its own grants.

    What is hidden from it counts as not granted to it.
    """
    ids, grants = principals(settings), declared(settings)
    principal, held = ids[stage], set[Held]()
    for kind, name in visible(facts, grants):
        try:
            held |= facts.granted(kind, name, principal)
        except (Absent, Untold):
            continue
    wanted = {entry for entry in with_principals(grants, ids) if entry[0] == principal}
    return compare(wanted, held, [principal])


def visible(facts: Facts, grants: Iterable[Grant]) -> Iterator[tuple[str, str]]:
    """The securables that the grants name, and what of their schemas' tables and models who asks may list."""
    for kind, name in securables(grants):
        yield kind, name
        if kind == "SCHEMA":
            with suppress(Absent, Untold):
                yield from list(facts.inside(name))


def apply(facts: Facts, found: Sequence[Difference]) -> None:
    """Make the grants and revocations, all of a securable in one request.

    Raises:
        NotApplied: the catalog refused one; what was made before stays, and applying again goes on from there.
    """
    from databricks.sdk.errors.base import DatabricksError

    by_securable: dict[tuple[str, str], list[Difference]] = {}
    for difference in found:
        key = (difference.requirement.securable_type, difference.requirement.name)
        by_securable.setdefault(key, []).append(difference)
    made: list[Difference] = []
    for (kind, name), group in by_securable.items():
        try:
            facts.change(kind, name, _changes(group))
        except DatabricksError as error:
            raise NotApplied(made, [entry for entry in found if entry not in made], str(error)) from error
        made += group


def _changes(group: Sequence[Difference]) -> list[dict[str, Any]]:
    changes: dict[str, dict[str, Any]] = {}
    for difference in group:
        change = changes.setdefault(difference.principal, {"principal": difference.principal})
        verb = "add" if difference.missing else "remove"
        change.setdefault(verb, []).append(difference.requirement.privilege.replace(" ", "_"))
    return list(changes.values())
