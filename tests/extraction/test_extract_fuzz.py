# ruff: noqa: E501 - the lists of fragments read better unbroken
"""Any bytes at all: no exception, offsets that hold, the same answer twice."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from govtune_assets.extraction import Section, Status, extract_with_facts

USUAL = settings().max_examples
"""100, and more where the profile `thorough` is chosen (`make verify`)."""

FRAGMENTS = [
    "<p>", "</p>", "<div>", "</div>", "<b>", "</b>", "<i>", "<u>", "<br>", "<hr style='page-break-after:always'>",
    "<table>", "<tr>", "<td>", "</td>", "</tr>", "</table>", "<pre>", "</pre>", "<ix:header>", "</ix:header>",
    "<ix:nonNumeric name='dei:DocumentFiscalYearFocus'>", "</ix:nonNumeric>", "<span style='font-weight:bold;display:none'>",
    "<style>.a{font-weight:bold}", "</style>", "<p class=a>", "<a href='#x'>", "</a>", "<p id=x>", "<!--", "-->", "<![CDATA[",
    "<script>", "</script>", "&nbsp;", "&#8226;", "&", "<", ">", "\0", "\ufeff", "\u200b", "\n\n",
    "Item 1A. Risk Factors", "ITEM 1A", "Risk Factors", "Item 1B. Unresolved Staff Comments", "Item 2.", "PART II", "Part I",
    "Table of Contents", "12", "13", "14", "Not applicable", "fiscal 2010", "FORM 10-K", "For the year ended June 31, 2010",
    "We may lose everything that we have, and more.", "Risks Related to Us", "Summary of Risk Factors", "goes on", ".", " ",
]  # fmt: skip


def check(document: bytes, form: str) -> Section:
    section, facts = extract_with_facts(document, form)
    text = section.text or ""
    for factor in section.risk_factors:
        assert text[factor.start : factor.end] == factor.body
        assert factor.body
    assert list(section.risk_factors) == sorted(section.risk_factors, key=lambda f: f.start)
    if section.status in (Status.ABSENT, Status.NOT_APPLICABLE, Status.FAILED):
        assert section.text is None
        assert section.risk_factors == ()
    assert (section, facts) == extract_with_facts(document, form)
    return section


@settings(max_examples=3 * USUAL // 2, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=400), st.sampled_from(["10-K", "10-Q", ""]))
def test_random_bytes(document: bytes, form: str) -> None:
    check(document, form)


@settings(max_examples=4 * USUAL, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=8), max_size=60), st.sampled_from(["10-K", "10-Q"]))
def test_random_markup(pieces: list[str], form: str) -> None:
    check("".join(pieces).encode("utf-8", "surrogatepass"), form)


@pytest.mark.parametrize(
    "unit",
    [
        b"<b>", b"<div>", b"<p>", b"<table><tr><td>", b"<p><b>Risk Factors</b></p>", b"<p>Item 1A. Risk Factors</p>", b"<", b"&#1;",
        b"<td><div>a</div><div>b</div></td>", b"<!--", b"<p>Item 1A</p><p>1</p>", b"-", b"risk ", b"a=1 ", b"<p a=1 b=2>", b"\n \r",
        b"<p>goes on</p><hr style='page-break-after:always'>", b"<ix:nonnumeric name='dei:DocumentType'>",
    ],
)  # fmt: skip
def test_one_thing_repeated_without_end(unit: bytes) -> None:
    size = 300_000
    check(b"<p>Item 1A. Risk Factors</p><p><b>We may lose.</b> " + unit * (size // len(unit)), "10-K")


def test_a_tag_with_ever_more_attributes() -> None:
    attributes = b" ".join(b"a%d" % number for number in range(200_000))
    section = check(b"<p " + attributes + b">x</p><p>Item 1A. Risk Factors</p><p>We may lose.</p>", "10-K")
    assert section.text == "We may lose."


def test_a_document_of_fifty_megabytes() -> None:
    paragraph = (
        b"<p style='margin:0'><span style='font-size:10pt'>" + b"Words about lamps and glass. " * 20 + b"</span></p>"
    )
    filler = paragraph * (50_000_000 // len(paragraph))
    section, _ = extract_with_facts(filler + b"<p>Item 1A. Risk Factors</p><p>We may lose.</p>", "10-K")
    assert section.text == "We may lose."
