"""Requests as an attacker writes them: the path goes to the wire as it stands, and any token or header is tried."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from unitydoor.vending import Grant


def ask(
    address: str,
    method: str,
    path: str,
    *,
    body: bytes | Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, bytes]:
    """One request; status and body of the answer."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    data = json.dumps(body).encode() if isinstance(body, Mapping) else body
    try:
        connection.request(method, path, body=data, headers=dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"}


def ask_s3(address: str, grant: Grant, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    """A signed request of S3 for exactly this path, which no client library tidies up."""
    host = urlsplit(address).netloc
    request = AWSRequest(method=method, url=f"{address}{path}", data=body, headers={"Host": host})
    keys = Credentials(grant.access_key_id, grant.secret_access_key, grant.session_token)
    S3SigV4Auth(keys, "s3", "us-east-1").add_auth(request)
    return ask(address, method, path, body=body, headers=dict(request.headers.items()))
