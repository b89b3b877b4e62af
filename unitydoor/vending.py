"""Short-lived storage credentials as the catalog vends them.

Belongs here: the credential's shape, its renewal, and how delta-rs and boto3 take it. Asking for one belongs to
`catalog`.
"""

import os
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from unitydoor.transport import LOOPBACK_HOSTS, CatalogError

RENEW_WITH_PART_LEFT = 5
FRESH_PART = 10


@dataclass(frozen=True)
class Grant:
    """A credential for one table or path: who may do what, where and until when. Its repr has no secret."""

    principal: str
    securable: str
    operation: str
    url: str
    granted_at: datetime
    expires_at: datetime
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)

    def storage_options(self, region: str | None = None) -> dict[str, str]:
        """Options for delta-rs. `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL` of the environment is honoured.

        Raises:
            ValueError: the endpoint is plain http and not a loopback address.
        """
        options = {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_SESSION_TOKEN": self.session_token,
            "AWS_REGION": region or _region(os.environ),
        }
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        if endpoint:
            options["AWS_ENDPOINT_URL"] = endpoint
            parts = urllib.parse.urlsplit(endpoint)
            if parts.scheme == "http":
                if parts.hostname not in LOOPBACK_HOSTS:
                    raise ValueError(
                        f"S3 endpoint {parts.hostname} is plain http; use https (http is for loopback only)"
                    )
                options["AWS_ALLOW_HTTP"] = "true"
        return options

    def session(self, region: str | None = None) -> Any:
        """A `boto3.Session` with this credential and no other."""
        import boto3

        return boto3.Session(
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            aws_session_token=self.session_token,
            region_name=region or _region(os.environ),
        )

    def record(self) -> dict[str, str]:
        """What may be kept: no secret. Times are ISO 8601 in UTC."""
        return {
            "principal": self.principal,
            "securable": self.securable,
            "operation": self.operation,
            "credential_id": self.access_key_id,
            "granted_at": self.granted_at.isoformat(timespec="seconds"),
            "expires_at": self.expires_at.isoformat(timespec="seconds"),
        }


class Lease:
    """A grant for as long as work takes: vended anew before it ends, by the same question and the same principal.

    Each question is decided afresh, so that a right that was revoked ends the work at the next renewal.
    """

    def __init__(self, vend: Callable[[], Grant], *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._vend = vend
        self._clock = clock
        self._grants: list[Grant] = []

    def grant(self) -> Grant:
        """A credential that lives for a while. Ask again before each piece of work, such as a file.

        Raises:
            Refused: the catalog does not let the principal, or no longer.
        """
        if not self._grants or self._clock() >= renewal_time(self._grants[-1]):
            self._grants.append(self._vend())
        return self._grants[-1]

    def records(self) -> list[dict[str, str]]:
        """What was vended so far, in order, without secrets."""
        return [grant.record() for grant in self._grants]


def renewal_time(grant: Grant) -> datetime:
    """When no new piece of work is begun with the credential any more: a fifth of its life, 12 minutes of an hour, is
    left to end what was begun."""
    return grant.expires_at - (grant.expires_at - grant.granted_at) / RENEW_WITH_PART_LEFT


def fresh_until(grant: Grant) -> datetime:
    """Until when work is begun with the credential that cannot be given another before it ends, such as an action of
    Spark: for a tenth of its life, so that such work has 54 minutes of an hour at least."""
    return grant.granted_at + (grant.expires_at - grant.granted_at) / FRESH_PART


def _region(environment: Mapping[str, str]) -> str:
    return environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1"


def parse_grant(body: Mapping[str, Any], *, principal: str, securable: str, operation: str) -> Grant:
    """Read the answer of a `temporary-*-credentials` request.

    Raises:
        CatalogError: the answer holds no AWS credential, no expiry, or no URL.
    """
    keys = body.get("aws_temp_credentials")
    if not isinstance(keys, Mapping):
        raise CatalogError(f"the catalog vended no AWS credential for {securable}; is it stored on S3?")
    fields = [keys.get(name) for name in ("access_key_id", "secret_access_key", "session_token")]
    url, expires = body.get("url"), str(body.get("expiration_time"))
    # JSON made from protocol buffers may spell 64-bit numbers as strings.
    if not all(isinstance(value, str) and value for value in [*fields, url]) or not expires.isdigit():
        raise CatalogError(f"the catalog's credential for {securable} is not complete")
    return Grant(
        principal=principal,
        securable=securable,
        operation=operation,
        url=str(url),
        granted_at=datetime.now(UTC),
        expires_at=datetime.fromtimestamp(int(expires) / 1000, UTC),
        access_key_id=str(fields[0]),
        secret_access_key=str(fields[1]),
        session_token=str(fields[2]),
    )
