"""The replica's HTTP server: HTTP/1.1 with keep-alive, gzip, conditional requests, the SEC's refusals.

Two paths are not EDGAR's and are subject to no limit: `/_localcloud/health`, and `/_localcloud/statistics`, which
counts the answers so far by kind (`archives`, `files`, `submissions`, `not_modified`, `missing`, `undeclared`,
`rate_exceeded`, `fault_*`), so that a test can tell what a client really asked for.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple

from localcloud.edgar import refusals
from localcloud.edgar.access_log import AccessLog
from localcloud.edgar.bodies import Filler, Piece, UnknownPieceError, gzip_of
from localcloud.edgar.faults import Fault, FaultInjector, FaultSpecification
from localcloud.edgar.files import Area, Document, area_of, locate, read
from localcloud.edgar.limits import RateLimiter, is_declared
from localcloud.edgar.refusals import Refusal

HEALTH_PATH: Final = "/_localcloud/health"
STATISTICS_PATH: Final = "/_localcloud/statistics"
_IDLE_SECONDS: Final = 75
_GZIP_HEADER: Final = 10  # bytes, RFC 1952, 2.3


class Body(NamedTuple):
    """An encoded response body and the headers that say how it is encoded."""

    content: bytes
    headers: dict[str, str]


@dataclass
class Statistics:
    """Counts of answers by kind, for tests that ask what a client requested. Safe for several threads."""

    _counts: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def add(self, kind: str) -> None:
        """Count one answer."""
        with self._lock:
            self._counts[kind] += 1

    def snapshot(self) -> dict[str, int]:
        """The counts so far, by kind."""
        with self._lock:
            return dict(sorted(self._counts.items()))


class ReplicaServer(ThreadingHTTPServer):
    """Serves one folder on the loopback interface. `port` 0 takes a free one; `server_port` tells which."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        root: Path,
        port: int,
        limiter: RateLimiter | None = None,
        faults: FaultSpecification | None = None,
        access_log: AccessLog | None = None,
    ) -> None:
        self.root = root
        self.filler = Filler(root)
        self.access_log = access_log
        self.limiter = limiter or RateLimiter()
        self.faults = FaultInjector(faults or FaultSpecification())
        self.statistics = Statistics()
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing about clients that went away; report everything else as the base class does."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    server: ReplicaServer
    protocol_version = "HTTP/1.1"
    server_version = "edgar-replica"
    sys_version = ""
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True  # else a keep-alive client waits 40 ms between headers and body

    def do_GET(self) -> None:
        """Answer one GET (and, without a body, one HEAD) request."""
        path = self.path.partition("?")[0].partition("#")[0]
        if path == HEALTH_PATH:
            self._send_json({"service": "edgar", "status": "ok"})
        elif path == STATISTICS_PATH:
            self._send_json(self.server.statistics.snapshot())
        elif not self.server.limiter.admit(self.client_address[0]):
            limiter = self.server.limiter
            self._refuse("rate_exceeded", refusals.rate_exceeded(limiter.max_per_second, limiter.block_seconds))
        elif not is_declared(self.headers.get("User-Agent")):
            self._refuse("undeclared", refusals.undeclared_tool())
        else:
            self._serve(path)

    do_HEAD = do_GET  # noqa: N815  # the base class dispatches on this name

    def _serve(self, path: str) -> None:
        area = area_of(path)
        document = self._document(path)
        if document is None or area is None:
            missing = (
                refusals.no_such_key(path.removeprefix("/")) if area is Area.SUBMISSIONS else refusals.access_denied()
            )
            self._refuse("missing", missing)
        elif self._is_current(document):
            self._count("not_modified")
            self.send_response(HTTPStatus.NOT_MODIFIED)
            self._send_validators(document)
            self.end_headers()
        else:
            self._send_document(path, area, document)

    def _document(self, path: str) -> Document | None:
        located = locate(self.server.root, path)
        if located is None:
            return None
        try:
            return read(located, self.server.filler)
        except (OSError, UnknownPieceError) as error:
            self.log_error("cannot read %s: %s", located, error)
            return None

    def _is_current(self, document: Document) -> bool:
        wanted = self.headers.get("If-None-Match")
        if wanted is not None:
            tags = {tag.strip().removeprefix("W/") for tag in wanted.split(",")}
            return "*" in tags or document.etag in tags
        since = self.headers.get("If-Modified-Since")
        if since is None:
            return False
        try:
            return document.modified_seconds <= parsedate_to_datetime(since).timestamp()
        except ValueError:
            return False  # RFC 9110, 13.1.3: a date that cannot be read is ignored

    def _send_document(self, path: str, area: Area, document: Document) -> None:
        fault: Fault | None = None
        if self.server.faults.applies_to(path):
            time.sleep(self.server.faults.specification.latency)
            fault = self.server.faults.next_fault()
        self._count(area.value if fault is None else f"fault_{fault}")
        if fault is Fault.RESET:
            self._reset_connection()
            return
        if fault is Fault.ERROR:
            self._send_text(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", "Service Unavailable", {})
            return
        body = self._encode(document.parts, fault)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", document.content_type)
        self.send_header("Content-Length", str(len(body.content)))
        for name, value in body.headers.items():
            self.send_header(name, value)
        self._send_validators(document)
        self.end_headers()
        if self.command != "HEAD":
            whole = fault is not Fault.TRUNCATE
            self.wfile.write(body.content if whole else body.content[: len(body.content) // 2])
            self.close_connection = self.close_connection or not whole

    def _encode(self, parts: tuple[Piece, ...], fault: Fault | None) -> Body:
        damaged = fault in {Fault.BAD_GZIP, Fault.SHORT_GZIP}
        if not damaged and not self._accepts_gzip():
            return Body(b"".join(part.content for part in parts), {"Vary": "Accept-Encoding"})
        packed = gzip_of(parts)
        if fault is Fault.BAD_GZIP:
            packed = packed[:_GZIP_HEADER] + b"\xff" * (len(packed) - _GZIP_HEADER)  # a block of the reserved type
        elif fault is Fault.SHORT_GZIP:
            packed = packed[: len(packed) // 2]
        return Body(packed, {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"})

    def _accepts_gzip(self) -> bool:
        for entry in self.headers.get("Accept-Encoding", "").lower().split(","):
            coding, _, parameters = entry.partition(";")
            if coding.strip() in {"gzip", "*"}:
                return parameters.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
        return False

    def _send_validators(self, document: Document) -> None:
        self.send_header("ETag", document.etag)
        self.send_header("Last-Modified", document.last_modified)

    def _refuse(self, kind: str, refusal: Refusal) -> None:
        self._count(kind)
        self._send_text(refusal.status, refusal.content_type, refusal.body, {})

    def _count(self, kind: str) -> None:
        self.server.statistics.add(kind)
        if self.server.access_log is not None:
            self.server.access_log.write(self.path, kind)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Write a line to standard error, unless an access log was asked for instead."""
        if self.server.access_log is None:
            super().log_request(code, size)

    def _send_json(self, value: object) -> None:
        self._send_text(HTTPStatus.OK, "application/json", json.dumps(value), {"Cache-Control": "no-store"})

    def _send_text(self, status: HTTPStatus, content_type: str, text: str, headers: dict[str, str]) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _reset_connection(self) -> None:
        # With a linger time of zero, close() sends RST instead of FIN: the client sees a connection reset.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True
