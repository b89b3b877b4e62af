"""IAM policy documents of the seeded account: each role may do its own step and nothing else.

No role but the storage credential's has rights on tables: table data is reached with credentials that Unity Catalog
vends. The documents are what `deploy` asks of a real account, with the account's names filled in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from localcloud.seed import names

Document = dict[str, Any]
PARTITION = "arn:aws"
WORK = f"{PARTITION}:s3:::{names.WORK_BUCKET}"
AUDIT = f"{PARTITION}:s3:::{names.AUDIT_BUCKET}"
TRAINING_LOGS = "/aws/sagemaker/TrainingJobs"
EMR_LOGS = "/aws/emr-serverless"


def _arn(service: str, resource: str) -> str:
    return f"{PARTITION}:{service}:{names.REGION}:{names.ACCOUNT}:{resource}"


def _allow(sid: str, actions: Sequence[str], resources: Sequence[str], **condition: Any) -> Document:
    statement: Document = {
        "Sid": sid,
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": list(resources),
    }
    return {**statement, "Condition": condition} if condition else statement


def _document(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _objects(*prefixes: str) -> list[str]:
    return [f"{WORK}/{prefix}*" for prefix in prefixes]


def _list_work(*prefixes: str) -> Document:
    patterns = [f"{prefix}*" for prefix in prefixes]
    return _allow("ListOwnPrefixes", ["s3:ListBucket"], [WORK], StringLike={"s3:prefix": patterns})


def _read_secrets(*principals: str) -> Document:
    # Secrets Manager appends six random characters to a secret's name in its ARN.
    secrets = [_arn("secretsmanager", f"secret:{names.secret_name(name)}-??????") for name in principals]
    return _allow("ReadOwnSecrets", ["secretsmanager:GetSecretValue"], secrets)


def _write_logs(group: str) -> Document:
    actions = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    return _allow("WriteOwnLogs", actions, [_arn("logs", f"log-group:{group}*")])


def _use_key(key_arn: str) -> Document:
    actions = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:DescribeKey", "kms:CreateGrant"]
    return _allow("UseKey", actions, [key_arn])


def _pass_role(sid: str, role: str, service: str) -> Document:
    condition = {"iam:PassedToService": service}
    return _allow(sid, ["iam:PassRole"], [names.role_arn(role)], StringEquals=condition)


def dagster(key_arn: str, application_arn: str) -> Document:
    """The orchestrator: submits jobs, ships their code, reads their messages, logs and artifacts."""
    emr_actions = ["StartJobRun", "GetJobRun", "CancelJobRun", "GetDashboardForJobRun", "ListJobRuns"]
    training = ["CreateTrainingJob", "DescribeTrainingJob", "StopTrainingJob", "AddTags"]
    return _document(
        _allow("ShipCodeAndContext", ["s3:PutObject", "s3:GetObject"], _objects("code/", "pipes/")),
        _allow("RemoveContext", ["s3:DeleteObject"], _objects("pipes/")),
        _allow("ReadResults", ["s3:GetObject"], _objects("logs/", "training/", "models/")),
        _list_work("code/", "pipes/", "logs/", "training/", "models/"),
        _allow(
            "RunSpark",
            [f"emr-serverless:{action}" for action in emr_actions]
            + ["emr-serverless:GetApplication", "emr-serverless:StartApplication", "emr-serverless:TagResource"],
            [application_arn, f"{application_arn}/jobruns/*"],
        ),
        _allow("Train", [f"sagemaker:{action}" for action in training], [_arn("sagemaker", "training-job/*")]),
        _pass_role("PassSparkRole", names.EMR_ROLE, "emr-serverless.amazonaws.com"),
        _pass_role("PassTrainingRole", names.SAGEMAKER_ROLE, "sagemaker.amazonaws.com"),
        _allow(
            "ReadJobLogs",
            ["logs:GetLogEvents", "logs:DescribeLogStreams", "logs:FilterLogEvents"],
            [_arn("logs", f"log-group:{group}*") for group in (TRAINING_LOGS, EMR_LOGS)],
        ),
        _read_secrets("loader", "registrar", "auditor"),
        _allow("AskForJobs", ["sts:AssumeRole"], [names.role_arn(names.PREFLIGHT_ROLE)]),
        _allow("ReadAuditLogs", ["s3:GetObject"], [f"{AUDIT}/*"]),
        _allow("ListAuditLogs", ["s3:ListBucket"], [AUDIT]),
        _use_key(key_arn),
    )


def preflight() -> Document:
    """Asking the catalog on behalf of the jobs' principals: their secrets and nothing else."""
    return _document(_read_secrets("curator", "trainer"))


def emr() -> Document:
    """Spark jobs: their code, Pipes messages and logs; no table."""
    return _document(
        _allow("ReadCode", ["s3:GetObject"], _objects("code/spark/")),
        _allow("WriteMessagesAndLogs", ["s3:PutObject", "s3:GetObject"], _objects("pipes/", "logs/")),
        _list_work("code/spark/", "pipes/", "logs/"),
        _read_secrets("curator"),
        _write_logs(EMR_LOGS),
    )


def sagemaker(key_arn: str) -> Document:
    """Training jobs: their code, the base model, Pipes, checkpoints and artifacts; no table."""
    network = [
        "CreateNetworkInterface",
        "CreateNetworkInterfacePermission",
        "DeleteNetworkInterface",
        "DeleteNetworkInterfacePermission",
        "DescribeNetworkInterfaces",
        "DescribeVpcs",
        "DescribeDhcpOptions",
        "DescribeSubnets",
        "DescribeSecurityGroups",
    ]
    image = ["BatchCheckLayerAvailability", "GetDownloadUrlForLayer", "BatchGetImage", "GetAuthorizationToken"]
    return _document(
        _allow("ReadCodeAndModel", ["s3:GetObject"], _objects("code/train/", "models/")),
        _allow(
            "WriteResults",
            ["s3:PutObject", "s3:GetObject"],
            _objects("pipes/", "checkpoints/", "training/"),
        ),
        _list_work("code/train/", "models/", "pipes/", "checkpoints/", "training/"),
        _read_secrets("trainer"),
        _write_logs(TRAINING_LOGS),
        _allow(
            "WriteMetrics",
            ["cloudwatch:PutMetricData"],
            ["*"],
            StringEquals={"cloudwatch:namespace": "/aws/sagemaker/TrainingJobs"},
        ),
        _allow("AttachToSubnets", [f"ec2:{action}" for action in network], ["*"]),
        _allow("PullImage", [f"ecr:{action}" for action in image], ["*"]),
        _use_key(key_arn),
    )


def unity_catalog() -> Document:
    """The storage credential: the only role with rights on the lake and on the models."""
    buckets = [f"{PARTITION}:s3:::{bucket}" for bucket in (names.LAKE_BUCKET, names.MODELS_BUCKET)]
    objects = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    return _document(
        _allow("Objects", objects, [f"{bucket}/*" for bucket in buckets]),
        _allow("Buckets", ["s3:ListBucket", "s3:GetBucketLocation"], buckets),
    )


def assume_catalog_role() -> Document:
    """The catalog's own AWS identity: may become the storage credential's role and deliver its audit log."""
    return _document(
        _allow("AssumeStorageRole", ["sts:AssumeRole"], [names.role_arn(names.CATALOG_ROLE)]),
        _allow("DeliverAuditLog", ["s3:PutObject"], [f"{AUDIT}/{names.CATALOG_AUDIT_PREFIX}/*"]),
    )


def trust_service(service: str) -> Document:
    """A role for one AWS service of this account; the condition keeps other accounts' jobs out."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": names.ACCOUNT}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def trust_user(user: str) -> Document:
    """A role for one IAM user."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": names.user_arn(user)},
        "Action": "sts:AssumeRole",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
