"""A small EDGAR folder that tests fill as they need, and the replica that serves it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from govtune_assets.edgar import EdgarSource

AGENT = "Lamp Bank filings@example.com"
COLUMNS = ("accessionNumber", "filingDate", "reportDate", "form", "primaryDocument")
RISK = (
    "<p><b>Demand for our lamps may fall when households spend less.</b></p>"
    "<p>People buy lamps when they move, and fewer people move in a downturn.</p>"
)


def document(
    *, year: int | str = 2023, period: str = "FY", end: str = "December 31, 2023", form: str = "10-K", body: str = RISK
) -> str:
    """A primary document with the facts and the section that a test needs."""
    facts = {
        "DocumentType": form,
        "DocumentFiscalYearFocus": str(year),
        "DocumentFiscalPeriodFocus": period,
        "DocumentPeriodEndDate": end,
        "EntityRegistrantName": "LAMP MAKERS INC",
    }
    tags = "".join(
        f'<ix:nonNumeric name="dei:{name}">{value}</ix:nonNumeric>' for name, value in facts.items() if value
    )
    return (
        f"<html><body><p>{tags}</p><p>Item 1A. Risk Factors</p>{body}"
        "<p>Item 1B. Unresolved Staff Comments</p><p>None.</p></body></html>"
    )


@dataclass
class Folder:
    """A folder in EDGAR's layout; `flush` is called by `filing` and `company`, so the files are always current."""

    root: Path
    companies: dict[str, dict[str, Any]] = field(default_factory=dict)
    tickers: list[dict[str, Any]] = field(default_factory=list)
    _count: int = 0

    def company(self, cik: int, *tickers: str, name: str = "Lamp Makers Inc.", year_end: str = "1231") -> str:
        """Add a filer listed under `tickers`; returns its ten-digit CIK."""
        ten = f"{cik:010d}"
        self.tickers += [{"cik_str": cik, "ticker": ticker, "title": name} for ticker in tickers]
        self.companies[ten] = {
            "cik": ten,
            "name": name,
            "tickers": list(tickers),
            "fiscalYearEnd": year_end,
            "filings": {"recent": {column: [] for column in COLUMNS}, "files": []},
        }
        self.flush()
        return ten

    def filing(
        self,
        cik: str,
        text: str | None,
        *,
        form: str = "10-K",
        filed: str = "2024-02-20",
        reported: str = "2023-12-31",
        page: str | None = None,
        name: str = "lamp.htm",
    ) -> str:
        """Add a row, and its document unless `text` is None; in an older page where one is named."""
        self._count += 1
        accession = f"{cik}-24-{self._count:06d}"
        company = self.companies[cik]
        table = (
            company["filings"]["recent"]
            if page is None
            else company.setdefault("pages", {}).setdefault(page, {column: [] for column in COLUMNS})
        )
        for column, value in zip(COLUMNS, (accession, filed, reported, form, name), strict=True):
            table[column].append(value)
        if text is not None:
            path = self.document_path(cik, accession, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.flush()
        return accession

    def document_path(self, cik: str, accession: str, name: str = "lamp.htm") -> Path:
        return self.root / "www" / "Archives" / "edgar" / "data" / str(int(cik)) / accession.replace("-", "") / name

    def flush(self) -> None:
        """Write the list of companies and all submissions files."""
        listed = self.root / "www" / "files" / "company_tickers.json"
        listed.parent.mkdir(parents=True, exist_ok=True)
        listed.write_text(json.dumps({str(index): row for index, row in enumerate(self.tickers)}))
        submissions = self.root / "data" / "submissions"
        submissions.mkdir(parents=True, exist_ok=True)
        for cik, company in self.companies.items():
            pages = company.get("pages", {})
            company["filings"]["files"] = [
                {"name": page, "filingFrom": min(table["filingDate"]), "filingTo": max(table["filingDate"])}
                for page, table in pages.items()
            ]
            for page, table in pages.items():
                (submissions / page).write_text(json.dumps(table))
            main = {key: value for key, value in company.items() if key != "pages"}
            (submissions / f"CIK{cik}.json").write_text(json.dumps(main))


@dataclass(frozen=True)
class Replica:
    """A running replica."""

    url: str
    process: subprocess.Popen[str]

    def statistics(self) -> dict[str, int]:
        """Answers by kind, as the replica counted them."""
        with urllib.request.urlopen(f"{self.url}/_localcloud/statistics") as response:
            counts: dict[str, int] = json.load(response)
        return counts


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "edgar")
    made.flush()
    return made


@pytest.fixture
def replica() -> Iterator[Callable[..., Replica]]:
    """Starts replicas of a folder, with options of `python -m localcloud.edgar`; all end with the test."""
    started: list[Replica] = []

    def start(root: Path, *options: str) -> Replica:
        if "--max-per-second" not in options:
            options = ("--max-per-second", "100000", *options)
        process = subprocess.Popen(
            [sys.executable, "-m", "localcloud.edgar", "--port", "0", "--root", str(root), *options],
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert process.stderr is not None
        line = process.stderr.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert address, line
        started.append(Replica(address[0], process))
        return started[-1]

    yield start
    for running in started:
        running.process.terminate()
        running.process.wait(30)
        assert running.process.stderr is not None
        running.process.stderr.close()


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., EdgarSource]:
    """A source at a replica, with a cache of the test's own and no long waits."""

    def make(replica: Replica, **changes: Any) -> EdgarSource:
        defaults: dict[str, Any] = {
            "user_agent": AGENT,
            "cache_dir": tmp_path / "cache",
            "www_url": replica.url,
            "data_url": replica.url,
            "requests_per_second": 200,
            "pause_seconds": 1.5,
        }
        return EdgarSource(**(defaults | changes))

    return make


@pytest.fixture(scope="session")
def recorded() -> Path:
    """The recorded filings beside the checkout."""
    default = Path(__file__).resolve().parents[2].parent / "shared" / "edgar"
    path = Path(os.environ.get("GOVTUNE_SHARED_EDGAR", default))
    if not (path / "truth.json").is_file():
        pytest.skip(f"no recorded filings at {path}")
    return path
