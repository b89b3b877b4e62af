"""What can go wrong with a source of filings, typed by what the caller should do about it."""

from __future__ import annotations


class EdgarError(Exception):
    """Base of all errors of a source of filings."""


class UndeclaredToolError(EdgarError):
    """The source refuses the declared User-Agent; asking again does not help."""

    def __init__(self, url: str, user_agent: str) -> None:
        super().__init__(
            f"{url} refused the User-Agent {user_agent!r} as an undeclared automated tool: declare a name and a "
            "contact address the SEC accepts, such as 'Example Bank filings@example.com' "
            "(setting GOVTUNE_EDGAR_USER_AGENT)"
        )


class BlockedError(EdgarError):
    """The source kept refusing for too many requests after all allowed pauses."""

    def __init__(self, url: str, pauses: int) -> None:
        super().__init__(
            f"{url} still answers that too many requests were made, after {pauses} pauses: other programs of yours "
            "may share the limit of 10 requests a second; stop them, lower the rate, and run again later (what was "
            "downloaded is kept)"
        )


class MissingDocumentError(EdgarError):
    """The source has no object at this address."""

    def __init__(self, url: str) -> None:
        super().__init__(f"{url} does not exist at the source")
        self.url = url


class DownloadError(EdgarError):
    """An object could not be had after all retries."""

    def __init__(self, url: str, attempts: int, reason: str) -> None:
        super().__init__(f"{url} could not be downloaded in {attempts} attempts: {reason}")
        self.url = url


class UnobtainableError(EdgarError):
    """The source refuses an object, or it is too large: asking again does not help."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url} cannot be had, and asking again will not help: {reason}")
        self.url = url


class UniverseError(EdgarError):
    """What was written as a universe is none, or its list of companies cannot be read."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"{reason}. Write served, sp500, sp500@2024-06-28, sp500@2023-01-01..2024-12-31, file:PATH, tickers or "
            "CIKs, with commas between them (setting GOVTUNE_UNIVERSE)"
        )


class UnknownCompanyError(EdgarError):
    """Names in the universe that the source does not know."""

    def __init__(self, names: tuple[str, ...], source: str) -> None:
        super().__init__(
            f"unknown to {source}: {', '.join(names)}. Name a company by a ticker that its company_tickers.json lists "
            "today (BRK.B and BRK-B are the same), by a ticker under which it was in the S&P 500, or by a CIK that has "
            "a submissions file; a company that is no longer listed is found by its CIK (setting GOVTUNE_UNIVERSE)"
        )
        self.names = names


class MalformedAnswerError(EdgarError):
    """An answer that should be JSON of a known shape is not."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url} answered something that is not the expected document: {reason}")
