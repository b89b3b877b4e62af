"""Which companies a run is about: how a universe is written, and the filers that it means. Keyed by CIK.

The SEC lists today's companies by ticker in company_tickers.json; several share classes are one filer, and classes are
written with a hyphen (BRK-B) where lists elsewhere write a dot or a slash. Companies that are no longer listed there
are found by their CIK, or by a ticker under which they were in the S&P 500.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from govtune_assets.edgar.client import EdgarClient
from govtune_assets.edgar.errors import (
    MalformedAnswerError,
    MissingDocumentError,
    UniverseError,
    UnknownCompanyError,
    UnobtainableError,
)
from govtune_assets.edgar.membership import Membership, sp500
from govtune_assets.edgar.records import Company

_CIK = re.compile(r"(?:CIK)?0*([1-9]\d{0,9})", re.IGNORECASE)
_TICKER = re.compile(r"[A-Z0-9]{1,10}(?:-[A-Z0-9]{1,4}){0,2}")
_SUBMISSIONS_FILE = re.compile(r"CIK(\d{10})\.json")
_SP500 = re.compile(r"sp500(?:@(\d{4}-\d\d-\d\d)(?:\.\.(\d{4}-\d\d-\d\d))?)?", re.IGNORECASE)
_YEAR = timedelta(days=364)  # a fiscal year, but for the day on which it ends
_LARGEST_LIST = 4 * 1024 * 1024  # bytes; the SEC's whole list has some 10,000 companies
_SHOWN = 20  # errors of a list that are told
_HEADINGS = ("cik", "ticker", "symbol")


@dataclass(frozen=True, slots=True)
class Served:
    """Every company in the source's company_tickers.json."""

    def __str__(self) -> str:
        return "served"


@dataclass(frozen=True, slots=True)
class IndexMembers:
    """Members of the S&P 500 on a day from `first` to `last`; without them, on a day of a filer's own fiscal year."""

    first: date | None = None
    last: date | None = None

    def __str__(self) -> str:
        if self.first is None:
            return "sp500"
        return f"sp500@{self.first}" if self.first == self.last else f"sp500@{self.first}..{self.last}"


@dataclass(frozen=True, slots=True)
class Named:
    """Companies by ticker or CIK, as they were written; `label` is how a list from a file is shown."""

    names: tuple[str, ...]
    label: str = ""

    def __str__(self) -> str:
        return self.label or ",".join(self.names)


@dataclass(frozen=True, slots=True)
class Universe:
    """The companies of all its parts together."""

    parts: tuple[Served | IndexMembers | Named, ...]

    def __str__(self) -> str:
        return ",".join(str(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Filers:
    """A universe's filers for one fiscal year; `stays` holds those of whom only some fiscal years belong to it."""

    companies: tuple[Company, ...]
    stays: Mapping[str, tuple[Membership, ...]]

    def has(self, company: Company, year_end: date | None) -> bool:
        """Whether a company's fiscal year that ends on `year_end` (None: not known) belongs to the universe."""
        stays = self.stays.get(company.cik)
        if stays is None or year_end is None:
            return True
        return any(stay.meets(year_end - _YEAR, year_end) for stay in stays)


def normalize_ticker(name: str) -> str:
    """A ticker as the SEC writes it: `brk.b` and `BRK/B` are `BRK-B`."""
    return re.sub(r"[./\s]+", "-", name.strip().upper())


def normalize_cik(name: str) -> str | None:
    """Ten digits for `320193`, `0000320193` or `CIK0000320193`; None for anything else."""
    match = _CIK.fullmatch(name.strip())
    return match[1].zfill(10) if match else None


def companies_in_folder(root: Path) -> tuple[str, ...]:
    """The CIKs whose submissions a recorded folder in EDGAR's layout holds, for use as a universe."""
    names = (root / "data" / "submissions").glob("CIK*.json")
    return tuple(sorted(match[1] for path in names if (match := _SUBMISSIONS_FILE.fullmatch(path.name))))


def parse_universe(written: Iterable[str]) -> Universe:
    """The universe that these words mean together.

    A word is `served`, `sp500` (members on any day of a filer's fiscal year), `sp500@2024-06-28` (members on that day),
    `sp500@2023-01-01..2024-12-31` (on any day of these), `file:PATH` (a CSV with a column cik, ticker or symbol, or one
    name a line), a ticker or a CIK.

    Raises UniverseError that names every word, or every line of a file, which is none of these.
    """
    parts: list[Served | IndexMembers | Named] = []
    names: list[str] = []
    wrong: list[str] = []
    for word in (text.strip() for text in written):
        if word.lower() == "served":
            parts.append(Served())
        elif word.lower().startswith("file:"):
            parts.append(_read_list(Path(word[len("file:") :].strip())))
        elif match := _SP500.fullmatch(word):
            parts.append(_index_members(word, match[1], match[2]))
        elif _is_name(word):
            names.append(word)
        else:
            wrong.append(repr(word[:80]))
    if wrong:
        raise UniverseError(f"not a universe, a ticker or a CIK: {', '.join(wrong[:_SHOWN])}")
    if names:
        parts.append(Named(tuple(dict.fromkeys(names))))
    if not parts:
        raise UniverseError("the universe names no company")
    return Universe(tuple(parts))


def _is_name(word: str) -> bool:
    ticker = normalize_ticker(word)
    return normalize_cik(word) is not None or (_TICKER.fullmatch(ticker) is not None and not ticker.isdigit())


def _index_members(word: str, first: str | None, last: str | None) -> IndexMembers:
    if first is None:
        return IndexMembers()
    try:
        begin, end = date.fromisoformat(first), date.fromisoformat(last or first)
    except ValueError as error:
        raise UniverseError(f"{word}: {error}") from None
    if end < begin:
        raise UniverseError(f"{word} ends before it begins")
    _refuse_uncovered(word, begin, end)
    return IndexMembers(begin, end)


def _refuse_uncovered(what: str, first: date, last: date) -> None:
    index = sp500()
    if first < index.first or last > index.last:
        raise UniverseError(
            f"{what}: the project's list of S&P 500 members covers {index.first} to {index.last}. Name days among "
            "these, or companies of your own: a file of CIKs (file:PATH), tickers, or served"
        )


def _read_list(path: Path) -> Named:
    try:
        with path.open("rb") as opened:
            body = opened.read(_LARGEST_LIST + 1)
    except OSError as error:
        raise UniverseError(f"file:{path} cannot be read: {error.strerror or error}") from None
    if len(body) > _LARGEST_LIST:
        raise UniverseError(f"file:{path} has more than {_LARGEST_LIST} bytes, more than a list of companies needs")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise UniverseError(f"file:{path}, line {line}: not UTF-8 text") from None
    names: dict[str, None] = {}
    wrong: list[str] = []
    for line, cell in _cells(path, text):
        if _is_name(cell):
            names.setdefault(cell)
        else:
            wrong.append(f"line {line}: {cell[:40]!r}")
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise UniverseError(f"file:{path} holds what is no ticker or CIK: {'; '.join(wrong[:_SHOWN])}{more}")
    if not names:
        raise UniverseError(f"file:{path} names no company")
    return Named(tuple(names), f"file:{path}")


def _cells(path: Path, text: str) -> Iterator[tuple[int, str]]:
    """The line number and the name of each row: of its CIK where there is one, else of its ticker.

    Empty lines and lines that begin with # are left out. Without a heading every row has one cell.
    """
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    columns: list[int] | None = None
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells) or cells[0].startswith("#"):
                continue
            if columns is None:
                heading = [cell.lower() for cell in cells]
                columns = [heading.index(name) for name in _HEADINGS if name in heading]
                if columns:
                    continue
            if not columns and len(cells) > 1:
                raise UniverseError(
                    f"file:{path}, line {reader.line_num}: {len(cells)} columns, and no first line that names one of "
                    f"them {', '.join(_HEADINGS[:-1])} or {_HEADINGS[-1]}"
                )
            found = (cells[column] for column in columns or (0,) if column < len(cells) and cells[column])
            yield reader.line_num, next(found, "")
    except csv.Error as error:
        raise UniverseError(f"file:{path}, line {reader.line_num}: {error}") from None


async def resolve(client: EdgarClient, universe: Universe, fiscal_year: int) -> Filers:
    """The filers of a universe, once each, in the order in which it names them.

    Raises UnknownCompanyError that names all tickers and CIKs which the source does not know, UniverseError for a
    fiscal year before or after the list of index members.
    """
    known = _Known(client, await _listed(client))
    chosen: dict[str, Company] = {}
    some_years: set[str] = set()
    all_years: set[str] = set()
    unknown: list[str] = []
    for part in universe.parts:
        match part:
            case Served():
                found = known.all()
            case Named(names):
                found, missing = await known.named(names)
                unknown += missing
            case IndexMembers():
                found = known.members(_stays(part, fiscal_year))
        (some_years if part == IndexMembers() else all_years).update(company.cik for company in found)
        for company in found:
            chosen.setdefault(company.cik, company)
    if unknown:
        raise UnknownCompanyError(tuple(unknown), client.source.www_url)
    stays: dict[str, tuple[Membership, ...]] = dict.fromkeys(some_years - all_years, ())
    for row in _stays(IndexMembers(), fiscal_year) if stays else ():
        if row.cik in stays:
            stays[row.cik] += (row,)
    return Filers(tuple(chosen.values()), stays)


def _stays(part: IndexMembers, fiscal_year: int) -> tuple[Membership, ...]:
    """The stays that a part means; where it names no days, those on a day that any filer may count to the year."""
    index = sp500()
    if part.first is not None and part.last is not None:
        return index.between(part.first, part.last)
    if not index.first.year <= fiscal_year <= index.last.year:
        _refuse_uncovered(f"sp500 in fiscal year {fiscal_year}", date(fiscal_year, 1, 1), date(fiscal_year, 12, 31))
    return index.between(date(fiscal_year - 1, 1, 1), date(fiscal_year + 1, 6, 30))


class _Known:
    """The companies in the source's list, and ways to those that are not in it."""

    def __init__(self, client: EdgarClient, by_ticker: Mapping[str, Company]) -> None:
        self._client = client
        self._by_ticker = by_ticker
        self._by_cik: dict[str, Company] = {}
        for company in by_ticker.values():
            self._by_cik.setdefault(company.cik, company)

    def all(self) -> list[Company]:
        return list(self._by_cik.values())

    def members(self, stays: Sequence[Membership]) -> list[Company]:
        """A company a CIK, under the source's ticker where it has one, else under its last one in the index."""
        last = {row.cik: row.ticker for row in stays}
        return [self._by_cik.get(cik) or Company(cik, ticker, "") for cik, ticker in last.items()]

    async def named(self, names: Sequence[str]) -> tuple[list[Company], list[str]]:
        """The companies of these names, and the names of which there is none."""
        found = {name: await self._named(name) for name in names}
        companies = [company for company in found.values() if company is not None]
        return companies, [name for name, company in found.items() if company is None]

    async def _named(self, name: str) -> Company | None:
        """A company by CIK, by today's ticker, or by a ticker that it had in the index."""
        cik, ticker = normalize_cik(name), None
        if cik is None:
            if company := self._by_ticker.get(normalize_ticker(name)):
                return company
            former = sp500().latest(normalize_ticker(name))
            if former is None:
                return None
            cik, ticker = former.cik, former.ticker
        if cik in self._by_cik:
            return self._by_cik[cik]
        try:
            await self._client.index(self._client.source.submissions_url(f"CIK{cik}.json"))
        except MissingDocumentError:
            return None
        except UnobtainableError:  # said of the company, with its name, where its filings are listed
            pass
        return Company(cik, ticker, "")


async def _listed(client: EdgarClient) -> dict[str, Company]:
    """Companies by ticker, in the source's order (the SEC's is by market value)."""
    url = client.source.tickers_url
    try:
        rows = json.loads(await client.index(url))
        return {
            normalize_ticker(str(row["ticker"])): Company(
                str(int(row["cik_str"])).zfill(10), normalize_ticker(str(row["ticker"])), str(row["title"])
            )
            for row in rows.values()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedAnswerError(url, f"{type(error).__name__}: {error}") from error
