"""The join of S3's records with the catalog's, on logs made by hand; and logs that are no logs."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from govtune_assets.audit import catalog_log, ledger, trail
from govtune_assets.audit.catalog_log import CatalogLog, Vended
from govtune_assets.audit.judgement import Judge, Verdict
from govtune_assets.audit.objects import LONGEST_FILE, AuditUnreadable, Folder, LogObjects
from govtune_assets.audit.trail import Access

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROLE = "arn:aws:iam::123456789012:role/storage"


TABLE, FILES = "c.s.t", "s3://lake/s/delta/t"
PLACES = {TABLE: FILES, **{place: place for place in ("s3://lake/s", "s3://lake/raw/json", "s3://other/raw")}}
KEY = "s/delta/t/part-0.parquet"


def access(key_id: str, *, minutes: float = 0, issuer: str = "", event: str = "GetObject", key: str = KEY) -> Access:
    at = NOON + timedelta(minutes=minutes)
    return Access(at, event, "lake", key, 0, 9, key_id, "arn:aws:sts::1:assumed-role/a/b", issuer)


def vended(key_id: str, *, minutes: float = 0, operation: str = "READ", securable: str = TABLE) -> Vended:
    return Vended(NOON + timedelta(minutes=minutes), "someone", securable, operation, key_id, "")


def judge(log: CatalogLog, recorded: list[Vended], role: str = "") -> Judge:
    return Judge(log, tuple(recorded), lambda name: PLACES.get(name, ""), role)


def verdict(one: Access, log: CatalogLog, recorded: list[Vended] | None = None, role: str = "") -> Verdict:
    return judge(log, recorded or [], role).judged(one).verdict


LATER = NOON + timedelta(hours=2)
GRANTED, OTHERS, PENDING, UNGRANTED = Verdict


@pytest.mark.parametrize(
    ("one", "log", "expected"),
    [
        (access("ASIA1", minutes=1), CatalogLog((vended("ASIA1"),), LATER), GRANTED),
        (access("ASIA1", minutes=59), CatalogLog((vended("ASIA1"),), LATER), GRANTED),
        # After its end, and before it was given out.
        (access("ASIA1", minutes=61), CatalogLog((vended("ASIA1"),), LATER), UNGRANTED),
        (access("ASIA1", minutes=-1), CatalogLog((vended("ASIA1"),), LATER), UNGRANTED),
        # Of a session that the delivered log knows nothing of, and of one that it may yet name.
        (access("ASIA2"), CatalogLog((vended("ASIA1"),), LATER), UNGRANTED),
        (access("ASIA2"), CatalogLog((vended("ASIA1"),), NOON), PENDING),
        (access("ASIA2"), CatalogLog((), None), PENDING),
        # A lasting key is never vended: there is nothing to wait for.
        (access("AKIA1"), CatalogLog((), None), UNGRANTED),
        (access(""), CatalogLog((), None), UNGRANTED),
    ],
)
def test_an_access_is_granted_by_the_catalogs_own_record(one: Access, log: CatalogLog, expected: Verdict) -> None:
    assert verdict(one, log) is expected


@pytest.mark.parametrize(
    ("event", "key", "grant", "why"),
    [
        ("PutObject", KEY, vended("ASIA1"), "was vended for READ"),
        ("DeleteObject", KEY, vended("ASIA1", operation="PATH_READ", securable="s3://lake/s"), "vended for PATH_READ"),
        ("PutObject", KEY, vended("ASIA1", operation=""), "vended for an unknown use"),
        ("PutObject", KEY, vended("ASIA1", operation="READ_WRITE"), ""),
        ("GetObject", "s/delta/t", vended("ASIA1"), ""),
        ("GetObject", "s/delta/t2/x", vended("ASIA1"), "was vended for c.s.t"),
        ("PutObject", "raw/delta/x", vended("ASIA1", operation="READ_WRITE"), "was vended for c.s.t"),
        (
            "PutObject",
            "raw/jsonl/x",
            vended("ASIA1", operation="PATH_READ_WRITE", securable="s3://lake/raw/json"),
            "for s3://lake/raw/json",
        ),
        ("PutObject", "raw/json/x", vended("ASIA1", operation="PATH_CREATE_TABLE", securable="s3://lake/raw/json"), ""),
        # A batch names no object, and is answered well where every deletion in it was refused.
        ("DeleteObjects", "", vended("ASIA1"), ""),
        ("DeleteObjects", "", vended("ASIA1", securable="s3://other/raw"), "vended for s3://other/raw"),
    ],
)
def test_a_grant_gives_what_it_was_vended_for_and_where(event: str, key: str, grant: Vended, why: str) -> None:
    one = judge(CatalogLog((grant,), LATER), []).judged(access("ASIA1", minutes=1, event=event, key=key))
    assert one.verdict is (UNGRANTED if why else GRANTED)
    assert why in one.why


def test_what_nobody_can_place_is_said() -> None:
    log = CatalogLog((vended("ASIA1", securable="c.s.gone"),), LATER)
    found = judge(log, []).findings([access("ASIA1"), access("ASIA1", event="PutObject")])
    assert [one.verdict for one in found.judged] == [GRANTED, UNGRANTED]
    assert found.unplaced == ("c.s.gone",)


def test_a_jobs_own_word_counts_only_where_the_catalog_names_no_keys() -> None:
    silent, telling = CatalogLog((vended(""),), LATER), CatalogLog((vended("ASIA9"),), LATER)
    assert verdict(access("ASIA1"), silent, [vended("ASIA1")]) is GRANTED
    assert verdict(access("ASIA1"), telling, [vended("ASIA1")]) is UNGRANTED


def test_a_jobs_own_word_is_not_taken_for_a_session_of_another_role() -> None:
    """It could record the key of its own role, with which it read past the catalog."""
    silent, recorded = CatalogLog((vended(""),), LATER), [vended("ASIA1")]
    assert verdict(access("ASIA1", issuer="arn:aws:iam::123456789012:role/emr"), silent, recorded, ROLE) is UNGRANTED
    assert verdict(access("ASIA1", issuer=ROLE), silent, recorded, ROLE) is GRANTED


def test_a_session_of_the_storage_role_passes_only_with_an_event_that_explains_it() -> None:
    log = CatalogLog((vended(""),), LATER)
    known = {"log": log, "role": ROLE}
    assert verdict(access("ASIA1", issuer=ROLE, minutes=1), **known) is OTHERS
    assert verdict(access("ASIA1", issuer=ROLE, minutes=70), **known) is UNGRANTED
    assert verdict(access("ASIA1", issuer=ROLE, minutes=1, event="PutObject"), **known) is UNGRANTED
    assert verdict(access("ASIA1", issuer=ROLE, minutes=1, key="raw/x"), **known) is UNGRANTED
    assert verdict(access("ASIA1", issuer=ROLE + "2", minutes=1), **known) is UNGRANTED
    assert verdict(access("ASIA1", issuer=ROLE, minutes=1), log) is UNGRANTED
    # Where the catalog names keys, one that it does not name is nobody's.
    assert verdict(access("ASIA1", issuer=ROLE, minutes=1), CatalogLog((vended("ASIA9"),), LATER), role=ROLE) is (
        UNGRANTED
    )


def test_the_grants_of_every_run_of_the_time_are_collected() -> None:
    """Of materializations and of check evaluations, in whatever form; what has another shape is no grant."""
    grant = vended("ASIA1")
    record = {
        "principal": grant.principal,
        "securable": grant.securable,
        "operation": grant.operation,
        "credential_id": grant.credential_id,
        "granted_at": NOON.isoformat(),
    }
    other = [{**record, "credential_id": "ASIA2"}, {"credential_id": "ASIA3"}, "x", {**record, "granted_at": "soon"}]

    @dg.asset
    def makes() -> dg.MaterializeResult[Any]:
        return dg.MaterializeResult(metadata={"credentials": dg.MetadataValue.json([record])})

    @dg.asset_check(asset=makes)
    def checks() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True, metadata={"credentials": json.dumps(other)})

    @dg.asset
    def talks() -> dg.MaterializeResult[Any]:
        return dg.MaterializeResult(metadata={"credentials": "no list"})

    began = datetime.now(UTC) - timedelta(seconds=1)
    with dg.instance_for_test() as instance:
        for definitions in ([makes, checks], [talks]):
            assert dg.materialize(definitions, instance=instance).success
        found = sorted(ledger.recorded_since(instance, began), key=lambda one: one.credential_id)
        assert [one.credential_id for one in found] == ["ASIA1", "ASIA2"]
        assert list(ledger.recorded_since(instance, began + timedelta(hours=1))) == []


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
    [
        b"",
        b"{",
        b"[]",
        b'{"Records": 3}',
        b"\x1f\x8b broken",
        gzip.compress(b"x", mtime=0),
        gzip.compress(b"0" * 400, mtime=0)[:-9],
    ],
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


@pytest.mark.parametrize(
    ("odd", "unreadable"),
    [
        # Other services' events may have any shape, and are looked at for their time only.
        ({"actionName": "runCommand", "response": "done", "timestamp": NOON.timestamp() * 1000}, 0),
        ({"actionName": "runCommand", "requestParams": [1], "timestamp": "yesterday"}, 0),
        ({"actionName": "runCommand", "timestamp": 10**30}, 0),
        ({"actionName": "runCommand", "timestamp": {}}, 0),
        ({"actionName": "generateTemporaryTableCredential", "response": "done"}, 1),
        ({"actionName": "generateTemporaryTableCredential", "response": {"statusCode": 200}}, 1),
        (
            {"actionName": "generateTemporaryPathCredential", "response": {"statusCode": 200}, "requestParams": [1]}
            | {"timestamp": NOON.timestamp() * 1000},
            1,
        ),
    ],
)
def test_one_odd_event_does_not_hide_the_others(odd: dict[str, Any], unreadable: int) -> None:
    event = {
        "timestamp": NOON.timestamp() * 1000,
        "actionName": "generateTemporaryTableCredential",
        "userIdentity": {"email": "someone"},
        "requestParams": {"table_full_name": "c.s.t", "operation": "READ"},
        "response": {"statusCode": 200, "result": None},
    }
    key = "databricks/workspaceId=1/date=2026-03-01/auditlogs_1.json"
    body = "\n".join(json.dumps(one) for one in (odd, event))
    log = catalog_log.read(LogObjects(Bucket({key: body.encode()})), CATALOG, NOON - timedelta(hours=1), NOON)
    assert [one.securable for one in log.vended] == ["c.s.t"]
    assert (log.newest, log.unreadable) == (NOON, unreadable)


@pytest.mark.parametrize("url", ["", "audit/x", "s3://audit", "s3://audit/", "http://audit/x", "s3://AUDIT/x"])
def test_a_folder_is_an_s3_address(url: str) -> None:
    with pytest.raises(ValueError, match="is no folder in S3"):
        Folder.parse(url)
