"""What the tests of the EDGAR replica share: the URLs of the small served folder, and a server in a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import httpx

from localcloud.edgar.server import ReplicaServer

DECLARED = "Example Research data-desk@example.com"
DOCUMENT = "/Archives/edgar/data/9900000001/990000000124000001/doc.htm"
TICKERS = "/files/company_tickers.json"
SUBMISSIONS = "/submissions/CIK9900000001.json"

Serve = Callable[..., httpx.Client]


@contextmanager
def running(server: ReplicaServer) -> Iterator[str]:
    """Run a server in a thread; gives its base address."""
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)  # seconds until it sees its end
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
