"""Ground truth for tests: what each filing says, with offsets, and where personal data was planted. Never served."""

from __future__ import annotations

from typing import Any

from localcloud.edgar.sample.document import Filing, SectionText, Status, section_text


def truth_of(filing: Filing, *, layout: str, run_in: bool, defect: str | None = None) -> dict[str, Any]:
    """The truth about one filing, ready for JSON. Offsets count characters of `text`."""
    written = section_text(filing.section, run_in=run_in)
    absent = filing.section.status is Status.ABSENT
    return {
        "cik": filing.company.cik,
        "ticker": filing.company.profile.ticker,
        "entity_name": filing.company.profile.name,
        "industry": filing.company.profile.industry,
        "layout": layout,
        "form": filing.form,
        "fiscal_year": filing.fiscal_year,
        "fiscal_period": filing.fiscal_period,
        "period_end": str(filing.period_end),
        "filing_date": str(filing.filing_date),
        "accession_number": filing.accession_number,
        "path": f"www/{filing.path}",
        "status": filing.section.status.value,
        "defect": defect,
        "text": None if absent else written.text,
        "summary": "\n".join(filing.section.summary) or None,
        "risk_factors": [
            {
                "id": placed.factor.id,
                "group": placed.factor.group,
                "subcaption": placed.factor.subcaption,
                "body": placed.factor.body,
                "start": placed.start,
                "end": placed.end,
            }
            for placed in written.factors
        ],
        "pii": _planted(written),
    }


def _planted(written: SectionText) -> list[dict[str, Any]]:
    spans: list[dict[str, Any]] = []
    for index, placed in enumerate(written.factors):
        for pii in placed.factor.pii:
            start = placed.start + placed.factor.body.index(pii.value)
            spans.append(
                {
                    "kind": pii.kind.value,
                    "value": pii.value,
                    "risk_factor_index": index,
                    "start": start,
                    "end": start + len(pii.value),
                }
            )
    return spans
