"""Where Item 1A stands among a filing's lines, or that it is not there.

Three layouts exist: item headings (nearly all filings); a cross-reference index at the end and sections with bare
titles; and an index whose entry says that the item does not apply. A table of contents has item headings without text
between them.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from govtune_assets.extraction.document import LINK, TYPE, Line
from govtune_assets.extraction.items import (
    LONGEST_TITLE,
    NOT_APPLICABLE,
    PAGE_REFERENCE,
    RISK_TITLE,
    Heading,
    headings,
    title_end,
)

_BARE_TITLES = re.compile(
    r"(?:unresolved\s+staff\s+comments|cybersecurity|(?:description\s+of\s+)?properties|legal\s+proceedings"
    r"|mine\s+safety\s+disclosures?"
    r"|market\s+for\s+(?:the\s+)?(?:registrant|company|our)\W?s?\s+(?:common|equity).{0,120}"
    r"|selected\s+financial\s+data|quantitative\s+and\s+qualitative\s+disclosures?\s+about\s+market\s+risks?"
    r"|unregistered\s+sales?\s+of\s+(?:equity\s+)?securities.{0,80}|controls\s+and\s+procedures"
    r"|(?:information\s+about\s+(?:our\s+)?)?executive\s+officers.{0,40}|other\s+information|exhibits"
    r"|management\W{0,2}s?\s+discussion\s+and\s+analysis.{0,80}|signatures?)",
    re.IGNORECASE,
)
_NEVER_A_RISK = re.compile(
    r"(?:unresolved\s+staff\s+comments|mine\s+safety\s+disclosures?|defaults?\s+upon\s+senior\s+securities"
    r"|unregistered\s+sales?\s+of\s+equity\s+securities.{0,80}|signatures?)",
    re.IGNORECASE,
)
_RISKY = re.compile(r"risk|forward", re.IGNORECASE)
_REFERS = re.compile(
    r"\b(?:see|refer|included|contained|set\s+forth|appears?|found|incorporated|pages?)\b", re.IGNORECASE
)
_MINIMUM = 3  # characters of the shortest body that says anything, "N/A"
_POINTER = 1500  # characters below which a labelled item may only point at the section
_SECTION = 3000  # characters above which a bare title is taken for the section of an annual report
_EVIDENCE = 120  # characters of a heading that are quoted as evidence


@dataclass(frozen=True, slots=True)
class Found:
    """Where the section stands: lines `start` to `end`, the offset of a run-in body on the first, and why."""

    start: int
    end: int
    offset: int
    evidence: str


@dataclass(frozen=True, slots=True)
class NotThere:
    """No section; `not_applicable` where an index says that the item does not apply."""

    not_applicable: bool
    evidence: str


def locate(lines: Sequence[Line], form_type: str) -> Found | NotThere:
    """The lines of Item 1A in a document of form 10-K or 10-Q."""
    annual = not form_type.startswith("10-Q")
    marks = [mark for mark in headings(lines) if annual or not mark.item.startswith("part")]
    labelled = _labelled(lines, marks)
    if annual and (labelled is None or _only_points(lines, labelled)):
        bare = _bare(lines, marks)
        if bare is not None and _length(lines, bare) > _SECTION:
            return bare
    if labelled is not None:
        return labelled
    for mark in marks:
        if mark.index_entry and NOT_APPLICABLE.fullmatch(mark.index_entry):
            return NotThere(True, f"index entry on line {mark.first + 1}: {lines[mark.first].text[:_EVIDENCE]}")
    return NotThere(False, f"no text under Item 1A among {len(marks)} item headings on {len(lines)} lines")


def _labelled(lines: Sequence[Line], marks: Sequence[Heading]) -> Found | None:
    """The longest stretch from a heading "Item 1A" to the next heading of another item.

    Headings "Item 1A" that follow one another are one section with a running page header. Entries of a table of
    contents have nothing, or page numbers, between them.
    """
    best: Found | None = None
    longest = _MINIMUM - 1
    position = 0
    while position < len(marks):
        mark = marks[position]
        position += 1
        if mark.item != "1a" or mark.index_entry:
            continue
        while position < len(marks) and marks[position].item == "1a":
            position += 1
        stop = marks[position].first if position < len(marks) else len(lines)
        found = _stretch(lines, mark, stop)
        if (size := _length(lines, found)) > longest:
            best, longest = found, size
    return best


def _stretch(lines: Sequence[Line], mark: Heading, stop: int) -> Found:
    end = next((at for at in range(mark.after, stop) if _ends_any(lines[at])), stop)
    start = mark.after if mark.run_in is None else mark.after - 1
    until = f"line {end + 1}: {lines[end].text[:_EVIDENCE]}" if end < len(lines) else "the end of the document"
    evidence = f"heading on line {mark.first + 1}: {lines[mark.first].text[:_EVIDENCE]}; ends at {until}"
    return Found(start, max(end, mark.after), mark.run_in or 0, evidence)


def _ends_any(line: Line) -> bool:
    """A title that no risk factor bears ends the section even without an item label."""
    return len(line.text) < LONGEST_TITLE and title_end(line, _NEVER_A_RISK) is not None


def _length(lines: Sequence[Line], found: Found) -> int:
    """Characters of prose in a stretch: page references and links do not count."""
    total = -found.offset
    for line in lines[found.start : found.end]:
        short = len(line.text) < LONGEST_TITLE
        if not (short and (PAGE_REFERENCE.fullmatch(line.text) or line.common & LINK)):
            total += len(line.text)
    return total


def _only_points(lines: Sequence[Line], found: Found) -> bool:
    """Whether a labelled item is so short, and so worded, that the section may stand elsewhere in the document."""
    if _length(lines, found) > _POINTER:
        return False
    text = " ".join(line.text[:_POINTER] for line in lines[found.start : found.end])
    return _REFERS.search(text) is not None


def _bare(lines: Sequence[Line], marks: Sequence[Heading]) -> Found | None:
    """The longest section headed "Risk Factors" without an item label."""
    targets = _link_targets(lines)
    labels = {mark.first for mark in marks if not mark.index_entry}
    ends = [index for index, line in enumerate(lines) if index in labels or _ends_bare(line, targets)]
    best: Found | None = None
    longest = -1
    after = 0
    for index, line in enumerate(lines):
        offset = title_end(line, RISK_TITLE) if index >= after else None
        if offset is None:
            continue
        at = bisect_left(ends, index + 1)
        end = after = ends[at] if at < len(ends) else len(lines)
        alone = offset == len(line.text)
        evidence = f"title on line {index + 1}: {line.text[:_EVIDENCE]}; ends at line {end + 1}"
        found = Found(index + alone, max(end, index + alone), 0 if alone else offset, evidence)
        if (size := _length(lines, found)) > longest:
            best, longest = found, size
    return best


def _ends_bare(line: Line, targets: frozenset[str]) -> bool:
    if title_end(line, _BARE_TITLES) is not None:
        return True
    return bool(line.common & TYPE or line.text.isupper()) and any(anchor in targets for anchor in line.ids)


def _link_targets(lines: Sequence[Line]) -> frozenset[str]:
    """Anchors that tables of contents and indexes point at, apart from those of entries that speak of risks."""
    targets: set[str] = set()
    risky: set[str] = set()
    for line in lines:
        if line.table and line.links and len(line.text) < LONGEST_TITLE:
            (risky if _RISKY.search(line.text) else targets).update(line.links)
    return frozenset(targets - risky)
