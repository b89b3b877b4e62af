"""The job's parameters, as Pipes delivers them: read by type, with an error that names the parameter."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from spark.errors import JobError

_ACCESSION = re.compile(r"[0-9]{10}-[0-9]{2}-[0-9]{6}")


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


def share(extras: Mapping[str, Any], name: str, *, default: float) -> float:
    """Return a parameter that is a number from 0 to 1, or the default where it is not given. Raises JobError."""
    value = extras.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise _bad(name, "a number from 0 to 1", value)
    return float(value)


def choice(extras: Mapping[str, Any], name: str, choices: Sequence[str]) -> str:
    """Return a parameter that is one of the choices, the first of them where it is not given. Raises JobError."""
    value = extras.get(name, choices[0])
    if value not in choices:
        raise _bad(name, f"one of {', '.join(choices)}", value)
    return str(value)


def accession_numbers(extras: Mapping[str, Any], name: str) -> frozenset[str]:
    """Return a parameter that is a list of EDGAR accession numbers, none where it is not given. Raises JobError."""
    value = extras.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) and _ACCESSION.fullmatch(item) for item in value):
        raise _bad(name, "a list of accession numbers like 0000320193-24-000123", value)
    return frozenset(value)


def _bad(name: str, expected: str, value: object) -> JobError:
    return JobError(f"job parameter {name!r} must be {expected}, got {value!r:.80}")
