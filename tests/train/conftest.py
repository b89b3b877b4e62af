"""Tiny models made on the spot, so that a whole training runs in seconds. These tests need torch (.venv-train)."""

from __future__ import annotations

import json
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# As train.py sets it; OpenMP reads it once, when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pytest
import torch
import yaml
from tiny import RunTraining, make_rows, make_tokenizer, tiny_configuration
from transformers import (
    AutoConfig,
    LlamaConfig,
    LlamaForCausalLM,
    Ministral3Config,
    Mistral3Config,
    Mistral3ForConditionalGeneration,
    PixtralVisionConfig,
)

from train.train import main


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model of the llama architecture, 0.1 M parameters, as a Hugging Face folder."""
    folder = tmp_path_factory.mktemp("models") / "tiny-llama"
    tokenizer = make_tokenizer()
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=512,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            tie_word_embeddings=True,
        )
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_ministral(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random checkpoint of the Ministral 3 architecture: Pixtral vision tower, Ministral 3 text model, bf16."""
    folder = tmp_path_factory.mktemp("models") / "tiny-ministral"
    tokenizer = make_tokenizer()
    torch.manual_seed(0)
    text = Ministral3Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=4096,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
        rope_parameters={
            "rope_type": "yarn",
            "rope_theta": 1e6,
            "factor": 16.0,
            "original_max_position_embeddings": 256,
            "beta_fast": 32.0,
            "beta_slow": 1.0,
            "mscale": 1.0,
            "mscale_all_dim": 1.0,
            "llama_4_scaling_beta": 0.1,
        },
    )
    vision = PixtralVisionConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=1,
        num_attention_heads=2,
        head_dim=32,
        image_size=56,
        patch_size=14,
    )
    configuration = Mistral3Config(
        text_config=text,
        vision_config=vision,
        image_token_index=10,
        spatial_merge_size=2,
        tie_word_embeddings=True,
    )
    Mistral3ForConditionalGeneration(configuration).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    assert AutoConfig.from_pretrained(folder).model_type == "mistral3"
    return folder


@pytest.fixture(scope="session")
def rows_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 rows: 36 to train, 12 to validate, 12 to test."""
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in make_rows(60)))
    return path


@pytest.fixture
def run_training(tmp_path: Path, tiny_llama: Path, rows_file: Path) -> Iterator[RunTraining]:
    """Call `train.py` by hand, in this process: `run_training(out, model=…, rows=…, **sections) -> exit code`."""
    handler = signal.getsignal(signal.SIGTERM)
    threads = torch.get_num_threads()

    def run(out: Path, *, model: Path = tiny_llama, rows: Path = rows_file, **sections: Any) -> int:
        path = tmp_path / "tiny.yaml"
        path.write_text(yaml.safe_dump(tiny_configuration(**sections)))
        options = {"--configuration": path, "--rows": rows, "--model": model, "--out": out}
        return main([str(part) for option in options.items() for part in option])

    yield run
    signal.signal(signal.SIGTERM, handler)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def job_log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The lines that the job writes."""
    caplog.set_level(logging.INFO, logger="train")
    return caplog
