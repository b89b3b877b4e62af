"""Readers that outlive their credentials: in Python file by file, in Spark within one action."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession

from spark.credentials import hadoop_options
from tests.short_lived import BUCKET, FOLDER, ShortLived, short_lived_workspace
from unitydoor.columns import from_spark_json
from unitydoor.vending import Grant, Lease

if TYPE_CHECKING:
    from tests.conftest import Cloud

pytestmark = pytest.mark.integration

LIFE_SECONDS = 4
FILES = 8
PAUSE_SECONDS = 1.0
RENEWALS = 3


def storage_options(cloud: Cloud, grant: Grant) -> dict[str, str]:
    endpoint = {"AWS_ENDPOINT_URL": cloud.env["AWS_ENDPOINT_URL"], "AWS_ALLOW_HTTP": "true"}
    return grant.storage_options("us-east-1") | endpoint


@pytest.fixture(scope="module")
def short(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ShortLived, str]]:
    """A workspace whose credentials live for seconds, and a table of as many files as rows."""
    name = f"renewed_{uuid.uuid4().hex[:8]}"
    place, table = f"s3://{BUCKET}/{FOLDER}/{name}", f"govtune.raw.{name}"
    with short_lived_workspace(cloud, tmp_path_factory.mktemp("short"), LIFE_SECONDS) as made:
        door = made.door()
        rows = pa.table({"part": pa.array(range(FILES), pa.int64()), "x": pa.array(range(FILES), pa.int64())})
        options = storage_options(cloud, door.vend_path(place, "PATH_CREATE_TABLE"))
        write_deltalake(place, rows, partition_by=["part"], storage_options=options)
        schema = DeltaTable(place, storage_options=options).schema().to_json()
        door.create_external_delta_table(table, place, from_spark_json(schema, ("part",)))
        yield made, table


def test_one_spark_action_renews_its_credential(
    cloud: Cloud, short: tuple[ShortLived, str], spark: SparkSession
) -> None:
    workspace, table = short
    run_id, door = f"run-{uuid.uuid4().hex[:8]}", workspace.door()
    grant = door.vend_table(table, "READ")
    options = hadoop_options(
        grant,
        host=workspace.host,
        token=workspace.credentials().token(),
        table_id=door.table(table).table_id,
        run_id=run_id,
    )
    platform = {
        "fs.s3a.endpoint": cloud.env["AWS_ENDPOINT_URL"],
        "fs.s3a.endpoint.region": cloud.env["AWS_REGION"],
        "fs.s3a.path.style.access": "true",
    }
    spark.conf.set("spark.sql.files.maxPartitionBytes", "16k")  # a task for each file
    try:
        frame = spark.read.format("delta").options(**options, **platform).load(grant.url)
        slow = frame.selectExpr("x", f"reflect('java.lang.Thread', 'sleep', {int(PAUSE_SECONDS * 1000)}L)")
        rows = slow.collect()
    finally:
        spark.conf.unset("spark.sql.files.maxPartitionBytes")
    assert sorted(row["x"] for row in rows) == list(range(FILES))
    assert workspace.vended(run_id) >= RENEWALS


def test_a_python_reader_renews_its_credential(cloud: Cloud, short: tuple[ShortLived, str]) -> None:
    """A reader of one version that asks its lease before each file, as training does."""
    workspace, table = short
    run_id = f"run-{uuid.uuid4().hex[:8]}"
    door = workspace.door(run_id)
    lease = Lease(lambda: door.vend_table(table, "READ"))
    seen: list[int] = []
    while len(seen) < FILES:
        grant = lease.grant()
        delta = DeltaTable(grant.url, version=0, storage_options=storage_options(cloud, grant))
        files = sorted(delta.to_pyarrow_dataset().get_fragments(), key=lambda file: str(file.path))
        seen.append(files[len(seen)].to_table(columns=["x"])["x"][0].as_py())
        time.sleep(LIFE_SECONDS / 2)
    assert sorted(seen) == list(range(FILES))
    assert len({record["credential_id"] for record in lease.records()}) > RENEWALS
    assert workspace.vended(run_id) == len(lease.records())
