"""What the extraction tests share: the sample corpus, and the extractor in a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.extraction_apart import Apart

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample filings of twelve companies, with the truth that their generator knows."""
    folder = tmp_path_factory.mktemp("sample")
    command = [sys.executable, "-m", "localcloud.edgar.sample", "--out", str(folder), "--companies", "12"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def apart() -> Iterator[Apart]:
    """The extractor in a process whose memory is bounded and whose end is seen."""
    with Apart() as extractor:
        yield extractor
