"""The join: S3's accesses beside the grants that explain them, for one run or for all of a stretch of time."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from govtune_assets.audit import catalog_log, trail
from govtune_assets.audit.catalog_log import CatalogLog, Vended
from govtune_assets.audit.objects import LogObjects
from govtune_assets.audit.trail import Access
from govtune_assets.provenance import plain
from govtune_assets.settings import Settings

LONGEST_GRANT = timedelta(hours=1)
"""No vended credential lives longer (Databricks: "Unity Catalog credential vending for external system access")."""

SKEW = timedelta(seconds=5)
"""Between the clocks of two services; S3's events carry whole seconds."""


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
class Findings:
    """What became of the accesses of a stretch of time.

    `pending` are of keys that the catalog's log may yet explain: it has not been delivered so far. `others` are of
    the storage credential's role, vended to nobody of this project; only counted where settings name that role.
    """

    granted: tuple[Access, ...]
    others: tuple[Access, ...]
    pending: tuple[Access, ...]
    ungranted: tuple[Access, ...]


@dataclass(frozen=True)
class RunAudit:
    """A run's grants, and what S3 says was done by each so far."""

    run_id: str
    grants: tuple[Vended, ...]
    accesses: tuple[Access, ...]

    def by(self, grant: Vended) -> tuple[Access, ...]:
        """Accesses under one grant, in order of object and time."""
        mine = (access for access in self.accesses if access.access_key_id == grant.credential_id)
        return tuple(sorted(mine, key=lambda access: (access.key, access.time)))


def judge(accesses: Iterable[Access], log: CatalogLog, recorded: Iterable[Vended], storage_role: str) -> Findings:
    """Sort accesses by whether a grant explains them.

    The catalog's log decides alone where it names access keys: what a materialization recorded is its own job's word.
    """
    told = [vended for vended in log.vended if vended.credential_id]
    grants = {vended.credential_id: vended for vended in (told or recorded)}
    sorted_by: dict[str, list[Access]] = {"granted": [], "others": [], "pending": [], "ungranted": []}
    for access in accesses:
        grant = grants.get(access.access_key_id)
        if grant is not None:
            alive = grant.time - SKEW <= access.time <= grant.time + LONGEST_GRANT + SKEW
            verdict = "granted" if alive else "ungranted"
        elif storage_role and access.issuer == storage_role:
            verdict = "others"
        elif access.temporary and (log.newest is None or access.time + SKEW > log.newest):
            verdict = "pending"
        else:
            verdict = "ungranted"
        sorted_by[verdict].append(access)
    return Findings(**{name: tuple(found) for name, found in sorted_by.items()})


def findings(
    objects: LogObjects, logs: Logs, since: datetime, until: datetime, recorded: Iterable[Vended], storage_role: str
) -> Findings:
    """Judge every access of table data between two times, as far as the logs have been delivered.

    Raises:
        AuditUnreadable: a log cannot be read.
    """
    seen = trail.accesses(objects, logs.trail, logs.region, since, until, logs.bucket)
    log = catalog_log.read(objects, logs.catalog, since - LONGEST_GRANT, until)
    return judge(seen, log, recorded, storage_role)


def recorded_by(run_id: str, metadata: Mapping[str, Any]) -> list[Vended]:
    """The grants that a materialization recorded."""
    kept = plain(metadata.get("credentials")) or []
    listed = json.loads(kept) if isinstance(kept, str) else kept
    return [
        Vended(
            time=datetime.fromisoformat(grant["granted_at"]),
            principal=grant["principal"],
            securable=grant["securable"],
            operation=grant["operation"],
            credential_id=grant["credential_id"],
            run_id=run_id,
        )
        for grant in listed
    ]


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
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
        materialization = entry.asset_materialization
        for grant in recorded_by(run_id, materialization.metadata) if materialization else []:
            grants.setdefault(grant.credential_id, grant)
    seen = trail.accesses(objects, logs.trail, logs.region, since, ended + LONGEST_GRANT, logs.bucket)
    mine = tuple(access for access in seen if access.access_key_id in grants)
    return RunAudit(run_id, tuple(sorted(grants.values(), key=lambda grant: grant.time)), mine)
