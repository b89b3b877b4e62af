"""Credential vending: one short-lived storage credential for one table, path or model version.

Each handler decides in one transaction and asks STS outside it, so that a slow STS holds nobody up.
"""

from localcloud.databricks.access import Access
from localcloud.databricks.errors import absent, denied, invalid
from localcloud.databricks.locations import Location
from localcloud.databricks.privileges import Kind
from localcloud.databricks.routes.models import storage_of_version, version_row
from localcloud.databricks.routes.shapes import UC, UC20
from localcloud.databricks.routes.storage import covering_location, credential_of
from localcloud.databricks.routes.tables import refuse_overlap, table_by_id
from localcloud.databricks.routes.volumes import volume_by_id
from localcloud.databricks.store import Securable
from localcloud.databricks.vending import Order
from localcloud.databricks.web import Call, Json, Routes

routes = Routes()

_TABLE_OPERATIONS = {"READ": ("SELECT",), "READ_WRITE": ("SELECT", "MODIFY")}
_VOLUME_OPERATIONS = {"READ_VOLUME": ("READ VOLUME",), "WRITE_VOLUME": ("READ VOLUME", "WRITE VOLUME")}
_PATH_OPERATIONS = {
    "PATH_READ": ("READ FILES",),
    "PATH_READ_WRITE": ("READ FILES", "WRITE FILES"),
    "PATH_CREATE_TABLE": ("CREATE EXTERNAL TABLE",),
}
_MODEL_OPERATIONS = {
    "READ_MODEL_VERSION": False,
    "READ_WRITE_MODEL_VERSION": True,
    "MODEL_VERSION_OPERATION_READ": False,
    "MODEL_VERSION_OPERATION_READ_WRITE": True,
}


def _operation(call: Call, known: tuple[str, ...]) -> str:
    operation = call.text("operation")
    if operation not in known:
        raise invalid(f"operation must be one of {', '.join(known)}")
    call.notes.operation = operation
    return operation


def _require_external_access(access: Access) -> None:
    if not access.metastore.details["external_access_enabled"]:
        raise denied("External data access is not enabled on this metastore.")


def _vend(call: Call, order: Order) -> Json:
    answer = call.workspace.vendor.vend(order)
    call.notes.credential_id = answer["aws_temp_credentials"]["access_key_id"]
    return answer


def _order(access: Access, credential: Securable, place: Location, *, write: bool) -> Order:
    role = credential.details["aws_iam_role"]
    if write and credential.details.get("read_only"):
        raise denied("The storage credential of this place is read-only.")
    return Order(role["role_arn"], role["external_id"], access.principal, place, write)


@routes.on(
    "POST",
    f"{UC}/temporary-table-credentials",
    f"{UC20}/temporary-table-credentials",
    own_transactions=True,
)
def generate_temporary_table_credential(call: Call) -> Json:
    """A credential for a table's files, for who may read (or write) the table and use its schema from outside."""
    operation = _operation(call, tuple(_TABLE_OPERATIONS))
    with call.workspace.store.transaction() as db:
        access = Access(db, call.principal)
        table = table_by_id(access, call.text("table_id"))
        call.notes.securable = table.full_name
        _require_table(access, table, operation)
        place = Location.parse(table.details["storage_location"])
        order = _order(access, _credential_over(access, place), place, write=operation == "READ_WRITE")
    return _vend(call, order)


def _require_table(access: Access, table: Securable, operation: str) -> None:
    _require_external_access(access)
    access.require(table, *_TABLE_OPERATIONS[operation])
    schema = access.db.chain(table)[-2]
    access.require(schema, "EXTERNAL USE SCHEMA")
    row_filter = table.details.get("row_filter")
    if row_filter:
        raise denied(
            f"Table '{table.full_name}' has row filter '{row_filter['function_name']}': no credential is given for it."
        )
    for column in table.details["columns"]:
        if column.get("mask"):
            raise denied(
                f"Table '{table.full_name}' has a column mask on '{column['name']}': no credential is given for it."
            )


@routes.on(
    "POST",
    f"{UC}/temporary-volume-credentials",
    f"{UC20}/temporary-volume-credentials",
    own_transactions=True,
)
def generate_temporary_volume_credential(call: Call) -> Json:
    """A credential for a volume's files, for who may read (or write) it and use its schema from outside."""
    operation = _operation(call, tuple(_VOLUME_OPERATIONS))
    with call.workspace.store.transaction() as db:
        access = Access(db, call.principal)
        volume = volume_by_id(access, call.text("volume_id"))
        call.notes.securable = volume.full_name
        _require_external_access(access)
        access.require(volume, *_VOLUME_OPERATIONS[operation])
        access.require(access.db.chain(volume)[-2], "EXTERNAL USE SCHEMA")
        place = Location.parse(volume.details["storage_location"])
        order = _order(access, _credential_over(access, place), place, write=operation == "WRITE_VOLUME")
    return _vend(call, order)


def _credential_over(access: Access, place: Location) -> Securable:
    location = covering_location(access, place)
    if location is None:
        raise invalid(f"no external location covers '{place}' any more; its administrator must make one")
    return credential_of(access, location)


@routes.on(
    "POST",
    f"{UC}/temporary-path-credentials",
    f"{UC20}/temporary-path-credentials",
    own_transactions=True,
)
def generate_temporary_path_credential(call: Call) -> Json:
    """A credential for a path in an external location. The path of a table is vended as that table is, in addition;
    a path above tables is refused, since it would open them all."""
    operation = _operation(call, tuple(_PATH_OPERATIONS))
    place = Location.parse(call.text("url"))
    call.notes.securable = str(place)
    with call.workspace.store.transaction() as db:
        access = Access(db, call.principal)
        _require_external_access(access)
        location = covering_location(access, place)
        needed = ("EXTERNAL USE LOCATION", *_PATH_OPERATIONS[operation])
        # One answer, whether there is no such location, it is hidden, or a privilege is missing.
        if location is None or not all(access.can(location, privilege) for privilege in needed):
            raise denied(f"No external location that {access.principal} may use so covers '{place}'.")
        _require_table_at(access, place, operation)
        write = operation != "PATH_READ"
        if write and location.details.get("read_only"):
            raise denied(f"External location '{location.name}' is read-only.")
        order = _order(access, credential_of(access, location), place, write=write)
    return _vend(call, order)


def _require_table_at(access: Access, place: Location, operation: str) -> None:
    for table in access.db.securables(Kind.TABLE):
        inside = Location.parse(table.details["storage_location"]).covers(place)
        if inside and operation != "PATH_CREATE_TABLE":
            if not access.visible(table):
                raise denied(f"{access.principal} does not have permission on the table at '{place}'.")
            _require_table(access, table, "READ" if operation == "PATH_READ" else "READ_WRITE")
            return
    refuse_overlap(access, place)


@routes.on(
    "POST",
    f"{UC}/temporary-model-version-credentials",
    f"{UC20}/temporary-model-version-credentials",
    own_transactions=True,
)
def generate_temporary_model_version_credential(call: Call) -> Json:
    """A credential for a model version's files, named by catalog, schema, model and version."""
    parts = [call.text(key) for key in ("catalog_name", "schema_name", "model_name")]
    return vend_model_version(call, ".".join(parts), call.integer("version"))


def vend_model_version(call: Call, model_name: str, version: int) -> Json:
    """Reading needs EXECUTE on the model; writing is for its owner and who may make versions, until it is READY."""
    operation = _operation(call, tuple(_MODEL_OPERATIONS))
    write = _MODEL_OPERATIONS[operation]
    with call.workspace.store.transaction() as db:
        access = Access(db, call.principal)
        model = access.find(Kind.MODEL, model_name)
        call.notes.securable = f"{model.full_name}/{version}"
        access.require(model, "CREATE MODEL VERSION" if write else "EXECUTE")
        row = version_row(db, model, version)
        if row is None:
            raise absent("model version", f"{model.full_name}/{version}")
        if write and row["status"] != "PENDING_REGISTRATION":
            raise denied(f"Model version {version} of '{model.full_name}' is final; make a new version instead.")
        place = storage_of_version(access, model, row)
        order = _order(access, _credential_over(access, place), place, write=write)
    return _vend(call, order)
