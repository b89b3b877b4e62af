"""The fictional companies: the hand-written ones, and as many more as asked for, combined from them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from itertools import islice
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from localcloud.edgar.sample.dice import Dice
from localcloud.edgar.sample.fiscal import FiscalYearEnd

# The SEC gives CIKs out in ascending order and is near two million: these ten digits will not be a filer's.
FIRST_CIK: Final = 9_900_000_001


class Industry(BaseModel):
    """An industry of the corpus, with its SIC code and the endings of its companies' names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sic: str = Field(pattern=r"^\d{4}$")
    sic_description: str
    suffixes: tuple[str, ...] = Field(min_length=1)


class NameParts(BaseModel):
    """Two lists of words whose pairs name the combined companies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: tuple[str, ...]
    second: tuple[str, ...]


class Profile(BaseModel):
    """A company as it is written down: everything but its CIK."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    short: str
    ticker: str = Field(pattern=r"^[A-Z]{1,5}$")
    second_ticker: str | None = None
    industry: str
    fiscal_year_end: FiscalYearEnd
    state: str = Field(pattern=r"^[A-Z]{2}$")
    facts: Mapping[str, str]


class Roster(BaseModel):
    """The whole of `companies.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name_parts: NameParts
    industries: Mapping[str, Industry]
    companies: tuple[Profile, ...]

    @model_validator(mode="after")
    def _check(self) -> Roster:
        kinds: dict[str, frozenset[str]] = {}
        for company in self.companies:
            if company.industry not in self.industries:
                raise ValueError(f"{company.name}: unknown industry {company.industry}")
            facts = frozenset(company.facts)
            if kinds.setdefault(company.industry, facts) != facts:
                raise ValueError(
                    f"{company.name}: its facts differ from those of the other {company.industry} companies"
                )
        tickers = [company.ticker for company in self.companies]
        if len(set(tickers)) != len(tickers):
            raise ValueError("two companies share a ticker")
        return self


class Company(BaseModel):
    """One filer of a generated corpus."""

    model_config = ConfigDict(frozen=True)

    number: int
    profile: Profile
    industry: Industry
    dice: Dice

    @property
    def cik(self) -> str:
        """Ten digits."""
        return str(FIRST_CIK + self.number)

    @property
    def facts(self) -> dict[str, str]:
        """Everything that a text may say about the company."""
        return {**self.profile.facts, "company": self.profile.short, "name": self.profile.name}

    @property
    def tickers(self) -> tuple[str, ...]:
        """One ticker, or one for each share class."""
        second = self.profile.second_ticker
        return (self.profile.ticker,) if second is None else (self.profile.ticker, second)


def load_roster() -> Roster:
    """Read `companies.yaml`; raises ValueError where it is wrong."""
    return Roster.model_validate(yaml.safe_load(files(__package__).joinpath("companies.yaml").read_text("utf-8")))


def make_companies(count: int, seed: int) -> tuple[Company, ...]:
    """The first `count` companies of the corpus that `seed` names; the hand-written ones come first.

    They are taken one from each industry in turn, so that a small corpus has many industries too.
    Raises ValueError where more are asked for than there are names.
    """
    roster = load_roster()
    dice = Dice(str(seed))
    profiles = [*_in_turn(roster), *islice(_combined(roster, dice), max(0, count - len(roster.companies)))]
    if len(profiles) < count:
        raise ValueError(f"at most {len(profiles)} companies can be named; {count} were asked for")
    return tuple(
        Company(
            number=number, profile=profile, industry=roster.industries[profile.industry], dice=dice.under(profile.name)
        )
        for number, profile in enumerate(profiles[:count])
    )


def _in_turn(roster: Roster) -> list[Profile]:
    seen: dict[str, int] = {}
    turns: list[tuple[int, int]] = []
    for index, company in enumerate(roster.companies):
        turn = seen.get(company.industry, 0)
        seen[company.industry] = turn + 1
        turns.append((turn, index))
    return [roster.companies[index] for _, index in sorted(turns)]


def _combined(roster: Roster, dice: Dice) -> list[Profile]:
    industries = list(roster.industries)
    pairs = [(first, second) for first in roster.name_parts.first for second in roster.name_parts.second]
    taken = {company.short for company in roster.companies} | {company.ticker for company in roster.companies}
    found: list[Profile] = []
    for first, second in dice.shuffled(pairs, "names"):
        short, ticker = f"{first} {second}", _free_ticker(first, second, taken)
        if short in taken:
            continue
        taken |= {short, ticker}
        found.append(_combine(roster, industries[len(found) % len(industries)], short, ticker, dice.under(short)))
    return found


def _free_ticker(first: str, second: str, taken: set[str]) -> str:
    letters = (first + second).upper()
    for end in range(len(letters) - 2):
        for middle in range(end + 1, len(letters) - 1):
            candidate = letters[0] + letters[end] + letters[middle] + letters[-1]
            if candidate not in taken:
                return candidate
    raise ValueError(f"no ticker is left for {first} {second}")


def _combine(roster: Roster, industry: str, short: str, ticker: str, dice: Dice) -> Profile:
    models = [company for company in roster.companies if company.industry == industry]
    facts = {fact: dice.choice(models, fact).facts[fact] for fact in models[0].facts}
    calendar = dice.choice(models, "calendar")
    return Profile(
        name=f"{short} {dice.choice(roster.industries[industry].suffixes, 'suffix')}",
        short=short,
        ticker=ticker,
        industry=industry,
        fiscal_year_end=calendar.fiscal_year_end,
        state=calendar.state,
        facts={**facts, "executive": _executive(roster, dice)},
    )


def _executive(roster: Roster, dice: Dice) -> str:
    names = [company.facts["executive"].split(maxsplit=1) for company in roster.companies]
    return f"{dice.choice(names, 'first name')[0]} {dice.choice(names, 'last name')[1]}"
