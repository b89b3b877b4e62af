"""The labelled personal data (`benchmarks/labels/pii.jsonl`): form, offsets, counts and check digits.

The checks are written again here, apart from the recognisers, so that one error cannot stand in both.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

LABELS = Path(__file__).parents[2] / "benchmarks" / "labels" / "pii.jsonl"
TYPES = {"EMAIL", "PHONE", "SSN", "CARD", "IBAN", "PERSON", "ADDRESS"}
PARTS = {"development", "judgement", "second", "fourth", "fifth", "sixth"}
"""Those of all types; `third` is of addresses."""
LATER = {"s2-": "second", "t3-": "third", "t4-": "fourth", "t5-": "fifth", "x6-": "sixth"}
# Kinds that any reader tells from personal data at once; they do not count as hard negatives.
EASY_DECOYS = {"amount", "date", "percent", "section"}

Row = dict[str, Any]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return [json.loads(line) for line in LABELS.read_text(encoding="utf-8").splitlines()]


def texts_of(rows: list[Row], field: str, name: str, value: str) -> list[str]:
    """The marked texts of one type (`spans`, `type`) or kind (`decoys`, `kind`), in file order."""
    return [row["text"][m["start"] : m["end"]] for row in rows for m in row[field] if m[name] == value]


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of ISO/IEC 7812-1."""
    doubled = [int(digit) * 2 if place % 2 else int(digit) for place, digit in enumerate(reversed(digits))]
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0


def iban_remainder(text: str) -> int:
    """The remainder of ISO 13616 modulo 97: 1 for a right number."""
    plain = "".join(text.split())
    return int("".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])) % 97


def test_each_line_has_the_form(rows: list[Row]) -> None:
    for row in rows:
        assert set(row) == {"id", "part", "text", "spans", "decoys"}
        assert all(set(span) == {"start", "end", "type"} for span in row["spans"])
        assert all(set(decoy) == {"start", "end", "kind"} for decoy in row["decoys"])
        assert {span["type"] for span in row["spans"]} <= TYPES
    assert len({row["id"] for row in rows}) == len({row["text"] for row in rows}) == len(rows)


def test_the_part_follows_from_the_id(rows: list[Row]) -> None:
    for row in rows:
        if later := LATER.get(row["id"][:3]):
            assert row["part"] == later, row["id"]
            continue
        tenth = int(hashlib.sha256(row["id"].encode()).hexdigest(), 16) % 10
        assert row["part"] == ("development" if tenth < 4 else "judgement"), row["id"]


def test_marks_lie_in_the_text_and_do_not_overlap(rows: list[Row]) -> None:
    for row in rows:
        marks = sorted((m["start"], m["end"]) for m in row["spans"] + row["decoys"])
        for start, end in marks:
            marked = row["text"][start:end]
            assert 0 <= start < end <= len(row["text"]), row["id"]
            assert marked == marked.strip() != "", row["id"]
        assert all(before[1] <= after[0] for before, after in pairwise(marks)), row["id"]


def test_marks_are_whole_words(rows: list[Row]) -> None:
    for row in rows:
        for mark in row["spans"]:
            around = row["text"][mark["start"] - 1 : mark["start"]] + row["text"][mark["end"] : mark["end"] + 1]
            assert not any(sign.isalnum() for sign in around), (row["id"], mark)


def test_there_are_enough_texts_spans_and_hard_negatives(rows: list[Row]) -> None:
    by_type = Counter(span["type"] for row in rows for span in row["spans"])
    hard = [m for row in rows for m in row["decoys"] if m["kind"] not in EASY_DECOYS]
    assert len(rows) >= 250
    assert by_type.total() >= 500
    assert {kind: count for kind, count in by_type.items() if count < 55} == {}
    assert set(by_type) == TYPES
    assert len(hard) >= 200


def test_each_part_has_enough_of_each_type(rows: list[Row]) -> None:
    counts = Counter((row["part"], span["type"]) for row in rows for span in row["spans"])
    assert {key: counts[key] for key in ((p, t) for p in PARTS for t in TYPES) if counts[key] < 20} == {}


def test_cards_have_right_check_digits(rows: list[Row]) -> None:
    for text in texts_of(rows, "spans", "type", "CARD"):
        digits = re.sub(r"[\s\u2013-]", "", text)
        assert re.fullmatch("[0-9]{13,19}", digits), text
        assert luhn(digits), text


def test_card_decoys_fail_the_check(rows: list[Row]) -> None:
    decoys = texts_of(rows, "decoys", "kind", "luhn-fail")
    assert decoys
    assert not any(luhn(re.sub("[ -]", "", text)) for text in decoys)


def test_ibans_have_right_check_digits(rows: list[Row]) -> None:
    ibans = texts_of(rows, "spans", "type", "IBAN")
    assert {text for text in ibans if iban_remainder(text) != 1} == set()
    assert len({text[:2] for text in ibans}) >= 20


def test_iban_decoys_fail_the_check(rows: list[Row]) -> None:
    decoys = texts_of(rows, "decoys", "kind", "iban-fail")
    assert decoys
    assert not any(iban_remainder(text) == 1 for text in decoys)


def test_social_security_numbers_could_have_been_issued(rows: list[Row]) -> None:
    for text in texts_of(rows, "spans", "type", "SSN"):
        found = re.fullmatch("([0-9]{3})[-\u2013 ]?([0-9]{2})[-\u2013 ]?([0-9]{4})", text)
        assert found, text
        area, group, serial = found.groups()
        assert area not in {"000", "666"} and area[0] != "9" and group != "00" and serial != "0000", text


def test_an_email_is_labelled_wherever_it_is_whole(rows: list[Row]) -> None:
    for row in rows:
        labelled = {row["text"][m["start"] : m["end"]] for m in row["spans"] if m["type"] == "EMAIL"}
        whole = set(re.findall(r"[\w.+%'-]+@[A-Za-z0-9.-]*[A-Za-z]", row["text"]))
        assert {text.lstrip("'") for text in whole} == labelled, row["id"]
