"""Extraction of files on disk, a JSON-ready row each: what `govtune extract` prints."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from govtune_assets.extraction.section import extract_with_facts


def extract_files(paths: Iterable[Path], form_type: str | None = None) -> Iterator[dict[str, object]]:
    """Rows with `id` (the file's stem), `text`, `status`, `evidence`, `risk_factors`, `summary` and `cpu_s`.

    `form_type` names the form of all files; by default each document's own cover says it. `cpu_s` is the processor
    time in seconds that parsing and extraction took. Raises OSError for a file that cannot be read.
    """
    for path in paths:
        document = path.read_bytes()
        before = time.process_time()
        section, _ = extract_with_facts(document, form_type)
        spent = time.process_time() - before
        yield {
            "id": path.stem,
            "text": section.text,
            "status": section.status.value,
            "evidence": section.evidence,
            "risk_factors": [asdict(factor) for factor in section.risk_factors],
            "summary": section.summary,
            "cpu_s": round(spent, 4),
        }
