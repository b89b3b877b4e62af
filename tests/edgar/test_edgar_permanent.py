"""What asking again does not mend is left out by name; what it may mend is told from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest

from govtune_assets.edgar import EdgarSource, SkipReason, collect

from .conftest import AGENT, Folder, document

Odd = Callable[..., EdgarSource]


class _Handler(BaseHTTPRequestHandler):
    """Serves a folder in EDGAR's layout, with a status of its own for each path that holds a certain word."""

    root: ClassVar[Path]
    statuses: ClassVar[Mapping[str, int]]

    def do_GET(self) -> None:
        status = next((status for word, status in self.statuses.items() if word in self.path), 200)
        area = "data" if self.path.startswith("/submissions/") else "www"
        body = (self.root / area / self.path.lstrip("/")).read_bytes() if status == 200 else b"odd"
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@pytest.fixture
def odd(folder: Folder, tmp_path: Path) -> Iterator[Odd]:
    """Starts a server of the folder with odd statuses, and makes a source of it."""
    servers: list[tuple[ThreadingHTTPServer, Thread]] = []

    def start(statuses: Mapping[str, int], **changes: Any) -> EdgarSource:
        handler = type("Odd", (_Handler,), {"root": folder.root, "statuses": statuses})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        servers.append((server, thread))
        url = f"http://127.0.0.1:{server.server_port}"
        return EdgarSource(
            user_agent=AGENT,
            cache_dir=tmp_path / "cache",
            www_url=url,
            data_url=url,
            requests_per_second=200,
            attempts=2,
            **changes,
        )

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def test_what_asking_again_does_not_mend_is_told_from_what_it_may(folder: Folder, odd: Odd) -> None:
    for number in range(1, 8):
        folder.filing(folder.company(number, f"T{number}"), document(body="0" * (200_000 if number == 7 else 1)))
    (folder.root / "data" / "submissions" / "CIK0000000001.json").write_text("[" * 100_000)
    statuses = {"CIK0000000002": 410, "/data/3/": 410, "/data/4/": 503, "/data/5/": 408, "CIK0000000006": 503}
    collection = collect(odd(statuses, max_document_bytes=150_000), 2023)
    found = {skip.company.cik[-1]: (skip.reason, skip.source is None) for skip in collection.skips}
    assert found == {
        "1": (SkipReason.MALFORMED_SUBMISSIONS, True),
        "2": (SkipReason.UNOBTAINABLE, True),
        "3": (SkipReason.UNOBTAINABLE, False),
        "4": (SkipReason.DOWNLOAD_FAILED, False),
        "5": (SkipReason.DOWNLOAD_FAILED, False),
        "6": (SkipReason.DOWNLOAD_FAILED, True),
        "7": (SkipReason.UNOBTAINABLE, False),
    }
    details = {skip.company.cik[-1]: skip.detail for skip in collection.skips}
    assert "HTTP 410" in details["2"] and "more than 150000 bytes" in details["7"]
    assert collection.stats.retries == 3


def test_a_named_company_whose_submissions_are_gone_does_not_stop_the_others(folder: Folder, odd: Odd) -> None:
    folder.filing(folder.company(1, "AAA"), document())
    folder.filing(folder.company(2), document())
    collection = collect(odd({"CIK0000000002": 410}), 2023, ["AAA", "2"])
    assert [record.cik for record in collection.filings] == ["0000000001"]
    assert [(skip.reason, skip.company.cik) for skip in collection.skips] == [(SkipReason.UNOBTAINABLE, "0000000002")]
