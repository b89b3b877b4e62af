"""One local Spark session for all tests of the payload, and tables of it in a folder instead of the lake."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from benchmarks.folder_tables import FolderTables
from spark.session import REQUIRED

PROJECT = Path(__file__).parents[2]
JARS = PROJECT / ".cache" / "jars"


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """Two cores, 1 GiB, Delta from the jar folder that `make` fills."""
    jars = sorted(JARS.glob("*.jar"))
    assert jars, f"{JARS} is empty: run `make payloads`"
    folder = tmp_path_factory.mktemp("spark")
    builder = SparkSession.builder.master("local[2]").appName("tests")
    settings = REQUIRED | {
        "spark.jars": ",".join(map(str, jars)),
        "spark.driver.memory": "1g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": f"-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=160m "
        f"-Dderby.system.home={folder}",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "3",
        # Compiling a query costs more than running it on so few rows.
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.executorEnv.PYTHONPATH": str(PROJECT),
    }
    for key, value in settings.items():
        builder = builder.config(key, value)
    with pytest.MonkeyPatch.context() as patch:
        # A session that is not started by spark-submit takes the workers' Python from here alone.
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
        yield session
        session.stop()


@pytest.fixture
def tables(spark: SparkSession, tmp_path: Path) -> FolderTables:
    """Tables in a folder of this test."""
    return FolderTables(spark, tmp_path)
