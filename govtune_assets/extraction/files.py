"""Extraction of a file on disk, as a JSON-ready row: what `govtune extract` prints."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

from govtune_assets.extraction.section import extract_with_facts


def extract_file(path: Path, form_type: str | None = None) -> dict[str, object]:
    """A row with `id` (the file's stem), `text`, `status`, `evidence`, `risk_factors`, `summary` and `cpu_s`.

    `form_type` names the file's form; by default the document's own cover says it. `cpu_s` is the processor time in
    seconds that parsing and extraction took. Raises OSError where the file cannot be read.
    """
    document = path.read_bytes()
    before = time.process_time()
    section, _ = extract_with_facts(document, form_type)
    spent = time.process_time() - before
    return {
        "id": path.stem,
        "text": section.text,
        "status": section.status.value,
        "evidence": section.evidence,
        "risk_factors": [asdict(factor) for factor in section.risk_factors],
        "summary": section.summary,
        "cpu_s": round(spent, 4),
    }
