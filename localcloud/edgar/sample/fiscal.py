"""Fiscal calendars: which day a fiscal year or quarter of a company ends on, and what the company calls that year.

`DocumentFiscalYearFocus` is the company's own name for the year: most retailers call the year that ends in
January 2024 fiscal 2023, others call it fiscal 2024 (SEC, EDGAR Filer Manual, 6.5.19-6.5.20).
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

QUARTER_WEEKS: Final = 13
QUARTERS: Final = (1, 2, 3)
_JANUARY: Final = 1
_SATURDAY: Final = 5
_SUNDAY: Final = 6
_WEEK: Final = 7
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


class FiscalYearEnd(StrEnum):
    """The calendars that companies of the corpus follow."""

    DECEMBER = "december-31"
    JUNE = "june-30"
    SEPTEMBER = "september-30"
    RETAIL = "saturday-near-january-31"  # named after the year in which it began
    JANUARY_LATER = "last-sunday-of-january-later"  # named after the year in which it ended

    def year_end(self, fiscal_year: int) -> date:
        """The last day of the year that the company calls `fiscal_year`."""
        if self is FiscalYearEnd.RETAIL:
            middle = date(fiscal_year + 1, _JANUARY, 31)
            return middle + timedelta(days=(_SATURDAY - middle.weekday() + 3) % _WEEK - 3)
        if self is FiscalYearEnd.JANUARY_LATER:
            last = date(fiscal_year, _JANUARY, 31)
            return last - timedelta(days=(last.weekday() - _SUNDAY) % _WEEK)
        month = {FiscalYearEnd.DECEMBER: 12, FiscalYearEnd.JUNE: 6, FiscalYearEnd.SEPTEMBER: 9}[self]
        return _month_end(fiscal_year, month)

    def quarter_end(self, fiscal_year: int, quarter: int) -> date:
        """The last day of quarter 1, 2 or 3."""
        if self in {FiscalYearEnd.RETAIL, FiscalYearEnd.JANUARY_LATER}:
            return self.year_end(fiscal_year - 1) + timedelta(weeks=QUARTER_WEEKS * quarter)
        end = self.year_end(fiscal_year)
        months = end.year * 12 + end.month - 1 - 3 * (4 - quarter)
        return _month_end(months // 12, months % 12 + 1)

    @property
    def month_day(self) -> str:
        """`fiscalYearEnd` of the submissions file: MMDD."""
        return "0131" if "january" in self.value else self.year_end(2023).strftime("%m%d")


def _month_end(year: int, month: int) -> date:
    return date(year, month, monthrange(year, month)[1])


def long_date(day: date) -> str:
    """`December 31, 2023`, independent of the locale."""
    return f"{_MONTHS[day.month - 1]} {day.day}, {day.year}"
