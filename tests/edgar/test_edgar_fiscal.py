"""Fiscal years: the filer's words, the calendar where they cannot be, and what cannot be told."""

from datetime import date

import pytest

from govtune_assets.edgar.fiscal import Calendar, FiscalYear, fiscal_year, plausible_years, year_end_of
from govtune_assets.edgar.records import Company, Filing
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
    ],
)
def test_annual_reports(end: str, said: int | None, year: int, source: str) -> None:
    annual = filing("10-K", end)
    assert fiscal_year(annual, FiscalFacts(fiscal_year=said), year_end_of(annual, Calendar())) == FiscalYear(
        year, None, source
    )


@pytest.mark.parametrize(
    ("named", "year"),
    [(((2009, 3), (2010, 9)), 2010), (((2009, 9), (2010, 3)), 2009), (((2009, 2), (2010, 2)), None), ((), None)],
)
def test_a_year_that_only_the_text_names(named: tuple[tuple[int, int], ...], year: int | None) -> None:
    annual = filing("10-K", "2010-01-31")
    told = fiscal_year(annual, FiscalFacts(years_named=named), year_end_of(annual, Calendar()))
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
    ],
)
def test_quarters(end: str, year_end: str, period: str | None, quarter: int | None) -> None:
    facts = FiscalFacts(fiscal_year=2023, fiscal_period=period)
    told = fiscal_year(filing("10-Q", end), facts, date.fromisoformat(year_end))
    assert told is not None
    assert (told.year, told.quarter) == (2023, quarter)


def test_without_a_year_end_the_document_decides_among_three() -> None:
    quarterly = filing("10-Q", "2023-06-30")
    assert plausible_years(quarterly, None) == {2022, 2023, 2024}
    assert fiscal_year(quarterly, FiscalFacts(fiscal_year=2024, fiscal_period="Q1"), None) == FiscalYear(
        2024, 1, "document"
    )
    assert fiscal_year(quarterly, FiscalFacts(), None) is None
