"""Limits of a request as the service's own model in botocore states them: lengths, numbers, patterns, enumerations.

botocore's client checks types, required members and least lengths only; the service checks all of these.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

# Java's classes in Python's terms; \\w has the underscore too, which every pattern with \\p{L} allows beside it.
_CLASSES = {r"\p{L}": r"\w", r"\p{N}": r"\d", r"\p{Z}": r"\s", r"\p{Alnum}": "A-Za-z0-9"}


def violations(shape: Any, value: Any, path: str = "") -> Iterator[str]:
    """What is wrong with `value` as a `shape` (botocore.model.Shape), in the service's words."""
    kind = shape.type_name
    if kind == "structure":
        for name, member in value.items():
            if name in shape.members and member is not None:
                yield from violations(shape.members[name], member, f"{path}.{name}" if path else name)
    elif kind == "list":
        yield from _length(shape, value, path)
        for index, member in enumerate(value):
            yield from violations(shape.member, member, f"{path}.{index + 1}.member")
    elif kind == "map":
        yield from _length(shape, value, path)
        for key, member in value.items():
            yield from violations(shape.key, key, f"{path}.{key}.key")
            yield from violations(shape.value, member, f"{path}.{key}.member")
    elif kind == "string":
        yield from _length(shape, value, path)
        yield from _text(shape, value, path)
    elif kind in ("integer", "long", "float", "double"):
        yield from _number(shape, value, path)


def _length(shape: Any, value: Any, path: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and len(value) < least:
        yield f"{path}: Member must have length greater than or equal to {least}"
    if most is not None and len(value) > most:
        yield f"{path}: Member must have length less than or equal to {most}"


def _text(shape: Any, value: str, path: str) -> Iterator[str]:
    pattern, names = shape.metadata.get("pattern"), shape.enum
    if pattern and not _compiled(pattern).fullmatch(value):
        yield f"{path}: Member must satisfy regular expression pattern: {pattern}"
    if names and value not in names:
        yield f"{path}: Member must satisfy enum value set: {', '.join(names)}"


def _number(shape: Any, value: float, path: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and value < least:
        yield f"{path}: Member must have value greater than or equal to {least}"
    if most is not None and value > most:
        yield f"{path}: Member must have value less than or equal to {most}"


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    for theirs, ours in _CLASSES.items():
        pattern = pattern.replace(theirs, ours)
    return re.compile(pattern, re.DOTALL)
