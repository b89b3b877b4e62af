"""Freeze the examples of a Parquet folder on a cluster of its own and print what `told` says: `FOLDER MASTER`."""

import hashlib
import sys

from pyspark.sql import DataFrame, SparkSession

from spark import schemas
from spark.digests import content_root
from spark.jobs.snapshot import freeze
from spark.leakage import MOST_SHARED
from spark.plans import settled


def told(rows: DataFrame) -> tuple[str, str]:
    """The Merkle root of the frozen rows, and a digest of the order in which they come."""
    frozen = settled(freeze(rows, frozenset(), MOST_SHARED).rows)
    places = [tuple(row) for row in frozen.select("split", "example_id").collect()]
    return content_root(frozen, schemas.SNAPSHOT.names), hashlib.sha256(repr(places).encode()).hexdigest()


def main(folder: str, master: str) -> None:
    """Start the session, freeze, print root, order and the number of executors that ran tasks."""
    # Two processes with a core each, in place of threads of this one.
    spark = SparkSession.builder.master(master).config("spark.ui.enabled", "false").getOrCreate()
    root, order = told(spark.read.parquet(folder))
    known = spark.sparkContext._jsc.sc().statusStore().executorList(True)
    worked = [known.apply(place) for place in range(known.size())]
    print(root, order, sum(one.id() != "driver" and one.completedTasks() > 0 for one in worked))
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
