"""How right an extracted Item 1A is against the truth text, and which filings the rules were never tuned on.

A filing is right at token F1 >= .98 and 5-gram F1 >= .95; a text below 300 tokens at full recall with at most 12 tokens
more; an absent item where nothing was found.
"""

import hashlib
import html
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_OWN_HEADING = re.compile(r"^(?:part (?:i|ii) )?(?:item )?(?:1 ?a )?(?:risk factors )?")
_FURNITURE = re.compile(r"^\W*(?:\d{1,3}|table of contents|.{0,60}form 10-[kq]\W*\d{1,3})\W*$", re.I)
_EXCEPT_TEXT = ("absent", "not_applicable")
_SHORT, _SLACK = 300, 12


@dataclass(frozen=True)
class Filing:
    """A recorded filing with its truth: `expected` is None where the item is not there."""

    id: str
    cik: str
    form: str
    filed: str
    path: Path
    status: str
    expected: str | None

    @property
    def held_out(self) -> bool:
        """Whether its company was set aside before the rules were made."""
        return int(hashlib.sha256(self.cik.zfill(10).encode()).hexdigest(), 16) % 3 == 0


@dataclass(frozen=True)
class Score:
    """`furniture` counts the page-furniture lines of a full section; it is None for any other."""

    right: bool
    f1: float
    furniture: int | None


def read_filings(folder: Path) -> list[Filing]:
    """The filings of a folder with `manifest.json`, `truth.json` and `truth/`."""
    truth = {row["id"]: row for row in json.loads((folder / "truth.json").read_text())}
    return [_filing(folder, row, truth[row["id"]]) for row in json.loads((folder / "manifest.json").read_text())]


def _filing(folder: Path, row: dict[str, Any], truth: dict[str, Any]) -> Filing:
    told = truth["text"] is not None and truth["status"] not in _EXCEPT_TEXT
    expected = (folder / truth["text"]).read_text() if told else None
    path = folder / row["path"]
    return Filing(row["id"], row["cik"], row["form"], row["filing_date"], path, truth["status"], expected)


def score(text: str, filing: Filing) -> Score:
    """Compare what was extracted with the truth; no text is an empty string."""
    found = _tokens(text)
    if filing.expected is None:
        return Score(not found, float(not found), None)
    expected = _tokens(filing.expected)
    recall, f1 = _overlap(found, expected)
    _, five = _overlap(_grams(found), _grams(expected))
    short = len(expected) < _SHORT and recall >= 0.99 and len(found) - len(expected) <= _SLACK
    right = (f1 >= 0.98 and five >= 0.95) or short
    if filing.status != "full":
        return Score(right, f1, None)
    return Score(right, f1, sum(bool(_FURNITURE.match(line.strip())) for line in text.splitlines() if line.strip()))


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
