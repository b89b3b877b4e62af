"""The asynchronous client: rate limit, conditional requests, cache, retries, and the source's refusals.

The SEC refuses with HTML pages whose status codes vary, so pages are told by their words. A missing object of the
archive is 403 with an XML body (S3's AccessDenied), a missing submissions file 404.
"""

from __future__ import annotations

import asyncio
import random
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from govtune_assets.edgar.cache import Body, DiskCache, Entry
from govtune_assets.edgar.errors import (
    BlockedError,
    DownloadError,
    MissingDocumentError,
    UndeclaredToolError,
    UnobtainableError,
)
from govtune_assets.edgar.gate import RateGate
from govtune_assets.edgar.settings import EdgarSource

_RATE_PAGE = (b"request rate threshold exceeded", b"maximum allowable requests per second")
_TOOL_PAGE = (b"undeclared automated tool",)
_PAGE_BYTES = 64 * 1024  # both refusal pages are about 5 kB; filings are larger or are not such pages
_NOT_MODIFIED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY, _SERVER = 304, 403, 404, 429, 500
_TIMES_OUT = (408, 425)  # RFC 9110, 15.5.9, RFC 8470, 5.2: the same request may be answered later
_BACKOFF, _LONGEST_BACKOFF = 0.5, 30.0  # seconds


@dataclass(slots=True)
class Traffic:
    """Counts of one client: requests sent, bodies by kind, bytes on the wire, retries and pauses."""

    requests: int = 0
    document_requests: int = 0
    index_requests: int = 0
    from_cache: int = 0
    not_modified: int = 0
    bytes_received: int = 0
    retries: int = 0
    pauses: int = 0


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: Body
    headers: httpx.Headers


class _TransientError(Exception):
    """A failure that asking again may mend."""


class _TooLargeError(Exception):
    """A body beyond the limit."""


class EdgarClient:
    """An open connection to a source; use as an asynchronous context manager."""

    def __init__(self, source: EdgarSource, on_pause: Callable[[float], None] = lambda left: None) -> None:
        self.source = source
        self.cache = DiskCache(source.cache_dir)
        self.traffic = Traffic()
        source.cache_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        schedule = source.cache_dir / "schedule"
        self._gate = RateGate(schedule, source.requests_per_second, source.pause_seconds, source.least_gap_seconds)
        self._on_pause = on_pause
        self._http = httpx.AsyncClient(
            headers={"User-Agent": source.user_agent, "Accept-Encoding": "gzip, deflate"},
            timeout=source.timeout_seconds,
            follow_redirects=False,
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=32),
        )

    async def __aenter__(self) -> EdgarClient:
        await asyncio.to_thread(self.cache.sweep)
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def document(self, url: str, *, damaged: bool = False) -> Entry:
        """The cache entry of a filing's document, which never changes: fetched once, then never again.

        `damaged` says that the stored body turned out not to be what its digest says, and is to be fetched anew.
        Raises MissingDocumentError where the source lacks it (remembered for `index_max_age_seconds`),
        UnobtainableError, DownloadError, BlockedError, UndeclaredToolError.
        """
        known = self.cache.entry(url)
        if known is not None and not damaged and (known.sha256 is not None or self._fresh(known)):
            self.traffic.from_cache += 1
            return _existing(known)
        self.traffic.document_requests += 1
        return await self._fetch(url, None)

    async def index(self, url: str, settled_at: float | None = None) -> bytes:
        """An index file, such as a submissions file: asked for again, conditionally, once it has aged.

        It ages more slowly where it was looked at after `settled_at`, in seconds since the epoch, since when what the
        caller looks for in it hardly changes. One that was missing is asked for every time: a source that is out of
        order may say so of any.
        Raises as `document` does.
        """
        known = self.cache.entry(url)
        if known is not None and known.sha256 is not None and self._fresh(known, settled_at):
            self.traffic.from_cache += 1
        else:
            self.traffic.index_requests += 1
            known = await self._fetch(url, known)
        body = self.cache.body(_existing(known))
        if body is None:
            body = self.cache.body(_existing(await self._fetch(url, None)))
        if body is None:
            raise DownloadError(url, 1, "the stored body was damaged twice: check the disk of the cache folder")
        return body

    def _fresh(self, entry: Entry, settled_at: float | None = None) -> bool:
        longest = self.source.index_max_age_seconds
        if settled_at is not None and entry.checked_at >= settled_at:
            longest = max(longest, self.source.settled_index_max_age_seconds)
        return 0 <= time.time() - entry.checked_at < longest

    async def _fetch(self, url: str, known: Entry | None) -> Entry:
        headers = {}
        if known is not None and known.sha256 is not None:
            if known.etag:
                headers["If-None-Match"] = known.etag
            if known.last_modified:
                headers["If-Modified-Since"] = known.last_modified
        answer = await self._ask(url, headers)
        if answer.status == _NOT_MODIFIED and known is not None:
            self.traffic.not_modified += 1
            return self.cache.confirm(known)
        if answer.status in (_FORBIDDEN, _NOT_FOUND):
            self.cache.store_missing(url)
            raise MissingDocumentError(url)
        validators = answer.headers.get("etag"), answer.headers.get("last-modified")
        return await asyncio.to_thread(self.cache.store, url, answer.body, *validators)

    async def _ask(self, url: str, headers: dict[str, str]) -> _Answer:
        """An answer with status 200, 304, 403 or 404, after retries and pauses."""
        failures = 0
        while True:
            asked_at = await self._gate.slot(self._on_pause)
            try:
                answer = await self._once(url, headers)
                if _says(answer, _TOOL_PAGE):
                    raise UndeclaredToolError(url, self.source.user_agent)
                if answer.status == _TOO_MANY or _says(answer, _RATE_PAGE):
                    self._refused(url, asked_at)
                    continue
                if answer.status in (httpx.codes.OK, _NOT_MODIFIED) or _missing(answer):
                    return answer
                if (
                    answer.status == _FORBIDDEN
                ):  # a refusal whose page is not known: it is of the client, not of the object
                    raise DownloadError(url, failures + 1, f"HTTP {answer.status}")
                if answer.status < _SERVER and answer.status not in _TIMES_OUT:
                    raise UnobtainableError(url, f"HTTP {answer.status}")
                raise _TransientError(f"HTTP {answer.status}")
            except _TooLargeError:
                raise UnobtainableError(url, f"more than {self.source.max_document_bytes} bytes") from None
            except (httpx.TransportError, _TransientError) as error:
                failures += 1
                if failures >= self.source.attempts:
                    raise DownloadError(url, failures, f"{type(error).__name__}: {error}") from error
                self.traffic.retries += 1
                longest = min(_LONGEST_BACKOFF, _BACKOFF * 2**failures)
                await asyncio.sleep(random.uniform(_BACKOFF / 2, longest))  # noqa: S311 - jitter, no secret

    def _refused(self, url: str, asked_at: float) -> None:
        """Pause everything; refusals of requests that were under way when a pause began add none."""
        if self._gate.pause(asked_at):
            self.traffic.pauses += 1
            if self.traffic.pauses > self.source.max_pauses:
                raise BlockedError(url, self.source.max_pauses)

    async def _once(self, url: str, headers: dict[str, str]) -> _Answer:
        self.traffic.requests += 1
        async with self._http.stream("GET", url, headers=headers) as response:
            raw = bytearray()
            async for chunk in response.aiter_raw():
                raw += chunk
                if len(raw) > self.source.max_document_bytes:
                    raise _TooLargeError
            self.traffic.bytes_received += len(raw)
            declared = response.headers.get("content-length", "")
            if declared.isdigit() and int(declared) != len(raw):
                raise _TransientError(f"{len(raw)} of {declared} bytes arrived")
            encoding = response.headers.get("content-encoding", "identity").lower()
        # Unpacking and hashing megabytes takes tens of milliseconds, in which others' requests must go on.
        body = await asyncio.to_thread(_unpack, bytes(raw), encoding, self.source.max_document_bytes)
        return _Answer(response.status_code, body, response.headers)


def _existing(entry: Entry) -> Entry:
    if entry.sha256 is None:
        raise MissingDocumentError(entry.url)
    return entry


def _unpack(raw: bytes, encoding: str, limit: int) -> Body:
    """The body, unpacked within `limit` bytes; a stream that is cut or damaged is transient."""
    if encoding in ("identity", "") or not raw:
        return Body.of(raw)
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise _TransientError(f"unknown content encoding {encoding!r}")
    parts: list[bytes] = []
    left, rest = limit, raw
    while rest:  # a gzip stream may have several members, RFC 1952, 2.2
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)
        try:
            parts.append(unpacker.decompress(rest, left + 1))
        except zlib.error as error:
            raise _TransientError(f"damaged {encoding} body: {error}") from error
        left -= len(parts[-1])
        if left < 0:
            raise _TooLargeError
        if not unpacker.eof:
            raise _TransientError(f"{encoding} body ends too early")
        rest = unpacker.unused_data
    return Body.of(b"".join(parts), None if encoding == "deflate" else raw)


def _says(answer: _Answer, words: tuple[bytes, ...]) -> bool:
    content = answer.body.content
    page = content.lower() if len(content) < _PAGE_BYTES else b""
    return any(word in page for word in words)


def _missing(answer: _Answer) -> bool:
    if answer.status == _NOT_FOUND:
        return True
    content = answer.body.content
    return answer.status == _FORBIDDEN and (b"<Code>AccessDenied" in content or b"<Code>NoSuchKey" in content)
