"""Rows of the raw table, made for tests of the payload."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

PARAGRAPH = (
    "Our business depends on suppliers that we do not control, and a disruption at {name} could delay part {number} "
    "for many months. {rest}."
)
VOCABULARY = (
    "agreement audit capacity cargo claim climate competitor contract cost customer cycle damage data decline defect "
    "delay demand dispute driver energy equipment factory failure fire flood freight fuel goods growth harvest income "
    "insurance inventory labor lease liability license loss maintenance margin market material notice order output "
    "outage patent payment pension permit plant port price product quality recall regulation rent repair reserve "
    "revenue risk route sale season service shipment shortage storm strike supplier supply tariff tax tenant theft "
    "training transit union vehicle vendor volume warehouse waste water weather"
)


Rows = list[dict[str, Any]]

RAW_SCHEMA = (
    "cik string, ticker string, entity_name string, form_type string, fiscal_year int, fiscal_quarter int, "
    "accession_number string, filing_date date, period_end date, source_url string, document_sha256 string, "
    "status string, risk_factor_text string, "
    "risk_factors array<struct<group: string, subcaption: string, body: string, start: int, end: int>>, "
    "summary string, extractor_version string, retrieved_at timestamp"
)


def factor(body: str, subcaption: str | None = "We depend on suppliers we do not control") -> dict[str, Any]:
    """One risk factor as the raw table holds it, its offsets those of a text that is the body alone."""
    return {"group": None, "subcaption": subcaption, "body": body, "start": 0, "end": len(body)}


def filing(cik: int, year: int, factors: list[dict[str, Any]], **changed: Any) -> dict[str, Any]:
    """One row of the raw table: a full 10-K, but for what is changed."""
    row = {
        "cik": f"{cik:010d}",
        "ticker": f"T{cik}",
        "entity_name": f"Company {cik}",
        "form_type": "10-K",
        "fiscal_year": year,
        "fiscal_quarter": None,
        "accession_number": f"{cik:010d}-{year % 100:02d}-000001",
        "filing_date": dt.date(year, 12, 1),
        "period_end": dt.date(year, 9, 30),
        "source_url": f"https://filings.example/{cik}/{year}",
        "document_sha256": "0" * 64,
        "status": "full",
        "risk_factor_text": "\n".join(item["body"] for item in factors),
        "risk_factors": factors,
        "summary": None,
        "extractor_version": "x-1",
        "retrieved_at": dt.datetime(year, 12, 2, tzinfo=dt.UTC),
    }
    return row | changed


def paragraph(name: str, number: int = 1) -> str:
    """A body that passes every quality filter, and is no near-duplicate of one with another name or number."""
    drawn = random.Random(f"{name.casefold()} {number}").choices(VOCABULARY.split(), k=48)
    phrases = ["the {} of our {} and a {} in the {}".format(*drawn[at : at + 4]) for at in range(0, len(drawn), 4)]
    return PARAGRAPH.format(name=name, number=number, rest=", or ".join(phrases).capitalize())


def corpus() -> Rows:
    """Two years of six companies: distinct bodies, a copy in each year, one that comes again the year after."""
    rows: Rows = []
    for year in (2023, 2024):
        for cik in range(1, 7):
            own = [factor(paragraph(f"plant {year}-{cik}", number)) for number in range(3)]
            shared = factor(paragraph("the shared plant of Ms. Ada Marsh"), "Everybody depends on the shared plant")
            rows.append(filing(cik, year, [*own, shared]))
    return rows
