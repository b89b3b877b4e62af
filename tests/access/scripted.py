"""A workspace that answers what it is told to: for what the local one cannot be made to say, such as groups."""

from __future__ import annotations

import contextlib
import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from govtune_assets.access.facts import Facts, client
from unitydoor.secrets import ServicePrincipal

API = "/api/2.1/unity-catalog"
Answer = tuple[int, dict[str, Any]]
Told = Callable[[str, dict[str, str]], Answer | None]
"""From path and query to status and body; None: there is no such thing."""
ABSENT: Answer = (404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no"})
REFUSED: Answer = (403, {"error_code": "PERMISSION_DENIED", "message": "no"})


@contextlib.contextmanager
def workspace(told: Told, client_id: str) -> Iterator[Facts]:
    """The workspace's facts, as one principal is told them."""

    class Handler(BaseHTTPRequestHandler):
        def reply(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            at = urllib.parse.urlsplit(self.path)
            path, query = urllib.parse.unquote(at.path), dict(urllib.parse.parse_qsl(at.query))
            status, body = _sign_in(path, self.headers["Host"]) or told(path, query) or ABSENT
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_PUT = reply  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        host = f"http://127.0.0.1:{server.server_address[1]}"
        yield Facts(client(host, ServicePrincipal(client_id, "secret", "test")))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _sign_in(path: str, host: str) -> Answer | None:
    token = f"http://{host}/oidc/v1/token"
    answers = {
        "/.well-known/databricks-config": {"oidc_endpoint": f"http://{host}/oidc"},
        "/oidc/.well-known/oauth-authorization-server": {"token_endpoint": token, "authorization_endpoint": token},
        "/oidc/v1/token": {"access_token": "token", "token_type": "Bearer", "expires_in": 3600},
        f"{API}/metastore_summary": {"metastore_id": "m", "external_access_enabled": True},
    }
    return (200, answers[path]) if path in answers else None
