"""Fiscal year, quarter and period end of a filing: the filer's own words, checked against the calendar, else that.

The filer's year is `DocumentFiscalYearFocus`. Filers mistype it, so it counts only where it is a year that the end
of the fiscal year allows: the calendar year of that end, or the one before for ends in January to June. The
convention is described in docs/decisions/fiscal-year.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

from govtune_assets.edgar.records import Filing, SkipReason
from govtune_assets.extraction import FiscalFacts

_FIRST_HALF = 6  # last month of a year end whose fiscal year may bear the name of the calendar year before
_MARCH = 3  # from here on a year is called by the year of its end, but for rare filers, who say so
_QUARTER = 91  # days
_SLACK = timedelta(days=20)  # how far 52/53-week years and late year ends move
_PERIODS = {"Q1": 1, "Q2": 2, "Q3": 3}
_DECEMBER_DRIFT = 10  # days of January in which a 52/53-week year of the calendar year before may end
_SAME_END = timedelta(days=10)  # how far the days may be that two reports of one period call its end
_SAME_PERIOD = timedelta(days=31)  # how far a document's period end may be from the one in the submissions file


@dataclass(frozen=True, slots=True)
class FiscalYear:
    """A filing's fiscal year, its quarter (10-Q) and the source of the year: which rule told it."""

    year: int
    quarter: int | None
    source: str


@dataclass(frozen=True, slots=True)
class Calendar:
    """When a filer's fiscal years end: the ends that its 10-Ks report, and today's `fiscalYearEnd` (MMDD)."""

    annual_ends: tuple[date, ...] = ()
    month_day: str | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a filing belongs; `period_source` is `submissions`, `inline_xbrl` or `cover_page`."""

    fiscal_year: FiscalYear
    period_end: date
    period_source: str


@dataclass(frozen=True, slots=True)
class Unplaced:
    """Why a filing's fiscal year or period cannot be told."""

    reason: SkipReason
    detail: str


def place(filing: Filing, facts: FiscalFacts, calendar: Calendar) -> Placement | Unplaced:
    """The fiscal year, quarter and period end of a filing whose document was read.

    The year is always one of `years_before_reading`: a filing that belongs to another year would be found by no
    collection, so it is unplaced instead.
    """
    period = _period_end(filing, facts)
    if period is None:
        detail = "neither its row in the submissions file nor the document tells the end of its period"
        return Unplaced(SkipReason.PERIOD_END_UNKNOWN, detail)
    end, source = period
    dated = filing if filing.report_date else replace(filing, report_date=end)
    told = fiscal_year(dated, facts, calendar)
    if told is None:
        detail = f"the document names no fiscal year that a period to {end} allows"
        return Unplaced(SkipReason.FISCAL_YEAR_UNKNOWN, detail)
    if told.year not in years_before_reading(filing, calendar):
        detail = f"a period to {end} is fiscal year {told.year}, too far from the day of filing, {filing.filing_date}"
        return Unplaced(SkipReason.FISCAL_YEAR_UNKNOWN, detail)
    return Placement(told, end, source)


def _period_end(filing: Filing, facts: FiscalFacts) -> tuple[date, str] | None:
    """The end of the period and its source.

    The document says it best (52/53-week years end on a weekday), but filers mistype it: it counts where it is near
    the period of the submissions file, which decided that the document was read, or where there is none.
    """
    row, said = filing.report_date, facts.period_end
    if said is not None and (abs(said - row) <= _SAME_PERIOD if row else said <= filing.filing_date):
        return said, facts.period_source
    return (row, "submissions") if row else None


def years_before_reading(filing: Filing, calendar: Calendar) -> frozenset[int]:
    """The fiscal years that a filing may belong to, before its document is read."""
    return plausible_years(filing, year_end_of(filing, calendar))


def earliest_filing_date(fiscal_year: int) -> date:
    """The first day on which a filing of this fiscal year can have been filed.

    Fiscal year Y begins in January of Y - 1 at the earliest (where it ends in January of Y), and its first
    quarter ends in April.
    """
    return date(fiscal_year - 1, 4, 1)


def last_due_date(fiscal_year: int) -> date:
    """A day by which every report of this fiscal year was due; later ones are late, or amendments.

    Fiscal year Y ends in June of Y + 1 at the latest; its 10-K is due within 90 days (Form 10-K, General Instruction
    A), or 15 days more for who asks (Rule 12b-25, 17 CFR 240.12b-25).
    """
    return date(fiscal_year + 1, 10, 31)


def year_end_of(filing: Filing, calendar: Calendar) -> date | None:
    """The end of the fiscal year that a filing belongs to.

    For a 10-K its own period's end. For a 10-Q the end of the next year that a 10-K of the filer reports, or a
    year after the last one, or the `fiscalYearEnd` (MMDD) of the submissions file.
    """
    period = filing.report_date
    if period is None or filing.base_form == "10-K":
        return period
    return _year_end_by_annual_reports(period, calendar) or _next_anniversary(period, calendar.month_day)


def _year_end_by_annual_reports(period: date, calendar: Calendar) -> date | None:
    """The end of a quarter's fiscal year by the 10-K after it, else by the one before it."""
    later = [end for end in calendar.annual_ends if period + _SLACK < end <= period + timedelta(days=300) + _SLACK]
    if later:
        return min(later)
    earlier = [end for end in calendar.annual_ends if period - timedelta(days=300) - _SLACK <= end < period]
    return max(earlier) + timedelta(days=365) if earlier else None


def _next_anniversary(period: date, month_day: str | None) -> date | None:
    """The first day of the year `month_day` (MMDD) that may end the fiscal year of a quarter which ends on `period`."""
    if month_day is None:
        return None
    month, day = int(month_day[:2]), int(month_day[2:])
    for year in (period.year, period.year + 1):
        try:
            end = date(year, month, min(day, 28))
        except ValueError:
            return None
        if end > period + _SLACK:
            return end
    return None


def ends_same_period(one: date, other: date) -> bool:
    """Whether two days are the end of one period: 52/53-week periods are also called by the end of their month."""
    return abs(one - other) <= _SAME_END


def plausible_years(filing: Filing, year_end: date | None) -> frozenset[int]:
    """The fiscal years of which a filing may be, by the end of its fiscal year, else by the dates of its row."""
    if year_end is None:
        anchor = filing.report_date or filing.filing_date
        return frozenset((anchor.year - 1, anchor.year, anchor.year + 1))
    if year_end.month <= _FIRST_HALF:
        return frozenset((year_end.year - 1, year_end.year))
    return frozenset((year_end.year,))


def fiscal_year(filing: Filing, facts: FiscalFacts, calendar: Calendar) -> FiscalYear | None:
    """The fiscal year of a filing whose document was read, or None where it cannot be told."""
    year_end = year_end_of(filing, calendar)
    years = plausible_years(filing, year_end)
    quarter = _quarter(filing, facts, calendar) if filing.base_form == "10-Q" else None
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
    if year_end is not None and _MARCH <= year_end.month <= _FIRST_HALF:
        return FiscalYear(year_end.year, quarter, "convention")
    return None


def _quarter(filing: Filing, facts: FiscalFacts, calendar: Calendar) -> int | None:
    """The filer's word where a calendar agrees, else the calendar's.

    Without any 10-K the word stands: today's `fiscalYearEnd` may be that of a year which has moved since. With one, the
    word may agree with either: 10-Ks know nothing yet of a year that has just moved.
    """
    period, said = filing.report_date, _PERIODS.get(facts.fiscal_period or "")
    if period is None:
        return said
    by_annual_reports = _quarter_before(_year_end_by_annual_reports(period, calendar), period)
    by_month_day = _quarter_before(_next_anniversary(period, calendar.month_day), period)
    if by_annual_reports is None:
        return said or by_month_day
    return said if said == by_month_day and said else by_annual_reports


def _quarter_before(year_end: date | None, period: date) -> int | None:
    """The quarter that ends on `period`, of the year that ends on `year_end`."""
    left = round((year_end - period).days / _QUARTER) if year_end else 0
    return 4 - left if 1 <= left <= 3 else None  # noqa: PLR2004 - a year has four quarters
