"""The split by company: plain Python."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark.split import TooFewCompanies, assign, latest_of, place, roles

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
    with pytest.raises(TooFewCompanies, match=r"at least 3 companies .*, there are 2"):
        assign(["0000000001", "0000000002", "0000000001"])


@given(CIKS, st.data())
def test_newcomers_test_and_take_no_other_company_s_place(ciks: set[str], data: st.DataObject) -> None:
    newcomers = data.draw(st.sets(st.from_regex(r"N\d{9}", fullmatch=True)))
    first_years = dict.fromkeys(ciks, 2023) | dict.fromkeys(newcomers, 2024)
    found = roles(first_years, latest_of(first_years.values()))
    assert found == assign(ciks) | dict.fromkeys(newcomers, "test")
    splits = {place(role, in_latest_year=first_years[cik] == 2024) for cik, role in found.items()}
    assert splits >= {"train", "validation", "test_company"}


def test_one_year_has_no_newcomers() -> None:
    first_years = {f"{number:010d}": 2023 for number in range(20)}
    assert roles(first_years, latest_of(first_years.values())) == assign(first_years)


def test_newcomers_alone_are_too_few() -> None:
    first_years = {"0000000001": 2023, "0000000002": 2023, "0000000003": 2024}
    with pytest.raises(TooFewCompanies, match="before the year that tests, there are 2"):
        roles(first_years, 2024)
