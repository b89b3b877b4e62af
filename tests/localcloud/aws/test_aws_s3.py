"""S3 as boto3 and delta-rs use it."""

from __future__ import annotations

import io
import json
import os
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pytest
from botocore.exceptions import ClientError
from deltalake import DeltaTable, write_deltalake
from local_aws import ROOT_KEY, LocalAws, allow, policy

MIB = 1 << 20


@pytest.fixture(scope="module")
def bucket(aws: LocalAws) -> str:
    """A bucket on the shared server."""
    return aws.bucket("s3-tests")


def _options(aws: LocalAws, key: dict[str, str] | None = None) -> dict[str, str]:
    key = key or {
        "AccessKeyId": ROOT_KEY["access_key_id"],
        "SecretAccessKey": ROOT_KEY["secret_access_key"],
    }
    options = {
        "AWS_ENDPOINT_URL": aws.endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }
    if "SessionToken" in key:
        options["AWS_SESSION_TOKEN"] = key["SessionToken"]
    return options


def test_body_range_and_metadata_come_back(aws: LocalAws, bucket: str) -> None:
    s3 = aws.client("s3")
    key = "part=ü a/b+c=d %25/x.json"
    s3.put_object(Bucket=bucket, Key=key, Body=b"0123456789", Metadata={"run": "1"}, ContentType="text/x")
    got = s3.get_object(Bucket=bucket, Key=key)
    assert (got["Body"].read(), got["Metadata"], got["ContentType"]) == (b"0123456789", {"run": "1"}, "text/x")
    assert got["ETag"] == '"781e5e245d69b566979b86e28d23f2c7"'
    for span, expected in (("bytes=2-4", b"234"), ("bytes=7-", b"789"), ("bytes=-2", b"89")):
        assert s3.get_object(Bucket=bucket, Key=key, Range=span)["Body"].read() == expected
    with pytest.raises(ClientError, match="InvalidRange"):
        s3.get_object(Bucket=bucket, Key=key, Range="bytes=10-")
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket, Prefix="part=ü a/")["Contents"]] == [key]


def test_one_of_many_conditional_writers_wins(aws: LocalAws, bucket: str) -> None:
    key = uuid.uuid4().hex
    start = threading.Barrier(8)

    def write(number: int) -> int | None:
        client = aws.client("s3")
        start.wait()
        try:
            client.put_object(Bucket=bucket, Key=key, Body=str(number).encode(), IfNoneMatch="*")
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 412
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        winners = [one for one in pool.map(write, range(8)) if one is not None]
    assert len(winners) == 1
    assert aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read() == str(winners[0]).encode()


def test_multipart_upload_of_a_large_object_is_streamed_back(aws: LocalAws, bucket: str) -> None:
    s3 = aws.client("s3")
    data = os.urandom(20 * MIB + 5)
    s3.upload_fileobj(io.BytesIO(data), bucket, "large")
    back = io.BytesIO()
    s3.download_fileobj(bucket, "large", back)
    assert back.getvalue() == data
    head = s3.head_object(Bucket=bucket, Key="large")
    assert head["ContentLength"] == len(data)
    assert head["ETag"].endswith('-3"')


def test_uploads_leave_no_parts_behind(own_aws: LocalAws) -> None:
    s3 = own_aws.client("s3")
    bucket = own_aws.bucket("abort-tests")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="x")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="x", UploadId=upload, PartNumber=1, Body=b"x" * 100)
    s3.put_object(Bucket=bucket, Key="y", Body=b"1")
    s3.put_object(Bucket=bucket, Key="y", Body=b"2")
    assert len(list((own_aws.state / "objects").iterdir())) == 2
    s3.abort_multipart_upload(Bucket=bucket, Key="x", UploadId=upload)
    s3.delete_object(Bucket=bucket, Key="y")
    assert list((own_aws.state / "objects").iterdir()) == []
    s3.upload_fileobj(io.BytesIO(b"x" * (17 * MIB)), bucket, "whole")
    assert [path.stat().st_size for path in (own_aws.state / "objects").iterdir()] == [17 * MIB]


def test_copy_and_delete_many(aws: LocalAws, bucket: str) -> None:
    s3 = aws.client("s3")
    for number in range(3):
        s3.put_object(Bucket=bucket, Key=f"many/{number}", Body=b"x")
    s3.copy_object(Bucket=bucket, Key="many/copy", CopySource={"Bucket": bucket, "Key": "many/0"})
    named = [{"Key": f"many/{name}"} for name in ("0", "1", "2", "absent")]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": named})
    assert {one["Key"] for one in answer["Deleted"]} >= {"many/0", "many/1", "many/2"}
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket, Prefix="many/")["Contents"]] == ["many/copy"]


def test_delete_many_answers_refused_keys_one_by_one(aws: LocalAws, bucket: str) -> None:
    s3 = aws.client("s3")
    for name in ("mine", "yours"):
        s3.put_object(Bucket=bucket, Key=f"shared/{name}", Body=b"x")
    key = aws.user("deleter", allow("s3:DeleteObject", f"arn:aws:s3:::{bucket}/shared/mine"))
    named = [{"Key": "shared/mine"}, {"Key": "shared/yours"}]
    answer = aws.client("s3", key).delete_objects(Bucket=bucket, Delete={"Objects": named})
    assert [one["Key"] for one in answer["Deleted"]] == ["shared/mine"]
    assert [(one["Key"], one["Code"]) for one in answer["Errors"]] == [("shared/yours", "AccessDenied")]


def test_presigned_url_works_for_its_object_and_time(aws: LocalAws, bucket: str) -> None:
    s3 = aws.client("s3")
    s3.put_object(Bucket=bucket, Key="signed/a b", Body=b"signed")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "signed/a b"}, ExpiresIn=60)
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"signed"
    for broken in (url.replace("signed/a", "signed/b"), url.replace("X-Amz-Expires=60", "X-Amz-Expires=61")):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(broken)


def test_delta_tables_are_written_by_two_at_once(aws: LocalAws, bucket: str) -> None:
    uri = f"s3://{bucket}/delta tables/{uuid.uuid4().hex}+year=2024"
    write_deltalake(uri, _rows(0), storage_options=_options(aws))

    def append(number: int) -> None:
        for step in range(4):
            write_deltalake(uri, _rows(10 * number + step), mode="append", storage_options=_options(aws))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(append, (1, 2)))
    table = DeltaTable(uri, storage_options=_options(aws))
    assert table.version() == 8
    assert sorted(set(table.to_pyarrow_table()["n"].to_pylist())) == [0, 10, 11, 12, 13, 20, 21, 22, 23]


def _rows(number: int) -> pa.Table:
    return pa.table({"n": [number] * 100, "text": ["x" * 50] * 100})


@pytest.fixture(scope="module")
def table_role(aws: LocalAws, bucket: str) -> Callable[[str, bool], dict[str, str]]:
    """Vends credentials as the catalog does: a broad role, narrowed to one prefix by a session policy."""
    role = aws.role(
        "vending", {"AWS": "arn:aws:iam::123456789012:user/vendor"}, allow("s3:*", f"arn:aws:s3:::{bucket}*")
    )
    vendor = aws.user("vendor", allow("sts:AssumeRole", role))

    def vend(prefix: str, write: bool) -> dict[str, str]:
        actions = ["s3:GetObject", *(["s3:PutObject", "s3:DeleteObject"] if write else [])]
        listing = {"StringLike": {"s3:prefix": [prefix, f"{prefix}/*"]}}
        narrowed = policy(
            allow(actions, [f"arn:aws:s3:::{bucket}/{prefix}/*"]),
            allow("s3:ListBucket", f"arn:aws:s3:::{bucket}", Condition=listing),
        )
        answer: dict[str, Any] = aws.client("sts", vendor).assume_role(
            RoleArn=role, RoleSessionName="one-table", Policy=narrowed
        )
        return dict(answer["Credentials"])

    return vend


def test_delta_with_vended_credentials_of_one_table(
    aws: LocalAws, bucket: str, table_role: Callable[[str, bool], dict[str, str]]
) -> None:
    mine, other = f"s3://{bucket}/tables/mine", f"s3://{bucket}/tables/other"
    write_deltalake(other, _rows(1), storage_options=_options(aws))
    writer = _options(aws, table_role("tables/mine", True))
    write_deltalake(mine, _rows(5), storage_options=writer)
    reader = _options(aws, table_role("tables/mine", False))
    assert DeltaTable(mine, storage_options=reader).to_pyarrow_table().num_rows == 100
    with pytest.raises(Exception, match=r"(?i)denied|forbidden|403|permission"):
        write_deltalake(mine, _rows(6), mode="append", storage_options=reader)
    with pytest.raises(Exception, match=r"(?i)denied|forbidden|403|permission"):
        DeltaTable(other, storage_options=reader)


def test_a_refused_head_bucket_names_the_region(aws: LocalAws, bucket: str) -> None:
    key = aws.user("stranger", allow("s3:GetObject", "arn:aws:s3:::elsewhere/*"))
    with pytest.raises(ClientError) as raised:
        aws.client("s3", key).head_bucket(Bucket=bucket)
    answer = raised.value.response["ResponseMetadata"]
    assert (answer["HTTPStatusCode"], answer["HTTPHeaders"]["x-amz-bucket-region"]) == (403, "us-east-1")


def test_every_data_event_is_logged(aws: LocalAws, bucket: str) -> None:
    key = aws.user("reader", allow("s3:GetObject", f"arn:aws:s3:::{bucket}/logged"))
    aws.client("s3").put_object(Bucket=bucket, Key="logged", Body=b"12345")
    aws.client("s3", key).get_object(Bucket=bucket, Key="logged")["Body"].read()
    with pytest.raises(ClientError, match="AccessDenied"):
        aws.client("s3", key).put_object(Bucket=bucket, Key="logged", Body=b"no")
    log = aws.state / "s3-access.jsonl"
    assert log.stat().st_mode & 0o777 == 0o600
    events = [json.loads(line) for line in log.read_text().splitlines()]
    mine = [one for one in events if one["key"] == "logged"]
    told = [(one["operation"], one["status"], one["bytes"], one["principal"].rsplit("/", 1)[-1]) for one in mine]
    assert told == [
        ("PutObject", 200, 5, "arn:aws:iam::123456789012:root"),
        ("GetObject", 200, 5, "reader"),
        ("PutObject", 403, 2, "reader"),
    ]
    assert mine[1]["access_key_id"] == key["AccessKeyId"]
    assert mine[1]["time"].endswith("+00:00")
