"""Reads and writes of governed Delta tables: every one under a credential that the catalog vends for that table.

Belongs here: what a job may do with a table, and the record of what it was let do. How a credential reaches S3A
belongs to `credentials`; asking the catalog belongs to `unitydoor`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from spark.credentials import hadoop_options
from spark.digests import content_root
from spark.errors import JobError
from unitydoor.catalog import Catalog, Table
from unitydoor.columns import from_spark_json
from unitydoor.vending import Grant, fresh_until


@dataclass(frozen=True)
class TableSpec:
    """A table that a job makes: full name, `s3://` location, schema with comments, and what it is partitioned by."""

    name: str
    location: str
    schema: StructType
    comment: str
    partition_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Written:
    """Rows as they stand in a table at one Delta version, and the Merkle root over all their columns."""

    rows: DataFrame
    version: int
    digest: str


class Tokens(Protocol):
    """Access tokens of the principal; `unitydoor.oauth.ClientCredentials` is one."""

    def fresh(self) -> str:
        """A token that was signed in for just now: the work that it is for gets no other."""


@dataclass(frozen=True)
class _Access:
    grant: Grant
    location: str
    options: Mapping[str, str]


class GovernedTables:
    """Delta tables of one catalog, read and written by one principal.

    Every method that touches a table raises unitydoor's `Refused`, which names the missing privilege, where the
    catalog does not let the principal.
    """

    def __init__(self, spark: SparkSession, catalog: Catalog, tokens: Tokens, host: str, *, run_id: str = "") -> None:
        self.spark = spark
        self._run_id = run_id
        self._catalog = catalog
        self._tokens = tokens
        self._host = host
        self._open: dict[tuple[str, str], _Access] = {}
        self._grants: list[Grant] = []

    def records(self) -> list[dict[str, str]]:
        """What was vended so far, in order: who, what for, until when. No secrets."""
        return [grant.record() for grant in self._grants]

    def version(self, name: str, *, operation: str = "READ") -> int:
        """The table's current Delta version."""
        access = self._access(name, operation)
        options = self._java_map(access.options)
        table = self._jvm().io.delta.tables.DeltaTable.forPath(self.spark._jsparkSession, access.location, options)
        return int(table.history(1).head().getAs("version"))

    def read(self, name: str, *, version: int, operation: str = "READ") -> DataFrame:
        """The table as of one Delta version."""
        access = self._access(name, operation)
        reader = self.spark.read.format("delta").options(**access.options).option("versionAsOf", version)
        return reader.load(access.location)

    def ensure(self, spec: TableSpec) -> None:
        """Make the table, empty, and register it with columns and comments, unless it is registered already.

        A job that died between the two finds the files and only registers them. Raises JobError when the name
        stands for another location.
        """
        if self._catalog.table_exists(spec.name):
            self._require_location(self._catalog.table(spec.name), spec)
            return
        _, options = self._vend(lambda: self._catalog.vend_path(spec.location, "PATH_CREATE_TABLE"), None)
        empty = self.spark.createDataFrame([], spec.schema).write.format("delta").mode("ignore")
        empty.partitionBy(*spec.partition_by).options(**options).save(spec.location)
        columns = from_spark_json(spec.schema.json(), spec.partition_by)
        self._catalog.create_external_delta_table(spec.name, spec.location, columns, comment=spec.comment)

    def replace(self, name: str, rows: DataFrame, *, where: str | None, commit: str) -> Written:
        """Make `rows` the table's rows, or those that `where` selects; nothing is written when they are already.

        The commit, if there is one, carries the text `commit`. What comes back is the table as read back.

        Raises:
            JobError: the table then holds other rows than were given: another writer was at it.
        """
        wanted = content_root(rows, rows.columns)
        there = self._written(name, where)
        if there.digest == wanted:
            return there
        access = self._access(name, "READ_WRITE")
        writer = rows.write.format("delta").mode("overwrite").options(**access.options)
        if where is not None:
            writer = writer.option("replaceWhere", where)
        writer.option("userMetadata", commit).save(access.location)
        written = self._written(name, where)
        if written.digest != wanted:
            raise JobError(
                f"{name} at v{written.version} holds other rows than were written ({written.digest}, not {wanted}): "
                "another job writes it too; run one at a time"
            )
        return written

    def stored(self, name: str, *, where: str) -> Written:
        """The rows of a table of ours that `where` selects, as they stand."""
        return self._written(name, where)

    def put(self, name: str, path: str, text: str) -> str:
        """Write a text object into the folder of a table of ours, over what is there; return its address."""
        access = self._access(name, "READ_WRITE")
        configuration = self._jvm().org.apache.hadoop.conf.Configuration(self.spark._jsc.hadoopConfiguration())
        for key, value in access.options.items():
            configuration.set(key, value)
        target = self._jvm().org.apache.hadoop.fs.Path(f"{access.location.rstrip('/')}/{path}")
        stream = target.getFileSystem(configuration).create(target, True)
        try:
            stream.write(bytearray(text.encode()))
        finally:
            stream.close()
        return str(target.toString())

    def _written(self, name: str, where: str | None) -> Written:
        version = self.version(name, operation="READ_WRITE")
        rows = self.read(name, version=version, operation="READ_WRITE").where(where or "true")
        return Written(rows, version, content_root(rows, rows.columns))

    def _access(self, name: str, operation: str) -> _Access:
        """A credential and an access token with nine tenths of their lives left, both new where those at hand have not.

        A frame keeps the pair that it was read with, so all actions on it end within the token's hour.
        """
        known = self._open.get((name, operation))
        if known is not None and datetime.now(UTC) < fresh_until(known.grant):
            return known
        table = self._catalog.table(name)
        grant, options = self._vend(lambda: self._catalog.vend_table(name, operation), table.table_id)
        access = _Access(grant, table.storage_location, options)
        self._open[(name, operation)] = access
        return access

    def _vend(self, ask: Callable[[], Grant], table_id: str | None) -> tuple[Grant, dict[str, str]]:
        """A grant, recorded, and the options that hold it together with an access token of the same moment."""
        token = self._tokens.fresh()
        grant = ask()
        self._grants.append(grant)
        return grant, hadoop_options(grant, host=self._host, token=token, table_id=table_id, run_id=self._run_id)

    @staticmethod
    def _require_location(table: Table, spec: TableSpec) -> None:
        if table.storage_location.rstrip("/") != spec.location.rstrip("/"):
            raise JobError(
                f"{spec.name} is registered at {table.storage_location}, the job was told {spec.location}: "
                "drop the table from the catalog or set the lake's address back"
            )

    def _jvm(self) -> Any:
        jvm = self.spark.sparkContext._jvm
        if jvm is None:
            raise JobError("the Spark session has no JVM: it was stopped")
        return jvm

    def _java_map(self, options: Mapping[str, str]) -> Any:
        java_map = self._jvm().java.util.HashMap()
        for key, value in options.items():
            java_map.put(key, value)
        return java_map
