"""Policy documents and what they decide. Pure: no clock, no account, no server.

Source: IAM "Policy evaluation logic" for one account
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html): an explicit deny anywhere
decides; otherwise an identity policy or a resource policy must allow; a session policy narrows what identity policies
allow.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from localcloud.aws.iam.conditions import Context, MalformedPolicyError, like, satisfied, substitute

__all__ = [
    "Decision",
    "Demand",
    "MalformedPolicyError",
    "Policy",
    "Principal",
    "Verdict",
    "decide",
    "evaluate",
    "evaluate_resource_policy",
]


class Decision(enum.Enum):
    """The words of SimulatePrincipalPolicy."""

    ALLOWED = "allowed"
    IMPLICIT_DENY = "implicitDeny"
    EXPLICIT_DENY = "explicitDeny"


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
    resources: tuple[str, ...]
    not_resources: bool
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...]
    principals: Mapping[str, tuple[str, ...]] | None
    not_principals: bool

    def applies(self, demand: Demand) -> bool:
        if any(like(one, demand.action, ignore_case=True) for one in self.actions) == self.not_actions:
            return False
        if self.resources:
            filled = (substitute(one, demand.context) for one in self.resources)
            hit = any(one is not None and like(one, demand.resource) for one in filled)
            if hit == self.not_resources:
                return False
        return all(satisfied(*condition, demand.context) for condition in self.conditions)

    def names(self, principal: Principal, *, directly: bool) -> bool:
        """Whether the Principal element covers `principal`; `directly` leaves out naming the whole account."""
        if self.principals is None:
            return False
        hit = any(
            _names(kind, value, principal, directly) for kind, values in self.principals.items() for value in values
        )
        return hit != self.not_principals


def _names(kind: str, value: str, principal: Principal, directly: bool) -> bool:
    if kind == "Service":
        return principal.service is not None and value == principal.service
    if kind != "AWS" or principal.service is not None:
        return False
    if value == "*" or value in principal.matches:
        return True
    whole_account = principal.account is not None and value in (
        principal.account,
        f"arn:aws:iam::{principal.account}:root",
    )
    return whole_account and not directly


def _statement(raw: object) -> _Statement:
    if not isinstance(raw, Mapping):
        raise MalformedPolicyError("a Statement must be an object")
    effect = raw.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise MalformedPolicyError(f"Effect must be Allow or Deny, not {effect!r}")
    if ("Action" in raw) == ("NotAction" in raw):
        raise MalformedPolicyError("a Statement needs exactly one of Action and NotAction")
    return _Statement(
        allow=effect == "Allow",
        actions=_texts(raw.get("Action", raw.get("NotAction")), "Action"),
        not_actions="NotAction" in raw,
        resources=_texts(raw.get("Resource", raw.get("NotResource", [])), "Resource"),
        not_resources="NotResource" in raw,
        conditions=tuple(_conditions(raw.get("Condition") or {})),
        principals=_principals(raw.get("Principal", raw.get("NotPrincipal"))),
        not_principals="NotPrincipal" in raw,
    )


def _conditions(raw: object) -> Iterable[tuple[str, str, tuple[str, ...]]]:
    if not isinstance(raw, Mapping):
        raise MalformedPolicyError("Condition must be an object")
    for operator, keys in raw.items():
        if not isinstance(keys, Mapping):
            raise MalformedPolicyError(f"Condition operator {operator} must hold an object")
        for key, wanted in keys.items():
            satisfied(operator, key, ("",), {})  # refuses an operator that IAM does not know
            yield operator, key, _texts(wanted, f"Condition {key}")


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
        statements = raw["Statement"]
        return cls(tuple(_statement(one) for one in (statements if isinstance(statements, list) else [statements])))


def evaluate(policies: Iterable[Policy], demand: Demand) -> Decision:
    """What identity or session policies say to a demand. A statement of theirs must name resources."""
    return _combine(
        one.allow for policy in policies for one in policy.statements if one.resources and one.applies(demand)
    )


def evaluate_resource_policy(
    policy: Policy, principal: Principal, demand: Demand, *, directly: bool = False
) -> Decision:
    """What a resource or trust policy says to a demand of `principal`."""
    return _combine(
        one.allow
        for one in policy.statements
        if one.names(principal, directly=directly and one.allow) and one.applies(demand)
    )


def _combine(effects: Iterable[bool]) -> Decision:
    decision = Decision.IMPLICIT_DENY
    for allow in effects:
        if not allow:
            return Decision.EXPLICIT_DENY
        decision = Decision.ALLOWED
    return decision


def decide(
    demand: Demand,
    principal: Principal,
    *,
    identity: Sequence[Policy],
    session: Policy | None = None,
    resource: Policy | None = None,
) -> Verdict:
    """The decision of one account over a demand: identity policies, a session policy, the resource's own policy.

    The whole-account principal of a resource policy only lets identity policies decide; a principal that the
    resource policy names itself needs no identity policy.
    """
    by_identity = evaluate(identity, demand)
    by_session = Decision.ALLOWED if session is None else evaluate([session], demand)
    by_resource = (
        Decision.IMPLICIT_DENY
        if resource is None
        else evaluate_resource_policy(resource, principal, demand, directly=True)
    )
    for decision, kind in (
        (by_identity, "an identity-based policy"),
        (by_session, "a session policy"),
        (by_resource, "a resource-based policy"),
    ):
        if decision is Decision.EXPLICIT_DENY:
            return Verdict(decision, f"with an explicit deny in {kind}")
    if by_session is Decision.IMPLICIT_DENY:
        return Verdict(by_session, f"because no session policy allows the {demand.action} action")
    if Decision.ALLOWED in (by_identity, by_resource):
        return Verdict(Decision.ALLOWED)
    return Verdict(by_identity, f"because no identity-based policy allows the {demand.action} action")
