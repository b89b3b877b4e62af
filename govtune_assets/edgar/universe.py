"""The companies of a run: those that the user names, else all that the source lists. Keyed by CIK.

The SEC lists companies by ticker in company_tickers.json; several share classes are one filer, and classes are written
with a hyphen (BRK-B) where lists elsewhere write a dot or a slash.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from govtune_assets.edgar.client import EdgarClient
from govtune_assets.edgar.errors import MalformedAnswerError, MissingDocumentError, UnknownCompanyError
from govtune_assets.edgar.records import Company

_CIK = re.compile(r"(?:CIK)?0*(\d{1,10})", re.IGNORECASE)
_SUBMISSIONS_FILE = re.compile(r"CIK(\d{10})\.json")


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


async def resolve(client: EdgarClient, names: Sequence[str]) -> tuple[Company, ...]:
    """The companies named, in order and once each; without names, all in company_tickers.json.

    Raises UnknownCompanyError for names that the source knows neither as a ticker nor as a CIK.
    """
    listed = await _listed(client)
    if not names:
        unique: dict[str, Company] = {}
        for company in listed.values():
            unique.setdefault(company.cik, company)
        return tuple(unique.values())
    by_cik: dict[str, Company] = {}
    for company in listed.values():
        by_cik.setdefault(company.cik, company)
    chosen: dict[str, Company] = {}
    unknown = []
    for name in names:
        found = await _find(client, name, listed, by_cik)
        if found is None:
            unknown.append(name)
        else:
            chosen.setdefault(found.cik, found)
    if unknown:
        raise UnknownCompanyError(tuple(unknown), client.source.www_url)
    return tuple(chosen.values())


async def _find(
    client: EdgarClient, name: str, listed: dict[str, Company], by_cik: dict[str, Company]
) -> Company | None:
    cik = normalize_cik(name)
    if cik is None:
        return listed.get(normalize_ticker(name))
    if cik in by_cik:
        return by_cik[cik]
    try:
        await client.index(client.source.submissions_url(f"CIK{cik}.json"))
    except MissingDocumentError:
        return None
    return Company(cik, None, "")


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
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MalformedAnswerError(url, f"{type(error).__name__}: {error}") from error
