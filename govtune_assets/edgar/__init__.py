"""Filings from EDGAR or any source with its layout: client, universe, submissions, fiscal years, collection."""

from govtune_assets.edgar.collect import collect
from govtune_assets.edgar.errors import (
    BlockedError,
    DownloadError,
    EdgarError,
    MalformedAnswerError,
    MissingDocumentError,
    UndeclaredToolError,
    UniverseError,
    UnknownCompanyError,
    UnobtainableError,
)
from govtune_assets.edgar.records import (
    Collection,
    Company,
    Filing,
    FilingRecord,
    OnProgress,
    Progress,
    Records,
    Skip,
    SkipReason,
    Stats,
)
from govtune_assets.edgar.settings import EdgarSource
from govtune_assets.edgar.universe import (
    Universe,
    companies_in_folder,
    normalize_cik,
    normalize_ticker,
    parse_universe,
)

__all__ = [
    "BlockedError",
    "Collection",
    "Company",
    "DownloadError",
    "EdgarError",
    "EdgarSource",
    "Filing",
    "FilingRecord",
    "MalformedAnswerError",
    "MissingDocumentError",
    "OnProgress",
    "Progress",
    "Records",
    "Skip",
    "SkipReason",
    "Stats",
    "UndeclaredToolError",
    "Universe",
    "UniverseError",
    "UnknownCompanyError",
    "UnobtainableError",
    "collect",
    "companies_in_folder",
    "normalize_cik",
    "normalize_ticker",
    "parse_universe",
]
