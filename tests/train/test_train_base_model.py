"""The embedded base model, as transformers loads it: coherent text, in the precision of the job."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch

from train.config import CONFIGS, load
from train.files import folder_digest
from train.model import load_base

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder() -> Path:
    """The model folder, made by the orchestrator's environment as `make` does."""
    path = ROOT / ".cache" / "models" / "smollm2-135m"
    subprocess.run([ROOT / ".venv" / "bin" / "python", ROOT / "tools" / "base_model.py", "--out", path], check=True)
    return path


def test_it_answers_in_coherent_text(folder: Path) -> None:
    base = load_base(folder, load(CONFIGS / "smollm2-135m.yaml").base_model)
    assert base.digest == folder_digest(folder, without=["digest.json"])

    def answer(ids: torch.Tensor) -> str:
        with torch.inference_mode():
            output = base.model.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=16, do_sample=False, use_cache=True
            )
        return base.tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True)

    assert "Paris" in answer(torch.tensor([base.tokenizer("The capital of France is").input_ids]))
    question = [{"role": "user", "content": "What is the capital of France?"}]
    encoded = base.tokenizer.apply_chat_template(question, add_generation_prompt=True, return_dict=True)
    assert "Paris" in answer(torch.tensor([encoded["input_ids"]]))


def test_its_tokenizer_keeps_every_text(folder: Path, tmp_path: Path) -> None:
    base = load_base(folder, load(CONFIGS / "smollm2-135m.yaml").base_model)
    text = "Revenue fell 12,345 in 2024 — naïve  “quotes”,\n\tand <tags> & 日本.\n"
    ids = base.tokenizer(text).input_ids
    assert base.tokenizer.decode(ids) == text
    # Digits are single tokens in SmolLM2.
    assert {"1", "2", "3", "4", "5"} <= set(base.tokenizer.tokenize("12,345"))
    base.tokenizer.save_pretrained(tmp_path)
    assert type(base.tokenizer).from_pretrained(tmp_path)(text).input_ids == ids
