"""The AWS side: the stacks of `infra/`, the users' access keys, and secrets."""

from __future__ import annotations

import configparser
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
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
    _seed_catalog_user(iam)
    deployed = stacks.deploy(root.client("cloudformation"))
    _write_keys(iam, files)
    return AwsAccount(deployed.key_arn, deployed.emr_application_id)


def _seed_catalog_user(iam: Client) -> None:
    """What stands for Databricks' own AWS account, which is no part of `infra/`."""
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName=names.CATALOG_USER)
    document = json.dumps(policies.catalog_user())
    iam.put_user_policy(UserName=names.CATALOG_USER, PolicyName=names.CATALOG_USER, PolicyDocument=document)


def _write_keys(iam: Client, files: CredentialFiles) -> None:
    """Keeps the access keys that are in the files where IAM still knows them; makes new ones otherwise."""

    def catalog_key() -> AccessKey | None:
        return AccessKey.read(files.unity_catalog)

    def dagster_key() -> AccessKey | None:
        return read_profile(files)

    _ensure_key(iam, names.CATALOG_USER, catalog_key(), lambda key: key.write(files.unity_catalog))
    _ensure_key(iam, names.DAGSTER_USER, dagster_key(), lambda key: _write_profile(files, key))
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


def read_profile(files: CredentialFiles) -> AccessKey | None:
    """The orchestrator's access key out of its AWS shared credentials file."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(files.aws_profile)
    if not parser.has_section("default"):
        return None
    section = parser["default"]
    return AccessKey(section["aws_access_key_id"], section["aws_secret_access_key"])


def _write_profile(files: CredentialFiles, key: AccessKey) -> None:
    lines = [
        "[default]",
        f"aws_access_key_id = {key.access_key_id}",
        f"aws_secret_access_key = {key.secret_access_key}",
    ]
    write_private(files.aws_profile, "\n".join(lines) + "\n")


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
