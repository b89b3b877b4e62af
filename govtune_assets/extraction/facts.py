"""Fiscal facts of a filing: from its inline XBRL cover page, else from the words of the cover page.

Elements of the `dei` taxonomy (Document and Entity Information), read from the element tree because facts nest.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from lxml import etree

from govtune_assets.extraction.document import Line, flatten, is_plain_text, parse

_NAMES = {
    "DocumentFiscalYearFocus",
    "DocumentFiscalPeriodFocus",
    "DocumentPeriodEndDate",
    "EntityCentralIndexKey",
    "EntityRegistrantName",
    "DocumentType",
    "AmendmentFlag",
    "TradingSymbol",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DATE = (
    r"(?<![a-z0-9])(?:"
    rf"(?P<month>{_MONTH})\s{{0,3}}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s{{0,2}}[,.]?\s{{0,3}}(?P<year>(?:19|20)\d\d)"
    rf"|(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?\s{{1,2}}(?:of\s)?(?P<month2>{_MONTH}),?\s{{1,3}}(?P<year2>(?:19|20)\d\d)"
    r"|(?P<month3>\d{1,2})[/.-](?P<day3>\d{1,2})[/.-](?P<year3>(?:19|20)\d\d)"
    r"|(?P<year4>(?:19|20)\d\d)-(?P<month4>\d\d)-(?P<day4>\d\d))(?!\d)"
)
"""A day as covers write it: March 31, 2019; 31 March 2019; 3/31/2019 (month first, as in the USA); 2019-03-31."""
_DATE_ANYWHERE = re.compile(_DATE, re.IGNORECASE)
_ENDED = r"(?:year|quarter(?:ly)?|period|months|weeks)[\s\S]{0,20}?\bend(?:ed|ing)(?![a-z])"
_PERIOD = re.compile(
    _ENDED + r"(?:\s+on)?(?:\s+the)?[\W_]{0,20}(?:(?:sun|mon|tues|wednes|thurs|fri|satur)day\W{1,4})?" + _DATE,
    re.IGNORECASE,
)
_PERIOD_IN_TABLE = re.compile(_ENDED + r"[\s\S]{0,100}?" + _DATE, re.IGNORECASE)
"""Where other cells of a table stand between the words and the day."""
_COVER_LINES = 120
_MAX_VALUES = 20  # times one fact is looked at
_LONGEST_VALUE = 300  # characters
_COVER_FORM = re.compile(r"\bform\s*(10-?[kq])(?:t|sb|405)?\s*(/\s*a)?\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FiscalFacts:
    """What a filing says of itself.

    `source`, and `period_source` for its period end, are `inline_xbrl`, `cover_page` or `none`.

    `fiscal_year` is the filer's own name for the year (`DocumentFiscalYearFocus`); on a cover page it is not
    stated and stays None. `fiscal_period` is FY, Q1, Q2, Q3 or Q4. `ciks` are the registrants that the document
    names, ten digits each, in its order: the first is the one whose report it is. `years_named` counts how often
    the text says "fiscal 2010" or "fiscal year 2010", as (year, count), where the year is not tagged.
    """

    fiscal_year: int | None = None
    fiscal_period: str | None = None
    period_end: date | None = None
    ciks: tuple[str, ...] = ()
    entity_name: str | None = None
    form_type: str | None = None
    amendment: bool | None = None
    trading_symbols: tuple[str, ...] = ()
    years_named: tuple[tuple[int, int], ...] = ()
    source: str = "none"
    period_source: str = "none"

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> FiscalFacts:
        """The facts out of `to_json`. Raises KeyError, TypeError or ValueError where `row` is something else."""
        end = row["period_end"]
        return cls(
            **row
            | {
                "period_end": date.fromisoformat(end) if end else None,
                "ciks": tuple(row["ciks"]),
                "trading_symbols": tuple(row["trading_symbols"]),
                "years_named": tuple((year, count) for year, count in row["years_named"]),
            }
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | {"period_end": self.period_end.isoformat() if self.period_end else None}


def fiscal_facts(document: bytes) -> FiscalFacts:
    """The fiscal facts of a primary document. Any bytes are accepted; nothing is raised for them."""
    root = parse(document)
    if root is None:
        return FiscalFacts()
    return facts_of(root, lambda: flatten(root, plain_text=is_plain_text(document)))


def facts_of(root: etree._Element, lines: Callable[[], Sequence[Line]]) -> FiscalFacts:
    """As `fiscal_facts`, for a parsed document; `lines` is called for the lines only where a fact is missing."""
    values = _inline(root)
    first = {name: texts[0] for name, texts in values.items() if texts}
    year = first.get("DocumentFiscalYearFocus", "")
    period = first.get("DocumentFiscalPeriodFocus", "").upper()
    end = _read_date(first.get("DocumentPeriodEndDate", ""))
    ciks = [text.zfill(10) for text in values.get("EntityCentralIndexKey", ()) if re.fullmatch(r"\d{1,10}", text)]
    form = first.get("DocumentType", "").upper() or None
    told = re.fullmatch(r"(?:19|20)\d\d", year) is not None
    cover = _cover(lines()) if end is None or form is None else FiscalFacts()
    amended = first.get("AmendmentFlag", "").lower()
    return FiscalFacts(
        fiscal_year=int(year) if told else None,
        fiscal_period=period if period in ("FY", "Q1", "Q2", "Q3", "Q4") else None,
        period_end=end or cover.period_end,
        ciks=tuple(dict.fromkeys(ciks)),
        entity_name=first.get("EntityRegistrantName") or None,
        form_type=form or cover.form_type,
        amendment={"true": True, "false": False}.get(amended, cover.amendment),
        years_named=() if told else _years_named(lines()),
        trading_symbols=tuple(dict.fromkeys(values.get("TradingSymbol", ()))),
        period_source="inline_xbrl" if end else cover.source,
        source="inline_xbrl" if year or period or first.get("DocumentPeriodEndDate") else cover.source,
    )


def _inline(root: etree._Element) -> dict[str, list[str]]:
    """The values of the tagged facts, in document order; a hostile document cannot make many be looked at."""
    values: dict[str, list[str]] = {}
    looked_at: Counter[str] = Counter()
    for element in root.iter("ix:nonnumeric", "ix:nonfraction"):
        prefix, _, name = (element.get("name") or "").partition(":")
        if name not in _NAMES or prefix.lower() != "dei" or looked_at[name] == _MAX_VALUES:
            continue
        looked_at[name] += 1
        if text := _value(element):
            values.setdefault(name, []).append(text)
    return values


def _value(element: etree._Element) -> str:
    pieces: list[str] = []
    length = 0
    for piece in element.itertext():
        pieces.append(piece[:_LONGEST_VALUE])
        length += len(piece)
        if length > _LONGEST_VALUE:
            break
    return " ".join("".join(pieces).split())[:_LONGEST_VALUE]


def _read_date(text: str) -> date | None:
    """The first day that a text names."""
    match = _DATE_ANYWHERE.search(text)
    return _matched_date(match) if match else None


def _matched_date(match: re.Match[str]) -> date | None:
    """The day that `_DATE` matched, whichever way it was written."""
    for suffix in ("", "2", "3", "4"):
        month, day, year = (match[name + suffix] for name in ("month", "day", "year"))
        if year:
            return _date(int(year), int(month) if month.isdigit() else _MONTHS.index(month[:3].lower()) + 1, int(day))
    return None


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _cover(lines: Sequence[Line]) -> FiscalFacts:
    text = "\n".join(line.text for line in lines[:_COVER_LINES])[:20_000]
    ends = (_matched_date(match) for period in (_PERIOD, _PERIOD_IN_TABLE) for match in period.finditer(text))
    end = next((day for day in ends if day), None)
    form = _COVER_FORM.search(text)
    name = None
    if form:
        name = "10-" + form[1][-1].upper() + ("/A" if form[2] else "")
    return FiscalFacts(
        period_end=end,
        form_type=name,
        amendment=bool(form[2]) if form else None,
        source="cover_page" if end else "none",
    )


_YEAR_NAMED = re.compile(r"\bfiscal\s+(?:year\s+)?((?:19|20)\d\d)\b", re.IGNORECASE)


def _years_named(lines: Sequence[Line]) -> tuple[tuple[int, int], ...]:
    counts = Counter(int(year) for line in lines for year in _YEAR_NAMED.findall(line.text))
    return tuple(sorted(counts.items()))
