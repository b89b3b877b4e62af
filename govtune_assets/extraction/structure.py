"""The structure of an Item 1A section: group headings, subcaptions, bodies, and the summary of principal risks.

Regulation S-K Item 105(a) asks for risk factors under relevant headings, each under a subcaption that adequately
describes it, and Item 105(b) for a summary of principal risks where the section exceeds 15 pages. Headings are told by
type (bold, italic, underlined), and groups from subcaptions by what follows them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from govtune_assets.extraction.document import TYPE, Line

_BULLET = re.compile(r"[\u2022\u00b7\u25cf\u25aa\u25a0\u25e6\u25cb\u2023\u2043\u27a2\uf0b7*\u2013-]\s*")
_SUMMARY = re.compile(
    r"\W*(?:summary\s+(?:of\s+)?(?:the\s+|our\s+)?(?:principal\s+|material\s+|key\s+)?risks?(?:\s+factors?)?"
    r"|(?:principal\s+)?risks?\s+factors?\s+summary|risk\s+summary|summary\s+risk\s+factors)\W*",
    re.IGNORECASE,
)
_SECTION_TITLE = re.compile(r"\W*(?:item\s*1a\W*)?risk\s+factors\W*(?:\(?continued\)?)?\W*", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?][\u201d\"')]?$")
_VERB = re.compile(
    r"\b(?:may|might|could|can|will|would|is|are|was|were|has|have|had|do|does|depends?|faces?|relies|rely|subjects?"
    r"|affects?|exposes?|requires?|fails?|need|must|cannot|continues?|compete|operate|adversely|negatively)\b",
    re.IGNORECASE,
)
_RISK_GROUP = re.compile(r"(?:general\s+)?risks?\b|.{0,90}\brisks?(?:\s+factors)?\W*$", re.IGNORECASE)
_MINIMUM_RUN_IN = 12  # characters of emphasis that make a run-in subcaption rather than an emphasised word
_LONGEST_HEADING = 700  # characters: an emphasised paragraph above this is body


@dataclass(frozen=True, slots=True)
class RiskFactor:
    """One risk factor: `body` is the section's text from `start` to `end` (characters)."""

    group: str | None
    subcaption: str | None
    body: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Head:
    """An emphasised line, or the emphasised beginning of one: `length` characters, in type `kind`."""

    line: int
    length: int
    kind: int
    run_in: bool
    text: str

    @property
    def sentence(self) -> bool:
        """Whether it says what the risk is, as a subcaption must, rather than naming a topic."""
        return len(self.text) > 45 and bool(_SENTENCE_END.search(self.text) or _VERB.search(self.text))


def structure(lines: Sequence[Line]) -> tuple[tuple[RiskFactor, ...], str | None]:
    """The risk factors of a section's lines, whose text is the lines joined by line feeds, and its summary."""
    starts = []
    position = 0
    for line in lines:
        starts.append(position)
        position += len(line.text) + 1
    text = "\n".join(line.text for line in lines)
    heads = {head.line: head for index, line in enumerate(lines) if (head := _head(index, line))}
    summary_from, summary_to = _summary(lines, heads)
    roles = _roles(lines, heads, summary_from, summary_to)
    summary = (
        text[starts[summary_from] : starts[summary_to - 1] + len(lines[summary_to - 1].text)]
        if (summary_to > summary_from)
        else None
    )
    return tuple(_factors(lines, starts, text, heads, roles, (summary_from - 1, summary_to))), summary


def _head(index: int, line: Line) -> _Head | None:
    text = line.text
    begin = match.end() if (match := _BULLET.match(text)) else 0
    if begin and begin == len(text):
        return None
    kind = None
    end = begin
    for run_start, run_end, flags in line.runs:
        if run_end <= begin:
            continue
        if not any(c.isalnum() for c in text[max(run_start, begin) : run_end]):
            if kind is not None:
                end = run_end
            continue
        if kind is None:
            if not flags & TYPE:
                break
            kind = flags & TYPE
        elif flags & TYPE != kind and not (flags & kind):
            break
        end = run_end
    if kind is None:
        return _capital_head(index, line)
    whole = not any(c.isalnum() for c in text[end:])
    caption = text[begin:end].strip()
    if whole:
        if begin or len(text) > _LONGEST_HEADING:
            return None
        return _Head(index, len(text), kind | (8 if text.isupper() else 0), False, caption)
    if begin or len(caption) < _MINIMUM_RUN_IN or not _closes(caption, text[end:]):
        return None
    return _Head(index, end, kind | 16, True, caption)


def _capital_head(index: int, line: Line) -> _Head | None:
    """A short line in capitals is a heading even in plain type."""
    text = line.text
    if text.isupper() and 6 < len(text) < 200 and not line.table and sum(c.isalpha() for c in text) > len(text) / 2:
        return _Head(index, len(text), 8, False, text)
    return None


def _closes(caption: str, after: str) -> bool:
    """Whether emphasis at a line's beginning ends as a subcaption does: at a full stop, colon or dash."""
    return caption[-1] in ".:?!\u2013\u2014-" or after.lstrip()[:1] in tuple("\u2013\u2014-:.")


def _summary(lines: Sequence[Line], heads: dict[int, _Head]) -> tuple[int, int]:
    """The lines of the section's own summary, without its heading; (0, 0) where there is none."""
    for index in heads:
        if _SUMMARY.fullmatch(lines[index].text):
            return index + 1, _summary_end(lines, heads, index + 1)
    return 0, 0


def _summary_end(lines: Sequence[Line], heads: dict[int, _Head], start: int) -> int:
    seen: set[str] = set()
    listed = False
    for index in range(start, len(lines)):
        text = lines[index].text
        if index in heads and not heads[index].run_in:
            key = text.lower()
            following = lines[index + 1] if index + 1 < len(lines) else None
            opens = following is not None and len(following.text) > 300 and not _BULLET.match(following.text)
            if key in seen or _SECTION_TITLE.fullmatch(text) or (listed and opens):
                return index
            seen.add(key)
        elif _BULLET.match(text):
            listed = True
    return start


def _roles(lines: Sequence[Line], heads: dict[int, _Head], summary_from: int, summary_to: int) -> dict[int, str]:
    """For each head outside the summary: "group", "subcaption" or "inner"."""
    kept = [
        head
        for index, head in heads.items()
        if not (summary_from - 1 <= index < summary_to) and not _SECTION_TITLE.fullmatch(lines[index].text)
    ]
    by_kind: dict[int, list[_Head]] = {}
    for head in kept:
        by_kind.setdefault(head.kind, []).append(head)
    captions = {kind for kind, members in by_kind.items() if sum(h.sentence for h in members) * 2 >= len(members)}
    roles: dict[int, str] = {}
    for position, head in enumerate(kept):
        follower = kept[position + 1] if position + 1 < len(kept) else None
        opens = follower is not None and follower.line == head.line + 1
        if head.sentence:
            role = "subcaption" if head.kind in captions or not captions else "inner"
        elif opens or (_RISK_GROUP.match(head.text) and not head.run_in):
            role = "group"
        elif captions and head.kind not in captions:
            role = "inner"
        else:
            role = "subcaption"
        roles[head.line] = role
    return roles


def _factors(
    lines: Sequence[Line],
    starts: Sequence[int],
    text: str,
    heads: dict[int, _Head],
    roles: dict[int, str],
    summary: tuple[int, int],
) -> list[RiskFactor]:
    factors: list[RiskFactor] = []
    group: str | None = None
    caption: str | None = None
    begin: int | None = None
    last = 0

    def close() -> None:
        nonlocal begin
        if begin is not None and last > begin:
            factors.append(RiskFactor(group, caption, text[begin:last], begin, last))
        begin = None

    for index, line in enumerate(lines):
        role = roles.get(index)
        if summary[0] <= index < summary[1] or _SECTION_TITLE.fullmatch(line.text):
            close()
            continue
        if role == "group":
            close()
            group, caption = heads[index].text, None
            continue
        if role == "subcaption":
            close()
            caption = heads[index].text
            if heads[index].run_in:
                offset = heads[index].length
                offset += len(line.text[offset:]) - len(line.text[offset:].lstrip(" .:;\u2013\u2014-"))
                begin = starts[index] + offset
                last = starts[index] + len(line.text)
            continue
        if begin is None:
            begin = starts[index]
        last = starts[index] + len(line.text)
    close()
    return factors
