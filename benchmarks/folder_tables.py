"""Governed tables without a cloud: the jobs' own reads and writes of Delta tables, in a local folder."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from pyspark.sql import SparkSession

from spark.tables import GovernedTables, TableSpec, _Access
from unitydoor.vending import Grant


class FolderTables(GovernedTables):
    """The same reads and writes of Delta tables, in local folders and with nobody to ask."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark = spark
        self._folder = folder
        self._open = {}
        self._grants = []

    def ensure(self, spec: TableSpec) -> None:
        """Make the table, empty, unless it is there."""
        empty = self.spark.createDataFrame([], spec.schema).write.format("delta").mode("ignore")
        empty.partitionBy(*spec.partition_by).save(self.location(spec.name))

    def location(self, name: str) -> str:
        """The folder of a table."""
        return str(self._folder / name)

    def _access(self, name: str, operation: str) -> _Access:
        now = dt.datetime.now(dt.UTC)
        grant = Grant("curator", name, operation, self.location(name), now, now, "id", "secret", "token")
        return _Access(grant, self.location(name), {})
