"""The REST API by area: each module fills its own table of routes."""

from localcloud.databricks.routes import (
    audit,
    catalogs,
    credentials,
    identity,
    lineage,
    metastore,
    mlflow,
    models,
    permissions,
    storage,
    tables,
    tags,
    volumes,
)
from localcloud.databricks.web import Route

ALL: tuple[Route, ...] = tuple(
    route
    for module in (
        audit,
        catalogs,
        credentials,
        identity,
        lineage,
        metastore,
        mlflow,
        models,
        permissions,
        storage,
        tables,
        tags,
        volumes,
    )
    for route in module.routes.entries
)
