"""Evaluations of adapters: figures as a training job reported them, and as the table `ml/evaluations` holds them.

Here is what the gates, the tables and the charts of evaluations have in common: a figure's shape, where to find one
among many, and the champion's. The table is read as the auditor.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from govtune_assets.keys import EVALUATIONS, table_name
from govtune_assets.registry import RegisteredVersion
from govtune_assets.settings import Settings

if TYPE_CHECKING:
    from unitydoor.catalog import Catalog

UNSEEN = "test_company"
"""The split by which adapters are judged: companies that train nothing. Gates refuse by it; no choice is made by it."""

BASE, TUNED = "base", "tuned"
BASELINES = ("lead_sentence", "nearest_heading", "majority", "tfidf_logistic")


@dataclass(frozen=True)
class Figure:
    """One figure of an evaluation; the fields are the columns of train/evaluations_table.py, which describes them."""

    split: str
    task: str
    metric: str
    system: str
    against: str | None
    value: float | None
    low: float | None
    high: float | None
    examples: int
    companies: int


@dataclass(frozen=True)
class Champion:
    """The version that the alias `champion` points at, and the figures of its adapter; none where none is recorded."""

    version: str
    adapter_sha256: str
    merkle_root: str
    figures: Sequence[Figure]


def parse(rows: Iterable[Mapping[str, Any]]) -> tuple[Figure, ...]:
    """Figures out of rows that may have more columns.

    Raises:
        KeyError: a row lacks a column.
    """
    names = [field.name for field in fields(Figure)]
    return tuple(Figure(**{name: _finite(row[name]) for name in names}) for row in rows)


def _finite(value: Any) -> Any:
    """A number that is not finite is as good as none."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def find(figures: Iterable[Figure], task: str, metric: str, system: str, split: str = UNSEEN) -> Figure | None:
    """The system's own figure with a value; None where it has none."""
    wanted = (split, task, metric, system, None)
    for figure in figures:
        found = (figure.split, figure.task, figure.metric, figure.system, figure.against)
        if found == wanted and figure.value is not None:
            return figure
    return None


def digest_of(data_version: str) -> str:
    """An adapter's digest as the table has it, hexadecimal, from its data version `sha256:…`."""
    return data_version.removeprefix("sha256:")


def recorded(door: "Catalog", settings: Settings, adapter: str) -> tuple[Figure, ...]:
    """The newest evaluation of an adapter that the table holds; empty where it holds none, or is not there yet.

    Args:
        door: the catalog, entered as who may read the table.
        settings: the catalog's name and the region.
        adapter: digest of the adapter, hexadecimal.

    Raises:
        unitydoor.privileges.Refused: the principal may not read the table.
    """
    import pyarrow.compute as pc
    from deltalake import DeltaTable

    name = table_name(settings, EVALUATIONS)
    if not door.table_exists(name):
        return ()
    grant = door.vend_table(name, "READ")
    table = DeltaTable(grant.url, storage_options=grant.storage_options(settings.region))
    rows = table.to_pyarrow_dataset().to_table(filter=pc.field("adapter_sha256") == adapter).to_pylist()
    newest = max(((row["evaluated_at"], row["training_job"]) for row in rows), default=None)
    return parse(row for row in rows if (row["evaluated_at"], row["training_job"]) == newest)


def champion(door: "Catalog", settings: Settings, found: RegisteredVersion | None) -> Champion | None:
    """The champion with its figures, from its version in the registry; None where there is no champion.

    Raises:
        unitydoor.privileges.Refused: the principal may not read the table of evaluations.
    """
    if found is None:
        return None
    adapter = digest_of(found.tags.get("adapter_sha256", ""))
    figures = recorded(door, settings, adapter) if adapter else ()
    return Champion(found.version, adapter, found.tags.get("snapshot_merkle_root", ""), figures)
