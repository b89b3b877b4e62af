"""Real trainings of a tiny model by hand: one that learns, one on shuffled completions, one with a bad learning rate.

Run in the training environment, `python trainings.py FOLDER`: writes FOLDER/<name>.json, the report of each training,
and FOLDER/<name>-configuration/tiny.yaml.
The base model is made on the spot. It was taught all headings, but not which of them belongs to which text: that is
what a training adds, and what it cannot add where the completions are shuffled.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "train")]

import torch  # noqa: E402
import yaml  # noqa: E402
from tiny import make_tokenizer, tiny_configuration  # noqa: E402
from transformers import LlamaConfig, LlamaForCausalLM  # noqa: E402

from train import train  # noqa: E402

HEADINGS = {
    "supply": "Our supply chain may be interrupted.",
    "cyber": "Attacks on computers could harm us.",
    "rates": "Rising interest makes loans dear.",
    "people": "We depend on skilled staff members.",
}
COMPANIES = 12
LEARNING: dict[str, Any] = {
    "learning_rate": 3e-3,
    "epochs": 8,
    "batch_size": 8,
    "evaluation_steps": 15,
    "checkpoint_steps": 1000,
}
TRAININGS: dict[str, tuple[bool, dict[str, Any]]] = {
    "good": (False, LEARNING),
    "shuffled": (True, LEARNING),
    "diverging": (
        False,
        {**LEARNING, "learning_rate": 0.1, "schedule": "constant", "epochs": 3, "evaluation_steps": 5},
    ),
}


def configuration_of(optimization: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration `tiny`, as YAML has it."""
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    return tiny_configuration(
        lora={"rank": 32, "alpha": 64, "dropout": 0.0, "targets": targets},
        data={"max_test_rows": None},
        evaluation={"max_new_tokens": 24, "batch_size": 16, "bootstrap_resamples": 200},
        optimization=dict(optimization),
    )


def make_rows(count: int, *, shuffled: bool) -> list[dict[str, Any]]:
    """Texts that begin with most of their heading; where they are shuffled, those that train have other texts' ones."""
    dice = random.Random(0)
    rows = []
    for number in range(count):
        topic = dice.choice(list(HEADINGS))
        lead = " ".join(HEADINGS[topic].rstrip(".").split()[:-2])
        rows.append(
            {
                "prompt": f"{lead} {dice.choice(['again', 'often', 'still'])}. {topic} {topic}",
                "completion": HEADINGS[topic],
                "split": ("train", "train", "train", "validation", "test_company")[number % 5],
                "example_id": f"row-{number:03}",
                "cik": f"{number % COMPANIES:010}",
            }
        )
    if shuffled:
        training = [row for row in rows if row["split"] == "train"]
        completions = [row["completion"] for row in training]
        dice.shuffle(completions)
        for row, completion in zip(training, completions, strict=True):
            row["completion"] = completion
    return rows


def make_model(folder: Path) -> None:
    """A small Llama that answers each text with one of the headings, whichever."""
    tokenizer = make_tokenizer()
    torch.manual_seed(0)
    torch.set_num_threads(1)
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
    dice, texts = random.Random(1), [row["prompt"] for row in make_rows(100, shuffled=False)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(120):
        batch = [_tokens(tokenizer, dice.choice(texts), dice.choice(list(HEADINGS.values()))) for _ in range(16)]
        width = max(len(prompt) + len(answer) for prompt, answer in batch)
        ids = torch.full((len(batch), width), tokenizer.pad_token_id)
        labels, mask = torch.full_like(ids, -100), torch.zeros_like(ids)
        for row, (prompt, answer) in enumerate(batch):
            end = len(prompt) + len(answer)
            ids[row, :end], mask[row, :end] = torch.tensor(prompt + answer), 1
            labels[row, len(prompt) : end] = torch.tensor(answer)
        optimizer.zero_grad()
        model(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
        optimizer.step()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _tokens(tokenizer: Any, prompt: str, answer: str) -> tuple[list[int], list[int]]:
    turn = [{"role": "user", "content": prompt}]
    asked = tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=True, return_dict=True)
    return list(asked["input_ids"]), [*tokenizer(answer)["input_ids"], tokenizer.eos_token_id]


def main(folder: Path) -> int:
    """Make the model, and train it in each way of TRAININGS; 0 when every training came to its end."""
    make_model(folder / "model")
    for name, (shuffled, optimization) in TRAININGS.items():

        def report(metadata: Mapping[str, Any], data_version: str, name: str = name) -> None:
            text = json.dumps({**metadata, "data_version": data_version})
            (folder / f"{name}.json").write_text(text)

        file = folder / f"{name}-configuration" / "tiny.yaml"
        file.parent.mkdir()
        file.write_text(yaml.safe_dump(configuration_of(optimization)))
        rows = "".join(f"{json.dumps(row)}\n" for row in make_rows(150, shuffled=shuffled))
        (folder / "rows.jsonl").write_text(rows)
        # What the orchestrator is told, with all lists: by hand a job logs its numbers only.
        train._say = report
        named = {"--configuration": file, "--rows": "rows.jsonl", "--model": "model", "--out": name}
        if train.main([word for option, path in named.items() for word in (option, str(folder / path))]):
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
