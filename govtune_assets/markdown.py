"""Markdown for the Dagster UI: tables, and bar charts as images. What stands in a cell is hostile, as names are.

The UI shows Markdown in place while it is shorter than 1,000 characters, and behind a link otherwise. It drops raw
HTML, and it draws images out of `data:` addresses, so that a chart needs no server.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote
from xml.sax.saxutils import escape as escape_xml


@dataclass(frozen=True)
class Link:
    """Words that lead to an http address."""

    words: str
    url: str


Cell = str | int | float | Link

LONGEST_CELL = 300
"""Characters of a cell's text; the rest is cut off."""

_SYNTAX = re.compile(r"([\\`*_\[\]|~])")
_COLOURS = ("#4f43dd", "#e0a030", "#3a9d6e", "#c9504c")
_GREY = "#858a99"  # readable on the light and on the dark background of the UI
_PLAIN = " ='/:,.;"  # what an image's address may hold as it is, between angle brackets
_ADDRESS = ":/?#@!$&*+,;=%~'"
_ROW, _LABELS, _BARS = 18, 180, 260  # pixels: height of a row, width of the labels, width of the longest bar
_AXIS, _PLOT = 40, (400, 120)  # pixels: width of the numbers left of a plot of lines, width and height of the plot


def text(value: str, longest: int = LONGEST_CELL) -> str:
    """Words as they are: one line, nothing in them acts as Markdown or HTML, control characters are gone."""
    plain = "".join(char if char.isprintable() else " " for char in value)
    line = " ".join(plain.split())
    if len(line) > longest:
        line = line[: longest - 1] + "…"
    return _SYNTAX.sub(r"\\\1", line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def table(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """A table; columns of numbers are aligned to the right. Without rows: the word "None."

    Integers get thousands separators; floats are expected to be formatted by the caller who knows their digits.
    """
    if not rows:
        return "None."
    numeric = [all(isinstance(row[column], int | float) for row in rows) for column in range(len(header))]
    return "\n".join(
        [
            _line([text(name) for name in header]),
            _line(["--:" if is_number else "---" for is_number in numeric]),
            *(_line([_cell(value) for value in row]) for row in rows),
        ]
    )


def bounded_table(header: Sequence[str], rows: Sequence[Sequence[Cell]], most: int) -> str:
    """A table of at most `most` rows, and how many more there are."""
    shown = table(header, rows[:most])
    return shown if len(rows) <= most else f"{shown}\n\nand {len(rows) - most:,} more"


def stacked_bars(title: str, names: Sequence[str], rows: Mapping[str, Sequence[int]]) -> str:
    """A chart as an image: a bar for each row, in it a part for each name. Each row's sum stands in its label.

    Raises ValueError for more names than there are colours.
    """
    if len(names) > len(_COLOURS):
        raise ValueError(f"{len(names)} parts of a bar, at most {len(_COLOURS)} can be told apart")
    longest = max((sum(row) for row in rows.values()), default=0) or 1
    legend = "".join(
        f"<text x='{_LABELS + 60 * index}' y='12' fill='{colour}'>{escape_xml(name)}</text>"
        for index, (name, colour) in enumerate(zip(names, _COLOURS, strict=False))
    )
    labels = "".join(
        f"<text y='{_ROW * line + 13}'>{escape_xml(label)}: {sum(row):,}</text>"
        for line, (label, row) in enumerate(rows.items(), 1)
    )
    bars = "".join(
        f"<path fill='{colour}' d='{_bars(list(rows.values()), index, longest)}'/>"
        for index, (_, colour) in enumerate(zip(names, _COLOURS, strict=False))
    )
    return _image(title, f"{legend}{labels}{bars}", _LABELS + _BARS, _ROW * (len(rows) + 1))


def interval_bars(title: str, rows: Mapping[str, tuple[float, float | None, float | None]]) -> str:
    """A chart as an image: a bar for each row, from 0, and on it a line over the row's interval.

    Args:
        title: what a reader without images is told.
        rows: value, lower end and upper end by label; none of them negative. None: the value has no interval.
    """
    longest = max((number for row in rows.values() for number in row if number is not None), default=0.0) or 1.0
    labels = "".join(
        f"<text y='{_ROW * line - 5}'>{escape_xml(label)} {value:.3f}</text>"
        for line, (label, (value, _, _)) in enumerate(rows.items(), 1)
    )
    bars = whiskers = ""
    for line, (value, low, high) in enumerate(rows.values()):
        top, width = _ROW * line + 3, max(1, round(_BARS * value / longest))
        bars += f"M{_LABELS} {top}h{width}v12H{_LABELS}"
        if low is not None and high is not None:
            start, end = (_LABELS + round(_BARS * number / longest) for number in (low, high))
            whiskers += f"M{start} {top + 6}H{end}"
    drawing = (
        f"{labels}<path fill='{_COLOURS[0]}' d='{bars}'/><path stroke='{_COLOURS[1]}' stroke-width='3' d='{whiskers}'/>"
    )
    return _image(title, drawing, _LABELS + _BARS + 2, _ROW * len(rows))


def lines(title: str, series: Mapping[str, Sequence[tuple[float, float]]], most: int = 26) -> str:
    """A chart as an image: a line through the points (x, y) of each series, at most `most` of them, evenly taken.

    The least and the greatest y stand at the left, the greatest x under the right end.
    Raises ValueError for more series than there are colours.
    """
    if len(series) > len(_COLOURS):
        raise ValueError(f"{len(series)} lines, at most {len(_COLOURS)} can be told apart")
    points = [point for line in series.values() for point in line]
    if not points:
        return "None."
    right = max(x for x, _ in points) or 1.0
    low, high = min(y for _, y in points), max(y for _, y in points)

    def place(x: float, y: float) -> str:
        return f"{_AXIS + round(_PLOT[0] * x / right)} {20 + round(_PLOT[1] * (high - y) / ((high - low) or 1.0))}"

    legend = "".join(
        f"<text x='{_AXIS + 120 * index}' y='12' fill='{colour}'>{escape_xml(name)}</text>"
        for index, (name, colour) in enumerate(zip(series, _COLOURS, strict=False))
    )
    drawn = "".join(
        f"<path stroke='{colour}' d='M{'L'.join(place(*point) for point in _evenly(line, most))}'/>"
        for line, colour in zip(series.values(), _COLOURS, strict=False)
        if line
    )
    bottom = 20 + _PLOT[1]
    axis = f"<text y='28'>{high:.3g}</text><text y='{bottom}'>{low:.3g}</text>"
    axis += f"<text x='{_AXIS + _PLOT[0]}' y='{bottom + 16}' text-anchor='end'>{right:g}</text>"
    drawing = f"{legend}{axis}<g fill='none' stroke-width='2'>{drawn}</g>"
    return _image(title, drawing, _AXIS + _PLOT[0] + 4, bottom + 20)


def _evenly(points: Sequence[tuple[float, float]], most: int) -> Sequence[tuple[float, float]]:
    """At most `most` of the points, the first and the last among them."""
    if len(points) <= most:
        return points
    return [points[place * (len(points) - 1) // (most - 1)] for place in range(most)]


def _image(title: str, drawing: str, width: int, height: int) -> str:
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' "
        f"font-family='sans-serif' font-size='12' fill='{_GREY}'>{drawing}</svg>"
    )
    return f"![{text(title)}](<data:image/svg+xml,{quote(svg, safe=_PLAIN)}>)"


def _bars(rows: Sequence[Sequence[int]], part: int, longest: int) -> str:
    """The outline of one part of every bar, as an SVG path."""
    path = ""
    for line, row in enumerate(rows, 1):
        start, width = (round(_BARS * number / longest) for number in (sum(row[:part]), row[part]))
        if row[part]:
            path += f"M{_LABELS + start} {_ROW * line + 3}h{max(1, width)}v12H{_LABELS + start}"
    return path


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: Cell) -> str:
    if isinstance(value, Link):
        return f"[{text(value.words)}](<{quote(value.url, safe=_ADDRESS)}>)"
    return text(value) if isinstance(value, str) else f"{value:,}"
