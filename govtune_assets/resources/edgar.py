"""EDGAR: collects the filings of a fiscal year."""

from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from govtune_assets.settings import Settings

if TYPE_CHECKING:
    from govtune_assets.edgar import Collection, OnProgress


class EdgarResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The SEC's service, or any server that answers the same URLs."""

    www_url: str
    data_url: str
    user_agent: str
    requests_per_second: float
    pause_seconds: float
    cache: str
    universe: list[str]
    include_amendments: bool

    @classmethod
    def from_settings(cls, settings: Settings) -> "EdgarResource":
        """The resource that the settings describe."""
        return cls(
            www_url=settings.edgar_www_url,
            data_url=settings.edgar_data_url,
            user_agent=settings.edgar_user_agent,
            requests_per_second=settings.edgar_requests_per_second,
            pause_seconds=settings.edgar_pause_seconds,
            cache=str(settings.edgar_cache),
            universe=list(settings.universe),
            include_amendments=settings.include_amendments,
        )

    def collect(self, fiscal_year: int, on_progress: "OnProgress") -> "Collection":
        """Fetch and extract the filings of `fiscal_year`; see `govtune_assets.edgar.collect`."""
        from govtune_assets.edgar import EdgarSource, collect

        source = EdgarSource(
            www_url=self.www_url,
            data_url=self.data_url,
            user_agent=self.user_agent,
            requests_per_second=self.requests_per_second,
            pause_seconds=self.pause_seconds,
            cache_dir=Path(self.cache),
        )
        return collect(source, fiscal_year, self.universe, on_progress, amendments=self.include_amendments)
