"""Companies, filings and submissions files at the size of the S&P 500, written as skeletons with marks for the bulk.

Sizes of documents follow recorded ones: between 0.5 and 4 MB, annual reports about 2.1 MB, quarterly about 1.4 MB.
A full Item 1A holds the risk factors of four companies of the sample, which makes it as long as a real one.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Final

from localcloud.edgar.bodies import FILLER_FOLDER, mark, piece_name
from localcloud.edgar.sample.companies import Company, make_companies
from localcloud.edgar.sample.compose import Composer, load_section_words
from localcloud.edgar.sample.document import Filing, RiskFactor, Status
from localcloud.edgar.sample.filings import FISCAL_YEARS, filings_of, layout_of
from localcloud.edgar.sample.library import load_closings, load_factors
from localcloud.edgar.sample.outline import Block, Forms, Kind, load_forms, outline
from localcloud.edgar.sample.submissions import Row, company_tickers, current_reports, row_of, submissions
from localcloud.edgar.scale import filler

DEFAULT_COMPANIES: Final = 500
DEFAULT_SEED: Final = 1934
SECOND_CLASSES: Final = 3
_SMALLEST, _LARGEST = 500_000, 4_000_000  # bytes of a document
_MEDIAN: Final = {"10-K": 2_100_000, "10-Q": 1_350_000}
_SKELETON: Final = {"10-K": 130_000, "10-Q": 30_000}  # bytes of a document without its bulk, about
_SPREAD: Final = 0.4  # of the logarithm of a size
_CLASSES_EVERY: Final = 7
_DONORS: Final = 40  # companies whose risk factors lengthen the sections of all
_DONATED: Final = 3
_SHORTEST_SENTENCE: Final = 40  # characters
_OWNERSHIP_REPORTS: Final = 400  # rows of form 4 in a submissions file, which make it as long as a real one
_SHARES: Final = {filler.Kind.CONTEXTS: 0.14, filler.Kind.PROSE: 0.3, filler.Kind.TABLES: 0.56}
_PLACES: Final = {"10-K": ("7", "8"), "10-Q": ("2", "1")}  # the items that get the prose, and the tables
_RESOURCES_END: Final = "</ix:resources>"


@dataclass(frozen=True)
class ScaleOptions:
    """What a corpus is made from. `size` is the share of a real document's size."""

    companies: int = DEFAULT_COMPANIES
    seed: int = DEFAULT_SEED
    size: float = 1.0

    def __post_init__(self) -> None:
        if self.companies < 1 or not 0 <= self.size <= 1:
            raise ValueError("a corpus needs at least one company, and a size between 0 and 1")


@dataclass(frozen=True)
class Written:
    """Counts of a written corpus; `bytes_served` is the size of all documents with their bulk."""

    companies: int
    symbols: int
    filings: int
    bytes_served: int


def write_corpus(out: Path, options: ScaleOptions) -> Written:
    """Write a corpus to a new or empty folder; raises ValueError for another one."""
    if out.exists() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty: name a new or an empty folder")
    return _Writer(out, options).write()


class _Writer:
    """One corpus being written."""

    def __init__(self, out: Path, options: ScaleOptions) -> None:
        self._out = out
        self._options = options
        self._forms = load_forms()
        self._composer = Composer(load_factors(), load_closings(), load_section_words())
        self._companies = _with_second_classes(make_companies(options.companies, options.seed))
        self._pieces: dict[int, int] = {}
        self._filings = self._bytes = 0

    def write(self) -> Written:
        """Write every file."""
        donors = self._donors()
        for number, content in filler.pieces(self._options.seed, _sentences(donors)):
            self._put(f"{FILLER_FOLDER}/{piece_name(number)}", content)
            self._pieces[number] = len(content)
        for company in self._companies:
            self._company(company, donors)
        tickers = company_tickers(self._companies)
        self._put("www/files/company_tickers.json", _json(tickers))
        return Written(len(self._companies), len(tickers), self._filings, self._bytes)

    def _donors(self) -> dict[int, list[tuple[RiskFactor, ...]]]:
        """Sections by year whose risk factors others repeat."""
        companies = make_companies(_DONORS, self._options.seed + 1)
        return {
            year: [self._composer.full(c, year, layout_of(c).looks).factors for c in companies] for year in FISCAL_YEARS
        }

    def _company(self, company: Company, donors: dict[int, list[tuple[RiskFactor, ...]]]) -> None:
        rows = [*current_reports(company), *_ownership_reports(company)]
        for filing in filings_of(company, self._composer):
            lengthened = _lengthen(filing, donors[filing.fiscal_year])
            text = _Bulk(lengthened, self._options.size, self._pieces).document(self._forms)
            content = text.encode()
            size = len(content) + sum(self._pieces[number] for number in _numbers_in(text))
            rows.append(row_of(filing, size))
            self._put(f"www/{filing.path}", content)
            self._filings += 1
            self._bytes += size
        for name, value in submissions(company, rows).items():
            self._put(f"data/submissions/{name}", _json(value))

    def _put(self, name: str, content: bytes) -> None:
        path = self._out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


class _Bulk:
    """Which pieces a filing has, and where they stand."""

    def __init__(self, filing: Filing, share: float, sizes: Mapping[int, int]) -> None:
        self._filing = filing
        chance = random.Random(f"{filing.company.dice.seed}/{filing.accession_number}")  # noqa: S311 - no secret
        drawn = math.exp(math.log(_MEDIAN[filing.form]) + _SPREAD * chance.gauss(0, 1))
        target = share * min(_LARGEST, max(_SMALLEST, drawn)) - _SKELETON[filing.form]
        self._chosen: dict[filler.Kind, list[int]] = {}
        for kind, part in _SHARES.items():
            order = sorted(filler.numbers(kind), key=lambda _: chance.random())
            ends = accumulate(sizes[number] for number in order)
            self._chosen[kind] = [number for number, end in zip(order, ends, strict=True) if end <= part * target]

    def document(self, forms: Forms) -> str:
        """The skeleton with its marks."""
        layout = layout_of(self._filing.company)
        text = layout.render(self._filing, list(self._blocks(forms)))
        if contexts := self._chosen[filler.Kind.CONTEXTS]:
            text = text.replace(_RESOURCES_END, mark(contexts) + _RESOURCES_END, 1)
        for kind in (filler.Kind.PROSE, filler.Kind.TABLES):
            chosen = self._chosen[kind]
            text = text.replace(_stand_in(kind), mark(chosen) if chosen else "", 1)
        return text

    def _blocks(self, forms: Forms) -> Iterator[Block]:
        """The filing's blocks, with a stand-in for the bulk after the headings of two of its items."""
        prose, tables = _PLACES[self._filing.form]
        found: set[str] = set()
        for block in outline(self._filing, forms):
            yield block
            if block.kind is Kind.ITEM and block.number in (prose, tables) and block.number not in found:
                found.add(block.number)
                kind = filler.Kind.PROSE if block.number == prose else filler.Kind.TABLES
                yield Block(Kind.PARAGRAPH, _stand_in(kind))


def _stand_in(kind: filler.Kind) -> str:
    return f"bulk-of-{kind.name.lower()}"


def _numbers_in(text: str) -> Iterator[int]:
    for found in re.findall(r"<!--filler([ \d]+)-->", text):
        yield from map(int, found.split())


def _with_second_classes(companies: tuple[Company, ...]) -> tuple[Company, ...]:
    """Companies of which three, where there are as many, have two classes of shares."""
    missing = SECOND_CLASSES - sum(len(company.tickers) > 1 for company in companies)
    found: list[Company] = []
    for company in companies:
        if missing > 0 and len(company.tickers) == 1 and not company.number % _CLASSES_EVERY:
            profile = company.profile.model_copy(update={"second_ticker": f"{company.profile.ticker}-B"})
            found.append(company.model_copy(update={"profile": profile}))
            missing -= 1
        else:
            found.append(company)
    return tuple(found)


def _lengthen(filing: Filing, donors: list[tuple[RiskFactor, ...]]) -> Filing:
    if filing.section.status is not Status.FULL:
        return filing
    dice = filing.company.dice.under("donors", filing.fiscal_year)
    first = dice.integer(0, len(donors) - 1, "first")
    extra = [factor for index in range(_DONATED) for factor in donors[(first + index) % len(donors)]]
    own = filing.section.factors
    group = own[-1].group if own else None
    factors = (*own, *(replace(factor, group=group, pii=()) for factor in extra))
    return replace(filing, section=replace(filing.section, factors=factors))


def _sentences(donors: dict[int, list[tuple[RiskFactor, ...]]]) -> list[str]:
    """Sentences to fill pages with; none names an item."""
    sections = donors[FISCAL_YEARS[0]]
    texts = dict.fromkeys(text for section in sections for factor in section for text in factor.paragraphs)
    found = [f"{part.strip()}." for text in texts for part in text.split(". ") if "Item" not in part]
    return [sentence for sentence in found if len(sentence) > _SHORTEST_SENTENCE and sentence[0].isupper()]


def _ownership_reports(company: Company) -> list[Row]:
    """Rows of form 4, which fill real submissions files and have no document in the corpus."""
    first = date(FISCAL_YEARS[0], 1, 9)
    return [
        Row(
            accession_number=f"{company.cik}-{day:%y}-{2000 + number:06d}",
            filing_date=day,
            report_date=day - timedelta(days=2),
            form="4",
            primary_document="xslF345X05/ownership.xml",
            description="FORM 4",
            items="",
            size=5_000,
            inline_xbrl=False,
        )
        for number in range(_OWNERSHIP_REPORTS)
        for day in [first + timedelta(days=number * 2)]
    ]


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
