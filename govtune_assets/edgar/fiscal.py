"""Fiscal year and quarter of a filing: the filer's own words, checked against the calendar, else the calendar.

The filer's year is `DocumentFiscalYearFocus`. Filers mistype it, so it counts only where it is a year that the end
of the fiscal year allows: the calendar year of that end, or the one before for ends in January to June. The
convention is described in docs/decisions/fiscal-year.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from govtune_assets.edgar.records import Filing
from govtune_assets.extraction import FiscalFacts

_FIRST_HALF = 6  # last month of a year end whose fiscal year may bear the name of the calendar year before
_QUARTER = 91  # days
_SLACK = timedelta(days=20)  # how far 52/53-week years and late year ends move
_PERIODS = {"Q1": 1, "Q2": 2, "Q3": 3}
_DECEMBER_DRIFT = 10  # days of January in which a 52/53-week year of the calendar year before may end


@dataclass(frozen=True, slots=True)
class FiscalYear:
    """A filing's fiscal year, its quarter (10-Q) and the source of the year: which rule told it."""

    year: int
    quarter: int | None
    source: str


def earliest_filing_date(fiscal_year: int) -> date:
    """The first day on which a filing of this fiscal year can have been filed.

    Fiscal year Y begins in January of Y - 1 at the earliest (where it ends in January of Y), and its first
    quarter ends in April.
    """
    return date(fiscal_year - 1, 4, 1)


def year_end_of(filing: Filing, annual_ends: Sequence[date], fiscal_year_end: str | None) -> date | None:
    """The end of the fiscal year that a filing belongs to.

    For a 10-K its own period's end. For a 10-Q the end of the next year that a 10-K of the filer reports, or a
    year after the last one, or the `fiscalYearEnd` (MMDD) of the submissions file.
    """
    period = filing.report_date
    if period is None or filing.form_type == "10-K":
        return period
    later = [end for end in annual_ends if period + _SLACK < end <= period + timedelta(days=300) + _SLACK]
    if later:
        return min(later)
    earlier = [end for end in annual_ends if period - timedelta(days=300) - _SLACK <= end < period]
    if earlier:
        return max(earlier) + timedelta(days=365)
    if fiscal_year_end is None:
        return None
    return _next_anniversary(period, fiscal_year_end)


def _next_anniversary(period: date, month_day: str) -> date | None:
    month, day = int(month_day[:2]), int(month_day[2:])
    for year in (period.year, period.year + 1):
        try:
            end = date(year, month, min(day, 28))
        except ValueError:
            return None
        if end > period + _SLACK:
            return end
    return None


def plausible_years(filing: Filing, year_end: date | None) -> frozenset[int]:
    """The fiscal years that a filing may belong to, before its document is read."""
    if year_end is None:
        anchor = filing.report_date or filing.filing_date
        return frozenset((anchor.year - 1, anchor.year, anchor.year + 1))
    if year_end.month <= _FIRST_HALF:
        return frozenset((year_end.year - 1, year_end.year))
    return frozenset((year_end.year,))


def fiscal_year(filing: Filing, facts: FiscalFacts, year_end: date | None) -> FiscalYear | None:
    """The fiscal year of a filing whose document was read, or None where it cannot be told."""
    years = plausible_years(filing, year_end)
    quarter = _quarter(filing, facts, year_end) if filing.form_type == "10-Q" else None
    if facts.fiscal_year in years:
        return FiscalYear(facts.fiscal_year, quarter, "document")
    if len(years) == 1:
        return FiscalYear(next(iter(years)), quarter, "period_end")
    if year_end is not None and year_end.month == 1 and year_end.day <= _DECEMBER_DRIFT:
        return FiscalYear(year_end.year - 1, quarter, "period_end")
    named = {year: count for year, count in facts.years_named if year in years}
    ranked = sorted(named, key=lambda year: named[year], reverse=True)
    if ranked and (len(ranked) == 1 or named[ranked[0]] > named[ranked[1]]):
        return FiscalYear(ranked[0], quarter, "text")
    return None


def _quarter(filing: Filing, facts: FiscalFacts, year_end: date | None) -> int | None:
    if facts.fiscal_period in _PERIODS:
        return _PERIODS[facts.fiscal_period]
    if year_end is None or filing.report_date is None:
        return None
    left = round((year_end - filing.report_date).days / _QUARTER)
    return 4 - left if 1 <= left <= 3 else None  # noqa: PLR2004 - a year has four quarters
