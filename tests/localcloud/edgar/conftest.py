"""Fixtures of the EDGAR replica's tests: served folders, running servers, and a small corpus that is written once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from localcloud.edgar.faults import FaultSpecification
from localcloud.edgar.limits import RateLimiter
from localcloud.edgar.sample.corpus import CorpusOptions
from localcloud.edgar.sample.writer import write_corpus
from localcloud.edgar.server import ReplicaServer
from tests.localcloud.edgar.replica_lab import DECLARED, DOCUMENT, SUBMISSIONS, TICKERS, Serve, running


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder in EDGAR's layout with one document, one submissions file, the tickers, and a truth file."""
    folder = tmp_path / "root"
    contents = {
        f"www{DOCUMENT}": "<html><body>" + "<p>Risk and more risk.</p>" * 2000 + "</body></html>",
        f"www{TICKERS}": "{}",
        f"data{SUBMISSIONS}": '{"cik": "9900000001"}',
        "truth.json": "[]",
    }
    for name, text in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def serve(root: Path) -> Iterator[Serve]:
    """Start a replica of `root` and return a client with a declared User-Agent (or the headers given)."""
    with ExitStack() as stack:

        def start(
            *, limiter: RateLimiter | None = None, faults: str = "", headers: dict[str, str] | None = None
        ) -> httpx.Client:
            roomy = RateLimiter(max_per_second=10_000)
            server = ReplicaServer(root, 0, limiter or roomy, FaultSpecification.parse(faults))
            base = stack.enter_context(running(server))
            chosen = {"User-Agent": DECLARED} if headers is None else headers
            return stack.enter_context(httpx.Client(base_url=base, headers=chosen))

        yield start


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus as it ships, with the broken filings."""
    out = tmp_path_factory.mktemp("corpus")
    write_corpus(out, CorpusOptions(with_bad_input=True))
    return out


@pytest.fixture(scope="session")
def truth(corpus: Path) -> list[dict[str, Any]]:
    """The ground truth of that corpus."""
    rows: list[dict[str, Any]] = json.loads((corpus / "truth.json").read_text(encoding="utf-8"))
    return rows
