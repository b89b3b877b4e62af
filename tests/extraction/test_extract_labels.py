"""The labelled captions: well formed, enough, and in step with the recorded text where it is beside the checkout."""

import json
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
LABELS = ROOT / "benchmarks" / "labels" / "subcaptions.json"
TRUTH = ROOT.parent / "shared" / "edgar" / "truth"

FILINGS: list[dict[str, Any]] = json.loads(LABELS.read_text(encoding="utf-8"))["filings"]


def test_the_sample_is_large_enough() -> None:
    counts = Counter(label["label"] for filing in FILINGS for label in filing["labels"])
    assert counts == {"subcaption": 192, "group": 30, "inner": 6}
    assert len({filing["cik"] for filing in FILINGS}) == len(FILINGS) == 16
    assert sum(filing["held_out"] for filing in FILINGS) == 7


@pytest.mark.parametrize("filing", FILINGS, ids=lambda filing: filing["id"])
def test_offsets_are_ordered_and_in_bounds(filing: dict[str, Any]) -> None:
    assert filing["held_out"] is (int(sha256(filing["cik"].encode()).hexdigest(), 16) % 3 == 0)
    position, end = filing["window"]
    assert filing["labels"][0]["start"] == position
    body_end = position
    for label in filing["labels"]:
        assert position <= label["start"] < label["end"] <= end
        if label["label"] == "inner":
            assert label["end"] < body_end
        else:
            assert body_end <= label["start"]
        assert ("body" in label) is (label["label"] == "subcaption")
        position = label["end"]
        if "body" in label:
            body_start, body_end = label["body"]
            assert position < body_start < body_end <= end


@pytest.mark.shared
@pytest.mark.parametrize("filing", FILINGS, ids=lambda filing: filing["id"])
def test_hashes_match_the_recorded_text(filing: dict[str, Any]) -> None:
    if not TRUTH.is_dir():
        pytest.skip(f"no recorded filings at {TRUTH}")
    data = (TRUTH / f"{filing['id']}.txt").read_bytes()
    assert sha256(data).hexdigest() == filing["truth_sha256"]
    text = data.decode("utf-8")
    assert filing["window"][1] <= len(text)
    for label in filing["labels"]:
        assert sha256(text[label["start"] : label["end"]].encode()).hexdigest() == label["sha256"]
        if "body" in label:
            start, end = label["body"]
            assert text[label["end"] : start].strip() == ""
            assert text[start:end] == text[start:end].strip()
