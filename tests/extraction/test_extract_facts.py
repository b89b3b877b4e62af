"""Fiscal facts: tagged, nested, and from the cover page."""

import json
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
        tagged("EntityCentralIndexKey", "0000000007"),
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
        ciks=("0000320193", "0000000007"),
        entity_name="LAMP MAKERSINC",
        form_type="10-K",
        amendment=False,
        trading_symbols=("LMP", "LMP.B"),
        source="inline_xbrl",
        period_source="inline_xbrl",
    )


def test_facts_in_the_hidden_header_count() -> None:
    hidden = f"<div style='display:none'><ix:header><ix:hidden>{COVER}</ix:hidden></ix:header></div><p>Text</p>"
    assert fiscal_facts(hidden.encode()).fiscal_year == 2023


@pytest.mark.parametrize("value", ["12/31/2018", "2018-12-31", "Dec. 31, 2018", "31 December 2018", "DECEMBER 31,2018"])
def test_a_tagged_day_may_be_written_in_any_way(value: str) -> None:
    assert fiscal_facts(tagged("DocumentPeriodEndDate", value).encode()).period_end == date(2018, 12, 31)


@pytest.mark.parametrize(
    ("words", "end"),
    [
        ("For the fiscal year ended January 31, 2010", date(2010, 1, 31)),
        ("FOR THE QUARTERLY PERIOD ENDED <b>June 30 , 2009</b>", date(2009, 6, 30)),
        ("for the fiscal year ended<br>December 31, 2008", date(2008, 12, 31)),
        ("For the fiscal year ended: December&#160;31, 2018", date(2018, 12, 31)),
        ("<div>For the fiscal year ended</div><div>December 29,</div><div>2018</div>", date(2018, 12, 29)),
        (
            "<table><tr><td>For the fiscal year ended</td><td>Commission file number</td></tr>"
            "<tr><td>March 31, 2019</td><td>1-1</td></tr></table>",
            date(2019, 3, 31),
        ),
        ("For the fiscal year (52 weeks) ended Saturday, February 2, 2019", date(2019, 2, 2)),
        ("For the thirteen weeks ended Sept. 28th, 2019", date(2019, 9, 28)),
        ("For the quarterly period ended   3/31/2019", date(2019, 3, 31)),
        ("For Quarter Ended: 30 June 2019", date(2019, 6, 30)),
        ("For the fiscal year ended on the 30th of June 2019", date(2019, 6, 30)),
        ("For the quarter ending September 30, 2018", date(2018, 9, 30)),
        ("For the fiscal year ended __December 31, 2018__", date(2018, 12, 31)),
        ("Aggregate market value on June 29, 2018.<br>For the fiscal year ended December 31, 2018", date(2018, 12, 31)),
        ("For the fiscal year ended February 30, 2010", None),
        ("For the transition period from ____ to ____", None),
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


def test_facts_survive_json() -> None:
    facts = fiscal_facts(f"<p>In fiscal 2010</p>{COVER.replace('FiscalYearFocus', 'Other')}".encode())
    assert FiscalFacts.from_json(json.loads(json.dumps(facts.to_json()))) == facts
    assert facts.years_named
