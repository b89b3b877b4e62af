"""HTTP to the catalog's workspace: one JSON request at a time, bounded retries, no redirects, no leaks.

Belongs here: addresses, timeouts, retries, error bodies. What a request means belongs to `catalog` and
`oauth`. Error bodies have the shape of the Databricks REST API: `{"error_code": str, "message": str}`.
"""

import http
import http.client
import json
import random
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import IO, Any

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
MAX_ANSWER_BYTES = 16 * 1024 * 1024
MAX_MESSAGE_CHARS = 500
MAX_RETRY_AFTER_SECONDS = 20.0
SERVER_ERROR = int(http.HTTPStatus.INTERNAL_SERVER_ERROR)
RUN_PRODUCT = "govtune-run"
"""What stands before a run's id in the user agent, which the workspace's audit log keeps of each request."""
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def user_agent(run_id: str = "") -> str:
    """The door's user agent; with a run's id, so that the audit log names the run behind each request.

    Raises:
        ValueError: the id could not stand in a header.
    """
    if not run_id:
        return "unitydoor"
    if not _RUN_ID.fullmatch(run_id):
        raise ValueError(f"{run_id!r} is no run id: letters, digits, dot, dash and underscore, at most 64")
    return f"unitydoor {RUN_PRODUCT}/{run_id}"


class CatalogError(Exception):
    """The workspace answered with an error, or did not answer.

    Attributes:
        status: HTTP status, or 0 when there was no answer.
        error_code: the workspace's own code, such as `TABLE_DOES_NOT_EXIST`.
    """

    def __init__(self, message: str, *, status: int = 0, error_code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.error_code = error_code


class NotFound(CatalogError):
    """The object does not exist, or the principal may not know that it does."""


@dataclass(frozen=True)
class Answer:
    """A workspace's answer: HTTP status and the JSON object in its body (empty when there is none)."""

    status: int
    body: dict[str, Any]
    retry_after: float | None = None


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long a request is repeated after 429, 5xx or a lost connection (seconds)."""

    attempts: int = 5
    first_delay: float = 0.25
    longest_delay: float = 8.0

    def delay(self, attempt: int, retry_after: float | None) -> float:
        """Seconds to wait after the failed `attempt` (from 0): what the server asks, else jittered backoff."""
        if retry_after is not None:
            return min(max(retry_after, 0.0), MAX_RETRY_AFTER_SECONDS)
        ceiling = min(self.longest_delay, self.first_delay * float(2**attempt))
        return ceiling * (0.5 + random.random() / 2)  # noqa: S311  (jitter, not a secret)


def normalize_host(host: str) -> str:
    """Give a workspace address as `scheme://authority`.

    Plain `http` is accepted for loopback addresses only: anything else would send secrets in the clear.

    Raises:
        ValueError: not an address, or one that is not safe to send secrets to.
    """
    address = host.strip()
    if "://" not in address:
        address = f"https://{address}"
    parts = urllib.parse.urlsplit(address.removesuffix("/"))
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"not a workspace address: {host!r}; give it as https://<workspace>")
    if parts.username or parts.password or parts.path or parts.query or parts.fragment:
        raise ValueError("a workspace address has neither user, path nor query; give it as https://<workspace>")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
        raise ValueError(f"workspace {parts.hostname} is addressed by http; use https (http is for loopback only)")
    return f"{parts.scheme}://{parts.netloc}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the bearer token to another address; the workspace API has none."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


class Transport:
    """Requests to one workspace.

    Args:
        host: the workspace's address, see `normalize_host`.
        retry: when to ask again.
        timeout: seconds for each attempt.
        run_id: the run on whose behalf is asked; the workspace's audit log keeps it.
        sleep: waits between attempts.
    """

    def __init__(
        self,
        host: str,
        *,
        retry: RetryPolicy | None = None,
        timeout: float = 60.0,
        run_id: str = "",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.host = normalize_host(host)
        self._retry = retry or RetryPolicy()
        self._timeout = timeout
        self._user_agent = user_agent(run_id)
        self._sleep = sleep
        handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
        if urllib.parse.urlsplit(self.host).hostname in LOOPBACK_HOSTS:
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = True,
    ) -> Answer:
        """Send one request and give the answer, whatever its status.

        A request that is not `repeatable` is repeated only after 429, which says that nothing was done.

        Raises:
            CatalogError: no answer after the last attempt, or an answer that is not JSON.
        """
        request = self._build(method, path, body, form, headers or {})
        for attempt in range(self._retry.attempts):
            last = attempt == self._retry.attempts - 1
            try:
                answer = self._once(request)
            except (OSError, http.client.HTTPException) as error:
                if last or not repeatable:
                    raise CatalogError(
                        f"{self.host} did not answer {method} {_plain(path)}: {type(error).__name__}; "
                        "is the workspace up and reachable from here?"
                    ) from None
                self._sleep(self._retry.delay(attempt, None))
                continue
            busy = answer.status == http.HTTPStatus.TOO_MANY_REQUESTS or (repeatable and answer.status >= SERVER_ERROR)
            if last or not busy:
                return answer
            self._sleep(self._retry.delay(attempt, answer.retry_after))
        raise AssertionError("a retry policy has at least one attempt")

    def _build(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        form: Mapping[str, str] | None,
        headers: Mapping[str, str],
    ) -> urllib.request.Request:
        data: bytes | None = None
        sent = {"Accept": "application/json", "User-Agent": self._user_agent, **headers}
        if form is not None:
            data, sent["Content-Type"] = (
                urllib.parse.urlencode(form).encode(),
                "application/x-www-form-urlencoded",
            )
        elif body is not None:
            data, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
        # The address was checked by normalize_host: http(s) only, and http on loopback only.
        return urllib.request.Request(f"{self.host}{path}", data=data, headers=sent, method=method)  # noqa: S310

    def _once(self, request: urllib.request.Request) -> Answer:
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                return _read(response.status, response.headers, response)
        except urllib.error.HTTPError as error:
            with error:
                return _read(error.code, error.headers, error)


def _read(status: int, headers: Message, stream: Any) -> Answer:
    raw = stream.read(MAX_ANSWER_BYTES + 1)
    if len(raw) > MAX_ANSWER_BYTES:
        raise CatalogError(f"the workspace's answer is larger than {MAX_ANSWER_BYTES} bytes", status=status)
    try:
        parsed = json.loads(raw) if raw.strip() else {}
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        if status < http.HTTPStatus.BAD_REQUEST:
            raise CatalogError(
                f"the workspace answered {status} with something that is not a JSON object", status=status
            )
        parsed = {}
    return Answer(status, parsed, _seconds(headers.get("Retry-After")))


def _seconds(header: str | None) -> float | None:
    try:
        return float(header) if header is not None else None
    except ValueError:
        return None


def _plain(path: str) -> str:
    return path.split("?", 1)[0]


def error_of(answer: Answer, action: str) -> CatalogError:
    """Turn an error answer into an exception that says what was tried."""
    code = str(answer.body.get("error_code") or answer.body.get("error") or "")
    said = str(answer.body.get("message") or answer.body.get("error_description") or "")[:MAX_MESSAGE_CHARS]
    kind = NotFound if answer.status == http.HTTPStatus.NOT_FOUND else CatalogError
    detail = f": {said}" if said else ""
    return kind(
        f"{action} failed with HTTP {answer.status} {code}{detail}".strip(),
        status=answer.status,
        error_code=code,
    )
