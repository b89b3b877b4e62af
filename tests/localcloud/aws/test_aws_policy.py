"""What policies say: pure, without a server."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_aws import allow, deny

from localcloud.aws.iam.conditions import Condition
from localcloud.aws.iam.patterns import Template, like
from localcloud.aws.iam.policy import (
    Decision,
    Demand,
    MalformedPolicyError,
    Policy,
    Principal,
    decide,
    evaluate,
    evaluate_resource_policy,
)

ALLOWED, IMPLICIT, EXPLICIT = Decision.ALLOWED, Decision.IMPLICIT_DENY, Decision.EXPLICIT_DENY
ACCOUNT = "123456789012"
ALICE = Principal(f"arn:aws:iam::{ACCOUNT}:user/alice", ACCOUNT, (f"arn:aws:iam::{ACCOUNT}:user/alice",))
GET = Demand("s3:GetObject", "arn:aws:s3:::lake/raw/a.json")


def parsed(*statements: dict[str, Any]) -> Policy:
    """A policy of these statements."""
    return Policy.parse({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (allow("s3:GetObject", "arn:aws:s3:::lake/raw/*"), ALLOWED),
        (allow("S3:getobject", "*"), ALLOWED),
        (allow("s3:Get*", "arn:aws:s3:::lake/*"), ALLOWED),
        (allow("s3:GetObject", "arn:aws:s3:::LAKE/*"), IMPLICIT),
        (allow("s3:GetObject", "arn:aws:s3:::lake/raw"), IMPLICIT),
        (allow("s3:GetObjec?", "arn:aws:s3:::lake/raw/?.json"), ALLOWED),
        (allow("s3:PutObject"), IMPLICIT),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, ALLOWED),
        ({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}, IMPLICIT),
        ({"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::lake/*"}, IMPLICIT),
        ({"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::models/*"}, ALLOWED),
        ({"Effect": "Allow", "Action": "s3:*"}, IMPLICIT),
    ],
)
def test_actions_and_resources(statement: dict[str, Any], expected: Decision) -> None:
    assert evaluate([parsed(statement)], GET) is expected


def test_an_explicit_deny_decides() -> None:
    policies = [parsed(allow("*")), parsed(deny("s3:*", "arn:aws:s3:::lake/raw/*"))]
    assert evaluate(policies, GET) is EXPLICIT
    assert evaluate(policies, Demand("s3:GetObject", "arn:aws:s3:::lake/curated/x")) is ALLOWED


CONTEXT = {
    "aws:username": ("alice",),
    "s3:prefix": ("raw/2024/",),
    "aws:sourceip": ("127.0.0.1",),
    "aws:currenttime": ("2026-01-02T03:04:05+00:00",),
    "aws:tagkeys": ("run", "year"),
    "s3:max-keys": ("100",),
    "aws:securetransport": ("true",),
    "aws:sourcearn": ("arn:aws:s3:::lake-east",),
    "x:digest": ("YWJj",),
}


@pytest.mark.parametrize(
    ("operator", "key", "wanted", "expected"),
    [
        ("StringEquals", "aws:username", ["alice", "bob"], True),
        ("StringEquals", "AWS:UserName", ["alice"], True),
        ("StringEquals", "aws:username", ["al*"], False),
        ("StringEqualsIgnoreCase", "aws:username", ["ALICE"], True),
        ("StringNotEquals", "aws:username", ["alice"], False),
        ("StringNotEquals", "aws:absent", ["alice"], True),
        ("StringEquals", "aws:absent", ["alice"], False),
        ("StringEqualsIfExists", "aws:absent", ["alice"], True),
        ("StringLike", "s3:prefix", ["raw/*"], True),
        ("StringNotLike", "s3:prefix", ["curated/*", "models/*"], True),
        ("StringLike", "s3:prefix", ["${aws:username}/*"], False),
        ("NumericLessThanEquals", "s3:max-keys", ["100"], True),
        ("NumericGreaterThan", "s3:max-keys", ["100"], False),
        ("NumericEquals", "aws:username", ["1"], False),
        ("DateLessThan", "aws:CurrentTime", ["2026-01-03T00:00:00Z"], True),
        ("DateGreaterThan", "aws:CurrentTime", ["2026-01-03"], False),
        ("Bool", "aws:SecureTransport", ["true"], True),
        ("Bool", "aws:SecureTransport", ["false"], False),
        ("IpAddress", "aws:SourceIp", ["127.0.0.0/8"], True),
        ("NotIpAddress", "aws:SourceIp", ["10.0.0.0/8"], True),
        ("Null", "aws:absent", ["true"], True),
        ("Null", "aws:username", ["true"], False),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["run", "year", "owner"], True),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["run"], False),
        ("ForAllValues:StringEquals", "aws:absent", ["run"], True),
        ("ForAnyValue:StringEquals", "aws:TagKeys", ["run"], True),
        ("ForAnyValue:StringEquals", "aws:absent", ["run"], False),
        ("ArnLike", "aws:absent", ["arn:aws:*"], False),
        ("ArnLike", "aws:SourceArn", ["arn:aws:s3:::lake*"], True),
        ("ArnLike", "aws:SourceArn", ["arn:*"], False),
        ("ArnNotEquals", "aws:SourceArn", ["arn:aws:s3:::other"], True),
        ("StringEquals", "aws:TagKeys", ["run"], False),
        ("StringNotEquals", "aws:TagKeys", ["owner"], False),
        ("StringEquals", "aws:username", ["${aws:PrincipalTag/name}"], False),
        ("StringNotEquals", "aws:username", ["${aws:PrincipalTag/name}"], True),
        ("Null", "aws:username", ["true", "false"], True),
        ("Bool", "aws:username", ["alice"], False),
        ("BinaryEquals", "x:digest", ["YWJj"], True),
        ("NumericEquals", "s3:max-keys", ["1_00"], False),
        ("NumericEquals", "s3:max-keys", ["inf"], False),
        ("DateEquals", "aws:CurrentTime", ["1767323045"], True),
    ],
)
def test_conditions(operator: str, key: str, wanted: list[str], expected: bool) -> None:
    assert Condition.parse(operator, key, wanted).holds(CONTEXT) is expected


def test_every_condition_line_must_hold() -> None:
    both = {"StringLike": {"s3:prefix": "raw/*"}, "StringEquals": {"aws:username": "bob"}}
    listing = Demand("s3:ListBucket", "arn:aws:s3:::lake", CONTEXT)
    assert evaluate([parsed(allow("s3:ListBucket", Condition=both))], listing) is IMPLICIT


def test_policy_variables_are_literal_and_must_have_a_value() -> None:
    home = parsed(allow("s3:GetObject", "arn:aws:s3:::home/${aws:username}/*"))

    def asked(user: str | None, key: str) -> Decision:
        context = {"aws:username": (user,)} if user else {}
        return evaluate([home], Demand("s3:GetObject", f"arn:aws:s3:::home/{key}", context))

    assert asked("alice", "alice/x") is ALLOWED
    assert asked("alice", "bob/x") is IMPLICIT
    assert asked("*", "bob/x") is IMPLICIT
    assert asked(None, "alice/x") is IMPLICIT


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("a${*}b", "a*b", True),
        ("a${*}b", "axb", False),
        ("a${?}${$}b", "a?$b", True),
        ("a[*]b", "a[x]b", True),
        ("a[*]b", "a*b", False),
        ("${aws:PrincipalTag/team, 'all'}/*", "all/x", True),
        ("${aws:PrincipalTag/team, '*'}/x", "red/x", False),
        ("${aws:TagKeys}/x", "run/x", False),
        ("${aws:username}-*", "alice-x", True),
        ("*a*b*", "xxaxxbxx", True),
        ("*a*b*", "xxbxxaxx", False),
        ("ab*ba", "aba", False),
    ],
)
def test_patterns(pattern: str, value: str, expected: bool) -> None:
    filled = Template(pattern).fill(CONTEXT)
    assert (filled is not None and filled.matches(value)) is expected


def test_variables_came_with_the_version_of_2012() -> None:
    home = {"Statement": [allow("s3:GetObject", "arn:aws:s3:::home/${aws:username}")]}
    demand = Demand("s3:GetObject", "arn:aws:s3:::home/alice", CONTEXT)
    for version, expected in (
        ({}, IMPLICIT),
        ({"Version": "2008-10-17"}, IMPLICIT),
        ({"Version": "2012-10-17"}, ALLOWED),
    ):
        assert evaluate([Policy.parse({**version, **home})], demand) is expected


def test_a_pattern_of_many_wildcards_takes_no_time_worth_naming() -> None:
    assert not like("*a" * 500 + "b", "a" * 5000)


@pytest.mark.parametrize(
    ("pattern", "resource", "expected"),
    [
        ("arn:aws:iam::*:role/x", "arn:aws:iam::1:role/y:role/x", False),
        ("arn:aws:iam::*:role/x", "arn:aws:iam::1:role/x", True),
        ("arn:aws:logs:*:*:log-group:/aws/*", "arn:aws:logs:us-east-1:1:log-group:/aws/x:log-stream:y", True),
        ("arn:aws:s3*", "arn:aws:s3:::lake/x", True),
        ("*", "*", True),
        ("arn:aws:s3:::*", "*", False),
    ],
)
def test_a_wildcard_stays_between_its_colons(pattern: str, resource: str, expected: bool) -> None:
    assert (evaluate([parsed(allow("s3:GetObject", pattern))], Demand("s3:GetObject", resource)) is ALLOWED) is expected


@given(st.text(max_size=30))
def test_every_text_is_like_itself_when_it_has_no_wildcards(text: str) -> None:
    plain = text.replace("*", "").replace("?", "").replace("[", "")
    assert like(plain, plain)
    assert like("*", text)


def test_a_session_policy_narrows_and_never_widens() -> None:
    wide, narrow = parsed(allow("s3:*")), parsed(allow("s3:GetObject", "arn:aws:s3:::lake/raw/*"))
    other = Demand("s3:GetObject", "arn:aws:s3:::lake/curated/x")
    assert decide(GET, ALICE, identity=[wide], session=narrow).allowed
    refused = decide(other, ALICE, identity=[wide], session=narrow)
    assert (refused.decision, "session policy" in refused.reason) == (IMPLICIT, True)
    assert decide(other, ALICE, identity=[narrow], session=wide).decision is IMPLICIT
    denying = parsed(allow("s3:*"), deny("s3:GetObject"))
    assert decide(GET, ALICE, identity=[wide], session=denying).decision is EXPLICIT


def test_a_resource_policy_that_names_the_caller_is_enough() -> None:
    named = parsed({**allow("s3:GetObject", "arn:aws:s3:::lake/*"), "Principal": {"AWS": ALICE.arn}})
    whole = parsed(
        {**allow("s3:GetObject", "arn:aws:s3:::lake/*"), "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
    )
    assert decide(GET, ALICE, identity=[], resource=named).allowed
    assert not decide(GET, ALICE, identity=[], resource=whole).allowed
    everyone = parsed({**deny("s3:*", "arn:aws:s3:::lake/*"), "Principal": "*"})
    assert decide(GET, ALICE, identity=[parsed(allow("s3:*"))], resource=everyone).decision is EXPLICIT
    insecure = {"Bool": {"aws:SecureTransport": "false"}}
    tls_only = parsed({**deny("s3:*", "*", Condition=insecure), "Principal": "*"})
    secure = GET.with_context({"aws:securetransport": ("true",)})
    assert decide(secure, ALICE, identity=[parsed(allow("s3:*"))], resource=tls_only).allowed


@pytest.mark.parametrize(
    ("principal", "element", "expected"),
    [
        (ALICE, {"AWS": ACCOUNT}, ALLOWED),
        (ALICE, {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, ALLOWED),
        (ALICE, {"AWS": ["arn:aws:iam::1:user/x", ALICE.arn]}, ALLOWED),
        (ALICE, {"AWS": "arn:aws:iam::999999999999:root"}, IMPLICIT),
        (ALICE, {"Service": "sagemaker.amazonaws.com"}, IMPLICIT),
        (Principal("s", service="sagemaker.amazonaws.com"), {"Service": "sagemaker.amazonaws.com"}, ALLOWED),
        (Principal("s", service="sagemaker.amazonaws.com"), {"Service": "ec2.amazonaws.com"}, IMPLICIT),
        (Principal("s", service="sagemaker.amazonaws.com"), {"AWS": "*"}, IMPLICIT),
        (ALICE, "*", ALLOWED),
    ],
)
def test_trust_policies(principal: Principal, element: Any, expected: Decision) -> None:
    trust = parsed({"Effect": "Allow", "Principal": element, "Action": "sts:AssumeRole"})
    demand = Demand("sts:AssumeRole", "arn:aws:iam::1:role/r")
    assert evaluate_resource_policy(trust, principal, demand).decision is expected


@pytest.mark.parametrize(
    "document",
    [
        "no JSON",
        "[]",
        "{}",
        {"Statement": [{"Effect": "Maybe", "Action": "*", "Resource": "*"}]},
        {"Statement": [{"Effect": "Allow", "Resource": "*"}]},
        {"Statement": [{"Effect": "Allow", "Action": "*", "NotAction": "*", "Resource": "*"}]},
        {"Statement": [allow("*", Condition={"StringIs": {"a": "b"}})]},
        {"Statement": [allow("*", Condition={"Every:StringEquals": {"a": "b"}})]},
        {"Statement": [{"Effect": "Allow", "Action": {"x": 1}, "Resource": "*"}]},
        {"Statement": ["text"]},
        {"Statement": [{"Effect": "Allow", "Action": "*", "Principal": "alice"}]},
    ],
)
def test_documents_that_are_no_policies_are_refused(document: Any) -> None:
    with pytest.raises(MalformedPolicyError):
        Policy.parse(document)
