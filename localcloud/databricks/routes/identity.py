"""Who is who: SCIM for service principals, and their OAuth secrets."""

import re
from datetime import UTC, datetime

from localcloud.databricks import oauth
from localcloud.databricks.errors import absent, denied, exists, in_use, invalid
from localcloud.databricks.store import Database, new_id, now_ms
from localcloud.databricks.web import Call, Json, Routes

routes = Routes()

SCIM = "/api/2.0/preview/scim/v2"
SECRETS = "/api/2.0/accounts/servicePrincipals/{principal_id}/credentials/secrets"
_SCHEMAS = ["urn:ietf:params:scim:schemas:core:2.0:ServicePrincipal"]
_LIST_SCHEMAS = ["urn:ietf:params:scim:api:messages:2.0:ListResponse"]
_PATCHED = {"active": bool, "displayName": str}
_APPLICATION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")


def _for_admin(call: Call) -> None:
    if not call.access.is_admin:
        raise denied("Only a workspace administrator can manage service principals.")


def _shape(db: Database, principal_id: str) -> Json:
    found = db.row("SELECT * FROM principals WHERE id = ?", (principal_id,))
    if found is None:
        raise absent("service principal", principal_id)
    return {
        "schemas": _SCHEMAS,
        "id": found["id"],
        "applicationId": found["application_id"],
        "displayName": found["display_name"],
        "active": bool(found["active"]),
    }


@routes.on("GET", f"{SCIM}/Me")
def get_me(call: Call) -> Json:
    """The caller."""
    found = call.db.row("SELECT * FROM principals WHERE application_id = ?", (call.principal,))
    shape = _shape(call.db, found["id"]) if found else {}
    return {**shape, "userName": call.principal, "groups": []}


@routes.on("POST", f"{SCIM}/ServicePrincipals")
def create_service_principal(call: Call) -> Json:
    """A new service principal; its application id is what grants name."""
    _for_admin(call)
    application_id = call.text("applicationId", new_id())
    if _APPLICATION_ID.fullmatch(application_id) is None:
        raise invalid("applicationId must have letters, digits and hyphens only, at most 64")
    call.notes.securable = application_id
    if call.db.row("SELECT 1 FROM principals WHERE application_id = ?", (application_id,)):
        raise exists("service principal", application_id)
    values = (
        new_id(),
        application_id,
        call.text("displayName", application_id),
        int(call.boolean("active", True)),
        now_ms(),
    )
    call.db.execute("INSERT INTO principals VALUES (?,?,?,?,?)", values)
    return _shape(call.db, values[0])


@routes.on("GET", f"{SCIM}/ServicePrincipals")
def list_service_principals(call: Call) -> Json:
    """All of them; the filters `displayName eq "…"` and `applicationId eq "…"` are understood."""
    found = call.db.rows("SELECT * FROM principals ORDER BY created_at, id")
    wanted = call.text("filter", "")
    if wanted:
        match = re.fullmatch(r'\s*(displayName|applicationId)\s+eq\s+"([^"]*)"\s*', wanted)
        if match is None:
            raise invalid('filter must be displayName eq "…" or applicationId eq "…"')
        column = {"displayName": "display_name", "applicationId": "application_id"}[match[1]]
        found = [entry for entry in found if entry[column] == match[2]]
    start = max(call.integer("startIndex", 1), 1)
    count = max(call.integer("count", 100), 0)
    shown = [_shape(call.db, entry["id"]) for entry in found[start - 1 : start - 1 + count]]
    return {
        "schemas": _LIST_SCHEMAS,
        "totalResults": len(found),
        "startIndex": start,
        "itemsPerPage": len(shown),
        "Resources": shown,
    }


@routes.on("GET", f"{SCIM}/ServicePrincipals/{{principal_id}}")
def get_service_principal(call: Call, principal_id: str) -> Json:
    """By SCIM id."""
    return _shape(call.db, principal_id)


@routes.on("PUT", f"{SCIM}/ServicePrincipals/{{principal_id}}")
def update_service_principal(call: Call, principal_id: str) -> Json:
    """Replace the name and whether it may sign in; the application id stays."""
    _for_admin(call)
    before = _shape(call.db, principal_id)
    if call.text("applicationId", before["applicationId"]) != before["applicationId"]:
        raise invalid("applicationId cannot be changed")
    name = call.text("displayName", before["applicationId"])
    return _change(call, before, {"displayName": name, "active": call.boolean("active", True)})


@routes.on("PATCH", f"{SCIM}/ServicePrincipals/{{principal_id}}")
def patch_service_principal(call: Call, principal_id: str) -> Json:
    """SCIM PatchOp (RFC 7644, section 3.5.2) on `active` and `displayName`. One that is not active cannot sign in,
    and its tokens are refused."""
    _for_admin(call)
    before = _shape(call.db, principal_id)
    changed: Json = {}
    for operation in call.objects("Operations"):
        path, value = operation.get("path"), operation.get("value")
        if str(operation.get("op")).lower() not in {"add", "replace"}:
            raise invalid("op must be add or replace")
        given = {path: value} if isinstance(path, str) else value
        if not isinstance(given, dict) or not set(given) <= _PATCHED.keys():
            raise invalid("an operation's path must be active or displayName")
        changed |= given
    if not all(isinstance(value, _PATCHED[key]) and value != "" for key, value in changed.items()):
        raise invalid("active must be true or false, displayName a string that is not empty")
    return _change(call, before, changed)


def _change(call: Call, before: Json, changed: Json) -> Json:
    call.notes.securable = before["applicationId"]
    after = {**before, **changed}
    values = (after["displayName"], int(after["active"]), before["id"])
    call.db.execute("UPDATE principals SET display_name = ?, active = ? WHERE id = ?", values)
    return _shape(call.db, before["id"])


@routes.on("DELETE", f"{SCIM}/ServicePrincipals/{{principal_id}}")
def delete_service_principal(call: Call, principal_id: str) -> Json:
    """Remove a service principal with its secrets and grants; what it owns must be given away first."""
    _for_admin(call)
    application_id = _shape(call.db, principal_id)["applicationId"]
    call.notes.securable = application_id
    if call.db.row("SELECT 1 FROM securables WHERE owner = ?", (application_id,)):
        raise in_use(f"Service principal '{application_id}' owns objects; transfer them first.")
    call.db.execute("DELETE FROM grants WHERE principal = ?", (application_id,))
    call.db.execute("DELETE FROM principals WHERE id = ?", (principal_id,))
    return {}


def _instant(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _secret_shape(db: Database, secret_id: str) -> Json:
    found = db.row("SELECT * FROM secrets WHERE id = ?", (secret_id,))
    if found is None:
        raise absent("secret", secret_id)
    at = _instant(found["created_at"])
    return {
        "id": found["id"],
        "secret_hash": found["hash"].hex(),
        "create_time": at,
        "update_time": at,
        "expire_time": _instant(found["expires_at"]),
        "status": "ACTIVE" if found["expires_at"] > now_ms() else "EXPIRED",
    }


@routes.on("POST", SECRETS)
def create_service_principal_secret(call: Call, principal_id: str) -> Json:
    """A new secret, shown this one time."""
    _for_admin(call)
    call.notes.securable = _shape(call.db, principal_id)["applicationId"]
    secret = oauth.new_secret()
    secret_id = oauth.add_secret(call.db, principal_id, secret)
    return {**_secret_shape(call.db, secret_id), "secret": secret}


@routes.on("GET", SECRETS)
def list_service_principal_secrets(call: Call, principal_id: str) -> Json:
    """Secrets by id and hash."""
    _for_admin(call)
    _shape(call.db, principal_id)
    found = call.db.rows("SELECT id FROM secrets WHERE principal_id = ? ORDER BY id", (principal_id,))
    return call.page("secrets", [(entry["id"], _secret_shape(call.db, entry["id"])) for entry in found])


@routes.on("DELETE", SECRETS + "/{secret_id}")
def delete_service_principal_secret(call: Call, principal_id: str, secret_id: str) -> Json:
    """No new token is issued for a deleted secret; tokens that were issued live on until they expire."""
    _for_admin(call)
    call.notes.securable = _shape(call.db, principal_id)["applicationId"]
    if not call.db.execute("DELETE FROM secrets WHERE id = ? AND principal_id = ?", (secret_id, principal_id)):
        raise absent("secret", secret_id)
    return {}
