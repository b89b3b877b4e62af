"""The check of periods takes what the convention allows, and nothing else (docs/decisions/fiscal-year.md)."""

from datetime import date, timedelta

import pytest

from govtune_assets.checks.filings import can_belong

DAYS = [date(2022, 1, 1) + timedelta(days=number) for number in range(3 * 365)]


def allowed(year_end: date) -> set[int]:
    """The names that a fiscal year with this end may have."""
    first_half = year_end.month <= 6
    return {year_end.year - 1, year_end.year} if first_half else {year_end.year}


def row(form: str, quarter: int | None, end: date | None) -> dict[str, object]:
    return {"form_type": form, "fiscal_quarter": quarter, "period_end": end}


@pytest.mark.parametrize("form", ["10-K", "10-K/A"])
def test_an_annual_report_stands_in_a_year_that_its_end_allows(form: str) -> None:
    for end in DAYS:
        assert {year for year in range(2018, 2030) if can_belong(row(form, None, end), year)} == allowed(end), end


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_a_quarter_stands_whole_quarters_before_such_an_end(quarter: int) -> None:
    for year_end in DAYS:
        end = year_end - timedelta(weeks=13 * (4 - quarter))
        for year in allowed(year_end):
            assert can_belong(row("10-Q", quarter, end), year)
            assert can_belong(row("10-Q", None, end), year)
        assert not can_belong(row("10-Q", quarter, end), year_end.year + 2)
        assert not can_belong(row("10-Q", quarter, end), year_end.year - 2)


def test_a_filing_without_a_period_belongs_to_no_year() -> None:
    assert not can_belong(row("10-K", None, None), 2023)
