"""`extract`: Item 1A of one document as text, status and structure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from govtune_assets.extraction.document import Line, flatten, is_plain_text, parse
from govtune_assets.extraction.facts import FiscalFacts, facts_of
from govtune_assets.extraction.furniture import furniture
from govtune_assets.extraction.items import NotThere, locate
from govtune_assets.extraction.structure import RiskFactor, structure

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
    """Item 1A: `text[factor.start:factor.end] == factor.body` for every risk factor; no text, no risk factors."""

    status: Status
    evidence: str
    text: str | None = None
    risk_factors: tuple[RiskFactor, ...] = field(default=())
    summary: str | None = None
    extractor_version: str = EXTRACTOR_VERSION


def extract(document: bytes, form_type: str) -> Section:
    """Item 1A of a primary document of form 10-K or 10-Q. Any bytes are accepted; nothing is raised for them.

    A document without the item has status `absent`, one in which the item says only that it does not apply
    `not_applicable`; neither has text.
    """
    root = parse(document)
    if root is None:
        return Section(Status.FAILED, "the document holds no text")
    return extract_lines(flatten(root, plain_text=is_plain_text(document)), form_type)


def extract_with_facts(document: bytes, form_type: str | None) -> tuple[Section, FiscalFacts]:
    """Item 1A and the fiscal facts from one parse; without `form_type`, the form that the document's cover names."""
    root = parse(document)
    if root is None:
        return Section(Status.FAILED, "the document holds no text"), FiscalFacts()
    lines = flatten(root, plain_text=is_plain_text(document))
    facts = facts_of(root, lambda: lines)
    return extract_lines(lines, form_type or facts.form_type or "10-K"), facts


def extract_lines(lines: Sequence[Line], form_type: str) -> Section:
    """As `extract`, for a document that was flattened already."""
    if not lines:
        return Section(Status.FAILED, "the document holds no text")
    found = locate(lines, form_type)
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
    return Section(status, evidence, text, factors, summary)


def _assemble(lines: Sequence[Line], start: int, end: int, offset: int, dropped: set[int]) -> list[Line]:
    """The section's lines without furniture; a paragraph that a page break cut in two is one line again."""
    body: list[Line] = []
    for index in range(start, end):
        if index in dropped:
            continue
        line = _cut(lines[index], offset) if index == start and offset else lines[index]
        if not line.text:
            continue
        if (body and line.page != body[-1].page and _continues(body[-1].text, line.text)) or (
            body and re.fullmatch(r"[\u2022\u00b7\u25cf\u25aa\u25e6*\u2013-]", body[-1].text)
        ):
            body[-1] = _join(body[-1], line)
        else:
            body.append(line)
    return body


def _continues(before: str, after: str) -> bool:
    return after[0].islower() and before[-1] not in '.!?:\u201d"'


def _cut(line: Line, offset: int) -> Line:
    runs = [(max(0, s - offset), e - offset, kind) for s, e, kind in line.runs if e > offset]
    return Line(line.text[offset:], runs, line.page, line.table, line.center, line.links, line.ids)


def _join(before: Line, after: Line) -> Line:
    shift = len(before.text) + 1
    runs = before.runs + [(s + shift, e + shift, kind) for s, e, kind in after.runs]
    text = f"{before.text} {after.text}"
    return Line(text, runs, after.page, before.table, before.center, before.links + after.links, before.ids)


_NOT_APPLICABLE = re.compile(r"\W*(?:this\s+item\s+is\s+)?(?:not\s+applicable|n/?a)\W*", re.IGNORECASE)
_NOT_REQUIRED = re.compile(
    r"smaller\s+reporting\s+compan|not\s+required\s+(?:to|for|by|under)|not\s+required\W*$", re.IGNORECASE
)
_REFERS = re.compile(
    r"no\s+(?:other\s+)?(?:material|significant)\s+changes?|not\s+(?:been\s+)?(?:any\s+)?(?:material|changed)"
    r"|(?:refer|see|described|discussed|disclosed|set\s+forth|contained|included|appear|found|update|addition)"
    r"[^.]{0,400}(?:10-K|annual\s+report|risk\s+factors|this\s+report)",
    re.IGNORECASE,
)
_INCORPORATED = re.compile(r"incorporated\s+(?:herein\s+|in\s+this\s+\w+\s+)?by\s+(?:this\s+)?reference", re.IGNORECASE)
_SHORT_WORDS = 300  # words: a section below this that refers elsewhere has no risk factors of its own to speak of


def _status(text: str, form_type: str) -> tuple[Status, str]:
    words = len(text.split())
    if _NOT_APPLICABLE.fullmatch(text):
        return Status.NOT_APPLICABLE, "says that it does not apply"
    if words < _SHORT_WORDS:
        if match := _NOT_REQUIRED.search(text):
            return Status.NOT_REQUIRED, f"says {match[0]!r} in {words} words"
        if form_type.startswith("10-K") and (match := _INCORPORATED.search(text)):
            return Status.INCORPORATED_BY_REFERENCE, f"says {match[0]!r} in {words} words"
        if match := _REFERS.search(text):
            return Status.POINTER_OR_NO_CHANGE, f"says {match[0][:80]!r} in {words} words"
    return Status.FULL, f"{words} words"
