"""A batch on a CPU goes through the model in parts: the same numbers, less memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tiny import RunTraining

from train import trainer
from train.trainer import batch_parts


def _batch(lengths: list[int]) -> dict[str, torch.Tensor]:
    mask = torch.zeros((len(lengths), max(lengths)), dtype=torch.long)
    for row, length in enumerate(lengths):
        mask[row, :length] = 1
    ids = torch.arange(mask.numel()).reshape(mask.shape)
    return {"input_ids": ids, "attention_mask": mask, "labels": ids.clone()}


@pytest.mark.parametrize(
    ("lengths", "shapes"),
    [
        ([3, 3, 4, 4], [(2, 3), (2, 4)]),
        ([9, 2, 2], [(1, 9), (2, 2)]),
        ([2, 9], [(1, 2), (1, 9)]),
        ([4, 4], [(2, 4)]),
    ],
)
def test_parts_hold_each_row_once_within_the_limit(lengths: list[int], shapes: list[tuple[int, int]]) -> None:
    batch = _batch(lengths)
    parts = list(batch_parts(batch, 8))
    assert [tuple(part["input_ids"].shape) for part in parts] == shapes
    for name in batch:
        rows = [row[seen == 1] for part in parts for row, seen in zip(part[name], part["attention_mask"], strict=True)]
        expected = [row[:length] for row, length in zip(batch[name], lengths, strict=True)]
        assert all(torch.equal(found, wanted) for found, wanted in zip(rows, expected, strict=True))


def test_training_in_parts_gives_the_losses_of_whole_batches(
    run_training: RunTraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = []
    for most_tokens in (10**6, 1):
        monkeypatch.setattr(trainer, "_CPU_TOKENS", most_tokens)
        out = tmp_path / str(most_tokens)
        assert run_training(out, lora={"dropout": 0.0}, optimization={"max_steps": 4}) == 0
        (state,) = out.rglob("checkpoint-4/trainer_state.json")
        losses.append([entry["loss"] for entry in json.loads(state.read_text())["log_history"] if "loss" in entry])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert len(losses[0]) == 4
