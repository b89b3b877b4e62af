"""Layouts in which every run of text is a span with its own inline style, as reporting platforms write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from localcloud.edgar.sample.document import Filing, Looks
from localcloud.edgar.sample.layouts.base import Entry, Layout, text, upper

_FONT: Final = "color:#000000;font-family:'Times New Roman',sans-serif;font-size:10pt;line-height:120%"
_LINK: Final = "color:#0000ff;font-family:'Times New Roman',sans-serif;font-size:10pt;text-decoration:underline"

_FRONT_PAGES: Final = 5  # pages of cover, contents and Item 1, which have another running header


def span(inner: str, style: str = "font-weight:400") -> str:
    """A run of text."""
    return f'<span style="{_FONT};{style}">{inner}</span>'


def div(inner: str, style: str) -> str:
    """A block."""
    return f'<div style="{style}">{inner}</div>'


class StyledSpans(Layout):
    """Divs and spans; bold headings; page number at the foot and a link to the contents at the head of each page."""

    name: ClassVar[str] = "styled-spans"

    def cover_line(self, inner: str) -> str:
        return div(span(inner, "font-weight:700"), "margin-top:6pt;text-align:center")

    def contents(self, entries: Sequence[Entry]) -> str:
        rows = "".join(
            f'<tr><td style="padding:2px 1pt;width:12%">{self._link(entry, number)}</td>'
            f'<td style="padding:2px 1pt;width:80%">{self._link(entry, entry.title)}</td>'
            f'<td style="padding:2px 1pt;text-align:right">{self._link(entry, str(entry.page))}</td></tr>'
            for entry in entries
            for number in [f"Item&#160;{entry.number}." if entry.number else ""]
        )
        title = div(span("TABLE OF CONTENTS", "font-weight:700"), "text-align:center")
        return f'<div id="contents"></div>{title}<table style="border-collapse:collapse;width:100%">{rows}</table>'

    def _link(self, entry: Entry, inner: str) -> str:
        return f'<a style="{_LINK}" href="#{entry.anchor}">{inner}</a>' if inner else ""

    def page_break(self, page: int, filing: Filing) -> str:
        number = div(span(str(page)), "text-align:center")
        foot = f'<div style="height:36pt;position:relative;width:100%">{number}</div>'
        head = (
            f'<a style="{_LINK}" href="#contents">Table of Contents</a>' if self.has_contents and page > 1 else "<br/>"
        )
        return f'{foot}<hr style="page-break-after:always"/><div style="min-height:36pt;width:100%">{head}</div>'

    def part(self, inner: str, anchor: str) -> str:
        return f'<div id="{anchor}"></div>' + div(span(inner, "font-weight:700"), "margin-top:14pt;text-align:center")

    def item(self, number: str, inner: str, anchor: str) -> str:
        spans = span(f"Item&#160;{number}.", "font-weight:700") + span(inner, "font-weight:700;padding-left:18pt")
        return f'<div id="{anchor}"></div>' + div(spans, "margin-top:12pt;padding-left:54pt;text-indent:-54pt")

    def heading(self, inner: str) -> str:
        return div(span(inner, "font-weight:700"), "margin-top:12pt;text-align:center")

    def group(self, inner: str) -> str:
        return div(span(inner, "font-style:italic;font-weight:700;text-decoration:underline"), "margin-top:12pt")

    def subcaption(self, inner: str) -> str:
        return div(span(inner, "font-weight:700"), "margin-bottom:6pt;margin-top:9pt")

    def paragraph(self, inner: str) -> str:
        return div(span(inner), "margin-bottom:6pt;text-align:justify")

    def bullet(self, inner: str) -> str:
        spans = span("&#8226;") + span(inner, "font-weight:400;padding-left:13.8pt")
        return div(spans, "margin-top:4pt;padding-left:18pt;text-indent:-18pt")

    def table(self, rows: Sequence[Sequence[str]]) -> str:
        cells = "".join(
            "<tr>"
            + "".join(
                f'<td colspan="3" style="padding:2px 1pt;text-align:{"left" if column == 0 else "right"};'
                f'border-top:1pt solid #000000;vertical-align:bottom">{span(cell)}</td>'
                '<td colspan="3" style="padding:0 1pt"></td>'
                for column, cell in enumerate(row)
            )
            + "</tr>"
            for row in rows
        )
        return f'<table style="border-collapse:collapse;margin-bottom:5pt;width:100%">{cells}</table>'


class HeadingTables(StyledSpans):
    """Item headings stand in tables of two cells; the foot of a page is a table with the report's name."""

    name: ClassVar[str] = "heading-tables"
    looks: ClassVar[Looks] = Looks(upper_groups=True)

    def page_break(self, page: int, filing: Filing) -> str:
        report = text(f"Fiscal {filing.fiscal_year} Form {filing.form}")
        foot = (
            '<table style="border-collapse:collapse;width:100%"><tr>'
            f'<td style="text-align:left;width:33%">{span(report)}</td>'
            f'<td style="text-align:center;width:33%">{span(str(page))}</td><td style="width:33%"></td></tr></table>'
        )
        return f'{foot}<hr style="page-break-after:always"/>'

    def item(self, number: str, inner: str, anchor: str) -> str:
        return (
            f'<div id="{anchor}"></div><table style="border-collapse:collapse;margin-top:12pt;width:100%"><tr>'
            f'<td style="vertical-align:top;width:10%">{span(f"ITEM&#160;{number}.", "font-weight:700")}</td>'
            f'<td style="vertical-align:top">{span(upper(inner), "font-weight:700")}</td></tr></table>'
        )

    def group(self, inner: str) -> str:
        return div(span(inner, "font-weight:700"), "margin-top:12pt;text-align:center")

    def subcaption(self, inner: str) -> str:
        return div(span(inner, "font-style:italic;font-weight:400"), "margin-bottom:6pt;margin-top:9pt")


class SpacelessItems(StyledSpans):
    """`Item 1A.Risk Factors` without a space, part and item as a running header, the fiscal year nested in the date."""

    name: ClassVar[str] = "spaceless-items"
    year_on_cover: ClassVar[bool] = True
    page_characters: ClassVar[int] = 2600

    def page_break(self, page: int, filing: Filing) -> str:
        foot = div(span(text(f"{filing.company.profile.short} | {page}")), "text-align:right")
        head = (
            div(span("PART I"), "text-align:left") + div(span("Item 1A"), "text-align:left")
            if page > _FRONT_PAGES
            else ""
        )
        return f'{foot}<hr style="page-break-after:always"/>{head}'

    def item(self, number: str, inner: str, anchor: str) -> str:
        spans = span(f"Item {number}.", "font-weight:700") + span(inner, "font-weight:700")
        return f'<div id="{anchor}"></div>' + div(spans, "margin-top:12pt")

    def group(self, inner: str) -> str:
        return div(span(inner, "font-weight:700"), "margin-top:12pt")

    def subcaption(self, inner: str) -> str:
        return div(span(inner, "font-style:italic;font-weight:700"), "margin-bottom:6pt;margin-top:9pt")
