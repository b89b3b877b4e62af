"""Cleaning, quality filters and templates: plain Python."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spark.cleaning import Reason, clean, clean_line, normalised, reason_to_drop
from spark.templates import T1, Template

BODY = " ".join(["We depend on a few suppliers and cannot replace them soon"] * 4) + "."


def test_typography_becomes_plain() -> None:
    assert clean("The \u201cBoard\u201d\u2019s con\u00adfi\ufb01ed\u00a0plan\u200b") == 'The "Board"\'s confified plan'


def test_figures_keep_their_characters() -> None:
    assert clean("5 m\u00b2 and \u00bd of it") == "5 m\u00b2 and \u00bd of it"


def test_composed_and_decomposed_letters_are_one() -> None:
    assert clean("cafe\u0301") == clean("caf\u00e9")


def test_page_furniture_goes_and_paragraphs_stay() -> None:
    text = "First paragraph.\n\n 17 \n\nTable of Contents\n\n\n- 18 -\nSecond  paragraph.\r\nThird."
    assert clean(text) == "First paragraph.\n\nSecond paragraph.\nThird."


def test_a_year_inside_a_line_is_no_furniture() -> None:
    assert clean("In fiscal\n2023 we grew.") == "In fiscal\n2023 we grew."


@pytest.mark.parametrize("row", ["-" * 200_000 + "q 1 2", "$" * 200_000 + "q 1 2", "1." * 100_000 + "q 1 2"])
def test_a_long_hostile_cell_is_no_trap(row: str) -> None:
    assert clean(f"We grew.\n{row}") == "We grew."


def test_a_row_of_figures_goes() -> None:
    assert clean("Revenue was:\n(1,024)% $ \u2014 7.5x n/a\nand more.") == "Revenue was:\nand more."


def test_subcaption_is_one_line() -> None:
    assert clean_line(" Our\nsuppliers \u00a0 may fail ") == "Our suppliers may fail"


@given(st.text())
@example("e\u200b\u0301")
def test_cleaning_twice_changes_nothing_and_leaves_nfc(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    assert unicodedata.is_normalized("NFC", once)


@pytest.mark.parametrize(
    ("body", "subcaption", "reason"),
    [
        (BODY, "Our suppliers may fail us", None),
        (BODY, "", Reason.NO_SUBCAPTION),
        (BODY, "\u2022 \u2022 \u2022", Reason.NO_SUBCAPTION),
        (BODY, "_ _ _", Reason.NO_SUBCAPTION),
        (BODY, "Suppliers", Reason.SUBCAPTION_TOO_SHORT),
        (BODY, "\u2022 Third-party suppliers \u2014", Reason.SUBCAPTION_TOO_SHORT),
        (BODY, "supplier " * 81, Reason.SUBCAPTION_TOO_LONG),
        ("Suppliers may fail us.", "Our suppliers may fail us", Reason.BODY_TOO_SHORT),
        ("supplier " * 5000 + "fail.", "Our suppliers may fail us", Reason.BODY_TOO_LONG),
        (BODY.rstrip("."), "Our suppliers may fail us", Reason.NOT_A_SENTENCE),
        (f"OUR suppliers\nmay fail us! {BODY}", "Our suppliers may fail us.", Reason.SUBCAPTION_IN_BODY),
    ],
)
def test_each_reason(body: str, subcaption: str, reason: Reason | None) -> None:
    assert reason_to_drop(body, subcaption) == reason


@pytest.mark.parametrize(
    ("body", "group", "reason"),
    [
        (f"Operational Risks\n{BODY}", "OPERATIONAL RISKS.", Reason.GROUP_IN_BODY),
        (f"{BODY} See also operational risks below.", "Operational Risks", None),
        (f'{BODY} See "Risks Related to Our Business" too.', "Risks related to our business", Reason.GROUP_IN_BODY),
        (BODY, "", None),
    ],
)
def test_group_heading_never_stands_in_the_body(body: str, group: str, reason: Reason | None) -> None:
    assert reason_to_drop(body, "Our suppliers may fail us", group) == reason


def test_subcaption_inside_a_longer_word_is_not_in_the_body() -> None:
    assert reason_to_drop(f"{BODY} We face risks ofloading.", "Risks of loading") is None


def test_normalised_ignores_case_punctuation_and_space() -> None:
    assert normalised("We,  may FAIL\n(soon).") == normalised("we may fail soon")


def test_template_keeps_braces_of_the_body() -> None:
    assert "{body} {x}" in T1.render("{body} {x}")


@pytest.mark.parametrize("prompt", ["no place", "{body} and {body}"])
def test_template_needs_one_body(prompt: str) -> None:
    with pytest.raises(ValueError, match="exactly once"):
        Template("T9", "t9-1", prompt).parts()
