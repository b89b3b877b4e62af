"""What the project's principals have beyond the declaration by other ways than a grant to themselves.

That is: grants to a group that holds them, grants on something above what the declaration names, and ownership. It is
shown and never changed: such a grant is somebody else's too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from govtune_assets.access.declaration import Grant, Stage, declared, needs, principals
from govtune_assets.access.differences import securables, visible
from govtune_assets.access.facts import Absent, Facts, Untold
from govtune_assets.settings import Settings
from unitydoor.privileges import Action, Effective, Requirement, source

OWNERSHIP = "OWNERSHIP"
_MAKES = {"TABLE": "CREATE TABLE", "FUNCTION": "CREATE MODEL"}


@dataclass(frozen=True)
class Beyond:
    """A principal holds a privilege, or owns a securable, that the declaration does not give it; `by` says how."""

    principal: str
    requirement: Requirement
    by: str

    def __str__(self) -> str:
        return f"{self.requirement} of {self.principal}: {self.by}"


def beyond(facts: Facts, settings: Settings, stage: Stage) -> tuple[Beyond, ...]:
    """What one stage's principal has, as far as who asks is told.

    A grant is found where it was made, or on the topmost securable that is looked at and inherits it.
    """
    ids = principals(settings)
    names = (ids[stage], *facts.groups(ids[stage]))
    looker = _Looker(facts, settings, ids, declared(settings), names)
    return tuple(
        dict.fromkeys(found for kind, name in visible(facts, looker.grants) for found in looker.on(kind, name))
    )


@dataclass(frozen=True)
class _Looker:
    facts: Facts
    settings: Settings
    ids: dict[Stage, str]
    grants: tuple[Grant, ...]
    names: tuple[str, ...]
    """The principal's, and those of its groups."""

    @property
    def principal(self) -> str:
        return self.names[0]

    def on(self, kind: str, name: str) -> Iterator[Beyond]:
        for entry in self._held(kind, name):
            requirement = Requirement(entry.privilege, kind, name)
            if self._from_elsewhere(entry) and not self._declared(requirement):
                yield Beyond(self.principal, requirement, source(entry, self.principal))
        owner = self.facts.owner(kind, name)
        if owner and not self._may_own(owner, kind, name):
            yield Beyond(owner, Requirement(OWNERSHIP, kind, name), "ownership")

    def _held(self, kind: str, name: str) -> Iterator[Effective]:
        """By each name: the service may leave out a principal's groups where it is asked for the principal."""
        for who in self.names:
            try:
                yield from self.facts.effective(kind, name, who)
            except (Untold, Absent):
                return

    def _from_elsewhere(self, entry: Effective) -> bool:
        """Whether it is no grant to the principal itself on what is looked at: `differences` shows those."""
        above = {f"{kind.lower()} {name}" for kind, name in securables(self.grants)}
        inherited = entry.inherited_from and entry.inherited_from not in above
        return bool(inherited) or (entry.grantee != self.principal and not entry.inherited_from)

    def _declared(self, wanted: Requirement) -> bool:
        mine = (grant.requirement for grant in self.grants if self.ids[grant.stage] == self.principal)
        return any(_gives(grant, wanted) for grant in mine)

    def _may_own(self, owner: str, kind: str, name: str) -> bool:
        """A table or model belongs to a stage that may make it. Others may own what the project does not write."""
        schema = name.rpartition(".")[0]
        make = Requirement(_MAKES.get(kind, ""), "SCHEMA", schema)
        makers = {self.ids[grant.stage] for grant in self.grants if grant.requirement == make}
        written = {need.target for need in needs(self.settings) if need.action is Action.WRITE_TABLE}
        return owner in makers or not (owner in self.ids.values() or name in written)


def _gives(grant: Requirement, wanted: Requirement) -> bool:
    """Whether a declared grant gives a privilege, by inheritance too."""
    if grant.privilege != wanted.privilege:
        return False
    return grant.name == wanted.name or (grant.name != "" and wanted.name.startswith(f"{grant.name}."))
