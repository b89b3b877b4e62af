"""What a worker process does: read one stored document, extract it, and store the result beside it.

Results are kept by document digest and by a digest of the extractor's own source, so a rerun extracts nothing and a
changed extractor starts afresh.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import os
import signal
import sys
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

from govtune_assets.extraction.atomic import write_atomically
from govtune_assets.extraction.facts import FiscalFacts
from govtune_assets.extraction.section import EXTRACTOR_VERSION, extract_with_facts

TIME_LIMIT = 120.0
"""Seconds of wall clock for one document."""
LONGEST_ERROR = 500
"""Characters of an error in words: some repeat the document that made them."""


class DamagedBodyError(Exception):
    """A stored body is not what its digest says."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """The outcome for one document; the section's text is in the file at `path`."""

    path: Path
    status: str
    evidence: str
    characters: int
    risk_factor_count: int
    facts: FiscalFacts
    cpu_seconds: float


@functools.cache
def source_digest() -> str:
    """A digest of the extraction package's source, which names the results it made."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def result_path(cache_dir: Path, sha256: str, form_type: str) -> Path:
    """Where the result for a document lies, made or not."""
    folder = cache_dir / "extracted" / f"{EXTRACTOR_VERSION}-{source_digest()}" / form_type
    return folder / sha256[:2] / f"{sha256}.json"


def load(path: Path) -> Extracted | None:
    """A result made before, or None."""
    try:
        row = json.loads(path.read_bytes())
        section = row["section"]
        return Extracted(
            path,
            section["status"],
            section["evidence"],
            len(section["text"] or ""),
            len(section["risk_factors"]),
            FiscalFacts.from_json(row["facts"]),
            0.0,
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        path.unlink(missing_ok=True)
        return None


def main() -> None:
    """Answer requests, a JSON line each on standard input, with a JSON line each on standard output, until the end.

    A request names `document`, `sha256`, `form_type` and `cache_dir`. An answer has `cpu_seconds` where the result was
    stored; else `damaged`, or `errno`, `strerror` and `filename` of an OSError, or `failed`, an error in words.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its workers
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)  # nothing that a library prints is taken for an answer
        for line in sys.stdin:
            request = json.loads(line)
            answers.write(json.dumps(_answer(request)) + "\n")
            answers.flush()


def _answer(request: dict[str, str]) -> dict[str, object]:
    try:
        found = run(Path(request["document"]), request["sha256"], request["form_type"], Path(request["cache_dir"]))
    except DamagedBodyError as error:
        return {"damaged": str(error)}
    except Exception as error:  # whatever a document does to the extraction is that document's outcome
        if isinstance(error, OSError) and not isinstance(error, TimeoutError):
            return {"errno": error.errno, "strerror": error.strerror, "filename": str(error.filename)}
        return {"failed": f"{type(error).__name__}: {error}"[:LONGEST_ERROR]}
    return {"cpu_seconds": found.cpu_seconds}


def run(document: Path, sha256: str, form_type: str, cache_dir: Path) -> Extracted:
    """Extract one stored document, which is packed with gzip; `sha256` is that of the unpacked bytes.

    Raises DamagedBodyError, TimeoutError after two minutes, and whatever else the document makes the extractor raise.
    """
    before = time.process_time()
    body = read_body(document, sha256)
    signal.signal(signal.SIGALRM, _time_is_up)
    signal.setitimer(signal.ITIMER_REAL, TIME_LIMIT)
    try:
        section, facts = extract_with_facts(body, form_type)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    spent = time.process_time() - before
    path = result_path(cache_dir, sha256, form_type)
    row = {
        "section": {
            "status": section.status.value,
            "evidence": section.evidence,
            "text": section.text,
            "risk_factors": [
                (f.group, f.subcaption, f.start, f.end, f.group_span, f.subcaption_span) for f in section.risk_factors
            ],
            "summary": section.summary,
        },
        "facts": facts.to_json(),
    }
    write_atomically(path, json.dumps(row).encode())
    return Extracted(
        path,
        section.status.value,
        section.evidence,
        len(section.text or ""),
        len(section.risk_factors),
        facts,
        spent,
    )


def read_body(document: Path, sha256: str) -> bytes:
    """A stored document, unpacked. Raises DamagedBodyError where it is gone or is not what `sha256` says."""
    try:
        body = gzip.decompress(document.read_bytes())
    except (FileNotFoundError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DamagedBodyError(f"{document} is damaged: {error}") from error
    if hashlib.sha256(body).hexdigest() != sha256:
        raise DamagedBodyError(f"{document} is damaged")
    return body


def _time_is_up(*_: object) -> None:
    raise TimeoutError(f"extraction took more than {TIME_LIMIT:.0f} s")


if __name__ == "__main__":
    main()
