"""Identity by content: plain Python."""

from __future__ import annotations

import hashlib
import random

from hypothesis import given
from hypothesis import strategies as st

from unitydoor.merkle import encode, merkle_root, row_digest


def tree(leaves: list[bytes]) -> bytes:
    """The definition of RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + tree(leaves[:half]) + tree(leaves[half:])).digest()


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=70))
def test_root_is_that_of_rfc_6962(digests: list[bytes]) -> None:
    assert merkle_root(digests) == tree(sorted(digests)).hex()


def test_root_does_not_depend_on_order() -> None:
    digests = [row_digest([number]) for number in range(100)]
    root = merkle_root(digests)
    random.Random(7).shuffle(digests)
    assert merkle_root(digests) == root


@given(st.lists(st.none() | st.text() | st.integers()), st.lists(st.none() | st.text() | st.integers()))
def test_different_rows_have_different_encodings(one: list[str | int | None], other: list[str | int | None]) -> None:
    def texts(row: list[str | int | None]) -> list[str | None]:
        return [None if value is None else str(value) for value in row]

    same = "".join(map(encode, one)) == "".join(map(encode, other))
    assert same == (texts(one) == texts(other))
