"""The S&P 500's members by CIK and day, read from the list beside this module.

The list's own header says its version, the days that it covers and its sources; docs/decisions/universe.md says how it
was made and checked.
"""

from __future__ import annotations

import csv
import functools
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

LIST = Path(__file__).with_name("sp500.csv")
_HEADER = re.compile(r"# S&P 500 membership, version (\S+), covering (\S+) to (\S+)\.")


@dataclass(frozen=True, slots=True)
class Membership:
    """One stay in the index of one filer under one ticker: from `first` to the day before `end` (None: still in)."""

    cik: str
    ticker: str
    first: date
    end: date | None

    def meets(self, first: date, last: date) -> bool:
        """Whether the stay has a day in common with the days from `first` to `last`."""
        return self.first <= last and (self.end is None or self.end > first)


@dataclass(frozen=True, slots=True)
class MembershipList:
    """All stays that have a day from `first` to `last`, the days that the list covers."""

    version: str
    first: date
    last: date
    rows: tuple[Membership, ...]

    def between(self, first: date, last: date) -> tuple[Membership, ...]:
        """The stays with a day from `first` to `last`, by CIK and then in the order of time."""
        return tuple(row for row in self.rows if row.meets(first, last))

    def latest(self, ticker: str) -> Membership | None:
        """The last stay under a ticker, which may be one that the company no longer has."""
        return max((row for row in self.rows if row.ticker == ticker), key=lambda row: row.first, default=None)


@functools.cache
def sp500() -> MembershipList:
    """The project's list. Raises ValueError where the file is not what its header says."""
    with LIST.open(encoding="utf-8", newline="") as lines:
        header = _HEADER.match(lines.readline())
        if header is None:
            raise ValueError(f"{LIST.name} does not begin with its version and the days that it covers")
        rows = csv.DictReader(line for line in lines if not line.startswith("#"))
        return MembershipList(
            header[1],
            date.fromisoformat(header[2]),
            date.fromisoformat(header[3]),
            tuple(
                Membership(row["cik"], row["ticker"], date.fromisoformat(row["from"]), _day(row["to"])) for row in rows
            ),
        )


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None
