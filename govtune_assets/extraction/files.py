"""Extraction of files on disk, a JSON-ready row each: what `govtune extract` prints."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from govtune_assets.extraction.document import flatten, is_plain_text, parse
from govtune_assets.extraction.facts import facts_of
from govtune_assets.extraction.section import Section, Status, extract_lines


def extract_files(paths: Iterable[Path], form_type: str | None = None) -> Iterator[dict[str, object]]:
    """Rows with `id` (the file's stem), `text`, `status`, `evidence`, `risk_factors`, `summary` and `cpu_s`.

    `form_type` names the form of all files; by default each document's own cover says it. `cpu_s` is the processor
    time in seconds that parsing and extraction took. Raises OSError for a file that cannot be read.
    """
    for path in paths:
        document = path.read_bytes()
        before = time.process_time()
        section = _extract(document, form_type)
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


def _extract(document: bytes, form_type: str | None) -> Section:
    root = parse(document)
    if root is None:
        return Section(Status.FAILED, "the document holds no text")
    lines = flatten(root, plain_text=is_plain_text(document))
    return extract_lines(lines, form_type or facts_of(root, lambda: lines).form_type or "10-K")
