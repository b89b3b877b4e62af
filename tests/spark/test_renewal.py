"""Readers that outlive their credentials: training file by file, Spark within one action and over many."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, SparkSession

from spark.credentials import hadoop_options, refused_renewal
from spark.entry import describe
from spark.tables import GovernedTables
from tests.short_lived import BUCKET, FOLDER, ShortLived, short_lived_workspace
from train.data import COLUMNS, read_snapshot
from unitydoor.columns import from_spark_json
from unitydoor.merkle import merkle_root, row_digest
from unitydoor.oauth import ClientCredentials
from unitydoor.vending import Grant, Lease

if TYPE_CHECKING:
    from tests.conftest import Cloud

pytestmark = pytest.mark.integration

LIFE_SECONDS = 4
"""Of a credential where access tokens live an hour."""
PAIR_SECONDS = 20
"""Of credential and access token alike, as on Databricks, where both live an hour."""
FILES, PAIR_FILES = 8, 4
CORES = 2
RENEWALS = 3
SNAPSHOT_FILES = RENEWALS + 1
NUMBERS = {"fiscal_year", "risk_factor_index", "char_start", "char_end"}


def storage_options(cloud: Cloud, grant: Grant) -> dict[str, str]:
    endpoint = {"AWS_ENDPOINT_URL": cloud.env["AWS_ENDPOINT_URL"], "AWS_ALLOW_HTTP": "true"}
    return grant.storage_options("us-east-1") | endpoint


def platform(cloud: Cloud) -> dict[str, str]:
    return {
        "fs.s3a.endpoint": cloud.env["AWS_ENDPOINT_URL"],
        "fs.s3a.endpoint.region": cloud.env["AWS_REGION"],
        "fs.s3a.path.style.access": "true",
    }


def make_table(cloud: Cloud, workspace: ShortLived, rows: pa.Table) -> str:
    """A registered table whose version, of the number of the last row, has a file for each row; returns its name."""
    name = f"renewed_{uuid.uuid4().hex[:8]}"
    place, table, door = f"s3://{BUCKET}/{FOLDER}/{name}", f"govtune.raw.{name}", workspace.door()
    lease = Lease(lambda: door.vend_path(place, "PATH_CREATE_TABLE"))
    for number in range(rows.num_rows):
        row = rows.slice(number, 1)
        write_deltalake(place, row, mode="append", storage_options=storage_options(cloud, lease.grant()))
    schema = DeltaTable(place, storage_options=storage_options(cloud, lease.grant())).schema().to_json()
    door.create_external_delta_table(table, place, from_spark_json(schema))
    return table


def numbered(files: int) -> pa.Table:
    return pa.table({"x": pa.array(range(files), pa.int64())})


def slowly(frame: DataFrame, files: int, seconds: float) -> list[int]:
    """Collect the column x in one action of `seconds` at least, in which the files are opened one after another."""
    pause = int(seconds * 1000) * CORES // files
    rows = frame.selectExpr("x", f"reflect('java.lang.Thread', 'sleep', {pause}L)").collect()
    return sorted(row["x"] for row in rows)


@pytest.fixture(scope="module")
def short(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShortLived]:
    """A workspace whose credentials live for seconds."""
    with short_lived_workspace(cloud, tmp_path_factory.mktemp("short"), LIFE_SECONDS) as made:
        yield made


@pytest.fixture(scope="module")
def paired(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ShortLived, str]]:
    """A workspace whose credentials and access tokens live equally long, and a table of PAIR_FILES files."""
    folder = tmp_path_factory.mktemp("paired")
    with short_lived_workspace(cloud, folder, PAIR_SECONDS, token_seconds=PAIR_SECONDS) as made:
        yield made, make_table(cloud, made, numbered(PAIR_FILES))


@pytest.fixture
def local_s3(cloud: Cloud, spark: SparkSession, tmp_path: Path) -> Iterator[SparkSession]:
    """The session with the local S3 as its platform, and a task for each file; its first slow read is done."""
    spark.range(1).write.format("delta").save(str(tmp_path / "first"))
    assert spark.read.format("delta").load(str(tmp_path / "first")).count() == 1
    settings = platform(cloud) | {"spark.sql.files.maxPartitionBytes": "16k"}
    for key, value in settings.items():
        spark.conf.set(key, value)
    yield spark
    for key in settings:
        spark.conf.unset(key)


@dataclass(frozen=True)
class Watched:
    """Access tokens of a principal, and the ones that were made for one piece of work."""

    credentials: ClientCredentials
    made: list[str]

    def fresh(self) -> str:
        self.made.append(self.credentials.fresh())
        return self.made[-1]


def test_one_spark_action_renews_its_credential_while_its_token_lives(
    cloud: Cloud, short: ShortLived, local_s3: SparkSession
) -> None:
    table = make_table(cloud, short, numbered(FILES))
    run_id, door = f"run-{uuid.uuid4().hex[:8]}", short.door()
    grant = door.vend_table(table, "READ")
    token, table_id = short.credentials().token(), door.table(table).table_id
    options = hadoop_options(grant, host=short.host, token=token, table_id=table_id, run_id=run_id)
    frame = local_s3.read.format("delta").options(**options).load(grant.url)
    assert slowly(frame, FILES, LIFE_SECONDS) == list(range(FILES))
    assert short.vended(run_id) >= RENEWALS


def test_a_job_of_many_actions_has_a_fresh_pair_for_each(
    paired: tuple[ShortLived, str], local_s3: SparkSession
) -> None:
    workspace, table = paired
    run_id = f"run-{uuid.uuid4().hex[:8]}"
    tokens = Watched(workspace.credentials(run_id), [])
    tables = GovernedTables(local_s3, workspace.door(run_id), tokens, workspace.host, run_id=run_id)
    began, actions = time.monotonic(), 0
    while actions <= RENEWALS or time.monotonic() - began < PAIR_SECONDS:  # past the end of the first pair
        frame = tables.read(table, version=PAIR_FILES - 1)
        assert slowly(frame, PAIR_FILES, PAIR_SECONDS / 8) == list(range(PAIR_FILES))
        actions += 1
    assert len({record["credential_id"] for record in tables.records()}) == actions
    assert len(set(tokens.made)) == actions
    assert workspace.vended(run_id) >= actions


def test_an_action_longer_than_its_token_fails_and_says_why(
    cloud: Cloud, local_s3: SparkSession, tmp_path: Path
) -> None:
    with short_lived_workspace(cloud, tmp_path, LIFE_SECONDS, token_seconds=LIFE_SECONDS) as workspace:
        table = make_table(cloud, workspace, numbered(FILES))
        tables = GovernedTables(local_s3, workspace.door(), workspace.credentials(), workspace.host)
        with pytest.raises(Py4JJavaError) as failure:
            slowly(tables.read(table, version=FILES - 1), FILES, LIFE_SECONDS * 2)
    said = describe(failure.value)
    assert "\n" not in said
    assert "An action of Spark cannot outlast the access token that it began with" in said
    assert "(HTTP 401: The access token has expired.)" in said


def test_no_other_failure_is_taken_for_a_refused_renewal() -> None:
    call = "io.unitycatalog.client.ApiException: generateTemporaryTableCredentials call failed with"
    assert refused_renewal("java.io.FileNotFoundException: s3://lake/raw/part-0.parquet") is None
    assert refused_renewal(f"Caused by: {call}: 500 - {{}}") is None
    assert "(HTTP 403: no text)" in (refused_renewal(f"Caused by: {call}: 403 - <html>") or "")


def test_training_renews_its_credential_between_files(cloud: Cloud, short: ShortLived) -> None:
    """`read_snapshot` with the lease that training gives it, each file after the credential before has ended."""
    schema = pa.schema([(name, pa.int32() if name in NUMBERS else pa.string()) for name in COLUMNS])
    rows: list[dict[str, Any]] = [
        {name: number if name in NUMBERS else f"{name} {number}" for name in COLUMNS} | {"split": "train"}
        for number in range(SNAPSHOT_FILES)
    ]
    table = make_table(cloud, short, pa.Table.from_pylist(rows, schema=schema))
    run_id = f"run-{uuid.uuid4().hex[:8]}"
    door = short.door(run_id)
    lease = Lease(lambda: door.vend_table(table, "READ"))

    given: list[Grant] = []

    def after_the_end() -> Mapping[str, str]:
        if given:
            time.sleep(max(0.0, (given[-1].expires_at - datetime.now(UTC)).total_seconds()))
        given.append(lease.grant())
        return storage_options(cloud, given[-1])

    root = merkle_root(row_digest([row[name] for name in COLUMNS]) for row in rows)
    url = door.table(table).storage_location
    read = read_snapshot(url, SNAPSHOT_FILES - 1, after_the_end, root=root)
    assert sorted(row.prompt for row in read) == [row["prompt"] for row in rows]
    assert len({grant.access_key_id for grant in given}) == SNAPSHOT_FILES
    assert short.vended(run_id) == SNAPSHOT_FILES
