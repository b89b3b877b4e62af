"""A vended credential is tried on everything but what it was vended for."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.attacks.conftest import LAKE, NEIGHBOUR, SCHEMA, TABLE, Ground, prefix_of, refused_by_aws
from tests.short_lived import BUCKET, FOLDER, short_lived_workspace
from unitydoor.columns import from_spark_json
from unitydoor.privileges import Refused

pytestmark = pytest.mark.integration

OWN, OTHER = prefix_of(TABLE), prefix_of(NEIGHBOUR)
Attempt = Callable[[Any], object]

BEYOND: list[Attempt] = [
    lambda s3: s3.get_object(Bucket=LAKE, Key=f"{OTHER}/part"),
    lambda s3: s3.get_object(Bucket=LAKE, Key=f"{OWN}_too/part"),
    lambda s3: s3.list_objects_v2(Bucket=LAKE, Prefix=f"{OTHER}/"),
    # A prefix of the text only: the files of both tables would be listed.
    lambda s3: s3.list_objects_v2(Bucket=LAKE, Prefix=OWN),
    lambda s3: s3.list_objects_v2(Bucket=LAKE),
    lambda s3: s3.list_object_versions(Bucket=LAKE, Prefix=f"{OTHER}/"),
    lambda s3: s3.copy_object(Bucket=LAKE, Key=f"{OWN}/stolen", CopySource={"Bucket": LAKE, "Key": f"{OTHER}/part"}),
    lambda s3: s3.list_buckets(),
    lambda s3: s3.get_bucket_policy(Bucket=LAKE),
]
WRITES: list[Attempt] = [
    lambda s3: s3.put_object(Bucket=LAKE, Key=f"{OWN}/part", Body=b"forged"),
    lambda s3: s3.delete_object(Bucket=LAKE, Key=f"{OWN}/part"),
    lambda s3: s3.create_multipart_upload(Bucket=LAKE, Key=f"{OWN}/part"),
    lambda s3: s3.put_object_acl(Bucket=LAKE, Key=f"{OWN}/part", ACL="public-read"),
    lambda s3: s3.put_object_tagging(Bucket=LAKE, Key=f"{OWN}/part", Tagging={"TagSet": []}),
]


@pytest.mark.parametrize("number", range(len(BEYOND)))
@pytest.mark.parametrize("operation", ["READ", "READ_WRITE"])
def test_nothing_beyond_its_own_prefix(ground: Ground, operation: str, number: int) -> None:
    who = ground.reader if operation == "READ" else ground.loader
    s3 = ground.s3(ground.door(who).vend_table(TABLE, operation))
    assert s3.get_object(Bucket=LAKE, Key=f"{OWN}/part")["Body"].read() == b"governed"
    assert refused_by_aws(lambda: BEYOND[number](s3)) == "AccessDenied"


@pytest.mark.parametrize("number", range(len(WRITES)))
def test_a_read_credential_does_not_write(ground: Ground, number: int) -> None:
    s3 = ground.s3(ground.door(ground.reader).vend_table(TABLE, "READ"))
    assert refused_by_aws(lambda: WRITES[number](s3)) == "AccessDenied"
    answer = s3.delete_objects(Bucket=LAKE, Delete={"Objects": [{"Key": f"{OWN}/part"}]})
    assert [error["Code"] for error in answer["Errors"]] == ["AccessDenied"]
    assert s3.get_object(Bucket=LAKE, Key=f"{OWN}/part")["Body"].read() == b"governed"


def test_a_credential_opens_no_other_service(ground: Ground) -> None:
    grant = ground.door(ground.reader).vend_table(TABLE, "READ")
    keys = {
        "aws_access_key_id": grant.access_key_id,
        "aws_secret_access_key": grant.secret_access_key,
        "aws_session_token": grant.session_token,
    }
    attempts = [
        lambda: ground.client("iam", **keys).list_users(),
        lambda: ground.client("secretsmanager", **keys).get_secret_value(SecretId="databricks/loader"),
        lambda: ground.client("sts", **keys).assume_role(
            RoleArn="arn:aws:iam::123456789012:role/govtune-unity-catalog", RoleSessionName="wider"
        ),
    ]
    assert {refused_by_aws(act) for act in attempts} <= {"AccessDenied", "AccessDeniedException"}


def test_a_credential_without_its_session_token_is_refused(ground: Ground) -> None:
    grant = ground.door(ground.reader).vend_table(TABLE, "READ")
    bare = ground.client("s3", aws_access_key_id=grant.access_key_id, aws_secret_access_key=grant.secret_access_key)
    assert refused_by_aws(lambda: bare.get_object(Bucket=LAKE, Key=f"{OWN}/part")) == "InvalidToken"


def test_a_credential_is_refused_after_its_end(ground: Ground, tmp_path: Path) -> None:
    with short_lived_workspace(ground.cloud, tmp_path, 3) as short:
        door, key = short.door(), f"{FOLDER}/attacked/part"
        place = f"s3://{BUCKET}/{FOLDER}/attacked"
        ground.s3(door.vend_path(place, "PATH_CREATE_TABLE")).put_object(Bucket=BUCKET, Key=key, Body=b"governed")
        door.create_external_delta_table(TABLE, place, from_spark_json(SCHEMA, ()))
        grant = door.vend_table(TABLE, "READ")
        s3 = ground.s3(grant)
        assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"governed"
        time.sleep(max(0.0, (grant.expires_at - datetime.now(UTC)).total_seconds()))
        with pytest.raises(ClientError, match=r"AccessDenied|ExpiredToken"):
            s3.get_object(Bucket=BUCKET, Key=key)


def test_the_catalog_vends_no_neighbour_and_no_write(ground: Ground) -> None:
    door = ground.door(ground.reader)
    with pytest.raises(Refused, match=f"Missing: SELECT on table {NEIGHBOUR}"):
        door.vend_table(NEIGHBOUR, "READ")
    with pytest.raises(Refused, match=f"Missing: MODIFY on table {TABLE}"):
        door.vend_table(TABLE, "READ_WRITE")
