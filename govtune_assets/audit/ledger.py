"""The join: S3's accesses beside the grants that explain them, for one run or for all of a stretch of time."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from govtune_assets.audit import catalog_log, trail
from govtune_assets.audit.catalog_log import Vended
from govtune_assets.audit.judgement import LONGEST_GRANT, SKEW, Findings, Judge, PlaceOf
from govtune_assets.audit.objects import LogObjects
from govtune_assets.audit.trail import Access
from govtune_assets.provenance import plain
from govtune_assets.settings import Settings


@dataclass(frozen=True)
class Logs:
    """Where the two logs lie, and which bucket's objects are table data."""

    trail: str
    catalog: str
    region: str
    bucket: str

    @classmethod
    def of(cls, settings: Settings) -> "Logs":
        """Raises ValueError when a log is not configured; the message names its variable."""
        return cls(
            settings.required("audit_trail"),
            settings.required("audit_catalog"),
            settings.region,
            settings.lake_bucket,
        )


@dataclass(frozen=True)
class RunAudit:
    """A run's grants, and what S3 says was done by each so far. `delivered` says whether the catalog's log has any
    event of the run's time."""

    run_id: str
    grants: tuple[Vended, ...]
    accesses: tuple[Access, ...]
    delivered: bool

    def by(self, grant: Vended) -> tuple[Access, ...]:
        """Accesses under one grant, in order of object and time."""
        mine = (access for access in self.accesses if access.access_key_id == grant.credential_id)
        return tuple(sorted(mine, key=lambda access: (access.key, access.time)))

    def without_record(self, place_of: PlaceOf) -> tuple[str, ...]:
        """What the run had grants of and S3 has no record of. One grant of a table may stay unused where another of
        the same files was used."""
        places = {grant.securable: place_of(grant.securable) or grant.securable for grant in self.grants}
        seen = {places[grant.securable] for grant in self.grants if self.by(grant)}
        return tuple(sorted(securable for securable, place in places.items() if place not in seen))


@dataclass(frozen=True)
class Ledger:
    """Both logs, and the instance on which the runs were made."""

    objects: LogObjects
    logs: Logs
    instance: dg.DagsterInstance

    def findings(self, since: datetime, until: datetime, place_of: PlaceOf, storage_role: str) -> Findings:
        """Judge every access of table data between two times, as far as the logs have been delivered.

        Raises:
            AuditUnreadable: a log cannot be read.
        """
        logs, vended_since = self.logs, since - LONGEST_GRANT
        log = catalog_log.read(self.objects, logs.catalog, vended_since, until)
        recorded = () if log.names_keys else tuple(recorded_since(self.instance, vended_since))
        seen = trail.accesses(self.objects, logs.trail, logs.region, since, until, logs.bucket)
        return Judge(log, recorded, place_of, storage_role).findings(seen)


def recorded_since(instance: dg.DagsterInstance, since: datetime) -> Iterator[Vended]:
    """The grants that the runs recorded which ended since, or go on."""
    ended = instance.get_run_records(dg.RunsFilter(updated_after=since))
    going_on = instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    for run_id in {record.dagster_run.run_id for record in (*ended, *going_on)}:
        yield from recorded_by(instance, run_id)


def recorded_by(instance: dg.DagsterInstance, run_id: str) -> Iterator[Vended]:
    """The grants that a run's materializations and check evaluations recorded."""
    wanted = {dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_CHECK_EVALUATION}
    for entry in instance.all_logs(run_id, of_type=wanted):
        said = entry.asset_materialization or entry.asset_check_evaluation
        for grant in _listed(said.metadata if said else {}):
            # What a job said of itself: a record of another shape is no grant, and what it hides stays unexplained.
            with contextlib.suppress(KeyError, TypeError, ValueError):
                yield Vended(
                    time=datetime.fromisoformat(grant["granted_at"]),
                    principal=grant["principal"],
                    securable=grant["securable"],
                    operation=grant["operation"],
                    credential_id=grant["credential_id"],
                    run_id=run_id,
                )


def _listed(metadata: Mapping[str, Any]) -> list[Any]:
    """Entries of what was reported as `credentials`: a list, or its JSON as text."""
    kept = plain(metadata.get("credentials"))
    with contextlib.suppress(ValueError):
        kept = json.loads(kept) if isinstance(kept, str) else kept
    return kept if isinstance(kept, list) else []


def audit_run(objects: LogObjects, logs: Logs, instance: dg.DagsterInstance, run_id: str) -> RunAudit:
    """What a run did with table data: its recorded grants and those that the catalog's log attributes to it.

    Raises:
        ValueError: the instance has no such run.
        AuditUnreadable: a log cannot be read.
    """
    record = instance.get_run_record_by_id(run_id)
    if record is None:
        raise ValueError(f"{run_id!r} is no run of the Dagster instance in DAGSTER_HOME")
    since = datetime.fromtimestamp(record.start_time or record.create_timestamp.timestamp(), UTC) - SKEW
    ended = datetime.fromtimestamp(record.end_time, UTC) if record.end_time else datetime.now(UTC)
    log = catalog_log.read(objects, logs.catalog, since, ended + SKEW)
    grants = {grant.credential_id: grant for grant in log.vended if grant.run_id == run_id and grant.credential_id}
    for grant in recorded_by(instance, run_id):
        grants.setdefault(grant.credential_id, grant)
    seen = trail.accesses(objects, logs.trail, logs.region, since, ended + LONGEST_GRANT, logs.bucket)
    mine = tuple(access for access in seen if access.access_key_id in grants)
    return RunAudit(run_id, tuple(sorted(grants.values(), key=lambda grant: grant.time)), mine, log.newest is not None)
