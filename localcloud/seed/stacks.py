"""The account's resources out of `infra/`: which templates the local cloud deploys, with which parameters.

What a machine of one's own cannot stand for is left out, by a parameter or with its whole template, and `POSTURE`
says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from localcloud.seed import names
from localcloud.supervisor.errors import LocalCloudError
from localcloud.supervisor.layout import PROJECT_ROOT

Client = Any

TEMPLATES = PROJECT_ROOT / "infra"
POSTURE = (
    "AWS is deployed from infra/: storage, compute, access, audit. Left out on one machine: the bucket policies' "
    "statements on TLS and VPC endpoints (by parameters), network.yaml, alarms.yaml."
)
"""What `localcloud status` says of it."""
_ACCESS = f"{names.PREFIX}-access"
_NO_EXTERNAL_ID = "0000"
"""What stands for the storage credential's external id until there is one, as infra/README.md has it."""
_NO_CHANGE = "No updates are to be performed"
_DONE = ("CREATE_COMPLETE", "UPDATE_COMPLETE")


@dataclass(frozen=True)
class Deployment:
    """What the stacks made that the rest of the cloud must know."""

    key_arn: str
    emr_application_id: str


def deploy(cloudformation: Client) -> Deployment:
    """Brings every stack to its template. Raises LocalCloudError for one that does not get there."""
    storage = _deploy(
        cloudformation,
        "storage",
        RequireTls="false",
        VpcEndpointIds="",
        CatalogAddresses="",
        AuditDelivererArn=names.user_arn(names.CATALOG_USER),
    )
    compute = _deploy(cloudformation, "compute", ReleaseLabel=names.EMR_RELEASE, SubnetIds="", SecurityGroupIds="")
    _deploy(
        cloudformation,
        "access",
        JobKeyArn=storage["JobKeyArn"],
        TableKeyArn=storage["TableKeyArn"],
        ApplicationArn=compute["ApplicationArn"],
        DagsterIdentity="user",
        CatalogPrincipalArn=names.user_arn(names.CATALOG_USER),
        CatalogExternalId=_parameters(cloudformation).get("CatalogExternalId") or _NO_EXTERNAL_ID,
        AuditDeliveryPrincipalArn="",
        AuditDeliveryExternalId="",
        VpcId="",
        SubnetIds="",
        SecurityGroupIds="",
    )
    _deploy(cloudformation, "audit", JobKeyArn=storage["JobKeyArn"])
    return Deployment(storage["JobKeyArn"], compute["ApplicationId"])


def trust_catalog(cloudformation: Client, external_id: str) -> None:
    """Lets the catalog assume the storage credential's role, with the external id that the catalog made for it.

    Raises LocalCloudError where the stack does not get there.
    """
    parameters = _parameters(cloudformation)
    parameters.pop("Name")
    _deploy(cloudformation, "access", **{**parameters, "CatalogExternalId": external_id})


def _parameters(cloudformation: Client) -> dict[str, str]:
    """The parameters with which access.yaml stands, none before it does."""
    if not _exists(cloudformation, _ACCESS):
        return {}
    (stack,) = cloudformation.describe_stacks(StackName=_ACCESS)["Stacks"]
    return {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}


def _deploy(cloudformation: Client, template: str, **parameters: str) -> Mapping[str, str]:
    """One stack; returns its outputs."""
    stack = f"{names.PREFIX}-{template}"
    request = {
        "StackName": stack,
        "TemplateBody": (TEMPLATES / f"{template}.yaml").read_text(encoding="utf-8"),
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
        "Parameters": [
            {"ParameterKey": name, "ParameterValue": value}
            for name, value in {"Name": names.PREFIX, **parameters}.items()
        ],
    }
    if _exists(cloudformation, stack):
        _update(cloudformation, request)
    else:
        cloudformation.create_stack(**request)
    found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    if found["StackStatus"] not in _DONE:
        raise LocalCloudError(f"Stack {stack} of infra/{template}.yaml is {found['StackStatus']}, not complete.")
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}


def _exists(cloudformation: Client, stack: str) -> bool:
    pages = cloudformation.get_paginator("list_stacks").paginate(StackStatusFilter=list(_DONE))
    return any(one["StackName"] == stack for page in pages for one in page["StackSummaries"])


def _update(cloudformation: Client, request: Mapping[str, Any]) -> None:
    try:
        cloudformation.update_stack(**request)
    except ClientError as error:
        if _NO_CHANGE not in error.response["Error"]["Message"]:
            raise
