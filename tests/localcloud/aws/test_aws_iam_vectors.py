"""The local IAM against an independent simulator: recorded decisions, none of which may differ.

`vectors/policy_decisions.json` names the simulator, its version, the seed, and what was left out and why;
`vectors/generate.py` and `vectors/record.mjs` make it anew.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from localcloud.aws.iam.conditions import OPERATORS
from localcloud.aws.iam.policy import Demand, Policy, Principal, decide

ACCOUNT = "123456789012"
VECTORS = json.loads((Path(__file__).parent / "vectors" / "policy_decisions.json").read_text())
CASES: list[dict[str, Any]] = VECTORS["cases"]


def principal_of(arn: str) -> Principal:
    """A user, or a session under its own name and its role's."""
    if ":user/" in arn:
        return Principal(arn, ACCOUNT, (arn,))
    return Principal(arn, ACCOUNT, (arn, f"arn:aws:iam::{ACCOUNT}:role/{arn.split('/')[1]}"))


def decision(case: Mapping[str, Any]) -> str:
    """What the local IAM says to a case."""

    def optional(kind: str) -> Policy | None:
        return Policy.parse(case[kind]) if kind in case else None

    context = {
        key.lower(): (value,) if isinstance(value, str) else tuple(value) for key, value in case["context"].items()
    }
    return decide(
        Demand(case["action"], case["resource"], context),
        principal_of(case["principal"]),
        identity=[Policy.parse(one) for one in case["identity"]],
        boundary=optional("boundary"),
        session=optional("session"),
        resource=optional("resource_policy"),
        needs_trust=case["action"].startswith(("kms:", "sts:")),
    ).decision.value


def test_no_decision_differs_from_the_independent_simulator() -> None:
    differing = [
        f"case {number}: recorded {case['decision']}, decided {decided}"
        for number, case in enumerate(CASES)
        if (decided := decision(case)) != case["decision"]
    ]
    assert not differing


@pytest.mark.parametrize("excluded", VECTORS["excluded"], ids=lambda one: one["what"])
def test_what_is_excluded_is_decided_as_documented(excluded: Mapping[str, Any]) -> None:
    assert decision(excluded["case"]) == excluded["ours"] != excluded["oracle"]


def test_the_cases_cover_every_element_and_operator() -> None:
    kinds = Counter(case["decision"] for case in CASES)
    assert min(kinds.values()) >= 150 and len(kinds) == 3
    texts = [json.dumps(case) for case in CASES]
    elements = ("NotAction", "NotResource", "NotPrincipal", "boundary", "session", "resource_policy", "IfExists")
    sets = ("ForAllValues:", "ForAnyValue:", "${aws:username}", "${*}", ", '*'}", "Service")
    for word in (*elements, *sets, *sorted(OPERATORS)):
        assert sum(word in text for text in texts) >= 5, word
