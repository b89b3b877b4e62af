"""One principal's view of the store: what is visible, what is allowed, and the errors when it is not."""

from dataclasses import dataclass

from localcloud.databricks import privileges
from localcloud.databricks.errors import ApiError, absent, denied
from localcloud.databricks.names import full_name, object_name
from localcloud.databricks.privileges import Kind, Level
from localcloud.databricks.store import Database, Securable

_LEVELS = {Kind.CATALOG: 1, Kind.SCHEMA: 2, Kind.TABLE: 3, Kind.MODEL: 3, Kind.VOLUME: 3}
_USAGE = {Kind.CATALOG: "USE CATALOG", Kind.SCHEMA: "USE SCHEMA"}
_OWN = {
    Kind.TABLE: ("SELECT", "MODIFY", "APPLY TAG"),
    Kind.MODEL: ("EXECUTE", "CREATE MODEL VERSION", "APPLY TAG"),
    Kind.VOLUME: ("READ VOLUME", "WRITE VOLUME", "APPLY TAG"),
}


@dataclass(frozen=True)
class Access:
    """Decisions for `principal` (an application id) inside one transaction."""

    db: Database
    principal: str

    @property
    def metastore(self) -> Securable:
        """The workspace's metastore."""
        return self.db.securables(Kind.METASTORE)[0]

    @property
    def is_admin(self) -> bool:
        """Whether the principal administers the metastore."""
        return self.metastore.owner == self.principal

    def levels(self, securable: Securable, principal: str | None = None) -> list[Level]:
        """The chain of a securable with the grants of one principal."""
        who = principal or self.principal
        return [
            Level(link.kind, link.full_name, link.owner, self.db.grants(link, who).get(who, frozenset()))
            for link in self.db.chain(securable)
        ]

    def can(self, securable: Securable, privilege: str) -> bool:
        """Whether the principal has the privilege on this securable, usage of its containers aside."""
        return privileges.has(self.levels(securable), self.principal, privilege)

    def manages(self, securable: Securable) -> bool:
        """Whether the principal may change, drop and grant on the securable."""
        return privileges.may_manage(self.levels(securable), self.principal)

    def reaches(self, securable: Securable) -> bool:
        """Whether the principal has usage of every container of the securable."""
        containers = self.db.chain(securable)[:-1]
        return all(self.can(link, _USAGE[link.kind]) for link in containers if link.kind in _USAGE)

    def visible(self, securable: Securable) -> bool:
        """Whether metadata of the securable may be shown."""
        if self.is_admin or self.can(securable, "BROWSE") or self.can(securable, "MANAGE"):
            return True
        if securable.kind in _OWN:
            return self.reaches(securable) and any(self.can(securable, own) for own in _OWN[securable.kind])
        return self.knows(securable)

    def knows(self, securable: Securable) -> bool:
        """Whether the principal has any part in the securable: a privilege on it, in it or on what holds it.

        The metastore is known to all: its summary is open to everyone in the workspace.
        """
        if securable.kind is Kind.METASTORE:
            return True
        levels = self.levels(securable)
        if self.is_admin or any(level.owner == self.principal for level in levels) or privileges.effective(levels):
            return True
        return any(self.knows(child) for child in self.db.children(securable))

    def find(self, kind: Kind, name: str) -> Securable:
        """A securable that the principal may see.

        Raises:
            ApiError: 404 when there is none or it is hidden; 403 when the principal has a part in what holds it.
        """
        securable = self._lookup(kind, name)
        if self.visible(securable):
            return securable
        if self.knows(securable):
            raise denied(f"{self.principal} does not have permission on {kind} '{name}'.")
        raise absent(kind, name)

    def known(self, kind: Kind, name: str) -> Securable:
        """A securable that the principal may know of, though not see."""
        securable = self._lookup(kind, name)
        if not self.knows(securable):
            raise absent(kind, name)
        return securable

    def _lookup(self, kind: Kind, name: str) -> Securable:
        if kind is Kind.METASTORE:
            if name.lower() not in {self.metastore.id, self.metastore.full_name}:
                raise absent(kind, name)
            return self.metastore
        levels = _LEVELS.get(kind)
        key = ".".join(full_name(name, levels)) if levels else object_name(name)
        securable = self.db.securable(kind, key)
        if securable is None:
            raise absent(kind, name)
        return securable

    def require(self, securable: Securable, *needed: str) -> None:
        """Insist on usage of the containers and on every privilege of `needed` on the securable itself.

        Raises:
            ApiError: 403, without the name of what is missing, as in the real service.
        """
        if not (self.reaches(securable) and all(self.can(securable, privilege) for privilege in needed)):
            raise self.refusal(securable)

    def require_managed(self, securable: Securable) -> None:
        """Insist that the principal may change the securable."""
        if not self.manages(securable):
            raise self.refusal(securable)

    def refusal(self, securable: Securable) -> ApiError:
        """403 for a securable that the principal may know of, else the same 404 as if it did not exist."""
        if not self.knows(securable):
            return absent(securable.kind, securable.full_name)
        return denied(f"{self.principal} does not have permission on {securable.kind} '{securable.full_name}'.")
