"""The AWS side: buckets, key, roles, users and the Spark application."""

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

from localcloud.seed import names, policies
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
    """Creates what is missing in the account and writes the users' access keys into their files."""
    _seed_buckets(root.client("s3"))
    _seed_trail(root.client("cloudtrail"))
    key_arn = _seed_key(root.client("kms"))
    iam = root.client("iam")
    _seed_user(iam, names.CATALOG_USER, policies.assume_catalog_role())
    _seed_role(iam, names.CATALOG_ROLE, policies.trust_user(names.CATALOG_USER), policies.unity_catalog())
    emr_trust = policies.trust_service("emr-serverless.amazonaws.com")
    _seed_role(iam, names.EMR_ROLE, emr_trust, policies.emr())
    training_trust = policies.trust_service("sagemaker.amazonaws.com")
    _seed_role(iam, names.SAGEMAKER_ROLE, training_trust, policies.sagemaker(key_arn))
    application_id, application_arn = _seed_application(root.client("emr-serverless"))
    _seed_role(iam, names.PREFLIGHT_ROLE, policies.trust_user(names.DAGSTER_USER), policies.preflight())
    _seed_user(iam, names.DAGSTER_USER, policies.dagster(key_arn, application_arn))
    _write_keys(iam, files)
    return AwsAccount(key_arn, application_id)


def _seed_buckets(s3: Client) -> None:
    present = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    for bucket in (names.LAKE_BUCKET, names.WORK_BUCKET, names.MODELS_BUCKET, names.AUDIT_BUCKET):
        if bucket not in present:
            s3.create_bucket(Bucket=bucket)
        switches = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(switches, True))
    s3.put_bucket_versioning(Bucket=names.LAKE_BUCKET, VersioningConfiguration={"Status": "Enabled"})


def _seed_trail(cloudtrail: Client) -> None:
    """The trail of S3 data events of governed data: who read or wrote which object, by which credential."""
    if names.TRAIL not in {trail["Name"] for trail in cloudtrail.describe_trails()["trailList"]}:
        cloudtrail.create_trail(Name=names.TRAIL, S3BucketName=names.AUDIT_BUCKET)
    watched = [f"arn:aws:s3:::{bucket}/" for bucket in (names.LAKE_BUCKET, names.MODELS_BUCKET)]
    selector = {
        "ReadWriteType": "All",
        "IncludeManagementEvents": False,
        "DataResources": [{"Type": "AWS::S3::Object", "Values": watched}],
    }
    cloudtrail.put_event_selectors(TrailName=names.TRAIL, EventSelectors=[selector])
    cloudtrail.start_logging(Name=names.TRAIL)


def _seed_key(kms: Client) -> str:
    for page in kms.get_paginator("list_aliases").paginate():
        for alias in page["Aliases"]:
            if alias["AliasName"] == names.KEY_ALIAS:
                key_id = alias["TargetKeyId"]
                return str(kms.describe_key(KeyId=key_id)["KeyMetadata"]["Arn"])
    metadata = kms.create_key(Description="Volumes and artifacts of training jobs.")["KeyMetadata"]
    kms.create_alias(AliasName=names.KEY_ALIAS, TargetKeyId=metadata["KeyId"])
    return str(metadata["Arn"])


def _seed_role(iam: Client, role: str, trust: policies.Document, policy: policies.Document) -> None:
    try:
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))
    except iam.exceptions.EntityAlreadyExistsException:
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName=role, PolicyName=role, PolicyDocument=json.dumps(policy))


def _seed_user(iam: Client, user: str, policy: policies.Document) -> None:
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName=user, PolicyDocument=json.dumps(policy))


def _seed_application(emr: Client) -> tuple[str, str]:
    """The Spark application; returns its id and ARN."""
    for page in emr.get_paginator("list_applications").paginate():
        for application in page["applications"]:
            if application["name"] == names.EMR_APPLICATION and application["state"] != "TERMINATED":
                return application["id"], application["arn"]
    made = emr.create_application(
        name=names.EMR_APPLICATION, releaseLabel=names.EMR_RELEASE, type="SPARK", clientToken="govtune"
    )
    return made["applicationId"], made["arn"]


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
