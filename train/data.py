"""The rows: read at a pinned version, chosen, turned into tokens, and put in order.

Rows come from the snapshot table through a credential that Unity Catalog vends for that table, or from a JSON
lines file when the payload is used by hand. Those of the table are held against the Merkle root that its gates
passed. Everything here is deterministic: the same rows, configuration and tokenizer give the same batches.
"""

from __future__ import annotations

import bisect
import hashlib
import json
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from train.config import DataSection, Task
from train.job import JobError
from unitydoor.merkle import merkle_root, row_digest

Split = Literal["train", "validation", "test_company", "test_year", "test_company_year"]
SPLITS: tuple[Split, ...] = get_args(Split)
TEST_SPLITS: tuple[Split, ...] = ("test_company", "test_year", "test_company_year")
"""Companies that do not train, the latest fiscal year of those that do, and both. The first always has rows; a snapshot
of one fiscal year has none of the others."""

COLUMNS = (
    "example_id",
    "task",
    "prompt",
    "completion",
    "split",
    "cluster_id",
    "cik",
    "accession_number",
    "fiscal_year",
    "form_type",
    "risk_factor_index",
    "char_start",
    "char_end",
    "body_sha256",
    "source_url",
    "template_version",
    "cleaner_version",
)
"""The columns of `curated.training_snapshot` in the table's order, which is that of a row's digest."""

_BATCH_ROWS = 1024  # rows that are turned into Python objects at once
_MEGABATCH = 16  # batches that are sorted by length together: little padding, and still a random order


@dataclass(frozen=True)
class Row:
    """One example of the snapshot. `prompt` and `completion` are plain strings."""

    example_id: str
    task: str
    prompt: str
    completion: str
    split: Split
    cik: str = ""
    accession_number: str = ""
    fiscal_year: int | None = None


@dataclass(frozen=True)
class Example:
    """A row in tokens: the chat template around the prompt, then the completion and the end of the turn."""

    row: Row
    input_ids: tuple[int, ...]
    prompt_length: int

    @property
    def prompt_ids(self) -> tuple[int, ...]:
        """What the model is given when it has to write the completion."""
        return self.input_ids[: self.prompt_length]


@dataclass(frozen=True)
class Selection:
    """The examples of a split that are used, and how many rows were looked at and did not fit."""

    examples: tuple[Example, ...]
    considered: int
    overlong: int


def parse_row(values: Mapping[str, Any], *, source: str) -> Row:
    """A row from untyped values. A missing `example_id` is made from the content, a missing task is T1.

    Raises:
        JobError: a text is missing or empty, or the split is unknown.
    """
    for key in ("prompt", "completion"):
        if not isinstance(values.get(key), str) or not values[key].strip():
            raise JobError(f"{source}: {key} must be a text that is not empty")
    if values.get("split") not in SPLITS:
        raise JobError(f"{source}: split must be one of {', '.join(SPLITS)}, not {values.get('split')!r}")
    prompt, completion = values["prompt"], values["completion"]
    content = json.dumps([prompt, completion]).encode()
    return Row(
        example_id=str(values.get("example_id") or hashlib.sha256(content).hexdigest()),
        task=str(values.get("task") or "T1"),
        prompt=prompt,
        completion=completion,
        split=values["split"],
        cik=str(values.get("cik") or ""),
        accession_number=str(values.get("accession_number") or ""),
        fiscal_year=values.get("fiscal_year"),
    )


def read_jsonl(path: Path) -> list[Row]:
    """Rows of a JSON lines file with at least `prompt`, `completion` and `split`.

    Raises:
        JobError: the file cannot be read, or a line is not such a row; the message names the line.
    """
    rows = []
    try:
        with path.open(encoding="utf-8") as file:
            for number, text in enumerate(file, start=1):
                if text.strip():
                    rows.append(_json_row(text, source=f"{path}, line {number}"))
    except (OSError, UnicodeDecodeError) as error:
        raise JobError(f"cannot read {path}: {error}") from error
    return rows


def _json_row(text: str, *, source: str) -> Row:
    try:
        values = json.loads(text)
    except ValueError as error:
        raise JobError(f"{source}: not JSON ({error})") from error
    if not isinstance(values, dict):
        raise JobError(f"{source}: expected an object")
    return parse_row(values, source=source)


def read_snapshot(url: str, version: int, storage_options: Callable[[], Mapping[str, str]], *, root: str) -> list[Row]:
    """Rows of the Delta table at `url`, exactly as they were in `version`, if they are those of the Merkle root.

    A version number says when a table was read, not what it held: who may write the table's files can put other
    rows there under the same number. `root` is hex, by `unitydoor.merkle`'s definition over all columns.
    `storage_options` is asked before each file, so that a credential can be renewed between two.

    Raises:
        JobError: the version cannot be read, its columns are not those of a snapshot, or it holds other rows.
    """
    where, rows, digests = f"{url} version {version}", [], []
    for number, record in enumerate(_records(url, version, storage_options)):
        digests.append(row_digest([record[column] for column in COLUMNS]))
        rows.append(parse_row(record, source=f"{where}, row {number}"))
    if (found := merkle_root(digests)) != root:
        raise JobError(
            f"the table at version {version} holds other rows than the snapshot whose gates passed: the Merkle root "
            f"of the {len(rows)} rows of {url} is {found}, the gates passed {root}; find out who wrote to the "
            f"table's files, then materialize the snapshot again"
        )
    return rows


def _records(url: str, version: int, storage_options: Callable[[], Mapping[str, str]]) -> Iterator[dict[str, Any]]:
    """The rows of one version with all columns, a batch in memory at a time."""
    from deltalake.exceptions import DeltaError

    options: Mapping[str, str] | None = None
    files: list[Any] = []
    done = 0
    try:
        while options is None or done < len(files):
            if (current := storage_options()) != options:
                # The version is pinned: opened anew, it has the same files.
                options, files = current, _files(url, version, current)
            if done < len(files):
                for batch in files[done].to_batches(batch_size=_BATCH_ROWS, batch_readahead=1):
                    yield from batch.to_pylist()
            done += 1
    except (DeltaError, OSError) as error:
        raise JobError(f"cannot read version {version} of {url}: {error}") from error


def _files(url: str, version: int, storage_options: Mapping[str, str]) -> list[Any]:
    """The version's files as pyarrow fragments, in order of their paths. Raises JobError for other columns."""
    from deltalake import DeltaTable

    table = DeltaTable(url, version=version, storage_options=dict(storage_options))
    present = tuple(field.name for field in table.schema().fields)
    if present != COLUMNS:
        raise JobError(
            f"{url} version {version} does not have the columns of a snapshot in their order: it has "
            f"{', '.join(present)}, not {', '.join(COLUMNS)}"
        )
    return sorted(table.to_pyarrow_dataset().get_fragments(), key=lambda file: str(file.path))


def rows_digest(rows: Iterable[Row]) -> str:
    """Digest of the rows' identity and text, whatever their order."""
    lines = sorted(json.dumps([row.example_id, row.split, row.prompt, row.completion]) for row in rows)
    digest = hashlib.sha256()
    for line in lines:
        digest.update(f"{line}\n".encode())
    return f"sha256:{digest.hexdigest()}"


def select(
    rows: Iterable[Row], split: Split, tokenizer: Any, data: DataSection, *, limit: int | None, seed: int
) -> Selection:
    """Take up to `limit` rows of a split, in the order of a hash of seed and id, and turn them into tokens.

    Where the configuration has shares, training and validation take so much of each task.

    The hash makes the choice independent of the table's order, and nearly the same when rows come and go. Of a split
    by year, which may be empty, nothing is taken then.

    Raises:
        JobError: another split has no row, a row is too long and the configuration says fail, or too many are.
    """
    candidates = [row for row in rows if row.split == split and row.task in data.tasks]
    if not candidates and split in TEST_SPLITS[1:]:
        return Selection((), 0, 0)
    if not candidates:
        raise JobError(f"the {split} split has no rows of {', '.join(data.tasks)}: check the snapshot's split")
    candidates.sort(key=lambda row: hashlib.sha256(f"{seed}:{row.example_id}".encode()).digest())
    if data.shares is not None and split not in TEST_SPLITS:
        return _mixed(candidates, data.shares, split, tokenizer, data, limit)
    return _taken(candidates, split, tokenizer, data, limit)


def _mixed(
    candidates: Sequence[Row],
    shares: Mapping[Task, float],
    split: Split,
    tokenizer: Any,
    data: DataSection,
    limit: int | None,
) -> Selection:
    """As many examples as can be had with these shares of the tasks, at most `limit`."""
    by_task = {
        task: _taken([row for row in candidates if row.task == task], split, tokenizer, data, limit) for task in shares
    }
    total = min(len(by_task[task].examples) / share for task, share in shares.items())
    total = total if limit is None else min(total, limit)
    chosen: list[Example] = []
    for task, share in shares.items():
        # Rounded down, or they were more than `limit`; floating point may put a whole number a little too low.
        chosen += by_task[task].examples[: max(1, math.floor(total * share + 1e-6))]
    return Selection(
        tuple(chosen),
        sum(selection.considered for selection in by_task.values()),
        sum(selection.overlong for selection in by_task.values()),
    )


def _taken(candidates: Sequence[Row], split: Split, tokenizer: Any, data: DataSection, limit: int | None) -> Selection:
    """The first `limit` of the candidates that fit. Raises JobError where too few do."""
    examples: list[Example] = []
    considered = 0
    for row in candidates:
        if limit is not None and len(examples) == limit:
            break
        considered += 1
        example = encode(row, tokenizer)
        if len(example.input_ids) <= data.max_length:
            examples.append(example)
        elif data.overlong == "fail":
            raise JobError(
                f"example {row.example_id} ({split}) has {len(example.input_ids)} tokens, "
                f"data.max_length is {data.max_length}: raise it, or set data.overlong to drop"
            )
    overlong = considered - len(examples)
    if not considered:
        raise JobError(f"the {split} split lacks rows of a task that data.shares names: {', '.join(data.tasks)}")
    if overlong > data.max_dropped_share * considered or not examples:
        raise JobError(
            f"{overlong} of {considered} {split} rows are longer than data.max_length = {data.max_length} tokens, "
            f"more than data.max_dropped_share = {data.max_dropped_share:g} allows"
        )
    return Selection(tuple(examples), considered, overlong)


def encode(row: Row, tokenizer: Any) -> Example:
    """Put a row into the tokenizer's chat template: a user's turn and the assistant's answer.

    A base model without one reads the prompt as it is, then a space and the completion.

    Raises:
        JobError: the template does not keep the prompt as a prefix of the whole, so the completion has no mask.
    """
    prompt, completion = _chat(row, tokenizer) if tokenizer.chat_template else _plain(row, tokenizer)
    return Example(row, (*prompt, *completion, tokenizer.eos_token_id), len(prompt))


def _chat(row: Row, tokenizer: Any) -> tuple[list[int], list[int]]:
    user = {"role": "user", "content": row.prompt}
    answer = {"role": "assistant", "content": row.completion}
    prompt = _template(tokenizer, [user], add_generation_prompt=True)
    whole = _template(tokenizer, [user, answer], add_generation_prompt=False)
    if whole[: len(prompt)] != prompt:
        raise JobError("the tokenizer's chat template changes the prompt when an answer follows: cannot mask it")
    completion = whole[len(prompt) :]
    # What a template writes after the end of the turn is never generated, so it is not learned either.
    if tokenizer.eos_token_id in completion:
        completion = completion[: completion.index(tokenizer.eos_token_id)]
    return prompt, completion


def _plain(row: Row, tokenizer: Any) -> tuple[list[int], list[int]]:
    # Prompt and completion apart: together, a token could span both, and generation would never see it. Some
    # tokenizers end a text with their end mark, which may not stand in front of the completion.
    prompt = list(tokenizer(row.prompt)["input_ids"])
    if prompt and prompt[-1] == tokenizer.eos_token_id:
        prompt.pop()
    return prompt, list(tokenizer(f" {row.completion}", add_special_tokens=False)["input_ids"])


def _template(tokenizer: Any, messages: list[dict[str, str]], *, add_generation_prompt: bool) -> list[int]:
    encoded = tokenizer.apply_chat_template(
        messages, add_generation_prompt=add_generation_prompt, tokenize=True, return_dict=True
    )
    return list(encoded["input_ids"])


def training_order(lengths: Sequence[int], *, batch_size: int, epochs: float, seed: int) -> list[int]:
    """Indices of the examples for all epochs, one after the other; `batch_size` neighbours make a batch.

    Each epoch is a new permutation in which examples of like length are neighbours, so that batches need little
    padding. A part of an epoch takes the first part of its batches. The order is fixed beforehand, so a resumed
    run continues in it exactly.
    """
    total = max(1, round(epochs * len(lengths)))
    order: list[int] = []
    epoch = 0
    while len(order) < total:
        order.extend(_epoch(lengths, batch_size, random.Random(f"{seed}:{epoch}")))  # noqa: S311
        epoch += 1
    return order[:total]


def _epoch(lengths: Sequence[int], batch_size: int, generator: random.Random) -> Iterator[int]:
    indices = list(range(len(lengths)))
    generator.shuffle(indices)
    batches: list[list[int]] = []
    for start in range(0, len(indices), batch_size * _MEGABATCH):
        near = sorted(indices[start : start + batch_size * _MEGABATCH], key=lambda i: (lengths[i], i))
        batches.extend(near[at : at + batch_size] for at in range(0, len(near), batch_size))
    # An incomplete batch stays last, or all later ones would be shifted by it.
    complete = [batch for batch in batches if len(batch) == batch_size]
    rest = [batch for batch in batches if len(batch) < batch_size]
    generator.shuffle(complete)
    for batch in [*complete, *rest]:
        yield from batch


def packed_order(lengths: Sequence[int], *, capacity: int, epochs: float, seed: int) -> list[tuple[int, ...]]:
    """Rows of examples, by their indices, for all epochs: each row's lengths add up to at most `capacity`.

    In each epoch every example is in one row, the longest are placed first, each into the fullest row that has room
    (best fit decreasing), and the rows come in a random order. A part of an epoch takes the first part of its rows.
    No length may be over `capacity`.
    """
    order: list[tuple[int, ...]] = []
    whole, part = divmod(epochs, 1)
    for epoch in range(int(whole) + (part > 0)):
        generator = random.Random(f"{seed}:{epoch}")  # noqa: S311
        rows = _packed(lengths, capacity, generator)
        order += rows if epoch < whole else rows[: max(1, round(part * len(rows)))]
    return order


def _packed(lengths: Sequence[int], capacity: int, generator: random.Random) -> list[tuple[int, ...]]:
    indices = list(range(len(lengths)))
    generator.shuffle(indices)
    rows: list[list[int]] = []
    room: list[tuple[int, int]] = []  # (what is left of a row, its number), in order
    for index in sorted(indices, key=lambda index: -lengths[index]):
        place = bisect.bisect_left(room, (lengths[index], -1))
        left, row = room.pop(place) if place < len(room) else (capacity, len(rows))
        if row == len(rows):
            rows.append([])
        rows[row].append(index)
        bisect.insort(room, (left - lengths[index], row))
    generator.shuffle(rows)
    return [tuple(row) for row in rows]
