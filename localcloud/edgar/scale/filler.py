"""The bulk of a filing: XBRL contexts, prose, and tables of styled cells with tagged figures, in pieces of 64 KiB.

Tag names, attributes and styles are those that reporting platforms write; a piece has the share of cells, spans and
facts that real annual reports have. No piece holds an item's heading.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from html import escape
from typing import Final

PIECE_BYTES: Final = 64 * 1024
_FONT: Final = "color:#000000;font-family:'Times New Roman',sans-serif;font-size:10pt;font-weight:400;line-height:120%"
_CONCEPTS: Final = (
    "Revenues", "CostOfRevenue", "GrossProfit", "OperatingIncomeLoss", "IncomeTaxExpenseBenefit", "NetIncomeLoss",
    "AssetsCurrent", "LiabilitiesCurrent", "Goodwill", "LongTermDebtNoncurrent", "StockholdersEquity",
    "DepreciationDepletionAndAmortization", "RevenueFromContractWithCustomerExcludingAssessedTax",
)  # fmt: skip
_LABELS: Final = (
    "Net revenue", "Products", "Services", "Cost of revenue", "Selling and administrative", "Operating earnings",
    "Other, net", "Provision for taxes", "Balance at beginning of period", "Additions", "Foreign currency",
    "Balance at end of period", "Due within one year", "Due after five years", "Level 1", "Level 2", "Total",
)  # fmt: skip


class Kind(Enum):
    """What a piece holds; the value is how many different ones there are."""

    CONTEXTS = 16
    PROSE = 28
    TABLES = 44


def numbers(kind: Kind) -> range:
    """The numbers of a kind's pieces."""
    before = sum(other.value for other in Kind if list(Kind).index(other) < list(Kind).index(kind))
    return range(before, before + kind.value)


def pieces(seed: int, sentences: Sequence[str]) -> Iterator[tuple[int, bytes]]:
    """Every piece with its number; prose is made of `sentences`."""
    makers: dict[Kind, Callable[[random.Random], str]] = {
        Kind.CONTEXTS: _context,
        Kind.PROSE: lambda chance: _paragraph(chance, sentences),
        Kind.TABLES: _table,
    }
    for kind, make in makers.items():
        for number in numbers(kind):
            chance = random.Random(f"{seed}/{number}")  # noqa: S311 - text to fill pages, no secret
            parts: list[str] = []
            size = 0
            while size < PIECE_BYTES:
                parts.append(make(chance))
                size += len(parts[-1])
            yield number, "".join(parts).encode("ascii", "xmlcharrefreplace")


def _pick(chance: random.Random, items: Sequence[str]) -> str:
    return items[int(chance.random() * len(items))]


def _whole(chance: random.Random, below: int) -> int:
    return int(chance.random() * below)


def _context(chance: random.Random) -> str:
    number, year, member = 10 + _whole(chance, 9_000), 2019 + _whole(chance, 6), _pick(chance, _CONCEPTS)
    return (
        f'<xbrli:context id="c-{number}"><xbrli:entity>'
        '<xbrli:identifier scheme="http://www.sec.gov/CIK">0000000000</xbrli:identifier><xbrli:segment>'
        f'<xbrldi:explicitMember dimension="us-gaap:StatementBusinessSegmentsAxis">us-gaap:{member}Member'
        "</xbrldi:explicitMember></xbrli:segment></xbrli:entity><xbrli:period>"
        f"<xbrli:startDate>{year}-01-01</xbrli:startDate><xbrli:endDate>{year}-12-31</xbrli:endDate>"
        "</xbrli:period></xbrli:context>"
    )


def _paragraph(chance: random.Random, sentences: Sequence[str]) -> str:
    text = " ".join(_pick(chance, sentences) for _ in range(3 + _whole(chance, 6)))
    return f'<div style="margin-bottom:6pt;text-align:justify">{_span(escape(text, quote=False))}</div>'


def _span(inner: str) -> str:
    return f'<span style="{_FONT}">{inner}</span>'


def _table(chance: random.Random) -> str:
    columns = 2 + _whole(chance, 3)
    rows = "".join(_row(chance, columns) for _ in range(6 + _whole(chance, 14)))
    widths = '<td style="width:1.0%"></td>' * (3 + 6 * columns)
    return (
        '<div style="margin-bottom:5pt"><table style="border-collapse:collapse;display:inline-table;'
        f'vertical-align:text-bottom;width:100.000%"><tr>{widths}</tr>{rows}</table></div>'
    )


def _row(chance: random.Random, columns: int) -> str:
    label = _pick(chance, _LABELS)
    cells = "".join(_figure(chance) for _ in range(columns))
    return (
        '<tr><td colspan="3" style="background-color:#cceeff;padding:2px 1pt;text-align:left;vertical-align:bottom">'
        f"{_span(label)}</td>{cells}</tr>"
    )


def _figure(chance: random.Random) -> str:
    number, shown = 400 + _whole(chance, 9_000), f"{1 + _whole(chance, 60_000):,}"
    fact = (
        f'<ix:nonFraction unitRef="usd" contextRef="c-{10 + _whole(chance, 900)}" decimals="-6" '
        f'name="us-gaap:{_pick(chance, _CONCEPTS)}" format="ixt:num-dot-decimal" scale="6" id="f-{number}">'
        f"{shown}</ix:nonFraction>"
    )
    right = "background-color:#cceeff;padding:2px 0 2px 1pt;text-align:right;vertical-align:bottom"
    return (
        '<td colspan="3" style="background-color:#cceeff;padding:0 1pt"></td>'
        f'<td colspan="2" style="{right}">{_span(fact)}</td>'
        '<td style="background-color:#cceeff;padding:2px 1pt 2px 0;text-align:right;vertical-align:bottom"></td>'
    )
