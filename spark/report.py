"""What a job hands back: the metadata and the data version of what it made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812  (Spark's own convention)

from spark import pii


@dataclass(frozen=True)
class Report:
    """Raw, flat metadata and the content's digest."""

    metadata: Mapping[str, Any]
    data_version: str


def size_in_bytes(rows: DataFrame) -> int:
    """Return the size of the files that hold the rows of a table as it was read."""
    files = rows.select("_metadata.file_path", "_metadata.file_size").distinct()
    return int(files.agg(F.coalesce(F.sum("file_size"), F.lit(0))).first()[0])


def pii_left() -> Column:
    """Return the aggregate that counts personal data in prompts and completions, looked for with `pii.leftovers`."""
    left = F.udf(pii.leftovers, "int")
    return F.coalesce(F.sum(left(F.concat_ws("\n", "prompt", "completion"))), F.lit(0)).alias("pii_left")


def counts(rows: DataFrame, *columns: str) -> list[dict[str, int]]:
    """Return for each column the number of rows by its values, in order of the values, in one pass."""
    groups = rows.groupBy(*columns).count().collect()
    found = []
    for place in range(len(columns)):
        by_value: Counter[str] = Counter()
        for group in groups:
            by_value[str(group[place])] += int(group["count"])
        found.append(dict(sorted(by_value.items())))
    return found
