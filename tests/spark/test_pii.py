"""Recognisers of personal data, their checksums, and the detector that looks at what was written."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark.pii import TYPES, Finding, find, iban_checks, leftovers, luhn, plain, scrub, with_others
from spark.recognisers import PIECE

FOUND = [
    ("EMAIL", "write to jane.doe+ir@mail.example.com."),
    ("EMAIL", "(J_Doe@example.co.uk)"),
    ("PHONE", "call (212) 555-0147 today"),
    ("PHONE", "call +1 212 555 0147, or"),
    ("PHONE", "at 1-212-555-0147."),
    ("PHONE", "fax 212.555.0147"),
    ("SSN", "number 078-05-1120 was"),
    ("CARD", "card 4111 1111 1111 1111 on"),
    ("CARD", "card 5500-0000-0000-0004,"),
    ("CARD", "card 378282246310005 was"),
    ("IBAN", "account DE89 3704 0044 0532 0130 00 at"),
    ("IBAN", "account GB29NWBK60161331926819."),
]

# Found by a country code or a keyword, which the detector of what was written does not know.
FOUND_BY_CONTEXT = [
    ("PHONE", "ring +44 20 7946 0958 in London"),
    ("SSN", "SSN: 078 05 1120"),
    ("SSN", "SSN/TIN: 530-33-2800"),
    ("SSN", "The user name was his Social Security number; the file shows the log-in \u201c236748499\u201d for him."),
]

KEPT = [
    "revenue of $4,111,111,111,111 in 2023",
    "under file number 001-36743 and EIN 94-2404110",
    "accession number 0000320193-24-000123",
    "between 2019-2023 and 10-15-2024",
    "card 4111 1111 1111 1112 fails its checksum",
    "the claim under 000-12-3456 and the sample 123-00-4567",
    "a holder with SSN ending -6922 by courier (tracking 1Z 44A 717 03 1189 0097)",
    "section 409A, 17 CFR 229.105 and ASC 842-10-15",
    "account DE89 3704 0044 0532 0131 00 fails",
    "a ratio of 212.555 to 1, 555 0147 and 1,212,555,014",
    "systems such as GB200 NVL 72 and NVL 36, MI250 and L40S",
    "see www.example.com and follow @example",
    "corrections of +412.50 and +88.00 to two workers' pay",
]


@pytest.mark.parametrize(("kind", "text"), FOUND + FOUND_BY_CONTEXT)
def test_found_and_replaced(kind: str, text: str) -> None:
    result = scrub(text)
    assert result.removed == {kind: 1}
    assert f"[{kind}]" in result.text
    assert leftovers(result.text) == 0


@pytest.mark.parametrize(("kind", "text"), FOUND)
def test_detector_sees_what_was_not_scrubbed(kind: str, text: str) -> None:
    assert leftovers(text) == 1


def test_the_numbers_of_a_list_have_one_name() -> None:
    text = "each worker's social security number; a sample had 077956698, 286375824 and 188740620"
    assert scrub(text).removed == {"SSN": 3}


@pytest.mark.parametrize("text", KEPT)
def test_kept(text: str) -> None:
    assert scrub(text).text == text
    assert leftovers(text) == 0


def test_several_spans_and_their_neighbours() -> None:
    result = scrub("a@b.example, 078-05-1120 and (212) 555-0147; c@d.example")
    assert result.text == "[EMAIL], [SSN] and [PHONE]; [EMAIL]"
    assert result.removed.total() == 4


def test_scrubbing_twice_changes_nothing() -> None:
    once = scrub(" ".join(text for _, text in FOUND)).text
    assert scrub(once).text == once


def test_a_long_hostile_text_is_no_trap() -> None:
    for piece in ("a.", "a@", "1 ", "+1-", "AA00 ", "(212) "):
        assert scrub(piece * 20_000).text


@pytest.mark.parametrize(
    "piece", ["A'", "by: ", "* Aa Bb\n", "Signature of ", "signed and ", "1 A ", "Flat 1, ", "Aa 12, "]
)
def test_a_long_text_of_beginnings_of_names_and_addresses_is_no_trap(piece: str) -> None:
    text = piece * (60_000 // len(piece))
    assert scrub(f"{text}\nwrite to jane.doe@example.com").removed["EMAIL"] == 1


@pytest.mark.parametrize(
    ("piece", "kind"),
    [
        ("SSN 078-05-1120 ", "SSN"),
        ("call (212) 555-0143 or ", "PHONE"),
        ("a@b.example, ", "EMAIL"),
        ("card 4111 1111 1111 1111, ", "CARD"),
        ("By: /s/ Jane Miller\nName: Jane Miller\n", "PERSON"),
    ],
)
def test_a_long_text_of_findings_is_no_trap_and_each_is_found(piece: str, kind: str) -> None:
    repeats = 60_000 // len(piece)
    assert scrub(piece * repeats).removed == {kind: repeats * piece.count("Jane") or repeats}


def test_a_number_across_the_ends_of_a_searched_piece_is_found_once() -> None:
    number = "His social security number is 078-05-1120. "
    for before in range(PIECE - len(number) - 2, PIECE + 2):
        text = ("word " * PIECE)[:before] + "\n" + number + "word " * PIECE
        assert scrub(text).removed == {"SSN": 1}


def test_luhn_is_the_standards_example() -> None:
    assert luhn("79927398713")
    assert not luhn("79927398710")


def test_iban_is_the_standards_example() -> None:
    assert iban_checks("GB82 WEST 1234 5698 7654 32")
    assert not iban_checks("GB83 WEST 1234 5698 7654 32")
    assert not iban_checks("GB82")


HELD = "Please write to Ann Bell, 12 Elm Road, Dover, DE 19901, call (212) 555-0147; SSN 219-09-9999 - a@b.example."


@given(st.lists(st.tuples(st.integers(0, len(HELD)), st.integers(1, len(HELD)), st.sampled_from(TYPES)), max_size=8))
def test_what_either_detector_finds_is_scrubbed_once(others: list[tuple[int, int, str]]) -> None:
    also = [Finding(start, min(start + length, len(HELD)), kind) for start, length, kind in others if start < len(HELD)]
    alone, both = find(HELD), find(HELD, lambda _: also)
    assert set(alone) <= set(both)
    assert both == sorted(both)
    assert all(one.end <= other.start for one, other in pairwise(both))
    readable = {place for place, char in enumerate(HELD) if char.isalnum()}
    assert readable & covered(both) == readable & (covered(alone) | covered(also))


def covered(found: list[Finding]) -> set[int]:
    return {place for one in found for place in range(one.start, one.end)}


def test_another_detectors_code_in_an_address_gives_up_no_address() -> None:
    (address,) = (one for one in find(HELD) if one.type == "ADDRESS")
    code = HELD.index("19901")
    assert address in find(HELD, lambda _: [Finding(code, code + 5, "PHONE"), Finding(code - 20, code + 5, "PERSON")])


def test_of_another_detectors_longer_finding_the_rest_is_taken() -> None:
    text = plain("Send it to 12 Elm Road, a@b.example, Dover")
    mail = text.index("a@b")
    made = with_others(text, [Finding(mail, mail + 11, "EMAIL")], [Finding(11, len(text), "ADDRESS")])
    assert [(one.type, text[one.start : one.end]) for one in made] == [
        ("ADDRESS", "12 Elm Road,"),
        ("EMAIL", "a@b.example"),
        ("ADDRESS", ", Dover"),
    ]
