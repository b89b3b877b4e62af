"""Rows for the command line, and the command."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from govtune_assets.extraction import extract_file

ROOT = Path(__file__).resolve().parents[2]
ANNUAL = (
    "<p>FORM 10-K</p><p>Item 1A. Risk Factors</p>"
    "<p><b>Our plant may close, which would hurt us badly.</b></p><p>It is old.</p>"
)


def test_a_row_is_json_with_the_stem_as_id(tmp_path: Path) -> None:
    path = tmp_path / "one.htm"
    path.write_text(ANNUAL)
    row = json.loads(json.dumps(extract_file(path)))
    assert row["id"] == "one"
    assert row["status"] == "full"
    assert row["risk_factors"][0]["subcaption"] == "Our plant may close, which would hurt us badly."
    assert row["text"][row["risk_factors"][0]["start"] :] == "It is old."
    assert row["cpu_s"] >= 0


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.htm"):
        extract_file(tmp_path / "missing.htm")


def test_the_command_goes_on_after_a_file_that_it_cannot_read(tmp_path: Path) -> None:
    annual, quarterly = tmp_path / "one.htm", tmp_path / "two.htm"
    annual.write_text(ANNUAL)
    quarterly.write_text("<p>FORM 10-Q</p><p>Item 1. Legal Proceedings</p><p>None.</p>")
    files = [tmp_path / "missing.htm", annual, tmp_path, quarterly]
    command = [sys.executable, "-m", "govtune_assets.cli", "extract", *map(str, files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["id"], row["status"]) for row in rows] == [("one", "full"), ("two", "absent")]
    assert done.stderr.splitlines() == [
        f"govtune: cannot read {tmp_path / 'missing.htm'}: No such file or directory; the other files go on",
        f"govtune: cannot read {tmp_path}: Is a directory; the other files go on",
    ]
