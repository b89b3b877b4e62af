"""The hand-written risk factors as typed, validated data.

A file of `factors/` holds a list of factors. Each belongs to one category; one with `industries` fits those
companies only, one with `unsuited` all but those. Factors with the same `topic` say the same thing more or less
specifically: a filing has at most one of them. `boilerplate` marks a text without any slot or variant, which
companies share word for word, year after year.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from importlib.resources import files
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from localcloud.edgar.sample.templates import slots_of

MIN_BODY_WORDS: Final = 90


class Category(StrEnum):
    """What a risk factor is about; a filing's groups follow this order."""

    STRATEGY = "strategy"
    OPERATIONS = "operations"
    TECHNOLOGY = "technology"
    LEGAL = "legal"
    FINANCIAL = "financial"
    PEOPLE = "people"
    ENVIRONMENT = "environment"
    GENERAL = "general"


class Factor(BaseModel):
    """One risk factor: alternative subcaptions, and the paragraphs of its body, all of them templates."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    category: Category
    topic: str = ""
    industries: tuple[str, ...] = ()
    unsuited: tuple[str, ...] = ()
    boilerplate: bool = False
    subcaptions: tuple[str, ...] = Field(min_length=1)
    body: tuple[str, ...] = Field(min_length=2, max_length=12)

    @model_validator(mode="after")
    def _check(self) -> Factor:
        if self.boilerplate and (self.slots or any("[" in text or "{" in text for text in self.templates)):
            raise ValueError(f"factor {self.id}: boilerplate must be free of slots and passages")
        if sum(len(paragraph.split()) for paragraph in self.body) < MIN_BODY_WORDS:
            raise ValueError(f"factor {self.id}: the body has fewer than {MIN_BODY_WORDS} words")
        return self

    @property
    def templates(self) -> tuple[str, ...]:
        """Every template of the factor."""
        return self.subcaptions + self.body

    @cached_property
    def slots(self) -> frozenset[str]:
        """The facts that a company needs for this factor."""
        return frozenset().union(*(slots_of(text) for text in self.templates))

    @property
    def subject(self) -> str:
        """What makes two factors exclude each other."""
        return self.topic or self.id

    def fits(self, industry: str) -> bool:
        """Tell whether companies of `industry` may have this factor."""
        return industry in self.industries if self.industries else industry not in self.unsuited


_FACTORS: Final = TypeAdapter(tuple[Factor, ...])


_CLOSINGS: Final = TypeAdapter(Mapping[Category, tuple[str, ...]])


def load_closings() -> Mapping[Category, tuple[str, ...]]:
    """Read `closings.yaml`: last paragraphs that fit any factor of a category; raises ValueError where it is wrong."""
    text = files(__package__).joinpath("closings.yaml").read_text("utf-8")
    closings = _CLOSINGS.validate_python(yaml.safe_load(text))
    if set(closings) != set(Category):
        raise ValueError("closings.yaml: every category needs closings")
    return closings


def load_factors() -> tuple[Factor, ...]:
    """Read every factor, in the order of file names; raises ValueError where a file is wrong or an id stands twice."""
    found: list[Factor] = []
    for path in sorted(files(f"{__package__}.factors").iterdir(), key=lambda entry: entry.name):
        if path.name.endswith(".yaml"):
            found += _FACTORS.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    ids = [factor.id for factor in found]
    doubles = sorted({name for name in ids if ids.count(name) > 1})
    if doubles:
        raise ValueError(f"risk factors share an id: {', '.join(doubles)}")
    return tuple(found)
