"""Random but meaningful requests and policies, from a seed: `python generate.py > cases.json`, then `record.mjs`.

A case is one request (principal, action, resource, context) with the policies that judge it. Statements are made from
the request they will judge, with chance near misses, so that allowing, denying and not applying are all common.
What the header of the vectors names as excluded is left out here, by construction.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SEED = 20121017
CASES = 800
ACCOUNT = "123456789012"
OTHER_ACCOUNT = "999999999999"
REGION = "us-east-1"
Document = dict[str, Any]
Values = str | list[str]

USERS = ("govtune-dagster", "unity-catalog")
ROLES = ("govtune-emr", "govtune-sagemaker", "govtune-unity-catalog")
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0f1e2d3c-aaaa-bbbb-cccc-0123456789ab"


@dataclass(frozen=True)
class Target:
    """An action with resources that it takes, and the context keys of its own service."""

    action: str
    resources: tuple[str, ...]
    keys: Mapping[str, tuple[str, ...]]
    has_policy: bool = False


_OBJECTS = tuple(
    f"arn:aws:s3:::govtune-{bucket}/{key}"
    for bucket, key in (
        ("lake", "raw/risk_factors/2024/a.json"),
        ("lake", "raw/risk/2024/a.json"),
        ("lake", "curated/delta/part-0001.parquet"),
        ("work", "code/spark/job.zip"),
        ("work", "home/govtune-dagster/x"),
        ("work", "team/red/x y"),
    )
)
_BUCKETS = ("arn:aws:s3:::govtune-lake", "arn:aws:s3:::govtune-work")
_SECRETS = tuple(
    f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:databricks/{name}-a1B2c3" for name in ("curator", "trainer")
)
_ROLE_ARNS = tuple(f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ROLES)
_ENCRYPTION = {"s3:x-amz-server-side-encryption": ("aws:kms", "AES256")}
_LISTING = {
    "s3:prefix": ("raw/", "raw/risk_factors/", "curated/", "home/govtune-dagster/"),
    "s3:delimiter": ("/",),
    "s3:max-keys": ("1", "10", "100", "1000"),
}
TARGETS = (
    Target("s3:GetObject", _OBJECTS, {"s3:ExistingObjectTag/team": ("red", "blue")}, has_policy=True),
    Target("s3:PutObject", _OBJECTS, _ENCRYPTION, has_policy=True),
    Target("s3:DeleteObject", _OBJECTS, {}, has_policy=True),
    Target("s3:ListBucket", _BUCKETS, _LISTING, has_policy=True),
    Target(
        "secretsmanager:GetSecretValue", _SECRETS, {"secretsmanager:VersionStage": ("AWSCURRENT", "AWSPENDING")}, True
    ),
    Target("kms:Decrypt", (KEY,), {"kms:ViaService": ("s3.us-east-1.amazonaws.com",)}, has_policy=True),
    Target("kms:GenerateDataKey", (KEY,), {"kms:ViaService": ("s3.us-east-1.amazonaws.com",)}, has_policy=True),
    Target("sts:AssumeRole", _ROLE_ARNS, {"sts:ExternalId": ("a1", "b2")}, has_policy=True),
    Target(
        "sagemaker:CreateTrainingJob",
        (
            f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/lora-1",
            f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/x",
        ),
        {},
    ),
    Target("emr-serverless:StartJobRun", (f"arn:aws:emr-serverless:{REGION}:{ACCOUNT}:/applications/00f1",), {}),
    Target("iam:PassRole", _ROLE_ARNS, {"iam:PassedToService": ("sagemaker.amazonaws.com", "ec2.amazonaws.com")}),
    Target(
        "logs:PutLogEvents",
        (f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/sagemaker/TrainingJobs:log-stream:lora-1/algo-1",),
        {},
    ),
    Target("ecr:GetAuthorizationToken", ("*",), {}),
)

# Context keys of every request: their values, by the type of their operators.
TEXT = {
    "aws:PrincipalTag/team": ("red", "blue", "r*d", "Red"),
    "aws:PrincipalTag/stage": ("dev", "prod"),
    "aws:PrincipalType": ("User", "AssumedRole"),
    "aws:PrincipalAccount": (ACCOUNT,),
    "aws:RequestedRegion": (REGION, "eu-central-1"),
    "aws:SourceVpce": ("vpce-0aaaa", "vpce-0bbbb"),
    "aws:SourceVpc": ("vpc-0aaaa", "vpc-0bbbb"),
    "aws:UserAgent": ("aws-sdk-java/2", "Boto3/1.40", "deltalake-rs"),
    "aws:userid": ("AROAEXAMPLE:run-1", "AIDAEXAMPLE"),
}
ARNS = {"aws:SourceArn": ("arn:aws:s3:::govtune-lake", f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/lora-1")}
BOOLEANS = dict.fromkeys(
    ("aws:SecureTransport", "aws:MultiFactorAuthPresent", "aws:ViaAWSService", "aws:PrincipalIsAWSService"),
    ("true", "false"),
)
NUMBERS = {"aws:MultiFactorAuthAge": ("0", "299", "300", "301", "3600"), "aws:EpochTime": ("1767323045", "1767326645")}
DATES = {
    "aws:CurrentTime": ("2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z", "2025-12-31T23:59:59Z"),
    "aws:TokenIssueTime": ("2026-01-02T02:00:00Z", "2026-01-01T00:00:00Z"),
}
ADDRESSES = {
    "aws:SourceIp": ("10.0.3.7", "10.0.4.1", "192.0.2.200", "2001:db8::17"),
    "aws:VpcSourceIp": ("10.0.3.7", "172.16.0.9"),
}
NETWORKS = (
    "10.0.0.0/8",
    "10.0.3.0/24",
    "10.0.3.7/32",
    "192.0.2.128/25",
    "2001:db8::/32",
    "2001:db8:1::/48",
    "0.0.0.0/1",
    "::/1",
)
LISTS = {
    "aws:TagKeys": ("run", "year", "owner", "Run"),
    "aws:CalledVia": ("athena.amazonaws.com", "cloudformation.amazonaws.com"),
    "aws:PrincipalOrgPaths": ("o-a1/r-b2/ou-c3/", "o-a1/r-b2/ou-d4/"),
}
STRING_OPERATORS = (
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
)
ARN_OPERATORS = ("ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike")
_COMPARISONS = ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
NUMERIC_OPERATORS = tuple(f"Numeric{one}" for one in _COMPARISONS)
DATE_OPERATORS = tuple(f"Date{one}" for one in _COMPARISONS)


def flatten(*groups: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """One mapping of several."""
    return {key: tuple(values) for group in groups for key, values in group.items()}


class Maker:
    """Makes one case after another from one source of chance."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def case(self) -> Document:
        """One request and its policies."""
        chance = self.chance
        target = chance.choice(TARGETS)
        resource = chance.choice(target.resources)
        by_user = chance.random() < 0.45
        name = chance.choice(USERS if by_user else ROLES)
        principal = (
            f"arn:aws:iam::{ACCOUNT}:user/{name}" if by_user else f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/run-1"
        )
        context = self._context(target, principal, name if by_user else None)
        request = _Request(principal, target.action, resource, context)
        case: Document = {"principal": principal, "action": target.action, "resource": resource, "context": context}
        case["identity"] = [self._policy(request) for _ in range(chance.choice((0, 1, 1, 1, 2)))]
        if chance.random() < 0.3:
            case["boundary"] = self._policy(request, wide=True)
        if not by_user and chance.random() < 0.35:
            case["session"] = self._policy(request, wide=True)
        if target.has_policy and (target.action.startswith(("kms:", "sts:")) or chance.random() < 0.5):
            case["resource_policy"] = self._resource_policy(request, "session" in case)
        return case

    def _context(self, target: Target, principal: str, user: str | None) -> dict[str, Values]:
        chance = self.chance
        context: dict[str, Values] = {"aws:PrincipalArn": _role_of(principal)}
        if user is not None:
            context["aws:username"] = user
        single = flatten(TEXT, ARNS, BOOLEANS, NUMBERS, DATES, ADDRESSES)
        for key in chance.sample(sorted(single), 7):
            context[key] = chance.choice(single[key])
        for key, values in target.keys.items():
            if chance.random() < 0.7:
                context[key] = chance.choice(values)
        for key, values in LISTS.items():
            if chance.random() < 0.5:
                context[key] = chance.sample(values, chance.randint(1, min(2, len(values))))
        return context

    def _policy(self, request: _Request, *, wide: bool = False) -> Document:
        chance = self.chance
        statements = []
        if wide and chance.random() < 0.6:
            statements.append({"Effect": "Allow", "Action": "*", "Resource": "*"})
        statements += [self._statement(request) for _ in range(chance.choice((1, 1, 2, 3)))]
        if chance.random() < 0.1 and len(statements) == 1:
            return {"Version": "2012-10-17", "Statement": statements[0]}
        return {"Version": "2012-10-17", "Statement": statements}

    def _statement(self, request: _Request) -> Document:
        chance = self.chance
        statement: Document = {"Effect": "Deny" if chance.random() < 0.22 else "Allow"}
        if chance.random() < 0.12:
            statement["NotAction"] = self._some(lambda: self._action(request, 0.35))
        else:
            statement["Action"] = self._some(lambda: self._action(request, 0.85))
        if chance.random() < 0.12:
            statement["NotResource"] = self._some(lambda: self._resource(request, 0.35, variables=False))
        else:
            statement["Resource"] = self._some(lambda: self._resource(request, 0.85))
        if chance.random() < 0.5:
            statement["Condition"] = self._conditions(request)
        return statement

    def _some(self, make: Callable[[], str]) -> Values:
        count = self.chance.choice((1, 1, 1, 2))
        made = [make() for _ in range(count)]
        return made[0] if count == 1 and self.chance.random() < 0.5 else made

    def _action(self, request: _Request, hit: float) -> str:
        chance = self.chance
        service, name = request.action.split(":")
        if chance.random() >= hit:
            others = [one.action for one in TARGETS if one.action != request.action]
            return chance.choice([*others, f"{service}:Tag*", f"{service}:{name}Version"])
        at = chance.randint(1, len(name) - 1)
        return chance.choice(
            (
                request.action,
                request.action,
                request.action.upper() if service == "s3" else request.action.swapcase(),
                f"{service}:*",
                f"{service}:{name[:at]}*",
                f"{service}:*{name[at:]}",
                f"{service}:{name[:at]}?{name[at + 1 :]}",
                "*",
            )
        )

    def _resource(self, request: _Request, hit: float, *, variables: bool = True) -> str:
        chance, resource = self.chance, request.resource
        if resource == "*" or chance.random() < 0.15:
            return "*" if chance.random() < hit else "arn:aws:s3:::govtune-*"
        if chance.random() >= hit:
            others = [one for target in TARGETS for one in target.resources if one not in (resource, "*")]
            return chance.choice([*others, resource + "x", resource[:-1], resource.replace("govtune", "GOVTUNE")])
        head, last = resource.rsplit(":", 1)
        at = last.find("/") + 1
        product, name = last[:at], last[at:]
        cut = chance.randint(1, len(name))
        ways = [
            resource,
            f"{head}:{product}{name[:cut]}*",
            f"{head}:{product}*{name[cut:]}",
            f"{head}:{product}{name[: cut - 1]}?{name[cut:]}",
            f"{head}:{product}*",
        ]
        if f":{ACCOUNT}:" in resource:
            ways.append(resource.replace(f":{ACCOUNT}:", ":*:"))
        if f":{REGION}:" in resource:
            ways.append(resource.replace(f":{REGION}:", ":us-*-?:"))
        if variables:
            ways += [f"{head}:{product}{one}" for one in self._variable_names(name)]
        return chance.choice(ways)

    def _variable_names(self, name: str) -> list[str]:
        """Names that hold a policy variable in the place of a part of `name`, or next to it."""
        if "/" not in name:
            return []
        first, rest = name.split("/", 1)
        second, _, more = rest.partition("/")
        return [
            f"{first}/${{aws:username}}/{more}",
            f"{first}/${{aws:PrincipalTag/team}}/*",
            f"{first}/${{aws:PrincipalTag/stage, '{second}'}}/{more}",
            f"{first}/${{aws:PrincipalTag/team, '*'}}/{more}",
            f"{first}/{second}/${{*}}",
            f"{first}/{second}/${{?}}*",
            "*/${aws:TagKeys}/*",
        ]

    # --- conditions ---------------------------------------------------------------------------------------------

    def _conditions(self, request: _Request) -> Document:
        lines = [self._line(request) for _ in range(self.chance.choice((1, 1, 1, 2)))]
        conditions: Document = {}
        for operator, key, wanted in lines:
            conditions.setdefault(operator, {})[key] = wanted
        return conditions

    def _line(self, request: _Request) -> tuple[str, str, Values]:
        make = self.chance.choice(
            (self._text_line,) * 4
            + (self._list_line,) * 3
            + (self._number_line, self._date_line) * 3
            + (self._arn_line, self._boolean_line, self._address_line)
            + (self._null_line, self._own_line, self._binary_line)
        )
        operator, key, wanted = make(request)
        if self.chance.random() < 0.15 and operator != "Null" and not operator.startswith("ForAnyValue"):
            operator += "IfExists"
        return operator, self._cased(key), wanted

    def _cased(self, key: str) -> str:
        prefix, _, name = key.partition(":")
        return self.chance.choice((key, key, key, f"{prefix}:{name.lower()}", f"{prefix}:{name.upper()}"))

    def _pick(self, request: _Request, keys: Mapping[str, Sequence[str]]) -> tuple[str, str]:
        """A key, more often one that the request has, and a value of it, more often the request's."""
        chance = self.chance
        present = [key for key in keys if key in request.context]
        key = chance.choice(present if present and chance.random() < 0.8 else sorted(keys))
        had = request.context.get(key)
        if isinstance(had, str) and chance.random() < 0.65:
            return key, had
        return key, chance.choice(keys[key])

    def _texts(self, operator: str, value: str) -> Values:
        chance = self.chance

        def one() -> str:
            if "Like" in operator:
                at = chance.randint(0, len(value))
                return chance.choice(
                    (value, f"{value[:at]}*", f"*{value[at:]}", f"{value[:at]}?{value[at + 1 :]}", "x*")
                )
            cased = value.swapcase() if chance.random() < 0.2 else value
            return chance.choice((cased, cased, cased, value + "x", f"{value[:2]}*"))

        return self._some(one)

    def _text_line(self, request: _Request) -> tuple[str, str, Values]:
        operator = self.chance.choice(STRING_OPERATORS)
        key, value = self._pick(request, TEXT)
        if self.chance.random() < 0.2 and "Not" not in operator:
            return operator, key, self._variable_text(operator, value)
        return operator, key, self._texts(operator, value)

    def _variable_text(self, operator: str, value: str) -> str:
        ways = [f"${{aws:PrincipalTag/team, '{value}'}}", "${aws:PrincipalTag/team}", "${aws:username}"]
        if "Like" in operator:
            ways += ["${*}", "*${?}", "${aws:PrincipalTag/team}*"]
        return self.chance.choice(ways)

    def _own_line(self, request: _Request) -> tuple[str, str, Values]:
        own = next(one.keys for one in TARGETS if one.action == request.action)
        texts = {key: values for key, values in own.items() if key != "s3:max-keys"}
        if not texts:
            return self._text_line(request)
        operator = self.chance.choice(STRING_OPERATORS)
        key, value = self._pick(request, texts)
        return operator, key, self._texts(operator, value)

    def _list_line(self, request: _Request) -> tuple[str, str, Values]:
        chance = self.chance
        key = chance.choice(sorted(LISTS))
        operator = chance.choice(STRING_OPERATORS)
        values = chance.sample(LISTS[key], chance.randint(1, len(LISTS[key])))
        if "Like" in operator:
            values = [chance.choice((one, f"{one[:2]}*")) for one in values]
        had = request.context.get(key)
        bare = had is None or len(had) > 1  # a list of one value, without a set operator, is not for the oracle
        return chance.choice(("ForAllValues:", "ForAnyValue:") + (("",) if bare else ())) + operator, key, values

    def _arn_line(self, request: _Request) -> tuple[str, str, Values]:
        keys = {**ARNS, "aws:PrincipalArn": (*_ROLE_ARNS, f"arn:aws:iam::{ACCOUNT}:user/{USERS[0]}")}
        operator = self.chance.choice(ARN_OPERATORS)
        key, value = self._pick(request, keys)
        head, last = value.rsplit(":", 1)
        ways = (
            value,
            f"{head}:*",
            f"{head}:{last[:4]}*",
            value.replace(ACCOUNT, "*"),
            f"{head}:{last}x",
            "arn:aws:*:*:*:*",
        )
        return operator, key, self._some(lambda: self.chance.choice(ways))

    def _boolean_line(self, request: _Request) -> tuple[str, str, Values]:
        key, value = self._pick(request, BOOLEANS)
        return "Bool", key, self.chance.choice((value, value.upper(), "true", "false"))

    def _number_line(self, request: _Request) -> tuple[str, str, Values]:
        keys = {**NUMBERS, **({"s3:max-keys": _LISTING["s3:max-keys"]} if request.action == "s3:ListBucket" else {})}
        key, value = self._pick(request, keys)
        near = lambda: str(max(0, int(value) + self.chance.choice((-1, 0, 0, 1))))  # noqa: E731
        return self.chance.choice(NUMERIC_OPERATORS), key, self._some(near)

    def _date_line(self, request: _Request) -> tuple[str, str, Values]:
        key, value = self._pick(request, DATES)
        ways = (
            value,
            value,
            value.replace("Z", "+00:00"),
            "2026-01-02T04:04:05+01:00",
            "2025-06-01T00:00:00Z",
            "2026-06-01",
        )
        return self.chance.choice(DATE_OPERATORS), key, self._some(lambda: self.chance.choice(ways))

    def _address_line(self, request: _Request) -> tuple[str, str, Values]:
        key, value = self._pick(request, ADDRESSES)
        operator = self.chance.choice(("IpAddress", "NotIpAddress"))
        ways = (*NETWORKS, value) if operator == "IpAddress" else NETWORKS
        return operator, key, self._some(lambda: self.chance.choice(ways))

    def _null_line(self, request: _Request) -> tuple[str, str, Values]:
        key, _ = self._pick(request, flatten(TEXT, BOOLEANS, DATES, LISTS))
        return "Null", key, self.chance.choice(("true", "false"))

    def _binary_line(self, request: _Request) -> tuple[str, str, Values]:
        key, value = self._pick(request, {"aws:PrincipalTag/team": TEXT["aws:PrincipalTag/team"]})
        return "BinaryEquals", key, self.chance.choice((value, value.swapcase()))

    # --- resource policies --------------------------------------------------------------------------------------

    def _resource_policy(self, request: _Request, in_session_with_policy: bool) -> Document:
        statements = []
        if request.action.startswith("kms:") and self.chance.random() < 0.6:
            root = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
            statements.append({"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"})
        for _ in range(self.chance.choice((1, 1, 2))):
            statements.append(self._resource_statement(request, in_session_with_policy))
        return {"Version": "2012-10-17", "Statement": statements}

    def _resource_statement(self, request: _Request, in_session_with_policy: bool) -> Document:
        chance = self.chance
        statement = self._statement(request)
        allow = statement["Effect"] == "Allow"
        if request.action == "sts:AssumeRole":
            for element in ("Resource", "NotResource", "NotAction"):
                statement.pop(element, None)
            statement["Action"] = chance.choice(("sts:AssumeRole", "sts:AssumeRole", "sts:*"))
        if not allow and chance.random() < 0.25:
            listed = [self._principal(request) for _ in range(chance.choice((1, 2)))]
            statement["NotPrincipal"] = {"AWS": sorted(listed)}
        elif chance.random() < 0.15:
            statement["Principal"] = {"Service": "sagemaker.amazonaws.com"}
        elif chance.random() < 0.25 and not (allow and in_session_with_policy):
            statement["Principal"] = chance.choice(("*", {"AWS": "*"}))
        else:
            listed = [self._principal(request) for _ in range(chance.choice((1, 1, 2)))]
            if allow and in_session_with_policy:
                listed = [_role_of(one) for one in listed]
            statement["Principal"] = {"AWS": listed[0] if len(listed) == 1 else listed}
        return statement

    def _principal(self, request: _Request) -> str:
        if self.chance.random() < 0.3:
            others = [f"arn:aws:iam::{ACCOUNT}:user/{one}" for one in USERS] + list(_ROLE_ARNS)
            return self.chance.choice([*others, OTHER_ACCOUNT, f"arn:aws:iam::{OTHER_ACCOUNT}:root"])
        own = (request.principal, _role_of(request.principal), ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")
        return self.chance.choice(own)


@dataclass(frozen=True)
class _Request:
    principal: str
    action: str
    resource: str
    context: Mapping[str, Values]


def _role_of(principal: str) -> str:
    """The ARN of a session's role; any other principal as it is."""
    if ":assumed-role/" not in principal:
        return principal
    return f"arn:aws:iam::{ACCOUNT}:role/{principal.split('/')[1]}"


if __name__ == "__main__":
    maker = Maker(SEED)
    json.dump({"seed": SEED, "cases": [maker.case() for _ in range(CASES)]}, sys.stdout)
