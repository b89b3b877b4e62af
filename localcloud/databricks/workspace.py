"""The workspace as one object: settings, store, tokens and vendor, and what the first start makes."""

import json
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.databricks import oauth
from localcloud.databricks.delivery import Delivery, s3_client
from localcloud.databricks.privileges import Kind
from localcloud.databricks.store import Database, Store, new_id, now_ms
from localcloud.databricks.vending import Vendor

METASTORE_NAME = "local"
WORKSPACE_ID = "1"


@dataclass(frozen=True)
class Settings:
    """How the server was started."""

    host: str
    state: Path
    admin_credentials: Path
    aws_credentials: Path
    aws_endpoint: str
    region: str
    token_seconds: int
    credential_seconds: int


@dataclass(frozen=True)
class Workspace:
    """What handlers work on."""

    settings: Settings
    store: Store
    tokens: oauth.Tokens
    vendor: Vendor


class BadCredentialsFile(Exception):
    """A credentials file is absent or has another shape."""


def read_pair(path: Path, *keys: str) -> tuple[str, ...]:
    """Strings of a JSON file that only its owner can read.

    Raises:
        BadCredentialsFile: names the file and what it must hold, never its content.
    """
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise BadCredentialsFile(f"{path} can be read by others: run chmod 600 on it")
        content: Any = json.loads(path.read_bytes())
        values = [content[key] for key in keys]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadCredentialsFile(f"{path}: {type(error).__name__}; it must be JSON with {', '.join(keys)}") from None
    if not all(isinstance(value, str) and value for value in values):
        raise BadCredentialsFile(f"{path}: {', '.join(keys)} must be strings that are not empty")
    return tuple(values)


def open_workspace(settings: Settings) -> Workspace:
    """Open the state folder; make metastore and administrator where there are none."""
    settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    admin_id, admin_secret = read_pair(settings.admin_credentials, "client_id", "client_secret")
    access_key_id, secret_access_key = read_pair(settings.aws_credentials, "access_key_id", "secret_access_key")
    store = Store(settings.state / "databricks.sqlite")
    with store.transaction() as db:
        _ensure_admin(db, admin_id, admin_secret)
        _ensure_metastore(db, admin_id, settings.region)
    vendor = Vendor(
        endpoint=settings.aws_endpoint,
        access_key_id=access_key_id,
        secret_access_key=secret_access_key,
        region=settings.region,
        seconds=settings.credential_seconds,
    )
    key = oauth.load_key(settings.state / "signing-key.pem")
    tokens = oauth.Tokens(key, f"{settings.host}/oidc", settings.token_seconds)
    return Workspace(settings, store, tokens, vendor)


def open_delivery(workspace: Workspace, target: str) -> Delivery:
    """Delivery of the workspace's audit log to the S3 folder `target`, as the catalog's own AWS user."""
    settings = workspace.settings
    key = read_pair(settings.aws_credentials, "access_key_id", "secret_access_key")
    client = s3_client(settings.aws_endpoint, settings.region, *key)
    return Delivery(workspace.store, target, WORKSPACE_ID, settings.state / "audit-delivered", client)


def _ensure_admin(db: Database, client_id: str, client_secret: str) -> None:
    found = db.row("SELECT id FROM principals WHERE application_id = ?", (client_id,))
    principal_id = found["id"] if found else new_id()
    if found is None:
        values = (principal_id, client_id, "metastore admin", 1, now_ms())
        db.execute("INSERT INTO principals VALUES (?,?,?,?,?)", values)
    if not oauth.check_secret(db, client_id, client_secret):
        db.execute("DELETE FROM secrets WHERE principal_id = ?", (principal_id,))
        oauth.add_secret(db, principal_id, client_secret)


def _ensure_metastore(db: Database, admin_id: str, region: str) -> None:
    found = db.securables(Kind.METASTORE)
    if not found:
        details = {"region": region, "external_access_enabled": True}
        db.add_securable(Kind.METASTORE, METASTORE_NAME, None, admin_id, details)
    elif found[0].owner != admin_id:
        db.update_securable(found[0], admin_id, owner=admin_id)
