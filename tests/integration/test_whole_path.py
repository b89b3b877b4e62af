"""From filings to a registered model, on a running local cloud."""

from __future__ import annotations

import json
import re
import subprocess

import boto3
import dagster as dg
import pytest
from botocore.exceptions import ClientError

from govtune_assets import evaluations, lineage, provenance
from govtune_assets.keys import (
    DATASET_VERSIONS,
    EVALUATIONS,
    EXAMPLES,
    RAW_FILINGS,
    RAW_TABLE,
    SNAPSHOT,
    adapter_key,
    model_key,
)
from govtune_assets.lineage import Node
from govtune_assets.resources.aws import AwsResource
from govtune_assets.resources.unity_catalog import UnityCatalogResource
from govtune_assets.settings import Settings
from govtune_assets.trace import NotTraceable, trace
from tests.integration.conftest import YEARS, Project

pytestmark = pytest.mark.integration


def test_the_demonstration_ends_with_a_summary(materialized: subprocess.CompletedProcess[str]) -> None:
    assert materialized.returncode == 0, materialized.stdout[-4000:] + materialized.stderr[-2000:]
    out = materialized.stdout
    for phrase in ("gates passed", "validation loss", "ROUGE-L", "Merkle root", "document     http", "paragraph    "):
        assert phrase in out, phrase
    assert re.search(r"model\s+govtune\.ml\.risk_factor_model_quick, version \d+", out)


def test_a_second_demonstration_reuses_everything(
    project: Project, materialized: subprocess.CompletedProcess[str]
) -> None:
    again = project.demo("--years", ",".join(YEARS))
    assert again.returncode == 0, again.stdout + again.stderr
    # Per year the raw table and the examples; then snapshot, adapter and model.
    assert again.stdout.count("unchanged, reused") == 2 * len(YEARS) + 3, again.stdout


def test_every_materialization_says_who_was_let_in(instance: dg.DagsterInstance) -> None:
    for key, partition in ((RAW_FILINGS, "2023"), (RAW_TABLE, "2023"), (EXAMPLES, "2023"), (SNAPSHOT, None)):
        credentials = provenance.latest(instance, key, partition).metadata["credentials"]
        assert credentials, key
        assert all(set(c) >= {"principal", "securable", "operation", "expires_at"} for c in credentials)
        assert not any("secret" in name or "token" in name for c in credentials for name in c)


def test_raw_objects_stand_in_the_partition_layout(project: Project) -> None:
    root = _root_session(project).client("s3", endpoint_url=project.env["AWS_ENDPOINT_URL"])
    pages = root.get_paginator("list_objects_v2").paginate(Bucket="govtune-lake", Prefix="raw/risk_factors/")
    keys = [item["Key"] for page in pages for item in page.get("Contents", []) if "/_reports/" not in item["Key"]]
    annual = r"raw/risk_factors/form_type=10-K/fiscal_year=\d{4}/cik=\d{10}/risk_factors\.json"
    quarterly = r"raw/risk_factors/form_type=10-Q/fiscal_year=\d{4}/quarter=[123]/cik=\d{10}/risk_factors\.json"
    assert keys
    assert all(re.fullmatch(annual, key) or re.fullmatch(quarterly, key) for key in keys), keys


def test_the_model_version_names_what_it_was_made_of(in_environment: Project, instance: dg.DagsterInstance) -> None:
    model = provenance.latest(instance, model_key("quick")).metadata
    adapter = provenance.latest(instance, adapter_key("quick"))
    snapshot = provenance.latest(instance, SNAPSHOT)
    name, version = model["model"], str(model["model_version"])
    answer = in_environment.admin().api_client.do(
        "GET", "/api/2.0/mlflow/unity-catalog/model-versions/get", query={"name": name, "version": version}
    )
    tags = {tag["key"]: tag["value"] for tag in answer["model_version"]["tags"]}  # type: ignore[index,call-overload]
    assert tags["adapter_sha256"] == adapter.data_version
    assert tags["snapshot_merkle_root"] == snapshot.metadata["merkle_root"]
    assert tags["fiscal_years"] == "2023,2024"
    assert tags["training_job"] == adapter.metadata["training_job"]


def test_lineage_leads_back_to_the_raw_table(in_environment: Project, instance: dg.DagsterInstance) -> None:
    model = provenance.latest(instance, model_key("quick")).metadata
    edges = lineage.read_upstream(
        in_environment.admin(), Node("model_version", model["model"], str(model["model_version"]))
    )
    tables = {edge.source.name for edge in edges if edge.source.kind == "table"}
    assert tables == {
        "govtune.raw.risk_factors",
        "govtune.curated.risk_factor_examples",
        "govtune.curated.training_snapshot",
    }


def test_an_example_traces_to_its_paragraph(in_environment: Project, instance: dg.DagsterInstance) -> None:
    settings = Settings()
    door = UnityCatalogResource.from_settings(settings, AwsResource(region=settings.region)).door("auditor")
    example = provenance.latest(instance, SNAPSHOT).metadata["sample"]["example_id"]
    traced = trace(door, settings, example)
    assert traced.paragraph and traced.filing["accession_number"] == traced.example["accession_number"]
    with pytest.raises(NotTraceable, match="holds 0 rows"):
        trace(door, settings, "0" * 64)
    with pytest.raises(NotTraceable, match="no example id"):
        trace(door, settings, "' or 1=1")


def test_the_version_is_told_to_the_auditor(project: Project, instance: dg.DagsterInstance) -> None:
    snapshot = provenance.latest(instance, SNAPSHOT).metadata
    version = provenance.latest(instance, DATASET_VERSIONS)
    assert version.metadata["merkle_root"] == snapshot["merkle_root"]
    assert version.run_id == provenance.latest(instance, SNAPSHOT).run_id
    for arguments, phrase in (
        (("show",), str(snapshot["merkle_root"])),
        (("sample", "--rows", "1"), "Risk factor:"),
        (("card",), f"| Merkle root | {snapshot['merkle_root']} |"),
    ):
        done = project.govtune("dataset", *arguments)
        assert done.returncode == 0, done.stderr
        assert phrase in done.stdout
    absent = project.govtune("dataset", "show", "99")
    assert absent.returncode == 1
    assert "the training set has no version 99" in absent.stderr


def test_the_evaluation_stands_in_its_table(in_environment: Project, instance: dg.DagsterInstance) -> None:
    """The training job wrote it as the trainer; the auditor reads it, and finds no text in it."""
    adapter = provenance.latest(instance, adapter_key("quick"))
    made = provenance.latest(instance, EVALUATIONS, "quick")
    settings = Settings()
    door = UnityCatalogResource.from_settings(settings, AwsResource(region=settings.region)).door("auditor")
    figures = evaluations.recorded(door, settings, evaluations.digest_of(adapter.data_version))
    assert set(figures) == set(evaluations.parse(adapter.metadata["evaluation"]))
    assert made.metadata["dagster/row_count"] == len(figures)
    assert made.run_id == adapter.run_id
    assert door.table("govtune.ml.evaluations").owner == in_environment.env["GOVTUNE_PRINCIPAL_TRAINER"]
    written = [grant for grant in adapter.metadata["credentials"] if grant["operation"] != "READ"]
    assert [grant["principal"] for grant in written] == [in_environment.env["GOVTUNE_PRINCIPAL_TRAINER"]]


def test_no_records_of_the_snapshot_hold_a_rows_text(project: Project, instance: dg.DagsterInstance) -> None:
    event = instance.get_latest_materialization_event(SNAPSHOT)
    assert event
    records = dg.serialize_value(event)
    shown = project.govtune("dataset", "sample", "--task", "T1", "--rows", "3").stdout
    texts = [line.split(maxsplit=1)[1] for line in shown.splitlines() if line.startswith("completion ")]
    assert texts
    assert not [text for text in texts if json.dumps(text)[1:-1] in records]


@pytest.mark.parametrize("prefix", ["raw/risk_factors/", "raw/delta/", "curated/delta/", "ml/delta/"])
def test_the_orchestrators_own_role_reads_no_table(in_environment: Project, instance: object, prefix: str) -> None:
    s3 = boto3.client("s3")
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.list_objects_v2(Bucket="govtune-lake", Prefix=prefix)


def test_a_new_materialization_is_a_new_version(project: Project, instance: dg.DagsterInstance) -> None:
    before = int(provenance.latest(instance, model_key("quick")).metadata["model_version"])
    forced = subprocess.run(
        _materialize_command(model_key("quick")),
        env=project.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert forced.returncode == 0, forced.stdout[-3000:] + forced.stderr[-3000:]
    after = int(provenance.latest(instance, model_key("quick")).metadata["model_version"])
    assert after == before + 1


def _materialize_command(key: dg.AssetKey) -> list[str]:
    import sys

    return [
        *(sys.executable, "-m", "dagster", "asset", "materialize"),
        *("-m", "govtune_assets.definitions", "--select", f'key:"{key.to_user_string()}"'),
    ]


def _root_session(project: Project) -> boto3.Session:
    root = json.loads(next(project.cloud.state.rglob("*root*.json")).read_text())
    return boto3.Session(
        aws_access_key_id=root["access_key_id"],
        aws_secret_access_key=root["secret_access_key"],
        region_name="us-east-1",
    )
