"""Whether a grant explains an access: the key, the time, what was done, and where the object lies."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cached_property

from govtune_assets.audit.catalog_log import CatalogLog, Vended
from govtune_assets.audit.trail import Access
from unitydoor.privileges import covers

LONGEST_GRANT = timedelta(hours=1)
"""No vended credential lives longer (Databricks: "Unity Catalog credential vending for external system access")."""

SKEW = timedelta(seconds=5)
"""Between the clocks of two services; S3's events carry whole seconds."""

PlaceOf = Callable[[str], str]
"""From a table's full name or an address to the `s3://` address of its files; "" when nobody tells."""

_WRITING = frozenset({"READ_WRITE", "PATH_READ_WRITE", "PATH_CREATE_TABLE"})


class Verdict(StrEnum):
    """What became of an access.

    A `pending` one is of a key that the catalog's log may yet explain: it has not been delivered so far. Those of
    `others` are sessions of the storage credential's role that an event without a key explains.
    """

    GRANTED = "granted"
    OTHERS = "others"
    PENDING = "pending"
    UNGRANTED = "ungranted"


@dataclass(frozen=True)
class Judged:
    """An access and its verdict; `why` says what it lacks."""

    access: Access
    verdict: Verdict
    why: str = ""


@dataclass(frozen=True)
class Findings:
    """What became of the accesses of a stretch of time.

    `unplaced` are securables whose files nobody could place: their grants were compared by key, time and operation
    only. `delivered` says whether the catalog's log has any event of that time; `unreadable` counts its vending events
    that could not be read.
    """

    judged: tuple[Judged, ...]
    unplaced: tuple[str, ...]
    delivered: bool
    unreadable: int

    def of(self, verdict: Verdict) -> tuple[Judged, ...]:
        """Those with one verdict."""
        return tuple(one for one in self.judged if one.verdict is verdict)

    @property
    def counts(self) -> Counter[Verdict]:
        """How many have each verdict."""
        return Counter(one.verdict for one in self.judged)


@dataclass(frozen=True)
class Judge:
    """Knows what was vended and decides on accesses.

    The catalog's log decides alone where it names access keys: what a job recorded is its own word. Where it names
    none, what jobs `recorded` stands in, for sessions of the storage credential's role where that is known. An access
    by that role that nobody recorded needs an event that vended its table or path, for what was done, at that time.
    """

    log: CatalogLog
    recorded: tuple[Vended, ...]
    place_of: PlaceOf
    storage_role: str

    def findings(self, accesses: Iterable[Access]) -> Findings:
        """Every access judged."""
        judged = tuple(self.judged(access) for access in accesses)
        used = {self._grants[one.access.access_key_id].securable for one in judged if one.verdict is Verdict.GRANTED}
        unplaced = tuple(sorted(securable for securable in used if not self.place_of(securable)))
        return Findings(judged, unplaced, self.log.newest is not None, self.log.unreadable)

    def judged(self, access: Access) -> Judged:
        """One access."""
        grant = self._grants.get(access.access_key_id)
        if grant is not None:
            why = self._not_by(grant, access)
            return Judged(access, Verdict.UNGRANTED if why else Verdict.GRANTED, why)
        if self._vended_without_key(access):
            return Judged(access, Verdict.OTHERS)
        if access.temporary and (self.log.newest is None or access.time + SKEW > self.log.newest):
            return Judged(access, Verdict.PENDING)
        return Judged(access, Verdict.UNGRANTED, "its key was not vended")

    @cached_property
    def _grants(self) -> dict[str, Vended]:
        known = self.log.vended if self.log.names_keys else self.recorded
        return {vended.credential_id: vended for vended in known if vended.credential_id}

    def _not_by(self, grant: Vended, access: Access) -> str:
        """What keeps the grant from explaining the access, or ""."""
        if not self.log.names_keys and self.storage_role and access.issuer != self.storage_role:
            return "a job recorded its key, but its session is not of the storage credential's role"
        if not _alive(grant, access):
            return "its key was vended at another time"
        if not _lets(grant, access):
            return f"its key was vended for {grant.operation or 'an unknown use'}"
        place = self.place_of(grant.securable)
        return f"its key was vended for {grant.securable}" if place and not _under(place, access) else ""

    def _vended_without_key(self, access: Access) -> bool:
        if self.log.names_keys or not self.storage_role or access.issuer != self.storage_role:
            return False
        return any(
            _alive(vended, access) and _lets(vended, access)
            for place, events in self._by_place.items()
            if _under(place, access)
            for vended in events
        )

    @cached_property
    def _by_place(self) -> dict[str, list[Vended]]:
        found: dict[str, list[Vended]] = {}
        for vended in self.log.vended:
            if place := self.place_of(vended.securable):
                found.setdefault(place, []).append(vended)
        return found


def _alive(grant: Vended, access: Access) -> bool:
    return grant.time - SKEW <= access.time <= grant.time + LONGEST_GRANT + SKEW


def _lets(grant: Vended, access: Access) -> bool:
    """Whether what was done is what the grant was for.

    A batch of deletions names no object, and S3 answers it well where each deletion in it was refused (Amazon S3 API
    reference, "DeleteObjects"): its record does not say that anything was written.
    """
    return access.reads or grant.operation in _WRITING or not access.key


def _under(place: str, access: Access) -> bool:
    """Whether the object lies in the place. A batch of deletions names its bucket only."""
    if not access.key:
        return covers(f"s3://{access.bucket}", place)
    return covers(place, f"s3://{access.bucket}/{access.key}")
