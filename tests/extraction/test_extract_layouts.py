"""Finding Item 1A: layouts that real filings have, rebuilt small."""

import pytest

from govtune_assets.extraction import Section, Status, extract

INTRO = "Our business faces risks that could hurt its results in many ways."
CAPTION = "Demand for our lamps may fall when households spend less."
BODY = (
    "Lamps are bought when people move house or redecorate, and both follow the economy. In a downturn our sales could "
    "decline faster than our costs, and inventory that we hold for a season could lose value before we sell it. "
)
LONG = "".join(f"<p><b>{CAPTION}</b></p><p>{BODY * 3}</p>" for _ in range(6))
CONTENTS = """
<table><tr><td><a href="#i1">Item 1.</a></td><td><a href="#i1">Business</a></td><td>3</td></tr>
<tr><td><a href="#i1a">Item 1A.</a></td><td><a href="#i1a">Risk Factors</a></td><td>9</td></tr>
<tr><td><a href="#i1b">Item 1B.</a></td><td><a href="#i1b">Unresolved Staff Comments</a></td><td>20</td></tr>
<tr><td>Item 2.</td><td>Properties</td><td>20</td></tr></table>"""
BREAK = "<hr style='page-break-after:always'>"


def annual(*parts: str) -> Section:
    """The section of a 10-K made of `parts`."""
    return extract(("<html><body>" + "".join(parts) + "</body></html>").encode(), "10-K")


def quarterly(*parts: str) -> Section:
    """The section of a 10-Q made of `parts`."""
    return extract(("<html><body>" + "".join(parts) + "</body></html>").encode(), "10-Q")


START = "<p><b>Item 1. Business</b></p><p>We make lamps.</p>"
END = "<p><b>Item 1B. Unresolved Staff Comments</b></p><p>None.</p><p><b>Item 2. Properties</b></p><p>A plant.</p>"


def assert_is_the_section(section: Section) -> None:
    assert section.status is Status.FULL
    assert section.text is not None
    assert section.text.startswith(INTRO)
    assert section.text.count(CAPTION) == 6
    assert "Unresolved" not in section.text
    assert "We make lamps" not in section.text
    assert len(section.risk_factors) == 6


@pytest.mark.parametrize(
    "heading",
    [
        "<p><b>Item 1A. Risk Factors</b></p>",
        "<p>ITEM 1A.RISK FACTORS</p>",
        "<p><b>Item 1A.Risk Factors.</b></p>",
        "<p><b>Item 1A \u2014 Risk Factors:</b></p>",
        "<p><b>Item&#160;1A:</b> <b>Risk Factors</b></p>",
        "<p><b>ITEM 1A</b></p><p><b>RISK FACTORS</b></p>",
        "<table><tr><td><b>Item 1A.</b></td><td><b>Risk Factors</b></td></tr></table>",
        "<p><b><span>R</span></b></p><p><b>PART I, ITEM 1A. RISK FACTORS</b></p>",
        "<p><font>I</font><font>TEM</font> <font>1A.</font> R<font>ISK</font> F<font>ACTORS</font></p>",
    ],
)
@pytest.mark.parametrize("contents", [CONTENTS, ""], ids=["contents", "no contents"])
def test_headings_in_all_their_spellings(heading: str, contents: str) -> None:
    assert_is_the_section(annual(contents, START, heading, f"<p>{INTRO}</p>", LONG, END))


def test_a_heading_with_its_body_on_the_same_line() -> None:
    section = annual(START, f"<p><b>ITEM 1A. RISK FACTORS.</b> {INTRO}</p>", LONG, END)
    assert_is_the_section(section)


def test_prose_that_mentions_the_item_does_not_begin_it() -> None:
    mention = (
        "<p>Item 1A, Risk Factors, describes what could go wrong.</p><p>Item 1A \u201cRisk Factors\u201d says more.</p>"
    )
    section = annual(CONTENTS, START, mention, f"<p>Item 1A. Risk Factors</p><p>{INTRO}</p>", LONG, mention, END)
    assert section.text is not None
    assert section.text.startswith(INTRO)


def test_a_running_page_header_equal_to_the_heading() -> None:
    page = f"<p>17</p>{BREAK}<p>PART I</p><p>Item 1A. Risk Factors</p>"
    section = annual(
        CONTENTS, START, f"<p>PART I</p><p>Item 1A. Risk Factors</p><p>{INTRO}</p>", page.join([LONG] * 4), END
    )
    assert section.text is not None
    assert section.text.count(CAPTION) == 24
    assert "Item 1A" not in section.text
    assert "PART I" not in section.text


def test_part_and_item_labels_on_every_page_of_a_quarterly_report() -> None:
    page = f"<p>31</p>{BREAK}<p>PART II</p><p>Item 1A</p>"
    text = f"<p>PART II</p><p>Item 1A. Risk Factors</p><p>{INTRO}</p>" + page.join([LONG] * 4)
    section = quarterly(START, text, "<p>Item 2. Unregistered Sales of Equity Securities</p><p>None.</p>")
    assert section.text is not None
    assert section.text.count(CAPTION) == 24
    assert "PART II" not in section.text


def test_a_cross_reference_index_and_a_bare_title() -> None:
    index = """<table><tr><td>Item 1A.</td><td>Risk Factors</td><td>27-36</td></tr>
    <tr><td>Item 1B.</td><td>Unresolved Staff Comments</td><td>Not applicable</td></tr>
    <tr><td>Item 2.</td><td>Properties</td><td>4</td></tr></table>"""
    for title in (f"<p><b>RISK FACTORS.</b> {INTRO}</p>", f"<p><b>Risk Factors</b></p><p>{INTRO}</p>"):
        section = annual("<p>About</p>", title, LONG, "<p><b>LEGAL PROCEEDINGS.</b> See Note 24.</p>", index)
        assert_is_the_section(section)


def test_a_section_ends_where_a_linked_title_begins() -> None:
    contents = """<table><tr><td>Risk Factors</td><td><a href="#r">9</a></td></tr>
    <tr><td><a href="#t">Our towns</a></td></tr></table>"""
    body = f'<p id="r"><b>Risk Factors</b></p><p>{INTRO}</p>{LONG}<p id="t"><b>Our towns</b></p><p>Unresolved.</p>'
    assert_is_the_section(
        annual(contents, body, "<table><tr><td>Item 1A</td><td>Risk Factors</td><td>9</td></tr></table>")
    )


def test_an_index_that_says_not_applicable() -> None:
    section = quarterly(
        START, "<table><tr><td>Item 1A.</td><td>Risk Factors</td><td>Not applicable(a)</td></tr></table>"
    )
    assert section.status is Status.NOT_APPLICABLE
    assert section.text is None


def test_risk_factors_in_part_i_of_a_quarterly_report_are_not_the_item() -> None:
    pointer = "For a discussion of risk factors, refer to the section Risk Factors in Part I, Item 2 of this report."
    section = quarterly(
        f"<p><b>Risk Factors</b></p><p>{INTRO}</p>{LONG}<p><b>Item 4. Controls and Procedures</b></p><p>Good.</p>",
        f"<p>PART II</p><p><b>Item 1A. Risk Factors</b></p><p>{pointer}</p><p><b>Item 6. Exhibits</b></p><p>31.1</p>",
    )
    assert section.status is Status.POINTER_OR_NO_CHANGE
    assert section.text == pointer


@pytest.mark.parametrize(
    ("form", "body", "status"),
    [
        (
            "10-Q",
            "There have been no material changes to our risk factors since our Form 10-K.",
            Status.POINTER_OR_NO_CHANGE,
        ),
        ("10-Q", "Not required for smaller reporting companies.", Status.NOT_REQUIRED),
        ("10-K", "As a smaller reporting company we need not provide this information.", Status.NOT_REQUIRED),
        (
            "10-K",
            "The information on pages 20 to 31 of Exhibit 13 is incorporated by reference.",
            Status.INCORPORATED_BY_REFERENCE,
        ),
        ("10-Q", "Not applicable.", Status.NOT_APPLICABLE),
        ("10-Q", "N/A", Status.NOT_APPLICABLE),
        ("10-Q", "Our factory burned down in May and may not be rebuilt.", Status.FULL),
    ],
)
def test_what_a_short_item_says(form: str, body: str, status: Status) -> None:
    document = f"<p>Item 1A. Risk Factors</p><p>{body}</p><p>Item 2. Unregistered Sales</p><p>None.</p>"
    section = extract(document.encode(), form)
    assert section.status is status
    assert section.text == (None if status is Status.NOT_APPLICABLE else body)
    assert section.evidence


def test_a_filing_without_the_item() -> None:
    section = quarterly("<p>Item 1. Legal Proceedings</p><p>None.</p><p>Item 6. Exhibits</p><p>31</p>")
    assert section.status is Status.ABSENT
    assert section.text is None
    assert section.risk_factors == ()


@pytest.mark.parametrize(
    "document", [b"", b"   \n", b"\0\0\0", b"<!-- nothing -->", b"<html><head><title>x</title></head></html>"]
)
def test_a_document_without_text_failed(document: bytes) -> None:
    assert extract(document, "10-K").status is Status.FAILED


def test_page_furniture_is_left_out_and_paragraphs_are_joined_again() -> None:
    pages = [
        f"<p>What we say of {subject} goes on and on and</p>"
        f"<p>Lamp Makers Inc. | 2023 Form 10-K | {n}</p><p>{n}</p>{BREAK}"
        f"<p><a href='#top'>Table of Contents</a></p><p>comes to its end on the next page.</p>"
        for n, subject in enumerate(["glass", "wire", "shades", "switches", "plugs"], 9)
    ]
    section = annual("<p>Item 1A. Risk Factors</p>", f"<p>{INTRO}</p>", *pages, LONG, END)
    assert section.text is not None
    assert "Table of Contents" not in section.text
    assert "Lamp Makers" not in section.text
    assert "goes on and on and comes to its end" in section.text
    assert not [line for line in section.text.split("\n") if line.strip().isdigit()]


def test_page_numbers_of_a_document_without_page_breaks() -> None:
    pages = "".join(f"<p>{BODY}</p><p>{n}</p>" for n in range(9, 15))
    section = annual("<p>Item 1A. Risk Factors</p>", f"<p>{INTRO}</p>", pages, LONG, END)
    assert section.text is not None
    assert not [line for line in section.text.split("\n") if line.strip().isdigit()]


def test_numbers_in_tables_are_not_page_numbers() -> None:
    table = "<table><tr><td>Plants</td><td>12</td></tr><tr><td>Shops</td><td>13</td></tr></table>"
    section = annual("<p>Item 1A. Risk Factors</p>", f"<p>{INTRO}</p>", table, LONG, END)
    assert section.text is not None
    assert "Plants 12\nShops 13" in section.text


def test_hidden_text_and_the_inline_xbrl_header_are_no_text() -> None:
    header = "<ix:header><ix:hidden>Item 1A. Risk Factors secret</ix:hidden></ix:header>"
    hidden = f"{header}<div style='display: none'>secret</div>"
    section = annual(hidden, START, f"<p>Item 1A. Risk Factors</p><p>{INTRO}</p>", hidden, LONG, END)
    assert_is_the_section(section)
    assert "secret" not in (section.text or "")


def test_plain_text_filings() -> None:
    paragraphs = "\n\n".join([INTRO, *[f"{CAPTION.upper()}\n\n{BODY * 3}"] * 6])
    start = "<DOCUMENT>\n<TYPE>10-K\n<TEXT>\nITEM 1.   BUSINESS\n\nLamps.\n\nITEM 1A.  RISK FACTORS\n\n"
    document = f"{start}{paragraphs}\n\nITEM 2.  PROPERTIES\n\nOne.\n</TEXT></DOCUMENT>"
    section = extract(document.encode(), "10-K")
    assert section.status is Status.FULL
    assert section.text is not None
    assert section.text.startswith(INTRO)
    assert "PROPERTIES" not in section.text
    assert len(section.risk_factors) == 6


def test_other_encodings() -> None:
    document = f"<p>Item 1A \x97 Risk Factors</p><p>{INTRO} Caf\xe9s buy lamps.</p>{LONG}{END}".encode("latin-1")
    section = extract(document, "10-K")
    assert section.text is not None
    assert "Caf\u00e9s buy lamps" in section.text


def test_only_the_first_document_of_a_submission_counts() -> None:
    first = f"<DOCUMENT><TYPE>10-K<TEXT><p>Item 1A. Risk Factors</p><p>Not applicable.</p>{END}</TEXT></DOCUMENT>"
    second = f"<DOCUMENT><TYPE>EX-99<TEXT><p>Item 1A. Risk Factors</p><p>{INTRO}</p>{LONG}{END}</TEXT></DOCUMENT>"
    assert extract((first + second).encode(), "10-K").status is Status.NOT_APPLICABLE
