"""Freeze the examples of a Parquet folder on a cluster of its own and print the Merkle root: `FOLDER MASTER`."""

import sys

from pyspark.sql import SparkSession

from spark import schemas
from spark.digests import content_root
from spark.jobs.snapshot import freeze
from spark.leakage import MOST_SHARED


def main(folder: str, master: str) -> None:
    """Start the session, freeze, print the root and the number of executors that ran tasks."""
    # Two processes with a core each, in place of threads of this one.
    spark = SparkSession.builder.master(master).config("spark.ui.enabled", "false").getOrCreate()
    rows = spark.read.parquet(folder)
    root = content_root(freeze(rows, frozenset(), MOST_SHARED).rows, schemas.SNAPSHOT.names)
    known = spark.sparkContext._jsc.sc().statusStore().executorList(True)
    worked = [known.apply(place) for place in range(known.size())]
    print(root, sum(one.id() != "driver" and one.completedTasks() > 0 for one in worked))
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
