"""Recorded filings, where they are beside the checkout: all right, of tuned and of held-out companies."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT.parent / "shared" / "edgar"


@pytest.mark.shared
def test_all_recorded_filings_are_extracted_right() -> None:
    if not (RECORDED / "truth.json").is_file():
        pytest.skip(f"no recorded filings at {RECORDED}")
    command = [sys.executable, str(ROOT / "benchmarks" / "extraction.py"), str(RECORDED)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = dict(line.split(": ", 1) for line in done.stdout.splitlines() if not line.startswith(" "))
    assert lines["tuned"].startswith("35 right of 35, ")
    assert lines["held-out"].startswith("20 right of 20, ")
    assert all("furniture lines 0 in" in lines[part] for part in ("tuned", "held-out"))
    assert lines["structure, all"] == "16 filings"
