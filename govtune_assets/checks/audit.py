"""The audit's check: no read of table data without a credential that the catalog vended for it.

It does not block: S3's records come minutes late in production, so a run's own reads may be judged by a later
evaluation. The stretch of time that is judged each time is long enough for that. An evaluation that finds a log empty,
or nothing of its own run, warns, and fails once the logs' delay is over.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from govtune_assets import markdown, provenance
from govtune_assets.access.declaration import Stage
from govtune_assets.audit import ledger
from govtune_assets.audit.judgement import Findings, Judged, Verdict
from govtune_assets.audit.ledger import Ledger, Logs, RunAudit
from govtune_assets.audit.objects import LogObjects
from govtune_assets.audit.places import place_of
from govtune_assets.gates import DATA_VERSION
from govtune_assets.keys import SNAPSHOT, adapter_key
from govtune_assets.provenance import Materialized
from govtune_assets.resources.unity_catalog import UnityCatalogResource
from govtune_assets.settings import Settings
from train.config import TrainingConfiguration

NAME = "every_read_was_granted"
PATIENCE_SECONDS = 5
"""Longest wait for records of the run's own grants: enough for the local cloud, no use in production."""
SHOWN = 20


def build_audit_checks(
    settings: Settings, configurations: list[TrainingConfiguration]
) -> list[dg.AssetChecksDefinition]:
    """The check on what ends curation, and on what ends each training."""
    keys = [SNAPSHOT, *(adapter_key(configuration.name) for configuration in configurations)]
    return [_every_read_was_granted(settings, key) for key in keys]


def _every_read_was_granted(settings: Settings, key: dg.AssetKey) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=key,
        name=NAME,
        description=(
            "Every read and write of an object of table data, by S3's own records, was done with a credential that "
            f"Unity Catalog's audit log says it vended. Looks {settings.audit_hours:g} hours back."
        ),
        blocking=False,
        required_resource_keys={"unity_catalog"},
    )
    def every_read_was_granted(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        made = provenance.latest(context.instance, key)
        if not (settings.audit_trail and settings.audit_catalog):
            return dg.AssetCheckResult(
                passed=False,
                severity=dg.AssetCheckSeverity.WARN,
                description="Nothing is audited: GOVTUNE_AUDIT_TRAIL and GOVTUNE_AUDIT_CATALOG name no logs.",
                metadata={DATA_VERSION: made.data_version},
            )
        catalog: UnityCatalogResource = context.resources.unity_catalog
        logs = Ledger(LogObjects(catalog.aws.client("s3")), Logs.of(settings), context.instance)
        place = place_of(settings, lambda: catalog.door(Stage.AUDITOR))
        own = _own(logs, made)
        until = datetime.now(UTC)
        since = until - timedelta(hours=settings.audit_hours)
        found = logs.findings(since, until, place, settings.storage_role_arn)
        delay = timedelta(hours=settings.audit_delay_hours)
        return conclude(made, found, own, own.without_record(place), until, delay)

    return every_read_was_granted


def _own(logs: Ledger, made: Materialized) -> RunAudit:
    """What the materialization's own run did, as soon as each of its grants has a record, or patience ends."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        audit = ledger.audit_run(logs.objects, logs.logs, logs.instance, made.run_id)
        used = {access.access_key_id for access in audit.accesses}
        wanted = {grant.credential_id for grant in audit.grants}
        if (wanted and wanted <= used) or time.monotonic() > deadline:
            return audit
        time.sleep(1)


def conclude(
    made: Materialized,
    found: Findings,
    own: RunAudit,
    without_record: Sequence[str],
    now: datetime,
    delay: timedelta,
) -> dg.AssetCheckResult:
    """The check's result. What is absent warns until the logs' delay is over, and fails then: no log is no proof."""
    late = datetime.fromtimestamp(made.timestamp, UTC) < now - delay
    overdue = [one for one in found.of(Verdict.PENDING) if one.access.time < now - delay]
    absent = _absent(found, own, without_record)
    ungranted = found.of(Verdict.UNGRANTED)
    failed = bool(ungranted or overdue or (absent and late))
    return dg.AssetCheckResult(
        passed=not (failed or absent),
        severity=dg.AssetCheckSeverity.ERROR if failed else dg.AssetCheckSeverity.WARN,
        description=" ".join(_sentences(found, len(overdue), absent, "" if late else _early(made, delay), delay)),
        metadata={
            "value": len(ungranted),
            "threshold": 0,
            "granted": found.counts[Verdict.GRANTED],
            "vended_to_others": found.counts[Verdict.OTHERS],
            "pending": found.counts[Verdict.PENDING],
            "overdue": len(overdue),
            "unreadable_events": found.unreadable,
            "Without a grant": _accesses((*ungranted, *overdue)),
            "This run": _run_table(own),
            DATA_VERSION: made.data_version,
        },
    )


def _absent(found: Findings, own: RunAudit, without_record: Sequence[str]) -> list[str]:
    """What should be in the logs and is not: then nothing can be proved by them."""
    absent = []
    if not (found.judged or own.accesses):
        absent.append("The trail in GOVTUNE_AUDIT_TRAIL has no access of the lake bucket")
    if not (found.delivered or own.delivered):
        absent.append("The log in GOVTUNE_AUDIT_CATALOG has no event")
    if not own.grants:
        absent.append("The run has no grant, neither by its own record nor by the catalog's log")
    if without_record:
        absent.append(f"S3 has no record of what the run did with {', '.join(without_record)}")
    return absent


def _early(made: Materialized, delay: timedelta) -> str:
    judged_by = datetime.fromtimestamp(made.timestamp, UTC) + delay
    return f"That may be too early to say: evaluate the check again after {judged_by:%Y-%m-%d %H:%M} UTC."


def _sentences(found: Findings, overdue: int, absent: Sequence[str], early: str, delay: timedelta) -> Iterator[str]:
    counts = found.counts
    waiting = f"; {counts[Verdict.PENDING]} wait for the catalog's log" if counts[Verdict.PENDING] else ""
    yield f"{counts[Verdict.UNGRANTED]} of {len(found.judged)} accesses of table data had no grant{waiting}."
    if overdue:
        yield f"{overdue} wait longer than {delay}: is the catalog's log still delivered?"
    yield from (f"{sentence}." for sentence in absent)
    if absent:
        yield early or "Look whether both logs are still delivered, to where the settings say."
    if found.unreadable:
        yield f"{found.unreadable} vending events of the catalog's log could not be read."
    if found.unplaced:
        yield f"Nobody tells where the files of {', '.join(found.unplaced)} lie: its grants' places were not compared."


def _accesses(judged: Iterable[Judged]) -> Any:
    newest = sorted(judged, key=lambda one: one.access.time)[-SHOWN:]
    rows = [
        [f"{at.time:%Y-%m-%d %H:%M:%S}", at.event, f"s3://{at.bucket}/{at.key}", at.identity, at.access_key_id, one.why]
        for one in newest
        for at in [one.access]
    ]
    header = ["time (UTC)", "request", "object", "by", "access key", "why"]
    return dg.MetadataValue.md(markdown.table(header, rows))


def _run_table(own: RunAudit) -> Any:
    """Each grant of the run and what was done by it: who, what, which credential, how many objects and bytes."""
    rows: list[list[str | int | float]] = []
    for grant in own.grants:
        accesses = own.by(grant)
        objects = len({access.key for access in accesses})
        size = sum(access.sent if access.reads else access.received for access in accesses)
        rows.append([grant.principal, grant.operation, grant.securable, grant.credential_id, objects, size])
    head = ["principal", "operation", "securable", "credential", "objects", "bytes"]
    return dg.MetadataValue.md(f"Run {own.run_id}\n\n{markdown.table(head, rows)}")
