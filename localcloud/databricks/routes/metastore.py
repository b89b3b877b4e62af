"""The metastore: its summary, and whether it vends credentials to anyone outside the workspace."""

from localcloud.databricks.privileges import Kind
from localcloud.databricks.routes.shapes import UC, common
from localcloud.databricks.store import Securable
from localcloud.databricks.web import Call, Json, Routes
from localcloud.databricks.workspace import WORKSPACE_ID

routes = Routes()


def _shape(call: Call, metastore: Securable) -> Json:
    body = common(call.access, metastore)
    return {**body, "cloud": "aws", "global_metastore_id": f"aws:{metastore.details['region']}:{metastore.id}"}


@routes.on("GET", f"{UC}/metastore_summary")
def get_metastore_summary(call: Call) -> Json:
    """Anyone in the workspace may read it."""
    return _shape(call, call.access.metastore)


@routes.on("GET", f"{UC}/current-metastore-assignment")
def get_current_metastore(call: Call) -> Json:
    """The workspace's metastore."""
    return {"metastore_id": call.access.metastore.id, "workspace_id": int(WORKSPACE_ID)}


@routes.on("GET", f"{UC}/metastores")
def list_metastores(call: Call) -> Json:
    """There is one."""
    return call.page("metastores", [(call.access.metastore.full_name, _shape(call, call.access.metastore))])


@routes.on("GET", f"{UC}/metastores/{{metastore_id}}")
def get_metastore(call: Call, metastore_id: str) -> Json:
    """By id."""
    return _shape(call, call.access.find(Kind.METASTORE, metastore_id))


@routes.on("PATCH", f"{UC}/metastores/{{metastore_id}}")
def update_metastore(call: Call, metastore_id: str) -> Json:
    """Switch external access on or off; for the administrator."""
    access = call.access
    metastore = access.find(Kind.METASTORE, metastore_id)
    access.require_managed(metastore)
    call.notes.securable = metastore.full_name
    switched = call.boolean("external_access_enabled", bool(metastore.details["external_access_enabled"]))
    details = {**metastore.details, "external_access_enabled": switched}
    return _shape(call, call.db.update_securable(metastore, call.principal, details=details))
