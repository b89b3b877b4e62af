"""The pages and XML answers with which EDGAR refuses a request, in wording of our own.

Clients recognise these answers by status, content type, title and XML code, so those four are kept as the
SEC's hosts send them: https://www.sec.gov/about/developer-resources (fair access) and Amazon S3's error
format, which www.sec.gov and data.sec.gov show for objects that do not exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from typing import Final


@dataclass(frozen=True)
class Refusal:
    """A complete refusal: status, media type and body text."""

    status: HTTPStatus
    content_type: str
    body: str


_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>SEC.gov | {title}</title>
</head>
<body>
<h1>{heading}</h1>
{paragraphs}
</body>
</html>
"""
_HTML: Final = "text/html; charset=utf-8"
_XML: Final = "application/xml"


def _page(status: HTTPStatus, title: str, heading: str, paragraphs: tuple[str, ...]) -> Refusal:
    body = "\n".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs)
    return Refusal(status, _HTML, _PAGE.format(title=title, heading=heading, paragraphs=body))


def undeclared_tool() -> Refusal:
    """The page for a client whose User-Agent names nobody who can be reached."""
    title = "Your Request Originates from an Undeclared Automated Tool"
    return _page(
        HTTPStatus.FORBIDDEN,
        title,
        title,
        (
            "This replica, like the service it stands for, answers automated clients only when they say who runs them.",
            "Send a User-Agent header with a name and a contact e-mail address, "
            "for example: Example Research data-desk@example.com",
        ),
    )


def rate_exceeded(max_per_second: int, block_seconds: float) -> Refusal:
    """The page for a client that asked faster than allowed, and for each request while it is blocked."""
    return _page(
        HTTPStatus.FORBIDDEN,
        "Request Rate Threshold Exceeded",
        "Request Rate Threshold Exceeded",
        (
            f"More than {max_per_second} requests arrived from your address within one second.",
            f"Requests from it are refused for {block_seconds:g} seconds from the last one that was refused; "
            "asking again in the meantime starts that time anew.",
        ),
    )


def access_denied() -> Refusal:
    """What www.sec.gov answers for an archive object that does not exist."""
    return _xml_error(HTTPStatus.FORBIDDEN, "AccessDenied", "Access Denied")


def no_such_key(key: str) -> Refusal:
    """What data.sec.gov answers for a submissions file that does not exist."""
    return _xml_error(HTTPStatus.NOT_FOUND, "NoSuchKey", "The specified key does not exist.", key)


def _xml_error(status: HTTPStatus, code: str, message: str, key: str | None = None) -> Refusal:
    key_element = "" if key is None else f"<Key>{escape(key)}</Key>"
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{message}</Message>{key_element}</Error>"
    )
    return Refusal(status, _XML, body)
