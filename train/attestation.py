"""What a training run can be checked by: its inputs, its environment and its result, in one record.

Two runs with equal records give the same adapter, byte for byte, on a machine with the same instruction set and
the same number of threads.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

LIBRARIES = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "accelerate",
    "datasets",
    "tokenizers",
    "safetensors",
    "numpy",
    "evaluate",
    "rouge-score",
    "sacrebleu",
    "scikit-learn",
    "deltalake",
)


def make_deterministic(seed: int, threads: int | None) -> None:
    """Fix what the bytes of the adapter depend on: seeds, threads, algorithms."""
    import transformers

    # cuBLAS reads it when its first handle is made; without it some of its algorithms are not repeatable.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads or os.cpu_count() or 1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # It would fill each new tensor with NaN, to show reads of memory that nobody wrote: a twentieth of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False
    transformers.set_seed(seed)


def environment() -> dict[str, Any]:
    """Versions and hardware, as flat JSON values."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processor": _processor(),
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
        "bf16_instructions": _bf16_instructions(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "devices": torch.cuda.device_count(),
        "cuda": torch.version.cuda if torch.cuda.is_available() else None,
        **{f"version.{name}": importlib.metadata.version(name) for name in LIBRARIES},
    }


def attestation(
    *,
    configuration: Mapping[str, Any],
    provenance: Mapping[str, Any],
    base_digest: str,
    rows_digest: str,
    adapter_digest: str,
    environment: Mapping[str, Any],
) -> dict[str, Any]:
    """The record that is saved beside the adapter."""
    return {
        "schema": "govtune/training-attestation/1",
        "subject": {"adapter": adapter_digest},
        "inputs": {"base_model": base_digest, "rows": rows_digest, **provenance},
        "configuration": configuration,
        "environment": environment,
    }


def _cpu_information() -> dict[str, str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return {}
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _processor() -> str:
    return _cpu_information().get("model name") or platform.processor() or "unknown"


def _bf16_instructions() -> list[str]:
    flags = _cpu_information().get("flags", "").split()
    return sorted({"avx512_bf16", "amx_bf16"} & set(flags))
