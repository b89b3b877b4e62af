"""A run's audit as a person reads it."""

from collections.abc import Iterator

from govtune_assets.audit import catalog_log, trail
from govtune_assets.audit.ledger import RunAudit
from govtune_assets.audit.trail import Access


def lines(audit: RunAudit) -> Iterator[str]:
    """Every object by grant, with requests and bytes; then the sums, and what may still be missing."""
    yield f"run {audit.run_id}: {len(audit.grants)} grants"
    for grant in audit.grants:
        yield ""
        yield f"{grant.operation} on {grant.securable}"
        yield f"  to {grant.principal} at {grant.time:%Y-%m-%d %H:%M:%S} UTC, credential {grant.credential_id}"
        accesses = audit.by(grant)
        if not accesses:
            yield "  no object so far"
        for key in dict.fromkeys(access.key for access in accesses):
            yield from _of_object(key, [access for access in accesses if access.key == key])
    read = [access for access in audit.accesses if access.reads]
    written = [access for access in audit.accesses if not access.reads]
    yield ""
    yield (
        f"{len({access.key for access in read})} objects read, {sum(access.sent for access in read)} bytes; "
        f"{len({access.key for access in written})} objects written or deleted, "
        f"{sum(access.received for access in written)} bytes"
    )
    newest = max((access.time for access in audit.accesses), default=None)
    until = f"The newest record of this run is of {newest:%Y-%m-%d %H:%M:%S} UTC." if newest else "There is no record."
    yield f"{until} {trail.LATE}; {catalog_log.LATE}. The local cloud takes about a second. Look again for later ones."


def _of_object(key: str, accesses: list[Access]) -> Iterator[str]:
    for event in dict.fromkeys(access.event for access in accesses):
        same = [access for access in accesses if access.event == event]
        size = sum(access.sent if access.reads else access.received for access in same)
        times = f" in {len(same)} requests" if len(same) > 1 else ""
        yield f"  {event:24} {size:>12} bytes{times}  {key}"
