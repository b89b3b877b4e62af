"""The roles of `infra/`, as the templates make them for production, judged by AWS's service authorization reference.

policy-sentry carries that reference; cloudsplaining carries lists of actions by which identities escalate, expose
credentials or take data away.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cloudsplaining.scan.policy_document import PolicyDocument
from policy_sentry.querying.actions import get_action_data

from tools.access_matrix import Account, Identity

ROLES = ("dagster", "preflight", "emr", "sagemaker", "audit-delivery", "unity-catalog")
# What each role is there for, of the actions that carry data or credentials away. The resources are in the matrix.
DATA = {
    "dagster": {"s3:GetObject", "secretsmanager:GetSecretValue"},
    "preflight": {"secretsmanager:GetSecretValue"},
    "emr": {"s3:GetObject", "secretsmanager:GetSecretValue"},
    "sagemaker": {"s3:GetObject", "secretsmanager:GetSecretValue"},
    "unity-catalog": {"s3:GetObject"},
}
CREDENTIALS = {
    "dagster": {"sts:AssumeRole"},
    "sagemaker": {"ecr:GetAuthorizationToken"},
    "unity-catalog": {"sts:AssumeRole"},
}
# The orchestrator submits training: it passes SageMaker's own role, to SageMaker alone (rows of the matrix), and so
# runs code with the rights of training. docs/decisions/access.md says what that means.
ESCALATIONS = {"dagster": {"PassExistingRoleToNewSageMakerTrainingJob"}}


@pytest.fixture(scope="module")
def identities() -> dict[str, Identity]:
    """The roles, each with its policy documents."""
    return Account().identities


def listed(value: Any) -> list[Any]:
    """A value that may be alone, as a list."""
    return value if isinstance(value, list) else [value]


def known_resources(action: str) -> set[str]:
    """The kinds of resources, as patterns of ARNs, that an action can be held to; empty when it knows none."""
    service, _, name = action.partition(":")
    found = get_action_data(service, name)
    assert found, f"{action} is no action of AWS"
    return {row["resource_arn_format"] for row in found[service]} - {"*"}


def statements(identity: Identity) -> Iterator[dict[str, Any]]:
    """The statements of an identity's policies."""
    for document in identity.documents:
        yield from document["Statement"]


@pytest.mark.parametrize("role", ROLES)
def test_any_resource_is_named_only_where_the_action_knows_none(identities: dict[str, Identity], role: str) -> None:
    for statement in statements(identities[role]):
        for action in listed(statement["Action"]):
            named = listed(statement["Resource"])
            assert bool(known_resources(action)) is ("*" not in named), (action, named)


@pytest.mark.parametrize("role", ROLES)
def test_each_action_can_be_held_to_a_resource_of_its_statement(identities: dict[str, Identity], role: str) -> None:
    """A statement on resources of another kind would allow nothing, and look as if it did."""
    for statement in statements(identities[role]):
        kinds = {kind_of(resource) for resource in listed(statement["Resource"])} - {("*", "")}
        for action in listed(statement["Action"]):
            known = {kind_of(pattern) for pattern in known_resources(action)}
            assert not kinds or kinds & known, (action, kinds, known)


def kind_of(arn: str) -> tuple[str, str]:
    """The service of an ARN and the type of its resource, "" where the ARN names none (S3: object or bucket)."""
    if arn == "*":
        return "*", ""
    service, resource = arn.split(":", 5)[2], arn.split(":", 5)[5].lstrip("/")
    if service == "s3":
        return service, "object" if "/" in resource else "bucket"
    if service == "emr-serverless":
        return service, "jobrun" if "/jobruns/" in resource else "application"
    return service, resource.replace(":", "/").partition("/")[0]


@pytest.mark.parametrize("role", ROLES)
def test_nothing_is_allowed_without_a_constraint(identities: dict[str, Identity], role: str) -> None:
    for document in map(PolicyDocument, identities[role].documents):
        assert not document.allows_privilege_escalation
        assert not document.allows_data_exfiltration_actions
        assert not document.permissions_management_without_constraints
        assert not document.write_actions_without_constraints
        assert not document.infrastructure_modification
        assert not document.service_wildcard
        assert not document.contains_statement_using_not_action
        # Who enters a registry has no image yet: that needs a repository.
        assert set(document.credentials_exposure) <= {"ecr:GetAuthorizationToken"}


@pytest.mark.parametrize("role", ROLES)
def test_no_role_has_more_dangerous_actions_than_it_is_there_for(identities: dict[str, Identity], role: str) -> None:
    """The same lists, with every action counted as if it held for all resources and without conditions."""
    data, credentials, escalations = set[str](), set[str](), set[str]()
    for document in identities[role].documents:
        bare = [{key: one[key] for key in ("Effect", "Action")} | {"Resource": "*"} for one in document["Statement"]]
        judged = PolicyDocument({"Version": "2012-10-17", "Statement": bare}, flag_resource_arn_statements=True)
        escalations |= {one["type"] for one in judged.allows_privilege_escalation}
        data |= set(judged.allows_data_exfiltration_actions)
        credentials |= set(judged.credentials_exposure)
    assert (data, credentials) == (DATA.get(role, set()), CREDENTIALS.get(role, set()))
    assert escalations == ESCALATIONS.get(role, set())


def test_the_judge_condemns_what_it_should() -> None:
    """The lists are the package's: this shows that they are there and that they are read as these tests read them."""
    wide = {"Effect": "Allow", "Resource": "*", "Action": ["iam:PutUserPolicy", "s3:GetObject", "ecr:BatchGetImage"]}
    judged = PolicyDocument({"Version": "2012-10-17", "Statement": [wide]})
    assert judged.allows_privilege_escalation
    assert judged.allows_data_exfiltration_actions == ["s3:GetObject"]
    assert known_resources("ecr:BatchGetImage") and not known_resources("ecr:GetAuthorizationToken")
