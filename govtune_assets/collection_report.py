"""What a person sees of a collected fiscal year: tables and a chart, figures, and the whole list of what is missing.

Numbers are reported as numbers under names that stay the same from year to year, so that Dagster plots them.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from govtune_assets import markdown, provenance
from govtune_assets.edgar import Collection, Company, Filing, FilingRecord, Skip, SkipReason, Stats
from govtune_assets.raw_zone import FORM_TYPES

SHOWN = 50
"""Companies or filings that a table of the UI lists by name; the report in the raw zone lists all."""
EXTREMES = 5
"""Longest and shortest sections that are shown."""

NOT_COUNTED = frozenset((SkipReason.AMENDMENT, SkipReason.SUPERSEDED, SkipReason.CO_REGISTRANT))
"""Skipped 10-Ks for which nothing is missing: another filing stands for the year."""

LISTED = frozenset((SkipReason.NO_FILINGS,))
"""Reasons to leave out a company whose list of filings was had whole."""

DIGITS = 4
"""Digits after the point of a figure."""
_ADDRESS = re.compile(r"https?://\S+")
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Missing:
    """A company of the universe without any filing in the year."""

    company: Company
    reason: str
    detail: str


@dataclass(frozen=True)
class Coverage:
    """10-Ks that the submissions files list for the year, and those of them that were extracted.

    `unlisted` are companies whose list could not be had whole, and of which no 10-K of the year is known: each
    counts as one that is lacking. A source that is out of order would otherwise look like one that lists little.
    """

    listed: int
    extracted: int
    unlisted: int

    @property
    def share(self) -> float:
        """0 where nothing is listed: nothing was shown to be there."""
        return _ratio(self.extracted, self.listed + self.unlisted)

    def __str__(self) -> str:
        words = f"{self.extracted:,} of {self.listed:,} listed 10-Ks were extracted"
        if self.unlisted:
            words += f", and of {self.unlisted:,} companies no whole list of filings could be had"
        return words


class Tally:
    """What is learned of the records in the one pass that writes them: a year's text need not fit into memory."""

    def __init__(self) -> None:
        self.characters = 0
        self.captioned = 0
        self.risk_factors = 0
        self._digests: list[str] = []

    def watch(self, records: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """The same records, counted as they pass."""
        for record in records:
            factors = record["risk_factors"]
            self.risk_factors += len(factors)
            if record["status"] == "full":
                self.characters += len(record["risk_factor_text"])
                self.captioned += sum(_captioned(factor) for factor in factors)
            self._digests.append(provenance.digest_of_record(record))
            yield record

    @property
    def captioned_share(self) -> float:
        """Share of the characters of full sections that belong to a risk factor with a subcaption, itself included."""
        return self.captioned / self.characters if self.characters else 0.0

    @property
    def data_version(self) -> str:
        """Digest of the records that passed, by content."""
        return provenance.digest_of_digests(self._digests)


def coverage(collection: Collection) -> Coverage:
    """How many of the listed 10-Ks were extracted. A filing that failed is both a record and a skip: it counts once."""
    annual = [record for record in collection.filings if record.form_type == "10-K"]
    lacking = [
        skip.source
        for skip in collection.skips
        if skip.source and skip.source.form_type == "10-K" and skip.reason not in NOT_COUNTED
    ]
    listed = [*lacking, *(record.filing for record in annual)]
    unlisted = {skip.company.cik for skip in collection.skips if not skip.source and skip.reason not in LISTED}
    return Coverage(
        len({filing.accession_number for filing in listed}),
        sum(record.status != "failed" for record in annual),
        len(unlisted - {filing.company.cik for filing in listed}),
    )


def missing_companies(collection: Collection) -> list[Missing]:
    """Companies of the universe that have no record, each with what was said of it or of its filings."""
    present = {record.cik for record in collection.filings}
    said: dict[str, list[Skip]] = {}
    for skip in collection.skips:
        said.setdefault(skip.company.cik, []).append(skip)
    return [
        _missing(company, said.get(company.cik, []), collection.fiscal_year)
        for company in collection.companies
        if company.cik not in present
    ]


def _missing(company: Company, skips: Sequence[Skip], year: int) -> Missing:
    if not skips:
        return Missing(company, "other_fiscal_year", f"none of its filings belongs to fiscal year {year}")
    named = next((skip.company for skip in skips if skip.company.name), company)
    reasons = ", ".join(sorted({str(skip.reason) for skip in skips}))
    return Missing(named, reasons, "; ".join(skip.detail for skip in skips))


def report(collection: Collection) -> dict[str, Any]:
    """All that is not among the year's records, and why, as JSON. It depends on what was found only, not on the run."""
    covered = coverage(collection)
    return {
        "fiscal_year": collection.fiscal_year,
        "companies": len(collection.companies),
        "filings": len(collection.filings),
        "annual_reports_listed": covered.listed,
        "annual_reports_extracted": covered.extracted,
        "companies_without_list": covered.unlisted,
        "missing_companies": [
            {**_company(item.company), "reason": item.reason, "detail": item.detail}
            for item in missing_companies(collection)
        ],
        "skipped": [_skipped(skip) for skip in collection.skips],
    }


def tables(collection: Collection, tally: Tally) -> dict[str, dg.MarkdownMetadataValue]:
    """What is shown in place: the year in short, counts as a table and a chart, what is missing, and the extremes."""
    forms = _forms(collection.filings)
    counts = _by_status(collection.filings, forms)
    full = sorted((r for r in collection.filings if r.status == "full"), key=lambda record: record.characters)
    missing = [[_name(item.company), item.reason, _brief(item.detail)] for item in missing_companies(collection)]
    reasons = Counter(str(skip.reason) for skip in collection.skips)
    rows: list[list[markdown.Cell]] = [[status, *row, sum(row)] for status, row in counts.items()]
    shown = {
        "In short": _in_short(collection, tally),
        "Filings": markdown.table(["status", *forms, "all"], rows),
        "Filings, as a chart": markdown.stacked_bars("Filings by status and form", forms, counts),
        "Missing companies": markdown.bounded_table(["company", "reason", "detail"], missing, SHOWN),
        "Skipped, by reason": markdown.table(["reason", "filings or companies"], reasons.most_common()),
        "Skipped, by name": skips_table(collection.skips),
        "Longest sections": _sections(full[::-1][:EXTREMES]),
        "Shortest sections": _sections(full[:EXTREMES]),
    }
    return {name: dg.MetadataValue.md(text) for name, text in shown.items()}


def skips_table(skips: Sequence[Skip]) -> str:
    """Skipped filings and companies by name, a bounded number of them, as Markdown."""
    rows = [[_name(skip.company), _listed(skip.source), str(skip.reason), _brief(skip.detail)] for skip in skips]
    return markdown.bounded_table(["company", "filing", "reason", "detail"], rows, SHOWN)


def figures(collection: Collection, tally: Tally) -> dict[str, int | float]:
    """The year's numbers: coverage, the sections, the download and the extraction. Rates are a second."""
    covered, stats = coverage(collection), collection.stats
    numbers = {
        "companies": len(collection.companies),
        "filers": len({record.cik for record in collection.filings}),
        "missing_companies": len(missing_companies(collection)),
        "annual_reports_listed": covered.listed,
        "annual_reports_extracted": covered.extracted,
        "companies_without_list": covered.unlisted,
        "annual_report_coverage": covered.share,
        "full": sum(record.status == "full" for record in collection.filings),
        "failed": sum(record.status == "failed" for record in collection.filings),
        "skipped": len(collection.skips),
        "risk_factors": tally.risk_factors,
        "characters": tally.characters,
        "captioned_share": tally.captioned_share,
        **_download(stats),
        **_extraction(stats),
    }
    return {name: round(number, DIGITS) if isinstance(number, float) else number for name, number in numbers.items()}


def _in_short(collection: Collection, tally: Tally) -> str:
    covered, stats = coverage(collection), collection.stats
    megabytes = stats.bytes_received / MEGABYTE
    rows = [
        ["10-Ks", f"{covered} ({covered.share:.1%})"],
        ["risk factors", f"{tally.risk_factors:,}; under a subcaption: {tally.captioned_share:.1%} of full sections"],
        [
            "download",
            f"{stats.document_requests:,} documents in {stats.seconds:,.0f} s: {stats.request_rate:.1f} requests/s, "
            f"{megabytes:,.1f} MB, {_ratio(megabytes, stats.seconds):.2f} MB/s; "
            f"{stats.from_cache:,} answers from the cache",
        ],
        [
            "extraction",
            f"{stats.extractions:,} filings, {_ratio(stats.extractions, stats.seconds):.1f} a second, "
            f"{_ratio(stats.extraction_cpu_seconds, stats.extractions):.3f} s CPU each",
        ],
    ]
    return markdown.table(["measure", "of this run"], rows)


def _download(stats: Stats) -> dict[str, int | float]:
    return {
        "requests": stats.requests,
        "documents_downloaded": stats.document_requests,
        "answers_from_cache": stats.from_cache,
        "requests_per_second": stats.request_rate,
        "megabytes_downloaded": stats.bytes_received / MEGABYTE,
        "megabytes_per_second": _ratio(stats.bytes_received / MEGABYTE, stats.seconds),
        "pauses": stats.pauses,
        "retries": stats.retries,
    }


def _extraction(stats: Stats) -> dict[str, int | float]:
    return {
        "extractions": stats.extractions,
        "extractions_per_second": _ratio(stats.extractions, stats.seconds),
        "filings_per_second": stats.filings_rate,
        "extraction_cpu_seconds": stats.extraction_cpu_seconds,
        "cpu_seconds_per_extraction": _ratio(stats.extraction_cpu_seconds, stats.extractions),
        "collection_seconds": stats.seconds,
    }


def _forms(filings: Sequence[FilingRecord]) -> list[str]:
    """10-K and 10-Q, and amendments of them where there are any."""
    return [*FORM_TYPES, *sorted({record.form_type for record in filings} - set(FORM_TYPES))]


def _by_status(filings: Sequence[FilingRecord], forms: Sequence[str]) -> dict[str, list[int]]:
    """Filings by status, the most frequent first; a number for each form."""
    counts = Counter((record.status, record.form_type) for record in filings)
    totals = Counter(record.status for record in filings)
    return {status: [counts[status, form] for form in forms] for status, _ in totals.most_common()}


def _sections(records: Sequence[FilingRecord]) -> str:
    rows: list[list[markdown.Cell]] = [
        [record.entity_name, markdown.Link(_form(record), record.filing.url), record.characters] for record in records
    ]
    return markdown.table(["company", "form", "characters"], rows)


def _form(record: FilingRecord) -> str:
    return record.form_type + (f", Q{record.fiscal_quarter}" if record.fiscal_quarter else "")


def _listed(filing: Filing | None) -> markdown.Cell:
    """A filing as its submissions file lists it, with a link to its document where it has one."""
    if filing is None:
        return "all"
    words = f"{filing.form_type} {filing.report_date or filing.filing_date}"
    return markdown.Link(words, filing.url) if filing.url else words


def _brief(detail: str) -> str:
    """A detail in which addresses are only their last part: whole ones make a table wider than the page."""
    return _ADDRESS.sub(lambda found: found[0].rstrip("/").rpartition("/")[2], detail)


def _captioned(factor: Mapping[str, Any]) -> int:
    subcaption = factor["subcaption"]
    return int(factor["end"] - factor["start"] + len(subcaption)) if subcaption else 0


def _company(company: Company) -> dict[str, str | None]:
    return {"cik": company.cik, "ticker": company.ticker, "name": company.name}


def _skipped(skip: Skip) -> dict[str, Any]:
    filing = skip.source
    return {
        **_company(skip.company),
        "form_type": filing.form_type if filing else None,
        "accession_number": filing.accession_number if filing else None,
        "period_end": filing.report_date.isoformat() if filing and filing.report_date else None,
        "source_url": filing.url if filing else None,
        "reason": str(skip.reason),
        "detail": skip.detail,
    }


def _name(company: Company) -> str:
    ticker = f", {company.ticker}" if company.ticker else ""
    return f"{company.name or 'without a name'} ({company.cik}{ticker})"


def _ratio(value: float, by: float) -> float:
    return value / by if by else 0.0
