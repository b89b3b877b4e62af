"""Registered models, their versions and aliases, as the catalog's own API has them.

Files of a version lie under the managed storage of its catalog. A version is made through the model registry's API
(`mlflow`), which hands out a credential to write them while the version is PENDING_REGISTRATION, and is final after.
"""

import json
import re
import sqlite3

from localcloud.databricks.access import Access
from localcloud.databricks.errors import absent, exists, invalid
from localcloud.databricks.locations import Location
from localcloud.databricks.names import object_name
from localcloud.databricks.privileges import Kind
from localcloud.databricks.routes.shapes import UC, common
from localcloud.databricks.routes.storage import new_owner
from localcloud.databricks.store import Database, Securable, new_id, now_ms
from localcloud.databricks.web import Call, Json, Routes

routes = Routes()

_ALIAS = re.compile(r"[A-Za-z0-9_-]{1,255}")
_RESERVED_ALIAS = re.compile(r"latest|v\d+", re.IGNORECASE)


def aliases(db: Database, model: Securable, version: int | None = None) -> list[sqlite3.Row]:
    """Aliases of a model, or those on one version."""
    found = db.rows("SELECT alias, version FROM model_aliases WHERE model_id = ? ORDER BY alias", (model.id,))
    return [entry for entry in found if version is None or entry["version"] == version]


def version_row(db: Database, model: Securable, version: int) -> sqlite3.Row | None:
    """A version's row."""
    return db.row("SELECT * FROM model_versions WHERE model_id = ? AND version = ?", (model.id, version))


def version_rows(db: Database, model: Securable) -> list[sqlite3.Row]:
    """All versions of a model, newest first."""
    return db.rows("SELECT * FROM model_versions WHERE model_id = ? ORDER BY version DESC", (model.id,))


def find_version(access: Access, name: str, version: int) -> tuple[Securable, sqlite3.Row]:
    """A version of a model that the caller may see."""
    model = access.find(Kind.MODEL, name)
    row = version_row(access.db, model, version)
    if row is None:
        raise absent("model version", f"{model.full_name}/{version}")
    return model, row


def model_root(access: Access, catalog: Securable, model_id: str) -> Location:
    """Where a model's versions lie: in its catalog's managed storage, by id."""
    root = catalog.details["storage_root"]
    if not root:
        raise invalid(f"catalog '{catalog.name}' has no storage_root, so it can hold no models")
    return Location.parse(root).child("models", model_id)


def storage_of_version(access: Access, model: Securable, row: sqlite3.Row) -> Location:
    """Where a version's files lie."""
    catalog = access.db.chain(model)[-3]
    return model_root(access, catalog, model.id).child("versions", row["id"])


def model_shape(access: Access, model: Securable) -> Json:
    """A registered model as the catalog's API shows it."""
    catalog, schema, name = model.full_name.split(".")
    return {
        **common(access, model),
        "full_name": model.full_name,
        "catalog_name": catalog,
        "schema_name": schema,
        "storage_location": str(model_root(access, access.db.chain(model)[-3], model.id)),
        "aliases": [
            {
                "alias_name": entry["alias"],
                "version_num": entry["version"],
                "catalog_name": catalog,
                "schema_name": schema,
                "model_name": name,
            }
            for entry in aliases(access.db, model)
        ],
    }


def version_shape(access: Access, model: Securable, row: sqlite3.Row) -> Json:
    """A version as the catalog's API shows it."""
    catalog, schema, name = model.full_name.split(".")
    details = json.loads(row["details"])
    return {
        "id": row["id"],
        "model_name": name,
        "catalog_name": catalog,
        "schema_name": schema,
        "metastore_id": access.metastore.id,
        "version": row["version"],
        "status": row["status"],
        "source": details["source"],
        "run_id": details["run_id"],
        "comment": details["comment"],
        "storage_location": str(storage_of_version(access, model, row)),
        "created_at": row["created_at"],
        "created_by": row["created_by"],
        "updated_at": row["updated_at"],
        "updated_by": row["updated_by"],
        "aliases": [
            {"alias_name": entry["alias"], "version_num": entry["version"]}
            for entry in aliases(access.db, model, row["version"])
        ],
    }


def make_model(call: Call, parent: str, name: str, comment: str) -> Securable:
    """A registered model, for who may CREATE MODEL in the schema; its maker owns it."""
    access = call.access
    schema = access.known(Kind.SCHEMA, parent)
    full_name = f"{schema.full_name}.{object_name(name)}"
    call.notes.securable = full_name
    access.require(schema, "USE SCHEMA", "CREATE MODEL")
    if call.db.securable(Kind.MODEL, full_name):
        raise exists("registered model", full_name)
    model_root(access, call.db.chain(schema)[-2], "new")
    return call.db.add_securable(Kind.MODEL, full_name, schema, call.principal, {"comment": comment})


def make_version(call: Call, model: Securable, *, source: str, run_id: str, comment: str) -> sqlite3.Row:
    """The next version, PENDING_REGISTRATION until its files are there. A number is never given twice."""
    call.access.require(model, "CREATE MODEL VERSION")
    last = max([model.details.get("last_version", 0), *(row["version"] for row in version_rows(call.db, model))])
    number, at = last + 1, now_ms()
    details = json.dumps({"source": source, "run_id": run_id, "comment": comment})
    values = (new_id(), model.id, number, "PENDING_REGISTRATION", details, at, call.principal, at, call.principal)
    call.db.execute("INSERT INTO model_versions VALUES (?,?,?,?,?,?,?,?,?)", values)
    call.db.update_securable(model, call.principal, details={**model.details, "last_version": number})
    row = version_row(call.db, model, number)
    assert row is not None  # noqa: S101  (inserted in this transaction)
    return row


def change_version(call: Call, row: sqlite3.Row, *, status: str | None = None, comment: str | None = None) -> None:
    """Set a version's status or comment."""
    details = json.loads(row["details"])
    if comment is not None:
        details["comment"] = comment
    sql = "UPDATE model_versions SET status = ?, details = ?, updated_at = ?, updated_by = ? WHERE id = ?"
    call.db.execute(sql, (status or row["status"], json.dumps(details), now_ms(), call.principal, row["id"]))


def make_ready(call: Call, model: Securable, row: sqlite3.Row) -> sqlite3.Row:
    """Make a version READY, after which no more can be written to it; gives its row as it is then."""
    call.access.require(model, "CREATE MODEL VERSION")
    if row["status"] != "PENDING_REGISTRATION":
        raise invalid(f"model version {row['version']} is {row['status']}, not PENDING_REGISTRATION")
    change_version(call, row, status="READY")
    return find_version(call.access, model.full_name, row["version"])[1]


def remove_version(call: Call, model: Securable, row: sqlite3.Row) -> None:
    """Delete a version, its tags and the aliases on it."""
    call.db.execute("DELETE FROM tags WHERE entity_id = ?", (row["id"],))
    sql = "DELETE FROM model_aliases WHERE model_id = ? AND version = ?"
    call.db.execute(sql, (model.id, row["version"]))
    call.db.execute("DELETE FROM model_versions WHERE id = ?", (row["id"],))


def put_alias(call: Call, model: Securable, alias: str, version: int) -> None:
    """Point an alias at a version; for who manages the model."""
    call.access.require_managed(model)
    if _ALIAS.fullmatch(alias) is None or _RESERVED_ALIAS.fullmatch(alias):
        raise invalid("an alias has letters, digits, '_' and '-' only, and is neither 'latest' nor like 'v1'")
    if version_row(call.db, model, version) is None:
        raise absent("model version", f"{model.full_name}/{version}")
    call.notes.securable, call.notes.operation = f"{model.full_name}@{alias}", f"version {version}"
    call.db.execute("INSERT OR REPLACE INTO model_aliases VALUES (?,?,?)", (model.id, alias.lower(), version))


def remove_alias(call: Call, model: Securable, alias: str) -> None:
    """Take an alias away."""
    call.access.require_managed(model)
    call.notes.securable = f"{model.full_name}@{alias}"
    sql = "DELETE FROM model_aliases WHERE model_id = ? AND alias = ?"
    if not call.db.execute(sql, (model.id, alias.lower())):
        raise absent("alias", alias)


def aliased(access: Access, name: str, alias: str) -> tuple[Securable, sqlite3.Row]:
    """The version that an alias points at."""
    model = access.find(Kind.MODEL, name)
    for entry in aliases(access.db, model):
        if entry["alias"] == alias.lower():
            row = version_row(access.db, model, entry["version"])
            if row is not None:
                return model, row
    raise absent("alias", alias)


def version_number(text: str) -> int:
    """A version number in a path or body."""
    if re.fullmatch(r"[1-9]\d{0,9}", text) is None:
        raise invalid("version must be a positive whole number")
    return int(text)


@routes.on("POST", f"{UC}/models")
def create_registered_model(call: Call) -> Json:
    """A registered model."""
    parent = f"{call.text('catalog_name')}.{call.text('schema_name')}"
    return model_shape(call.access, make_model(call, parent, call.text("name"), call.text("comment", "")))


@routes.on("GET", f"{UC}/models")
def list_registered_models(call: Call) -> Json:
    """Those the caller may see, of a schema or of all."""
    access = call.access
    parent_id = None
    if call.text("catalog_name", "") and call.text("schema_name", ""):
        parent_id = access.known(Kind.SCHEMA, f"{call.text('catalog_name')}.{call.text('schema_name')}").id
    seen = [entry for entry in call.db.securables(Kind.MODEL, parent_id) if access.visible(entry)]
    return call.page("registered_models", [(entry.full_name, model_shape(access, entry)) for entry in seen])


@routes.on("GET", f"{UC}/models/{{name}}")
def get_registered_model(call: Call, name: str) -> Json:
    """By full name."""
    return model_shape(call.access, call.access.find(Kind.MODEL, name))


@routes.on("PATCH", f"{UC}/models/{{name}}")
def update_registered_model(call: Call, name: str) -> Json:
    """Another comment or owner."""
    access = call.access
    model = access.find(Kind.MODEL, name)
    call.notes.securable = model.full_name
    access.require_managed(model)
    details = {**model.details, "comment": call.text("comment", model.details["comment"])}
    owner = new_owner(call, model)
    return model_shape(access, call.db.update_securable(model, call.principal, owner=owner, details=details))


@routes.on("DELETE", f"{UC}/models/{{name}}")
def delete_registered_model(call: Call, name: str) -> Json:
    """With its versions; their files stay until the storage's owner removes them."""
    model = call.access.find(Kind.MODEL, name)
    call.notes.securable = model.full_name
    call.access.require_managed(model)
    call.db.remove_securable(model)
    return {}


@routes.on("PUT", f"{UC}/models/{{name}}/aliases/{{alias}}")
def set_registered_model_alias(call: Call, name: str, alias: str) -> Json:
    """Point an alias at a version."""
    model = call.access.find(Kind.MODEL, name)
    version = call.integer("version_num")
    put_alias(call, model, alias, version)
    catalog, schema, short = model.full_name.split(".")
    return {
        "alias_name": alias.lower(),
        "version_num": version,
        "catalog_name": catalog,
        "schema_name": schema,
        "model_name": short,
    }


@routes.on("DELETE", f"{UC}/models/{{name}}/aliases/{{alias}}")
def delete_registered_model_alias(call: Call, name: str, alias: str) -> Json:
    """Take an alias away."""
    remove_alias(call, call.access.find(Kind.MODEL, name), alias)
    return {}


@routes.on("GET", f"{UC}/models/{{name}}/aliases/{{alias}}")
def get_model_version_by_alias(call: Call, name: str, alias: str) -> Json:
    """The version that an alias points at."""
    model, row = aliased(call.access, name, alias)
    return version_shape(call.access, model, row)


@routes.on("POST", f"{UC}/models/versions")
def create_model_version(call: Call) -> Json:
    """A new version that waits for its files, as the open-source Unity Catalog's clients make it."""
    parts = [call.text(key) for key in ("catalog_name", "schema_name", "model_name")]
    model = call.access.find(Kind.MODEL, ".".join(parts))
    row = make_version(
        call, model, source=call.text("source", ""), run_id=call.text("run_id", ""), comment=call.text("comment", "")
    )
    call.notes.securable = f"{model.full_name}/{row['version']}"
    return version_shape(call.access, model, row)


@routes.on("PATCH", f"{UC}/models/{{name}}/versions/{{version}}/finalize")
def finalize_model_version(call: Call, name: str, version: str) -> Json:
    """The files are there: the version becomes READY."""
    model, row = find_version(call.access, name, version_number(version))
    call.notes.securable = f"{model.full_name}/{version}"
    return version_shape(call.access, model, make_ready(call, model, row))


@routes.on("GET", f"{UC}/models/{{name}}/versions")
def list_model_versions(call: Call, name: str) -> Json:
    """All versions, newest first."""
    access = call.access
    model = access.find(Kind.MODEL, name)
    rows = version_rows(call.db, model)
    entries = [(f"{10**10 - row['version']:011d}", version_shape(access, model, row)) for row in rows]
    return call.page("model_versions", entries)


@routes.on("GET", f"{UC}/models/{{name}}/versions/{{version}}")
def get_model_version(call: Call, name: str, version: str) -> Json:
    """By number."""
    model, row = find_version(call.access, name, version_number(version))
    return version_shape(call.access, model, row)


@routes.on("PATCH", f"{UC}/models/{{name}}/versions/{{version}}")
def update_model_version(call: Call, name: str, version: str) -> Json:
    """Another comment."""
    model, row = find_version(call.access, name, version_number(version))
    call.notes.securable = f"{model.full_name}/{version}"
    call.access.require_managed(model)
    change_version(call, row, comment=call.text("comment", ""))
    _, changed = find_version(call.access, name, row["version"])
    return version_shape(call.access, model, changed)


@routes.on("DELETE", f"{UC}/models/{{name}}/versions/{{version}}")
def delete_model_version(call: Call, name: str, version: str) -> Json:
    """Delete a version; its number is not used again."""
    model, row = find_version(call.access, name, version_number(version))
    call.notes.securable = f"{model.full_name}/{version}"
    call.access.require_managed(model)
    remove_version(call, model, row)
    return {}
