"""Catalogs and schemas."""

from localcloud.databricks.access import Access
from localcloud.databricks.errors import exists, in_use, invalid
from localcloud.databricks.locations import Location
from localcloud.databricks.names import object_name
from localcloud.databricks.privileges import Kind
from localcloud.databricks.routes.shapes import UC, common
from localcloud.databricks.routes.storage import covering_location, new_owner
from localcloud.databricks.store import Database, Securable
from localcloud.databricks.web import Call, Json, Routes

routes = Routes()


def _catalog(access: Access, catalog: Securable) -> Json:
    body = common(access, catalog)
    return {**body, "full_name": catalog.full_name, "catalog_type": "MANAGED_CATALOG", "securable_type": "CATALOG"}


def _schema(access: Access, schema: Securable) -> Json:
    body = common(access, schema)
    catalog, _ = schema.full_name.split(".")
    return {**body, "full_name": schema.full_name, "catalog_name": catalog, "schema_id": schema.id}


def _storage_root(call: Call) -> str:
    """The managed storage of a catalog: in an external location where the caller may keep it."""
    if not call.text("storage_root", ""):
        return ""
    access, place = call.access, Location.parse(call.text("storage_root"))
    location = covering_location(access, place)
    if location is None:
        raise invalid(f"storage_root '{place}' is in no external location; make one that covers it")
    access.require(location, "CREATE MANAGED STORAGE")
    return str(place)


@routes.on("POST", f"{UC}/catalogs")
def create_catalog(call: Call) -> Json:
    """A catalog."""
    access, name = call.access, object_name(call.text("name"))
    call.notes.securable = name
    access.require(access.metastore, "CREATE CATALOG")
    if call.db.securable(Kind.CATALOG, name):
        raise exists("catalog", name)
    details = {
        "comment": call.text("comment", ""),
        "properties": call.strings("properties"),
        "storage_root": _storage_root(call),
    }
    made = call.db.add_securable(Kind.CATALOG, name, access.metastore, call.principal, details)
    return _catalog(access, made)


@routes.on("GET", f"{UC}/catalogs")
def list_catalogs(call: Call) -> Json:
    """Those the caller may see."""
    access = call.access
    seen = [entry for entry in call.db.securables(Kind.CATALOG) if access.visible(entry)]
    return call.page("catalogs", [(entry.full_name, _catalog(access, entry)) for entry in seen])


@routes.on("GET", f"{UC}/catalogs/{{name}}")
def get_catalog(call: Call, name: str) -> Json:
    """By name."""
    call.notes.securable = name
    return _catalog(call.access, call.access.find(Kind.CATALOG, name))


@routes.on("PATCH", f"{UC}/catalogs/{{name}}")
def update_catalog(call: Call, name: str) -> Json:
    """Another comment, properties or owner."""
    catalog = call.access.find(Kind.CATALOG, name)
    return _catalog(call.access, _update(call, catalog))


@routes.on("DELETE", f"{UC}/catalogs/{{name}}")
def delete_catalog(call: Call, name: str) -> Json:
    """An empty one, or with `force` one with all that it holds."""
    return _delete(call, call.access.find(Kind.CATALOG, name))


@routes.on("POST", f"{UC}/schemas")
def create_schema(call: Call) -> Json:
    """A schema."""
    access, name = call.access, object_name(call.text("name"))
    catalog = access.known(Kind.CATALOG, call.text("catalog_name"))
    full_name = f"{catalog.name}.{name}"
    call.notes.securable = full_name
    access.require(catalog, "USE CATALOG", "CREATE SCHEMA")
    if call.db.securable(Kind.SCHEMA, full_name):
        raise exists("schema", full_name)
    details = {"comment": call.text("comment", ""), "properties": call.strings("properties")}
    made = call.db.add_securable(Kind.SCHEMA, full_name, catalog, call.principal, details)
    return _schema(access, made)


@routes.on("GET", f"{UC}/schemas")
def list_schemas(call: Call) -> Json:
    """Those of a catalog that the caller may see."""
    access = call.access
    catalog = access.known(Kind.CATALOG, call.text("catalog_name"))
    seen = [entry for entry in call.db.securables(Kind.SCHEMA, catalog.id) if access.visible(entry)]
    return call.page("schemas", [(entry.full_name, _schema(access, entry)) for entry in seen])


@routes.on("GET", f"{UC}/schemas/{{name}}")
def get_schema(call: Call, name: str) -> Json:
    """By full name."""
    call.notes.securable = name
    return _schema(call.access, call.access.find(Kind.SCHEMA, name))


@routes.on("PATCH", f"{UC}/schemas/{{name}}")
def update_schema(call: Call, name: str) -> Json:
    """Another comment, properties or owner."""
    schema = call.access.find(Kind.SCHEMA, name)
    return _schema(call.access, _update(call, schema))


@routes.on("DELETE", f"{UC}/schemas/{{name}}")
def delete_schema(call: Call, name: str) -> Json:
    """An empty one, or with `force` one with all that it holds."""
    return _delete(call, call.access.find(Kind.SCHEMA, name))


def _update(call: Call, container: Securable) -> Securable:
    call.notes.securable = container.full_name
    call.access.require_managed(container)
    details = dict(container.details)
    if "comment" in call.body:
        details["comment"] = call.text("comment", "")
    if "properties" in call.body:
        details["properties"] = call.strings("properties")
    return call.db.update_securable(container, call.principal, owner=new_owner(call, container), details=details)


def _delete(call: Call, container: Securable) -> Json:
    call.notes.securable = container.full_name
    call.access.require_managed(container)
    if call.db.children(container) and not call.boolean("force"):
        raise in_use(f"{container.kind.capitalize()} '{container.full_name}' is not empty; force deletes it whole.")
    _remove(call.db, container)
    return {}


def _remove(db: Database, securable: Securable) -> None:
    for child in db.children(securable):
        _remove(db, child)
    db.remove_securable(securable)
