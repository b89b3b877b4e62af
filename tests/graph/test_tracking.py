"""What a job is told of the tracking server, and who is given an access token for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import ValidationError

from govtune_assets import tracking
from govtune_assets.settings import Settings
from train.config import CONFIGS, load
from train.job import Interrupted
from train.tracking import FAILED, STOPPED, NoTracker, Results, Server, Started, Tracked, flattened, watched

CONFIGURATION = load(CONFIGS / "smollm2-135m.yaml")


def settings(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)


def test_without_an_address_nothing_is_tracked() -> None:
    assert tracking.parameters(settings(), CONFIGURATION) is None
    assert NoTracker().finish(FAILED).metadata() == {}


def test_a_servers_experiment_has_the_configurations_name_and_a_workspaces_lies_in_a_folder() -> None:
    own = tracking.parameters(settings(tracking_uri="http://127.0.0.1:4573/"), CONFIGURATION)
    assert own == {
        "uri": "http://127.0.0.1:4573",
        "experiment": CONFIGURATION.experiment,
        "run_url_template": "http://127.0.0.1:4573/#/experiments/{experiment_id}/runs/{run_id}",
    }
    there = settings(tracking_uri="databricks", databricks_host="dbc.example", tracking_folder="/Shared/govtune/")
    assert tracking.parameters(there, CONFIGURATION) == {
        "uri": "databricks",
        "experiment": f"/Shared/govtune/{CONFIGURATION.experiment}",
        "run_url_template": "https://dbc.example/ml/experiments/{experiment_id}/runs/{run_id}",
    }


@pytest.mark.parametrize("uri", ["http://mlflow.example", "ftp://x", "databricks://profile", "https://u:p@x", "//x"])
def test_an_address_that_sends_in_the_clear_or_holds_a_secret_is_refused(uri: str) -> None:
    with pytest.raises(ValidationError, match="neither `databricks` nor an https address"):
        settings(tracking_uri=uri)


@pytest.mark.parametrize(
    ("uri", "address", "given"),
    [
        ("databricks", "https://dbc.example", True),
        ("http://127.0.0.1:4573", "http://127.0.0.1:4573", True),
        ("https://mlflow.example", "https://mlflow.example", False),
        ("https://127.0.0.1.example", "https://127.0.0.1.example", False),
    ],
)
def test_the_workspaces_token_goes_to_the_workspace_and_this_machine_only(uri: str, address: str, given: bool) -> None:
    server = Server.named({"uri": uri, "experiment": "e"}, "https://dbc.example", lambda: "secret-token")
    assert server.address == address
    assert (server.token is not None) is given
    assert "secret" not in repr(server)


def test_a_configuration_is_flattened_by_its_paths() -> None:
    nested = {"lora": {"rank": 4, "targets": ["q", "k"]}, "compute": {"spot": True, "threads": None}}
    assert flattened(nested) == {
        "lora.rank": "4",
        "lora.targets": "q,k",
        "compute.spot": "True",
        "compute.threads": "none",
    }
    assert flattened(CONFIGURATION.as_parameters())["experiment"] == CONFIGURATION.experiment


def test_the_adapters_page_links_the_run_or_says_why_there_is_none() -> None:
    linked = tracking.metadata({"mlflow_run_url": "http://127.0.0.1:1/#/experiments/1/runs/2"})
    assert linked == {"MLflow run": dg.MetadataValue.url("http://127.0.0.1:1/#/experiments/1/runs/2")}
    assert tracking.metadata({"mlflow_problem": "away"}) == {"MLflow run": dg.MetadataValue.text("not recorded: away")}
    assert tracking.metadata({}) == {}


class Ends:
    """Keeps how it was ended."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def start(self, run: Started, checkpoints: Path) -> None:
        raise AssertionError("not started here")

    def log_step(self, step: int, values: Any) -> None:
        raise AssertionError("no steps here")

    def finish(self, status: str, results: Results | None = None) -> Tracked:
        self.ended.append(status)
        return Tracked()


@pytest.mark.parametrize(
    ("error", "status"), [(Interrupted("stop"), STOPPED), (ValueError("x"), FAILED), (KeyboardInterrupt(), FAILED)]
)
def test_a_training_that_does_not_end_well_ends_its_run(error: BaseException, status: str) -> None:
    tracker = Ends()
    with pytest.raises(type(error)), watched(tracker):
        raise error
    assert tracker.ended == [status]
