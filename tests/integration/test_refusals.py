"""What must be refused is refused, with a message that mends it."""

from __future__ import annotations

import json
import subprocess
import sys

import dagster as dg
import pytest
from databricks.sdk.service import catalog as uc

from govtune_assets import gates, provenance
from govtune_assets.definitions import build_defs
from govtune_assets.keys import DATASET_VERSIONS, EXAMPLES, SNAPSHOT, adapter_key, model_key
from govtune_assets.settings import Settings
from tests.integration.conftest import THRESHOLDS, YEARS, Project

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


def judge_adapter(instance: dg.DagsterInstance, **changes: str) -> None:
    """Evaluate the adapter's gates alone, as the UI's button does."""
    definitions = build_defs(Settings(**changes))  # type: ignore[arg-type]
    dg.materialize(
        [*definitions.assets, *definitions.asset_checks],  # type: ignore[misc]
        selection=dg.AssetSelection.checks(*gates.adapter_gates("quick")),
        instance=instance,
        resources=dict(definitions.resources or {}),
        raise_on_error=False,
    )


def test_a_closed_model_gate_leaves_no_way_to_the_registry(
    in_environment: Project, instance: dg.DagsterInstance
) -> None:
    """By a backfill, by Dagster's and by our own command, by promotion; tests/graph has the others."""
    project, key = in_environment, model_key("quick")
    made = provenance.latest(instance, key)
    version = (str(made.metadata["model"]), str(made.metadata["model_version"]))
    impossible = {"rouge_l_gain": 1, "under_baselines": 1}
    judge_adapter(instance, model_thresholds=impossible)  # type: ignore[arg-type]
    reason = "tuned_beats_base of ml/quick/lora_adapter: failed"

    refused = project.backfill([key], [])
    assert [run.succeeded for run in refused] == [False]
    assert reason in refused[0].error
    command = ("-m", "dagster", "asset", "materialize", "-m", "govtune_assets.definitions")
    by_command = subprocess.run(
        [sys.executable, *command, "--select", f'key:"{key.to_user_string()}"'],
        env=project.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert by_command.returncode != 0 and reason in by_command.stderr + by_command.stdout
    strict = project.demo("--years", ",".join(YEARS), GOVTUNE_MODEL_THRESHOLDS=json.dumps(impossible))
    assert strict.returncode == 1 and "gate tuned_beats_base: ROUGE-L is" in strict.stderr, strict.stdout[-3000:]
    promoted = project.govtune("promote", *version)
    assert promoted.returncode == 1 and reason in promoted.stderr
    assert provenance.latest(instance, key).run_id == made.run_id

    judge_adapter(instance)
    promoted = project.govtune("promote", *version)
    assert promoted.returncode == 0, promoted.stderr
    judge_adapter(instance)
    check = dg.AssetCheckKey(adapter_key("quick"), "not_under_champion")
    (record,) = instance.event_log_storage.get_asset_check_execution_history(check, limit=1)
    assert record.event is not None and record.event.asset_check_evaluation is not None
    assert f"of the champion, version {version[1]}, " in str(record.event.asset_check_evaluation.description)


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
