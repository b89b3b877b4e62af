"""The same Merkle root and the same order whatever the rows' order, their partitions and the executors."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pyspark
from pyspark.sql import SparkSession
from root_on_executors import told
from test_leakage import fillers, frame, near

PROJECT = Path(__file__).parents[2]
SETTINGS = {
    "spark.sql.shuffle.partitions": "4",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.memory": "512m",
    "spark.executor.memory": "512m",
    # So few rows are sooner through than compiled for.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
    "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


def spark_home(folder: Path) -> Path:
    """A Spark of links to the installed one: executors keep their files below it."""
    folder.mkdir()
    for entry in Path(pyspark.__file__).parent.iterdir():
        (folder / entry.name).symlink_to(entry)
    return folder


def test_order_partitions_and_executors_change_neither_root_nor_order(spark: SparkSession, tmp_path: Path) -> None:
    rows = fillers()
    copies = [row | {"example_id": f"{row['example_id']}-copy", "prompt": near(row["prompt"])} for row in rows[::3]]
    rows = [row | {"body_sha256": row["prompt"]} for row in rows + copies]
    rows = sorted(rows, key=lambda row: str(row["example_id"]))
    here = told(frame(spark, rows).coalesce(1))
    shuffled = random.Random(1).sample(rows, len(rows))
    assert shuffled != rows
    assert told(frame(spark, shuffled).repartition(7)) == here
    folder = str(tmp_path / "examples")
    frame(spark, shuffled[::-1]).repartition(5).write.parquet(folder)
    environment = os.environ | {
        "SPARK_HOME": str(spark_home(tmp_path / "spark")),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_SCALA_VERSION": "2.13",
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": str(PROJECT),
        "PYSPARK_SUBMIT_ARGS": " ".join(
            [*(f"--conf {name}={value}" for name, value in SETTINGS.items()), "pyspark-shell"]
        ),
    }
    program = [sys.executable, Path(__file__).with_name("root_on_executors.py"), folder, "local-cluster[2,1,512]"]
    done = subprocess.run(program, env=environment, cwd=tmp_path, check=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout.split() == [*here, "2"]
