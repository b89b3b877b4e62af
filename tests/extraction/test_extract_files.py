"""Rows for the command line."""

import json
from pathlib import Path

import pytest

from govtune_assets.extraction import extract_files


def test_rows_are_json_with_the_stem_as_id(tmp_path: Path) -> None:
    annual = tmp_path / "one.htm"
    annual.write_text(
        "<p>FORM 10-K</p><p>Item 1A. Risk Factors</p>"
        "<p><b>Our plant may close, which would hurt us badly.</b></p><p>It is old.</p>"
    )
    quarterly = tmp_path / "two.htm"
    quarterly.write_text("<p>FORM 10-Q</p><p>Item 1. Legal Proceedings</p><p>None.</p>")
    rows = list(extract_files([annual, quarterly]))
    assert [row["id"] for row in rows] == ["one", "two"]
    assert [row["status"] for row in rows] == ["full", "absent"]
    first = json.loads(json.dumps(rows[0]))
    assert first["risk_factors"][0]["subcaption"] == "Our plant may close, which would hurt us badly."
    assert first["text"][first["risk_factors"][0]["start"] :] == "It is old."
    assert first["cpu_s"] >= 0


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.htm"):
        list(extract_files([tmp_path / "missing.htm"]))
