"""External metadata and external lineage: what ran outside the workspace, and the edges to and from it.

Privileges as in "Bring your own data lineage": CREATE EXTERNAL METADATA on the metastore to make one, MODIFY on it to
draw an edge, to read the object that the edge starts from and to write the object that it leads to.
"""

import json
import sqlite3
from datetime import UTC, datetime

from localcloud.databricks.access import Access
from localcloud.databricks.errors import ApiError, absent, denied, exists, invalid
from localcloud.databricks.locations import Location
from localcloud.databricks.names import LONGEST
from localcloud.databricks.privileges import Kind
from localcloud.databricks.routes.models import find_version, version_number
from localcloud.databricks.routes.storage import covering_location, new_owner
from localcloud.databricks.store import Securable, new_id, now_ms
from localcloud.databricks.web import Call, Json, Routes

routes = Routes()

METADATA = "/api/2.0/lineage-tracking/external-metadata"
LINEAGE = "/api/2.0/lineage-tracking/external-lineage"
_TYPES = ("table", "model_version", "path", "external_metadata")
MAX_PROPERTIES = 100


def _instant(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _metadata(access: Access, entry: Securable) -> Json:
    return {
        "id": entry.id,
        "name": entry.full_name,
        "owner": entry.owner,
        "metastore_id": access.metastore.id,
        "create_time": _instant(entry.created_at),
        "created_by": entry.created_by,
        "update_time": _instant(entry.updated_at),
        "updated_by": entry.updated_by,
        **entry.details,
    }


def _find_metadata(access: Access, name: str) -> Securable:
    entry = access.db.securable(Kind.EXTERNAL_METADATA, name)
    if entry is None or not access.visible(entry):
        raise absent(Kind.EXTERNAL_METADATA, name)
    return entry


def _details(call: Call, before: Json) -> Json:
    columns = call.body.get("columns", before.get("columns", []))
    if not isinstance(columns, list) or not all(isinstance(column, str) for column in columns):
        raise invalid("columns must be a list of names")
    properties = call.strings("properties") if "properties" in call.body else before.get("properties", {})
    if len(properties) > MAX_PROPERTIES:
        raise invalid(f"there are at most {MAX_PROPERTIES} properties")
    return {
        "system_type": call.text("system_type", before.get("system_type")),
        "entity_type": call.text("entity_type", before.get("entity_type")),
        "description": call.text("description", before.get("description", "")),
        "url": call.text("url", before.get("url", "")),
        "columns": columns,
        "properties": properties,
    }


@routes.on("POST", METADATA)
def create_external_metadata(call: Call) -> Json:
    """What ran outside, such as a job run."""
    access, name = call.access, call.text("name")
    if len(name) > LONGEST or not name.isprintable() or "/" in name:
        raise invalid(f"name must have at most {LONGEST} printable characters and no slash")
    call.notes.securable = name
    access.require(access.metastore, "CREATE EXTERNAL METADATA")
    if call.db.securable(Kind.EXTERNAL_METADATA, name):
        raise exists(Kind.EXTERNAL_METADATA, name)
    details = _details(call, {})
    made = call.db.add_securable(Kind.EXTERNAL_METADATA, name, access.metastore, call.principal, details)
    return _metadata(access, made)


@routes.on("GET", METADATA)
def list_external_metadata(call: Call) -> Json:
    """Those the caller may see."""
    access = call.access
    seen = [entry for entry in call.db.securables(Kind.EXTERNAL_METADATA) if access.visible(entry)]
    return call.page("external_metadata", [(entry.full_name, _metadata(access, entry)) for entry in seen])


@routes.on("GET", METADATA + "/{name}")
def get_external_metadata(call: Call, name: str) -> Json:
    """By name."""
    return _metadata(call.access, _find_metadata(call.access, name))


@routes.on("PATCH", METADATA + "/{name}")
def update_external_metadata(call: Call, name: str) -> Json:
    """Another description, url, columns or properties, for who may MODIFY it; another owner, for who manages it."""
    access = call.access
    entry = _find_metadata(access, name)
    call.notes.securable = name
    details, names_owner = _details(call, dict(entry.details)), bool(call.text("owner", ""))
    if names_owner:
        access.require_managed(entry)
    if not names_owner or details != entry.details:
        access.require(entry, "MODIFY")
    owner = new_owner(call, entry)
    return _metadata(access, call.db.update_securable(entry, call.principal, owner=owner, details=details))


@routes.on("DELETE", METADATA + "/{name}")
def delete_external_metadata(call: Call, name: str) -> Json:
    """With its edges."""
    entry = _find_metadata(call.access, name)
    call.notes.securable = name
    call.access.require_managed(entry)
    end = _key({"external_metadata": {"name": name}})
    call.db.execute("DELETE FROM lineage WHERE source = ? OR target = ?", (end, end))
    call.db.remove_securable(entry)
    return {}


def _key(end: Json) -> str:
    return json.dumps(end, sort_keys=True, separators=(",", ":"))


def _end(given: object, side: str) -> Json:
    """One end of an edge, in its one spelling."""
    if not isinstance(given, dict):
        raise invalid(f"{side} must be an object")
    present = [kind for kind in _TYPES if isinstance(given.get(kind), dict)]
    if len(present) != 1:
        raise invalid(f"{side} must be exactly one of {', '.join(_TYPES)}")
    kind, body = present[0], given[present[0]]
    name = body.get("url") if kind == "path" else body.get("name")
    if not isinstance(name, str) or not name or len(name) > LONGEST * 4:
        raise invalid(f"{side}.{kind} needs a name (a path, a url)")
    if kind == "path":
        return {"path": {"url": str(Location.parse(name))}}
    if kind == "model_version":
        version = version_number(str(body.get("version", "")))
        return {kind: {"name": name.lower(), "version": str(version)}}
    return {kind: {"name": name if kind == "external_metadata" else name.lower()}}


def _require_end(access: Access, end: Json, *, write: bool) -> None:
    """Insist on the caller's right to draw an edge at this end: to read its object as source, write it as target."""
    (kind, body) = next(iter(end.items()))
    if kind == "external_metadata":
        access.require(_find_metadata(access, body["name"]), "MODIFY")
    elif kind == "table":
        access.require(access.find(Kind.TABLE, body["name"]), "MODIFY" if write else "SELECT")
    elif kind == "model_version":
        model, _ = find_version(access, body["name"], int(body["version"]))
        access.require(model, "CREATE MODEL VERSION" if write else "EXECUTE")
    else:
        location = covering_location(access, Location.parse(body["url"]))
        if location is None:
            raise denied(f"No external location that {access.principal} may use covers '{body['url']}'.")
        access.require(location, "WRITE FILES" if write else "READ FILES")


@routes.on("POST", LINEAGE)
def create_external_lineage(call: Call) -> Json:
    """An edge; one of its ends is external metadata."""
    source, target = _end(call.body.get("source"), "source"), _end(call.body.get("target"), "target")
    call.notes.securable = f"{_key(source)} -> {_key(target)}"
    if "external_metadata" not in source and "external_metadata" not in target:
        raise invalid("one end of an external lineage relationship must be external metadata")
    if source == target:
        raise invalid("an edge must have two ends")
    _require_end(call.access, source, write=False)
    _require_end(call.access, target, write=True)
    if call.db.row("SELECT 1 FROM lineage WHERE source = ? AND target = ?", (_key(source), _key(target))):
        raise exists("external lineage", call.notes.securable)
    details = {"properties": _properties(call), "columns": call.objects("columns")}
    values = (new_id(), _key(source), _key(target), json.dumps(details), now_ms(), call.principal)
    call.db.execute("INSERT INTO lineage VALUES (?,?,?,?,?,?)", values)
    return {"id": values[0], "source": source, "target": target, **details}


@routes.on("PATCH", LINEAGE)
def update_external_lineage(call: Call) -> Json:
    """Other properties or columns of an edge, as `update_mask` names them; its ends stay."""
    ends = (_end(call.body.get("source"), "source"), _end(call.body.get("target"), "target"))
    keys = tuple(_key(end) for end in ends)
    row = call.db.row("SELECT * FROM lineage WHERE source = ? AND target = ?", keys)
    call.notes.securable = " -> ".join(keys)
    if row is None:
        raise absent("external lineage", call.notes.securable)
    for end, write in zip(ends, (False, True), strict=True):
        _require_end(call.access, end, write=write)
    mask = set(call.text("update_mask").split(","))
    if not mask <= {"*", "properties", "columns"}:
        raise invalid("update_mask may name properties and columns")
    details = json.loads(row["details"])
    if mask & {"*", "properties"}:
        details["properties"] = _properties(call)
    if mask & {"*", "columns"}:
        details["columns"] = call.objects("columns")
    call.db.execute("UPDATE lineage SET details = ? WHERE id = ?", (json.dumps(details), row["id"]))
    return {"id": row["id"], "source": ends[0], "target": ends[1], **details}


def _properties(call: Call) -> dict[str, str]:
    properties = call.strings("properties")
    if len(properties) > MAX_PROPERTIES:
        raise invalid(f"there are at most {MAX_PROPERTIES} properties")
    return properties


def _flat_end(call: Call, prefix: str) -> Json:
    """An end out of flattened query parameters such as `object_info.table.name`."""
    nested: dict[str, dict[str, str]] = {}
    for key, value in call.query.items():
        if key.startswith(f"{prefix}."):
            kind, _, attribute = key.removeprefix(f"{prefix}.").partition(".")
            nested.setdefault(kind, {})[attribute] = value
    return _end(nested or call.body.get(prefix), prefix)


@routes.on("GET", LINEAGE)
def list_external_lineage(call: Call) -> Json:
    """Edges at one object: those that lead to it (UPSTREAM) or start from it (DOWNSTREAM)."""
    access, end = call.access, _flat_end(call, "object_info")
    direction = call.text("lineage_direction")
    if direction not in {"UPSTREAM", "DOWNSTREAM"}:
        raise invalid("lineage_direction must be UPSTREAM or DOWNSTREAM")
    _require_visible(access, end)
    here, there = ("target", "source") if direction == "UPSTREAM" else ("source", "target")
    # The column is one of the two names above, never input.
    found = call.db.rows(f"SELECT * FROM lineage WHERE {here} = ? ORDER BY id", (_key(end),))  # noqa: S608
    shown = []
    for row in found:
        other = json.loads(row[there])
        if _sees(access, other):
            shown.append((row["id"], {**_info(access, other, row["created_at"]), **_relation(row)}))
    return call.page("external_lineage_relationships", shown)


def _relation(row: sqlite3.Row) -> Json:
    ends = {side: json.loads(row[side]) for side in ("source", "target")}
    return {"external_lineage_info": {"id": row["id"], **ends, **json.loads(row["details"])}}


def _require_visible(access: Access, end: Json) -> None:
    (kind, body) = next(iter(end.items()))
    if kind == "external_metadata":
        _find_metadata(access, body["name"])
    elif kind == "table":
        access.find(Kind.TABLE, body["name"])
    elif kind == "model_version":
        access.find(Kind.MODEL, body["name"])
    else:
        location = covering_location(access, Location.parse(body["url"]))
        if location is None or not access.visible(location):
            raise absent("path", body["url"])


def _sees(access: Access, end: Json) -> bool:
    try:
        _require_visible(access, end)
    except ApiError:
        return False
    return True


def _info(access: Access, end: Json, at: int) -> Json:
    """The other end of an edge as a listing shows it."""
    (kind, body) = next(iter(end.items()))
    time = {"event_time": _instant(at)}
    if kind == "table":
        catalog, schema, name = body["name"].split(".")
        return {"table_info": {"catalog_name": catalog, "schema_name": schema, "name": name, **time}}
    if kind == "model_version":
        return {"model_info": {"model_name": body["name"], "version": int(body["version"]), **time}}
    if kind == "path":
        return {"file_info": {"path": body["url"], **time}}
    entry = _find_metadata(access, body["name"])
    types = {key: entry.details[key] for key in ("system_type", "entity_type")}
    return {"external_metadata_info": {"name": entry.full_name, **types, **time}}


@routes.on("DELETE", LINEAGE)
def delete_external_lineage(call: Call) -> Json:
    """Take an edge away, by id or by its ends; for who may draw it."""
    prefix = "external_lineage_relationship"
    edge_id = call.query.get(f"{prefix}.id", "")
    if edge_id:
        row = call.db.row("SELECT * FROM lineage WHERE id = ?", (edge_id,))
    else:
        ends = (_key(_flat_end(call, f"{prefix}.source")), _key(_flat_end(call, f"{prefix}.target")))
        row = call.db.row("SELECT * FROM lineage WHERE source = ? AND target = ?", ends)
    if row is None:
        raise absent("external lineage", edge_id or "between these ends")
    call.notes.securable = f"{row['source']} -> {row['target']}"
    for side in ("source", "target"):
        end = json.loads(row[side])
        if "external_metadata" in end:
            _require_end(call.access, end, write=side == "target")
    call.db.execute("DELETE FROM lineage WHERE id = ?", (row["id"],))
    return {}
