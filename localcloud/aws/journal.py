"""A journal of small records, so that a change is safe before the next whole snapshot is written.

Records are appended to one file a generation. A snapshot starts a new generation and, once it is on disk, makes the
older ones useless. A record that a crash cut short is the last one of its file and is left out.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

_HEADER = struct.Struct(">II")  # length and CRC-32 of the record


class Journal:
    """The journal in `folder`, with files named `NAME.GENERATION.journal`, mode 0600."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._generation = max(self._files(), default=0)
        self._descriptor = -1
        self.records = 0
        """How many records this generation has taken since this process began it."""

    def append(self, record: bytes) -> None:
        """Add a record; it outlives this process when this returns."""
        if self._descriptor < 0:
            self.begin()
        data = _HEADER.pack(len(record), zlib.crc32(record)) + record
        written = 0
        while written < len(data):
            written += os.write(self._descriptor, data[written:])
        self.records += 1

    def begin(self) -> int:
        """Start a new generation; returns its number, which a snapshot of this very moment must carry."""
        self.close()
        self._generation += 1
        self.records = 0
        path = self._path(self._generation)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL, 0o600)
        return self._generation

    def forget_before(self, generation: int) -> None:
        """Remove the generations that a snapshot on disk contains."""
        for old, path in self._files().items():
            if old < generation:
                path.unlink()

    def replay(self, generation: int) -> Iterator[bytes]:
        """The records since the snapshot that carries `generation`, oldest first."""
        for number, path in sorted(self._files().items()):
            if number >= generation:
                yield from _records(path.read_bytes())

    def close(self) -> None:
        """Close the file; the next record begins a generation."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _path(self, generation: int) -> Path:
        return self._folder / f"{self._name}.{generation:012d}.journal"

    def _files(self) -> dict[int, Path]:
        found = self._folder.glob(f"{self._name}.*.journal")
        return {int(path.name.split(".")[-2]): path for path in found}


def _records(data: bytes) -> Iterator[bytes]:
    position = 0
    while position + _HEADER.size <= len(data):
        length, checksum = _HEADER.unpack_from(data, position)
        record = data[position + _HEADER.size : position + _HEADER.size + length]
        if len(record) < length or zlib.crc32(record) != checksum:
            return
        yield record
        position += _HEADER.size + length
