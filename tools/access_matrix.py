"""Who may do what in the AWS account of `infra/`: `python -m tools.access_matrix` writes docs/access-matrix.md.

The templates are read by moto's CloudFormation with the parameters of production, and the local IAM decides each row.
What is expected stands beside each demand; a row that is decided otherwise is an error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from localcloud.aws.iam.policy import Decision, Demand, Policy, Principal, decide

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "access-matrix.md"
ACCOUNT, REGION, NAME = "123456789012", "us-east-1", "govtune"
ENDPOINT, CONTROL_PLANE = "vpce-0a1b2c3d", "192.0.2.7"
VPC, SUBNET, GROUP, IMAGE_ACCOUNT = "vpc-0a1b2c3d", "subnet-0a1b2c3d", "sg-0a1b2c3d", "763104351884"
APPLICATION = f"arn:aws:emr-serverless:{REGION}:{ACCOUNT}:/applications/00f1abcd"
CATALOG = "arn:aws:iam::414351767826:role/unity-catalog"
EXTERNAL_ID = "external-id-of-the-storage-credential"
Context = Mapping[str, str]

INSIDE: Context = {"aws:sourcevpce": ENDPOINT, "aws:securetransport": "true"}
PLACES: Mapping[str, Context] = {
    "inside the VPC": INSIDE,
    "without TLS": {**INSIDE, "aws:securetransport": "false"},
    "from elsewhere": {"aws:sourceip": "198.51.100.9", "aws:securetransport": "true"},
    "from the control plane": {"aws:sourceip": CONTROL_PLANE, "aws:securetransport": "true"},
    "by an AWS service for the role": {"aws:viaawsservice": "true", "aws:securetransport": "true"},
}
OF_EVERY_REQUEST: Context = {"aws:viaawsservice": "false", "aws:principalisawsservice": "false"}


@dataclass(frozen=True)
class Row:
    """One line of the matrix."""

    who: str
    what: str
    where: str
    expected: bool
    decision: Decision

    @property
    def right(self) -> bool:
        """Whether it was decided as expected."""
        return self.expected == (self.decision is Decision.ALLOWED)


@dataclass(frozen=True)
class Identity:
    """One who asks: a role's session, with its policies, and the documents that these were read from."""

    principal: Principal
    policies: Sequence[Policy]
    session: Policy | None = None
    documents: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Ask:
    """One demand in words, with those who may; `context` is what the request carries wherever it comes from."""

    what: str
    action: str
    resource: str
    may: frozenset[str] = frozenset()
    context: Context = field(default_factory=dict)


def _session_policy(bucket: str, prefix: str, actions: Sequence[str]) -> Policy:
    """What Unity Catalog holds a vended credential to."""
    listing = {"StringLike": {"s3:prefix": [prefix, f"{prefix}/*"]}}
    statements = [
        {"Effect": "Allow", "Action": list(actions), "Resource": f"arn:aws:s3:::{bucket}/{prefix}/*"},
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{bucket}", "Condition": listing},
    ]
    return Policy.parse({"Version": "2012-10-17", "Statement": statements})


class Account:
    """The policies that the templates make."""

    def __init__(self) -> None:
        # moto is imported here: it patches boto3, and that takes a second.
        from moto import mock_aws

        from localcloud.aws import cloudformation

        with mock_aws():
            cloudformation.install()
            session = boto3.Session(region_name=REGION)
            client = session.client("cloudformation")
            storage = _deploy(
                client, "storage", RequireTls="true", VpcEndpointIds=ENDPOINT, CatalogAddresses=f"{CONTROL_PLANE}/32"
            )
            self.keys = {"tables": storage["TableKeyArn"], "jobs": storage["JobKeyArn"]}
            _deploy(
                client,
                "access",
                JobKeyArn=self.keys["jobs"],
                TableKeyArn=self.keys["tables"],
                ApplicationArn=APPLICATION,
                CatalogPrincipalArn=CATALOG,
                CatalogExternalId=EXTERNAL_ID,
                AuditDeliveryPrincipalArn="arn:aws:iam::414351767826:role/audit-delivery",
                AuditDeliveryExternalId="databricks-account",
                Comprehend="true",
                VpcId=VPC,
                SubnetIds=f"{SUBNET},subnet-0e5f6a7b",
                SecurityGroupIds=GROUP,
            )
            self.identities = dict(_identities(session.client("iam")))
            kms = session.client("kms")
            self._resource_policies = dict(_policies_of_resources(session.client("s3"), kms, self.keys))

    def decide(self, identity: Identity, ask: Ask, where: Context) -> Decision:
        """The local IAM's decision on one demand."""
        carried = {**OF_EVERY_REQUEST, "aws:principalarn": identity.principal.matches[-1], **where, **ask.context}
        context = {key.lower(): (value,) for key, value in carried.items()}
        return decide(
            Demand(ask.action, ask.resource, context),
            identity.principal,
            identity=identity.policies,
            session=identity.session,
            resource=self._resource_policies.get(ask.resource.partition("/")[0])
            or self._resource_policies.get(ask.resource),
            needs_trust=ask.action.startswith("kms:"),
        ).decision


def _deploy(client: Any, template: str, **parameters: str) -> dict[str, str]:
    client.create_stack(
        StackName=template,
        TemplateBody=(ROOT / "infra" / f"{template}.yaml").read_text(encoding="utf-8"),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
    )
    outputs = client.describe_stacks(StackName=template)["Stacks"][0]["Outputs"]
    return {output["OutputKey"]: output["OutputValue"] for output in outputs}


def _identities(iam: Any) -> Iterator[tuple[str, Identity]]:
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    administrator = Policy.parse({"Version": "2012-10-17", "Statement": [everything]})
    yield "administrator", Identity(_session("administrator"), [administrator])
    for short in ("dagster", "preflight", "emr", "sagemaker", "audit-delivery", "unity-catalog"):
        role = f"{NAME}-{short}"
        names = iam.list_role_policies(RoleName=role)["PolicyNames"]
        documents = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]
        policies = [Policy.parse(document) for document in documents]
        yield short, Identity(_session(role), policies, documents=documents)
        if short == "unity-catalog":
            read = _session_policy(f"{NAME}-lake", "raw/risk", ["s3:GetObject"])
            write = _session_policy(f"{NAME}-lake", "raw/risk", ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"])
            yield "vended to read", Identity(_session(role), policies, read)
            yield "vended to write", Identity(_session(role), policies, write)


def _policies_of_resources(s3: Any, kms: Any, keys: Mapping[str, str]) -> Iterator[tuple[str, Policy]]:
    for bucket in s3.list_buckets()["Buckets"]:
        name = bucket["Name"]
        yield f"arn:aws:s3:::{name}", Policy.parse(s3.get_bucket_policy(Bucket=name)["Policy"])
    for arn in keys.values():
        yield arn, Policy.parse(kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])


def _session(role: str) -> Principal:
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/matrix"
    return Principal(arn, ACCOUNT, (arn, f"arn:aws:iam::{ACCOUNT}:role/{role}"))


def _asks(keys: Mapping[str, str]) -> list[Ask]:
    def s3(what: str, action: str, place: str, *may: str, **context: str) -> Ask:
        named = {key.replace("__", ":").replace("_", "-"): value for key, value in context.items()}
        return Ask(what, f"s3:{action}", f"arn:aws:s3:::{NAME}-{place}", frozenset(may), named)

    def arn(service: str, resource: str) -> str:
        return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"

    def role(name: str) -> str:
        return f"arn:aws:iam::{ACCOUNT}:role/{NAME}-{name}"

    through_s3 = {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}
    customer = {"s3__x_amz_server_side_encryption_customer_algorithm": "AES256"}
    table, neighbour = "lake/raw/risk/part-0.parquet", "lake/raw/risk_factors/part-0.parquet"
    readers, vended = ("unity-catalog", "vended to read", "vended to write"), ("vended to read", "vended to write")
    admin = "administrator"
    return [
        s3("read a table", "GetObject", table, *readers),
        s3("write a table", "PutObject", table, "unity-catalog", "vended to write"),
        s3("delete from a table", "DeleteObject", table, "unity-catalog", "vended to write"),
        s3("list a table", "ListBucket", "lake", "unity-catalog", *vended, s3__prefix="raw/risk/"),
        s3("read the neighbour table", "GetObject", neighbour, "unity-catalog"),
        s3("list the neighbour table", "ListBucket", "lake", "unity-catalog", s3__prefix="raw/risk_factors/"),
        s3("read a model", "GetObject", "models/govtune/m/adapter.safetensors", "unity-catalog"),
        s3("read Spark's code", "GetObject", "work/code/spark/d/job.zip", admin, "dagster", "emr"),
        s3("read training's code", "GetObject", "work/code/train/d/src.tar.gz", admin, "dagster", "sagemaker"),
        s3("replace code", "PutObject", "work/code/train/d/src.tar.gz", admin, "dagster"),
        s3("write Spark's messages", "PutObject", "work/pipes/spark/r/0.json", admin, "dagster", "emr"),
        s3("write training's messages", "PutObject", "work/pipes/train/r/0.json", admin, "dagster", "sagemaker"),
        s3("read Spark's context", "GetObject", "work/pipes/spark/r/context", admin, "dagster", "emr"),
        s3("read training's context", "GetObject", "work/pipes/train/r/context", admin, "dagster", "sagemaker"),
        s3("write a checkpoint", "PutObject", "work/checkpoints/c/1.pt", admin, "sagemaker"),
        s3("read an adapter", "GetObject", "work/training/j/model.tar.gz", admin, "dagster", "sagemaker"),
        s3("read stored prompts", "GetObject", "work/prompts/2026/1.json", admin),
        s3("write under AES256", "PutObject", "work/pipes/spark/r/1.json", s3__x_amz_server_side_encryption="AES256"),
        s3("copy under AES256", "PutObject", "work/training/j/1", s3__x_amz_server_side_encryption="AES256"),
        *(
            s3(f"write {what} under a customer's key", "PutObject", place, **customer)
            for what, place in {
                "a table": table,
                "a model": "models/govtune/m/adapter.safetensors",
                "messages": "work/pipes/spark/r/1.json",
                "the workspace's log": "audit/databricks/x.json",
            }.items()
        ),
        s3("read the record", "GetObject", "audit/AWSLogs/x.json.gz", admin, "dagster"),
        s3("delete the record", "DeleteObject", "audit/AWSLogs/x.json.gz"),
        s3("forge the trail", "PutObject", f"audit/AWSLogs/{ACCOUNT}/x.json.gz"),
        s3("deliver the workspace's log", "PutObject", "audit/databricks/x.json", "audit-delivery"),
        s3("hand the log to the bucket's owner", "PutObjectAcl", "audit/databricks/x.json", admin, "audit-delivery"),
        s3("end a delivery half way", "AbortMultipartUpload", "audit/databricks/x.json", admin, "audit-delivery"),
        s3("deliver elsewhere", "PutObject", "audit/x.json", admin),
        *(
            Ask(
                f"read {name}'s secret",
                "secretsmanager:GetSecretValue",
                arn("secretsmanager", f"secret:databricks/{name}-a1B2c3"),
                frozenset({admin, *may}),
            )
            for name, may in {
                "loader": ("dagster",),
                "registrar": ("dagster",),
                "auditor": ("dagster",),
                "curator": ("emr", "preflight"),
                "trainer": ("sagemaker", "preflight"),
            }.items()
        ),
        Ask("decrypt tables", "kms:Decrypt", keys["tables"], frozenset({admin, "unity-catalog"}), through_s3),
        Ask(
            "decrypt jobs' objects",
            "kms:Decrypt",
            keys["jobs"],
            frozenset({admin, "dagster", "emr", "sagemaker", "audit-delivery"}),
            through_s3,
        ),
        Ask("decrypt by hand", "kms:Decrypt", keys["jobs"], frozenset({admin})),
        Ask("decrypt tables by hand", "kms:Decrypt", keys["tables"], frozenset({admin, "unity-catalog"})),
        *_asks_of_comprehend(),
        Ask("run a Spark job", "emr-serverless:StartJobRun", APPLICATION, frozenset({admin, "dagster"})),
        Ask("train", "sagemaker:CreateTrainingJob", arn("sagemaker", "training-job/x"), frozenset({admin, "dagster"})),
        *_asks_of_training(arn),
        Ask(
            "pass EMR its role",
            "iam:PassRole",
            role("emr"),
            frozenset({admin, "dagster"}),
            {"iam:PassedToService": "emr-serverless.amazonaws.com"},
        ),
        Ask(
            "pass EC2 a role",
            "iam:PassRole",
            role("emr"),
            frozenset({admin}),
            {"iam:PassedToService": "ec2.amazonaws.com"},
        ),
        Ask("change a role", "iam:PutRolePolicy", role("emr"), frozenset({admin})),
        Ask("pass on the catalog's role", "iam:PassRole", role("unity-catalog"), frozenset({admin})),
    ]


def _asks_of_comprehend() -> list[Ask]:
    """Sending text to Amazon Comprehend, where a firm has it look for personal data."""
    own = {"aws:RequestedRegion": REGION, "aws:SourceVpc": VPC}
    admin = frozenset({"administrator"})
    places = {
        "": (own, admin | {"emr"}),
        " of another region": (own | {"aws:RequestedRegion": "eu-central-1"}, admin),
        " past the jobs' network": (own | {"aws:SourceVpc": "vpc-other"}, admin),
    }
    return [
        Ask(f"send text to Comprehend{where}", "comprehend:DetectPiiEntities", "*", may, context)
        for where, (context, may) in places.items()
    ]


def _asks_of_training(arn: Callable[[str, str], str]) -> list[Ask]:
    """What SageMaker does in the training role's name before the training runs."""
    by_training = frozenset({"administrator", "sagemaker"})
    own, other = {"ec2:Vpc": arn("ec2", f"vpc/{VPC}")}, {"ec2:Vpc": arn("ec2", "vpc/vpc-other")}
    interface, make = arn("ec2", "network-interface/*"), "ec2:CreateNetworkInterface"
    image = f"arn:aws:ecr:{REGION}:{IMAGE_ACCOUNT}:repository"
    return [
        Ask("pull the training image", "ecr:BatchGetImage", f"{image}/huggingface-pytorch-training", by_training),
        Ask("pull another image", "ecr:BatchGetImage", f"{image}/other", frozenset({"administrator"})),
        Ask("use the jobs' subnet", make, arn("ec2", f"subnet/{SUBNET}"), by_training, {"ec2:SubnetID": SUBNET}),
        Ask(
            "use another subnet",
            make,
            arn("ec2", "subnet/subnet-other"),
            frozenset({"administrator"}),
            {"ec2:SubnetID": "subnet-other"},
        ),
        Ask(
            "use the jobs' group",
            make,
            arn("ec2", f"security-group/{GROUP}"),
            by_training,
            {"ec2:SecurityGroupID": GROUP},
        ),
        Ask(
            "use another group",
            make,
            arn("ec2", "security-group/sg-other"),
            frozenset({"administrator"}),
            {"ec2:SecurityGroupID": "sg-other"},
        ),
        Ask("make an interface", make, interface, by_training, own),
        Ask("remove an interface", "ec2:DeleteNetworkInterface", interface, by_training, own),
        Ask(
            "remove another network's interface",
            "ec2:DeleteNetworkInterface",
            interface,
            frozenset({"administrator"}),
            other,
        ),
    ]


def matrix() -> list[Row]:
    """Every identity with every demand inside the VPC; what S3 allows there, from every other place too."""
    account = Account()
    rows = []
    for ask in _asks(account.keys):
        for who, identity in account.identities.items():
            for where, place in PLACES.items():
                inside = where == "inside the VPC"
                on_s3 = ask.action.startswith("s3:") and who in ask.may
                if inside or on_s3:
                    expected = who in ask.may and (inside or _may_come_from(where, ask))
                    rows.append(Row(who, ask.what, where, expected, account.decide(identity, ask, place)))
    return rows


def _may_come_from(where: str, ask: Ask) -> bool:
    """Nobody comes without TLS; to the record of access anyone comes from anywhere, to the rest not from elsewhere."""
    if where == "without TLS":
        return False
    return where != "from elsewhere" or "-audit/" in ask.resource


def document(rows: Sequence[Row]) -> str:
    """The matrix as a page."""
    lines = [
        "# Who may do what in the AWS account",
        "",
        "Generated by `python -m tools.access_matrix` from `infra/` with the parameters of production; the local IAM",
        f"decided each of the {len(rows)} rows. An explicit deny (a bucket policy) is in capitals.",
        "",
        "| who | does | from where | decision |",
        "|---|---|---|---|",
    ]
    words = {Decision.ALLOWED: "allowed", Decision.IMPLICIT_DENY: "denied", Decision.EXPLICIT_DENY: "DENIED"}
    lines += [f"| {row.who} | {row.what} | {row.where} | {words[row.decision]} |" for row in rows]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Writes the page; 1 when a row is decided otherwise than expected."""
    rows = matrix()
    TARGET.write_text(document(rows), encoding="utf-8")
    wrong = [row for row in rows if not row.right]
    for row in wrong:
        print(f"{row.who}, {row.what}, {row.where}: {row.decision.value}, expected otherwise", file=sys.stderr)
    print(f"{len(rows)} rows, {len(wrong)} wrong: {TARGET.relative_to(ROOT)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
