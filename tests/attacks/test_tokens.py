"""Access tokens that are forged, borrowed or stale."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.attacks.conftest import TABLE, Ground
from tests.attacks.web import ask, bearer
from tests.short_lived import short_lived_workspace

pytestmark = pytest.mark.integration

TABLES = "/api/2.1/unity-catalog/tables"
CREDENTIALS = "/api/2.1/unity-catalog/temporary-table-credentials"
Forge = Callable[[dict[str, Any], dict[str, Any], rsa.RSAPrivateKey], str]


def part(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def confused(claims: dict[str, Any], header: dict[str, Any], key: rsa.RSAPrivateKey) -> str:
    """HMAC with the workspace's public key as its secret: a verifier that trusts `alg` would take it."""
    import hashlib
    import hmac

    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    text = f"{part({**header, 'alg': 'HS256'})}.{part(claims)}"
    signature = hmac.new(public, text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def stranger(claims: dict[str, Any], header: dict[str, Any], key: rsa.RSAPrivateKey) -> str:
    return jwt.encode(claims, rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS256", headers=header)


FORGERIES: dict[str, Forge] = {
    "algorithm none": lambda claims, header, key: f"{part({**header, 'alg': 'none'})}.{part(claims)}.",
    "algorithm None": lambda claims, header, key: f"{part({**header, 'alg': 'nOnE'})}.{part(claims)}.",
    "no signature": lambda claims, header, key: jwt.encode(claims, key, "RS256").rsplit(".", 1)[0] + ".",
    "another key": stranger,
    "HMAC with the public key": confused,
    "expired": lambda claims, header, key: jwt.encode({**claims, "exp": int(time.time()) - 1}, key, "RS256"),
    "without an end": lambda claims, header, key: jwt.encode(
        {name: value for name, value in claims.items() if name != "exp"}, key, "RS256"
    ),
    "another audience": lambda claims, header, key: jwt.encode({**claims, "aud": "elsewhere"}, key, "RS256"),
    "another issuer": lambda claims, header, key: jwt.encode({**claims, "iss": "http://evil/oidc"}, key, "RS256"),
    "an unknown principal": lambda claims, header, key: jwt.encode({**claims, "sub": "nobody"}, key, "RS256"),
    "SQL for a principal": lambda claims, header, key: jwt.encode({**claims, "sub": "' OR 1=1 --"}, key, "RS256"),
    "another principal's claims": lambda claims, header, key: ".".join(
        [
            jwt.encode(claims, key, "RS256").split(".")[0],
            part({**claims, "sub": "root"}),
            jwt.encode(claims, key, "RS256").split(".")[2],
        ]
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_token_is_refused(ground: Ground, forgery: str) -> None:
    true = ground.token(ground.loader)
    claims = jwt.decode(true, options={"verify_signature": False})
    pem = (ground.cloud.state / "databricks" / "signing-key.pem").read_bytes()
    key = serialization.load_pem_private_key(pem, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    forged = FORGERIES[forgery](claims, jwt.get_unverified_header(true), key)
    assert ask(ground.host, "GET", f"{TABLES}/{TABLE}", headers=bearer(true))[0] == 200
    status, body = ask(ground.host, "GET", f"{TABLES}/{TABLE}", headers=bearer(forged))
    assert (status, json.loads(body)["error_code"]) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer x", "Basic YTpi", "bearer  ..", "Bearer " + "a" * 9000]
)
def test_what_is_no_token_is_refused(ground: Ground, header: str) -> None:
    status, _ = ask(ground.host, "GET", f"{TABLES}/{TABLE}", headers={"Authorization": header})
    assert status in {400, 401, 431}


def test_a_token_of_another_principal_gives_that_principals_rights_only(ground: Ground) -> None:
    table_id = ground.door(ground.loader).table(TABLE).table_id
    borrowed = bearer(ground.token(ground.reader))
    asked = {"table_id": table_id, "operation": "READ_WRITE", "principal": ground.loader.client_id}
    status, body = ask(ground.host, "POST", CREDENTIALS, body=asked, headers=borrowed)
    assert (status, json.loads(body)["error_code"]) == (403, "PERMISSION_DENIED")


def test_a_token_of_another_workspace_is_refused(ground: Ground, tmp_path: Path) -> None:
    with short_lived_workspace(ground.cloud, tmp_path, 900) as elsewhere:
        foreign = elsewhere.credentials().token()
    status, _ = ask(ground.host, "GET", f"{TABLES}/{TABLE}", headers=bearer(foreign))
    assert status == 401


def test_a_removed_principals_token_is_refused(ground: Ground) -> None:
    leaving = ground.principal()
    token = ground.token(leaving)
    assert ask(ground.host, "GET", TABLES + "?catalog_name=govtune&schema_name=raw", headers=bearer(token))[0] != 401
    (found,) = ground.admin.service_principals.list(filter=f'applicationId eq "{leaving.client_id}"')
    ground.admin.service_principals.delete(str(found.id))
    assert ask(ground.host, "GET", f"{TABLES}/{TABLE}", headers=bearer(token))[0] == 401
