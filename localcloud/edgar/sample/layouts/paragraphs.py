"""Layouts of paragraphs with `b`, `i`, `u` and `font`, as filing agents make them out of word processor files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from localcloud.edgar.sample.document import Filing, Looks
from localcloud.edgar.sample.layouts.base import Entry, Layout, text, upper

_STYLE: Final = "margin:0pt 0pt 8pt 0pt;font-family:Times New Roman;font-size:10pt"


def paragraph(inner: str, style: str = "text-align:justify") -> str:
    """A paragraph."""
    return f'<p style="{_STYLE};{style}">{inner}</p>\n'


class BoldParagraphs(Layout):
    """`p` and `b`; uppercase item headings; bold italic subcaptions; page numbers in a paragraph of their own."""

    name: ClassVar[str] = "bold-paragraphs"
    looks: ClassVar[Looks] = Looks(bullet_gap=" ")

    def cover_line(self, inner: str) -> str:
        return paragraph(f"<b>{inner}</b>", "text-align:center")

    def contents(self, entries: Sequence[Entry]) -> str:
        lines = "".join(
            f'<tr><td style="width:88%"><a href="#{entry.anchor}">{label}{entry.title}</a></td>'
            f"<td>{entry.page}</td></tr>"
            for entry in entries
            for label in [f"Item {entry.number}. " if entry.number else ""]
        )
        return paragraph("<b>INDEX</b>", "text-align:center") + f'<table style="width:100%">{lines}</table>'

    def page_break(self, page: int, filing: Filing) -> str:
        return paragraph(str(page), "text-align:center") + '<hr style="page-break-after:always" size="3"/>\n'

    def part(self, inner: str, anchor: str) -> str:
        return paragraph(f'<a id="{anchor}"></a><b>{inner}</b>', "text-align:center")

    def item(self, number: str, inner: str, anchor: str) -> str:
        return paragraph(f'<a id="{anchor}"></a><b>ITEM&#160;{number}. {upper(inner)}</b>')

    def heading(self, inner: str) -> str:
        return paragraph(f"<b>{inner}</b>")

    def group(self, inner: str) -> str:
        return paragraph(f"<b>{inner}</b>", "text-align:center")

    def subcaption(self, inner: str) -> str:
        return paragraph(f"<b><i>{inner}</i></b>")

    def paragraph(self, inner: str) -> str:
        return paragraph(inner)

    def bullet(self, inner: str) -> str:
        return paragraph(f"&#8226;&#160;&#160;{inner}", "text-indent:-12pt;padding-left:24pt")

    def table(self, rows: Sequence[Sequence[str]]) -> str:
        body = "".join(
            "<tr>" + "".join(f'<td style="{_STYLE};padding-right:12pt">{cell}</td>' for cell in row) + "</tr>\n"
            for row in rows
        )
        return f'<table style="width:90%;border-collapse:collapse">\n{body}</table>\n'


class FontTags(BoldParagraphs):
    """`font` in every paragraph; an item's heading split over two paragraphs; underlined subcaptions; spacer lines."""

    name: ClassVar[str] = "font-tags"

    def _font(self, inner: str) -> str:
        return f'<font style="font-family:Times New Roman, Times, Serif;font-size:10pt">{inner}</font>'

    def _spacer(self) -> str:
        return paragraph(self._font("&#160;"))

    def page_break(self, page: int, filing: Filing) -> str:
        cells = f'<td style="width:33%">&#160;</td><td style="text-align:center">{page}</td><td>&#160;</td>'
        return (
            f'<div style="border-bottom:1pt solid black"><table style="width:100%"><tr>{cells}</tr></table></div>\n'
            '<div style="page-break-before:always"><p style="margin:0pt">&#160;</p></div>\n'
        )

    def item(self, number: str, inner: str, anchor: str) -> str:
        first = paragraph(f'<a id="{anchor}"></a>' + self._font(f"<b>Item {number}.</b>"))
        return first + paragraph(self._font(f"<b>{inner}</b>")) + self._spacer()

    def group(self, inner: str) -> str:
        return paragraph(self._font(f"<b><i>{inner}</i></b>")) + self._spacer()

    def subcaption(self, inner: str) -> str:
        return paragraph(self._font(f"<u>{inner}</u>")) + self._spacer()

    def paragraph(self, inner: str) -> str:
        return paragraph(self._font(inner)) + self._spacer()


class RunInCaptions(BoldParagraphs):
    """A subcaption stands in the line of its body's first paragraph; no contents; the name in each page's foot."""

    name: ClassVar[str] = "run-in-captions"
    run_in: ClassVar[bool] = True
    looks: ClassVar[Looks] = Looks(upper_groups=True, bullet_gap=" ")
    has_contents: ClassVar[bool] = False
    year_on_cover: ClassVar[bool] = True

    def page_break(self, page: int, filing: Filing) -> str:
        foot = text(f"{filing.company.profile.name} Form {filing.form} {page}")
        return paragraph(foot, "text-align:center") + '<hr style="page-break-after:always"/>\n'

    def item(self, number: str, inner: str, anchor: str) -> str:
        return paragraph(f'<a id="{anchor}"></a><b>Item {number} &#8211; {inner}</b>')

    def group(self, inner: str) -> str:
        return paragraph(f"<b>{inner}</b>")

    def run_in_caption(self, subcaption: str, inner: str) -> str:
        return paragraph(f"<b><i>{subcaption}</i></b> {inner}")
