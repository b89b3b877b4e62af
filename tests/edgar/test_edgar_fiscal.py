"""Fiscal years: the filer's words, the calendar where they cannot be, and what cannot be told."""

from datetime import date, timedelta

import pytest

from govtune_assets.edgar.fiscal import (
    Calendar,
    FiscalYear,
    Placement,
    Unplaced,
    fiscal_year,
    last_due_date,
    place,
    plausible_years,
    year_end_of,
)
from govtune_assets.edgar.records import Company, Filing, SkipReason
from govtune_assets.extraction import FiscalFacts

LAMPS = Company("0000000001", "LMP", "Lamp Makers")


def filing(form: str, end: str) -> Filing:
    return Filing(LAMPS, form, "0000000001-24-000001", date(2024, 3, 1), date.fromisoformat(end), "http://x/y")


@pytest.mark.parametrize(
    ("end", "said", "year", "source"),
    [
        ("2024-01-28", 2023, 2023, "document"),  # a retailer that names the year by its start
        ("2024-01-28", 2024, 2024, "document"),  # one that names it by its end
        ("2023-12-31", 2023, 2023, "document"),
        ("2023-12-31", 2022, 2023, "period_end"),  # mistyped: no year that ends in December 2023 is 2022
        ("2023-09-30", None, 2023, "period_end"),
        ("2023-01-01", None, 2022, "period_end"),  # 52/53 weeks that end in the first days of January
        ("2024-06-30", 2024, 2024, "document"),
        ("2019-06-30", None, 2019, "convention"),
        ("2019-03-31", 2018, 2018, "document"),
    ],
)
def test_annual_reports(end: str, said: int | None, year: int, source: str) -> None:
    annual = filing("10-K", end)
    assert fiscal_year(annual, FiscalFacts(fiscal_year=said), Calendar()) == FiscalYear(year, None, source)


@pytest.mark.parametrize(
    ("named", "year"),
    [(((2009, 3), (2010, 9)), 2010), (((2009, 9), (2010, 3)), 2009), (((2009, 2), (2010, 2)), None), ((), None)],
)
def test_a_year_that_only_the_text_names(named: tuple[tuple[int, int], ...], year: int | None) -> None:
    annual = filing("10-K", "2010-01-31")
    told = fiscal_year(annual, FiscalFacts(years_named=named), Calendar())
    assert (told.year if told else None) == year


@pytest.mark.parametrize(
    ("end", "annual_ends", "month_day", "year_end"),
    [
        ("2023-06-30", ["2022-12-31", "2023-12-31"], "0630", "2023-12-31"),  # the 10-Ks know better than the file
        ("2023-06-30", ["2022-12-31"], None, "2023-12-31"),
        ("2023-10-29", [], "0131", "2024-01-28"),
        ("2023-06-30", [], "1231", "2023-12-28"),
        ("2023-06-30", [], None, None),
        ("2023-06-30", [], "9999", None),
    ],
)
def test_the_year_that_a_quarter_belongs_to(
    end: str, annual_ends: list[str], month_day: str | None, year_end: str | None
) -> None:
    found = year_end_of(filing("10-Q", end), Calendar(tuple(date.fromisoformat(day) for day in annual_ends), month_day))
    assert (found.isoformat() if found else None) == year_end


@pytest.mark.parametrize(
    ("end", "year_end", "period", "quarter"),
    [
        ("2023-06-30", "2023-12-31", "Q2", 2),
        ("2023-06-30", "2023-12-31", None, 2),
        ("2023-03-31", "2023-12-31", "FY", 1),
        ("2023-10-29", "2024-01-28", None, 3),
        ("2023-12-31", "2023-12-31", None, None),
        ("2023-06-30", "2023-12-31", "Q1", 2),  # mistyped
        ("2023-09-30", "2023-12-31", "Q1", 3),
        ("2023-11-26", "2024-09-01", "Q1", 1),  # quarters of 12, 12, 12 and 16 weeks
        ("2024-02-18", "2024-09-01", "Q2", 2),
        ("2024-05-12", "2024-09-01", "Q3", 3),
        ("2023-05-20", "2024-01-27", "Q1", 1),  # of 16, 12, 12 and 12
    ],
)
def test_quarters(end: str, year_end: str, period: str | None, quarter: int | None) -> None:
    year = int(year_end[:4])
    facts = FiscalFacts(fiscal_year=year, fiscal_period=period)
    told = fiscal_year(filing("10-Q", end), facts, Calendar((date.fromisoformat(year_end),)))
    assert told is not None
    assert told.quarter == quarter


@pytest.mark.parametrize(
    ("annual_end", "month_day", "said", "quarter"),
    [
        ("2022-06-30", "1231", "Q1", 1),  # the filer moved its year to December and has not yet filed the 10-K of it
        ("2022-06-30", "0630", "Q3", 3),
        ("2022-06-30", "1231", "Q2", 3),  # neither calendar has it
        ("2022-06-30", "1231", None, 3),
        (None, "0930", "Q1", 1),  # without any 10-K the filer knows better than today's `fiscalYearEnd`
        (None, "0930", None, 2),
        (None, None, "Q1", 1),
        (None, None, None, None),
    ],
)
def test_the_quarter_where_a_year_has_moved(
    annual_end: str | None, month_day: str | None, said: str | None, quarter: int | None
) -> None:
    calendar = Calendar((date.fromisoformat(annual_end),) if annual_end else (), month_day)
    told = fiscal_year(filing("10-Q", "2023-03-31"), FiscalFacts(fiscal_year=2023, fiscal_period=said), calendar)
    assert told is not None
    assert told.quarter == quarter


def without_period(form: str, filed: str) -> Filing:
    return Filing(LAMPS, form, "0000000001-24-000001", date.fromisoformat(filed), None, "http://x/y")


SAID = FiscalFacts(period_end=date(2018, 12, 31), period_source="cover_page")


def test_the_cover_page_places_a_filing_whose_row_has_no_period() -> None:
    placed = place(without_period("10-K", "2019-02-20"), SAID, Calendar())
    assert placed == Placement(FiscalYear(2018, None, "period_end"), date(2018, 12, 31), "cover_page")


def test_the_quarter_of_a_row_without_a_period_follows_from_the_calendar() -> None:
    said = FiscalFacts(period_end=date(2018, 9, 30), period_source="cover_page")
    placed = place(without_period("10-Q", "2018-11-02"), said, Calendar((date(2018, 12, 31),), None))
    assert placed == Placement(FiscalYear(2018, 3, "period_end"), date(2018, 9, 30), "cover_page")


def test_the_day_of_filing_is_never_the_end_of_the_period() -> None:
    placed = place(without_period("10-K", "2019-02-20"), FiscalFacts(fiscal_year=2018), Calendar())
    assert isinstance(placed, Unplaced)
    assert placed.reason is SkipReason.PERIOD_END_UNKNOWN


def test_a_period_after_the_day_of_filing_is_a_mistake() -> None:
    placed = place(without_period("10-K", "2018-02-20"), SAID, Calendar())
    assert isinstance(placed, Unplaced)
    assert placed.reason is SkipReason.PERIOD_END_UNKNOWN


def test_a_year_in_which_nobody_would_look_for_the_filing_is_a_skip() -> None:
    placed = place(without_period("10-K", "2023-02-20"), SAID, Calendar())
    assert isinstance(placed, Unplaced)
    assert placed.reason is SkipReason.FISCAL_YEAR_UNKNOWN
    assert "2018" in placed.detail


@pytest.mark.parametrize(
    ("said", "end", "source"),
    [
        ("2023-12-30", "2023-12-30", "inline_xbrl"),  # a 52/53-week year
        ("2022-12-31", "2023-12-31", "submissions"),  # mistyped
        (None, "2023-12-31", "submissions"),
    ],
)
def test_the_document_refines_the_period_of_the_row(said: str | None, end: str, source: str) -> None:
    facts = FiscalFacts(period_end=date.fromisoformat(said) if said else None, period_source="inline_xbrl")
    placed = place(filing("10-K", "2023-12-31"), facts, Calendar())
    assert isinstance(placed, Placement)
    assert (placed.fiscal_year.year, placed.period_end.isoformat(), placed.period_source) == (2023, end, source)


def test_an_amendment_is_placed_as_what_it_amends() -> None:
    annual, quarterly = filing("10-K/A", "2023-12-31"), filing("10-Q/A", "2023-06-30")
    calendar = Calendar((date(2023, 12, 31),))
    found = [place(each, FiscalFacts(), calendar) for each in (annual, quarterly)]
    assert [(p.fiscal_year.year, p.fiscal_year.quarter) for p in found if isinstance(p, Placement)] == [
        (2023, None),
        (2023, 2),
    ]


def test_the_day_by_which_a_years_last_report_is_due() -> None:
    latest_end = date(2024, 6, 30)  # of a fiscal year that may be called 2023
    assert 2023 in plausible_years(filing("10-K", "2024-06-30"), latest_end)
    assert 2023 not in plausible_years(filing("10-K", "2024-07-31"), date(2024, 7, 31))
    assert latest_end + timedelta(days=90 + 15) <= last_due_date(2023) < latest_end + timedelta(days=130)


def test_without_a_year_end_the_document_decides_among_three() -> None:
    quarterly = filing("10-Q", "2023-06-30")
    assert plausible_years(quarterly, None) == {2022, 2023, 2024}
    assert fiscal_year(quarterly, FiscalFacts(fiscal_year=2024, fiscal_period="Q1"), Calendar()) == FiscalYear(
        2024, 1, "document"
    )
    assert fiscal_year(quarterly, FiscalFacts(), Calendar()) is None
