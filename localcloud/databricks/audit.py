"""Writing the audit log. It has no tokens, secrets or bodies: who asked what of which securable, and the decision."""

from localcloud.databricks.store import Store, now_ms
from localcloud.databricks.web import Notes

LONGEST_TEXT = 1000


def record(
    store: Store, *, principal: str, action: str, notes: Notes, user_agent: str, decision: str, status: int
) -> None:
    """Keep one event, in a transaction of its own: a denial is kept though the request was rolled back."""
    values = (
        now_ms(),
        principal[:LONGEST_TEXT],
        action,
        notes.securable[:LONGEST_TEXT],
        notes.operation[:LONGEST_TEXT],
        notes.credential_id,
        user_agent[:LONGEST_TEXT],
        decision,
        status,
    )
    sql = """INSERT INTO system_access_audit (event_time, principal, action, securable, operation, credential_id,
             user_agent, decision, status) VALUES (?,?,?,?,?,?,?,?,?)"""
    with store.transaction() as db:
        db.execute(sql, values)
