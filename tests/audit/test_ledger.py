"""The join of S3's records with the catalog's, on logs made by hand; and logs that are no logs."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from govtune_assets.audit import catalog_log, ledger, trail
from govtune_assets.audit.catalog_log import CatalogLog, Vended
from govtune_assets.audit.objects import LONGEST_FILE, AuditUnreadable, Folder, LogObjects
from govtune_assets.audit.trail import Access

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROLE = "arn:aws:iam::123456789012:role/storage"


def access(key_id: str, *, minutes: float = 0, issuer: str = "") -> Access:
    at = NOON + timedelta(minutes=minutes)
    return Access(at, "GetObject", "lake", "raw/x", 0, 9, key_id, "arn:aws:sts::1:assumed-role/a/b", issuer)


def vended(key_id: str, *, minutes: float = 0) -> Vended:
    return Vended(NOON + timedelta(minutes=minutes), "someone", "c.s.t", "READ", key_id, "")


def verdicts(accesses: list[Access], log: CatalogLog, recorded: list[Vended], role: str = "") -> tuple[int, ...]:
    found = ledger.judge(accesses, log, recorded, role)
    return tuple(len(part) for part in (found.granted, found.others, found.pending, found.ungranted))


LATER = NOON + timedelta(hours=2)


@pytest.mark.parametrize(
    ("one", "log", "expected"),
    [
        (access("ASIA1", minutes=1), CatalogLog((vended("ASIA1"),), LATER), (1, 0, 0, 0)),
        (access("ASIA1", minutes=59), CatalogLog((vended("ASIA1"),), LATER), (1, 0, 0, 0)),
        # After its end, and before it was given out.
        (access("ASIA1", minutes=61), CatalogLog((vended("ASIA1"),), LATER), (0, 0, 0, 1)),
        (access("ASIA1", minutes=-1), CatalogLog((vended("ASIA1"),), LATER), (0, 0, 0, 1)),
        # Of a session that the delivered log knows nothing of, and of one that it may yet name.
        (access("ASIA2"), CatalogLog((vended("ASIA1"),), LATER), (0, 0, 0, 1)),
        (access("ASIA2"), CatalogLog((vended("ASIA1"),), NOON), (0, 0, 1, 0)),
        (access("ASIA2"), CatalogLog((), None), (0, 0, 1, 0)),
        # A lasting key is never vended: there is nothing to wait for.
        (access("AKIA1"), CatalogLog((), None), (0, 0, 0, 1)),
        (access(""), CatalogLog((), None), (0, 0, 0, 1)),
    ],
)
def test_an_access_is_granted_by_the_catalogs_own_record(
    one: Access, log: CatalogLog, expected: tuple[int, ...]
) -> None:
    assert verdicts([one], log, []) == expected


def test_a_jobs_own_word_counts_only_where_the_catalog_names_no_keys() -> None:
    silent, telling = CatalogLog((vended(""),), LATER), CatalogLog((vended("ASIA9"),), LATER)
    assert verdicts([access("ASIA1")], silent, [vended("ASIA1")]) == (1, 0, 0, 0)
    assert verdicts([access("ASIA1")], telling, [vended("ASIA1")]) == (0, 0, 0, 1)


def test_sessions_of_the_storage_role_are_vended_to_others_where_it_is_named() -> None:
    log = CatalogLog((), LATER)
    assert verdicts([access("ASIA1", issuer=ROLE)], log, [], ROLE) == (0, 1, 0, 0)
    assert verdicts([access("ASIA1", issuer=ROLE)], log, []) == (0, 0, 0, 1)
    assert verdicts([access("ASIA1", issuer=ROLE + "2")], log, [], ROLE) == (0, 0, 0, 1)


class Bucket:
    """Objects that S3 might hold; only what the reader calls."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.objects = objects
        self.fetched: list[str] = []

    def get_paginator(self, name: str) -> Bucket:
        return self

    def paginate(self, Bucket: str, Prefix: str) -> list[dict[str, Any]]:  # noqa: N803
        found = [key for key in self.objects if key.startswith(Prefix)]
        return [{"Contents": [{"Key": key, "ETag": "e", "LastModified": NOON} for key in found]}]

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        self.fetched.append(Key)
        return {"Body": io.BytesIO(self.objects[Key])}


TRAIL, CATALOG = "s3://audit/AWSLogs/1/CloudTrail", "s3://audit/databricks/workspaceId=1"
DAY = "AWSLogs/1/CloudTrail/us-east-1/2026/03/01"


def record(**changes: Any) -> dict[str, Any]:
    return {
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        "eventTime": "2026-03-01T12:00:00Z",
        "requestParameters": {"bucketName": "lake", "key": "raw/x"},
        "additionalEventData": {"bytesTransferredOut": 7.0},
        "userIdentity": {"accessKeyId": "ASIA1", "arn": "arn"},
        **changes,
    }


def read_trail(objects: dict[str, bytes]) -> list[Access]:
    logs = LogObjects(Bucket(objects))
    return list(trail.accesses(logs, TRAIL, "us-east-1", NOON - timedelta(hours=1), NOON, "lake"))


def packed(*records: Any) -> bytes:
    return gzip.compress(json.dumps({"Records": list(records)}).encode())


def test_a_trails_records_are_read() -> None:
    seen = read_trail(
        {
            f"{DAY}/a.json.gz": packed(
                record(),
                record(errorCode="AccessDenied"),
                record(eventName="ListObjects"),
                record(eventSource="kms.amazonaws.com"),
                record(requestParameters={"bucketName": "other", "key": "x"}),
                record(eventTime="2026-03-01T10:00:00Z"),
                record(userIdentity={}, additionalEventData=None),
                "no record",
            )
        }
    )
    assert [(one.key, one.sent, one.access_key_id, one.identity) for one in seen] == [
        ("raw/x", 7, "ASIA1", "arn"),
        ("raw/x", 0, "", "anonymous"),
    ]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"Records": 3}', b"\x1f\x8b broken", gzip.compress(b"x"), gzip.compress(b"0" * 400)[:-9]],
)
def test_what_is_no_log_file_is_named(body: bytes) -> None:
    with pytest.raises(AuditUnreadable, match=r"a\.json\.gz is no log file"):
        read_trail({f"{DAY}/a.json.gz": body})


@pytest.mark.parametrize("changes", [{"eventTime": 3}, {"eventTime": "soon"}, {"userIdentity": "root"}])
def test_a_record_that_is_none_is_named(changes: dict[str, Any]) -> None:
    with pytest.raises(AuditUnreadable, match="no data event"):
        read_trail({f"{DAY}/a.json.gz": packed(record(**changes))})


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(1 << 20), 9)
    with pytest.raises(AuditUnreadable, match="is no log file"):
        read_trail({f"{DAY}/a.json.gz": bomb * (LONGEST_FILE // (1 << 20) + 1)})


def test_an_object_is_fetched_once() -> None:
    bucket = Bucket({f"{DAY}/a.json.gz": packed(record())})
    logs = LogObjects(bucket)
    for _ in range(3):
        assert len(list(trail.accesses(logs, TRAIL, "us-east-1", NOON - timedelta(hours=1), NOON, "lake"))) == 1
    assert len(bucket.fetched) == 1


@pytest.mark.parametrize(
    ("agent", "run"),
    [
        ("unitydoor govtune-run/0a1b-2c", "0a1b-2c"),
        ("Unity-Catalog/0.6 govtune-run/r.1 Java/17", "r.1"),
        ("unitydoor", ""),
        ("evil-govtune-run/r", ""),
        ("govtune-run/", ""),
    ],
)
def test_the_run_stands_in_the_user_agent(agent: str, run: str) -> None:
    event = {
        "timestamp": NOON.timestamp() * 1000,
        "actionName": "generateTemporaryTableCredential",
        "userAgent": agent,
        "userIdentity": {"email": "someone"},
        "requestParams": {"table_full_name": "c.s.t", "operation": "READ"},
        "response": {"statusCode": 200, "result": None},
    }
    key = "databricks/workspaceId=1/date=2026-03-01/auditlogs_1.json"
    refused = {**event, "response": {"statusCode": 403}}
    body = "\n".join(json.dumps(one) for one in (event, refused, {"actionName": "getTable", "timestamp": 0}))
    log = catalog_log.read(LogObjects(Bucket({key: body.encode()})), CATALOG, NOON - timedelta(hours=1), NOON)
    (one,) = log.vended
    assert (one.run_id, one.principal, one.securable, one.operation, one.credential_id) == (
        run,
        "someone",
        "c.s.t",
        "READ",
        "",
    )
    assert log.newest == NOON


@pytest.mark.parametrize("url", ["", "audit/x", "s3://audit", "s3://audit/", "http://audit/x", "s3://AUDIT/x"])
def test_a_folder_is_an_s3_address(url: str) -> None:
    with pytest.raises(ValueError, match="is no folder in S3"):
        Folder.parse(url)
