"""A missing grant stops a step before anything is fetched, uploaded or submitted; drift is reported."""

import json
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from govtune_assets import gates
from govtune_assets.access.declaration import Stage, declared, needs
from govtune_assets.access.preflight import require_access
from govtune_assets.checks.access import NAME
from govtune_assets.definitions import build_defs
from govtune_assets.keys import (
    EXAMPLES,
    RAW_FILINGS,
    RAW_TABLE,
    SNAPSHOT,
    adapter_key,
    model_key,
    table_location,
    table_name,
)
from govtune_assets.resources.unity_catalog import UnityCatalogResource
from govtune_assets.settings import Settings
from tests.access.conftest import COLUMNS, Access, door
from train.config import load_all

pytestmark = pytest.mark.integration

YEAR = "2023"


def step(access: Access, key: dg.AssetKey) -> dg.ExecuteInProcessResult:
    """A step that asks for leave and does nothing else, under the name of a real one."""
    configurations = list(load_all(access.settings.training_configuration_folder).values())

    @dg.asset(key=key)
    def asks(context: dg.AssetExecutionContext, unity_catalog: UnityCatalogResource) -> None:
        require_access(context, unity_catalog, access.settings, configurations)

    return dg.materialize([asks], resources={"unity_catalog": access.catalog}, raise_on_error=False)


def failure(result: dg.ExecuteInProcessResult) -> Any:
    """The failure of the run's one step."""
    (event,) = [event for event in result.all_events if event.is_step_failure]
    return event.step_failure_data


def stopped(access: Access, key: dg.AssetKey) -> str:
    """The message that stops a step."""
    result = step(access, key)
    assert not result.success
    return str(failure(result).error.message)


@pytest.fixture
def examples(access: Access) -> Iterator[None]:
    """The table that the snapshot is made of."""
    name = table_name(access.settings, EXAMPLES)
    if made := not access.admin.exists("TABLE", name):
        door(access, Stage.CURATOR).create_external_delta_table(
            name, table_location(access.settings, EXAMPLES), COLUMNS
        )
    yield
    if made:
        access.admin.workspace.tables.delete(name)


def test_every_step_may_go_on_with_the_declared_grants(access: Access, examples: None) -> None:
    configurations = load_all(access.settings.training_configuration_folder).values()
    for key in {need.step for need in needs(access.settings, configurations) if need.step}:
        assert step(access, key).success, key


@pytest.mark.parametrize(
    ("key", "stage", "privilege", "statement"),
    [
        (RAW_FILINGS, Stage.LOADER, "WRITE FILES", "EXTERNAL LOCATION `govtune_raw_json`"),
        (EXAMPLES, Stage.CURATOR, "SELECT", "SCHEMA `govtune`.`raw`"),
        (SNAPSHOT, Stage.CURATOR, "EXTERNAL USE SCHEMA", "SCHEMA `govtune`.`curated`"),
        (adapter_key("smollm2-135m"), Stage.TRAINER, "USE SCHEMA", "SCHEMA `govtune`.`curated`"),
        (model_key("smollm2-135m"), Stage.REGISTRAR, "CREATE EXTERNAL METADATA", "METASTORE"),
    ],
)
def test_a_missing_grant_stops_the_step_with_its_statement(
    access: Access, examples: None, key: dg.AssetKey, stage: Stage, privilege: str, statement: str
) -> None:
    (grant,) = [
        grant
        for grant in declared(access.settings)
        if grant.stage is stage
        and grant.requirement.privilege == privilege
        and statement in grant.requirement.grant_statement("x")
    ]
    access.take(stage, grant.requirement)
    said = stopped(access, key)
    assert f"Unity Catalog would refuse the {stage}, service principal {access.id(stage)}" in said
    assert f"GRANT {privilege} ON {statement} TO `{access.id(stage)}`;" in said
    assert said.count("GRANT ") == 1 and "govtune access apply" in said


@pytest.fixture
def gated() -> Iterator[dg.DagsterInstance]:
    """An instance on which a fiscal year of the raw table is materialized and its gates have passed."""
    with dg.instance_for_test() as instance:
        tags = {"dagster/data_version": "v1"}
        instance.report_runless_asset_event(dg.AssetMaterialization(RAW_TABLE, partition=YEAR, tags=tags))
        for gate in gates.RAW_GATES:
            instance.report_runless_asset_event(
                dg.AssetCheckEvaluation(
                    asset_key=gate.asset_key,
                    check_name=gate.name,
                    passed=True,
                    metadata={gates.DATA_VERSION: "v1"},
                    partition=YEAR,
                )
            )
        yield instance


def test_nothing_is_uploaded_or_submitted_for_a_job_that_would_be_refused(
    access: Access, gated: dg.DagsterInstance
) -> None:
    s3 = access.catalog.aws.client("s3")

    def traces() -> list[str]:
        """A job leaves its code, its context or its log in the work bucket."""
        listed = [
            s3.list_objects_v2(Bucket=access.settings.work_bucket, Prefix=at) for at in ("code/", "pipes/", "logs/")
        ]
        return [entry["Key"] for answer in listed for entry in answer.get("Contents", [])]

    before = traces()
    access.revoke(access.id(Stage.CURATOR), "SELECT", "SCHEMA", "govtune.raw")
    result = materialize(access.settings, EXAMPLES, gated)
    data = failure(result)
    assert "GRANT SELECT ON SCHEMA `govtune`.`raw`" in data.error.message
    assert set(data.user_failure_data.metadata) == {"Missing", "Grants"}
    assert traces() == before


def test_nothing_is_fetched_for_a_year_that_could_not_be_written(access: Access, gated: dg.DagsterInstance) -> None:
    settings = Settings(edgar_www_url="http://127.0.0.1:9", edgar_data_url="http://127.0.0.1:9")
    access.revoke(access.id(Stage.LOADER), "WRITE FILES", "EXTERNAL LOCATION", "govtune_raw_json")
    said = failure(materialize(settings, RAW_FILINGS, gated)).error.message
    assert "GRANT WRITE FILES ON EXTERNAL LOCATION `govtune_raw_json`" in said


def materialize(settings: Settings, key: dg.AssetKey, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """Materialize the project's own asset for the year."""
    definitions = build_defs(settings)
    return dg.materialize(
        list(definitions.assets or []),  # type: ignore[arg-type]
        selection=[key],
        partition_key=YEAR,
        instance=instance,
        resources=dict(definitions.resources or {}),
        raise_on_error=False,
    )


def test_a_jobs_secret_is_out_of_reach_but_through_the_preflight_role(access: Access) -> None:
    """The orchestrator's own role may not read it, and what the role reads stands in no record of the run."""
    manager = access.catalog.aws.client("secretsmanager")
    with pytest.raises(manager.exceptions.ClientError, match="AccessDenied"):
        manager.get_secret_value(SecretId="databricks/curator")
    asked = access.catalog.aws.client_as(access.settings.preflight_role_arn, "secretsmanager")
    secret = json.loads(asked.get_secret_value(SecretId="databricks/curator")["SecretString"])["client_secret"]
    access.revoke(access.id(Stage.CURATOR), "SELECT", "SCHEMA", "govtune.raw")
    assert secret not in "".join(str(event) for event in step(access, EXAMPLES).all_events)
    with pytest.raises(asked.exceptions.ClientError, match="AccessDenied"):
        asked.get_secret_value(SecretId="databricks/loader")


def test_without_the_role_jobs_are_submitted_unasked(access: Access) -> None:
    settings = Settings(preflight_role_arn="")
    silent = Access(settings, access.admin, UnityCatalogResource.from_settings(settings, access.catalog.aws))
    access.revoke(access.id(Stage.CURATOR), "SELECT", "SCHEMA", "govtune.raw")
    access.revoke(access.id(Stage.LOADER), "READ FILES", "EXTERNAL LOCATION", "govtune_raw_json")
    assert step(silent, EXAMPLES).success
    assert "READ FILES" in stopped(silent, RAW_FILINGS), "the loader's secret is the orchestrator's own"
    (found,) = check(silent)
    assert not found.passed and "curator and the trainer" in str(found.description)


@pytest.fixture
def drift(access: Access) -> Iterator[None]:
    """One grant too few, one too many."""
    access.revoke(access.id(Stage.CURATOR), "SELECT", "SCHEMA", "govtune.raw")
    access.grant(access.id(Stage.TRAINER), "MODIFY", "SCHEMA", "govtune.curated")
    yield


def check(access: Access) -> list[dg.AssetCheckEvaluation]:
    """The evaluation of the check on grants."""
    definitions = build_defs(Settings())
    key = dg.AssetCheckKey(SNAPSHOT, NAME)
    result = dg.materialize(
        [*(definitions.assets or []), *(definitions.asset_checks or [])],  # type: ignore[arg-type, misc]
        selection=dg.AssetSelection.checks(key),
        resources={**dict(definitions.resources or {}), "unity_catalog": access.catalog},
    )
    return result.get_asset_check_evaluations()


def test_the_check_passes_on_declared_grants(access: Access) -> None:
    (found,) = check(access)
    assert found.passed and found.metadata["value"].value == 0


def test_the_check_reports_drift_and_blocks_nothing(access: Access, drift: None) -> None:
    (found,) = check(access)
    assert not found.passed and not found.blocking and found.severity is dg.AssetCheckSeverity.WARN
    table = str(found.metadata["Differences"].value)
    assert "| missing | curator | SELECT | schema govtune.raw | grant |" in table
    assert "| surplus | trainer | MODIFY | schema govtune.curated | grant |" in table
