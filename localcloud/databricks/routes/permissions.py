"""Grants: reading, changing, and what follows from them along the hierarchy."""

from collections.abc import Iterable

from localcloud.databricks import privileges
from localcloud.databricks.access import Access
from localcloud.databricks.errors import absent, invalid
from localcloud.databricks.privileges import Kind
from localcloud.databricks.routes.shapes import UC
from localcloud.databricks.store import Securable
from localcloud.databricks.web import Call, Json, Routes

routes = Routes()

_KINDS = {
    "metastore": Kind.METASTORE,
    "catalog": Kind.CATALOG,
    "schema": Kind.SCHEMA,
    "table": Kind.TABLE,
    "function": Kind.MODEL,
    "model": Kind.MODEL,
    "registered_model": Kind.MODEL,
    "volume": Kind.VOLUME,
    "external_location": Kind.EXTERNAL_LOCATION,
    "storage_credential": Kind.STORAGE_CREDENTIAL,
    "credential": Kind.STORAGE_CREDENTIAL,
    "external_metadata": Kind.EXTERNAL_METADATA,
}
_TYPES = {Kind.MODEL: "FUNCTION"}
"""The API counts registered models among functions."""


def _kind(securable_type: str) -> Kind:
    key = securable_type.lower().removeprefix("securabletype.").replace("-", "_")
    if key not in _KINDS:
        raise invalid(f"unknown securable type '{securable_type}'")
    return _KINDS[key]


def _spelled(privilege: str) -> str:
    return privilege.replace(" ", "_")


def _type(kind: Kind) -> str:
    return _TYPES.get(kind, kind.upper().replace(" ", "_"))


def _readers(call: Call, access: Access, securable: Securable) -> list[str]:
    """Whose grants the caller may read: everyone's as manager, else its own."""
    wanted = call.text("principal", "")
    if access.manages(securable):
        if wanted:
            return [wanted]
        everyone: set[str] = set()
        for link in access.db.chain(securable):
            everyone |= set(access.db.grants(link))
        return sorted(everyone)
    if wanted and wanted != access.principal:
        raise access.refusal(securable)
    return [access.principal]


@routes.on("GET", f"{UC}/permissions/{{securable_type}}/{{name}}")
def get_permissions(call: Call, securable_type: str, name: str) -> Json:
    """Grants on the securable itself."""
    access = call.access
    securable = access.known(_kind(securable_type), name)
    held = call.db.grants(securable)
    readers = [who for who in _readers(call, access, securable) if who in held]
    return call.page("privilege_assignments", [(who, _direct(who, held[who])) for who in readers])


def _direct(principal: str, held: Iterable[str]) -> Json:
    return {"principal": principal, "privileges": sorted(_spelled(entry) for entry in held)}


@routes.on("GET", f"{UC}/effective-permissions/{{securable_type}}/{{name}}")
def get_effective_permissions(call: Call, securable_type: str, name: str) -> Json:
    """Grants on the securable and those inherited from what holds it. Ownership is not a grant and is not shown."""
    access = call.access
    securable = access.known(_kind(securable_type), name)
    assignments: list[tuple[str, Json]] = []
    for who in _readers(call, access, securable):
        entries = privileges.effective(access.levels(securable, who))
        shown = [_effective(entry, securable) for entry in entries]
        if shown:
            assignments.append((who, {"principal": who, "privileges": shown}))
    return call.page("privilege_assignments", assignments)


def _effective(entry: privileges.Effective, securable: Securable) -> Json:
    shown: Json = {"privilege": _spelled(entry.privilege)}
    if (entry.source.kind, entry.source.name) != (securable.kind, securable.full_name):
        shown["inherited_from_type"] = _type(entry.source.kind)
        shown["inherited_from_name"] = entry.source.name
    return shown


@routes.on("PATCH", f"{UC}/permissions/{{securable_type}}/{{name}}")
def update_permissions(call: Call, securable_type: str, name: str) -> Json:
    """Grant and revoke. All changes hold or none."""
    access = call.access
    securable = access.known(_kind(securable_type), name)
    call.notes.securable = securable.full_name
    done: list[str] = []
    for change in call.objects("changes"):
        principal = _principal(access, change)
        for verb in ("add", "remove"):
            wanted = _privileges(change, verb, securable)
            for privilege in wanted:
                _require_granting(access, securable, privilege)
                _apply(access, securable, principal, privilege, add=verb == "add")
            done += [f"{verb} {privilege} for {principal}" for privilege in wanted]
    call.notes.operation = "; ".join(done)[:1000]
    if call.boolean("omit_permissions_in_response"):
        return {}
    held = call.db.grants(securable)
    return {"privilege_assignments": [_direct(who, what) for who, what in held.items()]}


def _principal(access: Access, change: Json) -> str:
    principal = change.get("principal")
    if not isinstance(principal, str) or not principal:
        raise invalid("each change names a principal")
    if access.db.row("SELECT 1 FROM principals WHERE application_id = ?", (principal,)) is None:
        raise absent("principal", principal)
    return principal


def _privileges(change: Json, verb: str, securable: Securable) -> list[str]:
    given = change.get(verb) or []
    if not isinstance(given, list) or not all(isinstance(entry, str) for entry in given):
        raise invalid(f"{verb} must be a list of privileges")
    wanted = [privileges.spaced(entry) for entry in given]
    wrong = privileges.not_grantable(securable.kind, wanted)
    if wrong:
        raise invalid(f"{', '.join(wrong)} cannot be granted on a {securable.kind}")
    return wanted


def _require_granting(access: Access, securable: Securable, privilege: str) -> None:
    if not privileges.may_grant(access.levels(securable), access.principal, privilege):
        raise access.refusal(securable)


def _apply(access: Access, securable: Securable, principal: str, privilege: str, *, add: bool) -> None:
    values = (securable.id, principal, privilege)
    if add:
        access.db.execute("INSERT OR IGNORE INTO grants VALUES (?,?,?)", values)
    else:
        sql = "DELETE FROM grants WHERE securable_id = ? AND principal = ? AND privilege = ?"
        access.db.execute(sql, values)
