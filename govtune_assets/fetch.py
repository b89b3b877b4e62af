"""`govtune fetch`: fill the document cache ahead of a backfill, with one live line in the terminal.

The years are collected as `raw_filings` collects them, and nothing is written but the cache: the backfill that follows
finds every document and every extraction there.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol, TextIO

from govtune_assets import fiscal_years
from govtune_assets.edgar import Collection, OnProgress, Progress, SkipReason
from govtune_assets.progress import Throttle

MEGABYTE = 1_000_000
_RETURN, _ERASE = "\r", "\x1b[K"  # to the start of the line; from there to its end
_COLUMNS = (
    *("fiscal year", "10-K", "10-Q", "skipped", "failed downloads"),
    *("downloaded", "from cache", "MB", "requests/s", "pauses", "time"),
)


class Collects(Protocol):
    """A source of filings; `govtune_assets.resources.edgar.EdgarResource` is one."""

    def collect(self, fiscal_year: int, on_progress: OnProgress) -> Collection:
        """Fetch and extract the filings of a fiscal year."""


def run_fetch(edgar: Collects, years: Sequence[str], live: TextIO, out: TextIO) -> int:
    """Collect each year into the cache; the live line goes to `live`, the table of what was done to `out`.

    Returns 0, or 1 where downloads failed that may succeed when they are asked for again.

    Raises:
        ValueError: a year is none of the project's fiscal years.
    """
    unknown = sorted(set(years) - set(fiscal_years.KEYS))
    if unknown:
        first, last = fiscal_years.KEYS[0], fiscal_years.KEYS[-1]
        raise ValueError(f"{', '.join(unknown)}: no fiscal years of this project, which knows {first} to {last}")
    collections = []
    for year in dict.fromkeys(years):
        with Line(live, f"FY{year}") as line:
            collections.append(edgar.collect(int(year), line))
    out.write("\n".join(summary(collections)) + "\n")
    failed = sum(_failed_downloads(collection) for collection in collections)
    if failed:
        out.write(f"{failed:,} downloads failed: run the same command again, what was fetched is in the cache.\n")
    return 1 if failed else 0


class Line:
    """A collection's progress: one line that is written over in a terminal, now and then a line elsewhere.

    Use as a context manager: it leaves the cursor at the start of a new line, whatever happens.

    Args:
        stream: where to.
        title: the words before the figures.
        clock: monotonic seconds, for how often lines are written where they stay.
    """

    def __init__(self, stream: TextIO, title: str, clock: Callable[[], float] = time.monotonic):
        self._stream = stream
        self._title = title
        self._live = stream.isatty()
        self._throttle = Throttle(clock)

    def __enter__(self) -> "Line":
        if self._live:
            self._write(f"{_RETURN}{self._fit(f'{self._title}  asking for the list of companies')}{_ERASE}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live:
            self._write("\n")

    def __call__(self, progress: Progress) -> None:
        text = f"{self._title}  {describe(progress)}"
        if self._live:
            self._write(f"{_RETURN}{self._fit(text)}{_ERASE}")
        elif self._throttle.is_due(progress):
            self._write(f"{text}\n")

    def _fit(self, text: str) -> str:
        """A line that wraps cannot be written over."""
        return text[: shutil.get_terminal_size().columns - 1]

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def describe(progress: Progress) -> str:
    """Done, left, rate and time left; in a pause the countdown comes first, since nothing else moves."""
    figures = f"{progress.done:,} of {progress.total:,} filings, {progress.left:,} left, {progress.rate:.1f}/s"
    if progress.paused is not None:
        return f"paused by the source, goes on in {duration(progress.paused)} | {figures}"
    if progress.eta is None:
        return f"{figures}, still listing"
    return f"{figures}, {duration(progress.eta)} to go"


def duration(seconds: float) -> str:
    """Hours, minutes and seconds as a clock shows them: 0:07, 9:59, 1:00:00."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def summary(collections: Sequence[Collection]) -> list[str]:
    """A table for the terminal: a line for each year."""
    rows = [_COLUMNS, *(_row(collection) for collection in collections)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def _row(collection: Collection) -> tuple[str, ...]:
    stats = collection.stats
    forms = [record.form_type for record in collection.filings]
    return (
        str(collection.fiscal_year),
        f"{forms.count('10-K'):,}",
        f"{forms.count('10-Q'):,}",
        f"{len(collection.skips):,}",
        f"{_failed_downloads(collection):,}",
        f"{stats.document_requests:,}",
        f"{stats.from_cache:,}",
        f"{stats.bytes_received / MEGABYTE:,.1f}",
        f"{stats.request_rate:.1f}",
        f"{stats.pauses:,}",
        duration(stats.seconds),
    )


def _failed_downloads(collection: Collection) -> int:
    return sum(skip.reason is SkipReason.DOWNLOAD_FAILED for skip in collection.skips)
