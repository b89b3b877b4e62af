# ruff: noqa: E501 - the lists of fragments read better unbroken
"""Any bytes at all: no exception, no crash, no hang, bounded memory, offsets that hold, the same answer twice.

Every document goes to an extractor in a process of its own, which also checks what must hold (`extraction_apart`).
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.extraction_apart import Apart
from benchmarks.extraction_limits import KINDS, MEBIBYTES, filing

USUAL = settings().max_examples
"""100, and more where the profile `thorough` is chosen (`make verify`)."""
THOROUGH = USUAL > 100
VAST = 50_000_000 if THOROUGH else 500_000
"""Bytes of each kind of vast document."""
BOMB = 1_000_000 if THOROUGH else 100_000
"""Bytes of what a mutation puts into a filing."""

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
BOMBS = [
    b"<div>", b"<b>", b"<p>", b"</div>", b"</td></tr></table>", b"<table><tr><td>", b"<ul><li>", b"<font color=red><p>x</p>",
    b"<td colspan=999999999 rowspan=999999999>x", b"<p a=1 b=2 c=3>", b"a=1 ", b"&amp;", b"&#x1F600;", b"&nosuch;", b"<!ENTITY a '&a;&a;'>",
    b"<!--", b"-->", b"<![CDATA[", b"<style>", b".a{font-weight:bold}", b"<script>", b"<pre>", b"\n \n", b"\0", b"\xff", b"\xe2\x80", b"\x81",
    b"x", b" ", b"\xc2\xa0", b"<p>17</p><hr style='page-break-after:always'>", b"<p><b>Item 1A. Risk Factors</b></p>",
    b"<p><b>Item 2. Properties</b></p>", b"<p>PART II</p>", b"<a href='#x'>Risk Factors</a> 9 ", b"<p><b>Risk Factors</b></p>",
    b"<p>&#8226; <b>We may lose all.</b> Words.</p>", b"<ix:nonNumeric name='dei:DocumentFiscalYearFocus'>2023", b"<ix:header>", b"</DOCUMENT>",
]  # fmt: skip

slow = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


@settings(slow, max_examples=3 * USUAL // 2)
@given(st.binary(max_size=400), st.sampled_from(["10-K", "10-Q", ""]))
def test_random_bytes(apart: Apart, document: bytes, form: str) -> None:
    apart.extract(document, form, twice=True)


@settings(slow, max_examples=4 * USUAL)
@given(st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=8), max_size=60), st.sampled_from(["10-K", "10-Q"]))
def test_random_markup(apart: Apart, pieces: list[str], form: str) -> None:
    apart.extract("".join(pieces).encode("utf-8", "surrogatepass"), form, twice=True)


@dataclass(frozen=True)
class Mutation:
    """A change to a document; `places` are shares of its length, in order."""

    what: str
    places: tuple[float, ...]
    unit: bytes = b""
    share: float = 0.0

    def of(self, document: bytes) -> bytes:
        first, second, third = (int(place * len(document)) for place in self.places)
        before, one, other, after = document[:first], document[first:second], document[second:third], document[third:]
        bomb = self.unit * (1 + int(self.share * BOMB) // len(self.unit)) if self.unit else b""
        changed: dict[str, Callable[[], bytes]] = {
            "cut": lambda: before + other + after,
            "end": lambda: before,
            "duplicate": lambda: before + one + one + other + after,
            "swap": lambda: before + other + one + after,
            "put": lambda: before + bomb + one + other + after,
            "put between tags": lambda: before + one + other.replace(b">", b">" + bomb, 1) + after,
            "put into every tag": lambda: before + one.replace(b"<p", b"<p " + self.unit) + other + after,
            "damage": lambda: before + bytes(byte ^ 0x80 for byte in one[:999]) + one[999:] + other + after,
            "reencode": lambda: document.decode("utf-8", "replace").encode("utf-16"),
        }
        return changed[self.what]()

    KINDS = ("cut", "end", "duplicate", "swap", "put", "put between tags", "put into every tag", "damage", "reencode")


mutations = st.builds(
    Mutation,
    st.sampled_from(Mutation.KINDS),
    st.tuples(*[st.floats(0, 1)] * 3).map(lambda places: tuple(sorted(places))),
    st.sampled_from(BOMBS),
    st.floats(0, 1),
)


@settings(slow, max_examples=USUAL)
@given(st.integers(0, 10**6), st.lists(mutations, min_size=1, max_size=4), st.sampled_from(["10-K", "10-Q"]))
def test_filings_that_were_damaged(apart: Apart, corpus: Path, number: int, changes: list[Mutation], form: str) -> None:
    filings = sorted(corpus.rglob("*.htm"))
    document = filings[number % len(filings)].read_bytes()
    for change in changes:
        document = change.of(document)
    assert apart.extract(document, form, twice=True).peak_mib < MEBIBYTES


@pytest.mark.parametrize("kind", KINDS)
def test_vast_documents_of_every_kind(apart: Apart, kind: str) -> None:
    """Alone at full size: a process that has read other vast documents keeps some of their memory for the next."""
    with Apart() if THOROUGH else nullcontext(apart) as extractor:
        assert extractor.extract(KINDS[kind](VAST)).peak_mib < MEBIBYTES


def test_a_filing_of_fifty_megabytes() -> None:
    with Apart() as alone:
        answer = alone.extract(filing(50_000_000))
    assert answer.status == "full"
    assert answer.risk_factors == 200
    assert answer.peak_mib < MEBIBYTES


@pytest.mark.parametrize("unit", [b"<div>a", b"<b>a", b"<table><tr><td>a", b"<font size=2><p>Lamps.</p>"])
def test_an_item_behind_tags_that_nest_too_deep_is_not_called_absent(apart: Apart, unit: bytes) -> None:
    answer = apart.extract(unit * 100_000 + b"<p>Item 1A. Risk Factors</p><p>We may lose.</p>")
    assert answer.status == "failed"
    assert "Excessive depth" in answer.evidence


def test_an_item_that_reaches_the_end_of_what_was_read_is_not_called_whole(apart: Apart) -> None:
    answer = apart.extract(b"<p>Item 1A. Risk Factors</p>" + b"lose<br>" * 300_000)
    assert answer.status == "failed"
    assert "250000 lines" in answer.evidence


def test_a_tag_with_ever_more_attributes(apart: Apart) -> None:
    attributes = b" ".join(b"a%d" % number for number in range(200_000))
    answer = apart.extract(b"<p " + attributes + b">x</p><p>Item 1A. Risk Factors</p><p>We may lose.</p>")
    assert answer.characters == len("We may lose.")
