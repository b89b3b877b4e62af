"""The write of the table of evaluations: each figure once, whoever else writes, and nothing that is no figure."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from deltalake import DeltaTable

from train.evaluations_table import COLUMNS, Evaluated, as_rows, commit, write
from train.job import JobError
from unitydoor.catalog import Catalog
from unitydoor.transport import CatalogError

OF = Evaluated("tiny", "a" * 64, "sha256:b", 3, "root", "job-1", "run-1", datetime(2026, 1, 2, tzinfo=UTC))
FIGURE: dict[str, Any] = {
    "split": "test_company",
    "task": "T1",
    "metric": "rouge_l",
    "system": "tuned",
    "against": None,
    "value": 0.5,
    "low": 0.4,
    "high": 0.6,
    "examples": 20,
    "companies": 5,
}
FIGURES = [FIGURE, {**FIGURE, "system": "base", "value": 0.3}]


def rows(folder: Path) -> list[dict[str, Any]]:
    return DeltaTable(str(folder)).to_pyarrow_table().to_pylist()


def test_the_rows_name_what_was_evaluated(tmp_path: Path) -> None:
    assert commit(str(tmp_path), as_rows(FIGURES, OF), OF, {}) == 1
    found = rows(tmp_path)
    assert [row["value"] for row in found] == [0.5, 0.3]
    assert {name for name, _, _ in COLUMNS} == set(found[0])
    assert found[0]["evaluated_at"] == OF.evaluated_at
    assert (found[0]["training_job"], found[0]["snapshot_version"], found[0]["against"]) == ("job-1", 3, None)
    assert all(column.metadata["comment"] for column in DeltaTable(str(tmp_path)).schema().fields)


def test_a_job_that_comes_again_leaves_each_figure_once(tmp_path: Path) -> None:
    place = str(tmp_path)
    commit(place, as_rows(FIGURES, OF), OF, {})
    assert commit(place, as_rows([{**FIGURE, "value": 0.7}], OF), OF, {}) == 2
    assert [row["value"] for row in rows(tmp_path)] == [0.7]

    tried_again = replace(OF, training_job="job-2")  # by the same Dagster run
    commit(place, as_rows(FIGURES, tried_again), tried_again, {})
    assert {row["training_job"] for row in rows(tmp_path)} == {"job-2"}

    other = replace(OF, training_job="job-3", run_id="run-3")
    commit(place, as_rows(FIGURES, other), other, {})
    another = replace(OF, configuration="other")
    commit(place, as_rows(FIGURES, another), another, {})
    assert len(rows(tmp_path)) == 6


def test_jobs_that_write_at_once_all_write(tmp_path: Path) -> None:
    jobs = [
        replace(OF, configuration=f"c{number % 2}", training_job=f"j{number}", run_id=f"r{number}")
        for number in range(4)
    ]
    versions: list[int] = []
    threads = [
        threading.Thread(target=lambda of=of: versions.append(commit(str(tmp_path), as_rows(FIGURES, of), of, {})))
        for of in jobs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(versions) == len(jobs)
    assert len(rows(tmp_path)) == 2 * len(jobs)


def test_a_number_that_is_not_finite_is_null() -> None:
    (row,) = as_rows([{**FIGURE, "value": math.nan, "low": math.inf, "high": None}], OF).to_pylist()
    assert (row["value"], row["low"], row["high"]) == (None, None, None)


@pytest.mark.parametrize(
    ("figures", "of", "words"),
    [
        ([], OF, "has 0 figures"),
        ([FIGURE] * 10_001, OF, "has 10001 figures"),
        ([{**FIGURE, "prompt": "text"}], OF, "a figure has the columns"),
        ([{key: value for key, value in FIGURE.items() if key != "low"}], OF, "a figure has the columns"),
        ([{**FIGURE, "examples": "many"}], OF, "wrong kind"),
        ([FIGURE], replace(OF, training_job="x' OR '1'='1"), "no plain name"),
        ([FIGURE], replace(OF, run_id=""), "no plain name"),
    ],
)
def test_what_is_no_evaluation_is_refused(figures: list[dict[str, Any]], of: Evaluated, words: str) -> None:
    with pytest.raises(JobError, match=words):
        as_rows(figures, of)


@dataclass(frozen=True)
class Opened:
    """A grant on a local folder."""

    url: str

    def storage_options(self, region: str | None = None) -> dict[str, str]:
        return {}


@dataclass
class FolderDoor:
    """A catalog that keeps what was asked, with tables in a folder."""

    folder: Path
    asked: list[tuple[str, str]] = field(default_factory=list)
    registered: dict[str, Any] = field(default_factory=dict)
    taken: bool = False

    def table_exists(self, name: str) -> bool:
        return name in self.registered

    def vend_table(self, name: str, operation: str) -> Opened:
        self.asked.append((name, operation))
        return Opened(str(self.folder))

    def vend_path(self, url: str, operation: str) -> Opened:
        self.asked.append((url, operation))
        return Opened(str(self.folder))

    def create_external_delta_table(self, name: str, location: str, columns: Any, *, comment: str) -> None:
        if self.taken:
            self.registered[name] = ()
            raise CatalogError("the name is taken", status=409)
        self.registered[name] = columns


def test_the_first_job_registers_the_table_and_the_next_asks_for_it_alone(tmp_path: Path) -> None:
    door, place = FolderDoor(tmp_path), str(tmp_path)
    first = write(cast(Catalog, door), "c.ml.evaluations", place, FIGURES, OF)
    second = write(cast(Catalog, door), "c.ml.evaluations", place, FIGURES, replace(OF, training_job="j", run_id="r"))
    assert (first.version, second.version, second.rows) == (1, 2, 2)
    assert door.asked == [(place, "PATH_CREATE_TABLE"), ("c.ml.evaluations", "READ_WRITE")]
    columns = door.registered["c.ml.evaluations"]
    assert [column.name for column in columns] == [name for name, _, _ in COLUMNS]
    assert [column.name for column in columns if column.partition_index is not None] == ["configuration"]
    assert all(column.comment for column in columns)


def test_a_table_that_another_job_registered_meanwhile_is_no_error(tmp_path: Path) -> None:
    door = FolderDoor(tmp_path, taken=True)
    assert write(cast(Catalog, door), "c.ml.evaluations", str(tmp_path), FIGURES, OF).version == 1
