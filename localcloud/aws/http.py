"""HTTP/1.1 over threads: werkzeug's server with connections that stay open between requests."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import ThreadedWSGIServer

_BODYLESS = (204, 304)
BACKLOG = 128


class KeepAliveHandler(MotoRequestHandler):  # type: ignore[misc]
    """One connection, many requests.

    werkzeug closes after each answer because it cannot know that the application read the whole request body. The
    door always reads it, so here the connection stays open.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 600

    def handle_expect_100(self) -> bool:
        """Leave the interim answer to `run_wsgi`, so that it is sent once."""
        return True

    def run_wsgi(self) -> None:
        """Run the application for one request and write its answer with a length."""
        if self.headers.get("Expect", "").strip().lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        started: list[tuple[str, list[tuple[str, str]]]] = []
        content: Iterable[bytes] = self.server.app(
            self.make_environ(), lambda status, headers, _exc_info=None: started.append((status, headers))
        )
        try:
            self._write(*started[0], content)
        except (ConnectionError, TimeoutError):  # the client went away
            self.close_connection = True
        finally:
            if close := getattr(content, "close", None):
                close()

    def _write(self, status: str, headers: list[tuple[str, str]], content: Iterable[bytes]) -> None:
        code, _, reason = status.partition(" ")
        bodyless = self.command == "HEAD" or int(code) in _BODYLESS
        length = next((value for name, value in headers if name.lower() == "content-length"), None)
        if length is None and not bodyless:
            content = [b"".join(content)]
            headers = [*headers, ("Content-Length", str(len(content[0])))]
        self.send_response(int(code), reason)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if not bodyless:
            for piece in content:
                self.wfile.write(piece)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Requests are not logged: S3's are in the access log."""


class Server(ThreadedWSGIServer):
    """A threaded server on 127.0.0.1 whose connection threads do not hold up its end.

    Raises OSError when the port is taken.
    """

    daemon_threads = True

    def __init__(self, port: int, app: Any) -> None:
        listening = socket.create_server(("127.0.0.1", port), backlog=BACKLOG, reuse_port=False)
        super().__init__("127.0.0.1", port, app, handler=KeepAliveHandler, fd=listening.detach())
