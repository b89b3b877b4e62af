"""The model registry's API of the workspace, which MLflow's `databricks-uc` registry and other clients speak.

A version is made in three steps: create (PENDING_REGISTRATION), write its files with a temporary credential, finalize
(READY). A version number is a string here, as in the API's own messages.
"""

import json
import re
import sqlite3

from localcloud.databricks.access import Access
from localcloud.databricks.errors import invalid
from localcloud.databricks.names import full_name
from localcloud.databricks.privileges import Kind
from localcloud.databricks.routes.credentials import vend_model_version
from localcloud.databricks.routes.models import (
    aliased,
    aliases,
    change_version,
    find_version,
    make_model,
    make_ready,
    make_version,
    put_alias,
    remove_alias,
    remove_version,
    storage_of_version,
    version_number,
    version_rows,
)
from localcloud.databricks.routes.tags import drop_tag, put_tag, tags
from localcloud.databricks.store import Securable
from localcloud.databricks.web import Call, Json, Routes

routes = Routes()

MODELS = "/api/2.0/mlflow/unity-catalog/registered-models"
VERSIONS = "/api/2.0/mlflow/unity-catalog/model-versions"
_FILTER = re.compile(r"\s*name\s*=\s*(['\"])([^'\"]+)\1\s*")


def _tags_of(call: Call, entity_id: str) -> list[Json]:
    return [{"key": key, "value": value} for key, value in tags(call.db, entity_id).items()]


def _model(call: Call, model: Securable) -> Json:
    return {
        "name": model.full_name,
        "description": model.details["comment"],
        "user_id": model.owner,
        "creation_timestamp": model.created_at,
        "last_updated_timestamp": model.updated_at,
        "aliases": [{"alias": entry["alias"], "version": str(entry["version"])} for entry in aliases(call.db, model)],
        "tags": _tags_of(call, model.id),
    }


def _version(call: Call, model: Securable, row: sqlite3.Row) -> Json:
    details = json.loads(row["details"])
    return {
        "name": model.full_name,
        "version": str(row["version"]),
        "status": row["status"],
        "source": details["source"],
        "run_id": details["run_id"],
        "description": details["comment"],
        "user_id": row["created_by"],
        "storage_location": str(storage_of_version(call.access, model, row)),
        "creation_timestamp": row["created_at"],
        "last_updated_timestamp": row["updated_at"],
        "aliases": [
            {"alias": entry["alias"], "version": str(entry["version"])}
            for entry in aliases(call.db, model, row["version"])
        ],
        "tags": _tags_of(call, row["id"]),
    }


def _given_tags(call: Call) -> list[tuple[str, str]]:
    pairs = [(entry.get("key"), entry.get("value", "")) for entry in call.objects("tags")]
    if not all(isinstance(key, str) and isinstance(value, str) for key, value in pairs):
        raise invalid("tags must be a list of objects with key and value")
    return [(str(key), str(value)) for key, value in pairs]


def _named(call: Call) -> Securable:
    return call.access.find(Kind.MODEL, call.text("name"))


def _numbered(call: Call, access: Access) -> tuple[Securable, sqlite3.Row]:
    model, row = find_version(access, call.text("name"), version_number(str(call.integer("version"))))
    call.notes.securable = f"{model.full_name}/{row['version']}"
    return model, row


@routes.on("POST", f"{MODELS}/create")
def mlflow_create_registered_model(call: Call) -> Json:
    """A registered model, with tags."""
    catalog, schema, name = full_name(call.text("name"), 3)
    model = make_model(call, f"{catalog}.{schema}", name, call.text("description", ""))
    for key, value in _given_tags(call):
        put_tag(call, model, model.id, key, value)
    return {"registered_model": _model(call, model)}


@routes.on("GET", f"{MODELS}/get")
def mlflow_get_registered_model(call: Call) -> Json:
    """By full name."""
    return {"registered_model": _model(call, _named(call))}


@routes.on("PATCH", f"{MODELS}/update")
def mlflow_update_registered_model(call: Call) -> Json:
    """Another description; a model is not renamed."""
    model = _named(call)
    call.notes.securable = model.full_name
    call.access.require_managed(model)
    if call.text("new_name", model.full_name) != model.full_name:
        raise invalid("a registered model cannot be renamed here")
    details = {**model.details, "comment": call.text("description", "")}
    return {"registered_model": _model(call, call.db.update_securable(model, call.principal, details=details))}


@routes.on("DELETE", f"{MODELS}/delete")
def mlflow_delete_registered_model(call: Call) -> Json:
    """With its versions."""
    model = _named(call)
    call.notes.securable = model.full_name
    call.access.require_managed(model)
    call.db.remove_securable(model)
    return {}


@routes.on("GET", f"{MODELS}/search")
def mlflow_search_registered_models(call: Call) -> Json:
    """Those the caller may see."""
    seen = [entry for entry in call.db.securables(Kind.MODEL) if call.access.visible(entry)]
    return call.page("registered_models", [(entry.full_name, _model(call, entry)) for entry in seen])


@routes.on("POST", f"{MODELS}/set-tag")
def mlflow_set_registered_model_tag(call: Call) -> Json:
    """Set a tag on a model."""
    model = _named(call)
    call.notes.securable = model.full_name
    put_tag(call, model, model.id, call.text("key"), call.text("value", ""))
    return {}


@routes.on("DELETE", f"{MODELS}/delete-tag")
def mlflow_delete_registered_model_tag(call: Call) -> Json:
    """Take a tag off a model."""
    model = _named(call)
    call.notes.securable = model.full_name
    drop_tag(call, model, model.id, call.text("key"))
    return {}


@routes.on("POST", f"{MODELS}/alias")
def mlflow_set_registered_model_alias(call: Call) -> Json:
    """Point an alias at a version."""
    put_alias(call, _named(call), call.text("alias"), call.integer("version"))
    return {}


@routes.on("DELETE", f"{MODELS}/alias")
def mlflow_delete_registered_model_alias(call: Call) -> Json:
    """Take an alias away."""
    remove_alias(call, _named(call), call.text("alias"))
    return {}


@routes.on("GET", f"{MODELS}/alias")
def mlflow_get_model_version_by_alias(call: Call) -> Json:
    """The version that an alias points at."""
    model, row = aliased(call.access, call.text("name"), call.text("alias"))
    return {"model_version": _version(call, model, row)}


@routes.on("GET", f"{MODELS}:is-databricks-sdk-models-artifact-repository-enabled")
def mlflow_artifact_repository_kind(call: Call) -> Json:
    """Files are written to storage with temporary credentials, not through the workspace's files API."""
    return {"is_databricks_sdk_models_artifact_repository_enabled": False}


@routes.on("POST", f"{VERSIONS}/create")
def mlflow_create_model_version(call: Call) -> Json:
    """A new version that waits for its files."""
    model = _named(call)
    row = make_version(
        call,
        model,
        source=call.text("source", ""),
        run_id=call.text("run_id", ""),
        comment=call.text("description", ""),
    )
    call.notes.securable = f"{model.full_name}/{row['version']}"
    for key, value in _given_tags(call):
        put_tag(call, model, row["id"], key, value)
    return {"model_version": _version(call, model, row)}


@routes.on("POST", f"{VERSIONS}/generate-temporary-credentials", own_transactions=True)
def mlflow_generate_temporary_credentials(call: Call) -> Json:
    """A credential for a version's files."""
    answer = vend_model_version(call, call.text("name"), call.integer("version"))
    return {"credentials": {key: answer[key] for key in ("aws_temp_credentials", "expiration_time")}}


@routes.on("POST", f"{VERSIONS}/finalize")
def mlflow_finalize_model_version(call: Call) -> Json:
    """The files are there: the version becomes READY, and no more can be written to it."""
    model, row = _numbered(call, call.access)
    return {"model_version": _version(call, model, make_ready(call, model, row))}


@routes.on("GET", f"{VERSIONS}/get")
def mlflow_get_model_version(call: Call) -> Json:
    """By name and number."""
    model, row = _numbered(call, call.access)
    return {"model_version": _version(call, model, row)}


@routes.on("GET", f"{VERSIONS}/get-download-uri")
def mlflow_get_model_version_download_uri(call: Call) -> Json:
    """Where a version's files lie."""
    model, row = _numbered(call, call.access)
    return {"artifact_uri": str(storage_of_version(call.access, model, row))}


@routes.on("PATCH", f"{VERSIONS}/update")
def mlflow_update_model_version(call: Call) -> Json:
    """Another description."""
    model, row = _numbered(call, call.access)
    call.access.require_managed(model)
    change_version(call, row, comment=call.text("description", ""))
    model, row = _numbered(call, call.access)
    return {"model_version": _version(call, model, row)}


@routes.on("DELETE", f"{VERSIONS}/delete")
def mlflow_delete_model_version(call: Call) -> Json:
    """Delete a version."""
    model, row = _numbered(call, call.access)
    call.access.require_managed(model)
    remove_version(call, model, row)
    return {}


@routes.on("GET", f"{VERSIONS}/search")
def mlflow_search_model_versions(call: Call) -> Json:
    """Versions of one model; the filter is `name = '…'`."""
    match = _FILTER.fullmatch(call.text("filter", ""))
    if match is None:
        raise invalid("filter must be name='<catalog>.<schema>.<model>'")
    model = call.access.find(Kind.MODEL, match[2])
    rows = version_rows(call.db, model)
    entries = [(f"{10**10 - row['version']:011d}", _version(call, model, row)) for row in rows]
    return call.page("model_versions", entries)


@routes.on("POST", f"{VERSIONS}/set-tag")
def mlflow_set_model_version_tag(call: Call) -> Json:
    """Set a tag on a version."""
    model, row = _numbered(call, call.access)
    put_tag(call, model, row["id"], call.text("key"), call.text("value", ""))
    return {}


@routes.on("DELETE", f"{VERSIONS}/delete-tag")
def mlflow_delete_model_version_tag(call: Call) -> Json:
    """Take a tag off a version."""
    model, row = _numbered(call, call.access)
    drop_tag(call, model, row["id"], call.text("key"))
    return {}
