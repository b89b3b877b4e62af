"""What every layout does: cover, table of contents, blocks in order, a page break every so many characters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape, unescape
from typing import ClassVar

from localcloud.edgar.sample import xbrl
from localcloud.edgar.sample.document import Filing, Looks
from localcloud.edgar.sample.outline import Block, Kind

_NAMES = {"10-K": "ANNUAL REPORT", "10-Q": "QUARTERLY REPORT", "10-K/A": "AMENDMENT NO. 1 TO ANNUAL REPORT"}


def text(value: str) -> str:
    """Escape text for HTML, in ASCII: other characters become numeric references, as filing software writes them."""
    return escape(value, quote=False).encode("ascii", "xmlcharrefreplace").decode()


def upper(escaped: str) -> str:
    """Uppercase of escaped text; references stay what they are."""
    return text(unescape(escaped).upper())


@dataclass(frozen=True)
class Entry:
    """A line of the table of contents. `number` is empty for a part."""

    number: str
    title: str
    anchor: str
    page: int


class Layout(ABC):
    """Turns a filing's blocks into an inline XBRL document. Layouts have no state and are safe to share."""

    name: ClassVar[str]
    run_in: ClassVar[bool] = False
    looks: ClassVar[Looks] = Looks()
    has_contents: ClassVar[bool] = True
    year_on_cover: ClassVar[bool] = False
    page_characters: ClassVar[int] = 3200

    def render(self, filing: Filing, blocks: Sequence[Block]) -> str:
        """The whole document."""
        nested = self.year_on_cover and filing.period_end.year == filing.fiscal_year
        title = filing.primary_document.removesuffix(".htm")
        parts = [
            f"<?xml version='1.0' encoding='ASCII'?>\n<html {xbrl.NAMESPACES}>",
            f"<head><title>{title}</title>{self.style()}</head><body>",
            xbrl.hidden_header(filing, year_on_cover=nested),
            *(self.cover_line(line) for line in _cover(filing, nested)),
            self.page_break(1, filing),
        ]
        if self.has_contents:
            parts += [self.contents(_entries(blocks, self.page_characters)), self.page_break(2, filing)]
        parts += self._pages(filing, blocks)
        return "".join(parts) + "</body></html>\n"

    def _pages(self, filing: Filing, blocks: Sequence[Block]) -> Iterator[str]:
        page = 3
        used = 0
        subcaption = ""
        for index, block in enumerate(blocks):
            if block.kind is Kind.SUBCAPTION and self.run_in:
                subcaption = block.text
                continue
            # A heading stays with the block that follows it.
            if used > self.page_characters and not _is_heading(blocks[index - 1]):
                yield self.page_break(page, filing)
                page, used = page + 1, 0
            if subcaption:
                yield self.run_in_caption(text(subcaption), text(block.text))
                subcaption = ""
            else:
                yield self.block(block, _anchor(index))
            used += len(block.text) + sum(len(cell) for row in block.rows for cell in row) * 2

    def block(self, block: Block, anchor: str) -> str:
        """The HTML of one block."""
        inner = text(block.text)
        match block.kind:
            case Kind.PART:
                return self.part(inner, anchor)
            case Kind.ITEM:
                return self.item(block.number, inner, anchor)
            case Kind.TABLE:
                return self.table([[text(cell) for cell in row] for row in block.rows])
            case _:
                return self._plain(block.kind, inner)

    def _plain(self, kind: Kind, inner: str) -> str:
        methods = {
            Kind.HEADING: self.heading,
            Kind.GROUP: self.group,
            Kind.SUBCAPTION: self.subcaption,
            Kind.PARAGRAPH: self.paragraph,
            Kind.BULLET: self.bullet,
        }
        return methods[kind](inner)

    def style(self) -> str:
        """What the layout adds to the document's head."""
        return ""

    def run_in_caption(self, subcaption: str, inner: str) -> str:
        """A subcaption and the paragraph that goes on in its line; only layouts with `run_in` have it."""
        raise NotImplementedError(f"the layout {self.name} has no run-in captions")

    @abstractmethod
    def cover_line(self, inner: str) -> str:
        """A centered line of the cover."""

    @abstractmethod
    def contents(self, entries: Sequence[Entry]) -> str:
        """The table of contents."""

    @abstractmethod
    def page_break(self, page: int, filing: Filing) -> str:
        """The foot of a page, the break, and the head of the next page."""

    @abstractmethod
    def part(self, inner: str, anchor: str) -> str:
        """The heading of a part."""

    @abstractmethod
    def item(self, number: str, inner: str, anchor: str) -> str:
        """The heading of an item."""

    @abstractmethod
    def heading(self, inner: str) -> str:
        """A heading that is neither an item nor a group of risk factors."""

    @abstractmethod
    def group(self, inner: str) -> str:
        """The heading of a group of risk factors."""

    @abstractmethod
    def subcaption(self, inner: str) -> str:
        """The subcaption of a risk factor."""

    @abstractmethod
    def paragraph(self, inner: str) -> str:
        """A paragraph."""

    @abstractmethod
    def bullet(self, inner: str) -> str:
        """An entry of a list."""

    @abstractmethod
    def table(self, rows: Sequence[Sequence[str]]) -> str:
        """A table of figures."""


def _anchor(index: int) -> str:
    return f"i{index:05d}"


def _is_heading(block: Block) -> bool:
    return block.kind in {Kind.PART, Kind.ITEM, Kind.HEADING, Kind.GROUP, Kind.SUBCAPTION}


def _entries(blocks: Sequence[Block], page_characters: int) -> list[Entry]:
    found: list[Entry] = []
    used = 0
    for index, block in enumerate(blocks):
        used += len(block.text)
        if block.kind in {Kind.PART, Kind.ITEM}:
            found.append(Entry(block.number, text(block.text), _anchor(index), 3 + used // page_characters))
    return found


def _cover(filing: Filing, year_on_cover: bool) -> Iterator[str]:
    kind = "quarterly period" if filing.form == "10-Q" else "fiscal year"
    yield "UNITED STATES"
    yield "SECURITIES AND EXCHANGE COMMISSION"
    yield "Washington, D.C. 20549"
    yield f"FORM {xbrl.document_type(filing)}"
    yield f"{_NAMES[filing.form]} PURSUANT TO SECTION 13 OR 15(d) OF THE SECURITIES EXCHANGE ACT OF 1934"
    yield f"For the {kind} ended {xbrl.period_end(filing, year_on_cover=year_on_cover)}"
    yield xbrl.registrant(filing)
    yield "(Exact name of registrant as specified in its charter)"
    yield f"{filing.company.profile.state} (State of incorporation)"
    for number, ticker in enumerate(filing.company.tickers, 20):
        yield f"Common Stock, trading symbol {xbrl.trading_symbol(ticker, number)}"
    yield "Every name in this document is fictional."
