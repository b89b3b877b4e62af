"""No way leads past a closed gate: real trainings, a bad dataset and a bad learning rate, on a real Dagster instance.

The training runs in the training environment, as by hand; everything that Dagster does with its report is real. What
stands in for the cloud: SageMaker hands out the report, and the table of evaluations is a folder.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from govtune_assets import gates, provenance
from govtune_assets.access.declaration import Stage
from govtune_assets.assets.training import refuse_changed
from govtune_assets.definitions import build_defs
from govtune_assets.gates import ADAPTER_GATES, SNAPSHOT_GATES, GateClosed
from govtune_assets.keys import EVALUATIONS, SNAPSHOT, adapter_key, model_key, model_name, table_name
from govtune_assets.promotion import NotPromotable, promote
from govtune_assets.registry import ModelRegistry
from govtune_assets.resources.aws import AwsResource
from govtune_assets.resources.sagemaker import SageMakerResource
from govtune_assets.resources.unity_catalog import UnityCatalogResource
from govtune_assets.settings import Settings
from govtune_assets.thresholds import ModelThresholds
from tests.access.scripted import Answer, workspace
from tests.conftest import ROOT
from train import evaluations_table
from train.config import load_all
from train.evaluations_table import Evaluated

ADAPTER, MODEL = adapter_key("tiny"), model_key("tiny")
LIMITS = ModelThresholds(under_baselines=0.1)
"""The nearest heading is always right on these texts, which a tiny model is not."""
REGISTRY = "/api/2.0/mlflow/unity-catalog"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the report of each training of tests/graph/trainings.py."""
    folder = tmp_path_factory.mktemp("trainings")
    command = [ROOT / ".venv-train" / "bin" / "python", ROOT / "tests" / "graph" / "trainings.py", folder]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return folder


@dataclass(frozen=True)
class Completed:
    """A finished job as the Pipes client hands it over."""

    metadata: dict[str, Any]
    result: dg.MaterializeResult  # type: ignore[type-arg]

    def get_results(self, *, implicit_materializations: bool) -> list[dg.MaterializeResult]:  # type: ignore[type-arg]
        return [self.result]


class HandTraining(SageMakerResource):
    """Hands out the report of a training that was done by hand, and writes its figures as the job does."""

    report: str
    folder: str

    def train(self, context: Any, settings: Any, configuration: Any, extras: Any) -> Any:
        reported = json.loads(Path(self.report).read_text())
        version = reported.pop("data_version")
        of = Evaluated(
            configuration.name,
            version.removeprefix("sha256:"),
            reported["base_model_digest"],
            extras["table_version"],
            extras["merkle_root"],
            f"job-{context.run.run_id[:8]}",
            context.run.run_id,
            datetime.now(UTC),
        )
        rows = evaluations_table.as_rows(reported["evaluation"], of)
        place = str(Path(self.folder) / extras["evaluations_table"])
        written = evaluations_table.commit(place, rows, of, {})
        metadata = {**reported, "evaluations_version": written, "merkle_root": extras["merkle_root"]}
        return Completed(
            {"model_artifact": "s3://work/model.tar.gz", "training_job": of.training_job},
            dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(version)),
        )

    def artifact_bytes(self, uri: str) -> int:
        return 1


@dataclass(frozen=True)
class Opened:
    """A grant on a local folder."""

    url: str

    def storage_options(self, region: str | None = None) -> dict[str, str]:
        return {}


@dataclass(frozen=True)
class FolderDoor:
    """The door to tables in a folder."""

    folder: Path

    def table_exists(self, name: str) -> bool:
        return (self.folder / name).exists()

    def vend_table(self, name: str, operation: str) -> Opened:
        return Opened(str(self.folder / name))


class FolderCatalog(UnityCatalogResource):
    """Tables in a folder; the registry answers as it is told."""

    folder: str
    registry: str

    def can_ask(self, stage: Stage) -> bool:
        return False

    def door(self, stage: str) -> Any:
        return FolderDoor(Path(self.folder))

    def workspace(self, stage: str) -> Any:
        from govtune_assets.access.facts import client
        from unitydoor.secrets import ServicePrincipal

        return client(self.registry, ServicePrincipal(stage, "secret", "test"))


@dataclass
class Project:
    """The definitions on an instance of their own, with what a training will report."""

    instance: dg.DagsterInstance
    settings: Settings
    resources: dict[str, Any]
    told: dict[str, Answer]

    @property
    def definitions(self) -> dg.Definitions:
        return build_defs(self.settings, self.resources)

    def run(self, *keys: dg.AssetKey, checks: bool = True) -> dg.ExecuteInProcessResult:
        selection = dg.AssetSelection.assets(*keys)
        definitions = self.definitions
        return dg.materialize(
            [*definitions.assets, *definitions.asset_checks],  # type: ignore[misc]
            selection=selection if checks else selection.without_checks(),
            instance=self.instance,
            resources=dict(definitions.resources or {}),
            run_config=QUIET,
            raise_on_error=False,
        )

    def run_job(self, *keys: dg.AssetKey) -> dg.ExecuteInProcessResult:
        """The same by a job, as a schedule or a sensor launches one."""
        job = dg.define_asset_job("train_and_register", dg.AssetSelection.assets(*keys))
        both = dg.Definitions.merge(self.definitions, dg.Definitions(jobs=[job]))
        found = both.resolve_job_def("train_and_register")
        return found.execute_in_process(instance=self.instance, run_config=QUIET, raise_on_error=False)

    def failed_gates(self) -> set[str]:
        """Names of the adapter's gates whose newest record is a failure."""
        history = self.instance.event_log_storage.get_asset_check_execution_history
        newest = {name: history(dg.AssetCheckKey(ADAPTER, name), limit=1) for name in ADAPTER_GATES}
        evaluations = {name: found[0].event.asset_check_evaluation for name, found in newest.items() if found}  # type: ignore[union-attr]
        return {name for name, found in evaluations.items() if found is not None and not found.passed}


def report_snapshot(instance: dg.DagsterInstance) -> None:
    """A snapshot whose gates have passed, as curation leaves it."""
    metadata: dict[str, Any] = {"source_versions": {}, "delta_version": 3, "merkle_root": "root"}
    tags = {"dagster/data_version": "snapshot"}
    instance.report_runless_asset_event(dg.AssetMaterialization(SNAPSHOT, metadata=metadata, tags=tags))
    for gate in SNAPSHOT_GATES:
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                check_name=gate.name,
                passed=True,
                asset_key=SNAPSHOT,
                metadata={gates.DATA_VERSION: "snapshot"},
            )
        )


@pytest.fixture
def project(reports: Path, tmp_path: Path) -> Iterator[Callable[[str], Project]]:
    """`project(name)`: the project whose next training is that of the name."""
    settings = Settings(training_configuration_folder=reports / "good-configuration", model_thresholds=LIMITS)
    told: dict[str, Answer] = {}
    with (
        dg.DagsterInstance.ephemeral() as instance,
        workspace(lambda path, query: told.get(f"{path} {query.get('version', query.get('alias', ''))}"), "x") as facts,
    ):
        report_snapshot(instance)
        aws = AwsResource(region="us-east-1")
        catalog = {"host": "", "secret_prefix": "", "preflight_role_arn": "", "aws": aws}
        usual = SageMakerResource.from_settings(settings, aws)
        common: dict[str, Any] = {name: getattr(usual, name) for name in SageMakerResource.model_fields}
        common |= {"aws": aws, "folder": str(tmp_path)}

        def made(name: str) -> Project:
            resources = {
                "sagemaker": HandTraining(report=str(reports / f"{name}.json"), **common),
                "unity_catalog": FolderCatalog(
                    folder=str(tmp_path), registry=str(facts.workspace.config.host), **catalog
                ),
            }
            return Project(instance, settings, resources, told)

        yield made


BAD = {
    "shuffled": {"tuned_beats_base", "tasks_not_under_base", "tasks_not_under_baselines"},
    "diverging": {
        "evaluation_loss_fell",
        "loss_stays_down",
        "tuned_beats_base",
        "tasks_not_under_base",
        "tasks_not_under_baselines",
    },
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_training_is_never_registered(project: Callable[[str], Project], name: str) -> None:
    bad = project(name)
    assert not bad.run(ADAPTER, MODEL).success
    assert bad.failed_gates() == BAD[name]
    assert provenance.find_latest(bad.instance, ADAPTER) is not None
    assert provenance.find_latest(bad.instance, MODEL) is None

    alone = bad.run(MODEL)
    assert not alone.success
    (failure,) = [event for event in alone.all_events if event.is_step_failure]
    error = failure.step_failure_data.error
    assert error is not None
    while error.cause is not None:
        error = error.cause
    for gate in BAD[name]:
        assert f"{gate} of ml/tiny/lora_adapter: failed" in error.message
    shown = failure.step_failure_data.user_failure_data
    assert shown is not None and "Closed gates" in shown.metadata

    assert not bad.run(MODEL, checks=False).success
    assert not bad.run_job(MODEL).success
    assert not bad.run_job(ADAPTER, MODEL).success
    assert provenance.find_latest(bad.instance, MODEL) is None


def test_gates_that_were_left_out_are_closed_gates(project: Callable[[str], Project]) -> None:
    """Trained well, and its checks deselected in the run."""
    good = project("good")
    assert good.run(ADAPTER, checks=False).success
    assert not good.run(MODEL).success


def test_passes_of_an_earlier_evaluation_do_not_cover_the_next(
    project: Callable[[str], Project], tmp_path: Path
) -> None:
    """Other test rows leave the adapter's bytes as they are, and so its data version."""
    good = project("good")
    assert good.run(ADAPTER).success
    reported = json.loads(Path(good.resources["sagemaker"].report).read_text())
    worse = tmp_path / "worse.json"
    worse.write_text(json.dumps({**reported, "rouge_l_tuned": 0.0}))
    again = dataclasses.replace(
        good,
        resources={
            **good.resources,
            "sagemaker": good.resources["sagemaker"].model_copy(update={"report": str(worse)}),
        },
    )
    assert again.run(ADAPTER, checks=False).success
    alone = again.run(MODEL)
    (failure,) = [event for event in alone.all_events if event.is_step_failure]
    assert "tuned_beats_base of ml/tiny/lora_adapter: its records are about earlier" in failure.message + str(
        failure.step_failure_data.error
    )


def test_a_good_training_passes_and_its_figures_are_shown(project: Callable[[str], Project]) -> None:
    good = project("good")
    assert good.run(ADAPTER).success
    assert good.failed_gates() == set()
    adapter = provenance.latest(good.instance, ADAPTER)
    assert gates.passed(good.instance, gates.of_adapter("tiny", adapter))
    refuse_changed(Path(good.resources["sagemaker"].report).with_suffix("") / "model", adapter)
    assert adapter.metadata["Losses"].startswith("![Losses by step](<data:image/svg+xml,")
    assert "| T1 ROUGE-L | 0.333 | 0.9" in adapter.metadata["Base and tuned"]
    table = provenance.latest(good.instance, EVALUATIONS, "tiny")
    assert table.metadata["dagster/row_count"] == len(adapter.metadata["evaluation"])
    assert table.metadata["delta_version"] == adapter.metadata["evaluations_version"]
    assert "| test\\_company | T1 | ROUGE-L |" in table.metadata["Figures"]
    chart = table.metadata["T1: ROUGE-L on unseen companies"]
    assert "lead sentence 0.592" in chart and len(chart) < 1000


def test_a_champion_that_is_much_better_blocks(project: Callable[[str], Project]) -> None:
    good = project("good")
    champion = {
        "version": "1",
        "tags": [{"key": "adapter_sha256", "value": "sha256:c"}, {"key": "snapshot_merkle_root", "value": "other"}],
    }
    good.told[f"{REGISTRY}/registered-models/alias champion"] = (200, {"model_version": champion})
    assert not good.run(ADAPTER).success
    assert good.failed_gates() == {"not_under_champion"}  # of the champion nothing is recorded

    figures = json.loads(Path(good.resources["sagemaker"].report).read_text())["evaluation"]
    of = Evaluated("tiny", "c", "b", 1, "other", "job-c", "run-c", datetime.now(UTC))
    place = str(Path(good.resources["sagemaker"].folder) / table_name(good.settings, EVALUATIONS))
    for factor, closed in ((1.04, set()), (1.06, {"not_under_champion"})):
        better = [{**figure, "value": figure["value"] and figure["value"] * factor} for figure in figures]
        evaluations_table.commit(place, evaluations_table.as_rows(better, of), of, {})
        good.run(ADAPTER)
        assert good.failed_gates() == closed, factor


def test_promotion_asks_the_gates(project: Callable[[str], Project]) -> None:
    bad = project("shuffled")
    bad.run(ADAPTER)
    digest = provenance.latest(bad.instance, ADAPTER).data_version
    name = model_name(bad.settings, load_all(bad.settings.training_configuration_folder)["tiny"])
    tags = [{"key": "configuration", "value": "tiny"}, {"key": "adapter_sha256", "value": digest}]
    got = f"{REGISTRY}/model-versions/get"
    ready = {"status": "READY"}
    bad.told[f"{got} 1"] = (200, {"model_version": {"version": "1", "tags": tags, **ready}})
    bad.told[f"{got} 2"] = (200, {"model_version": {"version": "2", "tags": tags[:1], **ready}})
    registry = ModelRegistry(bad.resources["unity_catalog"].workspace("registrar"), "us-east-1")
    with pytest.raises(GateClosed, match=f"Promotion of version 1 of {name} refuses.*\n.*tuned_beats_base"):
        promote(bad.instance, registry, name, 1)
    with pytest.raises(NotPromotable, match=r"Version 2 .* has no tag adapter_sha256"):
        promote(bad.instance, registry, name, 2)
    with pytest.raises(NotPromotable, match="has no version 3"):
        promote(bad.instance, registry, name, 3)

    good = project("good")
    good.run(ADAPTER)
    tags[1]["value"] = provenance.latest(good.instance, ADAPTER).data_version
    alias = f"/api/2.1/unity-catalog/models/{name}/aliases/champion "
    good.told[alias] = (200, {"alias_name": "champion", "version_num": 1})
    promote(good.instance, registry, name, 1)

    half = {"version": "1", "tags": tags, "status": "PENDING_REGISTRATION"}
    good.told[f"{got} 1"] = (200, {"model_version": half})
    with pytest.raises(NotPromotable, match=r"Version 1 of .* is PENDING_REGISTRATION, not READY"):
        promote(good.instance, registry, name, 1)
