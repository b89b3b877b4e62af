"""The Condition element of a policy statement: operators, set operators, policy variables. Pure.

Source: IAM JSON policy elements, "Condition operators" and "Conditions with multiple context keys or values"
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html).
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import functools
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence

Context = Mapping[str, Sequence[str]]
"""Context keys in lower case, each with its values as text."""

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_LITERAL_VARIABLES = {"*": "[*]", "?": "[?]", "$": "$"}


class MalformedPolicyError(ValueError):
    """A policy document that IAM would not accept."""


@functools.lru_cache(maxsize=4096)
def _pattern(text: str, *, ignore_case: bool) -> re.Pattern[str]:
    parts = re.split(r"(\[\*\]|\[\?\]|\*|\?)", text)
    wildcard = {"*": ".*", "?": ".", "[*]": r"\*", "[?]": r"\?"}
    body = "".join(wildcard.get(part, re.escape(part)) for part in parts)
    return re.compile(body, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def like(pattern: str, value: str, *, ignore_case: bool = False) -> bool:
    """Whether `value` matches a pattern in which `*` is any run of characters and `?` any one character."""
    return _pattern(pattern, ignore_case=ignore_case).fullmatch(value) is not None


def substitute(text: str, context: Context) -> str | None:
    """`text` with its policy variables (`${aws:username}`) filled in, or None if one has no value in `context`.

    A value is taken literally: wildcards in it match only themselves.
    """
    missing = False

    def fill(match: re.Match[str]) -> str:
        nonlocal missing
        name, _, default = match[1].partition(",")
        if name in _LITERAL_VARIABLES:
            return _LITERAL_VARIABLES[name]
        values = context.get(name.strip().lower(), ())
        if len(values) == 1:
            return values[0].replace("*", "[*]").replace("?", "[?]")
        if default:
            return default.strip().strip("'")
        missing = True
        return ""

    filled = _VARIABLE.sub(fill, text)
    return None if missing else filled


def _unescape(text: str) -> str:
    return text.replace("[*]", "*").replace("[?]", "?")


def _instant(text: str) -> dt.datetime:
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return dt.datetime.fromtimestamp(float(text), dt.UTC)
    moment = dt.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _numeric(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    return lambda wanted, had: compare(float(had), float(wanted))


def _dated(compare: Callable[[dt.datetime, dt.datetime], bool]) -> Callable[[str, str], bool]:
    return lambda wanted, had: compare(_instant(had), _instant(wanted))


def _binary(wanted: str, had: str) -> bool:
    return base64.b64decode(wanted, validate=True) == base64.b64decode(had, validate=True)


def _address(wanted: str, had: str) -> bool:
    return ipaddress.ip_address(had) in ipaddress.ip_network(wanted, strict=False)


_COMPARE: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, had: _unescape(wanted) == had,
    "StringEqualsIgnoreCase": lambda wanted, had: _unescape(wanted).casefold() == had.casefold(),
    "StringLike": like,
    "ArnEquals": like,
    "ArnLike": like,
    "Bool": lambda wanted, had: wanted.lower() == had.lower(),
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
    "BinaryEquals": _binary,
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


def satisfied(operator: str, key: str, wanted: Sequence[str], context: Context) -> bool:
    """Whether one line of a Condition block holds.

    Raises MalformedPolicyError for an operator that IAM does not know.
    """
    quantifier, _, name = operator.rpartition(":")
    if quantifier not in ("", "ForAllValues", "ForAnyValue"):
        raise MalformedPolicyError(f"unknown set operator in condition operator {operator!r}")
    had = context.get(key.lower(), ())
    if name == "Null":
        return (len(had) == 0) == (wanted[0].lower() == "true")
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    negated = name in _NEGATED
    compare = _COMPARE.get(_NEGATED.get(name, name))
    if compare is None:
        raise MalformedPolicyError(f"unknown condition operator {operator!r}")
    if not had:
        return if_exists or quantifier == "ForAllValues" or (negated and quantifier != "ForAnyValue")
    filled = [text for text in (substitute(one, context) for one in wanted) if text is not None]

    def holds(value: str) -> bool:
        return any(_safely(compare, one, value) for one in filled) != negated

    if quantifier == "ForAllValues" or (negated and not quantifier):
        return all(holds(value) for value in had)
    return any(holds(value) for value in had)


def _safely(compare: Callable[[str, str], bool], wanted: str, had: str) -> bool:
    """A value of the wrong type (a word where a number is compared) does not match; it is no error in IAM."""
    try:
        return compare(wanted, had)
    except (ValueError, binascii.Error):
        return False
