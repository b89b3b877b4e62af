"""Fiscal facts: tagged, nested, and from the cover page."""

from datetime import date

import pytest

from govtune_assets.extraction import FiscalFacts, fiscal_facts


def tagged(name: str, value: str) -> str:
    return f'<ix:nonNumeric name="dei:{name}" contextRef="c">{value}</ix:nonNumeric>'


COVER = "".join(
    [
        tagged("DocumentType", "10-K"),
        tagged("AmendmentFlag", "false"),
        tagged("DocumentPeriodEndDate", 'January <ix:nonNumeric name="dei:X">28</ix:nonNumeric>, 2024'),
        tagged("EntityRegistrantName", "LAMP  MAKERS<br>INC"),
        tagged("EntityCentralIndexKey", "0000320193"),
        tagged("DocumentFiscalYearFocus", "<span>20<b>23</b></span>"),
        tagged("DocumentFiscalPeriodFocus", "FY"),
        tagged("TradingSymbol", "LMP"),
        tagged("TradingSymbol", "LMP.B"),
    ]
)


def test_tagged_facts_are_read_from_the_tree() -> None:
    assert fiscal_facts(f"<html><body>{COVER}</body></html>".encode()) == FiscalFacts(
        fiscal_year=2023,
        fiscal_period="FY",
        period_end=date(2024, 1, 28),
        cik="0000320193",
        entity_name="LAMP MAKERSINC",
        form_type="10-K",
        amendment=False,
        trading_symbols=("LMP", "LMP.B"),
        source="inline_xbrl",
    )


def test_facts_in_the_hidden_header_count() -> None:
    hidden = f"<div style='display:none'><ix:header><ix:hidden>{COVER}</ix:hidden></ix:header></div><p>Text</p>"
    assert fiscal_facts(hidden.encode()).fiscal_year == 2023


@pytest.mark.parametrize(
    ("words", "end"),
    [
        ("For the fiscal year ended January 31, 2010", date(2010, 1, 31)),
        ("FOR THE QUARTERLY PERIOD ENDED <b>June 30 , 2009</b>", date(2009, 6, 30)),
        ("for the fiscal year ended<br>December 31, 2008", date(2008, 12, 31)),
        ("For the fiscal year ended February 30, 2010", None),
        ("It ended well.", None),
    ],
)
def test_the_cover_page_of_a_filing_without_tags(words: str, end: date | None) -> None:
    facts = fiscal_facts(f"<p>FORM 10-K</p><p>{words}</p>".encode())
    assert facts.period_end == end
    assert facts.form_type == "10-K"
    assert facts.amendment is False
    assert facts.fiscal_year is None
    assert facts.source == ("cover_page" if end else "none")


def test_an_amendment_says_so_on_its_cover() -> None:
    facts = fiscal_facts(b"<p>FORM 10-Q/A</p><p>For the quarterly period ended June 30, 2009</p>")
    assert facts.form_type == "10-Q/A"
    assert facts.amendment is True


def test_years_that_the_text_names_are_counted() -> None:
    facts = fiscal_facts(b"<p>In fiscal 2010 we grew, as in fiscal year 2009. Fiscal 2010 was good.</p>")
    assert facts.years_named == ((2009, 1), (2010, 2))


@pytest.mark.parametrize("value", ["20233", "MMXXIII", "", "2023-01"])
def test_a_year_that_is_none_is_not_taken(value: str) -> None:
    assert fiscal_facts(tagged("DocumentFiscalYearFocus", value).encode()).fiscal_year is None
