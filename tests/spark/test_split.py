"""The split by company: plain Python."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
