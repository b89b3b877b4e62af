"""`govtune dataset` on real Delta tables in a folder: versions, what changed, examples, the data card."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from govtune_assets import dataset, dataset_command, dataset_report
from govtune_assets.dataset import NoSuchVersion, OtherContent
from govtune_assets.keys import DATASET_VERSIONS, SNAPSHOT, table_name
from govtune_assets.settings import Settings
from spark.columns import KINDS
from unitydoor.catalog import Catalog
from unitydoor.merkle import merkle_root, row_digest

SETTINGS = Settings()
SCHEMA = pa.schema(
    [
        ("example_id", pa.string()),
        ("task", pa.string()),
        ("prompt", pa.string()),
        ("completion", pa.string()),
        ("split", pa.string()),
        ("accession_number", pa.string()),
        ("risk_factor_index", pa.int32()),
        ("char_start", pa.int32()),
        ("char_end", pa.int32()),
        ("body_sha256", pa.string()),
        ("source_url", pa.string()),
        ("template_version", pa.string()),
    ]
)
MEASURES: dict[str, Any] = {
    "rows": 6,
    "companies": 3,
    "rows_by_task": {"T1": 5, "T2": 1},
    "rows_by_split": {"train": 6},
    "rows_by_year": {"2023": 6},
    "rows_by_form": {"10-K": 6},
    "rows_by_task_and_split": {"T1": {"train": 5}, "T2": {"train": 1}},
    "rows_by_year_and_split": {"2023": {"train": 6}},
    "labels": {"T2": {"Legal | <b>": 1}},
    "lengths": {"edges": [50, 100], "by_task": {"T1": [1, 4, 0], "T2": [0, 0, 1]}},
    "source_rows": 9,
    "dropped": {"near_duplicate": 3},
    "near_duplicate_jaccard": 0.8,
    "clusters_in_two_splits": 0,
    "companies_in_two_splits": 0,
    "benchmark_filings_in_train": 0,
    "worst_13gram_share": 0.125,
    "pii_left": 0,
    "longest_words": 200,
}


def row(index: int, **changed: Any) -> dict[str, Any]:
    values = {
        "example_id": f"{index:064x}",
        "task": "T1",
        "prompt": f"Risk factor {index}\x1b[2J:",
        "completion": f"Plant {index}",
        "split": "train",
        "accession_number": "0000000001-23-000001",
        "risk_factor_index": index,
        "char_start": 0,
        "char_end": 10,
        "body_sha256": f"{index:064x}",
        "source_url": "https://filings.example/1",
        "template_version": "t1-1",
    }
    return values | changed


FIRST = [row(index) for index in range(5)]
SECOND = [row(0), row(1, completion="Other"), row(2, split="validation"), row(3, template_version="t1-2"), row(7)]


def root(rows: list[dict[str, Any]]) -> str:
    return merkle_root(row_digest(list(values.values())) for values in rows)


def manifest(number: int, delta_version: int) -> dict[str, Any]:
    counts = dict.fromkeys(KINDS, 1)
    return {
        "version": number,
        "created_at": "2026-01-02T03:04:05+00:00",
        "description": "Examples of a test.",
        "snapshot": {
            "table": table_name(SETTINGS, SNAPSHOT),
            "delta_version": delta_version,
            "merkle_root": root(FIRST if number == 1 else SECOND),
        },
        "sources": [
            {"table": "govtune.raw.risk_factors", "delta_versions": {"2023": 4}},
            {"table": "govtune.curated.risk_factor_examples", "delta_version": 2, "data_versions": {"2023": "abc"}},
        ],
        "code_version": "code-1",
        "run_id": "run-1",
        "measures": MEASURES,
        "changes": {"since": number - 1 or None, **counts, "by_task": {"T1": counts}},
    }


@dataclass(frozen=True)
class Opened:
    """A grant on a local folder."""

    url: str

    def storage_options(self, region: str) -> dict[str, str]:
        return {}


@dataclass(frozen=True)
class FolderDoor:
    """The door to tables in a folder, with nobody to ask."""

    folder: Path

    def table_exists(self, name: str) -> bool:
        return (self.folder / name).exists()

    def vend_table(self, name: str, operation: str) -> Opened:
        assert operation == "READ"
        return Opened(str(self.folder / name))


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Two versions of a snapshot."""
    folder = tmp_path_factory.mktemp("lake")
    for rows in (FIRST, SECOND):
        write_deltalake(folder / table_name(SETTINGS, SNAPSHOT), pa.Table.from_pylist(rows, SCHEMA), mode="overwrite")
    rows = [
        {"version": number, "snapshot_delta_version": number - 1, "manifest": json.dumps(manifest(number, number - 1))}
        for number in (2, 1)
    ]
    write_deltalake(folder / table_name(SETTINGS, DATASET_VERSIONS), pa.Table.from_pylist(rows))
    return cast(Catalog, FolderDoor(folder))


def test_show_lists_versions_and_details(door: Catalog) -> None:
    lines = dataset_command.show(door, SETTINGS, None)
    assert [line.split()[1] for line in lines[:2]] == ["1", "2"]
    text = "\n".join(lines)
    assert "version      2, made 2026-01-02" in text
    assert "govtune.raw.risk_factors at Delta versions by fiscal year: 2023 at 4" in text
    assert "left out     near_duplicate 3" in text
    assert "version      1, made" in "\n".join(dataset_command.show(door, SETTINGS, 1))


def test_differences_name_what_became_of_each_example(door: Catalog) -> None:
    one, two = dataset.versions(door, SETTINGS)
    found = [(change.kind, change.risk_factor_index) for change in dataset.differences(door, SETTINGS, one, two)]
    assert found == [("edited", 1), ("moved", 2), ("restated", 3), ("removed", 4), ("added", 7)]
    assert not list(dataset.differences(door, SETTINGS, two, two))


def test_diff_counts_between_the_last_two(door: Catalog) -> None:
    lines = dataset_command.diff(door, SETTINGS, None, None)
    assert lines[0] == "version 1 to version 2: 1 added, 1 removed, 1 edited, 1 moved, 1 restated"
    assert any(row(7)["example_id"] in line for line in lines)
    back = dataset_command.diff(door, SETTINGS, 2, 1)
    assert back[0].startswith("version 2 to version 1: 1 added, 1 removed")


def test_sample_is_the_same_each_time_and_cannot_move_the_cursor(door: Catalog) -> None:
    lines = dataset_command.examples(door, SETTINGS, 1, task="T1", split="train", rows=2)
    assert [line.split()[1] for line in lines if line.startswith("example ")] == [f"{0:064x}", f"{1:064x}"]
    assert "prompt       Risk factor 0 [2J:" in lines
    none = dataset_command.examples(door, SETTINGS, 1, task="T9", split="train", rows=2)
    assert none == ["Version 1 has no example of T9 in train."]


def test_a_version_that_is_not_there_is_named(door: Catalog, tmp_path: Path) -> None:
    with pytest.raises(NoSuchVersion, match="no version 9; there are: 1, 2"):
        dataset_command.show(door, SETTINGS, 9)
    with pytest.raises(NoSuchVersion, match="no version 0; there are: 1, 2"):
        dataset_command.diff(door, SETTINGS, None, 1)
    with pytest.raises(NoSuchVersion, match="does not exist yet"):
        dataset_command.show(cast(Catalog, FolderDoor(tmp_path)), SETTINGS, None)


def test_a_table_made_anew_is_not_shown_as_the_version(door: Catalog, tmp_path: Path) -> None:
    """Its Delta versions count from 0 again: the same number is another content, or is not there."""
    anew = cast(Catalog, FolderDoor(tmp_path))
    write_deltalake(tmp_path / table_name(SETTINGS, SNAPSHOT), pa.Table.from_pylist([row(9)], SCHEMA))
    one, two = dataset.versions(door, SETTINGS)
    wanted = {"task": "T1", "split": "train", "rows": 2}
    with pytest.raises(OtherContent, match=r"Delta version 0 of govtune\.\S+ does not hold version 1: .* made anew"):
        dataset.sample(anew, SETTINGS, one, **wanted)
    with pytest.raises(OtherContent, match="does not hold version 1"):
        list(dataset.differences(anew, SETTINGS, one, one))
    with pytest.raises(OtherContent, match=r"version 2 is at Delta version 1 of \S+, which cannot be read"):
        dataset.sample(anew, SETTINGS, two, **wanted)


def test_a_version_of_another_table_is_said(door: Catalog) -> None:
    one = dataset.versions(door, SETTINGS)[0]
    elsewhere = Settings(catalog="other")
    with pytest.raises(OtherContent, match=r"version 1 is of the table govtune\.\S+, not of other\."):
        dataset.sample(door, elsewhere, one, task="T1", split="train", rows=2)


def test_the_card_holds_what_the_manifest_says(door: Catalog) -> None:
    card = dataset_command.card(door, SETTINGS, 2)
    assert card.startswith("# Data card: `govtune.curated.training_snapshot`, version 2\n")
    for line in (
        f"| Merkle root | {root(SECOND)} |",
        "| near\\_duplicate | 3 |",
        "| T2 | Legal \\| &lt;b&gt; | 1 |",
        "| training examples of T1 | 5 | at least 1,000 |",
        "| largest share of a test body's 13-grams in train | 0.125 | at most 0.2 |",
        "| govtune.raw.risk\\_factors | 2023 | Delta version 4 |",
        "| 50 to 99 | 4 | 0 |",
    ):
        assert line in card
    assert card == dataset_command.card(door, SETTINGS, 2)


def test_what_the_ui_shows_holds_no_text() -> None:
    sample = {
        "task": "T1",
        "example_id": "a" * 64,
        "cik": "0000000001",
        "label": None,
        "prompt_words": 120,
        "completion_words": 9,
        "accession_number": "0000000001-23-000001",
        "source_url": "https://filings.example/1",
        "risk_factor_index": 4,
        "char_start": 10,
        "char_end": 90,
    }
    report = {**MEASURES, "samples": [sample], "manifest": manifest(2, 1)}
    shown = {name: value.value for name, value in dataset_report.tables(report).items()}
    assert (
        "| T1 | " + "a" * 64 + " | (free text) | 120 | 9 | [0000000001-23-000001](<https://filings" in shown["Examples"]
    )
    assert shown["Lengths"].startswith("![Words of the prompts](<data:image/svg+xml,")
    assert "| T1 | 5 | 5 |" in shown["Rows by task and split"]
    assert shown["Changes"].startswith("Compared with version 1.")


def test_why_nothing_was_compared_is_shown() -> None:
    changes = {"since": None, "not_compared": "version 1 is of the table a.b.c", "by_task": {}}
    assert "Compared with nothing: version 1 is of the table a.b.c." in dataset_report.changes_table(changes)


def test_the_chart_is_short_enough_to_be_shown_in_place() -> None:
    edges = [50, 100, 150, 200, 300, 400, 600, 800, 1200, 1600]
    full = {"edges": edges, "by_task": {f"T{number}": [100_000 + number] * 11 for number in range(9)}}
    assert len(dataset_report.lengths_chart(full)) < 1000
    ends = dataset_report.lengths_chart({"edges": edges, "by_task": {"T1": [0, 0, 7, 0, 2, *[0] * 6]}})
    assert "100 to 149: 7" in ends and "150 to 199: 0" in ends and "under 50" not in ends and "400 to" not in ends
    assert dataset_report.lengths_chart({"edges": [50], "by_task": {}})
