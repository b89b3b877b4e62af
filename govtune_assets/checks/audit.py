"""The audit's check: no read of table data without a credential that the catalog vended for it.

It does not block: S3's records come minutes late in production, so a run's own reads may be judged by a later
evaluation. The stretch of time that is judged each time is long enough for that.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from govtune_assets import markdown, provenance
from govtune_assets.audit import ledger
from govtune_assets.audit.ledger import Findings, Logs, RunAudit
from govtune_assets.audit.objects import LogObjects
from govtune_assets.audit.trail import Access
from govtune_assets.gates import DATA_VERSION
from govtune_assets.keys import SNAPSHOT, adapter_key
from govtune_assets.provenance import Materialized
from govtune_assets.resources.aws import AwsResource
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
        aws: AwsResource = context.resources.unity_catalog.aws
        objects, logs = LogObjects(aws.client("s3")), Logs.of(settings)
        own = _own(objects, logs, context.instance, made)
        until = datetime.now(UTC)
        since = until - timedelta(hours=settings.audit_hours)
        recorded = ledger.recorded_by(made.run_id, made.metadata)
        found = ledger.findings(objects, logs, since, until, recorded, settings.storage_role_arn)
        return _result(made, found, own)

    return every_read_was_granted


def _own(objects: LogObjects, logs: Logs, instance: dg.DagsterInstance, made: Materialized) -> RunAudit:
    """What the materialization's own run did, as soon as each of its grants has a record, or patience ends."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        audit = ledger.audit_run(objects, logs, instance, made.run_id)
        used = {access.access_key_id for access in audit.accesses}
        wanted = {grant.credential_id for grant in audit.grants}
        if (wanted and wanted <= used) or time.monotonic() > deadline:
            return audit
        time.sleep(1)


def _result(made: Materialized, found: Findings, own: RunAudit) -> dg.AssetCheckResult:
    judged = len(found.granted) + len(found.others) + len(found.pending) + len(found.ungranted)
    sentence = f"{len(found.ungranted)} of {judged} accesses of table data had no grant"
    waiting = f"; {len(found.pending)} wait for the catalog's log" if found.pending else ""
    return dg.AssetCheckResult(
        passed=not found.ungranted,
        description=f"{sentence}{waiting}.",
        metadata={
            "value": len(found.ungranted),
            "threshold": 0,
            "granted": len(found.granted),
            "vended_to_others": len(found.others),
            "pending": len(found.pending),
            "Without a grant": _accesses(found.ungranted),
            "This run": _run_table(own),
            DATA_VERSION: made.data_version,
        },
    )


def _accesses(accesses: tuple[Access, ...]) -> Any:
    rows = [
        [f"{one.time:%Y-%m-%d %H:%M:%S}", one.event, f"s3://{one.bucket}/{one.key}", one.identity, one.access_key_id]
        for one in sorted(accesses, key=lambda one: one.time)[-SHOWN:]
    ]
    return dg.MetadataValue.md(markdown.table(["time (UTC)", "request", "object", "by", "access key"], rows))


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
