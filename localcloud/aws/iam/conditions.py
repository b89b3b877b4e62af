"""The Condition element of a policy statement: operators, set operators, absent keys. Pure.

Source: IAM JSON policy elements, "Condition operators" and "Single-valued vs. multivalued context keys"
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html).
"""

from __future__ import annotations

import datetime as dt
import enum
import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from localcloud.aws.iam.patterns import Context, Pattern, Template

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_BOOLEANS = ("true", "false")


class MalformedPolicyError(ValueError):
    """A policy document that IAM would not accept."""


class Quantifier(enum.Enum):
    """The set operator before a condition operator."""

    NONE = ""
    FOR_ALL_VALUES = "ForAllValues"
    FOR_ANY_VALUE = "ForAnyValue"


Compare = Callable[[Pattern, str], bool]


def _instant(text: str) -> dt.datetime:
    if _NUMBER.fullmatch(text):
        return dt.datetime.fromtimestamp(float(text), dt.UTC)
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"not a number: {text!r}")
    return float(text)


def _numeric(compare: Callable[[float, float], bool]) -> Compare:
    return lambda wanted, had: compare(_number(had), _number(wanted.text))


def _dated(compare: Callable[[dt.datetime, dt.datetime], bool]) -> Compare:
    return lambda wanted, had: compare(_instant(had), _instant(wanted.text))


def _boolean(wanted: Pattern, had: str) -> bool:
    return had.lower() in _BOOLEANS and wanted.text.lower() == had.lower()


def _address(wanted: Pattern, had: str) -> bool:
    return ipaddress.ip_address(had) in ipaddress.ip_network(wanted.text, strict=False)


_COMPARE: dict[str, Compare] = {
    "StringEquals": lambda wanted, had: wanted.text == had,
    "StringEqualsIgnoreCase": lambda wanted, had: wanted.text.lower() == had.lower(),
    "StringLike": Pattern.matches,
    "ArnEquals": Pattern.matches_arn,
    "ArnLike": Pattern.matches_arn,
    "Bool": _boolean,
    "NumericEquals": _numeric(lambda had, wanted: had == wanted),
    "NumericLessThan": _numeric(lambda had, wanted: had < wanted),
    "NumericLessThanEquals": _numeric(lambda had, wanted: had <= wanted),
    "NumericGreaterThan": _numeric(lambda had, wanted: had > wanted),
    "NumericGreaterThanEquals": _numeric(lambda had, wanted: had >= wanted),
    "DateEquals": _dated(lambda had, wanted: had == wanted),
    "DateLessThan": _dated(lambda had, wanted: had < wanted),
    "DateLessThanEquals": _dated(lambda had, wanted: had <= wanted),
    "DateGreaterThan": _dated(lambda had, wanted: had > wanted),
    "DateGreaterThanEquals": _dated(lambda had, wanted: had >= wanted),
    # Base64 on both sides, so that the texts say what the bytes say.
    "BinaryEquals": lambda wanted, had: wanted.text == had,
    "IpAddress": _address,
}
_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
}
_IF_EXISTS = "IfExists"
_NULL = "Null"
OPERATORS = frozenset({*_COMPARE, *_NEGATED, _NULL})
"""Every condition operator, without set operators and IfExists."""


@dataclass(frozen=True)
class Condition:
    """One line of a Condition block: an operator, a context key in lower case, the values to compare with.

    `compare` is None for the operator Null, which asks for no more than the key's presence.
    """

    key: str
    wanted: tuple[Template, ...]
    compare: Compare | None
    quantifier: Quantifier = Quantifier.NONE
    negated: bool = False
    if_exists: bool = False

    @classmethod
    def parse(cls, operator: str, key: str, wanted: Sequence[str], *, variables: bool = True) -> Condition:
        """Read one line. Raises MalformedPolicyError for an operator that IAM does not know."""
        prefix, _, name = operator.rpartition(":")
        if prefix not in [one.value for one in Quantifier]:
            raise MalformedPolicyError(f"unknown set operator in condition operator {operator!r}")
        quantifier, templates = Quantifier(prefix), tuple(Template(one, variables) for one in wanted)
        if name == _NULL:
            return cls(key.lower(), templates, None, quantifier)
        base = name.removesuffix(_IF_EXISTS)
        compare = _COMPARE.get(_NEGATED.get(base, base))
        if compare is None:
            raise MalformedPolicyError(f"unknown condition operator {operator!r}")
        return cls(key.lower(), templates, compare, quantifier, base in _NEGATED, base != name)

    def holds(self, context: Context) -> bool:
        """Whether the line holds in a request's context."""
        had = context.get(self.key, ())
        if self.compare is None:
            return ("false" if had else "true") in (one.text.lower() for one in self.wanted)
        if not had:
            return self._holds_without_key()
        # A variable without a value is equal to nothing and like nothing; a negated operator matches it.
        filled = [pattern for one in self.wanted if (pattern := one.fill(context)) is not None]
        held = [self._compared(self.compare, filled, value) for value in had]
        match self.quantifier:
            case Quantifier.FOR_ALL_VALUES:
                return all(held)
            case Quantifier.FOR_ANY_VALUE:
                return any(held)
            case Quantifier.NONE:
                # A key with several values needs a set operator; without one the line never holds.
                return held == [True]

    def _holds_without_key(self) -> bool:
        if self.if_exists or self.quantifier is Quantifier.FOR_ALL_VALUES:
            return True
        return self.negated and self.quantifier is Quantifier.NONE

    def _compared(self, compare: Compare, filled: Sequence[Pattern], value: str) -> bool:
        return any(_safely(compare, one, value) for one in filled) != self.negated


def _safely(compare: Compare, wanted: Pattern, had: str) -> bool:
    """A value of the wrong type (a word where a number is compared) does not match; it is no error in IAM."""
    try:
        return compare(wanted, had)
    except (ValueError, OverflowError, OSError):  # the last two: a date beyond what the clock can say
        return False
