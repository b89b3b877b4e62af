"""What must be refused is refused, with a message that mends it."""

from __future__ import annotations

import json

import dagster as dg
import pytest
from databricks.sdk.service import catalog as uc

from govtune_assets import provenance
from govtune_assets.keys import DATASET_VERSIONS, EXAMPLES, SNAPSHOT, adapter_key
from tests.integration.conftest import THRESHOLDS, Project

pytestmark = pytest.mark.integration


def _select_on_raw(project: Project, *, granted: bool) -> None:
    change = {"add" if granted else "remove": [uc.Privilege.SELECT]}
    principal = project.env["GOVTUNE_PRINCIPAL_CURATOR"]
    project.admin().grants.update(
        "schema", "govtune.raw", changes=[uc.PermissionsChange(principal=principal, **change)]
    )


def test_revoking_select_stops_the_next_run(project: Project, instance: dg.DagsterInstance) -> None:
    made = provenance.latest(instance, EXAMPLES, "2023")
    _select_on_raw(project, granted=False)
    try:
        runs = project.backfill([EXAMPLES], ["2023"])
    finally:
        _select_on_raw(project, granted=True)
    assert [run.succeeded for run in runs] == [False]
    principal = project.env["GOVTUNE_PRINCIPAL_CURATOR"]
    error = runs[0].error
    assert "govtune.raw.risk_factors" in error and "SELECT" in error and principal in error, error
    assert "GRANT SELECT ON" in error, error
    assert provenance.latest(instance, EXAMPLES, "2023").run_id == made.run_id


def test_a_failing_gate_in_a_backfill_never_trains(project: Project, instance: dg.DagsterInstance) -> None:
    """The year's run ends at its gate; what follows is launched by the backfill all the same, and refuses."""
    snapshot = provenance.latest(instance, SNAPSHOT)
    keys = [EXAMPLES, SNAPSHOT, DATASET_VERSIONS, adapter_key("quick")]
    runs = project.backfill(
        keys, ["2023"], GOVTUNE_DATA_THRESHOLDS=json.dumps({**THRESHOLDS, "examples_of_year": 100_000})
    )
    assert not any(run.succeeded for run in runs)
    assert provenance.latest(instance, SNAPSHOT).run_id == snapshot.run_id

    # Materialized alone, training sees that the newest record of the consumed version is a failure.
    adapter = provenance.latest(instance, adapter_key("quick"))
    refused = project.backfill([adapter_key("quick")], [])
    assert [run.succeeded for run in refused] == [False]
    assert "minimum_examples of curated/risk_factor_examples, fiscal year 2023: failed" in refused[0].error
    assert provenance.latest(instance, adapter_key("quick")).run_id == adapter.run_id

    again = project.backfill([EXAMPLES], ["2023"])
    assert [run.succeeded for run in again] == [True], again


def test_a_year_without_filings_says_so(project: Project, instance: dg.DagsterInstance) -> None:
    runs = project.backfill([dg.AssetKey("raw_filings")], ["2011"])
    assert [run.succeeded for run in runs] == [False]
    assert "No filing of fiscal year 2011" in runs[0].error


def test_an_unknown_company_is_named(project: Project, instance: dg.DagsterInstance) -> None:
    runs = project.backfill([dg.AssetKey("raw_filings")], ["2023"], GOVTUNE_UNIVERSE="NOSUCHTICKER")
    assert [run.succeeded for run in runs] == [False]
    assert "NOSUCHTICKER" in runs[0].error


def test_grants_as_code_mend_what_was_revoked(project: Project, materialized: object) -> None:
    admin = next(project.cloud.state.rglob("*admin*.json"))
    _select_on_raw(project, granted=False)
    plan = project.govtune("access", "plan", GOVTUNE_ADMIN_CREDENTIALS_FILE=str(admin))
    assert plan.returncode == 2, plan.stdout + plan.stderr
    assert "+ GRANT SELECT ON SCHEMA `govtune`.`raw`" in plan.stdout, plan.stdout + plan.stderr
    applied = project.govtune("access", "apply", GOVTUNE_ADMIN_CREDENTIALS_FILE=str(admin))
    assert applied.returncode == 0 and "1 granted, 0 revoked." in applied.stdout, applied.stdout
    again = project.govtune("access", "plan", GOVTUNE_ADMIN_CREDENTIALS_FILE=str(admin))
    assert again.stdout.strip() == "No difference: the catalog holds what is declared."
    secret = json.loads(admin.read_text())["client_secret"]
    assert secret not in plan.stdout + plan.stderr + applied.stdout + applied.stderr
