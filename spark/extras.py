"""The job's parameters, as Pipes delivers them: read by type, with an error that names the parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spark.errors import JobError


def text(extras: Mapping[str, Any], name: str) -> str:
    """Return a parameter that is a string and not empty. Raises JobError."""
    value = extras.get(name)
    if not isinstance(value, str) or not value:
        raise _bad(name, "a string", value)
    return value


def year(value: object, name: str) -> int:
    """Return a value that is a fiscal year, an integer of four digits. Raises JobError."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1000 <= value <= 9999:  # noqa: PLR2004
        raise _bad(name, "a fiscal year", value)
    return value


def years(extras: Mapping[str, Any], name: str) -> list[int]:
    """Return a parameter that is a list of fiscal years, sorted, each once and at least one. Raises JobError."""
    value = extras.get(name)
    if not isinstance(value, list) or not value:
        raise _bad(name, "a list of fiscal years", value)
    return sorted({year(item, name) for item in value})


def texts(extras: Mapping[str, Any], name: str) -> dict[str, str]:
    """Return a parameter that maps strings to strings. Raises JobError."""
    value = extras.get(name)
    if not isinstance(value, dict) or not all(isinstance(item, str) for pair in value.items() for item in pair):
        raise _bad(name, "an object of strings", value)
    return dict(value)


def _bad(name: str, expected: str, value: object) -> JobError:
    return JobError(f"job parameter {name!r} must be {expected}, got {value!r:.80}")
