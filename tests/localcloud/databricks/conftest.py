"""Fixtures of this folder: one local AWS and one workspace for all its tests."""

from __future__ import annotations

import os
import secrets
import uuid
from collections.abc import Callable, Iterator

import pytest
from databricks_lab import COLUMNS, Aws, Workspace, location_of, seed, start_aws, start_workspace, stop

from unitydoor.secrets import ServicePrincipal


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """A local AWS in which only the catalog's role has rights on the buckets."""
    made, process = start_aws(tmp_path_factory.mktemp("aws"))
    try:
        yield made
    finally:
        stop(process)


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory, aws: Aws) -> Iterator[Workspace]:
    """A seeded workspace that the tests of a session share; each makes principals and tables of its own."""
    admin = ServicePrincipal("metastore-admin", secrets.token_hex(20), "admin")
    made = start_workspace(tmp_path_factory.mktemp("databricks"), aws, admin)
    try:
        seed(made)
        yield made
    finally:
        assert stop(made.process) == 0


@pytest.fixture(autouse=True)
def aws_environment(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The environment of a payload: an endpoint, a region, and no credentials."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "DATABRICKS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    if "aws" in request.fixturenames:
        monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("aws").endpoint)


@pytest.fixture
def loader(workspace: Workspace) -> ServicePrincipal:
    """A principal that may make external tables in `govtune.raw`."""
    principal = workspace.principal("databricks/loader")
    workspace.grant("catalog", "govtune", principal, "USE_CATALOG")
    workspace.grant("schema", "govtune.raw", principal, "USE_SCHEMA", "CREATE_TABLE", "EXTERNAL_USE_SCHEMA")
    workspace.grant("external_location", "lake", principal, "CREATE_EXTERNAL_TABLE", "EXTERNAL_USE_LOCATION")
    return principal


@pytest.fixture
def table_name() -> str:
    """A table name that no other test uses."""
    return f"govtune.raw.t{uuid.uuid4().hex[:10]}"


@pytest.fixture
def make_table(workspace: Workspace, loader: ServicePrincipal) -> Callable[[str], str]:
    """Registers a table as the loader, who owns it; gives its location."""

    def make(name: str) -> str:
        workspace.door(loader).create_external_delta_table(name, location_of(name), COLUMNS)
        return location_of(name)

    return make


@pytest.fixture
def reader(workspace: Workspace) -> ServicePrincipal:
    """A principal that may read every table of `govtune.raw`, but for SELECT."""
    principal = workspace.principal("databricks/reader")
    workspace.grant("catalog", "govtune", principal, "USE_CATALOG")
    workspace.grant("schema", "govtune.raw", principal, "USE_SCHEMA", "EXTERNAL_USE_SCHEMA")
    return principal
