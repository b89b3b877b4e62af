"""What a filing says, apart from how it looks: its risk factors as text with offsets, and its own facts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from localcloud.edgar.sample.companies import Company
from localcloud.edgar.sample.fiscal import long_date

BULLET = "\N{BULLET}"


class Status(StrEnum):
    """What stands under the risk factor item of a filing."""

    FULL = "full"
    POINTER = "pointer_or_no_change"
    NOT_REQUIRED = "not_required"
    ABSENT = "absent"


class PiiKind(StrEnum):
    """Kinds of personal data that are planted."""

    EMAIL = "email"
    PHONE = "phone"
    SSN = "ssn"
    CARD = "card"
    IBAN = "iban"


@dataclass(frozen=True)
class Pii:
    """One planted value that stands in a risk factor's body."""

    kind: PiiKind
    value: str


@dataclass(frozen=True)
class RiskFactor:
    """A risk factor as a reader sees it. A paragraph that starts with a bullet is a list entry."""

    id: str
    group: str | None
    subcaption: str
    paragraphs: tuple[str, ...]
    pii: tuple[Pii, ...] = ()

    @property
    def body(self) -> str:
        """The paragraphs, one a line."""
        return "\n".join(self.paragraphs)


@dataclass(frozen=True)
class Looks:
    """What of a layout shows in plain text: groups in uppercase, and what stands between a bullet and its text."""

    upper_groups: bool = False
    bullet_gap: str = ""


@dataclass(frozen=True)
class Section:
    """Item 1A: its introduction, its own summary (bullets, may be empty) and its risk factors."""

    status: Status
    introduction: tuple[str, ...]
    summary_heading: str = ""
    summary: tuple[str, ...] = ()
    factors: tuple[RiskFactor, ...] = ()


@dataclass(frozen=True)
class PlacedFactor:
    """A risk factor with the offsets of its body in the section's text: `text[start:end] == factor.body`."""

    factor: RiskFactor
    start: int
    end: int


@dataclass(frozen=True)
class SectionText:
    """The section as plain text, one block a line, without the item's heading and page furniture."""

    text: str
    factors: tuple[PlacedFactor, ...]


def section_text(section: Section, *, run_in: bool) -> SectionText:
    """Write a section down. With `run_in`, a subcaption stands on the line of its body's first paragraph."""
    lines = [*section.introduction]
    if section.summary:
        lines += [section.summary_heading, *section.summary]
    text = "\n".join(lines)
    placed: list[PlacedFactor] = []
    group: str | None = None
    for factor in section.factors:
        if factor.group is not None and factor.group != group:
            text += f"\n{factor.group}"
        group = factor.group
        text += f"\n{factor.subcaption}{' ' if run_in else chr(10)}"
        placed.append(PlacedFactor(factor, len(text), len(text) + len(factor.body)))
        text += factor.body
    return SectionText(text, tuple(placed))


@dataclass(frozen=True)
class Filing:
    """One 10-K or 10-Q. `quarter` is None for a 10-K."""

    company: Company
    form: str
    fiscal_year: int
    quarter: int | None
    period_end: date
    filing_date: date
    accession_number: str
    section: Section

    @property
    def fiscal_period(self) -> str:
        """`FY` or `Q1` to `Q3`."""
        return "FY" if self.quarter is None else f"Q{self.quarter}"

    @property
    def primary_document(self) -> str:
        """File name of the primary document, as filer agents build it."""
        suffix = "x10ka" if self.form.endswith("/A") else ""
        return f"{self.company.profile.ticker.lower()}-{self.period_end:%Y%m%d}{suffix}.htm"

    @property
    def path(self) -> str:
        """Path of the primary document below `www/`."""
        folder = self.accession_number.replace("-", "")
        return f"Archives/edgar/data/{int(self.company.cik)}/{folder}/{self.primary_document}"

    @property
    def period_text(self) -> str:
        """The period's last day in words."""
        return long_date(self.period_end)
