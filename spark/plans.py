"""How a plan is carried out, where Spark would not find it out itself."""

from __future__ import annotations

from pyspark.sql import DataFrame


def settled(rows: DataFrame) -> DataFrame:
    """Compute the rows now and keep them on the executors, on disk where memory ends, without how they came about.

    Steps that build on each other would else have a plan that doubles with each. The price: a lost executor fails
    the job, which is then run again.
    """
    return rows.localCheckpoint(eager=True)
