"""One extractor in a process of its own: it answers each filing that it is given with Item 1A and the processor time.

    python benchmarks/extraction_tools.py govtune|edgartools|edgar-itemize

Reads a JSON object a line, {"path", "form", "cik", "filed"}, and writes one: {"text", "status", "cpu_s", "peak_kib",
"error"}; ours adds {"risk_factors", "summary"}. The time is the process's own around parsing and extraction from the
document's bytes; imports and reading the file are outside it for every tool. This file is run by the interpreters of
two environments, so it imports nothing but the standard library and, inside a function, its tool.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

Extractor = Callable[[bytes, dict[str, Any]], dict[str, Any]]


def govtune() -> Extractor:
    """The project's own."""
    from dataclasses import asdict

    from govtune_assets.extraction import extract

    def run(document: bytes, row: dict[str, Any]) -> dict[str, Any]:
        section = extract(document, row["form"])
        factors = [asdict(factor) for factor in section.risk_factors]
        return {
            "text": section.text,
            "status": section.status.value,
            "risk_factors": factors,
            "summary": section.summary,
        }

    return run


def edgartools() -> Extractor:
    """Its report objects, asked by item as its documentation says, on a filing that is the file and nothing else."""
    from edgar.company_reports import TenK, TenQ

    class Local:
        base_dir = ""

        def __init__(self, row: dict[str, Any], text: str) -> None:
            self.form = row["form"]
            self.accession_number = Path(row["path"]).parent.name
            self._text = text

        def html(self) -> str:
            return self._text

    def run(document: bytes, row: dict[str, Any]) -> dict[str, Any]:
        filing = Local(row, document.decode("utf-8", "replace"))
        annual = row["form"] == "10-K"
        report = TenK(filing) if annual else TenQ(filing)
        return {"text": report["Item 1A" if annual else "Part II, Item 1A"]}

    return run


def edgar_itemize() -> Extractor:
    """Its parser on the document in the envelope of a submission; the section is its normalized text of the item."""
    from edgar_itemize.pipeline import parse_document
    from edgar_itemize.select import select_primary
    from edgar_itemize.sgml import Submission, header_text, split_documents

    def run(document: bytes, row: dict[str, Any]) -> dict[str, Any]:
        filed = row["filed"].replace("-", "")
        text = (
            f"<SEC-HEADER>\nCONFORMED SUBMISSION TYPE:\t{row['form']}\nFILED AS OF DATE:\t\t{filed}\n</SEC-HEADER>\n"
            f"<DOCUMENT>\n<TYPE>{row['form']}\n<SEQUENCE>1\n<FILENAME>{Path(row['path']).name}\n<TEXT>\n"
            f"{document.decode('latin-1')}\n</TEXT>\n</DOCUMENT>\n"
        )
        name = Path(f"{int(row['cik']):010d}-{filed[2:4]}-000001.txt")
        submission = Submission(path=name, text=text, header=header_text(text), documents=split_documents(text))
        result = parse_document(submission, select_primary(submission.documents, row["form"]), row["cik"])
        items = [node for node in result.nodes if node.label_canon in ("ITEM 1A", "ITEM II.1A")]
        sections = (result.normalized_text[node.norm_start : node.norm_end] for node in items)
        return {"text": max(sections, key=len, default=None)}

    return run


TOOLS: dict[str, Callable[[], Extractor]] = {
    "govtune": govtune,
    "edgartools": edgartools,
    "edgar-itemize": edgar_itemize,
}


def main() -> None:
    """Answer filings until there are no more."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    answers = sys.stdout
    sys.stdout = sys.stderr  # what a tool prints is no answer
    extract = TOOLS[sys.argv[1]]()
    for line in sys.stdin:
        row = json.loads(line)
        document = Path(row["path"]).read_bytes()
        answer: dict[str, Any] = {"text": None, "error": None}
        before = time.process_time()
        try:
            answer |= extract(document, row)
        except Exception as error:
            answer["error"] = f"{type(error).__name__}: {error}"
        answer["cpu_s"] = time.process_time() - before
        answer["peak_kib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
