"""Recorded filings, where they are beside the checkout."""

import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from govtune_assets.edgar import Company, EdgarSource, Filing, SkipReason, collect
from govtune_assets.edgar.fiscal import Calendar, Placement, place
from govtune_assets.extraction import FiscalFacts, fiscal_facts

from .conftest import Replica

pytestmark = pytest.mark.shared


def test_a_fiscal_year_of_recorded_filings(
    recorded: Path, replica: Callable[..., Replica], source: Callable[..., EdgarSource]
) -> None:
    universe = ["GD", "UNH", "AMD", "NVDA", "LOW", "CIK0001326380"]
    collection = collect(source(replica(recorded)), 2023, universe)
    found = {(record["cik"], record["form_type"], record["fiscal_quarter"]) for record in collection.records}
    assert found == {
        ("0000002488", "10-K", None),
        ("0000002488", "10-Q", 2),
        ("0000040533", "10-K", None),
        ("0000040533", "10-Q", 2),
        ("0000060667", "10-Q", 2),
        ("0000731766", "10-K", None),
        ("0000731766", "10-Q", 2),
        ("0001326380", "10-K", None),
        ("0001326380", "10-Q", 2),
    }
    assert {record["fiscal_year"] for record in collection.records} == {2023}
    reasons = Counter(skip.reason for skip in collection.skips)
    assert set(reasons) <= {SkipReason.MISSING_DOCUMENT, SkipReason.NO_FILINGS}


def without_tags(document: bytes) -> bytes:
    """A document as before inline XBRL: without the hidden header, and the words alone of the rest."""
    visible = re.sub(rb"(?is)<ix:header.*?</ix:header>", b"", document)
    return re.sub(rb"(?i)</?ix:[^>]*>", b"", visible)


def calendar(recorded: Path, cik: str) -> Calendar:
    path = recorded / "data" / "submissions" / f"CIK{cik}.json"
    if not path.is_file():
        return Calendar()
    main = json.loads(path.read_bytes())
    table = main["filings"]["recent"]
    ends = (end for form, end in zip(table["form"], table["reportDate"], strict=True) if form == "10-K" and end)
    return Calendar(tuple(map(date.fromisoformat, ends)), main.get("fiscalYearEnd") or None)


def placed(recorded: Path, row: dict[str, str], facts: FiscalFacts) -> tuple[str, str, str] | None:
    """Fiscal year, period and period end of a filing of which the submissions file tells no period."""
    company = Company(row["cik"], row["ticker"], "")
    day = date.fromisoformat(row["filing_date"])
    filing = Filing(company, row["form"], row["accession_number"], day, None, "http://x/y")
    found = place(filing, facts, calendar(recorded, row["cik"]))
    if not isinstance(found, Placement):
        return None
    quarter = found.fiscal_year.quarter
    return str(found.fiscal_year.year), f"Q{quarter}" if quarter else "FY", found.period_end.isoformat()


def test_recorded_filings_are_placed_by_their_own_words(recorded: Path) -> None:
    rows = json.loads((recorded / "manifest.json").read_bytes())
    counts: Counter[str] = Counter()
    for row in rows:
        body = (recorded / row["path"]).read_bytes()
        bare = fiscal_facts(without_tags(body))
        told, untagged = placed(recorded, row, fiscal_facts(body)), placed(recorded, row, bare)
        truth = (row["fiscal_year"], row["fiscal_period"], row["period_end"])
        counts["period end, tagged"] += told is not None and told[2] == row["period_end"]
        counts["period end, cover page"] += bare.period_end == date.fromisoformat(row["period_end"])
        if row["fiscal_year"]:
            counts["year and period named"] += 1
            counts["year and period, tagged"] += told == truth
            counts["year and period, cover page"] += untagged == truth
            counts["unknown, cover page"] += untagged is None
    print(f"{len(rows)} filings: {dict(counts)}")
    assert counts["period end, tagged"] == counts["period end, cover page"] == len(rows)
    assert counts["year and period, tagged"] == counts["year and period named"]
    assert counts["year and period, cover page"] >= 0.9 * counts["year and period named"]
