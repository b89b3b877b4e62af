"""The AWS side: the stacks of `infra/`, the users' access keys, and secrets."""

from __future__ import annotations

import configparser
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from localcloud.seed import names, policies, stacks
from localcloud.seed.credentials import AccessKey, CredentialFiles
from localcloud.supervisor.private import write_private

Client = Any


@dataclass(frozen=True)
class AwsAccount:
    """What the product must know about the seeded account."""

    key_arn: str
    emr_application_id: str


@dataclass(frozen=True)
class Root:
    """Clients that act as the account's root."""

    endpoint: str
    key: AccessKey

    def client(self, service: str) -> Client:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=names.REGION,
            aws_access_key_id=self.key.access_key_id,
            aws_secret_access_key=self.key.secret_access_key,
            config=Config(retries={"max_attempts": 2}, s3={"addressing_style": "path"}),
        )


def seed_account(root: Root, files: CredentialFiles) -> AwsAccount:
    """Brings the account to what `infra/` declares and writes the users' access keys into their files."""
    iam = root.client("iam")
    _seed_user(iam, names.CATALOG_USER, policies.catalog_user())
    _seed_user(iam, names.TRACKING_USER, policies.tracking_user())
    _seed_tracking_bucket(root.client("s3"))
    deployed = stacks.deploy(root.client("cloudformation"))
    _write_keys(iam, files)
    return AwsAccount(deployed.key_arn, deployed.emr_application_id)


def _seed_user(iam: Client, name: str, policy: dict[str, Any]) -> None:
    """A user who stands for Databricks' own AWS account, which is no part of `infra/`."""
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=json.dumps(policy))


def _seed_tracking_bucket(s3: Client) -> None:
    """The bucket of runs' artifacts, closed to the public."""
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=names.TRACKING_BUCKET)
    closed = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket=names.TRACKING_BUCKET, PublicAccessBlockConfiguration=dict.fromkeys(closed, True))


def _write_keys(iam: Client, files: CredentialFiles) -> None:
    """Keeps the access keys that are in the files where IAM still knows them; makes new ones otherwise."""

    _ensure_key(
        iam, names.CATALOG_USER, AccessKey.read(files.unity_catalog), lambda key: key.write(files.unity_catalog)
    )
    for user, profile in ((names.DAGSTER_USER, files.aws_profile), (names.TRACKING_USER, files.tracking_profile)):
        _ensure_key(iam, user, read_profile(profile), partial(_write_profile, profile))
    config = f"[default]\nregion = {names.REGION}\ns3 =\n    addressing_style = path\n"
    write_private(files.aws_config, config)


def _ensure_key(iam: Client, user: str, known: AccessKey | None, write: Callable[[AccessKey], None]) -> None:
    listed = [key["AccessKeyId"] for key in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]]
    if known is not None and known.access_key_id in listed:
        return
    for key_id in listed:
        iam.delete_access_key(UserName=user, AccessKeyId=key_id)
    made = iam.create_access_key(UserName=user)["AccessKey"]
    write(AccessKey(made["AccessKeyId"], made["SecretAccessKey"]))


def read_profile(path: Path) -> AccessKey | None:
    """The access key in an AWS shared credentials file, or None where there is none."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(path)
    if not parser.has_section("default"):
        return None
    section = parser["default"]
    return AccessKey(section["aws_access_key_id"], section["aws_secret_access_key"])


def _write_profile(path: Path, key: AccessKey) -> None:
    lines = [
        "[default]",
        f"aws_access_key_id = {key.access_key_id}",
        f"aws_secret_access_key = {key.secret_access_key}",
    ]
    write_private(path, "\n".join(lines) + "\n")


def put_secret(secrets: Client, name: str, value: str) -> None:
    """Creates the secret, or gives it a new version."""
    try:
        secrets.put_secret_value(SecretId=name, SecretString=value)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        secrets.create_secret(Name=name, SecretString=value)


def get_secret(secrets: Client, name: str) -> str | None:
    """The secret's value, or None where there is no such secret."""
    try:
        return str(secrets.get_secret_value(SecretId=name)["SecretString"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return None
