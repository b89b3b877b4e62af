"""The table of evaluations: one row for each figure of each trained adapter, written by the training job itself.

Here are the table's columns, what a row's evaluation was of, and the write, as the job's own principal through a
credential that the catalog vends for this one table. What is measured belongs to `evaluate`. The orchestrator reads
the columns from here too: at import this module needs the standard library only.
"""

from __future__ import annotations

import json
import math
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from train.job import JobError
from unitydoor.columns import from_spark_json
from unitydoor.transport import CatalogError

if TYPE_CHECKING:
    import pyarrow as pa

    from unitydoor.catalog import Catalog
    from unitydoor.vending import Grant

FIGURES: tuple[tuple[str, str, str], ...] = (
    ("split", "string", "validation, test_company, test_year or test_company_year"),
    ("task", "string", "T1 headline, T2 category, T3 generic or specific, T4 principal or not"),
    ("metric", "string", "What was measured: rouge_l, macro_f1, perplexity, ..."),
    (
        "system",
        "string",
        "base or tuned model, or a baseline: lead_sentence, nearest_heading, majority, tfidf_logistic",
    ),
    ("against", "string", "Null, or a system: the value is then the paired difference of the system from that one"),
    ("value", "double", "The figure; null where the metric is not defined on these examples"),
    ("low", "double", "Lower end of the 95% bootstrap interval over companies; null with fewer than two companies"),
    ("high", "double", "Upper end of the interval"),
    ("examples", "integer", "Examples that the figure is of"),
    ("companies", "integer", "Companies that the examples are of"),
)
"""What the evaluation gives of each figure: name, type of Spark, comment."""

IDENTITY: tuple[tuple[str, str, str], ...] = (
    ("configuration", "string", "Name of the training configuration; partition column"),
    ("adapter_sha256", "string", "SHA-256 of the adapter's files, in hexadecimal: which adapter was evaluated"),
    ("base_model_digest", "string", "Digest of the base model's folder"),
    ("snapshot_version", "long", "Delta version of curated.training_snapshot that was read"),
    ("merkle_root", "string", "Merkle root of the snapshot's rows"),
    ("training_job", "string", "Name of the training job that measured and wrote the row"),
    ("run_id", "string", "Dagster run that started the job"),
    ("evaluated_at", "timestamp", "When the row was written, UTC"),
)
"""What the job adds to each row; the fields of `Evaluated`."""

COLUMNS = (*FIGURES, *IDENTITY)
PARTITION = "configuration"
COMMENT = "Figures of every trained adapter, its base model and the baselines, by split, task and metric."

MAXIMUM_ROWS = 10_000
"""More figures than this of one adapter are no evaluation but a fault."""

_NAME = re.compile(r"[A-Za-z0-9._-]{1,63}")
_ATTEMPTS = 6
_NUMBERS = ("value", "low", "high")


@dataclass(frozen=True)
class Evaluated:
    """What was evaluated, by which job: the columns of IDENTITY. `evaluated_at` has a time zone."""

    configuration: str
    adapter_sha256: str
    base_model_digest: str
    snapshot_version: int
    merkle_root: str
    training_job: str
    run_id: str
    evaluated_at: datetime


@dataclass(frozen=True)
class Written:
    """A Delta version of the table that holds the rows, their number, and the credential that wrote them."""

    version: int
    rows: int
    grant: Grant


def write(door: Catalog, name: str, location: str, figures: Sequence[Mapping[str, Any]], of: Evaluated) -> Written:
    """Put an evaluation's rows into the table `name`; make and register it at `location` where it is not there.

    Rows that the same job, or the same Dagster run for the same configuration, wrote before are replaced in the same
    commit, so that a job that was resumed or tried again leaves each figure once.

    Raises:
        JobError: a figure has not the columns of FIGURES, or other jobs kept this one from writing.
        unitydoor.privileges.Refused: the catalog does not let the principal; the message names the grants.
    """
    rows = as_rows(figures, of)
    exists = door.table_exists(name)
    grant = door.vend_table(name, "READ_WRITE") if exists else door.vend_path(location, "PATH_CREATE_TABLE")
    version = commit(grant.url if exists else location, rows, of, grant.storage_options())
    if not exists:
        _register(door, name, location)
    return Written(version, rows.num_rows, grant)


def as_rows(figures: Sequence[Mapping[str, Any]], of: Evaluated) -> pa.Table:
    """The figures as rows of the table; a number that is not finite is null, as one that is not defined.

    Raises:
        JobError: there is none or there are too many, one lacks a column or has another, or a name cannot be one.
    """
    import pyarrow as pa

    if not 0 < len(figures) <= MAXIMUM_ROWS:
        raise JobError(f"the evaluation has {len(figures)} figures, from 1 to {MAXIMUM_ROWS} can be recorded")
    for field in ("configuration", "training_job", "run_id"):
        if not _NAME.fullmatch(getattr(of, field)):
            raise JobError(f"the {field} {getattr(of, field)!r} of an evaluation is no plain name")
    wanted = {column for column, _, _ in FIGURES}
    for figure in figures:
        if figure.keys() != wanted:
            raise JobError(f"a figure has the columns {sorted(figure)}, not {sorted(wanted)}")
    identity = asdict(of)
    try:
        return pa.Table.from_pylist([{**figure, **_finite(figure), **identity} for figure in figures], arrow_schema())
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise JobError(f"a figure has a value of the wrong kind: {error}") from error


def commit(url: str, rows: pa.Table, of: Evaluated, storage_options: Mapping[str, str]) -> int:
    """Replace the rows of this job or run in the Delta table at `url` by `rows`; return a version that holds them.

    It is the commit's own, or a later one where another job has written meanwhile.

    Raises:
        JobError: other writers were faster each time.
    """
    from deltalake import CommitProperties, DeltaTable, write_deltalake

    options = dict(storage_options)
    mine = f"training_job = '{of.training_job}' OR run_id = '{of.run_id}'"

    def replace() -> None:
        if not DeltaTable.is_deltatable(url, options):
            DeltaTable.create(
                url,
                arrow_schema(),
                mode="ignore",
                partition_by=[PARTITION],
                storage_options=options,
                description=COMMENT,
            )
        write_deltalake(
            url,
            rows,
            mode="overwrite",
            predicate=f"{PARTITION} = '{of.configuration}' AND ({mine})",
            storage_options=options,
            commit_properties=CommitProperties(custom_metadata={"training_job": of.training_job}),
        )

    _patiently(replace, url)
    return int(DeltaTable(url, storage_options=options).version())


def arrow_schema() -> pa.Schema:
    """The columns as Arrow's, each with its comment."""
    import pyarrow as pa

    kinds = {
        "string": pa.string(),
        "double": pa.float64(),
        "integer": pa.int32(),
        "long": pa.int64(),
        "timestamp": pa.timestamp("us", tz="UTC"),
    }
    return pa.schema([pa.field(name, kinds[kind], metadata={"comment": comment}) for name, kind, comment in COLUMNS])


def _patiently(work: Callable[[], None], url: str) -> None:
    """Jobs of other configurations write the same table: who comes second reads it again and tries again."""
    from deltalake.exceptions import CommitFailedError

    for attempt in range(1, _ATTEMPTS + 1):
        try:
            work()
            return
        except CommitFailedError as error:
            if attempt == _ATTEMPTS:
                raise JobError(f"other jobs wrote {url} faster, {_ATTEMPTS} times: run the job again") from error
            time.sleep(random.uniform(0.1, 0.5) * attempt)  # noqa: S311 - no secret, only not at once


def _register(door: Catalog, name: str, location: str) -> None:
    fields = [
        {"name": column, "type": kind, "nullable": True, "metadata": {"comment": comment}}
        for column, kind, comment in COLUMNS
    ]
    columns = from_spark_json(json.dumps({"type": "struct", "fields": fields}), (PARTITION,))
    try:
        door.create_external_delta_table(name, location, columns, comment=COMMENT)
    except CatalogError:
        if not door.table_exists(name):  # else a job of another configuration registered it meanwhile
            raise


def _finite(figure: Mapping[str, Any]) -> dict[str, float | None]:
    numbers = {name: figure[name] for name in _NUMBERS}
    return {
        name: float(value) if value is not None and math.isfinite(value) else None for name, value in numbers.items()
    }
