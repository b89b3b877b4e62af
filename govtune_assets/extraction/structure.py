"""The structure of an Item 1A section: group headings, subcaptions, bodies, and the summary of principal risks.

Regulation S-K Item 105(a) asks for risk factors under relevant headings, each under a subcaption that adequately
describes it, and Item 105(b) for a summary of principal risks where the section exceeds 15 pages. Headings are told by
type (bold, italic, underlined, capitals), subcaptions by being sentences, and groups by what follows them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from govtune_assets.extraction.document import BOLD, TYPE, Line

_BULLET = re.compile(
    r"(?:[\u2022\u00b7\u25cf\u25aa\u25a0\u25e6\u25cb\u2023\u2043\u27a2\uf0b7\uf0a7*\u2013-]|\(?\d{1,2}[.)])\s*"
)
_SUMMARY = re.compile(
    r"\W*(?:summary\s+(?:of\s+)?(?:the\s+|our\s+)?(?:principal\s+|material\s+|key\s+)?risks?(?:\s+factors?)?"
    r"|(?:principal\s+)?risks?\s+factors?\s+summary|risk\s+summary|summary\s+risk\s+factors)\W*",
    re.IGNORECASE,
)
_SECTION_TITLE = re.compile(r"\W*(?:item\s*1a\W*)?risk\s+factors\W*(?:\(?continued\)?)?\W*", re.IGNORECASE)
_NO_RISK = re.compile(r".*\b(?:forward.looking\s+statements?|cautionary\s+(?:statement|note)s?)\b.*", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?][\u201d\"')]?$")
_VERB = re.compile(
    r"\b(?:may|might|could|can|will|would|is|are|was|were|has|have|had|do|does|depends?|faces?|relies|rely|subjects?"
    r"|affects?|exposes?|requires?|fails?|need|must|cannot|continues?|compete|operate|adversely|negatively|include)\b",
    re.IGNORECASE,
)
_RISK_GROUP = re.compile(r"(?:general\s+)?risks?\b.*|.*\brisks?(?:\s+factors)?\W*", re.IGNORECASE)
_FIRST_PART = re.compile(r"\W*(?:part\s+i\b|items?\s*\d{1,2}\b)", re.IGNORECASE)
_WORD = re.compile(r"\w")
_CAPITALS, _RUN_IN = 64, 128  # bits of a heading's kind beside those of its type
_LONGEST_GROUP = 130  # characters of a group heading
_MINIMUM_RUN_IN = 12  # characters of emphasis that make a run-in subcaption rather than an emphasised word
_LONGEST_HEADING = 700  # characters: an emphasised paragraph above this is body
_SHORTEST_SENTENCE = 45  # characters of a subcaption that says what the risk is
_CAPITAL_LINE = range(7, 200)  # characters of a heading that only its capitals tell
_LONGEST_SUMMARY = 30_000  # characters: the rule asks for two pages at most
_OPENS_BODY = 300  # characters of a paragraph that is a body, not an entry of a summary
_ENOUGH = 0.5  # share of the text under subcaptions below which bulleted subcaptions are looked for


@dataclass(frozen=True, slots=True)
class RiskFactor:
    """One risk factor: `body` is the section's text from `start` to `end` (characters).

    The spans are where its headings stand in that text, as (start, end). A heading that is cut over two lines of the
    text has a space where the text has its line feed; otherwise it is the text of its span.
    """

    group: str | None
    subcaption: str | None
    body: str
    start: int
    end: int
    group_span: tuple[int, int] | None = None
    subcaption_span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class _Head:
    """An emphasised line, or the emphasised beginning of one: its characters from `begin` to `end`, of a `kind`."""

    line: int
    begin: int
    end: int
    kind: int
    text: str

    @property
    def run_in(self) -> bool:
        return bool(self.kind & _RUN_IN)

    @property
    def sentence(self) -> bool:
        """Whether it says what the risk is, as a subcaption must, rather than naming a topic."""
        if len(self.text) < _SHORTEST_SENTENCE:
            return False
        return bool(_SENTENCE_END.search(self.text) or _VERB.search(self.text))

    @property
    def names_risks(self) -> bool:
        return len(self.text) < _LONGEST_GROUP and _RISK_GROUP.fullmatch(self.text) is not None


def structure(lines: Sequence[Line]) -> tuple[tuple[RiskFactor, ...], str | None]:
    """The risk factors of a section's lines, whose text is the lines joined by line feeds, and its summary.

    A section without any subcaption is one risk factor without one.
    """
    outline = _Outline(lines, bulleted=False)
    factors = outline.factors()
    if sum(f.end - f.start for f in factors) < _ENOUGH * len(outline.text):
        other = _Outline(lines, bulleted=True)
        others = other.factors()
        if sum(f.end - f.start for f in others) > sum(f.end - f.start for f in factors):
            outline, factors = other, others
    if not factors:
        return (RiskFactor(None, None, outline.text, 0, len(outline.text)),), outline.summary
    return tuple(factors), outline.summary


def titles_summary(line: Line) -> bool:
    """Whether a line is the heading of a summary of risk factors, rather than an entry of a table of contents."""
    if len(line.text) > _LONGEST_GROUP or line.links or line.table or not _SUMMARY.fullmatch(line.text):
        return False
    return bool(line.common & TYPE) or line.center or line.text.isupper()


def leading_summary(lines: Sequence[Line]) -> str | None:
    """The summary whose heading is the first of the lines, which stand in front of a report's items.

    It goes on to the first item or part, or to the first heading that no list follows. One that is longer than any
    summary is taken for something else.
    """
    ends = next((at for at, line in enumerate(lines) if _FIRST_PART.match(line.text)), len(lines))
    part = Line("PART I", [(0, 6, BOLD)], page=0)
    summary = _Outline([*lines[:ends], part], bulleted=False).summary
    return summary if summary is not None and len(summary) < _LONGEST_SUMMARY else None


class _Outline:
    """The headings of a section and what each of them is."""

    def __init__(self, lines: Sequence[Line], *, bulleted: bool) -> None:
        self._lines = lines
        self._starts: list[int] = []
        position = 0
        for line in lines:
            self._starts.append(position)
            position += len(line.text) + 1
        self.text = "\n".join(line.text for line in lines)
        found = (_head(index, line, bulleted) for index, line in enumerate(lines))
        self._heads = {head.line: head for head in found if head is not None}
        self._summary = self._find_summary()
        self._roles = self._find_roles()

    @property
    def summary(self) -> str | None:
        """The section's own summary of principal risks."""
        first, after = self._summary
        if after <= first + 1:
            return None
        return self.text[self._starts[first + 1] : self._end(after - 1)]

    def _end(self, index: int) -> int:
        return self._starts[index] + len(self._lines[index].text)

    def _find_summary(self) -> tuple[int, int]:
        """The lines of the summary with its heading; (0, 0) where there is none."""
        for index in self._heads:
            if len(self._lines[index].text) < _LONGEST_GROUP and _SUMMARY.fullmatch(self._lines[index].text):
                return index, self._summary_end(index + 1)
        return 0, 0

    def _summary_end(self, start: int) -> int:
        """The first line after a summary: a heading that no list follows, or that the summary had before."""
        seen: set[str] = set()
        listed = False
        for index in range(start, len(self._lines)):
            text = self._lines[index].text
            if _BULLET.match(text):
                listed = True
            elif index in self._heads:
                again = text.lower() in seen or self._is_title(index)
                if again or self._ends_summary(index, listed):
                    return index
                seen.add(text.lower())
        return start

    def _ends_summary(self, index: int, listed: bool) -> bool:
        if self._heads[index].run_in or index + 1 >= len(self._lines):
            return listed
        text = self._lines[index + 1].text
        if listed:
            return not _BULLET.match(text)
        return index + 1 not in self._heads and len(text) > _OPENS_BODY and not _BULLET.match(text)

    def _find_roles(self) -> dict[int, str]:
        """For each heading outside the summary: "group", "subcaption" or "inner"."""
        kept = [
            head
            for index, head in self._heads.items()
            if not (self._summary[0] <= index < self._summary[1]) and not self._is_title(index)
        ]
        following = {head.line: kept[i + 1] if i + 1 < len(kept) else None for i, head in enumerate(kept)}
        opens = {
            line: head is not None and head.line == line + 1 and not self._heads[line].run_in
            for line, head in following.items()
        }
        captions = _caption_kinds(kept, opens)
        groups = {head.kind for head in kept if not head.sentence and (opens[head.line] or head.names_risks)}
        return {head.line: _role(head, opens[head.line], captions, groups) for head in kept}

    def _is_title(self, index: int) -> bool:
        """Whether a line heads the section itself, or its words on forward-looking statements."""
        text = self._lines[index].text
        if len(text) > _LONGEST_GROUP:
            return False
        cautions = index in self._heads and _NO_RISK.fullmatch(text) is not None
        return cautions or _SECTION_TITLE.fullmatch(text) is not None

    def factors(self) -> list[RiskFactor]:
        """The risk factors under subcaptions; introductions belong to none."""
        walk = _Walk(self.text)
        for index, line in enumerate(self._lines):
            start, role = self._starts[index], self._roles.get(index)
            if role in ("group", "subcaption"):
                head = self._heads[index]
                if role == "group":
                    walk.group(head.text, start + head.begin, start + head.end)
                else:
                    body = _body_offset(head, line.text)
                    walk.subcaption(head.text, start + head.begin, start + head.end)
                    walk.body(start + body, start + len(line.text))
            elif self._summary[0] <= index < self._summary[1] or self._is_title(index):
                walk.close()
            else:
                walk.body(start, start + len(line.text))
        walk.close()
        return walk.found


class _Walk:
    """The risk factors found so far, and the one that is open, while a section's lines are gone through."""

    def __init__(self, text: str) -> None:
        self.found: list[RiskFactor] = []
        self._text = text
        self._group: tuple[str, tuple[int, int]] | None = None
        self._caption: tuple[str, tuple[int, int]] | None = None
        self._body: tuple[int, int] | None = None

    def group(self, text: str, start: int, end: int) -> None:
        """Begin a group."""
        self.close()
        self._group = (text, (start, end))

    def subcaption(self, text: str, start: int, end: int) -> None:
        """Begin a risk factor, or go on with a subcaption that was cut in two."""
        opened = self._caption if self._body is None else None
        self.close()
        if opened is not None and not _SENTENCE_END.search(opened[0]) and self._text[opened[1][1] : start] == "\n":
            text, start = f"{opened[0]} {text}", opened[1][0]
        self._caption = (text, (start, end))

    def body(self, start: int, end: int) -> None:
        """Text from `start` to `end`; before the first subcaption it belongs to no risk factor."""
        if self._caption is not None and end > start:
            self._body = (self._body[0] if self._body else start, end)

    def close(self) -> None:
        """End the open risk factor; a subcaption without a body is none."""
        if self._caption is not None and self._body is not None:
            caption, caption_span = self._caption
            group, group_span = self._group or (None, None)
            start, end = self._body
            self.found.append(RiskFactor(group, caption, self._text[start:end], start, end, group_span, caption_span))
        self._caption = self._body = None


def _body_offset(head: _Head, text: str) -> int:
    """Where the body begins after a run-in subcaption; the line's end for a heading on its own line."""
    after = text[head.end :]
    return len(text) - len(after.lstrip(" .:;\u2013\u2014-"))


def _caption_kinds(heads: Sequence[_Head], opens: dict[int, bool]) -> set[int]:
    """The kinds of type that subcaptions have: those of sentences, else the most frequent one before bodies."""
    total = Counter(head.kind for head in heads)
    sentences = Counter(head.kind for head in heads if head.sentence)
    kinds = {kind for kind, count in total.items() if sentences[kind] * 2 >= count and sentences[kind]}
    if not kinds:
        topics = Counter(head.kind for head in heads if not opens[head.line] and not head.names_risks)
        kinds = {kind for kind, _ in topics.most_common(1)}
    return kinds


def _role(head: _Head, opens: bool, captions: set[int], groups: set[int]) -> str:
    if head.sentence:
        return "subcaption" if head.kind in captions else "inner"
    if opens or (head.names_risks and (not head.run_in or head.text.isupper())):
        return "group"
    if head.kind in captions:
        return "subcaption"
    return "group" if head.kind in groups and not head.run_in else "inner"


def _head(index: int, line: Line, bulleted: bool) -> _Head | None:
    """The heading that a line is or begins with; bulleted ones only where they are asked for."""
    text = line.text
    begin = match.end() if (match := _BULLET.match(text)) else 0
    kind, end = _emphasis(line, begin)
    if not kind:
        return _capital_head(index, line)
    caption = text[begin:end].strip()
    if _WORD.search(text, end) is None:
        if len(text) > _LONGEST_HEADING:
            return None
        head = _Head(index, begin, len(text), kind | _CAPITALS * text.isupper(), text[begin:])
        return head if not begin or bulleted or head.sentence else None
    closes = caption[-1:] in tuple(".:?!\u2013\u2014-") or text[end:].lstrip()[:1] in tuple("\u2013\u2014-:.")
    if (begin and not bulleted) or not _MINIMUM_RUN_IN <= len(caption) <= _LONGEST_HEADING or not closes:
        return None
    end += text[end : end + 1] == "."
    end = begin + len(text[begin:end].rstrip())
    return _Head(index, begin, end, kind | _RUN_IN, text[begin:end])


def _emphasis(line: Line, begin: int) -> tuple[int, int]:
    """The type that a line has from `begin` on, and where it ends; no type where it begins plain."""
    kind, end = 0, begin
    for run_start, run_end, flags in line.runs:
        if run_end <= begin or _WORD.search(line.text, max(run_start, begin), run_end) is None:
            continue
        if not kind:
            kind = flags & TYPE
        elif not flags & kind:
            break
        if not kind:
            break
        end = run_end
    return kind, end


def _capital_head(index: int, line: Line) -> _Head | None:
    """A short line in capitals is a heading even in plain type."""
    text = line.text
    if len(text) in _CAPITAL_LINE and text.isupper() and not line.table:
        letters = sum(character.isalpha() for character in text)
        return _Head(index, 0, len(text), _CAPITALS, text) if letters * 2 > len(text) else None
    return None
