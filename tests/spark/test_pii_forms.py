"""The forms in which names and addresses stand in filings, and what looks like them (`pii_forms_*.txt`).

These are the recognisers' development texts: each form must be found whole, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from spark.pii import Finding, find

FOLDER = Path(__file__).parent
MARKED = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)


def forms(name: str) -> Iterator[tuple[str, str]]:
    """The title and the marked text of each form in a file."""
    text = (FOLDER / name).read_text("utf-8")
    for part in re.split(r"^--- ", text, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        yield title, body.strip("\n")


def letters(text: str, start: int, end: int) -> set[int]:
    """The places of letters and digits between the two."""
    return {place for place in range(start, end) if text[place].isalnum()}


def check(marked: str, kind: str) -> None:
    text = MARKED.sub(r"\1", marked)
    expected, removed = set[int](), 0
    for match in MARKED.finditer(marked):
        expected |= letters(text, match.start() - removed, match.end() - removed - 4)
        removed += 4
    found = [one for one in find(text) if one.type == kind]
    inside = set().union(*(letters(text, one.start, one.end) for one in found)) if found else set()
    assert expected <= inside, f"not found: {''.join(text[place] for place in sorted(expected - inside))}"
    assert [text[one.start : one.end] for one in found if _is_false(one, text, expected)] == []


def _is_false(one: Finding, text: str, expected: set[int]) -> bool:
    places = letters(text, one.start, one.end)
    return 2 * len(places & expected) < len(places)


@pytest.mark.parametrize(("title", "text"), list(forms("pii_forms_names.txt")))
def test_names_of_signers(title: str, text: str) -> None:
    check(text, "PERSON")


@pytest.mark.parametrize(("title", "text"), list(forms("pii_forms_addresses.txt")))
def test_addresses_of_people(title: str, text: str) -> None:
    check(text, "ADDRESS")
