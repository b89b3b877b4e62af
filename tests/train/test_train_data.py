"""Rows: reading at a version, choosing, tokens, order."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from tiny import make_rows, make_tokenizer

from train.config import DataSection
from train.data import (
    COLUMNS,
    encode,
    parse_row,
    read_jsonl,
    read_snapshot,
    rows_digest,
    select,
    training_order,
)
from train.job import JobError

DATA = DataSection(max_length=256)


def snapshot_rows(count: int) -> pa.Table:
    rows = [{**row, "task": "T1", "accession_number": "a", "fiscal_year": 2024} for row in make_rows(count)]
    return pa.Table.from_pylist([{name: row[name] for name in COLUMNS} for row in rows])


def test_the_snapshot_is_read_at_its_pinned_version(tmp_path: Path) -> None:
    write_deltalake(tmp_path / "t", snapshot_rows(10))
    write_deltalake(tmp_path / "t", snapshot_rows(20), mode="overwrite")
    assert len(read_snapshot(str(tmp_path / "t"), 0, {})) == 10
    later = read_snapshot(str(tmp_path / "t"), 1, {})
    assert len(later) == 20
    assert (later[0].fiscal_year, later[0].task) == (2024, "T1")


def test_a_version_or_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    write_deltalake(tmp_path / "t", snapshot_rows(10).drop_columns(["split"]))
    with pytest.raises(JobError, match="version 0 lacks the columns split"):
        read_snapshot(str(tmp_path / "t"), 0, {})
    with pytest.raises(JobError, match="cannot read version 7"):
        read_snapshot(str(tmp_path / "t"), 7, {})


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
