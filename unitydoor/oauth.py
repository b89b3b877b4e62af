"""OAuth machine-to-machine sign-in of a service principal at a Databricks workspace.

Flow as documented under "Authorize service principal access to Databricks with OAuth": client credentials with
the scope `all-apis` at the token endpoint that the workspace names in its discovery document. Tokens live in
memory only.
"""

import base64
import http
import threading
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field

from unitydoor.secrets import ServicePrincipal
from unitydoor.transport import CatalogError, Transport

SCOPE = "all-apis"
RENEW_BEFORE_SECONDS = 120.0
RENEW_BEFORE_SHARE = 0.2
SHORTEST_TOKEN_SECONDS = 1


class SignInFailed(CatalogError):
    """The workspace did not accept the service principal."""


@dataclass(frozen=True)
class _Token:
    value: str = field(repr=False)
    renew_at: float


class ClientCredentials:
    """Access tokens of one service principal, cached and renewed before they expire. Thread-safe."""

    def __init__(
        self,
        host: str,
        principal: ServicePrincipal,
        *,
        transport: Transport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.principal = principal
        self._transport = transport or Transport(host)
        self._clock = clock
        self._lock = threading.Lock()
        self._endpoint: str | None = None
        self._token: _Token | None = None

    def token(self) -> str:
        """A bearer token that is valid for a while.

        Raises:
            SignInFailed: the client id or secret is not accepted.
            CatalogError: the workspace cannot be reached or answers something else.
        """
        with self._lock:
            if self._token is None or self._clock() >= self._token.renew_at:
                self._token = self._sign_in()
            return self._token.value

    def fresh(self) -> str:
        """A token that was signed in for just now, for work that cannot be given another. Raises as `token` does."""
        with self._lock:
            self._token = self._sign_in()
            return self._token.value

    def discard(self, token: str) -> None:
        """Forget `token`, which the workspace no longer accepts; the next `token()` signs in anew."""
        with self._lock:
            if self._token is not None and self._token.value == token:
                self._token = None

    def _sign_in(self) -> _Token:
        asked_at = self._clock()
        pair = ":".join(
            urllib.parse.quote(x, safe="") for x in (self.principal.client_id, self.principal.client_secret)
        )
        answer = self._transport.request(
            "POST",
            self._token_path(),
            form={"grant_type": "client_credentials", "scope": SCOPE},
            headers={"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"},
        )
        if answer.status != http.HTTPStatus.OK:
            code = str(answer.body.get("error") or answer.body.get("error_code") or "")
            raise SignInFailed(
                f"{self._transport.host} did not sign in {self.principal}: HTTP {answer.status} {code}; "
                "check that the service principal exists in the workspace and that its secret is current",
                status=answer.status,
                error_code=code,
            )
        value, seconds = answer.body.get("access_token"), answer.body.get("expires_in")
        if not isinstance(value, str) or not value or not isinstance(seconds, int | float):
            raise CatalogError(f"the token endpoint of {self._transport.host} answered without a token")
        lifetime = max(float(seconds), SHORTEST_TOKEN_SECONDS)
        margin = min(RENEW_BEFORE_SECONDS, lifetime * RENEW_BEFORE_SHARE)
        return _Token(value, asked_at + lifetime - margin)

    def _token_path(self) -> str:
        """Path of the token endpoint, by discovery; one on another host is refused: it would get the secret."""
        if self._endpoint is None:
            known = self._transport.request("GET", "/.well-known/databricks-config")
            oidc = self._own_path(known.body.get("oidc_endpoint")) if known.status == http.HTTPStatus.OK else "/oidc"
            found = self._transport.request("GET", f"{oidc.rstrip('/')}/.well-known/oauth-authorization-server")
            if found.status != http.HTTPStatus.OK:
                raise CatalogError(
                    f"{self._transport.host} has no OAuth discovery document (HTTP {found.status}); is it a workspace?",
                    status=found.status,
                )
            self._endpoint = self._own_path(found.body.get("token_endpoint"))
        return self._endpoint

    def _own_path(self, address: object) -> str:
        if not isinstance(address, str) or not address.startswith(f"{self._transport.host}/"):
            raise CatalogError(f"{self._transport.host} names a sign-in address that is not its own; refused")
        return address[len(self._transport.host) :]
