"""The whole path on recorded real filings, where they lie beside the checkout."""

from __future__ import annotations

import json
from collections.abc import Iterator

import dagster as dg
import pytest

from govtune_assets import provenance
from govtune_assets.keys import EXAMPLES, RAW_FILINGS, SNAPSHOT, adapter_key, model_key
from tests.conftest import ROOT, start_cloud
from tests.integration.conftest import Project, project_environment

pytestmark = [pytest.mark.integration, pytest.mark.shared]

RECORDED = ROOT.parent / "shared" / "edgar"
FILERS = ("AAPL", "AMZN", "GOOGL", "IBM", "AMD", "MCD")
ANY_MODEL = {"rouge_l_gain": -1, "under_base": 1, "under_baselines": 1}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    if not RECORDED.is_dir():
        pytest.skip("recorded filings are not beside the checkout")
    cloud = start_cloud(tmp_path_factory.mktemp("recorded") / "state", "--edgar", str(RECORDED))
    try:
        yield Project(cloud, {**project_environment(cloud), "GOVTUNE_UNIVERSE": ",".join(FILERS)})
    finally:
        cloud.stop()


def test_recorded_filings_become_a_registered_model(recorded: Project) -> None:
    # A few steps need not beat the base model on real text, so those thresholds are out of the way here.
    done = recorded.demo("--years", "2023", GOVTUNE_MODEL_THRESHOLDS=json.dumps(ANY_MODEL))
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert "gate lineage_complete: passed" in done.stdout
    assert "document     http" in done.stdout and "paragraph    " in done.stdout
    with dg.DagsterInstance.from_config(recorded.env["DAGSTER_HOME"]) as instance:
        filings = provenance.latest(instance, RAW_FILINGS, "2023").metadata
        examples = provenance.latest(instance, EXAMPLES, "2023").metadata
        snapshot = provenance.latest(instance, SNAPSHOT).metadata
        adapter = provenance.latest(instance, adapter_key("quick")).metadata
        model = provenance.latest(instance, model_key("quick")).metadata
    assert filings["filers"] >= 5 and filings["failed"] == 0
    assert examples["rows"] > 100 and examples["pii_left"] == 0
    assert min(snapshot["rows_by_split"].values()) > 0
    assert model["model_version"] == 1
    assert adapter["loss_after"] < adapter["loss_before"]
