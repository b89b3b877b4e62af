"""What a call asks for: the IAM actions and the resources of an operation.

Source: "Actions, resources, and condition keys for AWS services" (the Service Authorization Reference). Services or
operations that this project does not use ask for their own name on "*", so that only a policy over every resource
lets them through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import unquote

import xmltodict  # type: ignore[import-untyped]

from localcloud.aws.iam.policy import Demand
from localcloud.aws.wire import Call, RefusedError

ANY = "*"


class Names(Protocol):
    """Looks up the ARN behind a name, where the ARN cannot be built from the name alone."""

    account: str

    def secret(self, region: str, secret_id: str) -> str:
        """The ARN of a secret given its name or ARN."""

    def role(self, name: str) -> str:
        """The ARN of a role, with its path."""

    def user(self, name: str) -> str:
        """The ARN of a user, with its path."""

    def key(self, region: str, key_id: str) -> str:
        """The ARN of a KMS key given an id, ARN or alias."""


def demands(call: Call, names: Names) -> list[Demand]:
    """Every permission that `call` needs; all of them must be granted."""
    if call.service == "s3":
        return list(_s3(call))
    if not call.operation:
        return [Demand(f"{call.prefix}:UnknownOperation", ANY)]
    resource = _RESOURCES.get(call.prefix, _anything)(call, names)
    own = Demand(call.action, resource, _CONTEXT.get(call.action, _no_context)(call.params))
    return [own, *_passed_roles(call), *_extra(call, names)]


# --- S3 ---------------------------------------------------------------------------------------------------------

_S3_ACTION = {
    "ListBuckets": "ListAllMyBuckets",
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "HeadObject": "GetObject",
    "GetObjectAttributes": "GetObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "ListParts": "ListMultipartUploadParts",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeleteBucketTagging": "PutBucketTagging",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "SelectObjectContent": "GetObject",
}
_VERSIONED = {"GetObject", "DeleteObject", "GetObjectTagging", "PutObjectTagging", "DeleteObjectTagging"}


def _s3(call: Call) -> Iterator[Demand]:
    bucket, key = str(call.params.get("Bucket", "")), str(call.params.get("Key", ""))
    where = f"arn:aws:s3:::{bucket}{'/' + key if key else ''}" if bucket else ANY
    if call.operation == "DeleteObjects":
        for one, versioned in deleted_keys(call.request.get_data()):
            yield Demand(f"s3:DeleteObject{'Version' if versioned else ''}", f"arn:aws:s3:::{bucket}/{one}")
        return
    if call.operation in ("CopyObject", "UploadPartCopy"):
        yield Demand("s3:PutObject", where, _s3_context(call))
        source, _, version = unquote(call.request.headers["x-amz-copy-source"]).lstrip("/").partition("?versionId=")
        yield Demand(f"s3:GetObject{'Version' if version else ''}", f"arn:aws:s3:::{source}")
        return
    action = _S3_ACTION.get(call.operation, call.operation or "UnknownOperation")
    if action in _VERSIONED and call.params.get("versionId"):
        action = action.replace("Object", "ObjectVersion", 1)
    yield Demand(f"s3:{action}", where, _s3_context(call))


def _s3_context(call: Call) -> dict[str, tuple[str, ...]]:
    listing = {"prefix": "s3:prefix", "delimiter": "s3:delimiter", "max-keys": "s3:max-keys"}
    found: dict[str, tuple[str, ...]] = {
        name: (str(call.params[key]),) for key, name in listing.items() if key in call.params
    }
    if call.operation.startswith("ListObject"):
        found.setdefault("s3:prefix", ("",))
    headers = {
        "x-amz-server-side-encryption": "s3:x-amz-server-side-encryption",
        "x-amz-server-side-encryption-aws-kms-key-id": "s3:x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-server-side-encryption-customer-algorithm": "s3:x-amz-server-side-encryption-customer-algorithm",
        "x-amz-acl": "s3:x-amz-acl",
        "x-amz-storage-class": "s3:x-amz-storage-class",
        "if-none-match": "s3:if-none-match",
    }
    for header, name in headers.items():
        if value := call.request.headers.get(header):
            found[name] = (value,)
    return found


def deleted_keys(body: bytes) -> list[tuple[str, bool]]:
    """The keys in a DeleteObjects body, each with whether a version is named.

    Raises RefusedError when the body is no such document.
    """
    try:
        objects = xmltodict.parse(body, strip_whitespace=False)["Delete"]["Object"]
        listed = objects if isinstance(objects, list) else [objects]
        return [(str(one["Key"] or ""), "VersionId" in one) for one in listed]
    except (KeyError, TypeError, ValueError, xmltodict.expat.ExpatError) as error:
        raise RefusedError("MalformedXML", "The XML you provided was not well-formed.", 400) from error


# --- other services ---------------------------------------------------------------------------------------------


def _anything(_call: Call, _names: Names) -> str:
    return ANY


def _secret(call: Call, names: Names) -> str:
    secret_id = call.params.get("SecretId") or call.params.get("Name")
    return names.secret(call.region, str(secret_id)) if secret_id else ANY


def _log_group(call: Call, names: Names) -> str:
    group = call.params.get("logGroupName")
    if not group:
        return ANY
    arn = f"arn:aws:logs:{call.region}:{names.account}:log-group:{group}"
    if stream := call.params.get("logStreamName"):
        return f"{arn}:log-stream:{stream}"
    return f"{arn}:*" if call.operation != "CreateLogGroup" else arn


_SAGEMAKER_NAMES = {
    "TrainingJobName": "training-job",
    "EndpointName": "endpoint",
    "EndpointConfigName": "endpoint-config",
    "ModelPackageGroupName": "model-package-group",
    "ModelName": "model",
}


def _sagemaker(call: Call, names: Names) -> str:
    if arn := call.params.get("ResourceArn"):
        return str(arn)
    for param, kind in _SAGEMAKER_NAMES.items():
        if name := call.params.get(param):
            return f"arn:aws:sagemaker:{call.region}:{names.account}:{kind}/{str(name).lower()}"
    return ANY


def _emr_serverless(call: Call, names: Names) -> str:
    arn = f"arn:aws:emr-serverless:{call.region}:{names.account}:/applications"
    if application := call.params.get("applicationId"):
        arn += f"/{application}"
    if run := call.params.get("jobRunId"):
        arn += f"/jobruns/{run}"
    return str(call.params.get("resourceArn") or arn)


def _iam(call: Call, names: Names) -> str:
    if role := call.params.get("RoleName"):
        return names.role(str(role))
    if user := call.params.get("UserName"):
        return names.user(str(user))
    return str(call.params.get("PolicyArn") or ANY)


def _sts(call: Call, _names: Names) -> str:
    return str(call.params.get("RoleArn") or ANY)


def _kms(call: Call, names: Names) -> str:
    key = call.params.get("KeyId") or call.params.get("TargetKeyId")
    return names.key(call.region, str(key)) if key else ANY


_RESOURCES: dict[str, Callable[[Call, Names], str]] = {
    "secretsmanager": _secret,
    "logs": _log_group,
    "sagemaker": _sagemaker,
    "emr-serverless": _emr_serverless,
    "iam": _iam,
    "sts": _sts,
    "kms": _kms,
}


def _no_context(_params: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {}


_CONTEXT: dict[str, Callable[[Mapping[str, Any]], dict[str, tuple[str, ...]]]] = {
    "cloudwatch:PutMetricData": lambda params: {"cloudwatch:namespace": (str(params.get("Namespace", "")),)},
    "secretsmanager:GetSecretValue": lambda params: {
        "secretsmanager:versionstage": (str(params.get("VersionStage") or "AWSCURRENT"),)
    },
    "sts:AssumeRole": lambda params: {
        key: (str(params[name]),)
        for name, key in (("ExternalId", "sts:externalid"), ("RoleSessionName", "sts:rolesessionname"))
        if params.get(name)
    },
}

_PASSED_ROLE = {
    "emr-serverless:StartJobRun": ("executionRoleArn", "emr-serverless.amazonaws.com"),
    "sagemaker:CreateTrainingJob": ("RoleArn", "sagemaker.amazonaws.com"),
    "sagemaker:CreateModel": ("ExecutionRoleArn", "sagemaker.amazonaws.com"),
}


def _passed_roles(call: Call) -> Iterator[Demand]:
    param, service = _PASSED_ROLE.get(call.action, ("", ""))
    if param and call.params.get(param):
        yield Demand("iam:PassRole", str(call.params[param]), {"iam:passedtoservice": (service,)})


def _extra(call: Call, names: Names) -> Iterator[Demand]:
    if call.action == "secretsmanager:BatchGetSecretValue":
        for secret_id in call.params.get("SecretIdList") or [ANY]:
            arn = ANY if secret_id == ANY else names.secret(call.region, str(secret_id))
            yield Demand("secretsmanager:GetSecretValue", arn)
