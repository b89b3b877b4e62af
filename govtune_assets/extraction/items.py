"""Finding Item 1A among a filing's lines: item headings, tables of contents, cross-reference indexes, bare titles.

Form 10-K has Item 1A in Part I, Form 10-Q in Part II (Forms 10-K and 10-Q, General Instructions; Regulation S-K
Item 105). Headings are told from prose by their place on the line, their title and what follows the title.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from govtune_assets.extraction.document import LINK, TYPE, Line

_LABEL = re.compile(
    r"^\W{0,4}(?:part\s+(?P<part>i{1,3}v?|iv|[1-4])\b[\W_]{0,6})?items?\s*(?P<number>\d{1,2})"
    r"(?:\s?[.(]?\s?(?P<letter>[abc])(?![a-z])|(?P<glued>[abc])(?=[A-Z][a-z]|RISK|Risk))?(?![0-9a-z])\)?",
    re.IGNORECASE,
)
_PART = re.compile(r"^\W{0,4}part\s+(?P<part>i{1,3}|iv)\b(?P<rest>.{0,60})$", re.IGNORECASE)
_LIST_OF_LABELS = re.compile(
    r"^\W*(?:part\s+[iv]+\W*)?items?\s*\d{1,2}[abc]?(?:\W+(?:and\s+|items?\s+)?\d{1,2}[abc]?)*\W*$", re.IGNORECASE
)
_RISK_TITLE = re.compile(
    r"(?:(?:certain|additional|important|our|statement\s+of|discussion\s+of)\s+)?risk\s?factors?"
    r"(?P<tail>\s*(?:\(?continued\)?|that\s+may\s+affect\s+(?:our\s+)?(?:future\s+)?(?:operating\s+)?results"
    r"|affecting\s+(?:our\s+)?(?:future\s+)?(?:business|results|performance))?)",
    re.IGNORECASE,
)
_OTHER_TITLES = re.compile(
    r"(?:unresolved|un-resolved|cyber\s?security|(?:description\s+of\s+)?propert(?:y|ies)|legal\s+proceeding"
    r"|mine\s+safety|\(?removed|\[?\(?reserved|submission\s+of|market\s+for|selected|(?:consolidated\s+)?financial"
    r"|management|quantitative|changes\s+in|controls|(?:sales?\s+of\s+)?(?:unregistered|equity)|purchases?\s+of"
    r"|defaults?|other\s+information|exhibits?|directors|executive|security\s+ownership|certain|principal"
    r"|business|general|not\s+applicable|none|disclosure|issuer|recent\s+sales|form\s+10)",
    re.IGNORECASE,
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
_PAGE_REFERENCE = re.compile(
    r"\W*(?:(?:see\s+)?pages?\s*)?(?:[a-z]-?)?\d{1,3}(?:\s*(?:[-,&\u2013\u2014]|and|to|through)\s*(?:[a-z]-?)?\d{1,3})*\W*",
    re.IGNORECASE,
)
_NOT_APPLICABLE = re.compile(r"\W*(?:not\s+applicable|n/a|none)\W*(?:\w\W*)?", re.IGNORECASE)
_NEXT_LINES = 3  # lines after a bare label in which its title may stand
_LONG_TITLE = 240  # characters: item titles with their page references stay below this


@dataclass(frozen=True, slots=True)
class Heading:
    """An item heading: `first` and `after` bound its lines, `run_in` is where a body begins on the last of them."""

    item: str
    first: int
    after: int
    run_in: int | None = None
    part: str | None = None
    index_entry: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Where the section stands: lines `start` to `end`, the offset of a run-in body on the first, and why."""

    start: int
    end: int
    offset: int
    evidence: str


@dataclass(frozen=True, slots=True)
class NotThere:
    """No section: whether an index says the item does not apply, and the evidence."""

    not_applicable: bool
    evidence: str


def headings(lines: Sequence[Line]) -> list[Heading]:
    """All lines that label an item, in order; a table of contents' entries are marked `index_entry`."""
    found = []
    skip = -1
    for index, line in enumerate(lines):
        if index < skip:
            continue
        heading = _heading_at(lines, index)
        if heading is not None:
            found.append(heading)
            skip = heading.after
    return found


def _heading_at(lines: Sequence[Line], index: int) -> Heading | None:
    text = lines[index].text
    label = _LABEL.match(text[:60])
    if label is None:
        part = _PART.match(text) if len(text) < 80 else None
        if part and part["part"].lower() in ("ii", "iii", "iv") and not _prose(part["rest"]):
            return Heading(f"part {part['part'].lower()}", index, index + 1, part=part["part"].lower())
        return None
    item = label["number"] + (label["letter"] or label["glued"] or "").lower()
    part_name = label["part"].lower() if label["part"] else None
    rest_at = label.end()
    last = index
    rest = text[rest_at:].lstrip(" .:;,-\u2010-\u2015\u2022|()_")
    if not rest:
        if _repeats_label(lines, index, item):
            return None
        last = _title_line(lines, index, item)
        if last is None:
            return None
        rest = lines[last].text
    elif _LIST_OF_LABELS.match(text):
        return None
    return _titled(lines, item, part_name, index, last, rest)


def _repeats_label(lines: Sequence[Line], index: int, item: str) -> bool:
    """Whether a bare label is the page header above the heading proper."""
    if index + 1 >= len(lines):
        return True
    following = _LABEL.match(lines[index + 1].text[:60])
    return following is not None and following["number"] + (following["letter"] or "").lower() == item


def _title_line(lines: Sequence[Line], index: int, item: str) -> int | None:
    """The line, shortly after a bare label, on which the item's title stands."""
    for at in range(index + 1, min(index + 1 + _NEXT_LINES, len(lines))):
        text = lines[at].text
        title = _RISK_TITLE if item == "1a" else _OTHER_TITLES
        if title.match(text.lstrip(" .:;-\u2013\u2014")):
            return at
        if len(text) > 4 and not _PAGE_REFERENCE.fullmatch(text):
            return None
    return None


def _titled(lines: Sequence[Line], item: str, part: str | None, first: int, last: int, rest: str) -> Heading | None:
    rest = rest.lstrip(" .:;,-\u2010\u2011\u2012\u2013\u2014\u2015\u2022|()_")
    if item != "1a":
        if not _OTHER_TITLES.match(rest) or (len(rest) > _LONG_TITLE and _prose(rest[12:])):
            return None
        return Heading(item, first, last + 1, part=part)
    title = _RISK_TITLE.match(rest)
    if title is None:
        tail = rest
        if not (_NOT_APPLICABLE.fullmatch(tail) or tail.lower().startswith(("not applicable", "not required"))):
            return None
        line = lines[last].text
        return Heading(item, first, last + 1, run_in=len(line) - len(rest), part=part)
    after_title = rest[title.end() :]
    tail = after_title.strip(" .:;,-\u2013\u2014*\u2022|\t")
    if not tail:
        return Heading(item, first, last + 1, part=part)
    if _PAGE_REFERENCE.fullmatch(tail) or _NOT_APPLICABLE.fullmatch(tail):
        return Heading(item, first, last + 1, part=part, index_entry=tail)
    if _prose(after_title):
        return None
    line = lines[last].text
    at = len(line) - len(after_title)
    at += len(after_title) - len(after_title.lstrip(" .:;,-\u2013\u2014*\u2022|"))
    return Heading(item, first, last + 1, run_in=at, part=part)


def _prose(after_title: str) -> bool:
    """Whether what follows a title continues a sentence about the item, rather than starting its body."""
    text = after_title.lstrip()
    if not text:
        return False
    if text[0] in "\u201d\"'\u2019)],;":
        return True
    stripped = text.lstrip(" .:;-\u2013\u2014(")
    return stripped[:1].islower() and not text.startswith((".", ":", "\u2013", "\u2014", "-", "("))


def locate(lines: Sequence[Line], form_type: str) -> Found | NotThere:
    """The lines of Item 1A in a 10-K or 10-Q, or that there is none."""
    marks = headings(lines)
    labelled = _labelled(lines, marks, form_type)
    if labelled is not None and (_length(lines, labelled) > 1500 or not form_type.startswith("10-K")):
        return labelled
    if form_type.startswith("10-K") or any(mark.item == "1a" for mark in marks):
        bare = _bare(lines, marks)
        if bare is not None and form_type.startswith("10-K") and _length(lines, bare) > 3000:
            return bare
    if labelled is not None:
        return labelled
    for mark in marks:
        if mark.item == "1a" and mark.index_entry and _NOT_APPLICABLE.fullmatch(mark.index_entry):
            return NotThere(True, f"index entry on line {mark.first + 1}: {lines[mark.first].text[:120]}")
    return NotThere(False, f"no Item 1A heading among {len(lines)} lines and {len(marks)} item headings")


def _labelled(lines: Sequence[Line], marks: Sequence[Heading], form_type: str) -> Found | None:
    """The longest stretch that begins at a heading "Item 1A" and ends at the next other item."""
    best: tuple[int, Found] | None = None
    position = 0
    while position < len(marks):
        mark = marks[position]
        if mark.item != "1a" or mark.index_entry:
            position += 1
            continue
        following = position + 1
        while following < len(marks) and marks[following].item == "1a":
            following += 1
        if following < len(marks):
            end, until = marks[following].first, f"line {marks[following].first + 1}, item {marks[following].item}"
        else:
            end, until = _signatures(lines, mark.after), "the end of the document"
        found = _found(lines, mark, end, until)
        size = _length(lines, found)
        if size >= _MINIMUM and (best is None or size > best[0]):
            best = (size, found)
        position = following
    return best[1] if best else None


_MINIMUM = 12  # characters: "Not required" is the shortest body of an item that says anything


def _found(lines: Sequence[Line], mark: Heading, end: int, until: str) -> Found:
    evidence = f"heading on line {mark.first + 1}: {lines[mark.first].text[:120]}; ends at {until}"
    if mark.run_in is not None:
        return Found(mark.after - 1, max(end, mark.after), mark.run_in, evidence)
    return Found(mark.after, max(end, mark.after), 0, evidence)


def _length(lines: Sequence[Line], found: Found) -> int:
    """Characters of prose in a stretch: page references and links do not count."""
    total = 0
    for index in range(found.start, found.end):
        line = lines[index]
        if not _PAGE_REFERENCE.fullmatch(line.text) and not line.common & LINK:
            total += len(line.text)
    return total - found.offset


def _signatures(lines: Sequence[Line], start: int) -> int:
    for index in range(start, len(lines)):
        text = lines[index].text
        if len(text) < 40 and re.fullmatch(r"\W*signatures?\W*", text, re.IGNORECASE):
            return index
    return len(lines)


def _bare(lines: Sequence[Line], marks: Sequence[Heading]) -> Found | None:
    """A section headed "Risk Factors" without an item label, as in reports with a cross-reference index."""
    targets = _link_targets(lines)
    labels = {mark.first for mark in marks if not mark.index_entry}
    best: tuple[int, Found] | None = None
    for index, line in enumerate(lines):
        offset = _bare_title(line, _RISK_TITLE)
        if offset is None:
            continue
        end = next(
            (at for at in range(index + 1, len(lines)) if at in labels or _ends_bare(lines[at], targets)), len(lines)
        )
        evidence = f"title on line {index + 1}: {line.text[:80]}; ends at line {end + 1}"
        found = Found(index + (offset == len(line.text)), end, offset % len(line.text), evidence)
        size = _length(lines, found)
        if best is None or size > best[0]:
            best = (size, found)
    return best[1] if best else None


def _bare_title(line: Line, title: re.Pattern[str]) -> int | None:
    """The offset after a title that stands as a heading: alone on its line, or as an emphasised run-in."""
    match = title.match(line.text)
    if match is None or line.common & LINK or (line.links and line.table):
        return None
    after = line.text[match.end() :]
    if not after.strip(" .:;"):
        shows = line.common & TYPE or line.center or line.text.isupper()
        return len(line.text) if shows else None
    first = line.runs[0] if line.runs else (0, 0, 0)
    if first[2] & TYPE and match.end() <= first[1] <= match.end() + 4 and after[0] in ".:":
        return match.end() + len(after) - len(after.lstrip(" .:;-\u2013\u2014"))
    return None


def _ends_bare(line: Line, targets: frozenset[str]) -> bool:
    if _bare_title(line, _BARE_TITLES) is not None:
        return True
    return bool(line.common & TYPE or line.text.isupper()) and any(anchor in targets for anchor in line.ids)


def _link_targets(lines: Sequence[Line]) -> frozenset[str]:
    """Anchors that tables of contents and indexes point at, apart from entries that speak of risks."""
    targets = set()
    risky = set()
    for line in lines:
        if line.table and line.links and len(line.text) < _LONG_TITLE:
            (risky if re.search("risk|forward", line.text, re.IGNORECASE) else targets).update(line.links)
    return frozenset(targets - risky)
