"""CloudTrail's trails are delivered: the events that their selectors choose, in CloudTrail's shape."""

from __future__ import annotations

import gzip
import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_aws import LocalAws, allow, eventually

pytestmark = pytest.mark.integration

FOLDER = r"AWSLogs/123456789012/CloudTrail/us-east-1/\d{4}/\d\d/\d\d"
NAME = rf"{FOLDER}/123456789012_CloudTrail_us-east-1_\d{{8}}T\d{{4}}Z_\w{{16}}\.json\.gz"
BASIC = {
    "ReadWriteType": "ReadOnly",
    "IncludeManagementEvents": False,
    "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::watched/deep/"]}],
}
ADVANCED = {
    "FieldSelectors": [
        {"Field": "eventCategory", "Equals": ["Data"]},
        {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
        {"Field": "readOnly", "Equals": ["true"]},
        {"Field": "resources.ARN", "StartsWith": ["arn:aws:s3:::watched/deep/"]},
    ]
}


@pytest.mark.parametrize("selectors", [{"EventSelectors": [BASIC]}, {"AdvancedEventSelectors": [ADVANCED]}])
def test_a_trail_delivers_what_its_selectors_choose(own_aws: LocalAws, selectors: dict[str, Any]) -> None:
    s3, trails = own_aws.client("s3"), own_aws.client("cloudtrail")
    own_aws.bucket("watched"), own_aws.bucket("trail")
    trails.create_trail(Name="data", S3BucketName="trail")
    trails.put_event_selectors(TrailName="data", **selectors)
    s3.put_object(Bucket="watched", Key="deep/a", Body=b"12345")
    s3.get_object(Bucket="watched", Key="deep/a")  # not yet: the trail does not log
    trails.start_logging(Name="data")
    stranger = own_aws.user("stranger", allow("s3:GetObject", "arn:aws:s3:::elsewhere/*"))
    s3.get_object(Bucket="watched", Key="deep/a", Range="bytes=1-2")["Body"].read()
    s3.get_object(Bucket="watched", Key="deep/a")["Body"].read()
    with pytest.raises(ClientError, match="AccessDenied"):
        own_aws.client("s3", stranger).get_object(Bucket="watched", Key="deep/a")
    s3.put_object(Bucket="watched", Key="deep/b", Body=b"")
    s3.put_object(Bucket="watched", Key="other", Body=b"")
    s3.get_object(Bucket="watched", Key="other")

    def delivered() -> list[dict[str, Any]]:
        keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket="trail").get("Contents", [])]
        assert all(re.fullmatch(NAME, key) for key in keys), keys
        bodies = [s3.get_object(Bucket="trail", Key=key)["Body"].read() for key in keys]
        found = [record for body in bodies for record in json.loads(gzip.decompress(body))["Records"]]
        return found if len(found) >= 3 else []

    records = eventually(delivered)
    assert [(one["eventName"], one["additionalEventData"]["bytesTransferredOut"]) for one in records[:2]] == [
        ("GetObject", 2),
        ("GetObject", 5),
    ]
    assert [one.get("errorCode") for one in records] == [None, None, "AccessDenied"]
    assert {one["requestParameters"]["key"] for one in records} == {"deep/a"}
    assert [one["userIdentity"]["type"] for one in records] == ["Root", "Root", "IAMUser"]
    assert records[2]["userIdentity"]["accessKeyId"] == stranger["AccessKeyId"]
    assert stranger["SecretAccessKey"] not in json.dumps(records)
