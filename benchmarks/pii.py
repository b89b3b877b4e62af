"""Measure the search for personal data against the labelled texts, the usual four regular expressions beside it.

    python -m benchmarks.pii [--part sixth]

Prints, for each type, recall and precision of `spark.pii.find` and of the baseline, how many marked decoys were taken
for personal data, and texts a second. Recall: the labelled spans of which every letter and digit lies in findings of
the same type. Precision: the findings that lie in labels of the same type with at least half of their characters.
All parts are development texts by now: `judgement` was measured so often that it is spent; the misses of `second`,
`third`, `fourth`, `fifth` and `sixth` were read after one first look each (docs/decisions/pii.md).
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spark.pii import TYPES, Finding, find

LABELS = Path(__file__).parent / "labels" / "pii.jsonl"
PARTS = ("development", "judgement", "second", "third", "fourth", "fifth", "sixth")
RECALL, PRECISION = 0.95, 0.90
"""The bar for each type in each part."""

USUAL_FOUR: Mapping[str, re.Pattern[str]] = {
    "EMAIL": re.compile(r"\b[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}\b"),
    "PHONE": re.compile(r"(?:\+?1[-. ]?)?\(?\b\d{3}\)?[-. ]?\d{3}[-. ]?\d{4}\b"),
    "SSN": re.compile(r"\b\d{3}-\d{2}-\d{4}\b"),
    "CARD": re.compile(r"\b(?:\d[ -]?){13,16}\b"),
}
"""The regular expressions that tutorials on scrubbing give; none looks at check digits or at context."""


@dataclass(frozen=True)
class Score:
    """What was found of one type. `labels` and `findings` count spans."""

    labels: int
    covered: int
    findings: int
    right: int

    @property
    def recall(self) -> float:
        """Share of the labelled spans that are wholly covered; 1 when there are none."""
        return self.covered / self.labels if self.labels else 1.0

    @property
    def precision(self) -> float:
        """Share of the findings that are right; 1 when there are none."""
        return self.right / self.findings if self.findings else 1.0


def rows(part: str) -> list[dict[str, Any]]:
    """The labelled texts of one part, or of all."""
    read = map(json.loads, LABELS.read_text("utf-8").splitlines())
    return [row for row in read if part in (row["part"], "all")]


def baseline(text: str) -> list[Finding]:
    """What the usual four find."""
    found = [(kind, match) for kind, pattern in USUAL_FOUR.items() for match in pattern.finditer(text)]
    return [Finding(match.start(), match.end(), kind) for kind, match in found]


def measure(
    labelled: Iterable[Mapping[str, Any]], finder: Callable[[str], Sequence[Finding]]
) -> tuple[dict[str, Score], Counter[str]]:
    """Score the finder by type, and count the decoys that it touches by their kind."""
    counts: Counter[tuple[str, str]] = Counter()
    decoys: Counter[str] = Counter()
    for row in labelled:
        text, found = row["text"], finder(row["text"])
        inside = {kind: {at for one in found if one.type == kind for at in range(one.start, one.end)} for kind in TYPES}
        for span in row["spans"]:
            signs = {at for at in range(span["start"], span["end"]) if text[at].isalnum()}
            counts[span["type"], "labels"] += 1
            counts[span["type"], "covered"] += signs <= inside[span["type"]]
        for one in found:
            marked = (range(s["start"], s["end"]) for s in row["spans"] if s["type"] == one.type)
            shared = sum(len(range(max(one.start, span.start), min(one.end, span.stop))) for span in marked)
            counts[one.type, "findings"] += 1
            counts[one.type, "right"] += 2 * shared >= one.end - one.start
        everywhere = set().union(*inside.values())
        decoys.update(d["kind"] for d in row["decoys"] if everywhere & set(range(d["start"], d["end"])))
    names = ("labels", "covered", "findings", "right")
    return {kind: Score(*(counts[kind, name] for name in names)) for kind in TYPES}, decoys


def table(part: str) -> list[str]:
    """The lines to print for one part."""
    labelled = rows(part)
    find("warm up: ir@example.com")
    began = time.perf_counter()
    ours, decoys = measure(labelled, find)
    seconds = time.perf_counter() - began
    usual, usual_decoys = measure(labelled, baseline)
    marked = sum(len(row["decoys"]) for row in labelled)
    lines = [
        f"{part}: {len(labelled)} texts, {sum(score.labels for score in ours.values())} spans, {marked} decoys; "
        f"{len(labelled) / seconds:,.0f} texts/s",
        f"{'':8} {'spans':>6}   {'recall':>7} {'precision':>10}   {'usual four: recall':>19} {'precision':>10}",
    ]
    for kind, score in ours.items():
        other = usual[kind]
        beside = f"{other.recall:>19.3f} {other.precision:>10.3f}" if kind in USUAL_FOUR else f"{'-':>19} {'-':>10}"
        lines.append(f"{kind:8} {score.labels:>6}   {score.recall:>7.3f} {score.precision:>10.3f}   {beside}")
    lines.append(f"decoys taken: {decoys.total()} {dict(decoys)}; by the usual four: {usual_decoys.total()}")
    return lines


def main() -> int:
    """Print the tables of the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=(*PARTS, "all"), action="append", default=None)
    for part in parser.parse_args().part or PARTS:
        print("\n".join(table(part)), end="\n\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
