"""A corpus of generated filings of any size, with a stated share and size of clusters of near-duplicate risk factors.

Of 1,000 risk factors 690 are alone, 100 are in clusters of 2, 100 in clusters of 5, 100 in clusters of 25, and 10 are
in one cluster that grows with the corpus: 31% are in clusters, and at a million the largest has 10,000. The members of
a cluster are copies of one text in which each word is replaced with a probability of 0.4% (two copies are similar to
about 0.92). A body has 60 to 140 words, 100 on average, about a third of a filed one, unless another average is
asked for. Words are drawn with the frequencies of prose (Zipf): English function words first, then 20,000 made ones.
Half of the bodies end with one of 40 stock sentences, one in 25 words is a figure, one body in 50 holds personal
data, and one in 20 a page number that cleaning takes away.

A filing has 40 risk factors under eight headings, the last "General Risk Factors"; a company files five years; the
reports of every third company have a summary of principal risks. 1,000 risk factors are the filings of five companies.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

BLOCK = 1000
CLUSTER_SIZES = ((100, 2), (100, 5), (100, 25))
"""Rows of a block in clusters, and the size of these."""
GIANT_ROWS = 10
YEARS = (2020, 2021, 2022, 2023, 2024)
FACTORS = 40
"""Risk factors of a filing."""
FILINGS = BLOCK // FACTORS
"""Filings of a block."""
WORDS = 100
"""Words of a body on average, where no other number is asked for; the least and the most are 0.6 and 1.4 of it."""
EDIT_RATE = 0.004
_FACTOR = pa.struct(
    [*((name, pa.string()) for name in ("group", "subcaption", "body")), ("start", pa.int32()), ("end", pa.int32())]
)
RAW = pa.schema(
    [
        *((name, pa.string()) for name in ("cik", "ticker", "entity_name", "form_type", "accession_number")),
        *((name, pa.string()) for name in ("source_url", "document_sha256", "status", "extractor_version")),
        *((name, pa.int32()) for name in ("fiscal_year", "fiscal_quarter")),
        *((name, pa.date32()) for name in ("filing_date", "period_end")),
        ("risk_factor_text", pa.string()),
        ("risk_factors", pa.list_(_FACTOR)),
        ("summary", pa.string()),
    ]
)
"""Those columns of `raw.risk_factors` that the jobs read: a row's content."""
HEADINGS = (
    "Risks Related to Our Business and Operations",
    "Risks Related to Our Industry",
    "Legal and Regulatory Risks",
    "Risks Related to Our Indebtedness",
    "Risks Related to Information Technology and Privacy",
    "Risks Related to Our Intellectual Property",
    "Risks Related to Ownership of Our Common Stock",
    "General Risk Factors",
)
PERSONAL = (
    "Questions go to investor.relations@example{}.com at any time.",
    "Call our office at (212) 555-01{:02} for a copy of the report.",
    "By: /s/ Maria{} Keller",
    "Our director resides at 14{} Maple Street, Springfield, IL 62704.",
)
_SUMMARIZED_COMPANIES, _SUMMARY_ENTRIES, _SUMMARY_WORDS = 3, 8, 7
_SYLLABLES = tuple(f"{a}{b}{c}" for a, b, c in itertools.product("bcdfghjklmnprst", ("a", "en", "or", "ist"), "xyz"))
_FUNCTION_WORDS = (
    "the of and to in our or a that we as for be on may are by with not from is have such could any which these at "
    "other their it if will has its this been can would us"
)
_WORDS = (
    *_FUNCTION_WORDS.split(),
    *(f"{one}{other}" for one, other in itertools.product(_SYLLABLES, _SYLLABLES[:112])),
)
_WORDS = _WORDS[:20000]
_WEIGHTS = tuple(itertools.accumulate(1 / (rank + 2) for rank in range(1, len(_WORDS) + 1)))
_FIGURES = ("2023", "$4.5 million", "12%", "3,400", "10", "1.75", "45 days", "Section 404")
_FIGURE_RATE = 0.04
_STOCK_SEED, _STOCK_SENTENCES = "stock", 40


def clusters_of(rows: int) -> int:
    """How many clusters, single texts among them, a corpus of whole blocks has."""
    alone = BLOCK - GIANT_ROWS - sum(count for count, _ in CLUSTER_SIZES)
    return rows // BLOCK * (alone + sum(count // size for count, size in CLUSTER_SIZES)) + 1


def cluster_of(number: int) -> str | None:
    """The cluster of a risk factor, None for one that is alone."""
    block, place = divmod(number, BLOCK)
    if place < GIANT_ROWS:
        return "giant"
    start = GIANT_ROWS
    for count, size in CLUSTER_SIZES:
        if place < start + count:
            return f"{block}-{size}-{(place - start) // size}"
        start += count
    return None


def raw(spark: SparkSession, rows: int, words: int = WORDS) -> DataFrame:
    """The corpus as rows of `raw.risk_factors`, one a filing."""
    return spark.range(0, rows // FACTORS, 1, 16).mapInArrow(_filings(words), from_arrow_schema(RAW))


def _filings(words: int) -> Callable[[Iterable[Any]], Iterator[Any]]:
    def make(batches: Iterable[Any]) -> Iterator[Any]:
        for batch in batches:
            for start in range(0, batch.num_rows, FILINGS):
                numbers = batch.column(0).slice(start, FILINGS).to_pylist()
                yield pa.RecordBatch.from_pylist([filing(number, words) for number in numbers], RAW)

    return make


def filing(number: int, words: int = WORDS) -> dict[str, Any]:
    """One filing, a function of its number."""
    company, year = number // len(YEARS) + 1, YEARS[number % len(YEARS)]
    cik = f"{company:010d}"
    block, place = divmod(number, FILINGS)
    factors, end = [], 0
    for index in range(FACTORS):
        # A copy of a text stands in another company or year: neighbours in number are of different filings.
        caption, text = risk_factor(block * BLOCK + index * FILINGS + place, words)
        group = HEADINGS[index * len(HEADINGS) // FACTORS]
        factors.append({"group": group, "subcaption": caption, "body": text, "start": end, "end": end + len(text)})
        end += len(text) + 1
    text = "\n".join(factor["body"] for factor in factors)
    entries = (" ".join(factor["subcaption"].split()[:_SUMMARY_WORDS]) for factor in factors[:_SUMMARY_ENTRIES])
    return {
        "cik": cik,
        "ticker": f"T{company}",
        "entity_name": f"Company {company}",
        "form_type": "10-K",
        "fiscal_year": year,
        "fiscal_quarter": None,
        "accession_number": f"{cik}-{year % 100}-000001",
        "filing_date": dt.date(year, 12, 1),
        "period_end": dt.date(year, 9, 30),
        "source_url": f"https://filings.example/{company}/{year}",
        "document_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "status": "full",
        "extractor_version": "generated",
        "risk_factor_text": text,
        "risk_factors": factors,
        "summary": None if company % _SUMMARIZED_COMPANIES else "\n".join(f"\u2022 {entry}" for entry in entries),
    }


def risk_factor(number: int, words: int = WORDS) -> tuple[str, str]:
    """The subcaption and the body of a risk factor, a function of its number."""
    cluster = cluster_of(number)
    original = random.Random(f"text {number if cluster is None else cluster}")
    drawn = original.choices(_WORDS, cum_weights=_WEIGHTS, k=original.randint(words * 6 // 10, words * 14 // 10))
    for place in range(int(len(drawn) * _FIGURE_RATE)):
        drawn[original.randrange(len(drawn))] = _FIGURES[place % len(_FIGURES)]
    caption = original.choices(_WORDS, cum_weights=_WEIGHTS, k=original.randint(8, 16))
    stock = original.randrange(2 * _STOCK_SENTENCES)
    if cluster is not None:
        own = random.Random(f"copy {number}")
        drawn = [own.choice(_WORDS) if own.random() < EDIT_RATE else word for word in drawn]
    sentences = list(_sentences(drawn, original))
    if stock < _STOCK_SENTENCES:
        sentences.append(_stock_sentence(stock))
    if number % 20 == 0:
        sentences.insert(1, f"\n\n{number % 97}\n\n")
    if number % 50 == 0:
        sentences.insert(1, "\n" + PERSONAL[number // 50 % len(PERSONAL)].format(number % 100) + "\n")
    return " ".join(caption).capitalize(), " ".join(sentences)


def _sentences(words: list[str], draw: random.Random) -> Iterator[str]:
    start = 0
    while start < len(words):
        end = start + draw.randint(12, 30)
        text = " ".join(words[start:end])
        yield text[0].upper() + text[1:] + "."
        start = end


def _stock_sentence(number: int) -> str:
    draw = random.Random(f"{_STOCK_SEED} {number}")
    return next(_sentences(draw.choices(_WORDS, cum_weights=_WEIGHTS, k=12), draw))
