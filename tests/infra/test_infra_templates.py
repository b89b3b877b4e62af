"""The templates as text: least privilege, no secret in them, nothing that comes in. cfn-lint is part of `make lint`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from govtune_assets.training_job import pinned_image

INFRA = Path(__file__).parents[2] / "infra"
TEMPLATES = sorted(INFRA.glob("*.yaml"))
JOB_ROLES = ("DagsterPolicy", "PreflightRole", "EmrRole", "SageMakerRole", "AuditDeliveryRole")


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short functions, each as a mapping of its long name."""


def _function(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _function)


def resources(name: str) -> dict[str, Any]:
    """The resources of a template."""
    found: dict[str, Any] = yaml.load((INFRA / name).read_text(), Loader=_Loader)["Resources"]
    return found


def statements(resource: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The statements that an identity has, of its own policies."""
    properties = resource["Properties"]
    documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [properties])]
    found = [one for document in documents for one in document["Statement"]]
    return [one["Fn::If"][1] if "Fn::If" in one else one for one in found]


def listed(value: Any) -> list[Any]:
    """A value that may be alone, as a list."""
    return value if isinstance(value, list) else [value]


def allowed(roles: tuple[str, ...]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Role, action and statement of everything that is allowed."""
    access = resources("access.yaml")
    for role in roles:
        for statement in statements(access[role]):
            assert statement["Effect"] == "Allow" and "NotAction" not in statement and "NotResource" not in statement
            for action in listed(statement["Action"]):
                yield role, action, statement


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_secret_lies_in_a_template(path: Path) -> None:
    for name, resource in resources(path.name).items():
        if resource["Type"] == "AWS::SecretsManager::Secret":
            assert not {"SecretString", "GenerateSecretString"} & set(resource["Properties"]), name
        assert resource["Type"] != "AWS::IAM::AccessKey"


def test_no_identity_has_an_action_by_wildcard() -> None:
    for role, action, _ in allowed((*JOB_ROLES, "CatalogRole")):
        assert "*" not in action and "?" not in action, (role, action)


def test_the_only_right_in_iam_is_to_pass_a_role_to_its_own_service() -> None:
    passed = [one for _, action, one in allowed((*JOB_ROLES, "CatalogRole")) if action.startswith("iam:")]
    assert [one["Action"] for one in passed] == ["iam:PassRole", "iam:PassRole"]
    assert all("iam:PassedToService" in one["Condition"]["StringEquals"] for one in passed)


def parameters(name: str) -> dict[str, Any]:
    """The parameters of a template."""
    found: dict[str, Any] = yaml.load((INFRA / name).read_text(), Loader=_Loader)["Parameters"]
    return found


def test_the_catalog_is_never_trusted_without_an_external_id() -> None:
    asked = parameters("access.yaml")["CatalogExternalId"]
    assert "Default" not in asked
    for external_id, taken in (
        ("0000", True),
        ("5d1a7e9c-90ab-4b6f-8f5c-1c7b0f3d2e41", True),
        ("", False),
        ("*", False),
    ):
        assert bool(re.fullmatch(asked["AllowedPattern"], external_id)) is taken, external_id
    trust = resources("access.yaml")["CatalogRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    by_catalog = next(one for one in trust if one["Sid"] == "TheCatalog")
    assert by_catalog["Condition"] == {"StringEquals": {"sts:ExternalId": {"Ref": "CatalogExternalId"}}}


def test_the_training_role_may_pull_the_image_that_is_pinned() -> None:
    asked = parameters("access.yaml")
    address = pinned_image("us-east-1").partition(":")[0]
    registry, _, repository = address.partition("/")
    assert asked["TrainingImageAccount"]["Default"] == registry.partition(".")[0]
    assert asked["TrainingImageRepository"]["Default"] == repository


@pytest.mark.parametrize("bucket", ["Lake", "Models", "Work", "Audit"])
def test_no_bucket_takes_a_key_that_its_writer_brings(bucket: str) -> None:
    of_bucket = resources("storage.yaml")[f"{bucket}Policy"]["Properties"]["PolicyDocument"]["Statement"]
    (rule,) = [one for one in of_bucket if one.get("Sid") == "NotUnderACustomersKey"]
    assert (rule["Effect"], rule["Principal"], rule["Action"]) == ("Deny", "*", "s3:PutObject")
    assert rule["Condition"] == {"Null": {"s3:x-amz-server-side-encryption-customer-algorithm": "false"}}


def test_no_role_of_a_job_reaches_tables_or_their_key() -> None:
    for role, action, statement in allowed(JOB_ROLES):
        text = json.dumps(statement["Resource"])
        assert "-lake" not in text and "-models" not in text and "TableKey" not in text, (role, action)


def test_every_role_reads_the_secrets_of_its_own_principals_alone() -> None:
    read: dict[str, set[str]] = {}
    for role, action, statement in allowed((*JOB_ROLES, "CatalogRole")):
        if action.startswith("secretsmanager:"):
            assert action == "secretsmanager:GetSecretValue"
            names = re.findall(r"secret:(?:databricks/)?([\w/]+)-\?{6}", json.dumps(statement["Resource"]))
            assert len(names) == len(listed(statement["Resource"]))
            read.setdefault(role, set()).update(names)
    assert read == {
        "DagsterPolicy": {"loader", "registrar", "auditor"},
        "PreflightRole": {"curator", "trainer"},
        "EmrRole": {"curator"},
        "SageMakerRole": {"trainer", "huggingface/token"},
    }


def test_services_assume_roles_for_this_account_only() -> None:
    access = resources("access.yaml")
    for role in ("DagsterRole", "EmrRole", "SageMakerRole"):
        (trust,) = access[role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_nothing_comes_in_but_tls_from_jobs_to_endpoints() -> None:
    network = resources("network.yaml")
    for resource in network.values():
        if resource["Type"] == "AWS::EC2::SecurityGroup":
            assert "SecurityGroupIngress" not in resource["Properties"]
        if resource["Type"] == "AWS::EC2::Subnet":
            assert resource["Properties"]["MapPublicIpOnLaunch"] is False
    inbound = [one["Properties"] for one in network.values() if one["Type"] == "AWS::EC2::SecurityGroupIngress"]
    ((rule),) = inbound
    assert (rule["GroupId"], rule["SourceSecurityGroupId"]) == ({"Ref": "EndpointGroup"}, {"Ref": "JobGroup"})
    assert (rule["FromPort"], rule["ToPort"]) == (443, 443)


def test_what_holds_data_outlives_its_stack() -> None:
    kept = ("AWS::S3::Bucket", "AWS::KMS::Key", "AWS::SecretsManager::Secret")
    for name, resource in resources("storage.yaml").items():
        if resource["Type"] in kept:
            assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain"), name
