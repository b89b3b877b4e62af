"""The model registry of Unity Catalog: new versions with files, tags and aliases.

A version with files is created as MLflow's `databricks-uc` client does it on the wire: create, a temporary credential
for that version, upload, finalize (REST paths of /api/2.0/mlflow/unity-catalog). It is done through databricks-sdk,
so that the client secret never enters the process's environment, where MLflow's client would look for it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from unitydoor.vending import Grant, parse_grant

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

API = "/api/2.0/mlflow/unity-catalog"

READY = "READY"
"""Status of a version whose files are all there."""

CHAMPION = "champion"
"""Alias of the version that is in use. It moves by `govtune promote` only."""


class RegistrationFailed(RuntimeError):
    """A model version could not be completed; the half-made version was removed."""


@dataclass(frozen=True)
class ModelVersion:
    """A version in the registry; `location` is its folder in S3."""

    name: str
    version: str
    location: str


@dataclass(frozen=True)
class RegisteredVersion:
    """A version as the registry tells of it: its number, the tags that say what it was made of, and its status.

    Tags are there from the first; the files are only where the status is `READY`.
    """

    name: str
    version: str
    tags: Mapping[str, str]
    status: str


class ModelRegistry:
    """Registered models, as the principal that `workspace` is signed in with."""

    def __init__(self, workspace: "WorkspaceClient", region: str):
        self._workspace = workspace
        self._region = region

    def ensure_model(self, name: str, comment: str) -> None:
        """Create the registered model unless it exists.

        Raises:
            databricks.sdk.errors.PermissionDenied: the principal lacks CREATE MODEL on the schema.
        """
        from databricks.sdk.errors import ResourceConflict

        catalog, schema, model = name.split(".")
        try:
            self._workspace.registered_models.create(
                catalog_name=catalog, schema_name=schema, name=model, comment=comment
            )
        except ResourceConflict:
            return

    def register(
        self,
        name: str,
        folder: Path,
        *,
        source: str,
        description: str,
        tags: Mapping[str, str],
        complete: Callable[[ModelVersion], None],
    ) -> tuple[ModelVersion, Grant]:
        """Make a new version out of the files in `folder`, and return it with the credential that was vended.

        Args:
            name: full name of the registered model.
            folder: the version's files.
            source: address that the files come from.
            description: what a reader of the registry sees.
            tags: what the version was made of.
            complete: called with the version before it becomes ready, for what must be true of a ready version.

        Raises:
            RegistrationFailed: the version could not be completed; none is left behind.
        """
        created = self._create(name, source, description, tags)
        try:
            grant = self._vend(created)
            self._upload(folder, created.location, grant)
            complete(created)
            self._do("POST", "model-versions/finalize", {"name": name, "version": created.version})
        except Exception as error:
            raise RegistrationFailed(
                f"Version {created.version} of {name} could not be completed ({error}) {self._remove(created)}"
            ) from error
        except BaseException:
            self._remove(created)  # interrupted: no half-made version stays
            raise
        return created, grant

    def _remove(self, created: ModelVersion) -> str:
        """Remove a half-made version; says what became of it, since the first error matters more than this one."""
        from databricks.sdk.errors.base import DatabricksError

        try:
            self._workspace.model_versions.delete(full_name=created.name, version=int(created.version))
        except DatabricksError as error:
            return f"and could not be removed either ({error}): delete it by hand; it never became ready."
        return "and was removed."

    def version(self, name: str, version: int) -> RegisteredVersion | None:
        """A version by its number; None where the model has no such version."""
        return self._found("model-versions/get", {"name": name, "version": str(version)})

    def champion(self, name: str) -> RegisteredVersion | None:
        """The version that the alias `champion` points at; None where it points at none, or the model is not there."""
        return self._found("registered-models/alias", {"name": name, "alias": CHAMPION})

    def _found(self, path: str, query: Mapping[str, str]) -> RegisteredVersion | None:
        from databricks.sdk.errors import NotFound

        try:
            answer: Any = self._workspace.api_client.do("GET", f"{API}/{path}", query=dict(query))
        except NotFound:
            return None
        found = answer["model_version"]
        tags = {str(tag["key"]): str(tag["value"]) for tag in found.get("tags", [])}
        return RegisteredVersion(query["name"], str(found["version"]), tags, str(found.get("status", "unknown")))

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Point an alias at a version. An explicit act of a person or of an approved promotion."""
        self._workspace.registered_models.set_alias(full_name=name, alias=alias, version_num=version)

    def _create(self, name: str, source: str, description: str, tags: Mapping[str, str]) -> ModelVersion:
        body = {
            "name": name,
            "source": source,
            "description": description,
            "tags": [{"key": key, "value": value} for key, value in sorted(tags.items())],
        }
        made = self._do("POST", "model-versions/create", body)["model_version"]
        return ModelVersion(name=name, version=str(made["version"]), location=made["storage_location"])

    def _vend(self, created: ModelVersion) -> Grant:
        body = {
            "name": created.name,
            "version": created.version,
            "operation": "MODEL_VERSION_OPERATION_READ_WRITE",
        }
        answer = self._do("POST", "model-versions/generate-temporary-credentials", body)["credentials"]
        return parse_grant(
            {"url": created.location, **answer},
            principal=str(self._workspace.config.client_id),
            securable=f"{created.name} version {created.version}",
            operation="READ_WRITE",
        )

    def _upload(self, folder: Path, location: str, grant: Grant) -> None:
        bucket, prefix = urlsplit(location).netloc, urlsplit(location).path.strip("/")
        s3 = grant.session(self._region).client("s3")
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                s3.upload_file(str(path), bucket, f"{prefix}/{path.relative_to(folder).as_posix()}")

    def _do(self, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        answer: Any = self._workspace.api_client.do(method, f"{API}/{path}", body=dict(body))
        return dict(answer or {})
