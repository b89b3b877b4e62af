"""A filing's HTML as lines of visible text with their type and layout: parsing and flattening only.

Nothing here knows about items or risk factors. Parsing is bounded: a document larger than `MAX_BYTES` is cut,
the walk is iterative, and hidden parts (the inline XBRL header, `display:none`) are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lxml import etree

MAX_BYTES = 64 * 1024 * 1024

BOLD, ITALIC, UNDERLINE, CENTER, LINK = 1, 2, 4, 8, 16
TYPE = BOLD | ITALIC | UNDERLINE

_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "center",
        "dd",
        "div",
        "dl",
        "dt",
        "fieldset",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "html",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "page",
        "pre",
        "section",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "title",
        "tr",
        "ul",
        "text",
        "document",
    ]
)
_INVISIBLE = frozenset(("head", "script", "style", "title", "ix:header", "noscript", "template"))
_TAG_TYPE = {
    "b": BOLD,
    "strong": BOLD,
    "h1": BOLD,
    "h2": BOLD,
    "h3": BOLD,
    "h4": BOLD,
    "h5": BOLD,
    "h6": BOLD,
    "th": BOLD,
    "i": ITALIC,
    "em": ITALIC,
    "u": UNDERLINE,
    "ins": UNDERLINE,
    "center": CENTER,
}
_SPACE = re.compile(r"[\s\u00a0\u2000-\u200a\u202f\u205f\u3000]+")
_ZERO_WIDTH = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_CLASS_NAME = re.compile(r"\.([\w-]+)")
_WORD = re.compile(r"\w")
_LAYOUT_CELL = 400  # characters in several blocks above which a table cell is page layout, not a cell
_LAYOUT_BLOCKS = 2
_LONGEST_NAME = 300  # characters of an anchor or link worth keeping
_LONGEST_STYLE = 2000  # characters of a style attribute that are read
_LONGEST_SHEET = 500_000  # characters of a style sheet that are read
_MAX_NODES = 2_000_000  # tags and attributes: a tree of these stays well under a gigabyte
MAX_LINES = 250_000  # a hundred times what a long filing has
_PIECE = 65_536  # characters of text that are normalised at once: a pattern's pieces take more memory than its text
_UNDEFINED = bytes((0x81, 0x8D, 0x8F, 0x90, 0x9D))  # no characters in Windows-1252; the parser stops at them
_MAX_ATTRIBUTES = 1000  # words in one tag: the parser's time grows with the square of a tag's attributes


@dataclass(slots=True)
class Line:
    """One visible line: `runs` are (start, end, type) over `text`; `page` counts the page breaks before it."""

    text: str
    runs: list[tuple[int, int, int]]
    page: int
    table: int = 0
    center: bool = False
    links: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)

    @property
    def common(self) -> int:
        """The type shared by every letter of the line: bits of BOLD, ITALIC, UNDERLINE, LINK."""
        flags = BOLD | ITALIC | UNDERLINE | LINK
        for start, end, kind in self.runs:
            if _WORD.search(self.text, start, end):
                flags &= kind
        return flags


@dataclass(frozen=True, slots=True)
class _Style:
    """What a style declaration sets and clears, whether it hides, and the page breaks it makes."""

    on: int = 0
    off: int = 0
    hidden: bool = False
    break_before: bool = False
    break_after: bool = False


_DECLARATIONS = {
    "bold": re.compile(r"font-weight\s*:\s*(?:bold|[6-9]00)|font(?:-family)?\s*:[^;]*\bbold"),
    "normal": re.compile(r"font-weight\s*:\s*(?:normal|lighter|[1-5]00)"),
    "italic": re.compile(r"font-style\s*:\s*(?:italic|oblique)|font(?:-family)?\s*:[^;]*\bitalic"),
    "upright": re.compile(r"font-style\s*:\s*normal"),
    "underline": re.compile(r"text-decoration[\w-]*\s*:[^;]*underline"),
    "center": re.compile(r"text-align\s*:\s*center"),
    "aligned": re.compile(r"text-align\s*:\s*(?:left|right|justify|start)"),
    "hidden": re.compile(r"display\s*:\s*none"),
    "before": re.compile(r"(?:page-)?break-before\s*:\s*(?:always|page|left|right)"),
    "after": re.compile(r"(?:page-)?break-after\s*:\s*(?:always|page|left|right)"),
}


def _read_style(declarations: str) -> _Style:
    text = declarations[:_LONGEST_STYLE].lower()
    has = {name for name, pattern in _DECLARATIONS.items() if pattern.search(text)}
    on = BOLD * ("bold" in has) | ITALIC * ("italic" in has)
    on |= UNDERLINE * ("underline" in has) | CENTER * ("center" in has)
    off = BOLD * ("normal" in has) | ITALIC * ("upright" in has) | CENTER * ("aligned" in has)
    return _Style(on, off, "hidden" in has, "before" in has, "after" in has)


_PLAIN = _Style()


class _Styles:
    """Styles of elements, each distinct declaration read once; classes come from the document's style sheets."""

    def __init__(self, root: etree._Element) -> None:
        self._declared: dict[str, _Style] = {}
        self._classes: dict[str, _Style] = {}
        for sheet in root.iter("style"):
            for rule in (sheet.text or "")[:_LONGEST_SHEET].split("}"):
                selectors, _, body = rule.partition("{")
                style = _read_style(body)
                if style != _PLAIN:
                    self._classes.update(dict.fromkeys(_CLASS_NAME.findall(selectors), style))

    def of(self, element: etree._Element) -> _Style:
        declared = element.get("style")
        style = _PLAIN
        if declared is not None:
            cached = self._declared.get(declared)
            if cached is None:
                cached = self._declared[declared] = _read_style(declared)
            style = cached
        if self._classes:
            for name in (element.get("class") or "").split():
                named = self._classes.get(name)
                if named is not None:
                    style = _Style(
                        (named.on & ~style.off) | style.on,
                        (named.off & ~style.on) | style.off,
                        named.hidden or style.hidden,
                        named.break_before or style.break_before,
                        named.break_after or style.break_after,
                    )
        return style


@dataclass(frozen=True, slots=True)
class Parsed:
    """A document's element tree; `unread` says why the document's end is not in it, where that is so."""

    root: etree._Element
    unread: str | None


def parse(document: bytes) -> etree._Element | None:
    """The document's element tree, or None where the bytes hold no markup and no text at all."""
    parsed = parse_bounded(document)
    return parsed.root if parsed else None


def parse_bounded(document: bytes) -> Parsed | None:
    """As `parse`, with a word on whether all of the document was read."""
    bounded, unread = _bounded(document)
    if not bounded.strip():
        return None
    readable, encoding = _readable(bounded)
    parser = etree.HTMLParser(encoding=encoding, huge_tree=True, remove_comments=True, remove_pis=True, recover=True)
    try:
        root = etree.fromstring(readable, parser)
    except (etree.LxmlError, ValueError):
        return None
    if root is None:
        return None
    stopped = parser.error_log.filter_from_fatals()
    if stopped:
        unread = f"the parser stopped at line {stopped[0].line} of the document: {stopped[0].message}"
    return Parsed(root, unread)


def _bounded(document: bytes) -> tuple[bytes, str | None]:
    """The first document of a submission, cut where its size or its count of tags and attributes would not fit.

    Beside it, why it was cut, if it was.
    """
    first, _, _ = document.replace(b"\0", b" ").partition(b"</DOCUMENT>")
    size = len(first)
    first = first[:MAX_BYTES]
    while (nodes := max(first.count(b"<") + first.count(b"="), first.count(b">"))) > _MAX_NODES:
        first = first[: min(len(first) - 1, len(first) * _MAX_NODES // nodes)]
    unread = f"only the first {len(first)} of the document's {size} bytes were read: it is too large"
    return _without_vast_tags(first), unread if len(first) < size else None


def _readable(document: bytes) -> tuple[bytes, str]:
    """The document without bytes at which the parser would stop, and its encoding.

    That is UTF-8, also where a few characters are damaged, or else Windows-1252, which is what filing agents that do
    not write UTF-8 write.
    """
    try:
        document.decode("utf-8")
    except UnicodeDecodeError:
        text = document.decode("utf-8", "replace")
    else:
        return document, "utf-8"
    damaged = text.count("\ufffd")
    beyond_ascii = len(text) - len(text.encode("ascii", "ignore"))
    if damaged < beyond_ascii - damaged:
        return text.encode(), "utf-8"
    return document.translate(None, _UNDEFINED), "windows-1252"


def _without_vast_tags(document: bytes) -> bytes:
    """The document without tags of more attributes than any real one has."""
    pieces = document.split(b">")
    vast = False
    for index, piece in enumerate(pieces):
        at = piece.find(b"<") if len(piece) > 2 * _MAX_ATTRIBUTES else -1
        if at >= 0 and piece[at : at + 2] != b"<!" and len(piece[at:].split(None, _MAX_ATTRIBUTES)) > _MAX_ATTRIBUTES:
            pieces[index] = piece[:at] + b"<br"
            vast = True
    return b">".join(pieces) if vast else document


def is_plain_text(document: bytes) -> bool:
    """Whether line ends are the document's only layout, as in filings made before HTML was usual."""
    return re.search(rb"<(?:p|div|br|td|table|li|h\d)\b", document[:MAX_BYTES], re.IGNORECASE) is None


def flatten(root: etree._Element, *, plain_text: bool = False) -> list[Line]:
    """All visible lines of the document, in order."""
    return _Flattener(root, plain_text).lines()


class _Flattener:
    """One walk over the tree. `flags` is a stack: the type in force inside each open element."""

    def __init__(self, root: etree._Element, plain_text: bool) -> None:
        self._root = root
        self._styles = _Styles(root)
        self._out: list[Line] = []
        self._flags = [0]
        self._breaks_after = [False]
        self._parts: list[str] = []
        self._length = 0
        self._runs: list[tuple[int, int, int]] = []
        self._space = True  # nothing, or a space, stands before the next piece
        self._center = False
        self._links: list[str] = []
        self._ids: list[str] = []
        self._page = 0
        self._tables: list[int] = []
        self._table = 0
        self._rows = 0
        self._layout = 0
        self._pre = 1 if plain_text else 0

    def lines(self) -> list[Line]:
        walk = etree.iterwalk(self._root, events=("start", "end"))
        for event, element in walk:
            tag = element.tag
            if not isinstance(tag, str):
                continue
            if event == "start":
                if not self._open(tag, element):
                    walk.skip_subtree()
            else:
                self._close(tag, element)
            if len(self._out) == MAX_LINES:
                break
        self._break()
        return self._out

    def _open(self, tag: str, element: etree._Element) -> bool:
        style = self._styles.of(element)
        flags = self._flags[-1]
        self._breaks_after.append(style.break_after)
        if style.hidden or tag in _INVISIBLE:
            self._flags.append(flags)
            return False
        flags = (flags & ~style.off) | _TAG_TYPE.get(tag, 0) | style.on
        if tag in _BLOCKS or tag == "br":
            self._boundary(tag, element)
            if element.get("align"):
                flags = flags | CENTER if element.get("align").lower() == "center" else flags & ~CENTER
        elif tag == "a":
            href = element.get("href") or ""
            if href.startswith("#") and len(href) < _LONGEST_NAME:
                flags |= LINK
                self._links.append(href[1:])
        if style.break_before or tag == "hr":
            self._break()
            self._page += 1
        anchor = element.get("id") or element.get("name")
        if anchor and len(anchor) < _LONGEST_NAME:
            self._ids.append(anchor)
        self._flags.append(flags)
        text = element.text
        if text:
            self._add(text, flags)
        return True

    def _close(self, tag: str, element: etree._Element) -> None:
        self._flags.pop()
        if tag in _BLOCKS:
            if tag == "table" and self._tables:
                self._tables.pop()
            if tag == "tr":
                self._rows = max(0, self._rows - 1)
            if tag == "pre":
                self._pre -= 1
            if tag in ("td", "th") and self._layout:
                self._layout -= 1
            self._boundary("", element)
        if self._breaks_after.pop() or tag == "page":
            self._break()
            self._page += 1
        tail = element.tail
        if tail:
            self._add(tail, self._flags[-1])

    def _boundary(self, tag: str, element: etree._Element) -> None:
        """A block's edge: a new line, or a space where a table row is a row of cells."""
        if tag == "table":
            self._break()
            self._table += 1
            self._tables.append(self._table)
        elif tag == "tr":
            self._break()
            self._rows += 1
        elif tag in ("td", "th") and (self._layout or _is_layout(element)):
            self._layout += 1
            self._break()
        elif tag == "pre":
            self._pre += 1
        if self._rows and not self._layout:
            self._blank(0)
        else:
            self._break()

    def _blank(self, flags: int) -> None:
        """One space, unless nothing or a space stands before it."""
        if not self._space:
            self._put(" ", flags)

    def _add(self, text: str, flags: int) -> None:
        if text.isspace() and not self._pre:
            self._blank(flags)
            return
        if self._pre:
            paragraphs = re.split(r"\n[ \t\r]*\n", text)
            for paragraph in paragraphs[:-1]:
                self._piece(paragraph, flags)
                self._break()
            text = paragraphs[-1]
        for start in range(0, len(text), _PIECE):
            self._piece(text[start : start + _PIECE], flags)

    def _piece(self, text: str, flags: int) -> None:
        piece = _SPACE.sub(" ", _ZERO_WIDTH.sub("", text) if not text.isascii() else text)
        if self._space:
            piece = piece.lstrip(" ")
        if not piece:
            return
        if not self._parts or (flags & CENTER and not piece.isspace()):
            self._center = bool(flags & CENTER)
        self._put(piece, flags)

    def _put(self, piece: str, flags: int) -> None:
        start = self._length
        self._parts.append(piece)
        self._length += len(piece)
        self._space = piece.endswith(" ")
        if self._runs and self._runs[-1][2] == flags & ~CENTER:
            self._runs[-1] = (self._runs[-1][0], self._length, flags & ~CENTER)
        else:
            self._runs.append((start, self._length, flags & ~CENTER))

    def _break(self) -> None:
        if not self._parts:
            return
        text = "".join(self._parts).rstrip()
        if text and len(self._out) < MAX_LINES:
            table = self._tables[-1] if self._tables else 0
            runs = [(start, min(end, len(text)), kind) for start, end, kind in self._runs if start < len(text)]
            self._out.append(Line(text, runs, self._page, table, self._center, self._links, self._ids))
            self._links, self._ids = [], []
        self._parts, self._runs, self._length, self._space = [], [], 0, True


def _is_layout(cell: etree._Element) -> bool:
    """Whether a table cell holds paragraphs of its own: several blocks with the text of a page, not of a cell."""
    if len(cell) < _LAYOUT_BLOCKS:
        return False
    blocks = sum(1 for child in cell if child.tag in ("p", "div", "ul", "ol", "table"))
    return blocks >= _LAYOUT_BLOCKS and sum(map(len, cell.itertext())) > _LAYOUT_CELL
