"""Rows of Delta tables, read with a credential that the catalog vended for them.

delta-rs's own query engine reads them. Its other way, a pyarrow dataset, lets Arrow's threads call Python objects; a
process that ends soon after such a read is now and then aborted ("terminate called without an active exception",
https://github.com/apache/arrow/issues/34314).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unitydoor.vending import Grant


def read_rows(
    grant: "Grant",
    region: str,
    *,
    columns: Sequence[str] = (),
    where: Mapping[str, Iterable[str]] | None = None,
    version: int | None = None,
) -> Iterator[dict[str, Any]]:
    """The rows of a table, a batch in memory at a time, in no order that could be relied on.

    Args:
        grant: leave to read the table, as the catalog gave it.
        columns: those wanted; all without any.
        where: the values that a column of strings may have, by column.
        version: the Delta version; the newest without one.

    Raises:
        deltalake.exceptions.DeltaError: the table or this version of it cannot be read.
    """
    import pyarrow as pa
    from deltalake import DeltaTable, QueryBuilder

    table = DeltaTable(grant.url, version=version, storage_options=grant.storage_options(region))
    chosen = ", ".join(map(_identifier, columns)) or "*"
    conditions = [
        f"{_identifier(column)} IN ({', '.join(map(_literal, values))})" if (values := list(allowed)) else "FALSE"
        for column, allowed in (where or {}).items()
    ]
    restriction = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    query = f"SELECT {chosen} FROM rows{restriction}"  # noqa: S608 - every name and value in it is quoted
    for batch in QueryBuilder().register("rows", table).execute(query):
        yield from pa.record_batch(batch).to_pylist()


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
