"""The split by company and identity by content: plain Python."""

from __future__ import annotations

import hashlib
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark.merkle import encode, merkle_root, row_digest
from spark.split import TooFewCompanies, assign

CIKS = st.sets(st.from_regex(r"\d{10}", fullmatch=True), min_size=3, max_size=40)


@given(CIKS)
def test_every_split_has_a_company(ciks: set[str]) -> None:
    assert set(assign(ciks).values()) == {"train", "validation", "test"}
    assert assign(ciks).keys() == ciks


def test_shares_are_about_80_10_10() -> None:
    shares = Counter(assign(f"{number:010d}" for number in range(4000)).values())
    assert 0.77 < shares["train"] / 4000 < 0.83
    assert 0.08 < shares["validation"] / 4000 < 0.12


def test_a_company_stays_when_others_come() -> None:
    few = assign(f"{number:010d}" for number in range(200))
    many = assign(f"{number:010d}" for number in range(2000))
    assert all(many[cik] == split for cik, split in few.items())


def test_two_companies_are_too_few() -> None:
    with pytest.raises(TooFewCompanies, match="at least 3 companies, there are 2"):
        assign(["0000000001", "0000000002", "0000000001"])


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
