"""Which filings a company makes in a fiscal year: one 10-K and three 10-Qs, and the amendment that some make."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from localcloud.edgar.sample.companies import Company
from localcloud.edgar.sample.compose import Composer
from localcloud.edgar.sample.document import Filing, Section, Status
from localcloud.edgar.sample.fiscal import QUARTERS
from localcloud.edgar.sample.layouts import LAYOUTS, Layout

FISCAL_YEARS: Final = (2023, 2024)
_SATURDAY: Final = 5
_FULL_QUARTER_EVERY: Final = 10
_SMALLER_EVERY: Final = 14
_ABSENT_EVERY: Final = 17
_AMENDMENT_EVERY: Final = 7


def layout_of(company: Company) -> Layout:
    """The layout of all filings of a company."""
    return LAYOUTS[company.number % len(LAYOUTS)]


def filings_of(company: Company, composer: Composer) -> Iterator[Filing]:
    """The annual and quarterly reports of a company, in the order in which it files them."""
    for year in FISCAL_YEARS:
        for quarter in QUARTERS:
            yield _filing(company, "10-Q", year, quarter, _quarter_section(company, composer, year, quarter))
        yield annual_report(company, year, composer.full(company, year, layout_of(company).looks))


def annual_report(company: Company, year: int, section: Section) -> Filing:
    """The 10-K of a fiscal year."""
    return _filing(company, "10-K", year, None, section)


def amendment_of(company: Company) -> Filing | None:
    """The 10-K/A that some companies file for the first year; it holds no risk factors."""
    if company.number % _AMENDMENT_EVERY:
        return None
    return _filing(company, "10-K/A", FISCAL_YEARS[0], None, Section(Status.ABSENT, ()), days_later=70)


def _filing(
    company: Company, form: str, year: int, quarter: int | None, section: Section, days_later: int = 0
) -> Filing:
    calendar = company.profile.fiscal_year_end
    period_end = calendar.year_end(year) if quarter is None else calendar.quarter_end(year, quarter)
    dice = company.dice.under("filing", form, year, quarter)
    days = dice.integer(50, 58, "days") if quarter is None else dice.integer(31, 38, "days")
    filing_date = _weekday(period_end + timedelta(days=days + days_later))
    sequence = (year - FISCAL_YEARS[0]) * 40 + (quarter or 4) * 7 + (35 if form.endswith("/A") else 0)
    return Filing(
        company=company,
        form=form,
        fiscal_year=year,
        quarter=quarter,
        period_end=period_end,
        filing_date=filing_date,
        accession_number=f"{company.cik}-{filing_date:%y}-{sequence:06d}",
        section=section,
    )


def _quarter_section(company: Company, composer: Composer, year: int, quarter: int) -> Section:
    if company.number % _SMALLER_EVERY == _SMALLER_EVERY - 1:
        return composer.not_required(company)
    if company.number % _ABSENT_EVERY == _ABSENT_EVERY - 1:
        return Section(Status.ABSENT, ())
    if company.number % _FULL_QUARTER_EVERY == 1 and quarter > 1:
        return composer.full(company, year, layout_of(company).looks)
    return composer.pointer(company, year)


def _weekday(day: date) -> date:
    return day + timedelta(days=7 - day.weekday()) if day.weekday() >= _SATURDAY else day
