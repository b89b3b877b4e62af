"""Signature Version 4: read a request's signature and check it against the secret of the key that it names.

Source: "Create a signed AWS API request" (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html)
and "Authenticating requests: using query parameters" of the S3 API. The chunk signatures inside a streaming body are
not checked; its seed signature is.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, unquote_plus

from localcloud.aws.wire import RefusedError

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
CLOCK_SKEW = dt.timedelta(minutes=15)
LONGEST_PRESIGNED_SECONDS = 7 * 24 * 3600
_SCOPE_PARTS = 5
_SAFE = "-_.~"
_FIELD = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")


@dataclass(frozen=True)
class Signature:
    """What a signed request says about itself. `expires_seconds` is set for a presigned URL."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    token: str | None
    expires_seconds: int | None = None

    @property
    def scope(self) -> str:
        """The credential scope without the key."""
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


def read_signature(request: Any) -> Signature | None:
    """The signature that `request` carries in its header or query, or None if it carries none.

    Raises RefusedError when there is one that cannot be read.
    """
    header = request.headers.get("Authorization", "")
    if header:
        fields = dict(_FIELD.findall(header))
        if not header.startswith(ALGORITHM) or len(fields) != 3:  # noqa: PLR2004
            raise RefusedError("IncompleteSignature", "Authorization header is no Signature Version 4.", 400)
        timestamp = request.headers.get("X-Amz-Date", "")
        token = request.headers.get("X-Amz-Security-Token")
        return _signature(fields, timestamp, token, None)
    query = request.args
    if query.get("X-Amz-Algorithm") != ALGORITHM:
        return None
    fields = {name: query.get(f"X-Amz-{name}", "") for name in ("Credential", "SignedHeaders", "Signature")}
    expires = query.get("X-Amz-Expires", "")
    if not expires.isdigit() or int(expires) > LONGEST_PRESIGNED_SECONDS:
        raise RefusedError("AuthorizationQueryParametersError", "X-Amz-Expires must be at most 604800.", 400)
    return _signature(fields, query.get("X-Amz-Date", ""), query.get("X-Amz-Security-Token"), int(expires))


def _signature(fields: Mapping[str, str], timestamp: str, token: str | None, expires_seconds: int | None) -> Signature:
    scope = fields["Credential"].split("/")
    if len(scope) != _SCOPE_PARTS or scope[4] != "aws4_request" or not re.fullmatch(r"\d{8}T\d{6}Z", timestamp):
        raise RefusedError("IncompleteSignature", "Credential scope or date of the signature is malformed.", 400)
    key, date, region, service, _ = scope
    return Signature(
        access_key_id=key,
        date=date,
        region=region,
        service=service.lower(),
        signed_headers=tuple(fields["SignedHeaders"].lower().split(";")),
        signature=fields["Signature"],
        timestamp=timestamp,
        token=token,
        expires_seconds=expires_seconds,
    )


def check_signature(signature: Signature, secret: str, request: Any, body: bytes, now: dt.datetime) -> None:
    """Refuse `request` unless `secret` made its signature, within its time, over this very body.

    Raises RefusedError with the code that AWS gives.
    """
    _check_time(signature, now)
    payload = _payload_hash(signature, request, body)
    canonical = _canonical_request(signature, request, payload)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = "\n".join((ALGORITHM, signature.timestamp, signature.scope, digest))
    key = ("AWS4" + secret).encode()
    for part in signature.scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    expected = hmac.new(key, to_sign.encode(), "sha256").hexdigest()
    if not hmac.compare_digest(expected, signature.signature):
        raise RefusedError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method.",
            403,
        )


def _check_time(signature: Signature, now: dt.datetime) -> None:
    signed_at = dt.datetime.strptime(signature.timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    if signature.expires_seconds is not None:
        if now > signed_at + dt.timedelta(seconds=signature.expires_seconds):
            raise RefusedError("AccessDenied", "Request has expired", 403)
        return
    if abs(now - signed_at) > CLOCK_SKEW:
        raise RefusedError(
            "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", 403
        )


def _payload_hash(signature: Signature, request: Any, body: bytes) -> str:
    if signature.service != "s3":
        return hashlib.sha256(body).hexdigest()
    if signature.expires_seconds is not None:
        return UNSIGNED
    declared = str(request.headers.get("X-Amz-Content-Sha256", ""))
    if re.fullmatch(r"[0-9a-f]{64}", declared) and hashlib.sha256(body).hexdigest() != declared:
        raise RefusedError(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
            400,
        )
    return declared


def _canonical_request(signature: Signature, request: Any, payload: str) -> str:
    headers = {name.lower(): value for name, value in request.headers}
    lines = [f"{name}:{' '.join(headers.get(name, '').split())}" for name in signature.signed_headers]
    return "\n".join(
        (
            request.method,
            _canonical_path(request.raw_path, signature.service),
            _canonical_query(request.query_string.decode("latin-1")),
            *lines,
            "",
            ";".join(signature.signed_headers),
            payload,
        )
    )


def _canonical_path(raw_path: str, service: str) -> str:
    if service == "s3":  # S3 keys are taken as they are, encoded once
        return quote(unquote(raw_path), safe="/" + _SAFE)
    normal = posixpath.normpath(raw_path)
    normal = "/" + normal.lstrip("/") if normal != "." else "/"
    if raw_path.endswith("/") and not normal.endswith("/"):
        normal += "/"
    return quote(normal, safe="/" + _SAFE)


def _canonical_query(query: str) -> str:
    pairs = []
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        if name != "X-Amz-Signature":
            # a plus is a blank here: delta-rs sends it so and signs %20
            pairs.append((quote(unquote_plus(name), safe=_SAFE), quote(unquote_plus(value), safe=_SAFE)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))
