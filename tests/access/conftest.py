"""A seeded local cloud, this process pointed at it as the orchestrator, and grants that are put back after a test."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from govtune_assets.access.command import ADMINISTRATOR, administrator
from govtune_assets.access.declaration import Stage, principals
from govtune_assets.access.differences import apply, differences
from govtune_assets.access.facts import Facts
from govtune_assets.resources.aws import AwsResource
from govtune_assets.resources.unity_catalog import UnityCatalogResource
from govtune_assets.settings import Settings
from tests.conftest import Cloud
from unitydoor.catalog import Catalog
from unitydoor.columns import from_spark_json
from unitydoor.oauth import ClientCredentials
from unitydoor.privileges import Requirement
from unitydoor.secrets import load_principal

COLUMNS = from_spark_json(
    {"type": "struct", "fields": [{"name": "x", "type": "long", "nullable": True, "metadata": {}}]}
)


@dataclass(frozen=True)
class Access:
    """The project's settings on a running cloud, and its catalog as administrator and as each stage."""

    settings: Settings
    admin: Facts
    catalog: UnityCatalogResource

    def id(self, stage: Stage) -> str:
        """Application id of a stage's principal."""
        return principals(self.settings)[stage]

    def grant(self, principal: str, privilege: str, kind: str, name: str) -> None:
        """Grant as the administrator."""
        self.admin.change(kind, name, [{"principal": principal, "add": [privilege.replace(" ", "_")]}])

    def revoke(self, principal: str, privilege: str, kind: str, name: str) -> None:
        """Revoke as the administrator."""
        self.admin.change(kind, name, [{"principal": principal, "remove": [privilege.replace(" ", "_")]}])

    def take(self, stage: Stage, requirement: Requirement) -> None:
        """Revoke a declared grant."""
        self.revoke(self.id(stage), requirement.privilege, requirement.securable_type, requirement.name)

    def stranger(self) -> str:
        """A new principal that is none of the project's."""
        made = self.admin.workspace.service_principals.create(display_name=f"test-{uuid.uuid4().hex[:8]}", active=True)
        return str(made.application_id)


def door(access: Access, stage: Stage) -> Catalog:
    """The one door as a stage, jobs' principals included: what a job would be told."""
    manager = access.catalog.aws.client("secretsmanager")
    if stage in {Stage.CURATOR, Stage.TRAINER}:
        manager = access.catalog.aws.client_as(access.settings.preflight_role_arn, "secretsmanager")
    host = access.settings.databricks_host
    return Catalog(host, ClientCredentials(host, load_principal(f"databricks/{stage}", client=manager)))


@pytest.fixture(scope="session")
def admin_file(cloud: Cloud) -> str:
    """The file with the administrator's credentials."""
    return str(next(cloud.state.rglob("*admin*.json")))


@pytest.fixture
def access(cloud: Cloud, admin_file: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Access]:
    """The declared grants on the cloud; whatever a test changes is mended after it."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "GOVTUNE_", "DAGSTER_", "DATABRICKS_"))]:
        monkeypatch.delenv(name)
    for name, value in cloud.env.items():
        if name.startswith(("AWS_", "GOVTUNE_")):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv(ADMINISTRATOR, admin_file)
    settings = Settings()
    catalog = UnityCatalogResource.from_settings(settings, AwsResource(region=settings.region))
    made = Access(settings, administrator(settings, os.environ), catalog)
    yield made
    apply(made.admin, differences(made.admin, settings))


@pytest.fixture
def table(access: Access) -> Iterator[str]:
    """A table of the loader's in `raw`, and its removal."""
    short = f"probe_{uuid.uuid4().hex[:8]}"
    name, location = f"{access.settings.catalog}.raw.{short}", f"s3://{access.settings.lake_bucket}/raw/delta/{short}"
    access.catalog.door(Stage.LOADER).create_external_delta_table(name, location, COLUMNS)
    yield name
    access.admin.workspace.tables.delete(name)
