"""Texts of a policy: wildcards, policy variables, and how they match a value. Pure.

Source: IAM policy elements, "Variables and tags"
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html), and "Resource"
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html).
"""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Context = Mapping[str, Sequence[str]]
"""Context keys in lower case, each with its values as text."""

ARN_SEGMENTS = 6
_TOKEN = re.compile(r"\$\{([^}]*)\}|([*?])")
_SPECIAL_CHARACTERS = ("*", "?", "$")
_VARIABLE = re.compile(r"\s*(?P<name>[^,]*?)\s*(?:,\s*'(?P<default>[^']*)'\s*)?")


class Kind(enum.Enum):
    """What a part of a pattern is: the policy's own text, a value filled in, or a wildcard."""

    TEXT = "text"
    VALUE = "value"
    ANY_RUN = "*"
    ANY_ONE = "?"


Part = tuple[Kind, str]


@dataclass(frozen=True)
class Pattern:
    """A text of a policy with its variables filled in. A filled-in value is taken literally, wildcards and all."""

    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The pattern as plain text, for operators that know no wildcards."""
        return "".join(text for _, text in self.parts)

    def matches(self, value: str, *, ignore_case: bool = False) -> bool:
        """Whether `value` fits: `*` is any run of characters, `?` any one."""
        return _expression(self.parts, ignore_case).fullmatch(value) is not None

    def matches_arn(self, arn: str) -> bool:
        """Whether an ARN fits segment by segment: a wildcard stands for nothing beyond its own colons."""
        wanted, had = _segments(self.parts), arn.split(":", ARN_SEGMENTS - 1)
        if len(wanted) != ARN_SEGMENTS or len(had) != ARN_SEGMENTS:
            return False
        return all(Pattern(one).matches(other) for one, other in zip(wanted, had, strict=True))


@dataclass(frozen=True)
class Template:
    """A text of a policy as it was written. Without `variables`, `${...}` is plain text, as before 2012-10-17."""

    text: str
    variables: bool = True

    def fill(self, context: Context) -> Pattern | None:
        """The pattern in a request's context, or None when a variable has no value there, nor a default."""
        parts: list[Part] = []
        for kind, text in _tokens(self.text, self.variables):
            value = _value(text, context) if kind is Kind.VALUE else text
            if value is None:
                return None
            parts.append((kind, value))
        return Pattern(tuple(parts))


def _value(variable: str, context: Context) -> str | None:
    if variable in _SPECIAL_CHARACTERS:
        return variable
    read = _VARIABLE.fullmatch(variable)
    if read is None:
        return None
    values = context.get(read["name"].lower(), ())
    return values[0] if len(values) == 1 else read["default"]


@functools.lru_cache(maxsize=4096)
def _tokens(text: str, variables: bool) -> tuple[Part, ...]:
    parts: list[Part] = []
    position = 0
    for match in _TOKEN.finditer(text):
        if match[2] is None and not variables:
            continue
        parts.append((Kind.TEXT, text[position : match.start()]))
        parts.append((Kind.VALUE, match[1]) if match[2] is None else (Kind(match[2]), match[2]))
        position = match.end()
    parts.append((Kind.TEXT, text[position:]))
    return tuple(part for part in parts if part != (Kind.TEXT, ""))


@functools.lru_cache(maxsize=4096)
def _expression(parts: tuple[Part, ...], ignore_case: bool) -> re.Pattern[str]:
    """A regular expression in time linear to the value: what stands between two `*` is sought once, atomically."""
    pieces = [""]
    for kind, text in parts:
        if kind is Kind.ANY_RUN:
            pieces.append("")
        else:
            pieces[-1] += "." if kind is Kind.ANY_ONE else re.escape(text)
    first, *rest = pieces
    middle = "".join(f"(?>.*?{piece})" for piece in rest[:-1])
    last = f".*{rest[-1]}" if rest else ""
    return re.compile(first + middle + last, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def _segments(parts: tuple[Part, ...]) -> list[tuple[Part, ...]]:
    """The parts between the colons that the policy itself wrote; the sixth segment holds all that is left."""
    segments: list[list[Part]] = [[]]
    for kind, text in parts:
        if kind is not Kind.TEXT:
            segments[-1].append((kind, text))
            continue
        first, *rest = text.split(":", ARN_SEGMENTS - len(segments))
        segments[-1].append((kind, first))
        segments.extend([(kind, one)] for one in rest)
    return [tuple(one) for one in segments]


def like(pattern: str, value: str, *, ignore_case: bool = False) -> bool:
    """Whether `value` fits a text with wildcards and no variables, such as an action."""
    return Pattern(_tokens(pattern, variables=False)).matches(value, ignore_case=ignore_case)
