"""Storage credentials: STS AssumeRole of a storage credential's role, narrowed by a session policy to one prefix."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from localcloud.databricks.errors import ApiError
from localcloud.databricks.locations import Location

LONGEST_SECONDS = 3600
SHORTEST_SESSION_SECONDS = 900
"""STS issues no session shorter than this (AssumeRole, DurationSeconds)."""

_READ = ["s3:GetObject", "s3:GetObjectVersion"]
_WRITE = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]


@dataclass(frozen=True)
class Order:
    """A decision to give out a credential: for which role, whom and place."""

    role_arn: str
    external_id: str
    principal: str
    location: Location
    write: bool


def session_policy(location: Location, *, write: bool, until: datetime | None = None) -> dict[str, Any]:
    """The policy that narrows a session to one prefix, and to the time before `until` where STS would let it live on.

    Listing needs a prefix that ends behind the last segment: `a/b` alone would list `a/bc` too. The bare key may be
    read, since S3A probes a folder's own key before it lists.
    """
    bucket = f"arn:aws:s3:::{location.bucket}"
    inside = f"{bucket}/{location.key}/*" if location.segments else f"{bucket}/*"
    listed = [f"{location.key}/", f"{location.key}/*"] if location.segments else ["*"]
    read_on = [inside, f"{bucket}/{location.key}"] if location.segments else [inside]
    statements: list[dict[str, Any]] = [
        {"Sid": "Read", "Effect": "Allow", "Action": _READ, "Resource": read_on},
        {
            "Sid": "List",
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": [bucket],
            "Condition": {"StringLike": {"s3:prefix": listed}},
        },
    ]
    if write:
        statements.append({"Sid": "Write", "Effect": "Allow", "Action": _WRITE, "Resource": [inside]})
    if until is not None:
        in_time = {"aws:CurrentTime": until.strftime("%Y-%m-%dT%H:%M:%SZ")}
        for statement in statements:
            statement["Condition"] = {**statement.get("Condition", {}), "DateLessThan": in_time}
    return {"Version": "2012-10-17", "Statement": statements}


class Vendor:
    """Assumes storage-credential roles as the IAM user that their trust policies name. Threads may share it."""

    def __init__(self, *, endpoint: str, access_key_id: str, secret_access_key: str, region: str, seconds: int) -> None:
        self._seconds = min(seconds, LONGEST_SECONDS)
        self._sts = boto3.client(
            "sts",
            endpoint_url=endpoint,
            aws_access_key_id=access_key_id,
            aws_secret_access_key=secret_access_key,
            region_name=region,
            config=Config(retries={"mode": "standard", "max_attempts": 3}, connect_timeout=5, read_timeout=30),
        )

    def vend(self, order: Order) -> dict[str, Any]:
        """The answer of a `temporary-*-credentials` request.

        Raises:
            ApiError: AWS refused the role, or could not be reached.
        """
        asked_at = datetime.now(UTC)
        # A condition carries whole seconds, and so does what is promised.
        ends = (asked_at + timedelta(seconds=self._seconds)).replace(microsecond=0)
        until = ends if self._seconds < SHORTEST_SESSION_SECONDS else None
        policy = session_policy(order.location, write=order.write, until=until)
        try:
            answer = self._sts.assume_role(
                RoleArn=order.role_arn,
                RoleSessionName=re.sub(r"[^\w+=,.@-]", "-", f"unity-{order.principal}")[:64],
                ExternalId=order.external_id,
                Policy=json.dumps(policy, separators=(",", ":")),
                DurationSeconds=max(self._seconds, SHORTEST_SESSION_SECONDS),
            )
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "error")
            raise ApiError(
                HTTPStatus.BAD_REQUEST,
                "INVALID_STATE",
                f"AWS refused to let the storage credential's role {order.role_arn} be assumed: {code}.",
            ) from None
        except BotoCoreError as error:
            raise ApiError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "TEMPORARILY_UNAVAILABLE",
                f"AWS STS could not be asked for a credential: {type(error).__name__}.",
            ) from None
        keys = answer["Credentials"]
        expires = min(keys["Expiration"], ends)
        return {
            "aws_temp_credentials": {
                "access_key_id": keys["AccessKeyId"],
                "secret_access_key": keys["SecretAccessKey"],
                "session_token": keys["SessionToken"],
            },
            "expiration_time": int(expires.timestamp() * 1000),
            "url": str(order.location),
        }
