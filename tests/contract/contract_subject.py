"""The server under judgement: where it is, who administers it, and what it offers at all.

Any server can be one. By default the suite starts the local workspace on a local AWS; with `GOVTUNE_CONTRACT_HOST` it
drives the server at that address instead (`from_environment` names the other variables).
"""

from __future__ import annotations

import json
import os
import secrets
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from databricks.sdk import WorkspaceClient

from tests.localcloud.databricks import databricks_lab as lab
from unitydoor.oauth import ClientCredentials
from unitydoor.secrets import ServicePrincipal

UC = "/api/2.1/unity-catalog"
SCIM = "/api/2.0/preview/scim/v2/ServicePrincipals"
LINEAGE = "/api/2.0/lineage-tracking"
REGISTRY = "/api/2.0/mlflow/unity-catalog"
LOCAL = "the local workspace"
SECONDS = 30


class Capability(StrEnum):
    """What a server may lack; the value is how a report names it."""

    SIGN_IN = "OAuth client credentials"
    PRINCIPALS = "service principals (SCIM)"
    SHORT_TOKENS = "tokens of two seconds (the suite must start the server)"
    SWITCH = "switching external data access (the suite must own the metastore)"
    STORAGE = "S3 storage that the suite may use"
    STORAGE_CREDENTIALS = "storage credentials"
    EXTERNAL_LOCATIONS = "external locations"
    VOLUMES = "volumes"
    PERMISSIONS = "permissions"
    SPACED = "privileges answered with spaces (Databricks answers with underscores)"
    EFFECTIVE = "effective permissions"
    FILTERS = "row filters and column masks declared over REST (Databricks takes them in SQL)"
    TABLE_CREDENTIALS = "temporary table credentials"
    PATH_CREDENTIALS = "temporary path credentials"
    VOLUME_CREDENTIALS = "temporary volume credentials"
    MODEL_CREDENTIALS = "temporary model version credentials"
    MODELS = "registered models"
    MAKE_VERSIONS = "model versions made through the catalog's API"
    ALIASES = "model aliases"
    TAGS = "tags"
    MLFLOW = "MLflow's registry API"
    METADATA = "external metadata"
    EXTERNAL_LINEAGE = "external lineage"


_PROBES: dict[Capability, tuple[str, str]] = {
    Capability.PRINCIPALS: ("GET", f"{SCIM}?count=1"),
    Capability.STORAGE_CREDENTIALS: ("GET", f"{UC}/storage-credentials"),
    Capability.EXTERNAL_LOCATIONS: ("GET", f"{UC}/external-locations"),
    Capability.VOLUMES: ("GET", f"{UC}/volumes"),
    Capability.PERMISSIONS: ("GET", f"{UC}/permissions/catalog/nothing"),
    Capability.EFFECTIVE: ("GET", f"{UC}/effective-permissions/catalog/nothing"),
    Capability.TABLE_CREDENTIALS: ("POST", f"{UC}/temporary-table-credentials"),
    Capability.PATH_CREDENTIALS: ("POST", f"{UC}/temporary-path-credentials"),
    Capability.VOLUME_CREDENTIALS: ("POST", "/api/2.0/unity-catalog/temporary-volume-credentials"),
    Capability.MODEL_CREDENTIALS: ("POST", f"{UC}/temporary-model-version-credentials"),
    Capability.MODELS: ("GET", f"{UC}/models"),
    Capability.MAKE_VERSIONS: ("POST", f"{UC}/models/versions"),
    Capability.ALIASES: ("GET", f"{UC}/models/a.b.c/aliases/d"),
    Capability.TAGS: ("GET", f"{UC}/entity-tag-assignments/catalogs/nothing/tags"),
    Capability.MLFLOW: ("GET", f"{REGISTRY}/registered-models/search"),
    Capability.METADATA: ("GET", f"{LINEAGE}/external-metadata"),
    Capability.EXTERNAL_LINEAGE: ("GET", f"{LINEAGE}/external-lineage"),
}
_NO_ROUTE = (404, 405, 501)


@dataclass(frozen=True)
class Answer:
    """What a server answered: the status, and the JSON object or None where it was something else."""

    status: int
    body: dict[str, Any] | None

    @property
    def code(self) -> str:
        """Its `error_code`, empty where there is none."""
        return str((self.body or {}).get("error_code", ""))

    @property
    def no_route(self) -> bool:
        """Whether the server does not know the endpoint, as opposed to the object."""
        return self.status in _NO_ROUTE and self.code in {"", "ENDPOINT_NOT_FOUND"}


@dataclass(frozen=True)
class Storage:
    """A place in S3 that the suite may fill, and the IAM role by which the catalog reaches it."""

    url: str
    role_arn: str
    endpoint: str | None
    region: str


@dataclass(frozen=True)
class Subject:
    """A running server and its administrator, by client secret or, where it has no sign-in, by token."""

    name: str
    host: str
    admin: ServicePrincipal | None = field(repr=False)
    token: str = field(default="", repr=False)
    storage: Storage | None = None
    owned: bool = False
    missing: frozenset[Capability] = frozenset()
    run: str = field(default_factory=lambda: f"contract-{secrets.token_hex(5)}")

    def bearer(self, principal: ServicePrincipal | None = None) -> str:
        """An access token of the principal, of the administrator without one."""
        who = principal or self.admin
        return ClientCredentials(self.host, who).token() if who else self.token

    def client(self, principal: ServicePrincipal | None = None) -> WorkspaceClient:
        """databricks-sdk as the principal, as the administrator without one."""
        who = principal or self.admin
        if who is None:
            return WorkspaceClient(host=self.host, token=self.token, auth_type="pat", config_file="/dev/null")
        return WorkspaceClient(
            host=self.host,
            client_id=who.client_id,
            client_secret=who.client_secret,
            auth_type="oauth-m2m",
            config_file="/dev/null",
        )

    def ask(self, method: str, path: str, body: object = None, *, token: str | None = None) -> Answer:
        """One plain request; `body` is sent as JSON, bytes as they are."""
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        bearer = self.bearer() if token is None else token
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        return send(urllib.request.Request(f"{self.host}{path}", data=raw, headers=headers, method=method))

    def principal(self) -> ServicePrincipal:
        """A new service principal without privileges; its display name is the run's."""
        admin = self.client()
        made = admin.service_principals.create(display_name=self.run, active=True)
        secret = admin.service_principal_secrets_proxy.create(str(made.id)).secret
        return ServicePrincipal(str(made.application_id), str(secret), "contract")


def send(request: urllib.request.Request) -> Answer:
    """Send a request; any status is an answer."""
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return Answer(answer.status, _json(answer.read()))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, _json(error.read()))


def _json(raw: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(raw)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def probed(subject: Subject) -> Subject:
    """The subject with what it lacks, found by asking for each part."""
    missing = {part for part, (method, path) in _PROBES.items() if subject.ask(method, path, _empty(method)).no_route}
    if subject.admin is None:
        missing |= {Capability.SIGN_IN, Capability.PRINCIPALS}
    if not subject.owned:
        missing |= {Capability.SHORT_TOKENS, Capability.SWITCH, Capability.FILTERS}
    if subject.storage is None:
        missing.add(Capability.STORAGE)
    if not _answers_with_spaces(subject):
        missing.add(Capability.SPACED)
    return replace(subject, missing=frozenset(missing))


def _empty(method: str) -> dict[str, str] | None:
    return {} if method == "POST" else None


def _answers_with_spaces(subject: Subject) -> bool:
    summary = subject.ask("GET", f"{UC}/metastore_summary").body or {}
    held = subject.ask("GET", f"{UC}/permissions/metastore/{summary.get('metastore_id')}").body or {}
    spelled = [name for entry in held.get("privilege_assignments", []) for name in entry["privileges"]]
    return any(" " in name for name in spelled)


def from_environment(environment: Mapping[str, str] = os.environ) -> Subject | None:
    """The server that the environment names, or None for the default.

    GOVTUNE_CONTRACT_HOST is its base URL, GOVTUNE_CONTRACT_NAME what the report calls it. GOVTUNE_CONTRACT_ADMIN is a
    JSON file with `client_id` and `client_secret`, or with `token`, of a metastore administrator; without it no token
    is sent. GOVTUNE_CONTRACT_STORAGE (`s3://bucket/prefix`), GOVTUNE_CONTRACT_ROLE (an IAM role's ARN), AWS_REGION and
    GOVTUNE_CONTRACT_S3 (an S3 endpoint; AWS without it) are a place that the suite may fill. The suite makes a catalog,
    a storage credential, an external location and service principals of its own, and removes what it made.
    """
    host = environment.get("GOVTUNE_CONTRACT_HOST", "").rstrip("/")
    if not host:
        return None
    known: dict[str, str] = {}
    if path := environment.get("GOVTUNE_CONTRACT_ADMIN"):
        known = json.loads(Path(path).read_text())
    admin = ServicePrincipal(known["client_id"], known["client_secret"], "contract") if "client_id" in known else None
    storage = None
    if url := environment.get("GOVTUNE_CONTRACT_STORAGE"):
        role, endpoint = environment["GOVTUNE_CONTRACT_ROLE"], environment.get("GOVTUNE_CONTRACT_S3")
        storage = Storage(url.rstrip("/"), role, endpoint, environment.get("AWS_REGION", "us-east-1"))
    name = environment.get("GOVTUNE_CONTRACT_NAME", host)
    return probed(Subject(name, host, admin, known.get("token", ""), storage))


def local(workspace: lab.Workspace, aws: lab.Aws) -> Subject:
    """The local workspace as a subject."""
    storage = Storage(f"s3://{lab.LAKE}", lab.ROLE, aws.endpoint, "us-east-1")
    return probed(Subject(LOCAL, workspace.host, workspace.admin_principal, "", storage, owned=True))
