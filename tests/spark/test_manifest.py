"""Versions of the training set: when there is a new one, what it says of itself and of the one before."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from benchmarks.folder_tables import FolderTables
from spark import manifest, measures, schemas
from spark.columns import KINDS
from spark.manifest import Before, Facts
from spark.tables import TableSpec, Written

SNAPSHOT, VERSIONS = "curated.training_snapshot", "curated.dataset_versions"
SPEC = TableSpec(VERSIONS, "unused", manifest.VERSIONS, manifest.VERSIONS_COMMENT)


def row(index: int, **changed: Any) -> tuple[Any, ...]:
    """One row of the snapshot, told from the others by its index, but for what is changed."""
    values: dict[str, Any] = {
        "example_id": f"{index:064x}",
        "task": "T1",
        "prompt": f"Risk factor: plant {index} may fail.",
        "completion": f"Plant {index}",
        "split": "train",
        "cluster_id": f"{index:064x}",
        "cik": "0000000001",
        "accession_number": "0000000001-23-000001",
        "fiscal_year": 2023,
        "form_type": "10-K",
        "risk_factor_index": index,
        "char_start": 0,
        "char_end": 10,
        "body_sha256": f"{index:064x}",
        "source_url": "https://filings.example/1",
        "template_version": "t1-1",
        "cleaner_version": "cleaner-1",
    }
    return tuple((values | changed)[name] for name in schemas.SNAPSHOT.names)


def freeze(tables: FolderTables, *rows: tuple[Any, ...]) -> Written:
    """Write the snapshot."""
    tables.ensure(TableSpec(SNAPSHOT, "unused", schemas.SNAPSHOT, ""))
    frame = tables.spark.createDataFrame(list(rows), schemas.SNAPSHOT)
    return tables.replace(SNAPSHOT, frame, where=None, commit="{}")


def record(tables: FolderTables, written: Written, before: Before | None, **changed: Any) -> dict[str, Any]:
    """Record the version; return the newest manifest."""
    facts = {
        "measures": measures.of_snapshot(written.rows),
        "sources": [{"table": "curated.risk_factor_examples", "delta_version": 4}],
        "code_version": "code-1",
        "run_id": "run-1",
        "description": "Examples.",
    }
    made = manifest.record(tables, SPEC, SNAPSHOT, written, Facts(**(facts | changed)), before)
    (found,) = made.rows.collect()
    parsed: dict[str, Any] = json.loads(found["manifest"])
    assert (found["version"], found["merkle_root"]) == (parsed["version"], parsed["snapshot"]["merkle_root"])
    return parsed


def release(tables: FolderTables, *rows: tuple[Any, ...], **changed: Any) -> dict[str, Any]:
    """Write the snapshot and record its version, in the job's order."""
    tables.ensure(TableSpec(SNAPSHOT, "unused", schemas.SNAPSHOT, ""))
    before = manifest.read_before(tables, SPEC, SNAPSHOT)
    return record(tables, freeze(tables, *rows), before, **changed)


def lose_files(tables: FolderTables, version: int) -> None:
    """Remove a version's files, as VACUUM does."""
    for file in DeltaTable(tables.location(SNAPSHOT), version=version).file_uris():
        Path(file).unlink()


def lose_log(tables: FolderTables, version: int) -> None:
    """Remove the log up to a version, as Delta does with what has expired."""
    folder = tables.location(SNAPSHOT)
    DeltaTable(folder).create_checkpoint()
    for number in range(version + 1):
        Path(f"{folder}/_delta_log/{number:020d}.json").unlink()
    forget(tables)


def forget(tables: FolderTables) -> None:
    """Let Delta forget what it knows of the folder, as a job of another day does."""
    jvm = tables.spark.sparkContext._jvm
    assert jvm is not None
    jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()


def start_anew(tables: FolderTables) -> None:
    """Remove the snapshot with all that is in its folder."""
    shutil.rmtree(tables.location(SNAPSHOT))
    forget(tables)


def test_first_version_names_what_it_is_made_of_and_stands_beside_the_data(tables: FolderTables) -> None:
    written = freeze(tables, row(0), row(1), row(2, task="T2", completion="Legal", split="validation"))
    found = record(tables, written, manifest.read_before(tables, SPEC, SNAPSHOT))
    assert found["version"] == 1
    assert found["snapshot"] == {"table": SNAPSHOT, "delta_version": written.version, "merkle_root": written.digest}
    assert found["sources"] == [{"table": "curated.risk_factor_examples", "delta_version": 4}]
    assert (found["code_version"], found["run_id"], found["description"]) == ("code-1", "run-1", "Examples.")
    counted = found["measures"]
    assert (counted["rows"], counted["companies"]) == (3, 1)
    assert counted["rows_by_task"] == {"T1": 2, "T2": 1}
    assert counted["rows_by_split"] == {"train": 2, "validation": 1}
    assert (counted["rows_by_year"], counted["rows_by_form"]) == ({"2023": 3}, {"10-K": 3})
    assert (found["changes"]["since"], found["changes"]["not_compared"], found["changes"]["added"]) == (None, None, 3)
    beside = Path(tables.location(SNAPSHOT)) / "_manifests" / "000001.json"
    assert json.loads(beside.read_text()) == found
    assert tables.read(SNAPSHOT, version=written.version).count() == 3


def test_an_unchanged_snapshot_makes_no_new_version(tables: FolderTables) -> None:
    first = release(tables, row(0), row(1))
    there = tables.version(VERSIONS)
    again = release(tables, row(1), row(0), run_id="run-2", code_version="code-2")
    assert again == first
    assert tables.version(VERSIONS) == there
    assert len(list((Path(tables.location(SNAPSHOT)) / "_manifests").glob("*.json"))) == 1


def test_a_new_version_says_what_changed(tables: FolderTables) -> None:
    release(tables, *map(row, range(6)))
    after = (
        row(0),
        row(1, completion="Another headline"),
        row(2, split="validation"),
        row(3, template_version="t1-2"),
        row(4, task="T2"),
        row(7),
    )
    found = release(tables, *after)
    changed = found["changes"]
    assert (found["version"], changed["since"]) == (2, 1)
    counts = {kind: changed[kind] for kind in KINDS}
    assert counts == {"added": 2, "removed": 2, "edited": 1, "moved": 1, "restated": 1, "same": 1}
    assert changed["by_task"]["T2"]["added"] == 1
    assert [item["version"] for item in tables.stored(VERSIONS, where="true").rows.sort("version").collect()] == [1, 2]


def test_content_that_comes_back_is_a_version_of_its_own(tables: FolderTables) -> None:
    roots = [release(tables, row(index))["snapshot"]["merkle_root"] for index in (0, 1, 0)]
    assert roots[0] == roots[2] != roots[1]
    assert tables.stored(VERSIONS, where="true").rows.count() == 3


def test_a_run_cut_off_before_the_row_is_completed_by_the_next(tables: FolderTables) -> None:
    release(tables, row(0))
    freeze(tables, row(0), row(1))  # and the job dies
    found = release(tables, row(0), row(1))
    assert (found["version"], found["changes"]["added"], found["changes"]["same"]) == (2, 1, 1)


def test_a_version_that_was_cleaned_up_stops_no_other(tables: FolderTables) -> None:
    one = release(tables, row(0), row(1))["snapshot"]["delta_version"]
    before = manifest.read_before(tables, SPEC, SNAPSHOT)
    written = freeze(tables, row(0), row(2))
    lose_files(tables, one)
    late = manifest.read_before(tables, SPEC, SNAPSHOT)
    assert late is not None
    assert late.why_not == f"Delta version {one}, which held version 1, can no longer be read"
    second = record(tables, written, before)
    changed, two = second["changes"], second["snapshot"]["delta_version"]
    assert (changed["since"], changed["added"], changed["removed"], changed["same"]) == (1, 1, 1, 1)
    freeze(tables, row(0), row(3))  # and the job dies
    lose_log(tables, two)
    third = release(tables, row(0), row(3))
    assert (third["version"], third["changes"]["since"], third["changes"]["added"]) == (3, None, 2)
    assert third["changes"]["not_compared"] == f"Delta version {two}, which held version 2, can no longer be read"


def test_a_snapshot_made_anew_is_another_version_with_nothing_to_compare_with(tables: FolderTables) -> None:
    release(tables, row(0))
    start_anew(tables)
    again = release(tables, row(0))
    assert (again["version"], again["changes"]["since"], again["changes"]["added"]) == (2, None, 1)
    start_anew(tables)
    assert freeze(tables, row(1)).version == again["snapshot"]["delta_version"]
    before = manifest.read_before(tables, SPEC, SNAPSHOT)
    moved = manifest.read_before(tables, SPEC, "elsewhere.training_snapshot")
    assert before is not None and moved is not None
    assert before.why_not == "Delta version 1 no longer holds version 2: the table was made anew"
    assert moved.why_not == f"version 2 is of the table {SNAPSHOT}"


def test_lengths_and_labels(tables: FolderTables) -> None:
    rows = [
        row(0, prompt="one  two\nthree ", completion="four"),
        row(1, prompt="word " * 50, completion="é"),
        row(2, prompt="word " * 5000, task="T2", completion="Legal"),
        row(3, task="T2", completion="Legal", split="validation"),
        row(4, task="T3", completion="generic"),
    ]
    found = measures.of_snapshot(tables.spark.createDataFrame(rows, schemas.SNAPSHOT))
    assert found["lengths"]["edges"][0] == 50
    assert found["lengths"]["by_task"]["T1"][:2] == [1, 1]
    assert found["lengths"]["by_split"]["train"] == [2, 1, *[0] * 8, 1]
    assert found["longest_words"] == 5001
    assert found["longest_bytes"] == 25_005
    assert found["labels"] == {"T2": {"Legal": 1}, "T3": {"generic": 1}}
    assert found["rows_by_task_and_split"]["T2"] == {"train": 1, "validation": 1}


def test_samples_say_what_rows_are_and_not_what_they_say(tables: FolderTables) -> None:
    rows = [row(index) for index in range(5)]
    rows += [row(5, task="T2", completion="Legal"), row(6, task="T2", completion="Legal", split="validation")]
    found = measures.samples(tables.spark.createDataFrame(rows, schemas.SNAPSHOT), each=2)
    assert [(item["task"], item["risk_factor_index"], item["label"]) for item in found] == [
        ("T1", 0, None),
        ("T1", 1, None),
        ("T2", 5, "Legal"),
    ]
    assert found[0]["prompt_words"] == 6
    assert not {"prompt", "completion"} & found[0].keys()


def test_source_counts_repeats_by_year(tables: FolderTables) -> None:
    rows = [row(0, cik="1"), row(1, task="T3", completion="generic"), row(2, task="T3", completion="generic")]
    rows.append(row(3, task="T3", completion="specific", fiscal_year=2024))
    found = measures.of_source(tables.spark.createDataFrame(rows, schemas.SNAPSHOT))
    labels = {"T3": {"2023": {"generic": 2}, "2024": {"specific": 1}}}
    assert found == {"source_companies": 2, "labels_by_year": labels}
