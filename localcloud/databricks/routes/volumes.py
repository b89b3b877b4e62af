"""Volumes: folders of files in the catalog. External ones lie in an external location, managed ones with the catalog.

Privileges as in "What are Unity Catalog volumes?": CREATE VOLUME on the schema, CREATE EXTERNAL VOLUME on the external
location, READ VOLUME and WRITE VOLUME on the volume or what holds it.
"""

from localcloud.databricks.access import Access
from localcloud.databricks.errors import absent, denied, exists, invalid
from localcloud.databricks.locations import Location
from localcloud.databricks.names import object_name
from localcloud.databricks.privileges import Kind
from localcloud.databricks.routes.shapes import UC, common
from localcloud.databricks.routes.storage import covering_location, new_owner
from localcloud.databricks.routes.tables import refuse_overlap
from localcloud.databricks.store import Securable, new_id
from localcloud.databricks.web import Call, Json, Routes

routes = Routes()

_TYPES = ("EXTERNAL", "MANAGED")


def _shape(access: Access, volume: Securable) -> Json:
    catalog, schema, _ = volume.full_name.split(".")
    names = {"full_name": volume.full_name, "catalog_name": catalog, "schema_name": schema, "volume_id": volume.id}
    return {**common(access, volume), **names}


@routes.on("POST", f"{UC}/volumes")
def create_volume(call: Call) -> Json:
    """A volume; its maker owns it."""
    access, name = call.access, object_name(call.text("name"))
    schema = access.known(Kind.SCHEMA, f"{call.text('catalog_name')}.{call.text('schema_name')}")
    full_name = f"{schema.full_name}.{name}"
    call.notes.securable = full_name
    kind = call.text("volume_type")
    if kind not in _TYPES:
        raise invalid(f"volume_type must be one of {', '.join(_TYPES)}")
    access.require(schema, "USE SCHEMA", "CREATE VOLUME")
    if call.db.securable(Kind.VOLUME, full_name):
        raise exists("volume", full_name)
    place = _external_place(call) if kind == "EXTERNAL" else _managed_place(call, schema)
    details = {"volume_type": kind, "storage_location": str(place), "comment": call.text("comment", "")}
    return _shape(access, call.db.add_securable(Kind.VOLUME, full_name, schema, call.principal, details))


def _external_place(call: Call) -> Location:
    access, place = call.access, Location.parse(call.text("storage_location"))
    location = covering_location(access, place)
    if location is None or not access.can(location, "CREATE EXTERNAL VOLUME"):
        raise denied(f"No external location that {access.principal} may use so covers '{place}'.")
    refuse_overlap(access, place)
    return place


def _managed_place(call: Call, schema: Securable) -> Location:
    if call.text("storage_location", ""):
        raise invalid("a managed volume has no storage_location of its own")
    catalog = call.db.chain(schema)[-2]
    root = catalog.details["storage_root"]
    if not root:
        raise invalid(f"catalog '{catalog.name}' has no storage_root, so it can hold no managed volumes")
    return Location.parse(root).child("volumes", new_id())


@routes.on("GET", f"{UC}/volumes")
def list_volumes(call: Call) -> Json:
    """Those of a schema that the caller may see."""
    access = call.access
    schema = access.known(Kind.SCHEMA, f"{call.text('catalog_name')}.{call.text('schema_name')}")
    seen = [entry for entry in call.db.securables(Kind.VOLUME, schema.id) if access.visible(entry)]
    return call.page("volumes", [(entry.full_name, _shape(access, entry)) for entry in seen])


@routes.on("GET", f"{UC}/volumes/{{name}}")
def get_volume(call: Call, name: str) -> Json:
    """By full name."""
    call.notes.securable = name
    return _shape(call.access, call.access.find(Kind.VOLUME, name))


@routes.on("PATCH", f"{UC}/volumes/{{name}}")
def update_volume(call: Call, name: str) -> Json:
    """Another comment or owner; a volume is not renamed."""
    access = call.access
    volume = access.find(Kind.VOLUME, name)
    call.notes.securable = volume.full_name
    access.require_managed(volume)
    if call.text("new_name", volume.name) != volume.name:
        raise invalid("a volume cannot be renamed here")
    details = {**volume.details, "comment": call.text("comment", volume.details["comment"])}
    owner = new_owner(call, volume)
    return _shape(access, call.db.update_securable(volume, call.principal, owner=owner, details=details))


@routes.on("DELETE", f"{UC}/volumes/{{name}}")
def delete_volume(call: Call, name: str) -> Json:
    """Forget a volume; its files stay."""
    volume = call.access.find(Kind.VOLUME, name)
    call.notes.securable = volume.full_name
    call.access.require_managed(volume)
    call.db.remove_securable(volume)
    return {}


def volume_by_id(access: Access, volume_id: str) -> Securable:
    """A volume that the caller may know of, by id.

    Raises:
        ApiError: 404 when there is none, or it is hidden.
    """
    volume = access.db.securable_by_id(volume_id)
    if volume is None or volume.kind is not Kind.VOLUME or not access.knows(volume):
        raise absent("volume", volume_id)
    return volume
