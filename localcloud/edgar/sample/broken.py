"""Companies whose annual reports are broken in one way each, for tests of readers of filings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from localcloud.edgar.sample.companies import Company, load_roster
from localcloud.edgar.sample.compose import Composer
from localcloud.edgar.sample.dice import Dice
from localcloud.edgar.sample.document import Filing, Section, Status
from localcloud.edgar.sample.filings import annual_report
from localcloud.edgar.sample.layouts import Layout, StyledSpans
from localcloud.edgar.sample.outline import Forms, outline, risk_blocks
from localcloud.edgar.sample.submissions import Row, row_of

# Far from the other companies, so that a corpus has the same CIKs with and without these.
_FIRST_NUMBER: Final = 900_000


class Defect(StrEnum):
    """What is wrong with a filing."""

    NO_ITEM = "no_item_1a"
    MALFORMED = "malformed_html"
    EMPTY = "empty_document"
    MISSING = "missing_document"
    NO_YEAR = "no_fiscal_year"


@dataclass(frozen=True)
class BrokenFiling:
    """A broken filing: its row, and its bytes unless the document is missing. `status` is what a good reader finds."""

    filing: Filing
    defect: Defect
    row: Row
    content: bytes | None
    status: str


_NAMES: Final = {
    Defect.NO_ITEM: ("Omitted Item Corp", "NOITM"),
    Defect.MALFORMED: ("Tangled Markup Corp", "TANGL"),
    Defect.EMPTY: ("Empty Page Corp", "EMPTY"),
    Defect.MISSING: ("Missing Document Corp", "MISSG"),
    Defect.NO_YEAR: ("Undated Report Corp", "UNDTD"),
}
LAYOUT: Final[Layout] = StyledSpans()


def broken_companies(seed: int) -> dict[Defect, Company]:
    """One company for each defect."""
    roster = load_roster()
    model = roster.companies[0]
    companies: dict[Defect, Company] = {}
    for number, (defect, (name, ticker)) in enumerate(_NAMES.items(), _FIRST_NUMBER):
        profile = model.model_copy(update={"name": name, "short": name.removesuffix(" Corp"), "ticker": ticker})
        industry = roster.industries[profile.industry]
        companies[defect] = Company(
            number=number, profile=profile, industry=industry, dice=Dice(f"{seed}/broken/{name}")
        )
    return companies


def broken_filings(
    defect: Defect, company: Company, years: tuple[int, ...], composer: Composer, forms: Forms
) -> Iterator[BrokenFiling]:
    """The annual reports of a company, each with its defect."""
    for year in years:
        section = composer.full(company, year, LAYOUT.looks)
        filing = annual_report(company, year, section)
        yield _BREAKERS[defect](filing, forms)


def _no_item(filing: Filing, forms: Forms) -> BrokenFiling:
    without = replace(filing, section=Section(Status.ABSENT, ()))
    return _broken(without, Defect.NO_ITEM, _render(without, forms), Status.ABSENT.value)


def _malformed(filing: Filing, forms: Forms) -> BrokenFiling:
    pieces = _render(filing, forms).split("</span>")
    tangled = "".join(
        piece + ("" if index % 7 == 0 else "</span></b>" if index % 11 == 0 else "</span>")
        for index, piece in enumerate(pieces)
    )
    damaged = tangled.replace("</body></html>", "<div><p <b>&nosuch; &#xFFFFFFFF; ").encode()
    return _broken(filing, Defect.MALFORMED, damaged + b"\x00\xff\xfe\x80", Status.FULL.value)


def _empty(filing: Filing, forms: Forms) -> BrokenFiling:
    return _broken(filing, Defect.EMPTY, "", "failed")


def _missing(filing: Filing, forms: Forms) -> BrokenFiling:
    return BrokenFiling(filing, Defect.MISSING, row_of(filing, 60_000), None, "failed")


def _no_year(filing: Filing, forms: Forms) -> BrokenFiling:
    blocks = "".join(LAYOUT.block(block, f"b{index}") for index, block in enumerate(risk_blocks(filing.section)))
    heading = LAYOUT.item("1A", "Risk Factors", "item1a")
    end = LAYOUT.item("1B", "Unresolved Staff Comments", "item1b")
    text = f"<html><head><title>report</title></head><body>{heading}{blocks}{end}</body></html>"
    content = text.encode()
    row = replace(row_of(filing, len(content), inline_xbrl=False), report_date=None)
    return BrokenFiling(filing, Defect.NO_YEAR, row, content, Status.FULL.value)


def _broken(filing: Filing, defect: Defect, content: str | bytes, status: str) -> BrokenFiling:
    encoded = content.encode() if isinstance(content, str) else content
    return BrokenFiling(filing, defect, row_of(filing, len(encoded)), encoded, status)


def _render(filing: Filing, forms: Forms) -> str:
    return LAYOUT.render(filing, outline(filing, forms))


_BREAKERS: Final[dict[Defect, Callable[[Filing, Forms], BrokenFiling]]] = {
    Defect.NO_ITEM: _no_item,
    Defect.MALFORMED: _malformed,
    Defect.EMPTY: _empty,
    Defect.MISSING: _missing,
    Defect.NO_YEAR: _no_year,
}
