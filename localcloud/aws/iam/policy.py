"""Policy documents and what they decide. Pure: no clock, no account, no server.

Source: IAM "Policy evaluation logic" for one account
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html): an explicit deny anywhere
decides; otherwise an identity policy or a resource policy must allow; a permissions boundary and a session policy
narrow what identity policies allow, and what a resource policy grants to a role, but not what a resource policy grants
to a user or to one session by name.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from localcloud.aws.iam.conditions import Condition, MalformedPolicyError
from localcloud.aws.iam.patterns import ARN_SEGMENTS, Context, Pattern, Template, like

__all__ = [
    "Decision",
    "Demand",
    "MalformedPolicyError",
    "Policy",
    "Principal",
    "Reach",
    "ResourceAnswer",
    "Verdict",
    "decide",
    "evaluate",
    "evaluate_resource_policy",
]

_WITH_VARIABLES = "2012-10-17"
_VERSIONS = (_WITH_VARIABLES, "2008-10-17")


class Decision(enum.Enum):
    """The words of SimulatePrincipalPolicy."""

    ALLOWED = "allowed"
    IMPLICIT_DENY = "implicitDeny"
    EXPLICIT_DENY = "explicitDeny"


class Reach(enum.IntEnum):
    """How a resource policy names who calls, from not at all to the caller itself."""

    NONE = 0
    ACCOUNT = 1
    ROLE = 2
    CALLER = 3


@dataclass(frozen=True)
class Demand:
    """One permission that a call needs: an action on a resource, under conditions."""

    action: str
    resource: str
    context: Context = field(default_factory=dict)

    def with_context(self, extra: Context) -> Demand:
        """The same demand with more context keys."""
        return Demand(self.action, self.resource, {**extra, **self.context})


@dataclass(frozen=True)
class Principal:
    """Who calls: an IAM user, a role session or an AWS service.

    `arn` is what messages and logs name. `matches` are the ARNs under which a policy may name it: a session's own
    and its role's. `account` is the twelve digits of its account; a service has none.
    """

    arn: str
    account: str | None = None
    matches: tuple[str, ...] = ()
    service: str | None = None


@dataclass(frozen=True)
class Verdict:
    """A decision and why, in the words that IAM uses in its messages."""

    decision: Decision
    reason: str = ""

    @property
    def allowed(self) -> bool:
        """Whether the call may go on."""
        return self.decision is Decision.ALLOWED


@dataclass(frozen=True)
class ResourceAnswer:
    """What a resource policy says: whether it denies, and under which names it allows."""

    denied: bool = False
    granted: frozenset[Reach] = frozenset()

    @property
    def decision(self) -> Decision:
        """The answer as one word."""
        if self.denied:
            return Decision.EXPLICIT_DENY
        return Decision.ALLOWED if self.granted else Decision.IMPLICIT_DENY


def _texts(value: object, element: str) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str | bool | int | float) for item in items):
        raise MalformedPolicyError(f"{element} must be text or a list of text, not {type(value).__name__}")
    return tuple(str(item).lower() if isinstance(item, bool) else str(item) for item in items)


@dataclass(frozen=True)
class _Statement:
    allow: bool
    actions: tuple[str, ...]
    not_actions: bool
    resources: tuple[Template, ...]
    not_resources: bool
    conditions: tuple[Condition, ...]
    principals: Mapping[str, tuple[str, ...]] | None
    not_principals: bool

    def applies(self, demand: Demand) -> bool:
        if any(like(one, demand.action, ignore_case=True) for one in self.actions) == self.not_actions:
            return False
        if self.resources:
            # A variable without a value names no resource.
            filled = (one.fill(demand.context) for one in self.resources)
            hit = any(one is not None and _covers(one, demand.resource) for one in filled)
            if hit == self.not_resources:
                return False
        return all(condition.holds(demand.context) for condition in self.conditions)

    def reach(self, principal: Principal, *, bounded: bool) -> Reach:
        """How the Principal element names `principal`; `bounded` says that it has a permissions boundary."""
        if self.principals is None:
            return Reach.NONE
        found = max(
            (_reach(kind, value, principal) for kind, values in self.principals.items() for value in values),
            default=Reach.NONE,
        )
        if not self.not_principals:
            return found
        # IAM's documented trap: Deny with NotPrincipal denies everyone who has a permissions boundary.
        everyone_bounded = bounded and not self.allow
        return Reach.CALLER if found is Reach.NONE or everyone_bounded else Reach.NONE


def _covers(pattern: Pattern, resource: str) -> bool:
    """A resource that is no ARN (`*`, of actions that know no resources) and a short pattern are compared whole."""
    if min(resource.count(":"), pattern.text.count(":")) < ARN_SEGMENTS - 1:
        return pattern.matches(resource)
    return pattern.matches_arn(resource)


def _reach(kind: str, value: str, principal: Principal) -> Reach:
    if kind == "Service":
        return Reach.CALLER if principal.service is not None and value == principal.service else Reach.NONE
    if kind != "AWS" or principal.service is not None:
        return Reach.NONE
    if value in ("*", principal.arn):
        return Reach.CALLER
    if value in principal.matches:
        return Reach.ROLE
    account = principal.account
    if account is not None and value in (account, f"arn:aws:iam::{account}:root"):
        return Reach.ACCOUNT
    return Reach.NONE


def _statement(raw: object, *, variables: bool) -> _Statement:
    if not isinstance(raw, Mapping):
        raise MalformedPolicyError("a Statement must be an object")
    effect = raw.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise MalformedPolicyError(f"Effect must be Allow or Deny, not {effect!r}")
    if ("Action" in raw) == ("NotAction" in raw):
        raise MalformedPolicyError("a Statement needs exactly one of Action and NotAction")
    for one in ("Resource", "Principal"):
        if one in raw and f"Not{one}" in raw:
            raise MalformedPolicyError(f"a Statement has {one} or Not{one}, not both")
    resources = _texts(raw.get("Resource", raw.get("NotResource", [])), "Resource")
    return _Statement(
        allow=effect == "Allow",
        actions=_texts(raw.get("Action", raw.get("NotAction")), "Action"),
        not_actions="NotAction" in raw,
        resources=tuple(Template(one, variables) for one in resources),
        not_resources="NotResource" in raw,
        conditions=tuple(_conditions(raw.get("Condition") or {}, variables=variables)),
        principals=_principals(raw.get("Principal", raw.get("NotPrincipal"))),
        not_principals="NotPrincipal" in raw,
    )


def _conditions(raw: object, *, variables: bool) -> Iterable[Condition]:
    if not isinstance(raw, Mapping):
        raise MalformedPolicyError("Condition must be an object")
    for operator, keys in raw.items():
        if not isinstance(keys, Mapping):
            raise MalformedPolicyError(f"Condition operator {operator} must hold an object")
        for key, wanted in keys.items():
            yield Condition.parse(operator, key, _texts(wanted, f"Condition {key}"), variables=variables)


def _principals(raw: object) -> Mapping[str, tuple[str, ...]] | None:
    if raw is None:
        return None
    if raw == "*":
        return {"AWS": ("*",)}
    if not isinstance(raw, Mapping):
        raise MalformedPolicyError('Principal must be "*" or an object')
    return {str(kind): _texts(values, f"Principal {kind}") for kind, values in raw.items()}


@dataclass(frozen=True)
class Policy:
    """A parsed policy document."""

    statements: tuple[_Statement, ...]

    @classmethod
    def parse(cls, document: str | Mapping[str, Any]) -> Policy:
        """Read a policy document. Raises MalformedPolicyError when it is not one."""
        try:
            raw = json.loads(document) if isinstance(document, str) else document
        except ValueError as error:
            raise MalformedPolicyError(f"a policy must be JSON: {error}") from error
        if not isinstance(raw, Mapping) or "Statement" not in raw:
            raise MalformedPolicyError("a policy must be an object with a Statement")
        version = raw.get("Version", "2008-10-17")
        if version not in _VERSIONS:
            raise MalformedPolicyError(f"Version must be one of {', '.join(_VERSIONS)}, not {version!r}")
        statements = raw["Statement"] if isinstance(raw["Statement"], list) else [raw["Statement"]]
        return cls(tuple(_statement(one, variables=version == _WITH_VARIABLES) for one in statements))


def evaluate(policies: Iterable[Policy], demand: Demand) -> Decision:
    """What identity or session policies say to a demand. A statement of theirs must name resources."""
    decision = Decision.IMPLICIT_DENY
    for policy in policies:
        for statement in policy.statements:
            if statement.resources and statement.applies(demand):
                if not statement.allow:
                    return Decision.EXPLICIT_DENY
                decision = Decision.ALLOWED
    return decision


def evaluate_resource_policy(
    policy: Policy, principal: Principal, demand: Demand, *, bounded: bool = False
) -> ResourceAnswer:
    """What a resource or trust policy says to a demand of `principal`, which may have a permissions boundary."""
    granted: set[Reach] = set()
    for statement in policy.statements:
        reach = statement.reach(principal, bounded=bounded)
        if reach is Reach.NONE or not statement.applies(demand):
            continue
        if not statement.allow:
            return ResourceAnswer(denied=True)
        granted.add(reach)
    return ResourceAnswer(granted=frozenset(granted))


def decide(
    demand: Demand,
    principal: Principal,
    *,
    identity: Sequence[Policy],
    boundary: Policy | None = None,
    session: Policy | None = None,
    resource: Policy | None = None,
    needs_trust: bool = False,
) -> Verdict:
    """The decision of one account over a demand, from every kind of policy that one account has.

    `needs_trust` is for resources whose own policy decides who may use identity policies at all (KMS keys, roles that
    are assumed): there identity policies count only where the resource policy allows the account.
    """
    by_identity = evaluate(identity, demand)
    answer = ResourceAnswer()
    if resource is not None:
        answer = evaluate_resource_policy(resource, principal, demand, bounded=boundary is not None)
    narrowing = [
        (Decision.ALLOWED if policy is None else evaluate([policy], demand), kind)
        for policy, kind in ((session, "session policy"), (boundary, "permissions boundary"))
    ]
    explicit = [(by_identity, "an identity-based policy"), (answer.decision, "a resource-based policy")]
    for decision, kind in [*explicit, *((decision, f"a {kind}") for decision, kind in narrowing)]:
        if decision is Decision.EXPLICIT_DENY:
            return Verdict(decision, f"with an explicit deny in {kind}")
    if Reach.CALLER in answer.granted:
        return Verdict(Decision.ALLOWED)
    trusted = not needs_trust or Reach.ACCOUNT in answer.granted
    if not (by_identity is Decision.ALLOWED and trusted) and Reach.ROLE not in answer.granted:
        missing = "identity-based policy" if trusted else "resource-based policy"
        return Verdict(Decision.IMPLICIT_DENY, f"because no {missing} allows the {demand.action} action")
    for decision, kind in narrowing:
        if decision is Decision.IMPLICIT_DENY:
            return Verdict(decision, f"because no {kind} allows the {demand.action} action")
    return Verdict(Decision.ALLOWED)
