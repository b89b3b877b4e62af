"""Page furniture: page numbers, running headers and footers, links back to the table of contents.

A line is furniture by what it says (a link to the contents) or by what it says and where it stands (a number, or a
line that recurs page after page, at the edge of a page).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from govtune_assets.extraction.document import Line

_CONTENTS = re.compile(r"\W*(?:back\s+to\s+|return\s+to\s+)?(?:the\s+)?(?:table\s+of\s+)?contents\W*", re.IGNORECASE)
_NUMBER = re.compile(
    r"\W*(?:page\s*)?(?:[a-z]{1,2}\W?)?(?:\d{1,3}|[ivxl]{1,6})(?:\s*(?:of|/)\s*\d{1,3})?\W*", re.IGNORECASE
)
_FORM_FOOTER = re.compile(
    r"(?:.{0,90}\bform\s+10-?[kq]\b\W*\d{1,3}|\d{1,3}\W+.{0,90}\bform\s+10-?[kq])\W*", re.IGNORECASE
)
_RUNNING_ITEM = re.compile(
    r"\W*(?:part\s+[iv]+)?\W*(?:items?\s*\d{1,2}[abc]?(?:\W+(?:and\s+)?\d{1,2}[abc]?)*)?\W*"
    r"(?:risk\s+factors)?\W*(?:\(?continued\)?)?\W*",
    re.IGNORECASE,
)
_EDGE = 4  # lines from a page break in which headers and footers stand
_SHORT = 120  # characters of the longest running header
_LONGEST_NUMBER = 12  # characters of a line that is a page number
_RECURS = 3  # pages on which a line must recur to be a running header


def furniture(lines: Sequence[Line], start: int, end: int) -> set[int]:
    """Indexes between `start` and `end` of the lines that are page furniture."""
    edges = _edges(lines)
    running = _running(lines, edges)
    found = set()
    for index in range(start, end):
        text = lines[index].text
        if len(text) > _SHORT:
            continue
        at_edge = index in edges
        if (
            _CONTENTS.fullmatch(text)
            or (at_edge and (_NUMBER.fullmatch(text) or _FORM_FOOTER.fullmatch(text)))
            or (at_edge and (_shape(text) in running or _RUNNING_ITEM.fullmatch(text)))
        ):
            found.add(index)
    return found


def _shape(text: str) -> str:
    """A line without its numbers and spacing, so that footers differ only where their pages do."""
    return re.sub(r"[\d\W_]+", " ", text.lower()).strip()


def _edges(lines: Sequence[Line]) -> set[int]:
    """Indexes of lines that stand near a page break, or near a page number where breaks are not marked."""
    breaks = [index for index in range(1, len(lines)) if lines[index].page != lines[index - 1].page]
    if len(breaks) < _RECURS:
        breaks += [at for number in _numbered(lines) for at in (number, number + 1)]
    edges: set[int] = set()
    for index in breaks:
        edges.update(range(max(0, index - _EDGE), min(len(lines), index + _EDGE)))
    return edges


def _numbered(lines: Sequence[Line]) -> list[int]:
    """Lines that are nothing but a number, one more than the number before: the pages of an unmarked document."""
    numbers = [
        (index, int(match[0]))
        for index, line in enumerate(lines)
        if len(line.text) < _LONGEST_NUMBER
        and not line.table
        and (match := re.search(r"\d{1,3}", line.text))
        and _NUMBER.fullmatch(line.text)
    ]
    steps: set[int] = set()
    for (before, low), (after, high) in pairwise(numbers):
        if high == low + 1:
            steps.update((before, after))
    return sorted(steps)


def _running(lines: Sequence[Line], edges: set[int]) -> set[str]:
    """Shapes of short lines that recur at the edges of pages."""
    seen: Counter[str] = Counter()
    pages: dict[str, int] = {}
    for index in edges:
        line = lines[index]
        if len(line.text) <= _SHORT:
            shape = _shape(line.text)
            if shape and pages.get(shape) != line.page:
                pages[shape] = line.page
                seen[shape] += 1
    return {shape for shape, count in seen.items() if count >= _RECURS}
