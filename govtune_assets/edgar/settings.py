"""Settings of a source of filings: the SEC itself, a replica, or any server with EDGAR's layout."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

_SEC_LIMIT = 10
_LEAST_GAP = 1 / 9.5  # seconds: eleven requests then take 1.05 s, of which the way to the source may eat 50 ms
_LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))
_CONTACT = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")


class EdgarSource(BaseModel):
    """Where filings come from and how fast they may be asked for.

    The SEC allows 10 requests a second for one user over all machines and asks for a User-Agent with a name and a
    contact address (https://www.sec.gov/os/accessing-edgar-data). `requests_per_second` is shared by every
    process that uses the same `cache_dir`; more than 10 is for replicas on this machine only, and between 9.5 and 10
    requests go 9.5 times a second, so that none is refused. Submissions files are looked at again after
    `index_max_age_seconds`, and after `settled_index_max_age_seconds` for a year whose reports were all due when they
    were last looked at. Times are in seconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    user_agent: str
    cache_dir: Path
    www_url: str = "https://www.sec.gov"
    data_url: str = "https://data.sec.gov"
    requests_per_second: float = Field(default=8.0, gt=0)
    pause_seconds: float = Field(default=600.0, ge=0)
    max_pauses: int = Field(default=3, ge=0)
    attempts: int = Field(default=6, ge=1)
    timeout_seconds: float = Field(default=60.0, gt=0)
    index_max_age_seconds: float = Field(default=3600.0, ge=0)
    settled_index_max_age_seconds: float = Field(default=7 * 24 * 3600.0, ge=0)
    max_document_bytes: int = Field(default=200 * 1024 * 1024, gt=0)

    @field_validator("user_agent")
    @classmethod
    def _names_a_contact(cls, value: str) -> str:
        if not _CONTACT.search(value) or not value.isascii() or not value.isprintable():
            raise ValueError(
                "the User-Agent must name you and a contact address, such as 'Example Bank filings@example.com'"
            )
        return value

    @field_validator("www_url", "data_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if not re.fullmatch(r"https?://[^\s/?#@]+(?:/[^\s?#]*)?", value):
            raise ValueError(f"not an http or https address: {value!r}")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _keeps_the_limit(self) -> EdgarSource:
        if self.requests_per_second > _SEC_LIMIT and not self._on_this_machine:
            raise ValueError(f"the SEC allows {_SEC_LIMIT} requests a second; {self.requests_per_second} are too many")
        return self

    @property
    def least_gap_seconds(self) -> float:
        """The least time between two requests: no second holds more of them than the SEC allows; 0 for a replica."""
        return 0.0 if self._on_this_machine else _LEAST_GAP

    @property
    def _on_this_machine(self) -> bool:
        return {urlsplit(url).hostname for url in (self.www_url, self.data_url)} <= _LOOPBACK

    @property
    def tickers_url(self) -> str:
        """The list of companies by ticker."""
        return f"{self.www_url}/files/company_tickers.json"

    def submissions_url(self, name: str) -> str:
        """A company's submissions file, or an older page of it, by file name."""
        return f"{self.data_url}/submissions/{name}"

    def document_url(self, cik: str, accession_number: str, document: str) -> str:
        """A filing's primary document: paths carry the CIK without leading zeros, accessions without dashes."""
        return f"{self.www_url}/Archives/edgar/data/{int(cik)}/{accession_number.replace('-', '')}/{document}"
