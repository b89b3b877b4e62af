"""S3 data events, out of the objects that a CloudTrail trail delivers.

Why the trail's objects: LookupEvents gives management events only, and CloudTrail Lake takes no new customers since
2026-05-31 (AWS CloudTrail user guide, "Working with event history" and "Document history").
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from govtune_assets.audit.objects import AuditUnreadable, Folder, LogObjects, days

READS = frozenset({"GetObject", "SelectObjectContent", "GetObjectTorrent"})
WRITES = frozenset({"PutObject", "CopyObject", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload"})
DELETES = frozenset({"DeleteObject", "DeleteObjects"})
LATE = "CloudTrail delivers S3 data events minutes after they happen, on average within 5"


@dataclass(frozen=True)
class Access:
    """One request for an object that S3 answered well. Sizes are in bytes; `issuer` is the session's role, or ""."""

    time: datetime
    event: str
    bucket: str
    key: str
    received: int
    sent: int
    access_key_id: str
    identity: str
    issuer: str

    @property
    def reads(self) -> bool:
        """Whether the object's content was read."""
        return self.event in READS

    @property
    def temporary(self) -> bool:
        """Whether the key is of a session: only such keys are vended (IAM user guide, "Understanding unique ID
        prefixes")."""
        return self.access_key_id.startswith("ASIA")


def accesses(
    logs: LogObjects, url: str, region: str, since: datetime, until: datetime, bucket: str
) -> Iterator[Access]:
    """Reads, writes and deletes of objects in `bucket` that the trail at `url` has delivered, in no order.

    Raises:
        ValueError: the URL is no S3 folder.
        AuditUnreadable: the objects cannot be read, or are no log files of a trail.
    """
    folder = Folder.parse(url)
    for day in days(since, until):
        for record in logs.records(folder.below(f"{region}/{day:%Y/%m/%d}"), since, "Records"):
            try:
                access = _access(record)
            except (KeyError, ValueError, TypeError, AttributeError) as error:
                raise AuditUnreadable(f"{url} holds a record that is no data event ({error!r})") from error
            if access and access.bucket == bucket and since <= access.time <= until:
                yield access


def _access(record: Mapping[str, Any]) -> Access | None:
    """The record as an access; None for anything but a successful request for an object's content."""
    name = str(record.get("eventName", ""))
    if record.get("eventSource") != "s3.amazonaws.com" or record.get("errorCode"):
        return None
    if name not in READS | WRITES | DELETES:
        return None
    parameters, identity = record.get("requestParameters") or {}, record.get("userIdentity") or {}
    sizes = record.get("additionalEventData") or {}
    issuer = (identity.get("sessionContext") or {}).get("sessionIssuer") or {}
    return Access(
        time=datetime.fromisoformat(str(record["eventTime"])),
        event=name,
        bucket=str(parameters.get("bucketName", "")),
        key=str(parameters.get("key", "")),
        received=int(sizes.get("bytesTransferredIn") or 0),
        sent=int(sizes.get("bytesTransferredOut") or 0),
        access_key_id=str(identity.get("accessKeyId", "")),
        identity=str(identity.get("arn") or identity.get("invokedBy") or "anonymous"),
        issuer=str(issuer.get("arn", "")),
    )
