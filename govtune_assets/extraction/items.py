"""Item headings: which lines of a filing begin an item, and which only mention one.

Forms 10-K and 10-Q name their items (Item 1A "Risk Factors", Item 1B "Unresolved Staff Comments", ...). A heading is
told from prose by its place at the line's beginning, its title, and by what follows the title.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from govtune_assets.extraction.document import TYPE, Line

_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015"
_SEPARATORS = f" .:;,-{_DASHES}\u2022|()_*\t"
_LABEL = re.compile(
    r"^\W{0,4}(?:part\s+(?:i{1,3}|iv|[1-4])\b[\W_]{0,6})?items?\s*(?P<number>\d{1,2})"
    r"(?:\s?[.(]?\s?(?P<letter>[abc])(?![a-z])|(?P<glued>[abc])(?=[A-Z][a-z]|RISK|Risk))?(?![0-9a-z])\)?",
    re.IGNORECASE,
)
_PART = re.compile(r"^\W{0,4}part\s+(?P<part>i{1,3}|iv)\b(?P<rest>.{0,60})$", re.IGNORECASE)
_LIST_OF_LABELS = re.compile(
    r"^\W*(?:part\s+[iv]+\W*)?items?\s*\d{1,2}[abc]?(?:\W+(?:and\s+|items?\s+)?\d{1,2}[abc]?)*\W*$", re.IGNORECASE
)
RISK_TITLE = re.compile(
    r"(?:(?:certain|additional|important|our|statement\s+of|discussion\s+of)\s+)?risk\s?factors?"
    r"(?:\s*(?:\(?continued\)?|that\s+may\s+affect\s+(?:our\s+)?(?:future\s+)?(?:operating\s+)?results"
    r"|affecting\s+(?:our\s+)?(?:future\s+)?(?:business|results|performance)))?",
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
PAGE_REFERENCE = re.compile(
    rf"\W*(?:(?:see\s+)?pages?\s*)?(?:[a-z]-?)?\d{{1,3}}"
    rf"(?:\s*(?:[-,&{_DASHES}]|and|to|through)\s*(?:[a-z]-?)?\d{{1,3}})*\W*",
    re.IGNORECASE,
)
NOT_APPLICABLE = re.compile(r"\W*(?:not\s+applicable|n/a|none)\W*(?:\w\W*)?", re.IGNORECASE)
_SAYS_NOTHING = re.compile(r"not\s+(?:applicable|required)", re.IGNORECASE)
_TITLE_WITHIN = 3  # lines after a bare label in which its title may stand
_LABEL_LENGTH = 60  # characters in which a label stands
_PAGE_NUMBER_LENGTH = 4
LONGEST_TITLE = 240  # characters: item titles with their page references stay below this


@dataclass(frozen=True, slots=True)
class Heading:
    """An item heading on the lines from `first` to before `after`; `item` is "1a", "2", "part ii", ...

    `run_in` is where a body begins on the last of its lines. `index_entry` is set for an entry of an index: what it
    says instead of a body, such as pages.
    """

    item: str
    first: int
    after: int
    run_in: int | None = None
    index_entry: str | None = None


def headings(lines: Sequence[Line]) -> list[Heading]:
    """All lines that begin an item or one of the parts II to IV, in order."""
    found: list[Heading] = []
    for index in range(len(lines)):
        if found and index < found[-1].after:
            continue
        heading = _heading_at(lines, index)
        if heading is not None:
            found.append(heading)
    return found


def _heading_at(lines: Sequence[Line], index: int) -> Heading | None:
    text = lines[index].text
    label = _LABEL.match(text[:_LABEL_LENGTH])
    if label is None:
        part = _PART.match(text) if len(text) < 2 * _LABEL_LENGTH else None
        if part is None or part["part"].lower() == "i" or _prose(part["rest"]):
            return None
        return Heading(f"part {part['part'].lower()}", index, index + 1)
    item = _item(label)
    rest = text[label.end() :].lstrip(_SEPARATORS)
    last = index
    if not rest:
        title_line = None if _is_page_header(lines, index, item) else _title_line(lines, index, item)
        if title_line is None:
            return None
        last = title_line
        rest = lines[last].text.lstrip(_SEPARATORS)
    elif _LIST_OF_LABELS.match(text[: 2 * _LABEL_LENGTH]):
        return None
    if item == "1a":
        return _risk_heading(index, last, lines[last].text, rest)
    named = _OTHER_TITLES.match(rest) is not None
    return Heading(item, index, last + 1) if named and not _is_reference(rest) else None


def _item(label: re.Match[str]) -> str:
    return str(label["number"] + (label["letter"] or label["glued"] or "").lower())


def _is_page_header(lines: Sequence[Line], index: int, item: str) -> bool:
    """Whether a bare label is a page header above the heading proper."""
    if index + 1 >= len(lines):
        return True
    following = _LABEL.match(lines[index + 1].text[:_LABEL_LENGTH])
    return following is not None and _item(following) == item


def _title_line(lines: Sequence[Line], index: int, item: str) -> int | None:
    """The line, shortly after a bare label, on which the item's title stands."""
    title = RISK_TITLE if item == "1a" else _OTHER_TITLES
    for at in range(index + 1, min(index + 1 + _TITLE_WITHIN, len(lines))):
        text = lines[at].text
        if title.match(text.lstrip(_SEPARATORS)):
            return at
        if len(text) > _PAGE_NUMBER_LENGTH:
            return None
    return None


def _is_reference(rest: str) -> bool:
    """Whether a long line goes on as a sentence about another item."""
    return len(rest) > LONGEST_TITLE and re.match(r"[^.:]{0,240}?\s(?:of|in|to) (?:this|our|the) ", rest) is not None


def _risk_heading(first: int, last: int, line: str, rest: str) -> Heading | None:
    title = RISK_TITLE.match(rest)
    if title is None:
        if not _SAYS_NOTHING.match(rest):
            return None
        return Heading("1a", first, last + 1, run_in=len(line) - len(rest))
    after = rest[title.end() :]
    body = after.lstrip(_SEPARATORS)
    entry = body[:LONGEST_TITLE].rstrip(_SEPARATORS)
    if not entry:
        return Heading("1a", first, last + 1)
    if PAGE_REFERENCE.fullmatch(entry) or NOT_APPLICABLE.fullmatch(entry):
        return Heading("1a", first, last + 1, index_entry=entry)
    return None if _prose(after) else Heading("1a", first, last + 1, run_in=len(line) - len(body))


def _prose(after_title: str) -> bool:
    """Whether what follows a title continues a sentence about the item, rather than starting its body."""
    text = after_title.lstrip()
    if not text:
        return False
    if text[0] in "\u201d\"'\u2019)],;":
        return True
    body = text.lstrip(_SEPARATORS)
    return body[:1].islower() and not text.startswith((".", ":", "(", "-", "\u2013", "\u2014"))


def title_end(line: Line, title: re.Pattern[str]) -> int | None:
    """Where a title without an item label ends, if it stands as a heading: alone on its line, or emphasised run-in."""
    match = title.match(line.text)
    if match is None or line.links:
        return None
    after = line.text[match.end() :]
    if not after.strip(" .:;"):
        return len(line.text) if line.common & TYPE or line.center or line.text.isupper() else None
    _, emphasised, flags = line.runs[0]
    if flags & TYPE and match.end() <= emphasised <= match.end() + _PAGE_NUMBER_LENGTH and after[0] in ".:":
        return match.end() + len(after) - len(after.lstrip(_SEPARATORS))
    return None
