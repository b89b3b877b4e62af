"""Losses against transformers' own, and generation in batches against one by one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import make_rows
from transformers import AutoModelForCausalLM, AutoTokenizer

from train.data import encode, parse_row
from train.files import folder_digest
from train.fp8 import dequantized
from train.inference import (
    IGNORED,
    Asked,
    choice_likelihoods,
    completion_loss,
    generate,
    likelihoods,
    pad_right,
)
from train.job import InterruptionGuard, JobError
from train.processes import Processes
from train.trainer import _Report


@pytest.fixture(scope="module")
def loaded(tiny_llama: Path):
    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    model = AutoModelForCausalLM.from_pretrained(tiny_llama).eval()
    examples = [encode(parse_row(row, source="test"), tokenizer) for row in make_rows(9)]
    return model, tokenizer, examples


def test_the_loss_is_that_of_the_model_over_completion_tokens(loaded) -> None:
    model, tokenizer, examples = loaded
    total, count = 0.0, 0
    for example in examples:
        batch = pad_right([example], tokenizer.pad_token_id)
        tokens = int((batch["labels"] != IGNORED).sum())
        with torch.inference_mode():
            total += model(**batch).loss.item() * tokens
        count += tokens
    found = completion_loss(model, examples, batch_size=4, padding=tokenizer.pad_token_id, dtype=torch.float32)
    assert found == pytest.approx(total / count, rel=1e-5)


def test_batches_generate_what_single_prompts_do(loaded) -> None:
    model, tokenizer, examples = loaded
    options = {"max_new_tokens": 6, "dtype": torch.float32, "progress": lambda text, values: None}
    together = generate(model, tokenizer, examples, batch_size=4, **options)
    single = [generate(model, tokenizer, [example], batch_size=1, **options)[0] for example in examples]
    assert together == single
    with torch.inference_mode():
        ids = torch.tensor([examples[0].prompt_ids])
        output = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=6,
            do_sample=False,
            pad_token_id=tokenizer.pad_token_id,
        )
    assert together[0] == tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True).strip()


def test_fp8_weights_are_scaled_by_tensor_and_by_block() -> None:
    weight = torch.arange(1, 25, dtype=torch.float32).reshape(4, 6)
    stored = {"a.weight": weight, "a.weight_scale_inv": torch.tensor(2.0), "a.activation_scale": torch.tensor(1.0)}
    assert dequantized(stored, torch.float32).keys() == {"a.weight"}
    assert torch.equal(dequantized(stored, torch.float32)["a.weight"], weight * 2)
    blocks = {"a.weight": weight, "a.weight_scale_inv": torch.tensor([[1.0, 2.0], [3.0, 4.0]])}
    expected = weight.clone()
    expected[:2, 3:] *= 2
    expected[2:, :3] *= 3
    expected[2:, 3:] *= 4
    assert torch.equal(dequantized(blocks, torch.float32)["a.weight"], expected)


@pytest.mark.parametrize("name", ["loss", "grad_norm", "eval_loss"])
def test_training_ends_on_a_number_that_is_not_finite(tmp_path: Path, name: str) -> None:
    class State:
        global_step, max_steps = 3, 9

    report = _Report(tmp_path, InterruptionGuard(), lambda text, values: None, lambda step, values: None, Processes())
    with pytest.raises(JobError, match=f"{name} is inf at step 3: training diverged"):
        report.on_log(None, State(), None, {"loss": 1.0, "grad_norm": 1.0, name: float("inf")})


def test_a_folder_digest_is_that_of_sha256sum(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "two").write_text("2")
    (tmp_path / "a").write_text("1")
    # (cd folder; sha256sum a b/two) | sha256sum
    assert folder_digest(tmp_path) == "sha256:502232e28733f9d8dd3c03ca42993dd6f1ce99f72ee1409ebbff945880690130"
    assert folder_digest(tmp_path, without=["b/two"]) != folder_digest(tmp_path)


def test_choices_after_one_prompt_are_as_likely_as_when_each_is_asked_alone(loaded) -> None:
    model, tokenizer, examples = loaded
    options = {
        "padding": tokenizer.pad_token_id,
        "dtype": torch.float32,
        "progress": lambda text, values: None,
    }
    answers = ("yes", "Problems with litigation could harm our reputation.", "no")
    asked, alone = [], []
    for number, example in enumerate(examples):
        wanted = answers if number % 2 else answers[:2]
        encoded = [encode(replace(example.row, completion=text), tokenizer) for text in wanted]
        asked.append(Asked(example.prompt_ids, tuple(one.input_ids[one.prompt_length :] for one in encoded)))
        alone.append(likelihoods(model, encoded, batch_size=1, **options))
    found = choice_likelihoods(model, asked, batch_size=6, **options)
    assert [len(row) for row in found] == [len(row) for row in alone]
    for row, expected in zip(found, alone, strict=True):
        for one, other in zip(row, expected, strict=True):
            assert one.tokens == other.tokens
            assert one.total == pytest.approx(other.total, rel=1e-4)
    together = likelihoods(model, examples, batch_size=4, **options)
    total = completion_loss(model, examples, batch_size=4, padding=tokenizer.pad_token_id, dtype=torch.float32) * sum(
        one.tokens for one in together
    )
    assert -sum(one.total for one in together) == pytest.approx(total, rel=1e-5)
