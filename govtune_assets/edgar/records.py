"""What a collection hands on: records, skips, statistics, progress. JSON shapes are the lake's."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import overload


@dataclass(frozen=True, slots=True)
class Company:
    """A filer: the ten-digit CIK, the ticker it was named by (None without one) and its name."""

    cik: str
    ticker: str | None
    name: str

    def __str__(self) -> str:
        return f"{self.ticker or self.name or 'CIK'} ({self.cik})"


@dataclass(frozen=True, slots=True)
class Filing:
    """A row of a submissions file. `report_date` is the end of the period, where the row has one."""

    company: Company
    form_type: str
    accession_number: str
    filing_date: date
    report_date: date | None
    url: str

    @property
    def base_form(self) -> str:
        """`10-K` or `10-Q`, of an amendment too."""
        return self.form_type.removesuffix("/A")

    @property
    def is_amendment(self) -> bool:
        """Whether this is a 10-K/A or 10-Q/A."""
        return self.form_type.endswith("/A")

    def __str__(self) -> str:
        return f"{self.company} {self.form_type} {self.report_date or self.filing_date} {self.accession_number}"


class SkipReason(StrEnum):
    """Why a filing, or a company, is not among the records. Of these, `DOWNLOAD_FAILED` alone may mend by itself."""

    NO_SUBMISSIONS = "no_submissions"
    MALFORMED_SUBMISSIONS = "malformed_submissions"
    MISSING_PAGES = "missing_pages"
    NO_FILINGS = "no_filings"
    NO_DOCUMENT_NAME = "no_document_name"
    MISSING_DOCUMENT = "missing_document"
    UNOBTAINABLE = "unobtainable"
    DOWNLOAD_FAILED = "download_failed"
    AMENDMENT = "amendment"
    FISCAL_YEAR_UNKNOWN = "fiscal_year_unknown"
    PERIOD_END_UNKNOWN = "period_end_unknown"
    CO_REGISTRANT = "co_registrant"
    SUPERSEDED = "superseded"
    PERIOD_CLASH = "period_clash"
    EXTRACTION_FAILED = "extraction_failed"


@dataclass(frozen=True, slots=True)
class Skip:
    """A filing (or, with `source` None, a whole company) that was left out, or kept as `failed`, and why."""

    reason: SkipReason
    company: Company
    source: Filing | None
    detail: str

    @property
    def filing(self) -> str:
        """The filing, or else the company, in words."""
        return str(self.source or self.company)


@dataclass(frozen=True, slots=True)
class FilingRecord:
    """One filing of a fiscal year. The section itself stays on disk, in `section_path`, until `to_json`.

    `registrants` are the CIKs that the document names, in its order.
    """

    filing: Filing
    entity_name: str
    fiscal_year: int
    fiscal_quarter: int | None
    period_end: date
    document_sha256: str
    status: str
    characters: int
    risk_factor_count: int
    extractor_version: str
    retrieved_at: str
    fiscal_year_source: str
    section_path: Path | None
    period_end_source: str = "submissions"
    registrants: tuple[str, ...] = ()

    @property
    def cik(self) -> str:
        """The filer's ten-digit CIK."""
        return self.filing.company.cik

    @property
    def form_type(self) -> str:
        """`10-K` or `10-Q`; `10-K/A` or `10-Q/A` for an amendment."""
        return self.filing.form_type

    def to_json(self) -> dict[str, object]:
        """The JSON object of a filing: the columns of the table of risk factors as keys, and what the table leaves out.

        That is `evidence`, why the status is what it is, and for each risk factor where its headings stand in the
        text, as [start, end] or null. Its bodies' `start` and `end` are offsets into the same text.
        Raises OSError where the cache folder was removed meanwhile.
        """
        section = json.loads(self.section_path.read_bytes())["section"] if self.section_path else {}
        text = section.get("text") or ""
        factors = [
            {
                "group": group,
                "subcaption": subcaption,
                "body": text[start:end],
                "start": start,
                "end": end,
                "group_span": group_span,
                "subcaption_span": subcaption_span,
            }
            for group, subcaption, start, end, group_span, subcaption_span in section.get("risk_factors", ())
        ]
        filing = self.filing
        return {
            "cik": filing.company.cik,
            "ticker": filing.company.ticker,
            "entity_name": self.entity_name,
            "form_type": filing.form_type,
            "fiscal_year": self.fiscal_year,
            "fiscal_quarter": self.fiscal_quarter,
            "accession_number": filing.accession_number,
            "filing_date": filing.filing_date.isoformat(),
            "period_end": self.period_end.isoformat(),
            "source_url": filing.url,
            "document_sha256": self.document_sha256,
            "status": self.status,
            "evidence": section.get("evidence"),
            "risk_factor_text": section.get("text"),
            "risk_factors": factors,
            "summary": section.get("summary"),
            "extractor_version": self.extractor_version,
            "retrieved_at": self.retrieved_at,
        }


class Records(Sequence[dict[str, object]]):
    """The JSON objects of a collection's filings, each read from disk when it is asked for."""

    def __init__(self, filings: Sequence[FilingRecord]) -> None:
        self._filings = filings

    def __len__(self) -> int:
        return len(self._filings)

    @overload
    def __getitem__(self, index: int) -> dict[str, object]: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[dict[str, object]]: ...

    def __getitem__(self, index: int | slice) -> dict[str, object] | Sequence[dict[str, object]]:
        if isinstance(index, slice):
            return Records(self._filings[index])
        return self._filings[index].to_json()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a collection is.

    `rate` is filings a second, `eta` the seconds left (None while the total still grows); `message` is empty but for
    events, such as a pause. `paused` is the seconds left of a pause that the source asked for, None outside of one.
    """

    done: int
    total: int
    rate: float
    eta: float | None
    message: str = ""
    paused: float | None = None

    @property
    def left(self) -> int:
        """Filings that are known of and not done."""
        return self.total - self.done

    def __str__(self) -> str:
        time_left = "" if self.eta is None else f", {self.eta:.0f} s left"
        event = f": {self.message}" if self.message else ""
        return f"{self.done} of {self.total} filings, {self.left} left, {self.rate:.1f} a second{time_left}{event}"


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Stats:
    """Figures of one collection; rates are a second, times in seconds."""

    companies: int = 0
    candidates: int = 0
    other_fiscal_year: int = 0
    requests: int = 0
    document_requests: int = 0
    from_cache: int = 0
    not_modified: int = 0
    bytes_received: int = 0
    retries: int = 0
    pauses: int = 0
    seconds: float = 0.0
    request_rate: float = 0.0
    filings_rate: float = 0.0
    extraction_cpu_seconds: float = 0.0
    extractions: int = 0


@dataclass(frozen=True, slots=True)
class Collection:
    """The filings of a fiscal year, ordered by form, quarter and CIK, and what is not among them.

    `filings` are small and in memory; `records` are their JSON objects, read from the cache folder one by one.
    """

    fiscal_year: int
    filings: tuple[FilingRecord, ...]
    skips: tuple[Skip, ...]
    stats: Stats
    companies: tuple[Company, ...]

    @property
    def records(self) -> Records:
        """The JSON objects of `filings`, in the same order."""
        return Records(self.filings)
