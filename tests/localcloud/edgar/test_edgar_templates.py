"""The template language and the checks on hand-written texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from localcloud.edgar.sample.companies import load_roster
from localcloud.edgar.sample.dice import Dice
from localcloud.edgar.sample.library import Factor, load_closings, load_factors
from localcloud.edgar.sample.templates import fill, slots_of

FACTS = {"product": "acme lamps", "company": "Acme"}


def test_facts_years_and_wordings() -> None:
    template = "{Product} sell. [2023: It was slow.][2024: It was fast.] [either: We grew // We shrank] at {company}."
    first = fill(template, FACTS, 2023, Dice("a"))
    second = fill(template, FACTS, 2024, Dice("a"))
    assert first.startswith("Acme lamps sell. It was slow. We ")
    assert second == first.replace("slow", "fast")
    assert slots_of(template) == {"product", "company"}


@given(seed=st.text(), low=st.integers(1, 5000), width=st.integers(0, 5000), year=st.sampled_from([2023, 2024, 2030]))
def test_numbers_stay_in_their_range(seed: str, low: int, width: int, year: int) -> None:
    number = int(fill(f"{{int:{low}-{low + width}}}", {}, year, Dice(seed)).replace(",", ""))
    assert low <= number <= low + width


@pytest.mark.parametrize("template", ["[never: x]", "a [2023: b", "{product", "[2023: [maybe: x]]"])
def test_a_template_that_cannot_be_read_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match=r"passage|unbalanced"):
        slots_of(template)


def test_a_missing_fact_is_an_error() -> None:
    with pytest.raises(KeyError, match="rival"):
        fill("{rival}", FACTS, 2023, Dice("a"))


def test_boilerplate_must_be_the_same_for_all() -> None:
    with pytest.raises(ValidationError, match="boilerplate must be free of slots"):
        Factor.model_validate(
            {
                "id": "x",
                "category": "legal",
                "boilerplate": True,
                "subcaptions": ["We are {company}."],
                "body": ["word " * 60, "word " * 60],
            }
        )


def test_every_text_has_its_facts_in_every_company_that_it_fits() -> None:
    factors = load_factors()
    closings = {name for texts in load_closings().values() for text in texts for name in slots_of(text)}
    for company in load_roster().companies:
        known = company.facts.keys() | {"company", "name"}
        assert closings <= known
        for factor in factors:
            if factor.fits(company.industry):
                assert factor.slots <= known, (factor.id, company.name)


def test_the_library_is_large_and_its_texts_are_distinct() -> None:
    factors = load_factors()
    assert len(factors) >= 110
    assert len({factor.body[0] for factor in factors}) == len(factors)
    industries = {name for factor in factors for name in factor.industries}
    assert len(industries) >= 8
    assert all(sum(name in factor.industries for factor in factors) >= 5 for name in industries)
    assert {name for factor in factors for name in factor.unsuited} <= load_roster().industries.keys()
