"""What a training job left is registered only as the job reported it: every file of the model folder, and no other."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from govtune_assets.assets.training import refuse_changed, unpack
from govtune_assets.keys import adapter_key
from govtune_assets.provenance import Materialized
from train.files import folder_digest


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model folder as a job leaves it."""
    folder = tmp_path / "model"
    (folder / "adapter").mkdir(parents=True)
    (folder / "adapter" / "adapter_model.safetensors").write_bytes(b"weights" * 1000)
    for name in ("metrics.json", "evaluation.json", "attestation.json"):
        (folder / name).write_text("{}")
    return folder


@pytest.fixture
def adapter(model: Path) -> Materialized:
    """What the job reported of it."""
    metadata = {"model_digest": folder_digest(model), "model_artifact": "s3://work/model.tar.gz"}
    return Materialized(adapter_key("x"), None, "run", 0.0, folder_digest(model / "adapter"), None, metadata)


def packed(folder: Path) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(folder, arcname=".")
    return archive.getvalue()


def test_the_folder_that_was_reported_is_taken(model: Path, adapter: Materialized, tmp_path: Path) -> None:
    size = unpack(packed(model), tmp_path / "unpacked")
    assert size == sum(path.stat().st_size for path in model.rglob("*") if path.is_file())
    refuse_changed(tmp_path / "unpacked", adapter)


@pytest.mark.parametrize(
    "broken",
    [
        lambda archive: archive[: len(archive) // 2],
        lambda archive: archive[:30],
        lambda archive: archive[:20] + b"\xff" * 40 + archive[60:],
        lambda archive: b"no archive",
        lambda archive: b"",
    ],
    ids=["half", "header", "stream", "text", "empty"],
)
def test_a_broken_archive_is_refused(model: Path, tmp_path: Path, broken: Callable[[bytes], bytes]) -> None:
    with pytest.raises(dg.Failure, match="Materialize the adapter again"):
        unpack(broken(packed(model)), tmp_path / "unpacked")


@pytest.mark.parametrize(
    "change",
    [
        lambda model: (model / "adapter" / "adapter_model.safetensors").write_bytes(b"other"),
        lambda model: (model / "evaluation.json").write_text('{"rouge_l": 1.0}'),
        lambda model: (model / "attestation.json").unlink(),
        lambda model: (model / "MLmodel").write_text("flavors: {python_function: {code: code}}"),
    ],
    ids=["weights", "figures", "no attestation", "code"],
)
def test_a_changed_folder_is_refused(
    model: Path, adapter: Materialized, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    change(model)
    unpack(packed(model), tmp_path / "unpacked")
    with pytest.raises(dg.Failure, match=r"s3://work/model\.tar\.gz has the digest .*: somebody changed the artifact"):
        refuse_changed(tmp_path / "unpacked", adapter)


def test_an_adapter_of_an_older_version_of_the_project_is_refused(model: Path, adapter: Materialized) -> None:
    older = Materialized(adapter_key("x"), None, "run", 0.0, adapter.data_version, None, {"model_artifact": "s3://w/m"})
    with pytest.raises(dg.Failure, match="recorded no model_digest: materialize it again"):
        refuse_changed(model, older)
