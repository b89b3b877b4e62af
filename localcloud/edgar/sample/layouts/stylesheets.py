"""Layouts whose looks come from a style sheet in the document's head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from localcloud.edgar.sample.document import Filing, Looks
from localcloud.edgar.sample.layouts.base import Entry, Layout, text

_SHEET: Final = """<style type="text/css">
body { font-family: Georgia, serif; font-size: 10pt; }
.cv { text-align: center; font-weight: bold; }
.pt { text-align: center; font-weight: bold; margin-top: 16pt; }
.it { font-weight: bold; font-size: 12pt; margin-top: 14pt; }
.hd { font-weight: bold; text-align: center; }
.gr { font-weight: bold; text-decoration: underline; margin-top: 12pt; }
.rf { font-weight: 700; font-style: italic; margin-top: 9pt; }
.tx { text-align: justify; margin: 6pt 0; }
.bl { margin-left: 24pt; text-indent: -12pt; }
.pn { text-align: center; font-size: 8pt; }
.tc { padding: 2pt 12pt 2pt 0; }
.rh { text-align: right; font-size: 8pt; }
</style>"""


def block(name: str, inner: str) -> str:
    """A div of a class."""
    return f'<div class="{name}">{inner}</div>\n'


class NamedStyles(Layout):
    """Classes carry every style; `Item 1A` and its title are joined by an em dash; a running header on each page."""

    name: ClassVar[str] = "named-styles"
    looks: ClassVar[Looks] = Looks(bullet_gap=" ")

    def style(self) -> str:
        return _SHEET

    def cover_line(self, inner: str) -> str:
        return block("cv", inner)

    def contents(self, entries: Sequence[Entry]) -> str:
        lines = "".join(
            f'<li><a href="#{entry.anchor}">{label}{entry.title}</a> {entry.page}</li>'
            for entry in entries
            for label in [f"Item {entry.number}&#8212;" if entry.number else ""]
        )
        return block("hd", "Contents") + f"<ul>{lines}</ul>\n"

    def page_break(self, page: int, filing: Filing) -> str:
        head = block("rh", text(f"{filing.company.profile.name} | {filing.fiscal_year} Form {filing.form}"))
        return block("pn", str(page)) + '<hr style="page-break-after:always"/>\n' + head

    def part(self, inner: str, anchor: str) -> str:
        return f'<div class="pt" id="{anchor}">{inner}</div>\n'

    def item(self, number: str, inner: str, anchor: str) -> str:
        return f'<div class="it" id="{anchor}">Item {number}&#8212;{inner}</div>\n'

    def heading(self, inner: str) -> str:
        return block("hd", inner)

    def group(self, inner: str) -> str:
        return block("gr", inner)

    def subcaption(self, inner: str) -> str:
        return block("rf", inner)

    def paragraph(self, inner: str) -> str:
        return block("tx", inner)

    def bullet(self, inner: str) -> str:
        return block("bl", f"&#8226; {inner}")

    def table(self, rows: Sequence[Sequence[str]]) -> str:
        body = "".join(
            "<tr>" + "".join(f'<td class="tc" valign="bottom">{cell}</td>' for cell in row) + "</tr>\n" for row in rows
        )
        return f'<table width="90%">\n{body}</table>\n'


class PlainHeadings(NamedStyles):
    """`h2` to `h4` for headings, a colon after the item's number, one paragraph tag a paragraph."""

    name: ClassVar[str] = "plain-headings"
    page_characters: ClassVar[int] = 4000

    def part(self, inner: str, anchor: str) -> str:
        return f'<h2 id="{anchor}">{inner}</h2>\n'

    def item(self, number: str, inner: str, anchor: str) -> str:
        return f'<h3 id="{anchor}">Item {number}: {inner}</h3>\n'

    def group(self, inner: str) -> str:
        return f"<h4>{inner}</h4>\n"

    def subcaption(self, inner: str) -> str:
        return f"<p><strong>{inner}</strong></p>\n"

    def paragraph(self, inner: str) -> str:
        return f"<p>{inner}</p>\n"

    def bullet(self, inner: str) -> str:
        return f'<p style="margin-left:20pt">&#8226; {inner}</p>\n'
