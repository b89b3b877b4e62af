"""What vast documents cost the extractor: processor time and peak memory of each kind, in a process of its own.

    python benchmarks/extraction_limits.py [--megabytes 50]

Prints a table and ends with exit code 1 where a document takes more than 10 s of processor time or 1 GiB of memory.
"""

import argparse
import sys
from collections.abc import Callable

from benchmarks.extraction_apart import Apart

SECONDS, MEBIBYTES = 10.0, 1024.0

_HEAD = b"<html><body><p>FORM 10-K</p><p><b>Item 1. Business</b></p><p>Lamps.</p>"
_ITEM = b"<p><b>Item 1A. Risk Factors</b></p>"
_SECTION = _ITEM + b"<p><b>We may lose all the lamps that we have in store.</b></p><p>They are made of glass.</p>"
_END = b"<p><b>Item 1B. Unresolved Staff Comments</b></p><p>None.</p></body></html>"
_PROSE = b"<p style='margin:0'><span style='font-size:10pt'>" + b"Words about lamps and glass. " * 20 + b"</span></p>"
_FACTOR = b"<p><b>We may lose all the lamps that we have in store.</b></p>" + _PROSE * 3
_ROW = (
    b"<tr><td style='padding:2px 1pt;text-align:left;vertical-align:bottom'><span style='font-family:Arial;"
    b"font-size:9pt'>Lamps and their glass, net of discounts</span></td><td style='text-align:right'>"
    b"<ix:nonFraction name='us-gaap:Assets' contextRef='c-1' decimals='-6' scale='6'>1,234</ix:nonFraction></td></tr>"
)


def _filled(unit: bytes, size: int, *, before: bytes = _HEAD, after: bytes = _SECTION + _END) -> bytes:
    """`unit` again and again, to about `size` bytes, between what stands before and after."""
    return before + unit * (size // len(unit)) + after


def _numbered(unit: bytes, size: int) -> bytes:
    """`unit` with another number each time."""
    pieces = (unit.replace(b"%d", b"%d" % number) for number in range(size // len(unit)))
    return b"".join([_HEAD, *pieces, _SECTION, _END])


def filing(size: int) -> bytes:
    """A filing of the usual make: prose, a section of 200 risk factors, then tables of tagged figures to the end."""
    before = _HEAD + _PROSE * 1000 + _ITEM + _FACTOR * 200 + _END.replace(b"</body></html>", b"")
    return _filled(_ROW, size - len(before), before=before + b"<table>", after=b"</table></body></html>")


KINDS: dict[str, Callable[[int], bytes]] = {
    "filing of the usual make": filing,
    "prose before the section": lambda size: _filled(_PROSE, size),
    "a section of risk factors": lambda size: _filled(_FACTOR, size, before=_HEAD + _ITEM, after=_END),
    "a section of headings": lambda size: _filled(b"<p><b>We may lose all.</b></p>", size, before=_ITEM),
    "lines in capitals": lambda size: _filled(b"<p>RISK FACTORS.</p><p>WE MAY LOSE ALL.</p>", size),
    "tables": lambda size: _filled(_ROW, size, before=_HEAD + b"<table>"),
    "one line": lambda size: _filled(b"Words about lamps ", size, before=_ITEM + b"<p>"),
    "one line of wide characters": lambda size: _filled(
        "Words \U0001f600 lamps ".encode(), size, before=_ITEM + b"<p>"
    ),
    "one word": lambda size: _filled(b"x", size, before=_ITEM + b"<p>"),
    "blanks": lambda size: _filled("\u00a0\u200b ".encode(), size, before=_ITEM + b"<p>"),
    "plain text": lambda size: _filled(b"Words about lamps.\n\n", size, before=b"ITEM 1A. RISK FACTORS\n\n", after=b""),
    "line breaks": lambda size: _filled(b"lamps<br>", size),
    "inline tags": lambda size: _filled(b"<b>a</b><i>b</i>", size),
    "links": lambda size: _filled(b"<p id='abcd'><a href='#abcd'>Item 1A. Risk Factors</a> 12</p>", size),
    "items": lambda size: _filled(b"<p>Item 1A. Risk Factors</p><p>a</p><p>Item 2. Properties</p><p>x</p>", size),
    "page breaks": lambda size: _filled(
        b"<p>lamps</p><p>7</p><hr style='page-break-after:always'>", size, before=_ITEM
    ),
    "page numbers": lambda size: _numbered(b"<p>%d</p><p>Lamps and glass.</p>", size),
    "style declarations": lambda size: _numbered(b"<p style='margin:%dpx;font-weight:bold'>Lamps.</p>", size),
    "a style sheet": lambda size: _filled(
        b".a{font-weight:bold}", size, before=b"<style>", after=b"</style>" + _SECTION
    ),
    "classes of a style sheet": lambda size: _numbered(b"<style>.c%d{font-weight:bold}</style>", size),
    "attributes": lambda size: _filled(b"a=1 ", size, before=_HEAD + b"<p ", after=b">x</p>" + _SECTION),
    "tags of many attributes": lambda size: _filled(b"<p " + b"a=1 b " * 150 + b">", size),
    "column spans": lambda size: _filled(b"<tr><td colspan=999999999 rowspan=999999999>x</td></tr>", size),
    "entities": lambda size: _filled(b"&amp;&#160;&#x1F600;&nosuch;", size),
    "declared entities": lambda size: _filled(
        b'<!ENTITY a "&a;&a;&a;&a;">', size, before=b"<!DOCTYPE html [", after=b"]>"
    ),
    "nested blocks": lambda size: _filled(b"<div>a", size),
    "nested inline tags": lambda size: _filled(b"<b>a", size),
    "nested tables": lambda size: _filled(b"<table><tr><td>a", size),
    "nested layout cells": lambda size: _filled(b"<table><tr><td><p>a</p><p>b</p>", size),
    "cells of paragraphs": lambda size: _filled(b"<td><p>a</p><p>b</p></td>", size, before=_HEAD + b"<table><tr>"),
    "a comment without end": lambda size: _filled(b"lamps > ", size, before=_HEAD + b"<!--"),
    "a section marked as data": lambda size: _filled(b"lamps > ", size, before=_HEAD + b"<![CDATA["),
    "closing tags": lambda size: _filled(b"</p></b></zz>", size),
    "brackets": lambda size: _filled(b"<", size),
    "closing brackets": lambda size: _filled(b">", size),
    "zero bytes": lambda size: _filled(b"\0", size),
    "broken UTF-8": lambda size: _filled(b"\xe2\x80\xc3\xff\x81 ", size),
    "UTF-16": lambda size: _filled(_PROSE, size // 2).decode("ascii").encode("utf-16"),
    "dashes": lambda size: _filled(b"<p>" + b"-" * 3000 + b"</p>", size, before=_ITEM),
    "the item's words": lambda size: _filled(b"<p><b>" + b"risk factors " * 10 + b"</b></p>", size, before=_ITEM),
    "tagged facts": lambda size: _filled(b"<ix:nonNumeric name='dei:DocumentType'>10-K</ix:nonNumeric>", size),
}
"""Documents of about so many bytes: usual ones, and what makes each step of the extractor do the most."""


def main() -> int:
    """Measure every kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=50)
    size = parser.parse_args().megabytes * 1_000_000
    beyond = 0
    print("| document | status | characters of the section | CPU | peak memory |\n|---|---|---|---|---|", flush=True)
    for name, make in KINDS.items():
        with Apart() as extractor:
            answer = extractor.extract(make(size))
        over = answer.cpu_seconds > SECONDS or answer.peak_mib > MEBIBYTES
        beyond += over
        print(
            f"| {name} | {answer.status} | {answer.characters} | {answer.cpu_seconds:.2f} s "
            f"| {answer.peak_mib:.0f} MiB |{' BEYOND' if over else ''}",
            flush=True,
        )
    print(f"\n{len(KINDS) - beyond} of {len(KINDS)} within {SECONDS:.0f} s of processor time and {MEBIBYTES:.0f} MiB")
    return min(beyond, 1)


if __name__ == "__main__":
    sys.exit(main())
