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
_SENTENCE = 32  # characters above which a line that ends with a full stop is prose, whatever recurs
_LONGEST_NUMBER = 12  # characters of a line that is a page number
_RECURS = 3  # pages on which a line must recur to be a running header


def furniture(lines: Sequence[Line], start: int, end: int) -> set[int]:
    """Indexes between `start` and `end` of the lines that are page furniture.

    Headers and footers reach from a page break to the first line that is neither.
    """
    breaks = _breaks(lines)
    running = _running(lines, breaks)
    found = {
        index
        for index in range(start, end)
        if len(lines[index].text) <= _SHORT and _CONTENTS.fullmatch(lines[index].text)
    }
    for index in breaks:
        before = range(index - 1, max(start, index - _EDGE) - 1, -1)
        after = range(index, min(end, index + _EDGE))
        for side in (before, after):
            for at in side:
                if not (start <= at < end and _is_furniture(lines[at].text, running)):
                    break
                found.add(at)
    return found


def _is_furniture(text: str, running: set[str]) -> bool:
    """Whether a line at the edge of a page is part of its header or footer."""
    if len(text) > _SHORT or (len(text) > _SENTENCE and text.endswith(".")):
        return False
    patterns = (_CONTENTS, _NUMBER, _FORM_FOOTER, _RUNNING_ITEM)
    return any(pattern.fullmatch(text) for pattern in patterns) or _shape(text) in running


def _shape(text: str) -> str:
    """A line without its numbers and spacing, so that footers differ only where their pages do."""
    return re.sub(r"[\d\W_]+", " ", text.lower()).strip()


def _breaks(lines: Sequence[Line]) -> list[int]:
    """Indexes of the first lines of pages; page numbers tell them where breaks are not marked."""
    breaks = [index for index in range(1, len(lines)) if lines[index].page != lines[index - 1].page]
    if len(breaks) < _RECURS:
        breaks += [number + after for number in _numbered(lines) for after in (0, 1)]
    return breaks


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


def _running(lines: Sequence[Line], breaks: Sequence[int]) -> set[str]:
    """Shapes of short lines that recur at the edges of pages."""
    seen: Counter[str] = Counter()
    for index in breaks:
        edge = lines[max(0, index - _EDGE) : index + _EDGE]
        seen.update({shape for line in edge if len(line.text) <= _SHORT and (shape := _shape(line.text))})
    return {shape for shape, count in seen.items() if count >= _RECURS}
