"""Unity Catalog: OAuth M2M as one of the stages' service principals."""

from typing import TYPE_CHECKING

import dagster as dg
from pydantic import PrivateAttr

from govtune_assets.access.declaration import Stage
from govtune_assets.access.facts import Facts, client
from govtune_assets.resources.aws import AwsResource
from govtune_assets.settings import Settings

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

    from unitydoor.catalog import Catalog

ORCHESTRATED = frozenset({Stage.LOADER, Stage.REGISTRAR, Stage.AUDITOR})
"""Stages whose work runs in the orchestrator's own process, so that its role may read their secrets."""


class UnityCatalogResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Signs in as a stage's service principal; secrets stay in memory."""

    host: str
    secret_prefix: str
    preflight_role_arn: str
    aws: dg.ResourceDependency[AwsResource]
    _run_id: str = PrivateAttr("")

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Keep the run's id: it travels in the user agent, so that the catalog's audit log names the run."""
        self._run_id = context.run_id or ""

    @classmethod
    def from_settings(cls, settings: Settings, aws: AwsResource) -> "UnityCatalogResource":
        """The resource that the settings describe."""
        return cls(
            host=settings.databricks_host,
            secret_prefix=settings.secret_prefix,
            preflight_role_arn=settings.preflight_role_arn,
            aws=aws,
        )

    def secret_id(self, stage: str) -> str:
        """Name of the Secrets Manager secret of a stage's service principal."""
        if stage not in set(Stage):
            raise ValueError(f"{stage!r} is no principal of this project; known: {', '.join(Stage)}")
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
        from unitydoor.secrets import load_principal

        return client(self._host(), load_principal(self.secret_id(stage), client=self.aws.client("secretsmanager")))

    def can_ask(self, stage: Stage) -> bool:
        """Whether this process may ask the catalog what the stage's principal may do."""
        return stage in ORCHESTRATED or bool(self.preflight_role_arn)

    def own_facts(self, stage: Stage) -> Facts:
        """The catalog as the stage's principal, which sees its own grants; those of others it does not see.

        The secret of a principal that jobs use is read as the preflight role, and used for questions only.

        Raises:
            ValueError: no workspace is configured, or no preflight role for a job's principal.
            unitydoor.secrets.SecretUnusable: the secret may not be read.
        """
        from unitydoor.secrets import load_principal

        if not self.can_ask(stage):
            raise ValueError(
                f"GOVTUNE_PREFLIGHT_ROLE_ARN is not set, so that nobody may ask on behalf of the {stage}: name the "
                "role that may read the job principals' secrets"
            )
        role = "" if stage in ORCHESTRATED else self.preflight_role_arn
        manager = self.aws.client_as(role, "secretsmanager") if role else self.aws.client("secretsmanager")
        return Facts(client(self._host(), load_principal(self.secret_id(stage), client=manager)))

    def _host(self) -> str:
        if not self.host:
            raise ValueError(
                "GOVTUNE_DATABRICKS_HOST is not set: name the workspace, or run `make up` for the local cloud."
            )
        return self.host
