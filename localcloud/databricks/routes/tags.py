"""Tags on catalog objects, by type and full name. Tags of a model version are set through the registry's API."""

from localcloud.databricks.access import Access
from localcloud.databricks.errors import absent, exists, invalid
from localcloud.databricks.privileges import Kind
from localcloud.databricks.routes.shapes import UC
from localcloud.databricks.store import Database, Securable, now_ms
from localcloud.databricks.web import Call, Json, Routes

routes = Routes()

_KINDS = {
    "catalogs": Kind.CATALOG,
    "schemas": Kind.SCHEMA,
    "tables": Kind.TABLE,
    "models": Kind.MODEL,
    "volumes": Kind.VOLUME,
}
MAX_TAGS = 50
MAX_KEY = 255
MAX_VALUE = 1000
_FORBIDDEN_IN_KEYS = frozenset(".,-=/:")


def tags(db: Database, entity_id: str) -> dict[str, str]:
    """Tags of an entity, by key."""
    found = db.rows("SELECT key, value FROM tags WHERE entity_id = ? ORDER BY key", (entity_id,))
    return {entry["key"]: entry["value"] for entry in found}


def put_tag(call: Call, securable: Securable, entity_id: str, key: str, value: str) -> None:
    """Set a tag, for who may APPLY TAG on the object."""
    call.access.require(securable, "APPLY TAG")
    if not 0 < len(key) <= MAX_KEY or len(value) > MAX_VALUE or not key.isprintable():
        raise invalid(f"a tag's key has 1 to {MAX_KEY} characters and its value at most {MAX_VALUE}")
    held = tags(call.db, entity_id)
    if key not in held and len(held) >= MAX_TAGS:
        raise invalid(f"an object has at most {MAX_TAGS} tags")
    sql = "INSERT OR REPLACE INTO tags VALUES (?,?,?,?,?)"
    call.db.execute(sql, (entity_id, key, value, now_ms(), call.principal))


def drop_tag(call: Call, securable: Securable, entity_id: str, key: str) -> None:
    """Take a tag away."""
    call.access.require(securable, "APPLY TAG")
    if not call.db.execute("DELETE FROM tags WHERE entity_id = ? AND key = ?", (entity_id, key)):
        raise absent("tag", key)


def _entity(access: Access, entity_type: str, entity_name: str) -> tuple[Securable, str]:
    if entity_type not in _KINDS:
        raise invalid(f"entity_type must be one of {', '.join(_KINDS)}")
    securable = access.find(_KINDS[entity_type], entity_name)
    return securable, securable.id


def _shape(entity_type: str, entity_name: str, key: str, value: str) -> Json:
    return {"entity_type": entity_type, "entity_name": entity_name, "tag_key": key, "tag_value": value}


@routes.on("POST", f"{UC}/entity-tag-assignments")
def create_entity_tag_assignment(call: Call) -> Json:
    """A new tag; one that exists is changed by PATCH."""
    entity_type, entity_name, key = (call.text(part) for part in ("entity_type", "entity_name", "tag_key"))
    securable, entity_id = _entity(call.access, entity_type, entity_name)
    call.notes.securable = entity_name
    _check_key(key)
    if key in tags(call.db, entity_id):
        raise exists("tag", key)
    value = call.text("tag_value", "")
    put_tag(call, securable, entity_id, key, value)
    return _shape(entity_type, entity_name, key, value)


def _check_key(key: str) -> None:
    if _FORBIDDEN_IN_KEYS & set(key):
        raise invalid("a tag's key must not have any of . , - = / :")


@routes.on("GET", f"{UC}/entity-tag-assignments/{{entity_type}}/{{entity_name}}/tags")
def list_entity_tag_assignments(call: Call, entity_type: str, entity_name: str) -> Json:
    """Tags of an object that the caller may see."""
    _, entity_id = _entity(call.access, entity_type, entity_name)
    held = tags(call.db, entity_id)
    entries = [(key, _shape(entity_type, entity_name, key, value)) for key, value in held.items()]
    return call.page("tag_assignments", entries)


@routes.on("GET", f"{UC}/entity-tag-assignments/{{entity_type}}/{{entity_name}}/tags/{{key}}")
def get_entity_tag_assignment(call: Call, entity_type: str, entity_name: str, key: str) -> Json:
    """One tag."""
    _, entity_id = _entity(call.access, entity_type, entity_name)
    held = tags(call.db, entity_id)
    if key not in held:
        raise absent("tag", key)
    return _shape(entity_type, entity_name, key, held[key])


@routes.on("PATCH", f"{UC}/entity-tag-assignments/{{entity_type}}/{{entity_name}}/tags/{{key}}")
def update_entity_tag_assignment(call: Call, entity_type: str, entity_name: str, key: str) -> Json:
    """Another value."""
    securable, entity_id = _entity(call.access, entity_type, entity_name)
    call.notes.securable = entity_name
    if key not in tags(call.db, entity_id):
        raise absent("tag", key)
    value = call.text("tag_value", "")
    put_tag(call, securable, entity_id, key, value)
    return _shape(entity_type, entity_name, key, value)


@routes.on("DELETE", f"{UC}/entity-tag-assignments/{{entity_type}}/{{entity_name}}/tags/{{key}}")
def delete_entity_tag_assignment(call: Call, entity_type: str, entity_name: str, key: str) -> Json:
    """Take a tag away."""
    securable, entity_id = _entity(call.access, entity_type, entity_name)
    call.notes.securable = entity_name
    drop_tag(call, securable, entity_id, key)
    return {}
