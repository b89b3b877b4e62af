"""Requests and routes, without any catalog in them.

A handler takes a `Call` and the path's parameters and gives the JSON object to answer with. Its name, in camel case,
is the action in the audit log.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from localcloud.databricks.access import Access
from localcloud.databricks.errors import invalid
from localcloud.databricks.store import Database

if TYPE_CHECKING:
    from localcloud.databricks.workspace import Workspace

MAX_TEXT = 65_536
MAX_PAGE = 1000
_DIGEST_BYTES = 12
Json = dict[str, Any]


@dataclass
class Notes:
    """What the audit log keeps of a call besides its outcome; filled in by the handler."""

    securable: str = ""
    operation: str = ""
    credential_id: str = ""


@dataclass(frozen=True)
class Call:
    """One authenticated request."""

    workspace: "Workspace"
    principal: str
    method: str
    path: str
    query: Mapping[str, str]
    body: Json
    user_agent: str
    notes: Notes = field(default_factory=Notes)
    database: Database | None = None

    @property
    def db(self) -> Database:
        """The request's transaction."""
        if self.database is None:
            raise RuntimeError("this handler opens its own transactions")
        return self.database

    @property
    def access(self) -> Access:
        """The caller's view of the store."""
        return Access(self.db, self.principal)

    def text(self, key: str, default: str | None = None) -> str:
        """A string of the body (of the query for GET and DELETE, which have none).

        Raises:
            ApiError: 400 when it is absent, empty (without a default) or not a string.
        """
        value = self.body.get(key, self.query.get(key))
        if value is None or (value == "" and default is not None):
            if default is None:
                raise invalid(f"{key} is required")
            return default
        if not isinstance(value, str) or len(value) > MAX_TEXT or "\x00" in value:
            raise invalid(f"{key} must be a string of at most {MAX_TEXT} characters")
        if not value:
            raise invalid(f"{key} must not be empty")
        return value

    def boolean(self, key: str, default: bool = False) -> bool:
        """A truth value of the body or query."""
        value = self.body.get(key, self.query.get(key, default))
        if isinstance(value, str) and value.lower() in {"true", "false"}:
            return value.lower() == "true"
        if not isinstance(value, bool):
            raise invalid(f"{key} must be true or false")
        return value

    def integer(self, key: str, default: int | None = None) -> int:
        """A whole number of the body or query, also where a client writes it as a string."""
        value = self.body.get(key, self.query.get(key, default))
        if isinstance(value, str) and re.fullmatch(r"-?\d{1,15}", value):
            return int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise invalid(f"{key} must be a whole number")
        return value

    def strings(self, key: str) -> dict[str, str]:
        """A map of strings in the body."""
        value = self.body.get(key) or {}
        if not isinstance(value, dict) or not all(isinstance(entry, str) for entry in value.values()):
            raise invalid(f"{key} must be a map of strings")
        return dict(value)

    def objects(self, key: str) -> list[Json]:
        """A list of objects in the body."""
        value = self.body.get(key) or []
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            raise invalid(f"{key} must be a list of objects")
        return value

    def page(self, key: str, entries: list[tuple[str, Json]]) -> Json:
        """One page of `entries` (sorted, by a unique name). Its size is `max_results`, or `page_size` in newer
        interfaces; 0 leaves it to the server.

        Raises:
            ApiError: 400 for a negative size, or a `page_token` that this listing did not give.
        """
        limit = self.integer("max_results", self.integer("page_size", 0))
        if limit < 0:
            raise invalid("the size of a page must not be negative")
        listing = f"{self.path} {key}"
        after = _after(listing, self.query.get("page_token", ""))
        rest = [entry for entry in entries if entry[0] > after]
        size = min(limit or MAX_PAGE, MAX_PAGE)
        answer: Json = {key: [body for _, body in rest[:size]]}
        if len(rest) > size:
            answer["next_page_token"] = _page_token(listing, rest[size - 1][0])
        return answer


def _page_token(listing: str, last: str) -> str:
    """An opaque token: the last name shown, behind a digest that binds it to its listing."""
    return base64.urlsafe_b64encode(_digest(listing, last) + last.encode()).decode().rstrip("=")


def _after(listing: str, token: str) -> str:
    if not token:
        return ""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        digest, last = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:].decode()
    except ValueError:
        raise invalid("page_token is not one that this listing gave") from None
    if digest != _digest(listing, last):
        raise invalid("page_token is not one that this listing gave")
    return last


def _digest(listing: str, last: str) -> bytes:
    return hashlib.sha256(f"{listing}\0{last}".encode()).digest()[:_DIGEST_BYTES]


Handler = Callable[..., Json]


@dataclass(frozen=True)
class Route:
    """A method and path, and who answers it. `own_transactions` are for handlers that call out meanwhile."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler
    own_transactions: bool

    @property
    def action(self) -> str:
        """The handler's name in camel case, as audit logs spell actions."""
        first, *rest = self.handler.__name__.split("_")
        return first + "".join(part.capitalize() for part in rest)


@dataclass
class Routes:
    """A table of routes that a module fills by decorating its handlers."""

    entries: list[Route] = field(default_factory=list)

    def on(self, method: str, *paths: str, own_transactions: bool = False) -> Callable[[Handler], Handler]:
        """Answer `method` on each of `paths`; `{name}` in a path is one segment, given to the handler by that name."""

        def register(handler: Handler) -> Handler:
            for path in paths:
                expression = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path))
                self.entries.append(Route(method, re.compile(expression), handler, own_transactions))
            return handler

        return register


def parse_body(raw: bytes) -> Json:
    """The JSON object of a request; none is an empty one.

    Raises:
        ApiError: 400 for anything else.
    """
    if not raw.strip():
        return {}
    try:
        body = json.loads(raw)
        # What cannot be written again (lone surrogates, infinite numbers) cannot be kept or answered either.
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise invalid("the request body is not JSON in UTF-8") from None
    if not isinstance(body, dict):
        raise invalid("the request body must be a JSON object")
    return body
