"""Groups, subcaptions, bodies and the summary: how type and order tell them apart."""

from collections.abc import Sequence

import pytest

from govtune_assets.extraction import Section, extract

BODY = "Plain words describe what may happen and why it would matter to those who hold our shares. " * 4
FIRST = "We depend on a single supplier of glass, which could fail us."
SECOND = "Our patents may not keep competitors from copying our lamps."
THIRD = "Changes in tax law could raise the taxes that we pay."
PLAIN = f"<p>{BODY}</p>"


def section_of(*parts: str, style: str = "") -> Section:
    """The section of a 10-K whose Item 1A holds `parts`."""
    item = "".join(["<p>Item 1A. Risk Factors</p>", *parts, "<p>Item 1B. Unresolved Staff Comments</p><p>None.</p>"])
    document = f"<html><head><style>{style}</style></head><body>{item}</body></html>"
    return extract(document.encode(), "10-K")


def outline(section: Section) -> Sequence[tuple[str | None, str | None]]:
    """(group, subcaption) of each risk factor, after a check of the offsets."""
    assert section.text is not None
    for factor in section.risk_factors:
        assert section.text[factor.start : factor.end] == factor.body
    return [(factor.group, factor.subcaption) for factor in section.risk_factors]


@pytest.mark.parametrize(
    "heading",
    [
        "<p><b>{}</b></p>",
        "<p><strong><em>{}</em></strong></p>",
        "<p><i>{}</i></p>",
        "<p><u>{}</u></p>",
        "<p style='font-weight:700'>{}</p>",
        "<p><span style='FONT-STYLE: italic'>{}</span></p>",
        "<p><span style='text-decoration:underline'>{}</span></p>",
        "<p style='font:bold 10pt Times'>{}</p>",
        "<p class='caption other'>{}</p>",
        "<h4>{}</h4>",
        "<div style='font-weight:bold'><p>{}</p></div>",
        "<table><tr><td><b>{}</b></td></tr></table>",
    ],
)
def test_subcaptions_by_any_kind_of_type(heading: str) -> None:
    parts = [PLAIN, *(heading.format(caption) + PLAIN for caption in (FIRST, SECOND, THIRD))]
    section = section_of(*parts, style="p.caption { font-weight: bold } .x{color:red}")
    assert outline(section) == [(None, FIRST), (None, SECOND), (None, THIRD)]
    assert {factor.body for factor in section.risk_factors} == {BODY.strip()}


@pytest.mark.parametrize("group_type", ["b", "u", "i"])
def test_groups_stand_above_subcaptions(group_type: str) -> None:
    def group(name: str) -> str:
        return f"<p><{group_type}>{name}</{group_type}></p>"

    section = section_of(
        group("Risks Related to Supply"),
        f"<p><b>{FIRST}</b></p>{PLAIN}<p><b>{SECOND}</b></p>{PLAIN}{PLAIN}",
        group("Taxes"),
        f"<p><b>{THIRD}</b></p>{PLAIN}",
    )
    assert outline(section) == [
        ("Risks Related to Supply", FIRST),
        ("Risks Related to Supply", SECOND),
        ("Taxes", THIRD),
    ]


def test_run_in_subcaptions() -> None:
    section = section_of(
        f"<p><b>STRATEGIC RISKS.</b> {BODY}</p>",
        f"<p><b>{FIRST}</b> {BODY}</p>{PLAIN}<p><b>{SECOND}</b> {BODY}</p>",
        f"<p><b>LEGAL RISKS.</b> {BODY}</p><p><b>{THIRD}</b> {BODY}</p>",
    )
    assert outline(section) == [("STRATEGIC RISKS.", FIRST), ("STRATEGIC RISKS.", SECOND), ("LEGAL RISKS.", THIRD)]
    assert section.risk_factors[0].body == f"{BODY.strip()}\n{BODY.strip()}"


def test_topics_as_subcaptions() -> None:
    section = section_of(*(f"<p><b>{topic}</b></p>{PLAIN}" for topic in ("Competition", "Suppliers", "Weather")))
    assert outline(section) == [(None, "Competition"), (None, "Suppliers"), (None, "Weather")]


def test_headings_inside_a_body_do_not_end_it() -> None:
    section = section_of(f"<p><b>{FIRST}</b></p>{PLAIN}<p><i>Glass</i></p>{PLAIN}<p><b>{SECOND}</b></p>{PLAIN}")
    assert outline(section) == [(None, FIRST), (None, SECOND)]
    assert "\nGlass\n" in section.risk_factors[0].body


def test_emphasis_inside_a_paragraph_and_bold_bullets_are_body() -> None:
    bullets = f"<p>&#8226;<b>Training:</b> {BODY}</p><p>{BODY} <b>We could fail.</b> {BODY}</p>"
    section = section_of(f"<p><b>{FIRST}</b></p>{PLAIN}{bullets}<p><b>{SECOND}</b></p>{PLAIN}")
    assert outline(section) == [(None, FIRST), (None, SECOND)]


def test_subcaptions_behind_bullets() -> None:
    section = section_of(*(f"<p>&#8226; <b>{caption}</b> {BODY}</p>" for caption in (FIRST, SECOND, THIRD)))
    assert outline(section) == [(None, FIRST), (None, SECOND), (None, THIRD)]


def test_a_subcaption_cut_by_a_page() -> None:
    page = "<p>7</p><hr style='page-break-after:always'>"
    cut = f"<p><b>We depend on a single supplier</b></p>{page}<p><b>of glass, which could fail us.</b></p>"
    section = section_of(cut + PLAIN + f"<p><b>{SECOND}</b></p>{PLAIN}")
    assert outline(section) == [(None, FIRST), (None, SECOND)]


def test_a_bullet_does_not_go_on_with_a_subcaption() -> None:
    cut = "<p><b>Our patents may not keep others from copying our lamps and</b></p>"
    section = section_of(f"<p><b>{FIRST}</b></p>{PLAIN}{cut}<p>&#8226; <b>{THIRD}</b></p>{PLAIN}")
    assert outline(section) == [(None, FIRST), (None, THIRD)]


def test_headings_stand_at_their_spans() -> None:
    cut = f"<p><b>{FIRST[:20]}</b></p><p>7</p><hr style='page-break-after:always'><p><b>{FIRST[20:]}</b></p>"
    section = section_of(f"<p><b><u>Risks Related to Supply</u></b></p>{cut}{PLAIN}<p><b>{SECOND}</b> {BODY}</p>")
    assert section.text is not None
    for factor in section.risk_factors:
        for heading, span in ((factor.group, factor.group_span), (factor.subcaption, factor.subcaption_span)):
            assert span is not None
            assert section.text[slice(*span)].replace("\n", " ") == heading
    assert [factor.group for factor in section.risk_factors] == ["Risks Related to Supply"] * 2


def test_the_summary_of_principal_risks() -> None:
    listed = f"<p>&#8226;{FIRST}</p><p>&#8226;{SECOND}</p>"
    section = section_of(
        PLAIN,
        f"<p><b>Summary of Risk Factors</b></p><p>The principal risks are:</p><p><b>Supply Risks</b></p>{listed}",
        f"<p><b>Supply Risks</b></p><p><b>{FIRST}</b></p>{PLAIN}<p><b>{SECOND}</b></p>{PLAIN}",
    )
    assert outline(section) == [("Supply Risks", FIRST), ("Supply Risks", SECOND)]
    assert section.summary == f"The principal risks are:\nSupply Risks\n\u2022{FIRST}\n\u2022{SECOND}"
    assert section.text is not None
    assert section.summary in section.text


FRONT = "<p><b>Risk Factor Summary</b></p><p>Our risks are these:</p>"
LISTED = f"<p>&#8226; {FIRST}</p><p>&#8226; {SECOND}</p>"


@pytest.mark.parametrize(
    "after",
    ["<p>PART I</p>", "<p>Item 1. Business</p>", "<p><b>Trademarks</b></p><p>They are ours.</p><p>PART I</p>"],
)
def test_a_summary_in_front_of_the_items(after: str) -> None:
    page = "<p>4</p><hr style='page-break-after:always'>"
    front = f"{FRONT}<p><b>Supply Risks</b></p>{LISTED}{page}<p>&#8226; {THIRD}</p>{after}<p>Lamps.</p>"
    section = extract(
        f"<p>FORM 10-K</p>{front}<p>Item 1A. Risk Factors</p><p><b>{FIRST}</b></p>{PLAIN}".encode(), "10-K"
    )
    bullets = "\n".join(f"\u2022 {caption}" for caption in (FIRST, SECOND, THIRD))
    assert section.summary == f"Our risks are these:\nSupply Risks\n{bullets}"
    assert outline(section) == [(None, FIRST)]


@pytest.mark.parametrize(
    "front",
    [
        "<table><tr><td><b>Risk Factor Summary</b></td><td>4</td></tr></table>" + LISTED,
        "<p><b><a href='#s'>Risk Factor Summary</a></b></p>" + LISTED,
        "<p>Risk Factor Summary</p>" + LISTED,
        FRONT + PLAIN,
        FRONT + LISTED * 300,
    ],
    ids=["table of contents", "link", "prose", "no list", "too long"],
)
def test_what_is_no_summary_in_front_of_the_items(front: str) -> None:
    item = f"<p>Item 1A. Risk Factors</p><p><b>{FIRST}</b></p>{PLAIN}"
    assert extract(f"<p>FORM 10-K</p>{front}<p>PART I</p>{item}".encode(), "10-K").summary is None


def test_the_section_s_own_summary_counts_where_there_are_two() -> None:
    own = f"<p><b>Summary of Risk Factors</b></p><p>&#8226;{THIRD}</p><p><b>{FIRST}</b></p>{PLAIN}"
    document = f"<p>FORM 10-K</p>{FRONT}{LISTED}<p>PART I</p><p>Item 1A. Risk Factors</p>{own}"
    assert extract(document.encode(), "10-K").summary == f"\u2022{THIRD}"


def test_a_section_without_subcaptions_is_one_risk_factor() -> None:
    section = section_of(PLAIN, PLAIN, PLAIN)
    assert outline(section) == [(None, None)]
    assert section.risk_factors[0].body == section.text


def test_the_same_bytes_give_the_same_section() -> None:
    document = f"<p>Item 1A. Risk Factors</p><p><b>{FIRST}</b></p>{PLAIN}".encode()
    assert extract(document, "10-K") == extract(document, "10-K")
