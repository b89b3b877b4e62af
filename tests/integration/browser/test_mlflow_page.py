"""What a person sees of a training's MLflow run: the link on the adapter's page, and the run's own page behind it."""

from __future__ import annotations

import re
from pathlib import Path

import dagster as dg
import pytest
from playwright.sync_api import Page, expect

from govtune_assets import provenance
from govtune_assets.keys import adapter_key
from tests.integration.conftest import Project

SLOW = 60_000  # milliseconds: the first look at MLflow's pages loads all of their code

pytestmark = [pytest.mark.browser, pytest.mark.integration]


def test_the_runs_page_is_reached_from_the_adapters_page(
    page: Page, ui: str, project: Project, instance: dg.DagsterInstance, pictures: Path
) -> None:
    adapter = provenance.latest(instance, adapter_key("quick")).metadata
    asked: list[str] = []
    page.context.on("request", lambda request: asked.append(request.url))
    page.goto(f"{ui}/assets/{adapter_key('quick').to_user_string()}")
    link = page.get_by_role("link", name=str(adapter["MLflow run"])).first
    expect(link).to_be_visible()
    with page.context.expect_page() as opened:
        link.click()
    run = opened.value
    run.set_viewport_size({"width": 1600, "height": 1100})
    expect(run.get_by_text(str(adapter["training_job"])).first).to_be_visible(timeout=SLOW)
    for metric in ("train/loss", "validation/loss", "train/gradient_norm"):
        expect(run.get_by_text(metric, exact=True).first).to_be_visible(timeout=SLOW)
    expect(run.get_by_text("lora.rank", exact=True).first).to_be_visible()
    expect(run.get_by_text("govtune.curated.training_snapshot").first).to_be_visible()
    # MLflow's own assistant opens by itself at a first visit; the server behind the door has none.
    run.get_by_role("button", name="Close").first.click()
    run.screenshot(path=pictures / "mlflow-run.png")
    run.get_by_role("tab", name=re.compile("Model metrics")).click()
    expect(run.locator(".js-plotly-plot").first).to_be_visible(timeout=SLOW)
    run.wait_for_timeout(2000)
    run.screenshot(path=pictures / "mlflow-curves.png")
    # Neither page asks another machine for anything.
    elsewhere = {url for url in asked if not re.match(r"(http://127\.0\.0\.1:\d+/|data:|blob:)", url)}
    assert elsewhere == set()
