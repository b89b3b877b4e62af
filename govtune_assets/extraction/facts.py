"""Fiscal facts of a filing: from its inline XBRL cover page, else from the words of the cover page.

Elements of the `dei` taxonomy (Document and Entity Information), read from the element tree because facts nest.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

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
_MONTHS = {
    name: number
    for number, name in enumerate(
        [
            "january",
            "february",
            "march",
            "april",
            "may",
            "june",
            "july",
            "august",
            "september",
            "october",
            "november",
            "december",
        ],
        1,
    )
}
_DATE = (
    r"(?:(?P<month>january|february|march|april|may|june|july|august|september|october|november|december)"
    r"\s{0,3}(?P<day>\d{1,2})\s{0,2},?\s{0,3}(?P<year>(?:19|20)\d\d))"
)
_DATE_ANYWHERE = re.compile(_DATE, re.IGNORECASE)
_PERIOD = re.compile(
    r"(?:fiscal\s+)?(?:year|quarter|period|months|weeks)[\s\S]{0,20}?ended\W{0,10}" + _DATE, re.IGNORECASE
)
_COVER_LINES = 120
_MAX_VALUES = 20  # times one fact is looked at
_LONGEST_VALUE = 300  # characters
_COVER_FORM = re.compile(r"\bform\s*(10-?[kq])(?:t|sb|405)?\s*(/\s*a)?\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FiscalFacts:
    """What a filing says of itself; `source` is `inline_xbrl`, `cover_page` or `none`.

    `fiscal_year` is the filer's own name for the year (`DocumentFiscalYearFocus`); on a cover page it is not
    stated and stays None. `fiscal_period` is FY, Q1, Q2, Q3 or Q4. `cik` has ten digits. `years_named` counts how
    often the text says "fiscal 2010" or "fiscal year 2010", as (year, count), where the year is not tagged.
    """

    fiscal_year: int | None = None
    fiscal_period: str | None = None
    period_end: date | None = None
    cik: str | None = None
    entity_name: str | None = None
    form_type: str | None = None
    amendment: bool | None = None
    trading_symbols: tuple[str, ...] = ()
    years_named: tuple[tuple[int, int], ...] = ()
    source: str = "none"


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
    cik = first.get("EntityCentralIndexKey", "")
    form = first.get("DocumentType", "").upper() or None
    told = re.fullmatch(r"(?:19|20)\d\d", year) is not None
    cover = _cover(lines()) if end is None or form is None else FiscalFacts()
    amended = first.get("AmendmentFlag", "").lower()
    return FiscalFacts(
        fiscal_year=int(year) if told else None,
        fiscal_period=period if period in ("FY", "Q1", "Q2", "Q3", "Q4") else None,
        period_end=end or cover.period_end,
        cik=cik.zfill(10) if re.fullmatch(r"\d{1,10}", cik) else None,
        entity_name=first.get("EntityRegistrantName") or None,
        form_type=form or cover.form_type,
        amendment={"true": True, "false": False}.get(amended, cover.amendment),
        years_named=() if told else _years_named(lines()),
        trading_symbols=tuple(dict.fromkeys(values.get("TradingSymbol", ()))),
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
    """A date in ISO form or in words; XBRL facts are shown in words and may lack their year."""
    if match := re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", text):
        return _date(int(match[1]), int(match[2]), int(match[3]))
    if match := _DATE_ANYWHERE.search(text):
        return _date(int(match["year"]), _MONTHS[match["month"].lower()], int(match["day"]))
    return None


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _cover(lines: Sequence[Line]) -> FiscalFacts:
    text = "\n".join(line.text for line in lines[:_COVER_LINES])[:20_000]
    period = _PERIOD.search(text)
    end = _date(int(period["year"]), _MONTHS[period["month"].lower()], int(period["day"])) if period else None
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
