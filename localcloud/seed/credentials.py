"""The secrets of one local cloud, each in a file of its own that only the owner may read."""

from __future__ import annotations

import json
import secrets
import string
import uuid
from dataclasses import dataclass
from pathlib import Path

from localcloud.supervisor.private import write_private

ACCESS_KEY_LETTERS = string.ascii_uppercase + "234567"


@dataclass(frozen=True)
class CredentialFiles:
    """Which secret lies where."""

    folder: Path

    @property
    def root(self) -> Path:
        """Access key of the local AWS account's root."""
        return self.folder / "aws-root.json"

    @property
    def admin(self) -> Path:
        """Client id and secret of the metastore admin."""
        return self.folder / "databricks-admin.json"

    @property
    def unity_catalog(self) -> Path:
        """Access key of the IAM user that may assume the storage credential's role."""
        return self.folder / "unity-catalog.json"

    @property
    def aws_profile(self) -> Path:
        """AWS shared credentials file with the orchestrator's access key."""
        return self.folder / "aws-credentials"

    @property
    def tracking_profile(self) -> Path:
        """AWS shared credentials file with the access key of MLflow's server."""
        return self.folder / "mlflow-credentials"

    @property
    def aws_config(self) -> Path:
        """AWS shared configuration file."""
        return self.folder / "aws-config"

    def ensure_roots(self) -> None:
        """Makes the two secrets from which all others follow, once."""
        if not self.root.exists():
            key = "AKIA" + "".join(secrets.choice(ACCESS_KEY_LETTERS) for _ in range(16))
            _write_json(self.root, {"access_key_id": key, "secret_access_key": secrets.token_urlsafe(30)})
        if not self.admin.exists():
            _write_json(self.admin, {"client_id": str(uuid.uuid4()), "client_secret": secrets.token_urlsafe(30)})


@dataclass(frozen=True)
class AccessKey:
    """An AWS access key; not shown in repr."""

    access_key_id: str
    secret_access_key: str

    def __repr__(self) -> str:
        return f"AccessKey({self.access_key_id})"

    @classmethod
    def read(cls, path: Path) -> AccessKey | None:
        """The key in a JSON file, or None where there is no such file."""
        try:
            raw = json.loads(path.read_text())
        except FileNotFoundError:
            return None
        return cls(raw["access_key_id"], raw["secret_access_key"])

    def write(self, path: Path) -> None:
        _write_json(path, {"access_key_id": self.access_key_id, "secret_access_key": self.secret_access_key})


def _write_json(path: Path, content: dict[str, str]) -> None:
    write_private(path, json.dumps(content) + "\n")
