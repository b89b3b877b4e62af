"""The sample corpus, whose truth its generator knows: text, status, structure and facts of every filing."""

import json
from pathlib import Path
from typing import Any

from govtune_assets.extraction import extract_with_facts


def words(text: str | None) -> str:
    return " ".join((text or "").split())


def told(factor: Any) -> tuple[str, str, str]:
    return words(factor["group"]), words(factor["subcaption"]), words(factor["body"])


def test_every_filing_is_read_as_it_was_written(corpus: Path) -> None:
    rows = json.loads((corpus / "truth.json").read_text())
    assert len({row["layout"] for row in rows}) >= 5
    for row in rows:
        section, facts = extract_with_facts((corpus / row["path"]).read_bytes(), row["form"])
        name = f"{row['ticker']} {row['form']} {row['period_end']} ({row['layout']})"
        assert (facts.fiscal_year, facts.fiscal_period) == (int(row["fiscal_year"]), row["fiscal_period"]), name
        assert str(facts.period_end) == row["period_end"], name
        assert facts.ciks == (row["cik"],), name
        assert section.status.value == row["status"], name
        assert words(section.text) == words(row["text"]), name
        if row["status"] != "full":
            continue
        found = [(words(f.group), words(f.subcaption), words(f.body)) for f in section.risk_factors]
        assert found == [told(factor) for factor in row["risk_factors"]], name
        assert words(section.summary) == words(row["summary"]), name
