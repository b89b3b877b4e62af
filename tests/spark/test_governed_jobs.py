"""The jobs through a real spark-submit, on tables for which the catalog vends every credential."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import PermissionsChange, Privilege
from deltalake import DeltaTable, write_deltalake
from emr import Emr, Finished
from pyspark.sql import SparkSession
from raw_rows import corpus

from govtune_assets import spark_package
from govtune_assets.raw_table import arrow_table, content_root
from spark import schemas, split
from spark.cleaning import CLEANER_VERSION
from spark.credentials import hadoop_options
from unitydoor.catalog import Catalog
from unitydoor.columns import from_spark_json
from unitydoor.oauth import ClientCredentials
from unitydoor.secrets import ServicePrincipal, load_principal

if TYPE_CHECKING:
    from tests.conftest import Cloud

pytestmark = pytest.mark.integration

RAW, RAW_LOCATION = "govtune.raw.spark_factors", "s3://govtune-lake/raw/delta/spark_factors"
EXAMPLES, EXAMPLES_LOCATION = "govtune.curated.spark_examples", "s3://govtune-lake/curated/delta/spark_examples"
VERSIONS, VERSIONS_LOCATION = "govtune.curated.spark_versions", "s3://govtune-lake/curated/delta/spark_versions"
SNAPSHOT, SNAPSHOT_LOCATION = "govtune.curated.spark_snapshot", "s3://govtune-lake/curated/delta/spark_snapshot"


@dataclass(frozen=True)
class Lake:
    """The cloud with a raw table of two years, and who asks for what in it."""

    cloud: Cloud
    emr: Emr
    curator: ServicePrincipal

    @property
    def host(self) -> str:
        return self.cloud.env["GOVTUNE_DATABRICKS_HOST"]

    @property
    def admin(self) -> WorkspaceClient:
        known = json.loads((self.cloud.state / "credentials" / "databricks-admin.json").read_text())
        return WorkspaceClient(host=self.host, config_file="/dev/null", auth_type="oauth-m2m", **known)

    def door(self, principal: ServicePrincipal) -> Catalog:
        return Catalog(self.host, ClientCredentials(self.host, principal))

    def run(self, job: str, *, submit: str = "", **parameters: Any) -> Finished:
        tables = {
            "examples": (RAW, EXAMPLES, EXAMPLES_LOCATION),
            "snapshot": (EXAMPLES, SNAPSHOT, SNAPSHOT_LOCATION),
        }
        source, target, location = tables[job]
        extras = {
            "job": job,
            "catalog_host": self.host,
            "secret_id": "databricks/curator",
            "source_table": source,
            "target_table": target,
            "target_location": location,
            "run_id": "run-1",
            "code_version": "code-1",
        }
        if job == "examples":
            year = [as_record(row) for row in corpus() if row["fiscal_year"] == parameters["fiscal_year"]]
            extras["source_content"] = content_root(arrow_table(year))
        return self.emr.run({**extras, **parameters}, submit=submit)

    def delta(self, name: str) -> DeltaTable:
        grant = self.door(self.curator).vend_table(name, "READ")
        return DeltaTable(grant.url, storage_options=self.storage_options(grant))

    def storage_options(self, grant: Any) -> dict[str, str]:
        options: dict[str, str] = grant.storage_options(self.cloud.env["AWS_REGION"])
        return options | {"AWS_ENDPOINT_URL": self.cloud.env["AWS_ENDPOINT_URL"], "AWS_ALLOW_HTTP": "true"}


def principal(cloud: Cloud, name: str) -> ServicePrincipal:
    """A service principal, its secret read as the account's root."""
    root = json.loads((cloud.state / "credentials" / "aws-root.json").read_text())
    client = boto3.client(
        "secretsmanager",
        endpoint_url=cloud.env["AWS_ENDPOINT_URL"],
        region_name=cloud.env["AWS_REGION"],
        aws_access_key_id=root["access_key_id"],
        aws_secret_access_key=root["secret_access_key"],
    )
    return load_principal(f"databricks/{name}", client=client)


def as_record(row: dict[str, Any]) -> dict[str, Any]:
    """A raw row as the JSON object that a filing is kept as."""
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in row.items()}


@pytest.fixture(scope="module")
def lake(cloud: Cloud) -> Iterator[Lake]:
    """Two years of raw factors, written and registered as the loader."""
    made = Lake(cloud, Emr(cloud.env), principal(cloud, "curator"))
    door = made.door(principal(cloud, "loader"))
    options = made.storage_options(door.vend_path(RAW_LOCATION, "PATH_CREATE_TABLE"))
    rows = arrow_table([as_record(row) for row in corpus()])
    write_deltalake(RAW_LOCATION, rows, partition_by=["fiscal_year"], storage_options=options)
    schema = DeltaTable(RAW_LOCATION, storage_options=options).schema().to_json()
    door.create_external_delta_table(RAW, RAW_LOCATION, from_spark_json(schema, ("fiscal_year",)))
    yield made


@pytest.fixture(scope="module")
def examples(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Finished]:
    """The job `examples` for both years; the first one with Spark's event log."""
    events = tmp_path_factory.mktemp("events")
    submit = (
        f"--conf spark.eventLog.enabled=true --conf spark.eventLog.compress=false --conf spark.eventLog.dir={events}"
    )
    made = {
        "2023": lake.run("examples", fiscal_year=2023, submit=submit),
        "2024": lake.run("examples", fiscal_year=2024),
    }
    for finished in made.values():
        assert finished.state == "SUCCESS", finished.details + finished.logs
    log = "".join(path.read_text() for path in sorted(events.rglob("events_*")))
    made["2023"] = replace(made["2023"], logs=made["2023"].logs + log)
    return made


def test_examples_are_written_and_registered(lake: Lake, examples: dict[str, Finished]) -> None:
    metadata = examples["2023"].metadata
    assert (metadata["rows"], metadata["source_rows"], metadata["duplicates_removed"]) == (19, 24, 5)
    table = lake.admin.tables.get(EXAMPLES)
    assert [column.name for column in table.columns or []] == schemas.EXAMPLES.names
    assert all(column.comment for column in table.columns or [])
    assert table.comment == schemas.EXAMPLES_COMMENT
    assert lake.delta(EXAMPLES).to_pyarrow_table().num_rows == 38


def test_what_was_vended_is_recorded(lake: Lake, examples: dict[str, Finished]) -> None:
    asked = [(item["securable"], item["operation"]) for item in examples["2023"].metadata["credentials"]]
    assert asked == [(RAW, "READ"), (EXAMPLES_LOCATION, "PATH_CREATE_TABLE"), (EXAMPLES, "READ_WRITE")]
    asked = [(item["securable"], item["operation"]) for item in examples["2024"].metadata["credentials"]]
    assert asked == [(RAW, "READ"), (EXAMPLES, "READ_WRITE")]
    assert {item["principal"] for item in examples["2024"].metadata["credentials"]} == {lake.curator.client_id}


def test_no_secret_is_left_behind(lake: Lake, examples: dict[str, Finished]) -> None:
    said = examples["2023"].logs + json.dumps(examples["2023"].messages)
    history = json.dumps(lake.delta(EXAMPLES).history(), default=str)
    assert "SparkListenerSQLExecutionStart" in said
    for text in (said, history):
        assert lake.curator.client_secret not in text
        values = re.findall(
            r"(?:secret\.key|session\.token|auth\.token)[\"'\s]*(?:[=:,]|->)[\"'\s]*([^\"',\s)]+)", text
        )
        assert {value for value in values if "redacted" not in value} == set()
    assert "fs." not in history


def test_snapshot_of_what_the_gates_passed(lake: Lake, examples: dict[str, Finished]) -> None:
    versions = {year: finished.materialization["data_version"] for year, finished in examples.items()}
    finished = lake.run(
        "snapshot",
        fiscal_years=[2023, 2024],
        source_versions=versions,
        versions_table=VERSIONS,
        versions_location=VERSIONS_LOCATION,
        raw_table=RAW,
        raw_versions={year: str(made.metadata["source_delta_version"]) for year, made in examples.items()},
        description="Examples of a test.",
    )
    assert finished.state == "SUCCESS", finished.details + finished.logs
    assert finished.metadata["rows"] == 34
    assert finished.materialization["data_version"] == finished.metadata["merkle_root"]
    assert set(finished.metadata["rows_by_split"]) == set(split.SPLITS)
    assert lake.delta(SNAPSHOT).version() == finished.metadata["delta_version"]
    (version,) = lake.delta(VERSIONS).to_pyarrow_table().to_pylist()
    assert version["merkle_root"] == finished.metadata["merkle_root"]
    assert version["manifest_url"] == f"{SNAPSHOT_LOCATION}/_manifests/000001.json"
    grant = lake.door(lake.curator).vend_table(SNAPSHOT, "READ")
    s3 = grant.session(lake.cloud.env["AWS_REGION"]).client("s3", endpoint_url=lake.cloud.env["AWS_ENDPOINT_URL"])
    bucket, _, key = version["manifest_url"].removeprefix("s3://").partition("/")
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode() == version["manifest"]


def test_a_job_runs_in_what_govtune_package_uploads(lake: Lake, examples: dict[str, Finished]) -> None:
    command = [sys.executable, "-m", "govtune_assets.cli", "package"]
    packed = subprocess.run(command, env=os.environ | lake.cloud.env, check=True, capture_output=True, text=True)
    settings = dict(line.split("=", 1) for line in packed.stdout.splitlines())
    environment, jars = settings["GOVTUNE_SPARK_ENVIRONMENT"], settings["GOVTUNE_SPARK_JARS"].split(",")
    for address in (environment, *jars):
        bucket, key = address.removeprefix("s3://").split("/", 1)
        content = lake.emr.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        assert key.split("/")[-2] == hashlib.sha256(content).hexdigest()
    # The interpreter's path leads into the archive: without it there is none.
    submit = " ".join([f"--jars {','.join(jars)}", *spark_package.spark_arguments(environment)])
    finished = lake.run("examples", fiscal_year=2023, submit=submit)
    assert finished.state == "SUCCESS", finished.details
    assert finished.materialization["data_version"] == examples["2023"].materialization["data_version"]


def test_amazon_comprehend_looks_too_where_it_is_asked_for_and_allowed(
    lake: Lake, examples: dict[str, Finished]
) -> None:
    chosen = {
        "fiscal_year": 2024,
        "target_table": "govtune.curated.spark_comprehend",
        "target_location": EXAMPLES_LOCATION.replace("examples", "comprehend"),
        "pii_detector": "presidio+comprehend",
        "region": lake.cloud.env["AWS_REGION"],
    }
    refused = lake.run("examples", **chosen)
    assert refused.state == "FAILED"
    (closed,) = (item["params"] for item in refused.messages if item["method"] == "closed")
    assert re.search(r"allow it comprehend:DetectPiiEntities .*Comprehend=true", closed["exception"]["message"])
    with allowed(lake.cloud, "comprehend:DetectPiiEntities"):
        finished = lake.run("examples", **chosen)
    assert finished.state == "SUCCESS", finished.details + finished.logs
    rows = lake.delta(chosen["target_table"]).to_pyarrow_table(columns=["prompt", "cleaner_version"]).to_pylist()
    assert {row["cleaner_version"] for row in rows} == {f"{CLEANER_VERSION}+comprehend"}
    assert sum("the shared plant of Ms. [PERSON]" in row["prompt"] for row in rows) == 1
    assert not [row for row in rows if "Ada Marsh" in row["prompt"]]
    by_recognisers = lake.delta(EXAMPLES).to_pyarrow_table(columns=["prompt", "cleaner_version"]).to_pylist()
    assert {row["cleaner_version"] for row in by_recognisers} == {CLEANER_VERSION}
    assert [row for row in by_recognisers if "Ada Marsh" in row["prompt"]]


@contextlib.contextmanager
def allowed(cloud: Cloud, action: str) -> Iterator[None]:
    """An action that the role of Spark jobs may do meanwhile."""
    root = json.loads((cloud.state / "credentials" / "aws-root.json").read_text())
    iam = boto3.client(
        "iam",
        endpoint_url=cloud.env["AWS_ENDPOINT_URL"],
        region_name=cloud.env["AWS_REGION"],
        aws_access_key_id=root["access_key_id"],
        aws_secret_access_key=root["secret_access_key"],
    )
    role = cloud.env["GOVTUNE_EMR_ROLE_ARN"].rpartition("/")[2]
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=role, PolicyName="meanwhile", PolicyDocument=document)
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="meanwhile")


def test_revoked_select_stops_the_job_and_says_what_to_grant(lake: Lake, examples: dict[str, Finished]) -> None:
    def change(**privileges: list[Privilege]) -> None:
        changes = [PermissionsChange(principal=lake.curator.client_id, **privileges)]
        lake.admin.grants.update("schema", "govtune.raw", changes=changes)

    change(remove=[Privilege.SELECT])
    try:
        finished = lake.run("examples", fiscal_year=2023)
    finally:
        change(add=[Privilege.SELECT])
    assert finished.state == "FAILED"
    assert not [item for item in finished.messages if item["method"] == "report_asset_materialization"]
    (closed,) = (item["params"] for item in finished.messages if item["method"] == "closed")
    for text in (closed["exception"]["message"], finished.logs):
        assert RAW in text
        assert lake.curator.client_id in text
        assert re.search(r"GRANT SELECT ON TABLE \S+ TO", text)
    assert lake.curator.client_secret not in finished.logs


def test_expired_credential_is_renewed_without_the_client_secret(lake: Lake, spark: SparkSession) -> None:
    credentials = ClientCredentials(lake.host, lake.curator)
    door = Catalog(lake.host, credentials)
    stale = replace(
        door.vend_table(RAW, "READ"),
        expires_at=datetime.now(UTC) - timedelta(hours=1),
        secret_access_key="no-longer-valid",
    )
    table_id = door.table(RAW).table_id
    options = hadoop_options(stale, host=lake.host, token=credentials.token(), table_id=table_id)
    assert lake.curator.client_secret not in options.values()
    platform = {
        "fs.s3a.endpoint": lake.cloud.env["AWS_ENDPOINT_URL"],
        "fs.s3a.endpoint.region": lake.cloud.env["AWS_REGION"],
        "fs.s3a.path.style.access": "true",
    }
    frame = spark.read.format("delta").options(**options, **platform).load(stale.url)
    assert frame.count() == 12
    explained = io.StringIO()
    with contextlib.redirect_stdout(explained):
        frame.explain(True)
    held = {stale.secret_access_key, stale.session_token, credentials.token()}
    assert not [secret for secret in held if secret in explained.getvalue()]
    assert not [value for _, value in spark.sparkContext.getConf().getAll() if value in held]
