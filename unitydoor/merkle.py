"""Identity by content: a row's digest, and the Merkle root over a table's rows. Plain Python, no Spark.

It says how what comes through the door is identified: the job that freezes a table and the job that reads it hold
the rows against one root. Both payloads ship this package, so the definition is in one place.

The definition, so that any other reader of a table can repeat it:

- A row's digest is the SHA-256 of its columns' canonical encodings, one after another in the stated order, as
  UTF-8. A value's encoding is `<n>:<text>`, n being the number of code points of its text (integers in decimal);
  null is `-`. No two different rows have one encoding.
- The root is RFC 6962's Merkle tree hash (section 2.1, SHA-256) over the rows' 32-byte digests in ascending
  order, so it does not depend on the order, partitioning or files in which the rows are stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

LEAF, NODE = b"\x00", b"\x01"


def encode(value: str | int | None) -> str:
    """Return the canonical encoding of one value."""
    if value is None:
        return "-"
    text = str(value)
    return f"{len(text)}:{text}"


def row_digest(values: Sequence[str | int | None]) -> bytes:
    """Return the 32-byte digest of one row's values in column order."""
    return hashlib.sha256("".join(map(encode, values)).encode()).digest()


class MerkleTree:
    """RFC 6962's tree, built leaf by leaf while only the roots of complete subtrees are kept (O(log n) memory)."""

    def __init__(self) -> None:
        self._subtrees: list[tuple[int, bytes]] = []

    def add(self, leaf: bytes) -> None:
        """Append one leaf."""
        self._subtrees.append((1, hashlib.sha256(LEAF + leaf).digest()))
        while len(self._subtrees) > 1 and self._subtrees[-1][0] == self._subtrees[-2][0]:
            self._join_last_two()

    def root(self) -> str:
        """Return the root in hex; that of an empty tree is the SHA-256 of nothing."""
        if not self._subtrees:
            return hashlib.sha256().hexdigest()
        _, root = self._subtrees[-1]
        for _, left in reversed(self._subtrees[:-1]):
            root = hashlib.sha256(NODE + left + root).digest()
        return root.hex()

    def _join_last_two(self) -> None:
        (size, left), (_, right) = self._subtrees[-2:]
        self._subtrees[-2:] = [(2 * size, hashlib.sha256(NODE + left + right).digest())]


def merkle_root(digests: Iterable[bytes]) -> str:
    """Return the root over the digests, in hex, in whatever order they come."""
    tree = MerkleTree()
    for digest in sorted(digests):
        tree.add(digest)
    return tree.root()
