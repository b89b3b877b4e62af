"""Bodies of answers: documents put together from pieces, and gzip streams put together from packed pieces.

A served folder may hold `filler/NNNN.html`: pieces that documents share. A document then has marks such as
`<!--filler 12 7-->`, in whose places the pieces stand when it is served. So thousands of documents of megabytes need
little disk, and, as a gzip stream may be joined from blocks packed before, little time.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

FILLER_FOLDER: Final = "filler"
_MARK: Final = re.compile(rb"<!--filler((?: \d{1,4})+)-->")
_GZIP_LEVEL: Final = 4
_GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # RFC 1952, 2.3: deflate, no name, no time
_LAST_BLOCK: Final = b"\x03\x00"  # RFC 1951: an empty block that ends the stream


class UnknownPieceError(LookupError):
    """A document asks for a piece that the folder lacks."""


@dataclass(frozen=True)
class Piece:
    """A part of a body. `packed` is deflated and refers to nothing before it, so pieces can be joined."""

    content: bytes

    @cached_property
    def packed(self) -> bytes:
        """The piece as deflate blocks that end at a byte; made once."""
        packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        return packer.compress(self.content) + packer.flush(zlib.Z_FULL_FLUSH)


def mark(numbers: Iterable[int]) -> str:
    """What stands in a document where pieces are to be put."""
    return f"<!--filler {' '.join(map(str, numbers))}-->"


def piece_name(number: int) -> str:
    """The file name of a piece."""
    return f"{number:04}.html"


class Filler:
    """The pieces of a served folder; none where it has no such folder."""

    def __init__(self, root: Path) -> None:
        files = sorted((root / FILLER_FOLDER).glob("[0-9][0-9][0-9][0-9].html"))
        self._pieces = {int(path.stem): Piece(path.read_bytes()) for path in files}

    def expand(self, content: bytes) -> tuple[Piece, ...]:
        """The pieces of a document. Raises UnknownPieceError where it names one that is not there."""
        if not self._pieces:
            return (Piece(content),)
        parts: list[Piece] = []
        for index, text in enumerate(_MARK.split(content)):
            if index % 2:
                parts += [self._piece(int(number)) for number in text.split()]
            elif text:
                parts.append(Piece(text))
        return tuple(parts) or (Piece(b""),)

    def _piece(self, number: int) -> Piece:
        try:
            return self._pieces[number]
        except KeyError:
            raise UnknownPieceError(f"there is no {FILLER_FOLDER}/{piece_name(number)} in the served folder") from None


def gzip_of(parts: Sequence[Piece]) -> bytes:
    """One gzip member that holds the parts in order."""
    checksum = length = 0
    for part in parts:
        checksum = zlib.crc32(part.content, checksum)
        length += len(part.content)
    trailer = struct.pack("<LL", checksum, length & 0xFFFFFFFF)
    return b"".join((_GZIP_HEADER, *(part.packed for part in parts), _LAST_BLOCK, trailer))
