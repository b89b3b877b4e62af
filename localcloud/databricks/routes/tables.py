"""Tables: external Delta, as clients outside the workspace may register them."""

from typing import Any

from localcloud.databricks.access import Access
from localcloud.databricks.errors import ApiError, absent, denied, exists, invalid
from localcloud.databricks.locations import Location
from localcloud.databricks.names import full_name, object_name
from localcloud.databricks.privileges import Kind
from localcloud.databricks.routes.shapes import UC, common
from localcloud.databricks.routes.storage import covering_location, credential_of, new_owner
from localcloud.databricks.store import Securable
from localcloud.databricks.web import Call, Json, Routes

routes = Routes()

MAX_COLUMNS = 5000
_TYPE_NAMES = frozenset(
    {
        "ARRAY",
        "BINARY",
        "BOOLEAN",
        "BYTE",
        "CHAR",
        "DATE",
        "DECIMAL",
        "DOUBLE",
        "FLOAT",
        "INT",
        "INTERVAL",
        "LONG",
        "MAP",
        "NULL",
        "SHORT",
        "STRING",
        "STRUCT",
        "TIMESTAMP",
        "TIMESTAMP_NTZ",
        "USER_DEFINED_TYPE",
        "VARIANT",
    }
)
_COLUMN_TEXTS = ("name", "type_text", "type_json", "comment", "type_interval_type")
_COLUMN_NUMBERS = ("position", "partition_index", "type_precision", "type_scale")


def shape(access: Access, table: Securable) -> Json:
    """A table as the API shows it."""
    catalog, schema, _ = table.full_name.split(".")
    return {
        **common(access, table),
        "full_name": table.full_name,
        "catalog_name": catalog,
        "schema_name": schema,
        "table_id": table.id,
    }


def _columns(call: Call) -> list[Json]:
    given = call.objects("columns")
    if len(given) > MAX_COLUMNS:
        raise invalid(f"a table has at most {MAX_COLUMNS} columns")
    columns = [_column(entry, position) for position, entry in enumerate(given)]
    if len({column["name"].lower() for column in columns}) != len(columns):
        raise invalid("columns must have different names")
    return columns


def _column(given: Json, position: int) -> Json:
    column: Json = {"position": position, "nullable": given.get("nullable", True)}
    for key in _COLUMN_TEXTS:
        if key in given and not isinstance(given[key], str):
            raise invalid(f"columns[{position}].{key} must be a string")
    for key in _COLUMN_NUMBERS:
        if key in given and (not isinstance(given[key], int) or isinstance(given[key], bool)):
            raise invalid(f"columns[{position}].{key} must be a whole number")
    if not given.get("name") or given.get("type_name") not in _TYPE_NAMES:
        raise invalid(f"columns[{position}] needs a name and a type_name of the catalog")
    if not isinstance(column["nullable"], bool):
        raise invalid(f"columns[{position}].nullable must be true or false")
    if given.get("mask"):
        raise invalid("column masks are not supported when a table is made through this API")
    known = (*_COLUMN_TEXTS, *_COLUMN_NUMBERS, "type_name")
    return {**column, **{key: given[key] for key in known if key in given}}


@routes.on("POST", f"{UC}/tables")
def create_table(call: Call) -> Json:
    """Register an external Delta table.

    Needs what the API's reference names: CREATE TABLE and EXTERNAL USE SCHEMA on the schema, CREATE EXTERNAL TABLE
    and EXTERNAL USE LOCATION on the external location that covers it, and usage of the containers.
    """
    access, name = call.access, object_name(call.text("name"))
    parent = f"{call.text('catalog_name')}.{call.text('schema_name')}"
    schema = access.known(Kind.SCHEMA, parent)
    table_name = f"{schema.full_name}.{name}"
    call.notes.securable = table_name
    if call.text("table_type") != "EXTERNAL" or call.text("data_source_format") != "DELTA":
        raise invalid(f"'{table_name}': only EXTERNAL tables in DELTA format are made through this API")
    access.require(schema, "USE SCHEMA", "CREATE TABLE", "EXTERNAL USE SCHEMA")
    place = Location.parse(call.text("storage_location"))
    location = _external_location(access, place)
    if call.db.securable(Kind.TABLE, table_name):
        raise exists("table", table_name)
    refuse_overlap(access, place)
    details = {
        "table_type": "EXTERNAL",
        "data_source_format": "DELTA",
        "storage_location": str(place),
        "storage_credential_name": credential_of(access, location).name,
        "columns": _columns(call),
        "comment": call.text("comment", ""),
        "properties": call.strings("properties"),
    }
    made = call.db.add_securable(Kind.TABLE, table_name, schema, call.principal, details)
    return shape(access, made)


def _external_location(access: Access, place: Location) -> Securable:
    location = covering_location(access, place)
    if location is None:
        raise denied(f"No external location that {access.principal} may use covers '{place}'.")
    for privilege in ("CREATE EXTERNAL TABLE", "EXTERNAL USE LOCATION"):
        if not access.can(location, privilege):
            raise denied(f"{access.principal} does not have permission on the external location of '{place}'.")
    return location


def refuse_overlap(access: Access, place: Location) -> None:
    """Raise 400 where the location of a table or volume, or a catalog's managed storage, overlaps `place`."""
    for kind in (Kind.TABLE, Kind.VOLUME):
        for entry in access.db.securables(kind):
            if Location.parse(entry.details["storage_location"]).overlaps(place):
                whose = f"{kind} '{entry.full_name}'" if access.visible(entry) else f"another {kind}"
                raise _overlap(place, whose)
    for catalog in access.db.securables(Kind.CATALOG):
        root = catalog.details["storage_root"]
        if root and Location.parse(root).overlaps(place):
            raise _overlap(place, "a catalog's managed storage")


def _overlap(place: Location, whose: str) -> ApiError:
    error = invalid(f"'{place}' overlaps with the location of {whose}")
    error.error_code = "LOCATION_OVERLAP"
    return error


@routes.on("GET", f"{UC}/tables")
def list_tables(call: Call) -> Json:
    """Those of a schema that the caller may see."""
    access = call.access
    schema = access.known(Kind.SCHEMA, f"{call.text('catalog_name')}.{call.text('schema_name')}")
    seen = [entry for entry in call.db.securables(Kind.TABLE, schema.id) if access.visible(entry)]
    return call.page("tables", [(entry.full_name, shape(access, entry)) for entry in seen])


@routes.on("GET", f"{UC}/tables/{{name}}")
def get_table(call: Call, name: str) -> Json:
    """By full name."""
    call.notes.securable = name
    return shape(call.access, call.access.find(Kind.TABLE, name))


@routes.on("GET", f"{UC}/tables/{{name}}/exists")
def table_exists(call: Call, name: str) -> Json:
    """Whether the caller sees a table of that name; a hidden one does not exist."""
    call.notes.securable = name
    parts = full_name(name, 3)
    schema = call.access.known(Kind.SCHEMA, ".".join(parts[:2]))
    found = call.db.securable(Kind.TABLE, ".".join(parts))
    return {"table_exists": found is not None and (call.access.visible(found) or call.access.reaches(schema))}


@routes.on("PATCH", f"{UC}/tables/{{name}}")
def update_table(call: Call, name: str) -> Json:
    """Another owner, comment, properties or columns.

    A row filter and column masks, which the real service takes in SQL only, are set here by `row_filter` and
    `column_masks` (a map of column to function), so that their refusal can be tried.
    """
    access = call.access
    table = access.find(Kind.TABLE, name)
    call.notes.securable = table.full_name
    access.require_managed(table)
    details: dict[str, Any] = dict(table.details)
    if "comment" in call.body:
        details["comment"] = call.text("comment", "")
    if "properties" in call.body:
        details["properties"] = call.strings("properties")
    if "columns" in call.body:
        details["columns"] = _columns(call)
    if "row_filter" in call.body:
        details["row_filter"] = _row_filter(call)
    if "column_masks" in call.body:
        masks = call.strings("column_masks")
        details["columns"] = [_masked(column, masks.get(column["name"])) for column in details["columns"]]
    owner = new_owner(call, table)
    return shape(access, call.db.update_securable(table, call.principal, owner=owner, details=details))


def _row_filter(call: Call) -> Json | None:
    given = call.body["row_filter"]
    if given is None:
        return None
    if not isinstance(given, dict) or not isinstance(given.get("function_name"), str):
        raise invalid("row_filter needs a function_name")
    columns = given.get("input_column_names") or []
    if not isinstance(columns, list) or not all(isinstance(column, str) for column in columns):
        raise invalid("row_filter.input_column_names must be a list of names")
    return {"function_name": given["function_name"], "input_column_names": columns}


def _masked(column: Json, function: str | None) -> Json:
    plain = {key: value for key, value in column.items() if key != "mask"}
    return {**plain, "mask": {"function_name": function}} if function else plain


@routes.on("DELETE", f"{UC}/tables/{{name}}")
def delete_table(call: Call, name: str) -> Json:
    """Forget a table; its files stay, as those of every external table."""
    access = call.access
    table = access.find(Kind.TABLE, name)
    call.notes.securable = table.full_name
    access.require_managed(table)
    call.db.remove_securable(table)
    return {}


def table_by_id(access: Access, table_id: str) -> Securable:
    """A table that the caller may know of, by id.

    Raises:
        ApiError: 404 when there is none, or it is hidden.
    """
    table = access.db.securable_by_id(table_id)
    if table is None or table.kind is not Kind.TABLE or not access.knows(table):
        raise absent("table", table_id)
    return table
