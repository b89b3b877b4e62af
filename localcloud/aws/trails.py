"""CloudTrail's delivery of S3 data events: gzipped JSON objects in the bucket of each trail that asks for them.

Trails are made through CloudTrail's own API (moto keeps them). Shape of records and keys: "CloudTrail record contents"
and "Getting and viewing your CloudTrail log files" of the AWS CloudTrail user guide. What differs from AWS: delivery
takes about a second, not minutes, and management events are not delivered.
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
import logging
import secrets
import string
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.cloudtrail.models import cloudtrail_backends

from localcloud.aws.iam.enforcement import Caller
from localcloud.aws.wire import Call

log = logging.getLogger(__name__)

DELIVERY_SECONDS = 1.0
LONGEST_FILE = 5000
"""Records in one object."""
_OBJECT_TYPE = "AWS::S3::Object"
_LETTERS = string.ascii_letters + string.digits
_READS = ("Get", "Head", "List", "Select")
# CloudTrail knows both listings by one name.
_NAMES = {"ListObjectsV2": "ListObjects"}

Record = dict[str, Any]
Put = Callable[[str, str, bytes], None]


@dataclass(frozen=True)
class Outcome:
    """How a request ended: HTTP status, S3's error code or "", and the bytes that went in and out."""

    status: int
    error_code: str
    received: int
    sent: int


def event(call: Call, caller: Caller | None, outcome: Outcome, account: str) -> Record:
    """One S3 request as a data event."""
    bucket, key = str(call.params.get("Bucket") or ""), call.params.get("Key")
    parameters = {"bucketName": bucket, "Host": call.request.host, "key": key, "prefix": call.params.get("prefix")}
    resource = {"ARN": f"arn:aws:s3:::{bucket}/{key}"} if key else {"ARNPrefix": f"arn:aws:s3:::{bucket}/"}
    return {
        "eventVersion": "1.11",
        "userIdentity": _identity(caller, account),
        "eventTime": dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "s3.amazonaws.com",
        "eventName": _NAMES.get(call.operation, call.operation),
        "awsRegion": call.region,
        "sourceIPAddress": str(call.request.remote_addr),
        "userAgent": f"[{call.request.headers.get('User-Agent', '')}]",
        **({"errorCode": outcome.error_code} if outcome.error_code else {}),
        "requestParameters": {name: value for name, value in parameters.items() if value is not None},
        "responseElements": None,
        "additionalEventData": {
            "SignatureVersion": "SigV4",
            "bytesTransferredIn": outcome.received,
            "bytesTransferredOut": outcome.sent,
        },
        "requestID": secrets.token_hex(8).upper(),
        "eventID": str(uuid.uuid4()),
        "readOnly": call.operation.startswith(_READS),
        "resources": [
            {"type": _OBJECT_TYPE, **resource},
            {"accountId": account, "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{bucket}"},
        ],
        "eventType": "AwsApiCall",
        "managementEvent": False,
        "recipientAccountId": account,
        "eventCategory": "Data",
    }


def _identity(caller: Caller | None, account: str) -> Record:
    if caller is None:
        return {"type": "Unknown", "accountId": "", "principalId": ""}
    principal = caller.principal
    identity: Record = {
        "type": "Root" if caller.is_root else "IAMUser" if caller.user else "AssumedRole",
        "principalId": caller.access_key_id,
        "arn": principal.arn,
        "accountId": account,
        "accessKeyId": caller.access_key_id,
    }
    if caller.role:
        issuer = {"type": "Role", "arn": principal.matches[-1], "accountId": account, "userName": caller.role}
        identity["sessionContext"] = {"sessionIssuer": issuer}
    return identity


class Trails:
    """Collects data events and delivers them to the trails of one account."""

    def __init__(self, account: str, lock: threading.RLock, put: Put) -> None:
        self._account = account
        self._lock = lock
        self._put = put
        self._waiting: list[Record] = []
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trails", daemon=True)

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def close(self) -> None:
        """Deliver what waits, and stop."""
        self._stopping.set()
        self._wake.set()
        self._thread.join()

    def offer(self, record: Record) -> None:
        """Take a data event for those trails that select it."""
        with self._lock:
            if any(_selected(trail, record) for _, trail in self._trails()):
                self._waiting.append(record)
                self._wake.set()

    def _trails(self) -> Iterable[tuple[str, Any]]:
        # `values` of moto's own mapping would make a backend for each region.
        for region, backend in list(dict.items(cloudtrail_backends[self._account])):
            for trail in backend.trails.values():
                if trail.status.is_logging:
                    yield region, trail

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait()
            self._wake.clear()
            self._stopping.wait(DELIVERY_SECONDS)
            try:
                self._deliver()
            except Exception:  # the bucket is gone, the disk is full: said here, as CloudTrail says it in its status
                log.exception("a trail could not be delivered")

    def _deliver(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
            for region, trail in self._trails():
                chosen = [record for record in waiting if _selected(trail, record)]
                for start in range(0, len(chosen), LONGEST_FILE):
                    self._write(region, trail, chosen[start : start + LONGEST_FILE])

    def _write(self, region: str, trail: Any, records: list[Record]) -> None:
        now = dt.datetime.now(dt.UTC)
        prefix = f"{trail.s3_key_prefix}/" if trail.s3_key_prefix else ""
        folder = f"{prefix}AWSLogs/{self._account}/CloudTrail/{region}/{now:%Y/%m/%d}"
        unique = "".join(secrets.choice(_LETTERS) for _ in range(16))
        name = f"{self._account}_CloudTrail_{region}_{now:%Y%m%dT%H%MZ}_{unique}.json.gz"
        self._put(trail.bucket_name, f"{folder}/{name}", gzip.compress(json.dumps({"Records": records}).encode()))


def _selected(trail: Any, record: Record) -> bool:
    return any(_basic(one, record) for one in trail.event_selectors) or any(
        _advanced(one, record) for one in trail.advanced_event_selectors
    )


def _arn(record: Record) -> str:
    resource = record["resources"][0]
    return str(resource.get("ARN") or resource["ARNPrefix"])


def _basic(selector: Mapping[str, Any], record: Record) -> bool:
    wanted = selector.get("ReadWriteType") or "All"
    if wanted != "All" and (wanted == "ReadOnly") != record["readOnly"]:
        return False
    return any(
        resource.get("Type") == _OBJECT_TYPE and _arn(record).startswith(tuple(resource.get("Values") or ()))
        for resource in selector.get("DataResources") or []
    )


def _advanced(selector: Mapping[str, Any], record: Record) -> bool:
    values = {
        "eventCategory": "Data",
        "resources.type": _OBJECT_TYPE,
        "resources.ARN": _arn(record),
        "readOnly": str(record["readOnly"]).lower(),
        "eventName": record["eventName"],
        "eventSource": record["eventSource"],
        "userIdentity.arn": record["userIdentity"].get("arn", ""),
    }
    fields = selector.get("FieldSelectors") or []
    return bool(fields) and all(_fits(one, values.get(one.get("Field", ""))) for one in fields)


def _fits(field: Mapping[str, Any], value: str | None) -> bool:
    if value is None:
        return False
    tests: dict[str, Callable[[str], bool]] = {
        "Equals": lambda wanted: value == wanted,
        "StartsWith": value.startswith,
        "EndsWith": value.endswith,
    }
    for name, test in tests.items():
        if name in field and not any(test(wanted) for wanted in field[name]):
            return False
        if f"Not{name}" in field and any(test(wanted) for wanted in field[f"Not{name}"]):
            return False
    return True
