"""Extraction of recorded filings against their truth: for companies that the rules were tuned on, and for the others.

    python benchmarks/extraction.py FOLDER [--part tuned|held-out|all] [--verbose] [--out FILE.jsonl]

FOLDER holds filings in EDGAR's layout with `manifest.json`, `truth.json` and `truth/`. A company is held out where the
SHA-256 of its ten-digit CIK is divisible by three; the rules were made without a look at those. A filing is right at
token F1 >= .98 and 5-gram F1 >= .95; a text below 300 tokens at full recall with at most 12 tokens more; an absent item
where nothing was found.
"""

import argparse
import hashlib
import html
import json
import re
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from govtune_assets.extraction import Section, extract

_OWN_HEADING = re.compile(r"^(?:part (?:i|ii) )?(?:item )?(?:1 ?a )?(?:risk factors )?")
_FURNITURE = re.compile(r"^\W*(?:\d{1,3}|table of contents|.{0,60}form 10-[kq]\W*\d{1,3})\W*$", re.I)
_EXCEPT_TEXT = ("absent", "not_applicable")
_SHORT, _SLACK = 300, 12


@dataclass(frozen=True)
class Result:
    """One filing's score. `covered` is the share of a full section's characters that are under a subcaption."""

    row: dict[str, Any]
    section: Section
    right: bool
    f1: float
    cpu_seconds: float
    furniture: int | None
    covered: float | None


def is_held_out(cik: str) -> bool:
    """Whether a company was set aside before the rules were made."""
    return int(hashlib.sha256(cik.zfill(10).encode()).hexdigest(), 16) % 3 == 0


def main() -> None:
    """Score and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--part", choices=("tuned", "held-out", "all"), default="all")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--out", type=Path, help="write the extracted texts as JSON lines")
    arguments = parser.parse_args()
    truth = {row["id"]: row for row in json.loads((arguments.folder / "truth.json").read_text())}
    rows = json.loads((arguments.folder / "manifest.json").read_text())
    chosen = [row for row in rows if arguments.part in ("all", "held-out" if is_held_out(row["cik"]) else "tuned")]
    results = [score(arguments.folder, row, truth[row["id"]]) for row in chosen]
    if arguments.out:
        write(arguments.out, results)
    for part in ("tuned", "held-out"):
        of_part = [result for result in results if is_held_out(result.row["cik"]) == (part == "held-out")]
        if of_part:
            report(part, of_part, truth, verbose=arguments.verbose)


def score(folder: Path, row: dict[str, Any], truth: dict[str, Any]) -> Result:
    """Extract one filing and compare it with its truth."""
    document = (folder / row["path"]).read_bytes()
    before = time.process_time()
    section = extract(document, row["form"])
    spent = time.process_time() - before
    text = section.text or ""
    found = _tokens(text)
    if truth["text"] is None or truth["status"] in _EXCEPT_TEXT:
        return Result(row, section, not found, float(not found), spent, None, None)
    expected = _tokens((folder / truth["text"]).read_text())
    recall, f1 = _overlap(found, expected)
    _, five = _overlap(_grams(found), _grams(expected))
    short = len(expected) < _SHORT and recall >= 0.99 and len(found) - len(expected) <= _SLACK
    right = (f1 >= 0.98 and five >= 0.95) or short
    if truth["status"] != "full":
        return Result(row, section, right, f1, spent, None, None)
    lines = sum(bool(_FURNITURE.match(line.strip())) for line in text.splitlines() if line.strip())
    captioned = (f for f in section.risk_factors if f.subcaption)
    covered = sum(f.end - f.start + len(f.subcaption or "") for f in captioned) / max(1, len(text))
    return Result(row, section, right, f1, spent, lines, covered)


def report(part: str, results: Sequence[Result], truth: dict[str, Any], *, verbose: bool) -> None:
    """Print the lines of one part."""
    for result in results:
        expected, row = truth[result.row["id"]]["status"], result.row
        if verbose or not result.right or result.section.status != expected:
            found = f"{result.section.status} ({expected})"
            print(f"  {'right' if result.right else 'WRONG'} {row['id']} {row['form']} {found} F1 {result.f1:.3f}")
    furniture = [result.furniture for result in results if result.furniture is not None]
    covered = [result.covered for result in results if result.covered is not None]
    cpu = [result.cpu_seconds for result in results]
    print(
        f"{part}: {sum(r.right for r in results)} right of {len(results)}, "
        f"mean F1 {statistics.mean(r.f1 for r in results):.4f}, "
        f"status right {sum(r.section.status == truth[r.row['id']]['status'] for r in results)}, "
        f"furniture lines {sum(furniture)} in {len(furniture)} sections, "
        f"characters under a subcaption {statistics.mean(covered or [0]):.3f}, "
        f"CPU median {statistics.median(cpu):.3f} s, longest {max(cpu):.3f} s"
    )


def write(path: Path, results: Sequence[Result]) -> None:
    """Keep what was extracted, a JSON object a line."""
    with path.open("w") as file:
        for result in results:
            section = result.section
            row = {"id": result.row["id"], "text": section.text, "status": section.status}
            file.write(json.dumps(row | {"cpu_s": result.cpu_seconds}) + "\n")


def _tokens(text: str) -> list[str]:
    words = re.findall(r"[a-z0-9]+", html.unescape(text).lower())
    return _OWN_HEADING.sub("", " ".join(words) + " ", count=1).split()


def _grams(words: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(words[i : i + 5]) for i in range(len(words) - 4)] or [tuple(words)]


def _overlap(found: Sequence[Any], expected: Sequence[Any]) -> tuple[float, float]:
    """Recall and F1 of two bags."""
    common = sum((Counter(found) & Counter(expected)).values())
    if not common:
        return 0.0, 0.0
    precision, recall = common / len(found), common / len(expected)
    return recall, 2 * precision * recall / (precision + recall)


if __name__ == "__main__":
    main()
