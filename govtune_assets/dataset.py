"""The training set's versions as a person asks for them: what a version is, what changed, what its examples say.

Read as the auditor, whom the catalog lets read tables and nothing else: examples are governed text, so they are shown
to who may SELECT them, and never stand in a run's records.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from govtune_assets.delta import read_rows
from govtune_assets.keys import DATASET_VERSIONS, SNAPSHOT, table_name
from govtune_assets.settings import Settings
from spark.columns import CHANGES, RESTATED
from unitydoor.merkle import merkle_root, row_digest

if TYPE_CHECKING:
    from unitydoor.catalog import Catalog


class NoSuchVersion(RuntimeError):
    """The training set has no such version, or none yet."""


class OtherContent(NoSuchVersion):
    """What a version's row names holds other rows, or cannot be read: the version is there no more."""


@dataclass(frozen=True)
class Version:
    """A row of the table of versions."""

    number: int
    delta_version: int
    manifest: Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """What became of one example: `kind` is one of `spark.columns.KINDS`, but never `same`."""

    kind: str
    task: str
    accession_number: str
    risk_factor_index: int
    example_id: str


@dataclass(frozen=True)
class _State:
    """An example in one version: its digests by the kind of change that another one is."""

    example_id: str
    digests: Mapping[str, bytes]


def versions(door: "Catalog", settings: Settings) -> list[Version]:
    """Every version, the oldest first.

    Raises:
        NoSuchVersion: there is none yet.
        unitydoor.privileges.Refused: the auditor may not read the table.
    """
    name = table_name(settings, DATASET_VERSIONS)
    if not door.table_exists(name):
        raise NoSuchVersion(f"{name} does not exist yet: materialize curated/training_snapshot, which writes it")
    columns = ["version", "snapshot_delta_version", "manifest"]
    rows = read_rows(door.vend_table(name, "READ"), settings.region, columns=columns)
    found = [Version(row["version"], row["snapshot_delta_version"], json.loads(row["manifest"])) for row in rows]
    return sorted(found, key=lambda version: version.number)


def choose(known: Sequence[Version], number: int | None) -> Version:
    """The version of this number; the newest where none is named.

    Raises:
        NoSuchVersion: the message names those that there are.
    """
    for version in known:
        if version.number == (known[-1].number if number is None else number):
            return version
    listing = ", ".join(str(version.number) for version in known) or "none"
    raise NoSuchVersion(f"the training set has no version {number}; there are: {listing}")


def differences(door: "Catalog", settings: Settings, before: Version, after: Version) -> Iterator[Change]:
    """What became of each example between two versions, those that are the same left out, in order of identity.

    Raises:
        OtherContent: the table no longer holds one of them.
        unitydoor.privileges.Refused: the auditor may not read the snapshot.
    """
    old, new = (_states(door, settings, version) for version in (before, after))
    for identity in sorted(old.keys() | new.keys()):
        kind = _kind(old.get(identity), new.get(identity))
        if kind != "same":
            yield Change(kind, *identity, (new.get(identity) or old[identity]).example_id)


def sample(
    door: "Catalog", settings: Settings, version: Version, *, task: str, split: str, rows: int
) -> list[dict[str, Any]]:
    """The first `rows` examples of a task and split by their ids: always the same of a version.

    The whole version is read once to know that it is the one: Delta's number alone says nothing of the content.

    Raises:
        OtherContent: the table no longer holds the version.
        unitydoor.privileges.Refused: the auditor may not read the snapshot.
    """
    _require_content(version, (row_digest(list(row.values())) for row in _snapshot(door, settings, version)))
    wanted = {"task": [task], "split": [split]}
    identifiers = _snapshot(door, settings, version, columns=["example_id"], where=wanted)
    first = sorted(str(row["example_id"]) for row in identifiers)[:rows]
    found = _snapshot(door, settings, version, where={**wanted, "example_id": first})
    return sorted(found, key=lambda row: str(row["example_id"]))


def _kind(old: _State | None, new: _State | None) -> str:
    if old is None or new is None:
        return "added" if old is None else "removed"
    return next((kind for kind, digest in old.digests.items() if digest != new.digests[kind]), "same")


def _states(door: "Catalog", settings: Settings, version: Version) -> dict[tuple[str, str, int], _State]:
    """Digests of a version's rows by identity; the texts pass by batch and are not kept."""
    found = {}
    rows = []
    for row in _snapshot(door, settings, version):
        digests = {kind: row_digest([row[name] for name in names]) for kind, names in CHANGES.items()}
        digests[RESTATED] = row_digest(list(row.values()))
        rows.append(digests[RESTATED])
        identity = (str(row["task"]), str(row["accession_number"]), int(row["risk_factor_index"]))
        found[identity] = _State(row["example_id"], digests)
    _require_content(version, rows)
    return found


def _require_content(version: Version, digests: Iterable[bytes]) -> None:
    """Refuse rows that are not the version's: a table that was made anew counts its Delta versions from 0 again."""
    recorded = version.manifest["snapshot"]
    found = merkle_root(digests)
    if found != recorded["merkle_root"]:
        raise OtherContent(
            f"Delta version {version.delta_version} of {recorded['table']} does not hold version {version.number}: "
            f"its rows' Merkle root is {found}, the manifest's {recorded['merkle_root']}; the table was made anew"
        )


def _snapshot(door: "Catalog", settings: Settings, version: Version, **wanted: Any) -> Iterator[dict[str, Any]]:
    """Rows of the snapshot at the Delta version that is named for the version."""
    from deltalake.exceptions import DeltaError

    name, recorded = table_name(settings, SNAPSHOT), version.manifest["snapshot"]["table"]
    if recorded != name:
        raise OtherContent(f"version {version.number} is of the table {recorded}, not of {name}: set GOVTUNE_CATALOG")
    grant = door.vend_table(name, "READ")
    try:
        yield from read_rows(grant, settings.region, version=version.delta_version, **wanted)
    except DeltaError as error:
        raise OtherContent(
            f"version {version.number} is at Delta version {version.delta_version} of {name}, which cannot be read; "
            f"after VACUUM, or where the table was made anew, it is there no more: {error}"
        ) from error
