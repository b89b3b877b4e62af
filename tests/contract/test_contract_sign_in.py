"""OAuth machine-to-machine: discovery, both ways to name the client, and everything that must not sign in."""

from __future__ import annotations

import base64
import time
import urllib.parse
import urllib.request
from typing import Any

import jwt
import pytest
from contract_report import Area, Client, contract
from contract_subject import Answer, Capability, Subject, send
from databricks.sdk.errors import DatabricksError
from databricks.sdk.service import iam

from unitydoor.secrets import ServicePrincipal

pytestmark = pytest.mark.integration

ME = "/api/2.0/preview/scim/v2/Me"
GRANT = {"grant_type": "client_credentials", "scope": "all-apis"}
BOTH = (Capability.SIGN_IN, Capability.PRINCIPALS)
EXPIRY_SECONDS = 20


def sign_in(subject: Subject, form: dict[str, str], basic: tuple[str, str] | None = None) -> Answer:
    """A token request as a client would send it, the client named in the form or by HTTP Basic."""
    request = urllib.request.Request(f"{subject.host}/oidc/v1/token", data=urllib.parse.urlencode(form).encode())
    if basic:
        request.add_header("Authorization", f"Basic {base64.b64encode(':'.join(basic).encode()).decode()}")
    return send(request)


def in_form(principal: ServicePrincipal, secret: str | None = None) -> dict[str, str]:
    """The form of a client that names itself in it."""
    return {**GRANT, "client_id": principal.client_id, "client_secret": secret or principal.client_secret}


def scim_id(subject: Subject, principal: ServicePrincipal) -> str:
    """The SCIM id of a principal."""
    (found,) = subject.client().service_principals.list(filter=f'applicationId eq "{principal.client_id}"')
    return str(found.id)


@contract(Area.SIGN_IN, Client.HTTP, Capability.SIGN_IN)
@pytest.mark.parametrize("document", ["oauth-authorization-server", "openid-configuration"])
def test_discovery_names_the_token_endpoint(subject: Subject, document: str) -> None:
    found = send(urllib.request.Request(f"{subject.host}/oidc/.well-known/{document}"))
    body = found.body or {}
    assert found.status == 200
    assert body["token_endpoint"] == f"{subject.host}/oidc/v1/token"
    assert "client_credentials" in body["grant_types_supported"]


@contract(Area.SIGN_IN, Client.HTTP, *BOTH)
def test_the_client_is_named_by_basic_or_in_the_form(subject: Subject) -> None:
    principal = subject.principal()
    by_header = sign_in(subject, GRANT, (principal.client_id, principal.client_secret))
    for answer in (by_header, sign_in(subject, in_form(principal))):
        body: dict[str, Any] = answer.body or {}
        assert (answer.status, body["token_type"]) == (200, "Bearer")
        assert 0 < body["expires_in"] <= 3600
        me = subject.ask("GET", ME, token=body["access_token"]).body or {}
        assert me["userName"] == principal.client_id


@contract(Area.SIGN_IN, Client.SDK, *BOTH)
def test_databricks_sdk_signs_in(subject: Subject) -> None:
    principal = subject.principal()
    assert subject.client(principal).current_user.me().user_name == principal.client_id


@contract(Area.SIGN_IN, Client.HTTP, *BOTH)
def test_a_wrong_secret_does_not_sign_in(subject: Subject) -> None:
    principal = subject.principal()
    for form in (in_form(principal, "dose00"), {**in_form(principal), "client_id": "nobody"}, GRANT):
        answer = sign_in(subject, form)
        assert (answer.status, (answer.body or {})["error"]) == (401, "invalid_client")
    basic = sign_in(subject, GRANT, (principal.client_id, "dose00"))
    assert (basic.status, (basic.body or {})["error"]) == (401, "invalid_client")


@contract(Area.SIGN_IN, Client.HTTP, Capability.SIGN_IN)
@pytest.mark.parametrize("kind", ["password", "authorization_code", ""])
def test_other_grant_types_are_not_supported(subject: Subject, kind: str) -> None:
    answer = sign_in(subject, {"grant_type": kind})
    assert answer.status == 400
    assert (answer.body or {})["error"] in {"unsupported_grant_type", "invalid_request", "unauthorized_client"}


@contract(Area.SIGN_IN, Client.SDK, *BOTH)
def test_databricks_sdk_is_told_of_a_wrong_secret_without_the_secret(subject: Subject) -> None:
    wrong = ServicePrincipal(subject.principal().client_id, "dosecanary0123456789", "contract")
    with pytest.raises((DatabricksError, ValueError)) as raised:
        subject.client(wrong).current_user.me()
    assert wrong.client_secret not in str(raised.value)


@contract(Area.SIGN_IN, Client.SDK, *BOTH)
def test_a_principal_that_is_switched_off_is_out_at_once(subject: Subject) -> None:
    principal, admin = subject.principal(), subject.client()
    found, token = scim_id(subject, principal), subject.bearer(principal)

    def switch(*, on: bool) -> None:
        change = iam.Patch(op=iam.PatchOp.REPLACE, value={"active": on})
        admin.service_principals.patch(
            found, operations=[change], schemas=[iam.PatchSchema.URN_IETF_PARAMS_SCIM_API_MESSAGES_2_0_PATCH_OP]
        )

    switch(on=False)
    assert subject.ask("GET", ME, token=token).status in {401, 403}
    assert sign_in(subject, in_form(principal)).status == 401
    switch(on=True)
    assert subject.client(principal).current_user.me().user_name == principal.client_id


@contract(Area.SIGN_IN, Client.SDK, *BOTH)
def test_a_secret_is_rotated_without_a_gap(subject: Subject) -> None:
    principal, secrets = subject.principal(), subject.client().service_principal_secrets_proxy
    found = scim_id(subject, principal)
    (old,) = secrets.list(found)
    new = secrets.create(found)
    for secret in (principal.client_secret, str(new.secret)):
        assert sign_in(subject, in_form(principal, secret)).status == 200
    secrets.delete(found, str(old.id))
    assert sign_in(subject, in_form(principal)).status == 401
    assert sign_in(subject, in_form(principal, str(new.secret))).status == 200
    assert [entry.id for entry in secrets.list(found)] == [new.id]


@contract(Area.SIGN_IN, Client.HTTP, *BOTH)
def test_tokens_that_the_server_did_not_sign_are_refused(subject: Subject) -> None:
    good = subject.bearer(subject.principal())
    claims = jwt.decode(good, options={"verify_signature": False})
    head, body, _ = good.split(".")
    forged = [
        jwt.encode(claims, "", algorithm="none"),
        jwt.encode(claims, "x" * 32, algorithm="HS256"),
        f"{head}.{body}.{'A' * 342}",
        f"{head}.{body}.",
        "not-a-token",
        "",
    ]
    for token in forged:
        answer = subject.ask("GET", ME, token=token)
        assert answer.status == 401, token
        assert answer.code == "UNAUTHENTICATED"


def _await_expiry(subject: Subject, token: str) -> Answer:
    deadline = time.monotonic() + EXPIRY_SECONDS
    while (answer := subject.ask("GET", ME, token=token)).status == 200:
        assert time.monotonic() < deadline, "the token did not expire"
        time.sleep(0.2)
    return answer


@contract(Area.SIGN_IN, Client.HTTP, *BOTH, Capability.SHORT_TOKENS)
def test_a_token_expires(short_lived: Subject) -> None:
    expired = _await_expiry(short_lived, short_lived.bearer())
    assert (expired.status, expired.code) == (401, "UNAUTHENTICATED")


@contract(Area.SIGN_IN, Client.SDK, *BOTH, Capability.SHORT_TOKENS)
def test_databricks_sdk_renews_its_token(short_lived: Subject) -> None:
    client = short_lived.client()
    tokens = set()
    for _ in range(3):
        token = client.config.oauth_token().access_token
        tokens.add(token)
        assert client.current_user.me().user_name == "metastore-admin"
        _await_expiry(short_lived, token)
    assert len(tokens) == 3
