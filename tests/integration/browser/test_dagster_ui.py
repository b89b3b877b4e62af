"""What a person does in the Dagster UI: look at the graph, materialize a year, backfill two, see the checks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import pytest
from playwright.sync_api import Page, expect

from govtune_assets.gates import RAW_GATES
from tests.integration.conftest import Project

pytestmark = [pytest.mark.browser, pytest.mark.integration]

RUN_SECONDS = 300
RAW_FILINGS = dg.AssetKey("raw_filings")
FINISHED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


@pytest.fixture
def instance(project: Project) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(project.env["DAGSTER_HOME"]) as opened:
        yield opened


def choose_years(page: Page, *years: str) -> None:
    """Open the dialog of the asset's page and pick partitions in it, as a person would."""
    page.get_by_role("button", name="Materialize").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Select a partition or create one").click()
    for year in years:
        page.get_by_role("menuitem", name=year).first.click()
    page.keyboard.press("Escape")


def finished(instance: dg.DagsterInstance, before: set[str], number: int) -> list[dg.DagsterRun]:
    """The runs launched since `before`, once `number` of them have ended."""
    deadline = time.monotonic() + RUN_SECONDS
    while time.monotonic() < deadline:
        runs = [run for run in instance.get_runs() if run.run_id not in before]
        if len(runs) >= number and all(run.status in FINISHED for run in runs):
            return runs
        time.sleep(1)
    raise AssertionError(f"{number} runs did not end: {[(run.run_id, run.status) for run in runs]}")


def test_the_graph_shows_the_whole_path(page: Page, ui: str, pictures: Path) -> None:
    groups = ",".join(f"global@global:{group}" for group in ("filings", "curation", "training_quick"))
    page.set_viewport_size({"width": 2300, "height": 760})
    page.goto(f"{ui}/asset-groups?expanded={quote(groups, safe='')}")
    for name in ("raw_filings", "risk_factors", "training_snapshot", "lora_adapter", "risk_factor_model"):
        expect(page.get_by_text(name, exact=True).last).to_be_visible()
    page.get_by_text("Hide navigation").click()
    page.wait_for_timeout(4000)
    page.screenshot(path=pictures / "asset-graph.png")


def test_a_year_is_materialized_by_clicking(page: Page, ui: str, instance: dg.DagsterInstance, pictures: Path) -> None:
    before = set(instance.get_run_ids())
    page.goto(f"{ui}/assets/raw_filings?view=partitions")
    choose_years(page, "2023")
    page.get_by_role("button", name="Launch 1 run").click()
    (run,) = finished(instance, before, 1)
    assert run.status is dg.DagsterRunStatus.SUCCESS
    page.goto(f"{ui}/assets/raw_filings?view=partitions&partition=2023")
    expect(page.get_by_text("Materialized", exact=True).first).to_be_visible()
    expect(page.get_by_text("PATH_READ_WRITE").first).to_be_visible()
    chart = page.get_by_alt_text("Filings by status and form")
    expect(chart).to_be_visible()
    assert chart.evaluate("image => image.naturalWidth") > 0
    page.set_viewport_size({"width": 1600, "height": 1500})
    page.screenshot(path=pictures / "partition.png")


def test_a_backfill_of_two_years_succeeds_and_its_checks_pass(
    page: Page, ui: str, instance: dg.DagsterInstance, pictures: Path
) -> None:
    before = set(instance.get_run_ids())
    page.goto(f"{ui}/assets/raw/risk_factors?view=partitions")
    choose_years(page, "2023", "2024")
    page.get_by_role("button", name="Launch backfill").click()
    runs = finished(instance, before, 2)
    assert {run.tags["dagster/asset_partition_range_start"] for run in runs} == {"2023", "2024"}
    assert all(run.status is dg.DagsterRunStatus.SUCCESS for run in runs)
    for check in RAW_GATES:
        records = instance.event_log_storage.get_asset_check_execution_history(check, limit=10)
        evaluated = [r for r in records if r.run_id in {run.run_id for run in runs} and r.partition]
        assert {(r.partition, r.event.asset_check_evaluation.passed) for r in evaluated if r.event} == {
            ("2023", True),
            ("2024", True),
        }
    page.goto(f"{ui}/assets/curated/risk_factor_examples?view=checks")
    for check in ("minimum_examples", "no_pii_left", "duplicate_share"):
        expect(page.get_by_text(check, exact=True).first).to_be_visible()
    page.get_by_text("minimum_examples", exact=True).first.click()
    expect(page.get_by_text("Passed", exact=True).first).to_be_visible()
    page.wait_for_timeout(2000)
    page.screenshot(path=pictures / "checks.png")
    page.goto(f"{ui}/assets/raw/risk_factors?view=checks")
    expect(page.get_by_text("Passed", exact=True).first).to_be_visible()


def test_an_evaluation_is_read_in_the_browser(page: Page, ui: str, pictures: Path) -> None:
    page.set_viewport_size({"width": 1600, "height": 1300})
    page.goto(f"{ui}/assets/ml/evaluations?view=partitions&partition=quick")
    chart = page.get_by_alt_text("T1: ROUGE-L on unseen companies")
    chart.wait_for()
    assert chart.evaluate("image => image.naturalWidth") > 0
    page.screenshot(path=pictures / "evaluations.png")
    page.goto(f"{ui}/assets/ml/quick/lora_adapter?view=events")
    losses = page.get_by_alt_text("Losses by step").first
    losses.wait_for()
    assert losses.evaluate("image => image.naturalWidth") > 0
    page.screenshot(path=pictures / "adapter.png")
    page.goto(f"{ui}/assets/ml/quick/lora_adapter?view=checks")
    page.get_by_text("tasks_not_under_base", exact=True).first.click()
    page.get_by_text("Passed", exact=True).first.wait_for()
    page.get_by_text("threshold", exact=True).first.wait_for()
    page.wait_for_timeout(2000)
    page.screenshot(path=pictures / "model-gates.png")
