"""The audit log: every decision, allowed or denied, as the system table `system.access.audit` keeps them."""

from localcloud.databricks.errors import denied
from localcloud.databricks.web import Call, Json, Routes

routes = Routes()

AUDIT = "/_localcloud/audit"
MAX_EVENTS = 1000
_COLUMNS = ("principal", "action", "securable", "credential_id", "decision")


@routes.on("GET", AUDIT)
def read_audit_log(call: Call) -> Json:
    """Events in order, for the administrator; `after` an event id, and equal to any of the columns that are given."""
    if not call.access.is_admin:
        raise denied("Only the metastore administrator reads the audit log.")
    wanted = {column: call.text(column) for column in _COLUMNS if column in call.query}
    where = " AND ".join(["event_id > ?", *(f"{column} = ?" for column in wanted)])
    # The columns are names of this module, never input.
    sql = f"SELECT * FROM system_access_audit WHERE {where} ORDER BY event_id LIMIT {MAX_EVENTS}"  # noqa: S608
    found = call.db.rows(sql, (call.integer("after", 0), *wanted.values()))
    return {"events": [dict(entry) for entry in found]}
