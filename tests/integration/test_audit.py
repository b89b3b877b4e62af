"""The audit of a real run: what it read, by which grant, and a read without one."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta

import boto3
import dagster as dg
import pytest

from govtune_assets import provenance
from govtune_assets.audit import ledger
from govtune_assets.audit.judgement import Verdict
from govtune_assets.audit.ledger import Ledger, Logs
from govtune_assets.audit.objects import LogObjects
from govtune_assets.checks.audit import NAME
from govtune_assets.definitions import build_defs
from govtune_assets.keys import EXAMPLES, RAW_TABLE, SNAPSHOT, adapter_key
from govtune_assets.settings import Settings
from tests.integration.conftest import Project

pytestmark = pytest.mark.integration

DELIVERY_SECONDS = 60


def evaluation(instance: dg.DagsterInstance, key: dg.AssetKey) -> dg.AssetCheckEvaluation:
    check = dg.AssetCheckKey(key, NAME)
    (record,) = instance.event_log_storage.get_asset_check_execution_history(check, limit=1)
    assert record.event is not None and record.event.asset_check_evaluation is not None
    return record.event.asset_check_evaluation


def newest_check(instance: dg.DagsterInstance, key: dg.AssetKey) -> tuple[bool, str]:
    found = evaluation(instance, key)
    return found.passed, str(found.description)


@pytest.mark.parametrize("key", [SNAPSHOT, adapter_key("quick")])
def test_every_read_of_the_whole_path_was_granted(instance: dg.DagsterInstance, key: dg.AssetKey) -> None:
    passed, sentence = newest_check(instance, key)
    assert passed, sentence
    judged = re.match(r"0 of (\d+) accesses", sentence)
    assert judged and int(judged[1]) > 50, sentence


@pytest.mark.parametrize(
    ("key", "partition", "principal", "grants", "place"),
    [
        (RAW_TABLE, "2023", "loader", {"PATH_READ"}, "raw/risk_factors/form_type="),
        (EXAMPLES, "2024", "curator", {"READ", "READ_WRITE"}, "raw/delta/risk_factors/"),
        (adapter_key("quick"), None, "trainer", {"READ"}, "curated/delta/training_snapshot/"),
    ],
)
def test_the_audit_lists_what_a_run_read(
    project: Project,
    instance: dg.DagsterInstance,
    key: dg.AssetKey,
    partition: str | None,
    principal: str,
    grants: set[str],
    place: str,
) -> None:
    made = provenance.latest(instance, key, partition)
    done = project.govtune("audit", "--run", made.run_id)
    assert done.returncode == 0, done.stderr
    out = done.stdout
    for grant in made.metadata["credentials"]:
        assert grant["credential_id"] in out
    # The run's gates read too, as the auditor.
    assert set(re.findall(r"^([A-Z_]+) on ", out, re.MULTILINE)) >= grants
    who = {project.env[f"GOVTUNE_PRINCIPAL_{name}"] for name in (principal.upper(), "AUDITOR")}
    assert set(re.findall(r"^  to (\S+) at", out, re.MULTILINE)) <= who
    assert re.search(rf"GetObject +[1-9]\d* bytes.* {re.escape(place)}", out), out
    assert re.search(r"[1-9]\d* objects read, [1-9]\d* bytes", out)
    assert "CloudTrail delivers S3 data events minutes after" in out


def test_the_catalogs_log_names_the_run_behind_each_credential(
    in_environment: Project, instance: dg.DagsterInstance
) -> None:
    made = provenance.latest(instance, SNAPSHOT)
    audit = ledger.audit_run(LogObjects(boto3.client("s3")), Logs.of(Settings()), instance, made.run_id)
    told = {grant.credential_id for grant in audit.grants if grant.run_id == made.run_id}
    assert told >= {grant["credential_id"] for grant in made.metadata["credentials"]}


def test_what_the_gates_read_is_recorded_beside_the_jobs_own_grants(
    project: Project, instance: dg.DagsterInstance
) -> None:
    made = provenance.latest(instance, RAW_TABLE, "2023")
    who = {grant.principal for grant in ledger.recorded_by(instance, made.run_id)}
    assert who == {project.env[f"GOVTUNE_PRINCIPAL_{name}"] for name in ("LOADER", "AUDITOR")}


def test_an_unknown_run_is_named(project: Project, materialized: object) -> None:
    done = project.govtune("audit", "--run", "no-such-run")
    assert done.returncode == 1
    assert "'no-such-run' is no run of the Dagster instance" in done.stderr


def evaluate(instance: dg.DagsterInstance) -> None:
    """Evaluate the snapshot's check alone, as the UI's button does."""
    definitions = build_defs(Settings())
    done = dg.materialize(
        [*definitions.assets, *definitions.asset_checks],  # type: ignore[misc]
        selection=dg.AssetSelection.checks(dg.AssetCheckKey(SNAPSHOT, NAME)),
        instance=instance,
        resources=dict(definitions.resources or {}),
    )
    assert done.success


@pytest.mark.parametrize(
    ("variable", "place", "said", "delay", "severity"),
    [
        ("GOVTUNE_AUDIT_TRAIL", "AWSLogs/000000000000/CloudTrail", "has no access", "2", dg.AssetCheckSeverity.WARN),
        ("GOVTUNE_AUDIT_CATALOG", "databricks/workspaceId=2", "has no event", "0", dg.AssetCheckSeverity.ERROR),
    ],
)
def test_a_log_that_is_elsewhere_is_no_proof(
    in_environment: Project,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    place: str,
    said: str,
    delay: str,
    severity: dg.AssetCheckSeverity,
) -> None:
    """At first it warns, as the log may be late; after the delay it fails."""
    with monkeypatch.context() as wrong:
        wrong.setenv(variable, f"s3://govtune-audit/{place}")
        wrong.setenv("GOVTUNE_AUDIT_DELAY_HOURS", delay)
        evaluate(instance)
    found = evaluation(instance, SNAPSHOT)
    assert not found.passed and said in str(found.description), found.description
    assert found.severity is severity
    evaluate(instance)
    assert newest_check(instance, SNAPSHOT)[0]


def test_a_read_past_the_catalog_is_found(
    in_environment: Project, project: Project, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = json.loads((project.cloud.state / "credentials" / "aws-root.json").read_text())
    s3 = boto3.client(
        "s3",
        endpoint_url=project.env["AWS_ENDPOINT_URL"],
        aws_access_key_id=root["access_key_id"],
        aws_secret_access_key=root["secret_access_key"],
    )
    key = "curated/delta/training_snapshot/_delta_log/00000000000000000000.json"
    began = datetime.now(UTC) - timedelta(seconds=1)
    s3.get_object(Bucket="govtune-lake", Key=key)["Body"].read()
    both = Ledger(LogObjects(boto3.client("s3")), Logs.of(Settings()), instance)
    deadline = time.monotonic() + DELIVERY_SECONDS
    while not (found := both.findings(began, datetime.now(UTC), str, "").of(Verdict.UNGRANTED)):
        assert time.monotonic() < deadline, "the read was not delivered"
        time.sleep(0.5)
    assert {(one.access.key, one.access.access_key_id) for one in found} == {(key, root["access_key_id"])}
    try:
        evaluate(instance)
        passed, sentence = newest_check(instance, SNAPSHOT)
        assert not passed
        assert sentence.startswith("1 of ")
    finally:
        # A short look back, so that what comes after this test finds the check as it was.
        monkeypatch.setenv("GOVTUNE_AUDIT_HOURS", "0.0003")
        evaluate(instance)
    assert newest_check(instance, SNAPSHOT)[0]
