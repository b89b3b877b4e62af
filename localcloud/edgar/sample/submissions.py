"""The JSON files that name the filings: `company_tickers.json` and a submissions file for each company.

Shapes: https://www.sec.gov/search-filings/edgar-application-programming-interfaces. `filings.recent` is columns
of equal length, newest filing first; `filings.files` names older pages, which hold the same columns without a
wrapper.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from localcloud.edgar.sample.companies import Company
from localcloud.edgar.sample.document import Filing
from localcloud.edgar.sample.filings import FISCAL_YEARS

Json = dict[str, object]
_PAGED_COMPANIES: Final = (3, 11)  # their first year's filings stand in an older page
_CURRENT_REPORTS: Final = 6


@dataclass(frozen=True)
class Row:
    """One filing as a submissions file lists it. `size` is in bytes."""

    accession_number: str
    filing_date: date
    report_date: date | None
    form: str
    primary_document: str
    description: str
    items: str
    size: int
    inline_xbrl: bool


def row_of(filing: Filing, size: int, *, inline_xbrl: bool = True) -> Row:
    """The row of a filing whose primary document has `size` bytes."""
    return Row(
        accession_number=filing.accession_number,
        filing_date=filing.filing_date,
        report_date=filing.period_end,
        form=filing.form,
        primary_document=filing.primary_document,
        description=filing.form,
        items="",
        size=size,
        inline_xbrl=inline_xbrl,
    )


def current_reports(company: Company) -> list[Row]:
    """8-K rows, which stand between the others and have no document in the corpus."""
    dice = company.dice.under("8-K")
    rows: list[Row] = []
    for number in range(_CURRENT_REPORTS):
        day = date(FISCAL_YEARS[0], 3, 1) + timedelta(days=110 * number + dice.integer(0, 60, number))
        rows.append(
            Row(
                accession_number=f"{company.cik}-{day:%y}-{900 + number:06d}",
                filing_date=day,
                report_date=day - timedelta(days=2),
                form="8-K",
                primary_document=f"{company.profile.ticker.lower()}-{day:%Y%m%d}.htm",
                description="8-K",
                items=dice.choice(("2.02,9.01", "5.02", "7.01,9.01", "8.01"), f"items/{number}"),
                size=dice.integer(20_000, 60_000, f"size/{number}"),
                inline_xbrl=True,
            )
        )
    return rows


def submissions(company: Company, rows: Iterable[Row]) -> dict[str, Json]:
    """The submissions file of a company and its older pages, by file name."""
    ordered = sorted(rows, key=lambda row: (row.filing_date, row.accession_number), reverse=True)
    name = f"CIK{company.cik}"
    paged = company.number in _PAGED_COMPANIES
    boundary = _first_filing_of_second_year(company, ordered) if paged else None
    recent = [row for row in ordered if boundary is None or row.filing_date >= boundary]
    older = [row for row in ordered if boundary is not None and row.filing_date < boundary]
    page = f"{name}-submissions-001.json"
    listing = {
        "name": page,
        "filingCount": len(older),
        "filingFrom": str(min((row.filing_date for row in older), default="")),
        "filingTo": str(max((row.filing_date for row in older), default="")),
    }
    whole: Json = {
        "cik": company.cik,
        "entityType": "operating",
        "sic": company.industry.sic,
        "sicDescription": company.industry.sic_description,
        "name": company.profile.name.upper(),
        "tickers": list(company.tickers),
        "exchanges": ["NYSE" for _ in company.tickers],
        "category": "Large accelerated filer",
        "fiscalYearEnd": company.profile.fiscal_year_end.month_day,
        "stateOfIncorporation": company.profile.state,
        "formerNames": [],
        "filings": {"recent": _columns(recent), "files": [listing] if older else []},
    }
    return {f"{name}.json": whole} | ({page: _columns(older)} if older else {})


def company_tickers(companies: Sequence[Company]) -> Json:
    """`company_tickers.json`: one numbered entry for each ticker."""
    entries = [(company, ticker) for company in companies for ticker in company.tickers]
    return {
        str(number): {"cik_str": int(company.cik), "ticker": ticker, "title": company.profile.name}
        for number, (company, ticker) in enumerate(entries)
    }


def _first_filing_of_second_year(company: Company, rows: Sequence[Row]) -> date:
    end_of_first_year = company.profile.fiscal_year_end.year_end(FISCAL_YEARS[0])
    return min(
        row.filing_date
        for row in rows
        if row.report_date and row.report_date > end_of_first_year and row.form == "10-Q"
    )


def _columns(rows: Sequence[Row]) -> Json:
    return {
        "accessionNumber": [row.accession_number for row in rows],
        "filingDate": [str(row.filing_date) for row in rows],
        "reportDate": [str(row.report_date or "") for row in rows],
        "acceptanceDateTime": [f"{row.filing_date}T21:05:00.000Z" for row in rows],
        "act": ["34" for _ in rows],
        "form": [row.form for row in rows],
        "items": [row.items for row in rows],
        "size": [row.size for row in rows],
        "isXBRL": [int(row.inline_xbrl) for row in rows],
        "isInlineXBRL": [int(row.inline_xbrl) for row in rows],
        "primaryDocument": [row.primary_document for row in rows],
        "primaryDocDescription": [row.description for row in rows],
    }
