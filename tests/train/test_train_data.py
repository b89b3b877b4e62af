"""Rows: reading at a version, choosing, tokens, order."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from tiny import make_rows, make_tokenizer

from train.config import DataSection
from train.data import (
    COLUMNS,
    Selection,
    encode,
    packed_order,
    parse_row,
    read_jsonl,
    read_snapshot,
    rows_digest,
    select,
    training_order,
)
from train.job import JobError
from unitydoor.merkle import merkle_root, row_digest

DATA = DataSection(max_length=256)


NUMBERS = {"fiscal_year", "risk_factor_index", "char_start", "char_end"}
SCHEMA = pa.schema([(name, pa.int32() if name in NUMBERS else pa.string()) for name in COLUMNS])


def snapshot_rows(count: int) -> list[dict[str, Any]]:
    """Rows with all columns; texts that are not ASCII, a large and a negative number, and a null."""
    filled = {name: -7 if name in NUMBERS else f"\u00e9\U0001f600 {name}" for name in COLUMNS}
    own = {"task": "T1", "fiscal_year": 2024, "char_end": 1_234_567, "cluster_id": None}
    return [{**filled, **row, **own} for row in make_rows(count)]


def write(path: Path, rows: list[dict[str, Any]], **options: Any) -> str:
    """Write the Delta table and return its Merkle root."""
    write_deltalake(path, pa.Table.from_pylist(rows, schema=SCHEMA), **options)
    return merkle_root(row_digest([row[name] for name in COLUMNS]) for row in rows)


def test_the_snapshot_is_read_at_its_pinned_version(tmp_path: Path) -> None:
    first = write(tmp_path / "t", snapshot_rows(10))
    second = write(tmp_path / "t", snapshot_rows(20)[::-1], mode="overwrite")
    assert len(read_snapshot(str(tmp_path / "t"), 0, dict, root=first)) == 10
    later = read_snapshot(str(tmp_path / "t"), 1, dict, root=second)
    assert len(later) == 20
    assert (later[0].fiscal_year, later[0].task) == (2024, "T1")


def test_the_root_is_that_of_the_definition(tmp_path: Path) -> None:
    # One row: SHA-256 of a leaf's prefix and the SHA-256 of `<code points>:<text>`, null being a hyphen.
    (row,) = snapshot_rows(1)
    text = "".join("-" if row[name] is None else f"{len(str(row[name]))}:{row[name]}" for name in COLUMNS)
    root = hashlib.sha256(b"\x00" + hashlib.sha256(text.encode()).digest()).hexdigest()
    write(tmp_path / "t", [row])
    assert len(read_snapshot(str(tmp_path / "t"), 0, dict, root=root)) == 1


@pytest.mark.parametrize(
    "change",
    [{"completion": "Something else."}, {"split": "test_year"}, {"char_start": None}, {"cleaner_version": "0"}],
)
def test_other_rows_than_the_gates_passed_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    rows = snapshot_rows(10)
    passed = write(tmp_path / "passed", rows)
    found = write(tmp_path / "t", [{**rows[0], **change}, *rows[1:]])
    message = (
        f"version 0 holds other rows than the snapshot whose gates passed: .* is {found}, the gates passed {passed}"
    )
    with pytest.raises(JobError, match=message):
        read_snapshot(str(tmp_path / "t"), 0, dict, root=passed)
    write(tmp_path / "less", rows[1:])
    with pytest.raises(JobError, match="the 9 rows of"):
        read_snapshot(str(tmp_path / "less"), 0, dict, root=passed)


def test_a_version_or_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    table = pa.Table.from_pylist(snapshot_rows(10), schema=SCHEMA)
    write_deltalake(tmp_path / "less", table.drop_columns(["split"]))
    swapped = [{"prompt": "completion", "completion": "prompt"}.get(name, name) for name in COLUMNS]
    write_deltalake(tmp_path / "swapped", table.rename_columns(swapped))
    for name in ("less", "swapped"):
        with pytest.raises(JobError, match=f"{name} version 0 does not have the columns of a snapshot in their order"):
            read_snapshot(str(tmp_path / name), 0, dict, root="")
    with pytest.raises(JobError, match="cannot read version 7"):
        read_snapshot(str(tmp_path / "less"), 7, dict, root="")


def test_a_file_that_is_gone_is_said(tmp_path: Path) -> None:
    root = write(tmp_path / "t", snapshot_rows(10))
    for file in (tmp_path / "t").glob("*.parquet"):
        file.unlink()
    with pytest.raises(JobError, match=f"cannot read version 0 of {re.escape(str(tmp_path / 't'))}"):
        read_snapshot(str(tmp_path / "t"), 0, dict, root=root)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("not json", "line 2: not JSON"),
        ("[1]", "line 2: expected an object"),
        ('{"prompt": "a", "completion": "  ", "split": "train"}', "completion must be a text that is not empty"),
        ('{"prompt": "a", "completion": "b", "split": "dev"}', "split must be one of train, validation, test"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(make_rows(1)[0]) + "\n" + line + "\n")
    with pytest.raises(JobError, match=message):
        read_jsonl(path)


def test_tokens_are_the_template_with_the_completion_to_its_end_of_turn() -> None:
    tokenizer = make_tokenizer()
    row = parse_row(make_rows(1)[0], source="test")
    example = encode(row, tokenizer)
    assert tokenizer.decode(list(example.prompt_ids)).endswith("<|im_start|>assistant\n")
    completion = tokenizer.decode(list(example.input_ids[example.prompt_length :]))
    assert completion == f"{row.completion}<|im_end|>"


def test_the_choice_of_rows_depends_on_seed_and_ids_alone() -> None:
    tokenizer = make_tokenizer()
    rows = [parse_row(row, source="test") for row in make_rows(60)]

    def chosen(seed: int, source: list) -> list[str]:
        selection = select(source, "train", tokenizer, DATA, limit=10, seed=seed)
        return [example.row.example_id for example in selection.examples]

    assert chosen(1, rows) == chosen(1, rows[::-1])
    assert chosen(1, rows) != chosen(2, rows)
    assert len(chosen(1, rows)) == 10
    assert rows_digest(rows) == rows_digest(rows[::-1]) != rows_digest(rows[1:])


def test_a_split_without_rows_is_refused() -> None:
    rows = [parse_row(row, source="test") for row in make_rows(3)]
    with pytest.raises(JobError, match="the validation split has no rows of T1"):
        select(rows, "validation", make_tokenizer(), DATA, limit=None, seed=0)


def test_a_snapshot_of_one_year_has_no_splits_by_year() -> None:
    rows = [parse_row(row, source="test") for row in make_rows(60)]
    for split in ("test_year", "test_company_year"):
        assert select(rows, split, make_tokenizer(), DATA, limit=4, seed=0) == Selection((), 0, 0)


def test_rows_of_other_tasks_are_left_alone() -> None:
    rows = [parse_row(row | {"task": f"T{number % 4 + 1}"}, source="test") for number, row in enumerate(make_rows(60))]
    for tasks in (("T1",), ("T1", "T3")):
        chosen = select(rows, "train", make_tokenizer(), DataSection(max_length=256, tasks=tasks), limit=None, seed=0)
        assert {example.row.task for example in chosen.examples} == set(tasks)


def test_a_model_without_a_chat_template_reads_the_prompt_as_it_is() -> None:
    tokenizer = make_tokenizer()
    tokenizer.chat_template = None
    row = parse_row(make_rows(1)[0], source="test")
    example = encode(row, tokenizer)
    assert tokenizer.decode(list(example.prompt_ids)) == row.prompt
    completion = tokenizer.decode(list(example.input_ids[example.prompt_length :]))
    assert completion == f" {row.completion}<|im_end|>"


def test_each_epoch_is_a_permutation_in_batches_of_like_length() -> None:
    lengths = [10 * (i % 13) + 5 for i in range(50)]
    order = training_order(lengths, batch_size=4, epochs=2.5, seed=3)
    assert sorted(order[:50]) == sorted(order[50:100]) == list(range(50))
    assert order[:50] != order[50:100]
    assert len(order) == 125
    assert order == training_order(lengths, batch_size=4, epochs=2.5, seed=3)

    def padding(indices: list[int]) -> int:
        batches = [indices[at : at + 4] for at in range(0, 48, 4)]
        return sum(4 * max(lengths[i] for i in batch) - sum(lengths[i] for i in batch) for batch in batches)

    assert padding(order[:50]) < padding(list(range(50))) / 2


def test_shares_are_of_the_examples_and_as_many_as_can_be_had() -> None:
    tokenizer = make_tokenizer()
    rows = [
        parse_row({**row, "task": "T1" if place % 3 else "T2"}, source="t") for place, row in enumerate(make_rows(90))
    ]
    data = DATA.model_copy(update={"tasks": ("T1", "T2"), "shares": {"T1": 0.75, "T2": 0.25}})

    def counts(split: str, limit: int | None) -> dict[str, int]:
        selection = select(rows, split, tokenizer, data, limit=limit, seed=1)
        return Counter(example.row.task for example in selection.examples)

    assert counts("train", 20) == {"T1": 15, "T2": 5}
    # 36 rows of T1 are three quarters of 48; 12 of the 18 rows of T2 are the rest.
    assert counts("train", None) == {"T1": 36, "T2": 12}
    assert sum(counts("test_company", None).values()) == 18  # a test is not mixed anew
    assert counts("train", 5) == {"T1": 3, "T2": 1}  # at most as many as the limit says

    alone = [row for row in rows if row.task == "T1"]
    with pytest.raises(JobError, match=r"lacks rows of a task that data\.shares names: T1, T2"):
        select(alone, "train", tokenizer, data, limit=None, seed=1)


def test_packed_rows_hold_every_example_once_an_epoch() -> None:
    lengths = [1 + number * 37 % 100 for number in range(200)]
    order = packed_order(lengths, capacity=128, epochs=2.5, seed=3)
    assert order == packed_order(lengths, capacity=128, epochs=2.5, seed=3)
    assert all(sum(lengths[index] for index in row) <= 128 for row in order)
    rows = len(packed_order(lengths, capacity=128, epochs=1.0, seed=3))
    assert rows <= 1.05 * sum(lengths) / 128
    assert sorted(index for row in order[:rows] for index in row) == list(range(200))
    assert sorted(index for row in order[rows : 2 * rows] for index in row) == list(range(200))
    assert order[:rows] != order[rows : 2 * rows]
    assert len(order) == round(2.5 * rows)
