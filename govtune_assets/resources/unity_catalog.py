"""Unity Catalog: OAuth M2M as one of the stages' service principals."""

import os
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import PrivateAttr

from govtune_assets.resources.aws import AwsResource
from govtune_assets.settings import Settings

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

    from unitydoor.catalog import Catalog

PRINCIPALS = ("loader", "curator", "trainer", "registrar", "auditor")


class UnityCatalogResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Signs in as a stage's service principal; secrets stay in memory."""

    host: str
    secret_prefix: str
    aws: dg.ResourceDependency[AwsResource]
    _run_id: str = PrivateAttr("")

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Keep the run's id: it travels in the user agent, so that the catalog's audit log names the run."""
        self._run_id = context.run_id or ""

    @classmethod
    def from_settings(cls, settings: Settings, aws: AwsResource) -> "UnityCatalogResource":
        """The resource that the settings describe."""
        return cls(host=settings.databricks_host, secret_prefix=settings.secret_prefix, aws=aws)

    def secret_id(self, stage: str) -> str:
        """Name of the Secrets Manager secret of a stage's service principal."""
        if stage not in PRINCIPALS:
            raise ValueError(f"{stage!r} is no principal of this project; known: {', '.join(PRINCIPALS)}")
        return f"{self.secret_prefix}{stage}"

    def door(self, stage: str) -> "Catalog":
        """The catalog's door, entered as the stage's principal.

        Raises:
            ValueError: no workspace is configured.
        """
        from unitydoor.catalog import Catalog
        from unitydoor.oauth import ClientCredentials
        from unitydoor.secrets import load_principal
        from unitydoor.transport import Transport

        principal = load_principal(self.secret_id(stage), client=self.aws.client("secretsmanager"))
        link = Transport(self._host(), run_id=self._run_id)
        return Catalog(self._host(), ClientCredentials(self._host(), principal, transport=link), transport=link)

    def workspace(self, stage: str) -> "WorkspaceClient":
        """databricks-sdk's client, signed in as the stage's principal.

        Raises:
            ValueError: no workspace is configured.
        """
        from databricks.sdk import WorkspaceClient

        from unitydoor.secrets import load_principal
        from unitydoor.transport import RUN_PRODUCT

        principal = load_principal(self.secret_id(stage), client=self.aws.client("secretsmanager"))
        workspace = WorkspaceClient(
            host=self._host(),
            client_id=principal.client_id,
            client_secret=principal.client_secret,
            auth_type="oauth-m2m",
            config_file=os.devnull,  # a profile in the home folder must not take part
        )
        if self._run_id:
            workspace.config.with_user_agent_extra(RUN_PRODUCT, self._run_id)
        return workspace

    def _host(self) -> str:
        if not self.host:
            raise ValueError(
                "GOVTUNE_DATABRICKS_HOST is not set: name the workspace, or run `make up` for the local cloud."
            )
        return self.host
