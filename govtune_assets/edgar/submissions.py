"""A company's filings from its submissions file and, where `recent` starts too late, the older pages it names."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from datetime import date

from govtune_assets.edgar.client import EdgarClient
from govtune_assets.edgar.errors import MalformedAnswerError, MissingDocumentError
from govtune_assets.edgar.fiscal import Calendar
from govtune_assets.edgar.records import Company, Filing

FORMS = ("10-K", "10-Q")
AMENDMENTS = ("10-K/A", "10-Q/A")
_PAGE_NAME = re.compile(r"CIK\d{10}-submissions-\d{3}\.json")
_DOCUMENT_NAME = re.compile(r"[A-Za-z0-9_][\w.-]{0,120}(?:/[A-Za-z0-9_][\w.-]{0,120})?")
_ACCESSION = re.compile(r"\d{10}-\d{2}-\d{6}|[a-z0-9-]{1,40}")


@dataclass(frozen=True, slots=True)
class Submissions:
    """A filer's 10-Ks and 10-Qs filed since a date; `unnamed` are rows whose document has no usable name."""

    company: Company
    fiscal_year_end: str | None
    filings: tuple[Filing, ...]
    unnamed: tuple[Filing, ...]
    missing_pages: tuple[str, ...]

    @property
    def calendar(self) -> Calendar:
        """When the filer's fiscal years end."""
        ends = (f.report_date for f in self.filings + self.unnamed if f.form_type == "10-K")
        return Calendar(tuple(end for end in ends if end), self.fiscal_year_end)


async def submissions(
    client: EdgarClient,
    company: Company,
    since: date,
    forms: Container[str] = FORMS,
    settled_at: float | None = None,
) -> Submissions:
    """Filings of a company, of these forms, that were filed on or after `since`.

    `settled_at` says since when they hardly change, as in `EdgarClient.index`.
    Raises MissingDocumentError for a CIK without a submissions file, MalformedAnswerError for one that is not
    what the SEC documents (https://www.sec.gov/search-filings/edgar-application-programming-interfaces).
    """
    url = client.source.submissions_url(f"CIK{company.cik}.json")
    body = await client.index(url, settled_at)
    try:
        main = json.loads(body)
        recent = main["filings"]["recent"]
        pages = _pages_since(main["filings"].get("files") or [], since)
        named = _company(main, company)
        rows = list(_rows(client, named, recent, since, forms))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise MalformedAnswerError(url, f"{type(error).__name__}: {error}") from error
    missing = []
    for name in pages:
        page_url = client.source.submissions_url(name)
        try:
            rows += _rows(client, named, json.loads(await client.index(page_url, settled_at)), since, forms)
        except MissingDocumentError:
            missing.append(name)
        except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
            raise MalformedAnswerError(page_url, f"{type(error).__name__}: {error}") from error
    unique = {filing.accession_number: filing for filing in rows}
    end = main.get("fiscalYearEnd")
    return Submissions(
        named,
        end if isinstance(end, str) and re.fullmatch(r"\d{4}", end) else None,
        tuple(f for f in unique.values() if f.url),
        tuple(f for f in unique.values() if not f.url),
        tuple(missing),
    )


def _pages_since(files: list[dict[str, object]], since: date) -> list[str]:
    """Older pages that hold filings of the time asked for."""
    return [
        str(page["name"])
        for page in files
        if _PAGE_NAME.fullmatch(str(page["name"])) and date.fromisoformat(str(page["filingTo"])) >= since
    ]


def _company(main: dict[str, object], company: Company) -> Company:
    tickers = main.get("tickers")
    first = str(tickers[0]) if isinstance(tickers, list) and tickers and tickers[0] else None
    return Company(company.cik, company.ticker or first, str(main.get("name") or company.name))


def _rows(
    client: EdgarClient, company: Company, table: dict[str, list[str]], since: date, forms: Container[str]
) -> Iterator[Filing]:
    columns = ("form", "accessionNumber", "filingDate", "reportDate", "primaryDocument")
    for form, accession, filed, reported, document in zip(*(table[c] for c in columns), strict=True):
        if form not in forms or date.fromisoformat(filed) < since:
            continue
        usable = _DOCUMENT_NAME.fullmatch(document) and _ACCESSION.fullmatch(accession)
        yield Filing(
            company,
            form,
            accession,
            date.fromisoformat(filed),
            date.fromisoformat(reported) if reported and reported <= filed else None,
            client.source.document_url(company.cik, accession, document) if usable else "",
        )
