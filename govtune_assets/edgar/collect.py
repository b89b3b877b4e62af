"""`collect`: all filings of a fiscal year, downloaded, extracted and told apart, each either a record or a skip.

Companies' submissions and documents are fetched concurrently under the client's one rate limit; extraction runs in
worker processes, so the loop never waits for it. Whatever happens to one filing is recorded with that filing.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, date, datetime
from pathlib import Path

from govtune_assets.edgar.cache import Entry
from govtune_assets.edgar.client import EdgarClient
from govtune_assets.edgar.errors import DownloadError, EdgarError, MalformedAnswerError, MissingDocumentError
from govtune_assets.edgar.fiscal import earliest_filing_date, fiscal_year, plausible_years, year_end_of
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
from govtune_assets.edgar.submissions import submissions
from govtune_assets.edgar.universe import Filers, Universe, parse_universe, resolve
from govtune_assets.extraction import EXTRACTOR_VERSION, FiscalFacts, worker

_DOWNLOADS = 12  # filings under way at once: enough to fill 8 requests a second at 1.5 s each
_COMPANIES = 4  # submissions files under way at once
_REPORT_EVERY = 1.0  # seconds


def collect(
    source: EdgarSource,
    fiscal_year: int,
    universe: Iterable[str] = ("served",),
    on_progress: OnProgress = lambda progress: None,
) -> Collection:
    """All 10-Ks and 10-Qs of `fiscal_year` by the companies in `universe`, written as `parse_universe` says.

    Raises UniverseError, UnknownCompanyError for names the source does not know, UndeclaredToolError, BlockedError, and
    DownloadError where the list of companies itself cannot be had; failures of single filings are in `skips`.
    """
    collecting = _Collector(source, fiscal_year, on_progress).run(parse_universe(universe))
    if not _in_event_loop():
        return asyncio.run(collecting)
    # A run may be executed inside somebody's event loop, where no second one may start: it gets a thread of its own.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, collecting).result()


def _workers(number: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        number,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=worker.start,
        initargs=(os.getpid(),),
    )


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class _Collector:
    """One collection under way."""

    def __init__(self, source: EdgarSource, year: int, on_progress: OnProgress) -> None:
        self._source = source
        self._year = year
        self._on_progress = on_progress
        self._client = EdgarClient(source, self._paused)
        self._pool: ProcessPoolExecutor | None = None
        self._queue: asyncio.Queue[tuple[Filing, date | None]] = asyncio.Queue(maxsize=4 * _DOWNLOADS)
        self._workers = min(2, os.cpu_count() or 1)
        self._extracting = asyncio.Semaphore(2 * self._workers)
        self._records: list[FilingRecord] = []
        self._skips: list[Skip] = []
        self._done = self._total = self._other_year = self._extractions = 0
        self._companies_left = 0
        self._filers = Filers((), {})
        self._outside: set[str] = set()
        self._cpu = 0.0
        self._began = self._reported = time.monotonic()

    async def run(self, universe: Universe) -> Collection:
        try:
            async with self._client:
                self._filers = await resolve(self._client, universe, self._year)
                companies = self._filers.companies
                self._companies_left = len(companies)
                try:
                    await self._gather(companies)
                except BaseExceptionGroup as group:
                    raise _first(group) from group
        finally:
            if self._pool is not None:
                self._pool.shutdown(wait=True, cancel_futures=True)
        companies = tuple(company for company in companies if company.cik not in self._outside)
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
            filings = [group.create_task(self._work()) for _ in range(_DOWNLOADS)]
            async with asyncio.TaskGroup() as listing:
                for _ in range(_COMPANIES):
                    listing.create_task(self._list(remaining))
            await self._queue.join()
            for task in filings:
                task.cancel()

    async def _list(self, companies: Iterable[Company]) -> None:
        for company in companies:
            await self._candidates(company)
            self._companies_left -= 1

    async def _candidates(self, company: Company) -> None:
        """Queue the filings of a company that may belong to the fiscal year."""
        try:
            listed = await submissions(self._client, company, earliest_filing_date(self._year))
        except MissingDocumentError as error:
            self._skips.append(Skip(SkipReason.NO_SUBMISSIONS, company, None, str(error)))
            return
        except (DownloadError, MalformedAnswerError) as error:
            self._skips.append(Skip(SkipReason.DOWNLOAD_FAILED, company, None, str(error)))
            return
        ends = [f.report_date for f in listed.filings if f.form_type == "10-K" and f.report_date]
        count = 0
        for filing in listed.filings + listed.unnamed:
            end = year_end_of(filing, ends, listed.fiscal_year_end)
            if self._year not in plausible_years(filing, end):
                continue
            if not self._filers.has(company, end):
                self._outside.add(company.cik)
                continue
            count += 1
            if not filing.url:
                detail = f"{filing.accession_number} names no primary document that can be fetched"
                self._skips.append(Skip(SkipReason.NO_DOCUMENT_NAME, listed.company, filing, detail))
                continue
            self._total += 1
            await self._queue.put((filing, end))
        if count:
            self._outside.discard(company.cik)
        elif company.cik not in self._outside:
            detail = f"no 10-K or 10-Q of fiscal year {self._year} in the submissions file"
            if listed.missing_pages:
                detail += f"; the source lacks its older pages {', '.join(listed.missing_pages)}"
            self._skips.append(Skip(SkipReason.NO_FILINGS, listed.company, None, detail))

    async def _work(self) -> None:
        while True:
            filing, end = await self._queue.get()
            try:
                await self._take(filing, end)
            finally:
                self._done += 1
                self._report()
                self._queue.task_done()

    async def _take(self, filing: Filing, year_end: date | None) -> None:
        """Make one filing a record, a skip, or leave it to the other fiscal year it belongs to.

        What stops the whole run is raised: refusals of the source, and OSError such as a full disk.
        """
        try:
            entry, found = await self._read(filing)
        except MissingDocumentError as error:
            self._skip(SkipReason.MISSING_DOCUMENT, filing, str(error))
        except DownloadError as error:
            self._skip(SkipReason.DOWNLOAD_FAILED, filing, str(error))
        except EdgarError:
            raise
        except Exception as error:  # whatever a document does to its worker is that document's outcome
            if isinstance(error, OSError) and not isinstance(error, TimeoutError):
                raise
            self._failed(filing, year_end, f"{type(error).__name__}: {error}")
        else:
            self._place(filing, entry, year_end, found)

    async def _read(self, filing: Filing) -> tuple[Entry, worker.Extracted]:
        entry = await self._client.document(filing.url)
        try:
            return entry, await self._extract(filing, entry)
        except worker.DamagedBodyError:
            entry = await self._client.document(filing.url, damaged=True)
            return entry, await self._extract(filing, entry)

    async def _extract(self, filing: Filing, entry: Entry) -> worker.Extracted:
        digest = entry.sha256 or ""
        path = worker.result_path(self._source.cache_dir, digest, filing.form_type)
        known = worker.load(path)
        if known is not None:
            return known
        async with self._extracting:
            pool = self._executor()
            arguments = (self._client.cache.body_path(digest), digest, filing.form_type, self._source.cache_dir)
            try:
                found = await asyncio.get_running_loop().run_in_executor(pool, worker.run, *arguments)
            except BrokenProcessPool:
                if self._pool is pool:
                    pool.shutdown(wait=False)
                    self._pool = None
                found = await self._extract_alone(*arguments)
        self._extractions += 1
        self._cpu += found.cpu_seconds
        return found

    async def _extract_alone(self, body: Path, digest: str, form_type: str, cache: Path) -> worker.Extracted:
        """Once more, with a worker to itself: a document that ends its worker breaks the pool of those beside it.

        Raises BrokenProcessPool where it was this document.
        """
        pool = _workers(1)
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, worker.run, body, digest, form_type, cache)
        finally:
            pool.shutdown(wait=False)

    def _executor(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = _workers(self._workers)
        return self._pool

    def _place(self, filing: Filing, entry: Entry, year_end: date | None, found: worker.Extracted) -> None:
        facts = found.facts
        if facts.amendment or (facts.form_type or "").endswith("/A"):
            self._skip(SkipReason.AMENDMENT, filing, "the document says that it is an amendment")
            return
        told = fiscal_year(filing, facts, year_end)
        if told is None:
            detail = f"the document names no fiscal year and its period ends {filing.report_date}"
            self._skip(SkipReason.FISCAL_YEAR_UNKNOWN, filing, detail)
        elif told.year != self._year:
            self._other_year += 1
        else:
            self._records.append(self._record(filing, entry, told.quarter, told.source, facts, found))

    def _failed(self, filing: Filing, year_end: date | None, reason: str) -> None:
        """Record a filing whose extraction failed, in the year that the calendar gives it."""
        entry = self._client.cache.entry(filing.url)
        self._skip(SkipReason.EXTRACTION_FAILED, filing, reason)
        told = fiscal_year(filing, FiscalFacts(), year_end)
        if entry is not None and told is not None and told.year == self._year:
            record = self._record(filing, entry, told.quarter, told.source, FiscalFacts(), None)
            self._records.append(record)

    def _record(
        self,
        filing: Filing,
        entry: Entry,
        quarter: int | None,
        year_source: str,
        facts: FiscalFacts,
        found: worker.Extracted | None,
    ) -> FilingRecord:
        retrieved = datetime.fromtimestamp(int(entry.fetched_at), UTC)
        return FilingRecord(
            filing=filing,
            entity_name=facts.entity_name or filing.company.name,
            fiscal_year=self._year,
            fiscal_quarter=quarter,
            period_end=facts.period_end or filing.report_date or filing.filing_date,
            document_sha256=entry.sha256 or "",
            status=found.status if found else "failed",
            characters=found.characters if found else 0,
            risk_factor_count=found.risk_factor_count if found else 0,
            extractor_version=EXTRACTOR_VERSION,
            retrieved_at=retrieved.isoformat().replace("+00:00", "Z"),
            fiscal_year_source=year_source,
            section_path=found.path if found else None,
        )

    def _skip(self, reason: SkipReason, filing: Filing, detail: str) -> None:
        self._skips.append(Skip(reason, filing.company, filing, detail))

    def _keep_latest(self) -> None:
        """One record for each company, form and period: the one filed last."""
        latest: dict[tuple[str, str, int | None], FilingRecord] = {}
        for record in sorted(self._records, key=lambda r: (r.filing.filing_date, r.filing.accession_number)):
            key = (record.cik, record.form_type, record.fiscal_quarter)
            if key in latest:
                newer = record.filing.accession_number
                self._skip(SkipReason.SUPERSEDED, latest[key].filing, f"{newer} covers the same period")
            latest[key] = record
        self._records = list(latest.values())

    def _paused(self, left: float) -> None:
        self._report(f"the source asks for fewer requests: paused, {left:.0f} s left", left)

    def _report(self, message: str = "", paused: float | None = None) -> None:
        now = time.monotonic()
        if not message and now - self._reported < _REPORT_EVERY:
            return
        self._reported = now
        rate = self._done / max(now - self._began, 1e-9)
        known = self._companies_left == 0 and rate > 0
        eta = (self._total - self._done) / rate if known else None
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


def _first(group: BaseExceptionGroup) -> BaseException:
    """The error that stopped the tasks of a group, out of the groups around it."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
