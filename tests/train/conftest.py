"""Tiny models made on the spot, so that a whole training runs in seconds. These tests need torch (.venv-train)."""

from __future__ import annotations

import json
import logging
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoConfig,
    LlamaConfig,
    LlamaForCausalLM,
    Ministral3Config,
    Mistral3Config,
    Mistral3ForConditionalGeneration,
    PixtralVisionConfig,
    PreTrainedTokenizerFast,
)

from train.train import main

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TOPICS = ("supply chain", "cyber security", "interest rates", "litigation", "climate", "key personnel")
HARMS = ("reduce our revenue", "increase our costs", "harm our reputation", "delay our products")


def make_rows(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Risk factors of fictional companies, whose subcaption can be learned from the body."""
    dice = random.Random(seed)
    rows = []
    for number in range(count):
        topic, harm = dice.choice(TOPICS), dice.choice(HARMS)
        body = f"Problems with {topic} may {harm}. " * dice.randint(1, 3) + f"See note {number}."
        split = ("train", "train", "train", "validation", "test")[number % 5]
        rows.append(
            {
                "example_id": f"row-{number:03}",
                "prompt": f"Write the subcaption of this risk factor.\n{body}",
                "completion": f"Problems with {topic} could {harm}.",
                "split": split,
                "cik": f"{number % 7:010}",
            }
        )
    return rows


def make_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of the tests' own texts, with a chat template."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [text for row in make_rows(60) for text in (row["prompt"], row["completion"], "user assistant")]
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=SPECIAL[1], eos_token=SPECIAL[2], pad_token=SPECIAL[0]
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


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


TINY: dict[str, Any] = {
    "name": "tiny",
    "description": "A random model for the tests.",
    "base_model": {"name": "tests/tiny", "license": "Apache-2.0", "precision": "fp32"},
    "compute": {"instance_type": "ml.c7i.large", "threads": 1},
    "data": {"max_length": 256, "max_test_rows": 4},
    "lora": {"rank": 4, "alpha": 8, "dropout": 0.05},
    "optimization": {"learning_rate": 0.01, "epochs": 1.5, "batch_size": 4, "checkpoint_steps": 5},
    "evaluation": {"batch_size": 4, "max_new_tokens": 8},
}


def tiny_configuration(**sections: Any) -> dict[str, Any]:
    """The configuration of the tests; a mapping is merged into its section, any other value replaces the field."""
    merged = dict(TINY)
    for name, value in sections.items():
        merged[name] = {**TINY.get(name, {}), **value} if isinstance(value, dict) else value
    return merged


RunTraining = Callable[..., int]


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
