"""All files of a corpus, as bytes by relative path: a pure function of the options."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from localcloud.edgar.sample.broken import LAYOUT, Defect, broken_companies, broken_filings
from localcloud.edgar.sample.companies import Company, make_companies
from localcloud.edgar.sample.compose import Composer, load_section_words
from localcloud.edgar.sample.document import Filing
from localcloud.edgar.sample.filings import FISCAL_YEARS, amendment_of, filings_of, layout_of
from localcloud.edgar.sample.library import load_closings, load_factors
from localcloud.edgar.sample.outline import Block, Forms, Kind, load_forms, outline
from localcloud.edgar.sample.submissions import company_tickers, current_reports, row_of, submissions
from localcloud.edgar.sample.truth import truth_of

DEFAULT_COMPANIES: Final = 30
DEFAULT_SEED: Final = 1934


@dataclass(frozen=True)
class CorpusOptions:
    """What a corpus is made from."""

    companies: int = DEFAULT_COMPANIES
    seed: int = DEFAULT_SEED
    with_bad_input: bool = False

    def __post_init__(self) -> None:
        if self.companies < 1:
            raise ValueError(f"a corpus needs at least one company, not {self.companies}")


def make_corpus(options: CorpusOptions) -> Iterator[tuple[str, bytes]]:
    """Yield relative path and content of every file, always in the same order."""
    forms = load_forms()
    composer = Composer(load_factors(), load_closings(), load_section_words())
    companies = make_companies(options.companies, options.seed)
    truths: list[dict[str, Any]] = []
    for company in companies:
        yield from _company_files(company, composer, forms, truths)
    broken = broken_companies(options.seed) if options.with_bad_input else {}
    for defect, company in broken.items():
        yield from _broken_files(defect, company, composer, forms, truths)
    yield "www/files/company_tickers.json", _json(company_tickers([*companies, *broken.values()]))
    yield "truth.json", _json(truths)


def _company_files(
    company: Company, composer: Composer, forms: Forms, truths: list[dict[str, Any]]
) -> Iterator[tuple[str, bytes]]:
    layout = layout_of(company)
    rows = current_reports(company)
    for filing in filings_of(company, composer):
        content = layout.render(filing, outline(filing, forms)).encode()
        truths.append(truth_of(filing, layout=layout.name, run_in=layout.run_in))
        rows.append(row_of(filing, len(content)))
        yield f"www/{filing.path}", content
    amendment = amendment_of(company)
    if amendment is not None:
        content = layout.render(amendment, _amendment_blocks(amendment, forms)).encode()
        rows.append(row_of(amendment, len(content)))
        yield f"www/{amendment.path}", content
    for name, value in submissions(company, rows).items():
        yield f"data/submissions/{name}", _json(value)


def _broken_files(
    defect: Defect, company: Company, composer: Composer, forms: Forms, truths: list[dict[str, Any]]
) -> Iterator[tuple[str, bytes]]:
    rows = []
    for broken in broken_filings(defect, company, FISCAL_YEARS, composer, forms):
        truth = truth_of(broken.filing, layout=LAYOUT.name, run_in=LAYOUT.run_in, defect=defect.value)
        truths.append(truth | {"status": broken.status})
        rows.append(broken.row)
        if broken.content is not None:
            yield f"www/{broken.filing.path}", broken.content
    for name, value in submissions(company, rows).items():
        yield f"data/submissions/{name}", _json(value)


def _amendment_blocks(filing: Filing, forms: Forms) -> list[Block]:
    facts = {"name": filing.company.profile.name, "period_end": filing.period_text}
    heading = Block(Kind.HEADING, "Explanatory Note")
    return [heading, *(Block(Kind.PARAGRAPH, text.format(**facts)) for text in forms.amendment)]


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
