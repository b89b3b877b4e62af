"""Models: tokenizer, frozen base weights of each supported family, and the LoRA adapter on them.

Most instruction models load as causal language models. Ministral 3 comes as a vision-language checkpoint
(`mistral3`), of which the language tower alone is trained; its release has FP8 weights (`train.fp8`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from train.config import BaseModelSection, LoraSection
from train.files import folder_digest
from train.fp8 import dequantized, keep
from train.job import JobError

PRECISIONS: Mapping[str, torch.dtype] = {"bf16": torch.bfloat16, "fp32": torch.float32, "fp8": torch.bfloat16}
"""Of matrix products."""

_CAUSAL_FAMILIES = frozenset({"llama", "mistral", "ministral3"})
_DIGEST_RECORD = "digest.json"


@dataclass(frozen=True)
class BaseModel:
    """A loaded base model with its tokenizer; `family` is `model_type` of its configuration."""

    family: str
    model: Any
    tokenizer: Any
    digest: str


def checked_digest(folder: Path, wanted: BaseModelSection) -> str:
    """The digest of a base model's folder.

    Raises:
        JobError: the configuration expects another.
    """
    digest = folder_digest(folder, without=[_DIGEST_RECORD])
    if wanted.digest is not None and digest != wanted.digest:
        raise JobError(f"base model {wanted.name} has digest {digest}, the configuration expects {wanted.digest}")
    return digest


def load_base(folder: Path, wanted: BaseModelSection, *, digest: str | None = None) -> BaseModel:
    """Load weights and tokenizer from a Hugging Face folder, in the wanted precision, on the CPU.

    `digest` is that of the folder where it was checked already: large weights are read once then.

    Raises:
        JobError: the folder is no model, is of a family that is not supported, has another digest, or has no FP8
            weights to keep.
    """
    digest = digest or checked_digest(folder, wanted)
    configuration = _model_configuration(folder)
    family = str(configuration.get("model_type"))
    dtype = PRECISIONS[wanted.precision]
    quantization = configuration.get("quantization_config") or {}
    if quantization and quantization.get("quant_method") != "fp8":
        raise JobError(f"base model {wanted.name} is quantized by {quantization.get('quant_method')!r}, not fp8")
    keep_fp8 = wanted.precision == "fp8"
    if keep_fp8:
        _require_fp8(wanted, bool(quantization))
    model = _load_fp8(folder, family, dtype, keep_fp8=keep_fp8) if quantization else _load(folder, family, dtype)
    model.config.use_cache = False
    model.requires_grad_(False)
    return BaseModel(family, model, load_tokenizer(folder), digest)


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer with a padding token.

    Raises:
        JobError: it has no chat template or no end-of-turn token, so a chat model cannot be trained with it.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if not tokenizer.chat_template or tokenizer.eos_token_id is None:
        raise JobError(f"the tokenizer in {folder} lacks a chat template or an end-of-turn token")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def attach_adapter(base: BaseModel, lora: LoraSection) -> Any:
    """Put a fresh LoRA adapter on the base model. Seed torch first: the adapter's first factor is random."""
    from peft import LoraConfig, get_peft_model

    adapter = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=target_modules(base.family, lora.targets),
        task_type="CAUSAL_LM",
        bias="none",
    )
    return get_peft_model(base.model, adapter)


def target_modules(family: str, targets: tuple[str, ...]) -> str | list[str]:
    """What peft matches module names with: plain names would hit the vision tower of `mistral3` too."""
    if family == "mistral3":
        return rf".*language_model.*\.({'|'.join(targets)})"
    return sorted(targets)


def adapter_state(model: Any) -> dict[str, torch.Tensor]:
    """The adapter's weights by their names in the model, whole and on the CPU.

    Where the weights are spread over processes, all of them have to call it.
    """
    from torch.distributed.tensor import DTensor

    found = {}
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            whole = parameter.full_tensor() if isinstance(parameter, DTensor) else parameter
            found[name] = whole.detach().cpu()
    return found


def save_adapter(
    model: Any, weights: Mapping[str, torch.Tensor], tokenizer: Any, wanted: BaseModelSection, folder: Path
) -> str:
    """Save adapter and tokenizer as a folder that peft loads, and return the folder's digest.

    The bytes depend on the weights alone: no machine path, no set order, no generated model card.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder, state_dict=dict(weights), save_embedding_layers=False)
    tokenizer.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    values = json.loads(path.read_text())
    values.update(base_model_name_or_path=wanted.name, revision=wanted.revision)
    if isinstance(values["target_modules"], list):
        values["target_modules"].sort()
    path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")
    return folder_digest(folder)


def _model_configuration(folder: Path) -> dict[str, Any]:
    try:
        values = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError) as error:
        raise JobError(f"{folder} is no model folder: {error}") from error
    if not isinstance(values, dict):
        raise JobError(f"{folder}/config.json is no object")
    return values


def _model_class(family: str) -> Any:
    import transformers

    if family == "mistral3":
        return transformers.Mistral3ForConditionalGeneration
    if family in _CAUSAL_FAMILIES:
        return transformers.AutoModelForCausalLM
    raise JobError(f"models of the family {family!r} are not supported: {', '.join(_supported())} are")


def _supported() -> list[str]:
    return sorted({*_CAUSAL_FAMILIES, "mistral3"})


def _load(folder: Path, family: str, dtype: torch.dtype) -> Any:
    model, report = _model_class(family).from_pretrained(
        folder, dtype=dtype, attn_implementation="sdpa", local_files_only=True, output_loading_info=True
    )
    _refuse_random_weights(folder, report)
    return model


def _require_fp8(wanted: BaseModelSection, quantized: bool) -> None:
    if not quantized:
        raise JobError(f"base_model.precision is fp8, the checkpoint of {wanted.name} has no FP8 weights: set bf16")
    if not torch.cuda.is_available() or torch.cuda.get_device_capability() < (8, 9):
        raise JobError("base_model.precision is fp8, this machine has no GPU with FP8 (8.9 or later): set bf16")


def _load_fp8(folder: Path, family: str, dtype: torch.dtype, *, keep_fp8: bool) -> Any:
    """Load a checkpoint with FP8 weights as if it had been saved in `dtype`; `keep_fp8` puts those back afterwards.

    transformers can dequantise (FineGrainedFP8Config), but only where triton is installed, which a machine
    without a GPU has no use for. The arithmetic is one product, so it is done here, on every machine alike.
    """
    from safetensors.torch import load_file
    from transformers import AutoConfig

    stored: dict[str, torch.Tensor] = {}
    for part in _weight_files(folder):
        stored.update(load_file(part))
    configuration = AutoConfig.from_pretrained(folder, local_files_only=True)
    del configuration.quantization_config
    model, report = _model_class(family).from_pretrained(
        None,
        config=configuration,
        state_dict=dequantized(stored, dtype),
        dtype=dtype,
        attn_implementation="sdpa",
        output_loading_info=True,
    )
    _refuse_random_weights(folder, report)
    model.name_or_path = str(folder)
    # Tensors that were not FP8 keep the precision of the checkpoint.
    model = model.to(dtype)
    if keep_fp8:
        keep(model, stored)
    return model


def _weight_files(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if not index.exists():
        return [folder / "model.safetensors"]
    return [folder / name for name in sorted(set(json.loads(index.read_text())["weight_map"].values()))]


def _refuse_random_weights(folder: Path, report: Mapping[str, Any]) -> None:
    """transformers initialises what a checkpoint lacks and only warns; a random base model is an error here."""
    if missing := sorted(report["missing_keys"]):
        raise JobError(f"the checkpoint in {folder} lacks {len(missing)} weights of its model, such as {missing[0]}")
