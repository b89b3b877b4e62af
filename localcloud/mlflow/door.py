"""Who may ask the tracking server for what: anyone on this machine may look, a known service principal may write.

MLflow's server does much beside tracking: it runs an assistant's shell commands, calls language models, starts jobs,
keeps secrets. Nothing of that is needed here, so a request passes only if it is on one of the lists below. What looks
needs no sign-in, so that a link in the Dagster UI opens a page; what writes needs an access token of the workspace,
as Databricks' own tracking server does, and its principal must be one of the writers.
"""

from __future__ import annotations

import asyncio
import hashlib
import http
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

GRAPHQL = "/graphql"  # its one mutation is an echo
PAGES = frozenset({"/", "/health", "/version", "/get-artifact", GRAPHQL})
STATIC = "/static-files/"
APIS = ("/api/2.0/mlflow/", "/ajax-api/2.0/mlflow/", "/api/3.0/mlflow/", "/ajax-api/3.0/mlflow/")
SERVICES_SHOWN = frozenset(
    {"artifacts", "datasets", "experiments", "logged-models", "metrics", "model-versions", "registered-models", "runs"}
    | {"server-info", "traces", "ui-telemetry"}
)
"""First words of the paths that the pages read by GET."""
SEARCHES = frozenset(
    {"datasets/search", "experiments/search", "experiments/search-datasets", "logged-models/search", "runs/search"}
    | {"traces/search", "traces/metrics"}
)
"""What the pages read by POST."""
WRITES = frozenset(
    {"experiments/create", "runs/create", "runs/update", "runs/log-batch", "runs/log-inputs", "runs/set-tag"}
)
"""What a training job writes, below /api/2.0/mlflow/."""
API = "/api/2.0/mlflow/"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts/"
_ROOTS = ("/api/2.0/mlflow-artifacts", "/ajax-api/2.0/mlflow-artifacts")
SHOWN_ARTIFACTS = tuple(f"{root}/{kind}" for root in _ROOTS for kind in ("artifacts", "presigned"))
"""Artifacts themselves, and addresses in S3, signed by the server, from which clients load them."""
ME = "/api/2.0/preview/scim/v2/Me"
REMEMBER_SECONDS = 60.0
TIMEOUT_SECONDS = 10.0
LONGEST_TOKEN = 8192
POLICY_VIOLATION = 1008  # RFC 6455, section 7.4.1


def looks(method: str, path: str) -> bool:
    """Whether the request only looks at what is there."""
    if method in {"GET", "HEAD"}:
        shown = path.startswith((STATIC, *(f"{root}/" for root in SHOWN_ARTIFACTS)))
        return shown or path in PAGES or path in SHOWN_ARTIFACTS or _below(path).split("/", 1)[0] in SERVICES_SHOWN
    return method == "POST" and (path == GRAPHQL or _below(path) in SEARCHES)


def writes(method: str, path: str) -> bool:
    """Whether the request is one by which a training job records its run."""
    if method == "PUT":
        return path.startswith(ARTIFACTS)
    return method == "POST" and path.startswith(API) and path.removeprefix(API) in WRITES


def _below(path: str) -> str:
    """The path below the API's root; empty where it is below none."""
    return next((path.removeprefix(root) for root in APIS if path.startswith(root)), "")


@dataclass
class SignIn:
    """Who an access token stands for, as the workspace says; what it said is remembered for a minute."""

    workspace: str
    _known: dict[str, tuple[float, str]] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def principal(self, token: str) -> str:
        """Display name of the token's principal; empty for a token that the workspace does not accept.

        Raises:
            OSError: the workspace does not answer.
        """
        if not token or len(token) > LONGEST_TOKEN or not token.isascii():
            return ""
        key, now = hashlib.sha256(token.encode()).hexdigest(), time.monotonic()
        with self._lock:
            self._known = {known: entry for known, entry in self._known.items() if entry[0] > now}
            if key in self._known:
                return self._known[key][1]
        name = self._ask(token)
        if name:
            with self._lock:
                self._known[key] = (now + REMEMBER_SECONDS, name)
        return name

    def _ask(self, token: str) -> str:
        request = urllib.request.Request(  # noqa: S310 - the address is the supervisor's own
            f"{self.workspace}{ME}", headers={"Authorization": f"Bearer {token}"}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                return str(json.load(answer).get("displayName", ""))
        except urllib.error.HTTPError as refused:
            refused.close()
            return ""


@dataclass(frozen=True)
class Door:
    """The server's application behind the rules of this module."""

    application: Application
    sign_in: SignIn
    writers: frozenset[str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, or hands it on."""
        if scope["type"] == "lifespan":
            await self.application(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        elif refusal := await self._refusal(scope):
            await _refuse(send, *refusal)
        else:
            await self.application(scope, receive, send)

    async def _refusal(self, scope: Scope) -> tuple[http.HTTPStatus, str] | None:
        method, path = str(scope["method"]), str(scope["path"])
        if looks(method, path):
            return None
        if not writes(method, path):
            return http.HTTPStatus.NOT_FOUND, "This tracking server keeps the runs of training jobs and does no more."
        try:
            principal = await asyncio.to_thread(self.sign_in.principal, _token(scope))
        except OSError:
            return http.HTTPStatus.SERVICE_UNAVAILABLE, "The workspace that knows the service principals is away."
        if not principal:
            return http.HTTPStatus.UNAUTHORIZED, "Writing needs a valid access token of the workspace."
        if principal not in self.writers:
            return http.HTTPStatus.FORBIDDEN, f"{principal} may not write here."
        return None


def _token(scope: Scope) -> str:
    headers = dict(scope["headers"])
    scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def _refuse(send: Send, status: http.HTTPStatus, message: str) -> None:
    """An error as MLflow's clients read it."""
    code = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 503: "TEMPORARILY_UNAVAILABLE"}.get(
        status, "ENDPOINT_NOT_FOUND"
    )
    body = json.dumps({"error_code": code, "message": message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})
