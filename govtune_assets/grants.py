"""Grants as code: what each stage's service principal may do, and how the catalog is brought to it.

Only grants that are declared here are touched: differences are shown and applied, nothing is overwritten wholesale.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from govtune_assets.settings import Settings

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

API = "/api/2.1/unity-catalog/permissions"

RAW_JSON_LOCATION = "govtune_raw_json"
RAW_DELTA_LOCATION = "govtune_raw_delta"
CURATED_DELTA_LOCATION = "govtune_curated_delta"


@dataclass(frozen=True, order=True)
class Grant:
    """A principal's privilege on a securable; `stage` names the principal by what it does."""

    securable_type: str
    securable: str
    stage: str
    privilege: str


@dataclass(frozen=True)
class Difference:
    """A declared grant that the catalog does not hold."""

    grant: Grant
    principal: str

    def statement(self) -> str:
        """The SQL statement that makes it."""
        securable = "" if self.grant.securable_type == "metastore" else f" `{self.grant.securable}`"
        kind = self.grant.securable_type.upper().replace("_", " ")
        name = securable.replace(".", "`.`")
        return f"GRANT {self.grant.privilege.replace('_', ' ')} ON {kind}{name} TO `{self.principal}`"


def declared(settings: Settings) -> tuple[Grant, ...]:
    """Every grant of the project: least privilege for each stage.

    Registering an external table needs CREATE TABLE and CREATE EXTERNAL TABLE; access from outside Databricks needs
    EXTERNAL USE SCHEMA and EXTERNAL USE LOCATION (Databricks: "Enable external data access to Unity Catalog"). An
    edge of external lineage out of a table needs SELECT on it, one into a table MODIFY (Databricks: "Bring your own
    data lineage"); the registrar, which writes them, lacks EXTERNAL USE SCHEMA and so is never vended a credential.
    """
    catalog = settings.catalog
    raw, curated, ml = f"{catalog}.raw", f"{catalog}.curated", f"{catalog}.ml"
    create = ["USE_SCHEMA", "CREATE_TABLE", "EXTERNAL_USE_SCHEMA"]
    read = ["USE_SCHEMA", "SELECT", "EXTERNAL_USE_SCHEMA"]
    write_location = ["CREATE_EXTERNAL_TABLE", "EXTERNAL_USE_LOCATION"]
    return (
        *_grants("loader", "catalog", catalog, ["USE_CATALOG"]),
        *_grants("loader", "schema", raw, create),
        *_grants("loader", "external_location", RAW_JSON_LOCATION, _FILES),
        *_grants("loader", "external_location", RAW_DELTA_LOCATION, write_location),
        *_grants("curator", "catalog", catalog, ["USE_CATALOG"]),
        *_grants("curator", "schema", raw, read),
        *_grants("curator", "schema", curated, create),
        *_grants("curator", "external_location", CURATED_DELTA_LOCATION, write_location),
        *_grants("trainer", "catalog", catalog, ["USE_CATALOG"]),
        *_grants("trainer", "schema", curated, read),
        *_grants("registrar", "catalog", catalog, ["USE_CATALOG"]),
        *_grants("registrar", "schema", raw, ["USE_SCHEMA", "SELECT"]),
        *_grants("registrar", "schema", curated, ["USE_SCHEMA", "SELECT", "MODIFY"]),
        *_grants("registrar", "schema", ml, ["USE_SCHEMA", "CREATE_MODEL"]),
        *_grants("registrar", "metastore", "", ["CREATE_EXTERNAL_METADATA"]),
        *_grants("auditor", "catalog", catalog, ["USE_CATALOG"]),
        *_grants("auditor", "schema", raw, read),
        *_grants("auditor", "schema", curated, read),
    )


_FILES = ["READ_FILES", "WRITE_FILES", "EXTERNAL_USE_LOCATION"]


def principals(settings: Settings) -> dict[str, str]:
    """Application id of each stage's service principal.

    Raises:
        ValueError: one is not configured.
    """
    return {stage: settings.required(f"principal_{stage}") for stage in _STAGES}


_STAGES = ("loader", "curator", "trainer", "registrar", "auditor")


def differences(workspace: "WorkspaceClient", settings: Settings) -> list[Difference]:
    """Declared grants that the catalog lacks."""
    ids = principals(settings)
    wanted = declared(settings)
    held = {
        key: _held(workspace, *key) for key in sorted({(grant.securable_type, grant.securable) for grant in wanted})
    }
    return [
        Difference(grant, ids[grant.stage])
        for grant in wanted
        if (ids[grant.stage], grant.privilege) not in held[grant.securable_type, grant.securable]
    ]


def apply(workspace: "WorkspaceClient", found: Iterable[Difference]) -> None:
    """Make the missing grants, one securable at a time.

    Raises:
        databricks.sdk.errors.DatabricksError: who applies does not own a securable and may not MANAGE it.
    """
    by_securable: dict[tuple[str, str], dict[str, list[str]]] = {}
    for difference in found:
        key = (difference.grant.securable_type, difference.grant.securable)
        by_securable.setdefault(key, {}).setdefault(difference.principal, []).append(difference.grant.privilege)
    for (kind, name), additions in sorted(by_securable.items()):
        changes = [{"principal": principal, "add": privileges} for principal, privileges in additions.items()]
        workspace.api_client.do("PATCH", _path(workspace, kind, name), body={"changes": changes})


def _held(workspace: "WorkspaceClient", kind: str, name: str) -> set[tuple[str, str]]:
    answer: Any = workspace.api_client.do("GET", _path(workspace, kind, name))
    assignments: Iterable[Mapping[str, Any]] = answer.get("privilege_assignments", [])
    return {
        (assignment["principal"], privilege.replace(" ", "_"))
        for assignment in assignments
        for privilege in assignment.get("privileges", [])
    }


def _path(workspace: "WorkspaceClient", kind: str, name: str) -> str:
    # The SDK's list of privileges lacks CREATE_EXTERNAL_METADATA, so permissions are asked for by path.
    if kind == "metastore":
        name = str(workspace.metastores.current().metastore_id)
    return f"{API}/{kind}/{name}"


def _grants(stage: str, kind: str, name: str, privileges: list[str]) -> tuple[Grant, ...]:
    return tuple(Grant(kind, name, stage, privilege) for privilege in privileges)
