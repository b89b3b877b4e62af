"""Payload archives depend on their files alone."""

import io
import tarfile
import zipfile

from govtune_assets.payloads import Payload, spark_payload, train_payload

FILES = (("spark/__init__.py", b""), ("spark/entry.py", b"print()\n"))


def test_archives_are_reproducible() -> None:
    payload = Payload("spark", FILES)
    assert payload.zip() == payload.zip()
    assert payload.tar_gz() == payload.tar_gz()


def test_digest_follows_content_and_names() -> None:
    digests = {
        Payload("spark", FILES).digest,
        Payload("spark", (FILES[0], ("spark/entry.py", b"print(1)\n"))).digest,
        Payload("spark", (FILES[0], ("spark/other.py", b"print()\n"))).digest,
    }
    assert len(digests) == 3


def test_archives_hold_the_packages_that_the_jobs_import() -> None:
    names = zipfile.ZipFile(io.BytesIO(spark_payload().zip())).namelist()
    assert {"spark/entry.py", "unitydoor/catalog.py"} <= set(names)
    with tarfile.open(fileobj=io.BytesIO(train_payload().tar_gz())) as tar:
        names = tar.getnames()
    assert {"requirements.txt", "train/train.py", "unitydoor/catalog.py"} <= set(names)
    assert not any("__pycache__" in name for name in names)
