"""Tokens and secrets: RS256 access tokens signed by a key of this workspace, client secrets kept as salted hashes."""

import hashlib
import hmac
import os
import secrets
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from localcloud.databricks.errors import unauthenticated
from localcloud.databricks.store import Database, new_id, now_ms

AUDIENCE = "local-workspace"
KEY_BITS = 2048
SECRET_BYTES = 32
SECRET_LIFETIME_MS = 730 * 24 * 3600 * 1000
_SCRYPT = {"n": 2**12, "r": 8, "p": 1}


def load_key(path: Path) -> rsa.RSAPrivateKey:
    """The signing key in `path` (PEM, mode 0600), made on the first start."""
    if not path.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        part = path.with_suffix(".part")
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
        part.replace(path)
    loaded = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(loaded, rsa.RSAPrivateKey):
        raise ValueError(f"{path} holds no RSA key; remove it to have a new one made")
    return loaded


@dataclass(frozen=True)
class Tokens:
    """Issues and verifies access tokens. `seconds` is how long one is valid."""

    key: rsa.RSAPrivateKey
    issuer: str
    seconds: int

    @property
    def key_id(self) -> str:
        """Name of the key, made from its public part."""
        public = self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return hashlib.sha256(public).hexdigest()[:16]

    def jwks(self) -> dict[str, Any]:
        """The public key as a JSON Web Key Set."""
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": self.key_id, "use": "sig", "alg": "RS256"}]}

    def issue(self, application_id: str, scope: str) -> str:
        """A token for a service principal."""
        at = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": application_id,
            "client_id": application_id,
            "scope": scope,
            "iat": at,
            "exp": at + self.seconds,
            "jti": uuid.uuid4().hex,
        }
        return jwt.encode(claims, self.key, "RS256", headers={"kid": self.key_id})

    def verify(self, token: str) -> str:
        """The application id that a token stands for.

        Raises:
            ApiError: 401 when it is not ours, is altered or has expired.
        """
        try:
            claims = jwt.decode(
                token,
                self.key.public_key(),
                algorithms=["RS256"],
                audience=AUDIENCE,
                issuer=self.issuer,
                options={"require": ["exp", "sub", "iss", "aud"]},
            )
        except jwt.ExpiredSignatureError:
            raise unauthenticated("The access token has expired.") from None
        except jwt.InvalidTokenError:
            raise unauthenticated("The access token is not valid.") from None
        return str(claims["sub"])


def _hash(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, **_SCRYPT)


def new_secret() -> str:
    """A client secret, shaped like the workspace's own."""
    return f"dose{secrets.token_hex(SECRET_BYTES)}"


def add_secret(db: Database, principal_id: str, secret: str) -> str:
    """Keep a salted hash of `secret`; gives the secret's id."""
    secret_id, salt, at = new_id(), secrets.token_bytes(16), now_ms()
    values = (secret_id, principal_id, salt, _hash(secret, salt), at, at + SECRET_LIFETIME_MS)
    db.execute("INSERT INTO secrets VALUES (?,?,?,?,?,?)", values)
    return secret_id


def check_secret(db: Database, application_id: str, secret: str) -> bool:
    """Whether an active principal of that id has that secret. Takes as long when there is no such principal."""
    sql = """SELECT salt, hash FROM secrets JOIN principals ON principals.id = principal_id
             WHERE application_id = ? AND active = 1 AND expires_at > ?"""
    kept = db.rows(sql, (application_id, now_ms()))
    if not kept:
        _hash(secret, bytes(16))
        return False
    return any(hmac.compare_digest(entry["hash"], _hash(secret, entry["salt"])) for entry in kept)


def is_active(db: Database, application_id: str) -> bool:
    """Whether the principal still exists and may sign in."""
    sql = "SELECT 1 FROM principals WHERE application_id = ? AND active = 1"
    return db.row(sql, (application_id,)) is not None
