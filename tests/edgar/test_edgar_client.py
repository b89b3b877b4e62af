"""The client against answers that the replica never gives: odd encodings, and bodies beyond the limit."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

from govtune_assets.edgar import DownloadError, EdgarSource, UnobtainableError
from govtune_assets.edgar.client import EdgarClient

from .conftest import AGENT

BODY = b"<html>Demand for our lamps may fall.</html>" * 100
ANSWERS: dict[str, tuple[str, bytes]] = {
    "/plain": ("identity", BODY),
    "/gzip": ("gzip", gzip.compress(BODY)),
    "/deflate": ("deflate", zlib.compress(BODY)),
    "/members": ("gzip", gzip.compress(BODY[:1000]) + gzip.compress(BODY[1000:])),
    "/brotli": ("br", b"\x00\x01"),
    "/empty": ("gzip", b""),
    "/bomb": ("gzip", gzip.compress(b"0" * 1_000_000)),
    "/large": ("identity", b"0" * 200_000),
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version: ClassVar[str] = "HTTP/1.1"

    def do_GET(self) -> None:
        encoding, body = ANSWERS[self.path]
        self.send_response(200)
        self.send_header("Content-Encoding", encoding)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@pytest.fixture
def source(tmp_path: Path) -> Iterator[EdgarSource]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    yield EdgarSource(
        user_agent=AGENT,
        cache_dir=tmp_path,
        www_url=url,
        data_url=url,
        requests_per_second=100,
        attempts=1,
        max_document_bytes=100_000,
    )
    server.shutdown()
    thread.join()
    server.server_close()


def _fetch(source: EdgarSource, path: str) -> bytes | None:
    async def fetch() -> bytes | None:
        async with EdgarClient(source) as client:
            return client.cache.body(await client.document(source.www_url + path))

    return asyncio.run(fetch())


@pytest.mark.parametrize("path", ["/plain", "/gzip", "/deflate", "/members"])
def test_every_encoding_that_is_asked_for_is_unpacked_and_stored_whole(source: EdgarSource, path: str) -> None:
    assert _fetch(source, path) == BODY


def test_an_empty_body_is_an_empty_document(source: EdgarSource) -> None:
    assert _fetch(source, "/empty") == b""


@pytest.mark.parametrize(
    ("path", "error", "reason"),
    [
        ("/brotli", DownloadError, "unknown content encoding 'br'"),
        ("/bomb", UnobtainableError, "more than 100000 bytes"),
        ("/large", UnobtainableError, "more than 100000 bytes"),
    ],
)
def test_what_cannot_be_unpacked_within_the_limit_is_refused(
    source: EdgarSource, path: str, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        _fetch(source, path)
    assert not list((source.cache_dir / "entries").rglob("*.json"))
