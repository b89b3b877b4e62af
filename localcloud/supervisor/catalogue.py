"""The services of the local cloud: their command lines, addresses and environments."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from localcloud.seed import names
from localcloud.seed.credentials import CredentialFiles
from localcloud.supervisor.errors import LocalCloudError
from localcloud.supervisor.layout import PORT_VARIABLES, PROJECT_ROOT, EdgarSource, Layout, Ports
from localcloud.supervisor.services import Service

# Credentials and addresses of other clouds that may stand in the user's shell must not reach the local one.
FOREIGN_PREFIXES = ("AWS_", "DATABRICKS_", "DAGSTER_", "MLFLOW_")
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
JARS = Path(".cache/jars")
TRAINING_PYTHON = Path(".venv-train/bin/python")
TRACKING_PYTHON = Path(".venv-tracking/bin/python")


REPLICA_REQUESTS_PER_SECOND = 500


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The user's environment without other clouds' settings, with access to model hubs off."""
    own = {name: value for name, value in environment.items() if not name.startswith(FOREIGN_PREFIXES)}
    return {**own, **OFFLINE}


@dataclass(frozen=True)
class Catalogue:
    """Makes the description of each service for one state folder."""

    layout: Layout
    ports: Ports
    edgar_source: EdgarSource
    environment: Mapping[str, str]

    def aws(self) -> Service:
        files = CredentialFiles(self.layout.credentials)
        jobs = {
            "LOCALCLOUD_SPARK_JARS": str(PROJECT_ROOT / JARS),
            "LOCALCLOUD_SPARK_PYTHON": sys.executable,
            "LOCALCLOUD_SPARK_SUBMIT": str(Path(sys.executable).parent / "spark-submit"),
            "LOCALCLOUD_TRAINING_PYTHON": str(PROJECT_ROOT / TRAINING_PYTHON),
        }
        return self._module("aws", "Local AWS", ["--root-credentials", str(files.root)], jobs)

    def databricks(self) -> Service:
        files = CredentialFiles(self.layout.credentials)
        options = ["--admin-credentials", str(files.admin), "--aws-credentials", str(files.unity_catalog)]
        options += ["--aws-endpoint", self.ports.url("aws")]
        options += ["--audit-delivery", f"s3://{names.AUDIT_BUCKET}/{names.CATALOG_AUDIT_PREFIX}"]
        return self._module("databricks", "Local Databricks workspace", options)

    def edgar(self, root: Path) -> Service:
        """Its limit is far above the SEC's: a machine that stalls must not find itself blocked for ten minutes."""
        options = ["--root", str(root), "--max-per-second", str(REPLICA_REQUESTS_PER_SECOND)]
        return self._module("edgar", "EDGAR replica", options, state=False)

    def mlflow(self) -> Service:
        """MLflow in an environment of its own, with an access key of its own for the artifacts."""
        python = PROJECT_ROOT / TRACKING_PYTHON
        if not python.exists():
            raise LocalCloudError(f"There is no {TRACKING_PYTHON}; `python -m tools.bootstrap tracking` builds it.")
        files = CredentialFiles(self.layout.credentials)
        options = ["--artifacts", f"s3://{names.TRACKING_BUCKET}/runs", "--workspace", self.ports.url("databricks")]
        options += ["--writer", names.display_name("trainer")]
        identity = {
            "AWS_ENDPOINT_URL": self.ports.url("aws"),
            "AWS_DEFAULT_REGION": names.REGION,
            "AWS_SHARED_CREDENTIALS_FILE": str(files.tracking_profile),
            "AWS_CONFIG_FILE": str(files.aws_config),
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        return replace(self._module("mlflow", "MLflow", options, identity, python=str(python)), health="/health")

    def dagster(self, settings: Mapping[str, str]) -> Service:
        """`dagster dev`; the webserver answers, and the daemon and code server are its siblings."""
        argv = ["-m", "dagster", "dev", "--workspace", str(PROJECT_ROOT / "workspace.yaml")]
        argv += ["--host", "127.0.0.1", "--port", str(self.ports.dagster)]
        return Service(
            name="dagster",
            what="Dagster UI and daemon",
            url=self.ports.url("dagster"),
            port_variable=PORT_VARIABLES["dagster"][0],
            argv=(sys.executable, *argv),
            environment={**clean_environment(self.environment), **settings},
            health="/server_info",
        )

    def _module(
        self,
        name: str,
        what: str,
        options: list[str],
        extra: Mapping[str, str] | None = None,
        *,
        state: bool = True,
        python: str = sys.executable,
    ) -> Service:
        argv = ["-m", f"localcloud.{name}", "--port", str(getattr(self.ports, name))]
        if state:
            argv += ["--state", str(self.layout.service(name))]
        return Service(
            name=name,
            what=what,
            url=self.ports.url(name),
            port_variable=PORT_VARIABLES[name][0],
            argv=(python, *argv, *options),
            environment={**clean_environment(self.environment), **(extra or {})},
        )
