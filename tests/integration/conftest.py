"""The whole path once, on the smallest corpus; the tests of this folder look at what came of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from databricks.sdk import WorkspaceClient

from tests.conftest import ROOT, Cloud
from tests.integration.backfill import RESULT, Run
from tests.integration.process_list import ProcessList

CONFIGS = Path(__file__).parent / "configs"
YEARS = ("2023", "2024")
THRESHOLDS: dict[str, float] = {
    "examples_of_year": 5,
    "examples_style": 5,
    "examples_classification": 0,
    "companies": 0.5,
    "labels": 0,
    "largest_label_share": 1,
    "smallest_label_share": 0,
    "length_distance": 1,
    "shared_grams": 0.9,
    "label_drift": 1,
}
"""What a handful of companies can reach; whether each gate can fail is tested apart (tests/graph)."""
MODEL_THRESHOLDS: dict[str, float] = {"under_baselines": 1}
"""Eight steps do not reach a heading that is copied out of the paragraph or of another filing."""


@dataclass(frozen=True)
class Project:
    """The project pointed at a local cloud, with thresholds that the smallest corpus can pass."""

    cloud: Cloud
    env: dict[str, str]

    def govtune(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run the command line as a person would."""
        return subprocess.run(
            [sys.executable, "-m", "govtune_assets.cli", *arguments],
            cwd=ROOT,
            env={**self.env, **changes},
            capture_output=True,
            text=True,
            check=False,
        )

    def demo(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """`govtune demo` with the quick configuration."""
        return self.govtune("demo", "--configuration", "quick", *arguments, **changes)

    def backfill(self, keys: Sequence[dg.AssetKey], years: Sequence[str], **changes: str) -> list[Run]:
        """Backfill to its end; the runs in the order in which they were launched."""
        names = ",".join(key.to_user_string() for key in keys)
        done = subprocess.run(
            [sys.executable, "-m", "tests.integration.backfill", names, ",".join(years)],
            cwd=ROOT,
            env={**self.env, **changes},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        (result,) = [line for line in done.stdout.splitlines() if line.startswith(RESULT)]
        return [Run(**run) for run in json.loads(result.removeprefix(RESULT))]

    def admin(self) -> WorkspaceClient:
        """The catalog's administrator."""
        admin = json.loads(next(self.cloud.state.rglob("*admin*.json")).read_text())
        return WorkspaceClient(
            host=self.env["GOVTUNE_DATABRICKS_HOST"],
            client_id=admin["client_id"],
            client_secret=admin["client_secret"],
            auth_type="oauth-m2m",
        )


def project_environment(cloud: Cloud) -> dict[str, str]:
    uris = json.loads(cloud.env["GOVTUNE_BASE_MODEL_URIS"])
    return {
        **cloud.env,
        "GOVTUNE_TRAINING_CONFIGURATION_FOLDER": str(CONFIGS),
        "GOVTUNE_TRAINING_CONFIGURATIONS": "quick",
        "GOVTUNE_BASE_MODEL_URIS": json.dumps({"quick": uris["smollm2-135m"]}),
        "GOVTUNE_DATA_THRESHOLDS": json.dumps(THRESHOLDS),
        "GOVTUNE_MODEL_THRESHOLDS": json.dumps(MODEL_THRESHOLDS),
    }


@pytest.fixture(scope="session")
def project(cloud: Cloud) -> Project:
    return Project(cloud, project_environment(cloud))


@pytest.fixture(scope="session")
def process_list() -> ProcessList:
    """What the process list showed while the path was materialized."""
    return ProcessList()


@pytest.fixture(scope="session")
def materialized(project: Project, process_list: ProcessList) -> subprocess.CompletedProcess[str]:
    """Both fiscal years from filings to a registered model."""
    with process_list.watched():
        return project.demo("--years", ",".join(YEARS))


@pytest.fixture
def instance(project: Project, materialized: object) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance on which the path was materialized."""
    with dg.DagsterInstance.from_config(project.env["DAGSTER_HOME"]) as opened:
        yield opened


@pytest.fixture
def in_environment(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """This process itself pointed at the cloud."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "GOVTUNE_", "DAGSTER_"))]:
        monkeypatch.delenv(name)
    for name, value in project.env.items():
        monkeypatch.setenv(name, value)
    return project
