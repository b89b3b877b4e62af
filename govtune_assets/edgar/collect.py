"""`collect`: all filings of a fiscal year, downloaded, extracted and told apart, each either a record or a skip.

Companies' submissions and documents are fetched concurrently under the client's one rate limit; extraction runs in
worker processes on what lies in the cache, so that neither the loop nor a download ever waits for it. Whatever happens
to one filing is recorded with that filing.
"""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime

from govtune_assets.edgar.cache import Entry
from govtune_assets.edgar.client import EdgarClient
from govtune_assets.edgar.errors import DownloadError, MalformedAnswerError, MissingDocumentError, UnobtainableError
from govtune_assets.edgar.fiscal import (
    Calendar,
    Placement,
    Unplaced,
    earliest_filing_date,
    ends_same_period,
    last_due_date,
    place,
    year_end_of,
    years_before_reading,
)
from govtune_assets.edgar.pace import Pace
from govtune_assets.edgar.records import (
    Collection,
    Company,
    Filing,
    FilingRecord,
    OnProgress,
    Progress,
    Skip,
    SkipReason,
    Stats,
)
from govtune_assets.edgar.settings import EdgarSource
from govtune_assets.edgar.submissions import AMENDMENTS, FORMS, Submissions, submissions
from govtune_assets.edgar.universe import Filers, Universe, parse_universe, resolve
from govtune_assets.edgar.workers import DocumentFailedError, WorkerEndedError, Workers
from govtune_assets.extraction import EXTRACTOR_VERSION, FiscalFacts, worker

_DOWNLOADS = 12  # filings under way at once: enough to fill 8 requests a second at 1.5 s each
_COMPANIES = 4  # submissions files under way at once
_READERS = 4  # filings under way from the cache to a record: two at a worker, two about to be
_WORKERS = 2  # processes that extract: each takes some 20 filings a second
_REPORT_EVERY = 1.0  # seconds
_UNLISTED: dict[type[Exception], SkipReason] = {
    MissingDocumentError: SkipReason.NO_SUBMISSIONS,
    UnobtainableError: SkipReason.UNOBTAINABLE,
    MalformedAnswerError: SkipReason.MALFORMED_SUBMISSIONS,
}


def collect(
    source: EdgarSource,
    fiscal_year: int,
    universe: Iterable[str] = ("served",),
    on_progress: OnProgress = lambda progress: None,
    *,
    amendments: bool = False,
) -> Collection:
    """All 10-Ks and 10-Qs of `fiscal_year` by the companies in `universe`, written as `parse_universe` says.

    With `amendments` their 10-K/As and 10-Q/As too, each a record of its own beside the report that it amends.

    Raises UniverseError, UnknownCompanyError for names the source does not know, UndeclaredToolError, BlockedError, and
    DownloadError, UnobtainableError and MalformedAnswerError where the list of companies itself cannot be had; failures
    of single filings are in `skips`.
    """
    collecting = _Collector(source, fiscal_year, on_progress, amendments).run(parse_universe(universe))
    if not _in_event_loop():
        return asyncio.run(collecting)
    # A run may be executed inside somebody's event loop, where no second one may start: it gets a thread of its own.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, collecting).result()


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class _Collector:
    """One collection under way."""

    def __init__(self, source: EdgarSource, year: int, on_progress: OnProgress, amendments: bool) -> None:
        self._source = source
        self._forms = FORMS + AMENDMENTS if amendments else FORMS
        self._year = year
        self._settled_at = datetime.combine(last_due_date(year), datetime.min.time(), UTC).timestamp()
        self._on_progress = on_progress
        self._client = EdgarClient(source, self._paused)
        self._queue: asyncio.Queue[tuple[Filing, Calendar]] = asyncio.Queue(maxsize=4 * _DOWNLOADS)
        self._stored: asyncio.Queue[tuple[Filing, Calendar, Entry]] = asyncio.Queue()
        self._workers = Workers(min(_WORKERS, os.cpu_count() or 1), source.cache_dir)
        self._records: list[FilingRecord] = []
        self._skips: list[Skip] = []
        self._done = self._total = self._other_year = self._extractions = 0
        self._companies_left = 0
        self._filers = Filers((), {})
        self._outside: set[str] = set()
        self._cpu = 0.0
        self._began = self._reported = time.monotonic()
        self._pace = Pace(self._began)

    async def run(self, universe: Universe) -> Collection:
        try:
            async with self._client:
                self._filers = await resolve(self._client, universe, self._year)
                companies = self._filers.companies
                self._companies_left = len(companies)
                try:
                    await self._gather(companies)
                except BaseExceptionGroup as group:
                    raise self._told(_first(group)) from group
        finally:
            await self._workers.close()
        companies = tuple(company for company in companies if company.cik not in self._outside)
        self._keep_one_of_co_registrants()
        self._keep_latest()
        self._report("done")
        return Collection(
            self._year,
            tuple(sorted(self._records, key=_order)),
            tuple(sorted(self._skips, key=lambda s: (s.company.cik, s.filing, s.reason))),
            self._stats(len(companies)),
            companies,
        )

    async def _gather(self, companies: tuple[Company, ...]) -> None:
        remaining = iter(companies)
        async with asyncio.TaskGroup() as group:
            endless = [group.create_task(self._download()) for _ in range(_DOWNLOADS)]
            endless += [group.create_task(self._read()) for _ in range(_READERS)]
            async with asyncio.TaskGroup() as listing:
                for _ in range(_COMPANIES):
                    listing.create_task(self._list(remaining))
            await self._queue.join()
            await self._stored.join()
            for task in endless:
                task.cancel()

    async def _list(self, companies: Iterable[Company]) -> None:
        for company in companies:
            await self._candidates(company)
            self._companies_left -= 1

    async def _candidates(self, company: Company) -> None:
        """Queue the filings of a company that may belong to the fiscal year."""
        listed = await self._listed(company)
        if listed is None:
            return
        calendar = listed.calendar
        count = 0
        for filing in listed.filings + listed.unnamed:
            if self._year not in years_before_reading(filing, calendar):
                continue
            if not self._filers.has(company, year_end_of(filing, calendar)):
                continue
            count += 1
            if not filing.url:
                detail = f"{filing.accession_number} names no primary document that can be fetched"
                self._skips.append(Skip(SkipReason.NO_DOCUMENT_NAME, listed.company, filing, detail))
                continue
            self._total += 1
            await self._queue.put((filing, calendar))
        if listed.missing_pages:
            detail = f"the source lacks older pages of the submissions file: {', '.join(listed.missing_pages)}"
            if count:
                self._skips.append(Skip(SkipReason.MISSING_PAGES, listed.company, None, detail))
            else:
                self._without_filings(listed.company, SkipReason.MISSING_PAGES, detail)
        elif not count:
            detail = f"no 10-K or 10-Q of fiscal year {self._year} in the submissions file"
            self._without_filings(listed.company, SkipReason.NO_FILINGS, detail)

    async def _listed(self, company: Company) -> Submissions | None:
        """The company's submissions, or None where they cannot be had and a skip says why."""
        try:
            listed = await self._submissions(company, self._settled_at)
            return listed if self._has_annual_report(listed) else await self._submissions(company, None)
        except tuple(_UNLISTED) as error:
            self._without_filings(company, _UNLISTED[type(error)], str(error))
        except DownloadError as error:
            self._skips.append(Skip(SkipReason.DOWNLOAD_FAILED, company, None, str(error)))
        return None

    async def _submissions(self, company: Company, settled_at: float | None) -> Submissions:
        return await submissions(self._client, company, earliest_filing_date(self._year), self._forms, settled_at)

    def _has_annual_report(self, listed: Submissions) -> bool:
        """Whether the company has filed for the year: who has not may do so late, whenever that is."""
        annual = (filing for filing in listed.filings if filing.form_type == "10-K")
        return any(self._year in years_before_reading(filing, listed.calendar) for filing in annual)

    def _without_filings(self, company: Company, reason: SkipReason, detail: str) -> None:
        """A skip, unless the company was in the universe in the years before or after alone."""
        if self._filers.has(company, date(self._year, 12, 31)):
            self._skips.append(Skip(reason, company, None, detail))
        else:
            self._outside.add(company.cik)

    async def _download(self) -> None:
        while True:
            filing, calendar = await self._queue.get()
            entry = await self._document(filing)
            if entry is None:
                self._finish_one()
            else:
                self._stored.put_nowait((filing, calendar, entry))
            self._queue.task_done()

    async def _read(self) -> None:
        while True:
            await self._take(*await self._stored.get())
            self._finish_one()
            self._stored.task_done()

    def _finish_one(self) -> None:
        self._done += 1
        self._report()

    async def _document(self, filing: Filing, *, damaged: bool = False) -> Entry | None:
        """The filing's document in the cache, or None where it cannot be had and a skip says why.

        What stops the whole run is raised: refusals of the source, and OSError such as a full disk.
        """
        try:
            return await self._client.document(filing.url, damaged=damaged)
        except MissingDocumentError as error:
            self._skip(SkipReason.MISSING_DOCUMENT, filing, str(error))
        except UnobtainableError as error:
            self._skip(SkipReason.UNOBTAINABLE, filing, str(error))
        except DownloadError as error:
            self._skip(SkipReason.DOWNLOAD_FAILED, filing, str(error))
        return None

    async def _take(self, filing: Filing, calendar: Calendar, entry: Entry) -> None:
        """Make one filing a record, a skip, or leave it to the other fiscal year it belongs to."""
        try:
            read = await self._extract_whole(filing, entry)
        except (DocumentFailedError, WorkerEndedError, TimeoutError) as error:
            words = str(error) if isinstance(error, DocumentFailedError) else f"{type(error).__name__}: {error}"
            self._failed(filing, calendar, words)
        else:
            if read is not None:
                self._place(filing, read[0], calendar, read[1])

    async def _extract_whole(self, filing: Filing, entry: Entry) -> tuple[Entry, worker.Extracted] | None:
        """The extracted document and its entry; a damaged one is fetched anew, None where that does not help."""
        try:
            return entry, await self._extract(filing, entry)
        except worker.DamagedBodyError:
            again = await self._document(filing, damaged=True)
        if again is None:
            return None
        try:
            return again, await self._extract(filing, again)
        except worker.DamagedBodyError as error:
            self._skip(SkipReason.DOWNLOAD_FAILED, filing, f"{error}, twice: check the disk of the cache folder")
            return None

    async def _extract(self, filing: Filing, entry: Entry) -> worker.Extracted:
        digest = entry.sha256 or ""
        path = worker.result_path(self._source.cache_dir, digest, filing.base_form)
        known = worker.load(path)
        if known is not None:
            return known
        found = await self._workers.extract(self._client.cache.body_path(digest), digest, filing.base_form)
        self._extractions += 1
        self._cpu += found.cpu_seconds
        return found

    def _place(self, filing: Filing, entry: Entry, calendar: Calendar, found: worker.Extracted) -> None:
        facts = found.facts
        if not filing.is_amendment and (facts.amendment or (facts.form_type or "").endswith("/A")):
            if self._forms == FORMS:
                self._skip(SkipReason.AMENDMENT, filing, "the document says that it is an amendment")
                return
            filing = replace(filing, form_type=f"{filing.form_type}/A")
        placement = place(filing, facts, calendar)
        if isinstance(placement, Unplaced):
            self._skip(placement.reason, filing, placement.detail)
        elif placement.fiscal_year.year != self._year:
            self._other_year += 1
        else:
            self._records.append(self._record(filing, entry, placement, facts, found))

    def _failed(self, filing: Filing, calendar: Calendar, reason: str) -> None:
        """Record a filing whose extraction failed, in the year that the calendar gives it."""
        entry = self._client.cache.entry(filing.url)
        self._skip(SkipReason.EXTRACTION_FAILED, filing, reason)
        placement = place(filing, FiscalFacts(), calendar)
        if entry is not None and isinstance(placement, Placement) and placement.fiscal_year.year == self._year:
            self._records.append(self._record(filing, entry, placement, FiscalFacts(), None))

    def _record(
        self,
        filing: Filing,
        entry: Entry,
        placement: Placement,
        facts: FiscalFacts,
        found: worker.Extracted | None,
    ) -> FilingRecord:
        retrieved = datetime.fromtimestamp(int(entry.fetched_at), UTC)
        company = filing.company
        own_words = not facts.ciks or facts.ciks[0] == company.cik
        return FilingRecord(
            filing=filing,
            entity_name=(facts.entity_name if own_words else None) or company.name,
            fiscal_year=self._year,
            fiscal_quarter=placement.fiscal_year.quarter,
            period_end=placement.period_end,
            document_sha256=entry.sha256 or "",
            status=found.status if found else "failed",
            characters=found.characters if found else 0,
            risk_factor_count=found.risk_factor_count if found else 0,
            extractor_version=EXTRACTOR_VERSION,
            retrieved_at=retrieved.isoformat().replace("+00:00", "Z"),
            fiscal_year_source=placement.fiscal_year.source,
            section_path=found.path if found else None,
            period_end_source=placement.period_source,
            registrants=facts.ciks,
        )

    def _skip(self, reason: SkipReason, filing: Filing, detail: str) -> None:
        self._skips.append(Skip(reason, filing.company, filing, detail))

    def _keep_one_of_co_registrants(self) -> None:
        """A report that several companies of the universe filed together is one record: of the one it names first."""
        kept: dict[str, FilingRecord] = {}
        for record in sorted(self._records, key=_place_among_registrants):
            first = kept.setdefault(record.filing.accession_number, record)
            if first is not record:
                detail = f"filed together with {first.filing.company}, under which it is kept"
                self._skip(SkipReason.CO_REGISTRANT, record.filing, detail)
        self._records = list(kept.values())

    def _keep_latest(self) -> None:
        """One report for each company, form and quarter, or year, the one filed last; and each of its amendments.

        What covers the same period is superseded. What covers another one, under the same quarter or year, is a report
        that lacks a place, and says so.
        """
        kept: dict[tuple[str, str, int | None], FilingRecord] = {}
        amendments: list[FilingRecord] = []
        for record in sorted(self._records, key=lambda r: (r.filing.filing_date, r.filing.accession_number)):
            if record.filing.is_amendment:
                amendments.append(record)
                continue
            key = (record.cik, record.form_type, record.fiscal_quarter)
            if key in kept:
                self._give_way(kept[key], record)
            kept[key] = record
        self._records = [*kept.values(), *amendments]

    def _give_way(self, earlier: FilingRecord, later: FilingRecord) -> None:
        number = later.filing.accession_number
        if ends_same_period(earlier.period_end, later.period_end):
            self._skip(SkipReason.SUPERSEDED, earlier.filing, f"{number} covers the same period")
            return
        named = f"fiscal year {self._year}"
        if earlier.form_type == "10-Q":
            named = f"quarter {earlier.fiscal_quarter or 'unknown'} of {named}"
        detail = f"{named} by its own words, and so is {number} for the period to {later.period_end}, which is kept"
        self._skip(SkipReason.PERIOD_CLASH, earlier.filing, detail)

    def _expected(self) -> float | None:
        """How many filings there will be: the companies not yet listed have as many as the others have on average."""
        listed = len(self._filers.companies) - self._companies_left
        if not listed:
            return None
        return self._total * len(self._filers.companies) / listed

    def _told(self, error: BaseException) -> BaseException:
        """The error that stopped the run; a full disk with what to do about it."""
        if not isinstance(error, OSError) or error.errno not in (errno.ENOSPC, errno.EDQUOT):
            return error
        mend = (
            f"{error.strerror}: the cache folder {self._source.cache_dir} is full. Free space there, or choose another "
            "folder (setting GOVTUNE_EDGAR_CACHE), and run again: what was downloaded is kept. Two fiscal years of "
            "the S&P 500 take about 1.5 GB"
        )
        return OSError(error.errno, mend, error.filename)

    def _paused(self, left: float) -> None:
        self._report(f"the source asks for fewer requests: paused, {left:.0f} s left", left)

    def _report(self, message: str = "", paused: float | None = None) -> None:
        now = time.monotonic()
        if not message and now - self._reported < _REPORT_EVERY:
            return
        self._reported = now
        rate, eta = self._pace.of(now, self._done, self._expected())
        self._on_progress(Progress(self._done, self._total, rate, eta, message, paused))

    def _stats(self, companies: int) -> Stats:
        seconds = time.monotonic() - self._began
        traffic = self._client.traffic
        return Stats(
            companies=companies,
            candidates=self._total,
            other_fiscal_year=self._other_year,
            requests=traffic.requests,
            document_requests=traffic.document_requests,
            from_cache=traffic.from_cache,
            not_modified=traffic.not_modified,
            bytes_received=traffic.bytes_received,
            retries=traffic.retries,
            pauses=traffic.pauses,
            seconds=seconds,
            request_rate=traffic.requests / seconds,
            filings_rate=self._done / seconds,
            extraction_cpu_seconds=self._cpu,
            extractions=self._extractions,
        )


def _order(record: FilingRecord) -> tuple[str, int, str, str]:
    return record.form_type, record.fiscal_quarter or 0, record.cik, record.filing.accession_number


def _place_among_registrants(record: FilingRecord) -> tuple[int, str]:
    known = record.registrants
    return known.index(record.cik) if record.cik in known else len(known), record.cik


def _first(group: BaseExceptionGroup) -> BaseException:
    """The error that stopped the tasks of a group, out of the groups around it."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
