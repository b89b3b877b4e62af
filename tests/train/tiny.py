"""What the tests of training are made of: rows, a tokenizer and a configuration, all tiny."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

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
        split = ("train", "train", "train", "validation", "test_company")[number % 5]
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


TINY: dict[str, Any] = {
    "name": "tiny",
    "description": "A random model for the tests.",
    "base_model": {"name": "tests/tiny", "license": "Apache-2.0", "precision": "fp32"},
    "compute": {"instance_type": "ml.c7i.large", "threads": 1},
    "data": {"max_length": 256, "max_test_rows": 4},
    "lora": {"rank": 4, "alpha": 8, "dropout": 0.05},
    "optimization": {"learning_rate": 0.01, "epochs": 1.5, "batch_size": 4, "checkpoint_steps": 5},
    "evaluation": {
        "batch_size": 4,
        "max_new_tokens": 8,
        "splits": ["test_company", "test_year", "test_company_year"],
        "bootstrap_resamples": 200,
    },
}


def tiny_configuration(**sections: Any) -> dict[str, Any]:
    """The configuration of the tests; a mapping is merged into its section, any other value replaces the field."""
    merged = dict(TINY)
    for name, value in sections.items():
        merged[name] = {**TINY.get(name, {}), **value} if isinstance(value, dict) else value
    return merged


RunTraining = Callable[..., int]
