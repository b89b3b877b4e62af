"""Which risk factors a company reports in which year, in which order and groups, with which introduction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from localcloud.edgar.sample import pii
from localcloud.edgar.sample.companies import Company
from localcloud.edgar.sample.dice import Dice
from localcloud.edgar.sample.document import BULLET, Looks, RiskFactor, Section, Status
from localcloud.edgar.sample.library import Category, Factor
from localcloud.edgar.sample.templates import FIRST_YEAR, fill

MIN_FACTORS: Final = 14
MAX_FACTORS: Final = 20
_CHANGING: Final = 2  # factors that stand in one of the two years only
_INDUSTRY_FACTORS: Final = 6
_SUMMARIZED: Final = 6
_SUMMARY_PERCENT: Final = 30
_PII_PERCENT: Final = 9
_CLOSING_PERCENT: Final = 65


class SummaryWords(BaseModel):
    """How a section's own summary begins."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    heading: str
    lead: str


class SectionWords(BaseModel):
    """The whole of `sections.yaml`: what stands around the risk factors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    groupings: tuple[Mapping[Category, str], ...] = Field(min_length=1)
    introductions: tuple[str, ...] = Field(min_length=1)
    summary: SummaryWords
    pointers: tuple[str, ...] = Field(min_length=1)
    not_required: str

    @model_validator(mode="after")
    def _check(self) -> SectionWords:
        if any(set(grouping) != set(Category) for grouping in self.groupings):
            raise ValueError("sections.yaml: a grouping must name a group for every category")
        return self


def load_section_words() -> SectionWords:
    """Read `sections.yaml`; raises ValueError where it is wrong."""
    return SectionWords.model_validate(yaml.safe_load(files(__package__).joinpath("sections.yaml").read_text("utf-8")))


class Composer:
    """Composes the sections of companies out of one library of risk factors."""

    def __init__(
        self, library: tuple[Factor, ...], closings: Mapping[Category, tuple[str, ...]], words: SectionWords
    ) -> None:
        self._library = library
        self._closings = closings
        self._words = words

    def full(self, company: Company, year: int, looks: Looks) -> Section:
        """The section of a 10-K, or of a 10-Q that repeats it all."""
        dice = company.dice.under("section")
        grouping = dice.choice((*self._words.groupings, None), "grouping")
        closings = self._closings_of(company)
        factors = tuple(
            _write(factor, closings.get(factor.id), _group(grouping, factor, looks), company, year, looks.bullet_gap)
            for factor in _by_group(self.factors_of(company, year), grouping)
        )
        introduction = dice.choice(self._words.introductions, "introduction")
        introduction = introduction.format(company=company.profile.short, year=year)
        section = Section(Status.FULL, (introduction,), factors=factors)
        return self._summarize(section, dice, looks.bullet_gap) if dice.chance(_SUMMARY_PERCENT, "summary") else section

    def pointer(self, company: Company, year: int) -> Section:
        """The section of a 10-Q that refers to the annual report for the fiscal year before."""
        words = company.dice.choice(self._words.pointers, "pointer").format(last_year=year - 1)
        return Section(Status.POINTER, (words,))

    def not_required(self, company: Company) -> Section:
        """The section of a smaller reporting company."""
        return Section(Status.NOT_REQUIRED, (self._words.not_required.format(company=company.profile.short),))

    def factors_of(self, company: Company, year: int) -> list[Factor]:
        """The factors of a year, by category. Each year lacks one that the other year has."""
        chosen = self._chosen(company)
        dice = company.dice.under("factors")
        changing = dice.shuffled([factor for factor in chosen if not factor.boilerplate], "changing")
        missing = changing[(year - FIRST_YEAR) % _CHANGING] if len(changing) >= _CHANGING else None
        order = list(Category)
        return sorted(
            (factor for factor in chosen if factor is not missing), key=lambda factor: order.index(factor.category)
        )

    def _chosen(self, company: Company) -> list[Factor]:
        dice = company.dice.under("factors")
        count = dice.integer(MIN_FACTORS + 1, MAX_FACTORS + 1, "count")
        return self._candidates(company, dice)[:count]

    def _closings_of(self, company: Company) -> dict[str, str]:
        """Closings by factor: some factors have one, no two of a company the same."""
        dice = company.dice.under("closings")
        left = {category: dice.shuffled(texts, category) for category, texts in self._closings.items()}
        return {
            factor.id: left[factor.category].pop()
            for factor in self._chosen(company)
            if not factor.boilerplate and left[factor.category] and dice.chance(_CLOSING_PERCENT, factor.id)
        }

    def _candidates(self, company: Company, dice: Dice) -> list[Factor]:
        """Fitting factors, best first: some of the industry's own, then one of each category in turn."""
        fitting = [factor for factor in self._library if factor.fits(company.profile.industry)]
        own = dice.shuffled([factor for factor in fitting if factor.industries], "own")[:_INDUSTRY_FACTORS]
        common = dice.shuffled([factor for factor in fitting if not factor.industries], "common")
        turns: dict[Category, int] = {}
        ranked: list[tuple[int, int]] = []
        for index, factor in enumerate(common):
            turns[factor.category] = turns.get(factor.category, 0) + 1
            ranked.append((turns[factor.category], index))
        by_subject: dict[str, Factor] = {}
        for factor in own + [common[index] for _, index in sorted(ranked)]:
            by_subject.setdefault(factor.subject, factor)
        return list(by_subject.values())

    def _summarize(self, section: Section, dice: Dice, gap: str) -> Section:
        picked = dice.shuffled(section.factors, "summarized")[:_SUMMARIZED]
        bullets = [f"{BULLET}{gap}{factor.subcaption}" for factor in section.factors if factor in picked]
        words = self._words.summary
        return replace(section, summary_heading=words.heading, summary=(words.lead, *bullets))


def _group(grouping: Mapping[Category, str] | None, factor: Factor, looks: Looks) -> str | None:
    if grouping is None:
        return None
    group = grouping[factor.category]
    return group.upper() if looks.upper_groups else group


def _by_group(factors: list[Factor], grouping: Mapping[Category, str] | None) -> list[Factor]:
    """Put factors together whose categories share a group."""
    if grouping is None:
        return factors
    groups = list(dict.fromkeys(grouping[category] for category in Category))
    return sorted(factors, key=lambda factor: groups.index(grouping[factor.category]))


def _write(factor: Factor, closing: str | None, group: str | None, company: Company, year: int, gap: str) -> RiskFactor:
    dice = company.dice.under("factor", factor.id)
    facts = company.facts
    subcaption = fill(dice.choice(factor.subcaptions, "subcaption"), facts, year, dice.under("subcaption"))
    templates = factor.body if closing is None else (*factor.body, closing)
    paragraphs = tuple(
        f"{BULLET}{gap}{text.removeprefix('- ')}" if text.startswith("- ") else text
        for index, template in enumerate(templates)
        for text in [fill(template, facts, year, dice.under(index))]
    )
    written = RiskFactor(factor.id, group, subcaption, paragraphs)
    planted = not factor.boilerplate and dice.chance(_PII_PERCENT, f"pii/{year}")
    return _plant(written, company, dice.under("pii", year)) if planted else written


def _plant(factor: RiskFactor, company: Company, dice: Dice) -> RiskFactor:
    sentence, value = pii.sentence(company, dice)
    places = [index for index, text in enumerate(factor.paragraphs) if not text.startswith(BULLET)]
    place = dice.choice(places, "place")
    paragraphs = tuple(f"{text} {sentence}" if index == place else text for index, text in enumerate(factor.paragraphs))
    return replace(factor, paragraphs=paragraphs, pii=(value,))
