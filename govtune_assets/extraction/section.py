"""`extract`: Item 1A of one document as text, status and structure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from govtune_assets.extraction.document import (
    MAX_LINES,
    TYPE,
    Line,
    flatten,
    is_plain_text,
    parse_bounded,
)
from govtune_assets.extraction.facts import FiscalFacts, facts_of
from govtune_assets.extraction.furniture import furniture
from govtune_assets.extraction.locate import NotThere, locate
from govtune_assets.extraction.structure import RiskFactor, leading_summary, structure, titles_summary

EXTRACTOR_VERSION = "1"

__all__ = ["EXTRACTOR_VERSION", "RiskFactor", "Section", "Status", "extract", "extract_with_facts"]


class Status(StrEnum):
    """What a filing says under Item 1A."""

    FULL = "full"
    POINTER_OR_NO_CHANGE = "pointer_or_no_change"
    NOT_REQUIRED = "not_required"
    NOT_APPLICABLE = "not_applicable"
    INCORPORATED_BY_REFERENCE = "incorporated_by_reference"
    ABSENT = "absent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Section:
    """Item 1A: `text[factor.start:factor.end] == factor.body` for every risk factor; no text, no risk factors.

    `summary` is the section's own summary of principal risks, which is part of `text`, or else the one in front of the
    report's items, which is not.
    """

    status: Status
    evidence: str
    text: str | None = None
    risk_factors: tuple[RiskFactor, ...] = ()
    summary: str | None = None
    extractor_version: str = EXTRACTOR_VERSION


def extract(document: bytes, form_type: str) -> Section:
    """Item 1A of a primary document of form 10-K or 10-Q. Any bytes are accepted; nothing is raised for them.

    A document without the item has status `absent`, one in which the item says only that it does not apply
    `not_applicable`; neither has text.
    """
    parsed = parse_bounded(document)
    if parsed is None:
        return Section(Status.FAILED, "the document holds no text")
    return extract_lines(flatten(parsed.root, plain_text=is_plain_text(document)), form_type, parsed.unread)


def extract_with_facts(document: bytes, form_type: str | None) -> tuple[Section, FiscalFacts]:
    """Item 1A and the fiscal facts from one parse; without `form_type`, the form that the document's cover names."""
    parsed = parse_bounded(document)
    if parsed is None:
        return Section(Status.FAILED, "the document holds no text"), FiscalFacts()
    lines = flatten(parsed.root, plain_text=is_plain_text(document))
    facts = facts_of(parsed.root, lambda: lines)
    return extract_lines(lines, form_type or facts.form_type or "10-K", parsed.unread), facts


def extract_lines(lines: Sequence[Line], form_type: str, unread: str | None = None) -> Section:
    """As `extract`, for a document that was flattened already.

    `unread` says why the document's end is not among the lines: an item that is not found before it, or that reaches
    it, has status `failed` with that reason.
    """
    if not lines:
        return Section(Status.FAILED, "the document holds no text")
    if len(lines) == MAX_LINES:
        unread = f"only the first {MAX_LINES} lines of the document were read: it has more"
    found = locate(lines, form_type)
    if unread and (isinstance(found, NotThere) or found.end == len(lines)):
        return Section(Status.FAILED, f"{unread}; {found.evidence}")
    if isinstance(found, NotThere):
        return Section(Status.NOT_APPLICABLE if found.not_applicable else Status.ABSENT, found.evidence)
    dropped = furniture(lines, found.start, found.end)
    body = _assemble(lines, found.start, found.end, found.offset, dropped)
    text = "\n".join(line.text for line in body)
    status, reason = _status(text, form_type)
    evidence = f"{found.evidence}; {reason}"
    if status is Status.NOT_APPLICABLE or not text.strip():
        return Section(Status.NOT_APPLICABLE if text.strip() else Status.ABSENT, evidence)
    if status is not Status.FULL:
        return Section(status, evidence, text)
    factors, summary = structure(body)
    return Section(status, evidence, text, factors, summary or _summary_before(lines, found.start))


def _summary_before(lines: Sequence[Line], start: int) -> str | None:
    """A summary of the risk factors that stands in front of the report's items instead of in the section."""
    for index in range(start):
        if titles_summary(lines[index]):
            in_front = _assemble(lines, index, start, 0, furniture(lines, index, start))
            if summary := leading_summary(in_front):
                return summary
    return None


def _assemble(lines: Sequence[Line], start: int, end: int, offset: int, dropped: set[int]) -> list[Line]:
    """The section's lines without furniture; a paragraph or heading that was cut in two is one line again."""
    paragraphs: list[list[Line]] = []
    for index in range(start, end):
        line = _cut(lines[index], offset) if index == start and offset else lines[index]
        if index in dropped or not line.text or _HEADING.fullmatch(line.text[:_LONGEST_HEADING]):
            continue
        if paragraphs and _continues(paragraphs[-1][-1], line):
            paragraphs[-1].append(line)
        else:
            paragraphs.append([line])
    return [_join(pieces) if len(pieces) > 1 else pieces[0] for pieces in paragraphs]


def _continues(before: Line, after: Line) -> bool:
    """Whether a line goes on with the paragraph, heading or bullet of the line before it."""
    if _LONE_BULLET.fullmatch(before.text):
        return True
    if not after.text[0].islower() or before.text[-1] in '.!?:;\u201d"':
        return False
    kind = before.common & TYPE
    return before.page != after.page or (kind != 0 and kind == after.common & TYPE)


def _cut(line: Line, offset: int) -> Line:
    runs = [(max(0, first - offset), last - offset, kind) for first, last, kind in line.runs if last > offset]
    return replace(line, text=line.text[offset:], runs=runs)


def _join(pieces: Sequence[Line]) -> Line:
    runs = []
    shift = 0
    for piece in pieces:
        runs += [(first + shift, last + shift, kind) for first, last, kind in piece.runs]
        shift += len(piece.text) + 1
    return replace(pieces[0], text=" ".join(piece.text for piece in pieces), runs=runs, page=pieces[-1].page)


_HEADING = re.compile(r"\W*(?:part\s+i{1,2}\W+)?item\s*1a\W*(?:risk\s+factors)?\W*(?:continued)?\W*", re.IGNORECASE)
_LONGEST_HEADING = 100  # characters of a repeated heading of the item
_LONE_BULLET = re.compile(r"[\u2022\u00b7\u25cf\u25aa\u25e6*\u2013-]")
_NOT_APPLICABLE = re.compile(r"\W*(?:this\s+item\s+is\s+)?(?:not\s+applicable|n/?a|none)\W*", re.IGNORECASE)
_NOT_REQUIRED = re.compile(
    r"smaller\s+reporting\s+compan|not\s+required\s+(?:to|for|by|under)|not\s+required\W*$", re.IGNORECASE
)
_REFERS = re.compile(
    r"no\s+(?:other\s+)?(?:material|significant)\s+changes?|not\s+(?:been\s+)?(?:any\s+)?(?:material|changed)"
    r"|(?:refer|see|described|discussed|disclosed|set\s+forth|contained|included|appear|found|update|addition)"
    r"[^.]{0,400}(?:10-K|annual\s+report|risk\s+factors|this\s+report)",
    re.IGNORECASE,
)
_INCORPORATED = re.compile(
    r"incorporated\s+(?:herein\s+|in\s+this\s+\w+\s+)?by\s+(?:this\s+)?reference"
    r"|(?:refer(?:ence)?|see|described|discussed|disclosed|set\s+forth|contained|included|appears?|found)"
    r"[^.]{0,200}(?:annual\s+report|exhibit\s+13|pages?\s+\d)",
    re.IGNORECASE,
)
_SHORT_WORDS = 300  # words: a section below this that refers elsewhere has no risk factors of its own to speak of
_SHORT_CHARACTERS = 10_000  # a text above this is no short one, however few spaces it has


def _status(text: str, form_type: str) -> tuple[Status, str]:
    if len(text) > _SHORT_CHARACTERS:
        return Status.FULL, f"{len(text)} characters"
    words = len(text.split())
    if _NOT_APPLICABLE.fullmatch(text):
        return Status.NOT_APPLICABLE, "says that it does not apply"
    if words < _SHORT_WORDS:
        if match := _NOT_REQUIRED.search(text):
            return Status.NOT_REQUIRED, f"says {match[0]!r} in {words} words"
        annual = form_type.startswith("10-K")
        if match := (_INCORPORATED if annual else _REFERS).search(text):
            status = Status.INCORPORATED_BY_REFERENCE if annual else Status.POINTER_OR_NO_CHANGE
            return status, f"says {match[0][:80]!r} in {words} words"
    return Status.FULL, f"{words} words"
