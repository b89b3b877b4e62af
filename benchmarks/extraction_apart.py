"""The extractor in a process of its own with bounded memory, so that a crash, a hang or a glut of memory is seen.

`Apart` is the caller's side. Run as a program, this file is the other side: it reads documents from its standard input
and answers each with a JSON line, after it has checked what must hold for any bytes at all.
"""

from __future__ import annotations

import json
import resource
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from govtune_assets.extraction import Section, Status, extract_with_facts

ROOT = Path(__file__).resolve().parent.parent
ADDRESS_SPACE = 2 << 30  # bytes that the process may map, libraries and the document included
_LENGTH = 8  # bytes of the number that goes before each form and document


class Broken(AssertionError):
    """What must hold for any document did not hold for this one."""


@dataclass(frozen=True)
class Answer:
    """`peak_mib` is the most memory that the process ever held, this document or one before."""

    status: str
    evidence: str
    characters: int
    risk_factors: int
    cpu_seconds: float
    peak_mib: float


class Apart:
    """A process that extracts what it is given, and another after it where it died; a context manager."""

    def __init__(self) -> None:
        self._process = self._start()

    @staticmethod
    def _start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "benchmarks.extraction_apart"]
        return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> int:
        self._process.kill()
        self._process.communicate()
        return self._process.returncode

    def extract(self, document: bytes, form: str = "10-K", *, twice: bool = False, seconds: float = 120) -> Answer:
        """The outcome for a document, extracted twice where it must be the same twice.

        Raises Broken where the process died, gave no answer in time, or found something that must hold not to hold.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            for part in (b"twice" if twice else b"once", form.encode(), document):
                self._process.stdin.write(len(part).to_bytes(_LENGTH) + part)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._broken("the extractor's process ended while it read the document") from None
        if not select.select([self._process.stdout], [], [], seconds)[0]:
            raise self._broken(f"no answer in {seconds:.0f} s")
        line = self._process.stdout.readline()
        if not line:
            raise self._broken("the extractor's process ended without an answer")
        answer = json.loads(line)
        if "broken" in answer:
            raise Broken(answer["broken"])
        return Answer(**answer)

    def _broken(self, what: str) -> Broken:
        code = self._end()
        self._process = self._start()
        return Broken(f"{what} (exit code {code})")


def check(document: bytes, form: str, *, twice: bool) -> Section:
    """Extract a document; AssertionError where an offset, the order or a status is not what it must be."""
    section, facts = extract_with_facts(document, form)
    text = section.text or ""
    position = 0
    for factor in section.risk_factors:
        assert factor.body, "a risk factor without a body"
        assert text[factor.start : factor.end] == factor.body, "a body that is not at its offsets"
        assert position <= factor.start, "risk factors out of order"
        position = factor.end
        for heading, span in ((factor.group, factor.group_span), (factor.subcaption, factor.subcaption_span)):
            assert (heading is None) == (span is None), "a heading without offsets"
            assert span is None or text[span[0] : span[1]].replace("\n", " ") == heading, "a heading not at its offsets"
            assert span is None or span[1] <= factor.start, "a heading that does not stand before its body"
    if section.text is None or section.status is not Status.FULL:
        assert section.risk_factors == (), "risk factors of a section that is not there"
    nothing = section.status in (Status.ABSENT, Status.NOT_APPLICABLE, Status.FAILED)
    assert nothing == (section.text is None), f"{section.status} and a text of {len(text)} characters"
    assert section.summary is None or section.summary.strip(), "a summary without words"
    assert section.evidence, "a status without evidence"
    if twice:
        assert (section, facts) == extract_with_facts(document, form), "another answer the second time"
    return section


def main() -> None:
    """Answer documents until there are no more; nothing of one is kept while the next is read."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    while (mode := _part(sys.stdin.buffer)) is not None:
        print(json.dumps(_answer(twice=mode == b"twice")), flush=True)


def _answer(*, twice: bool) -> dict[str, object]:
    """Read a form and a document, and extract it."""
    form, document = _part(sys.stdin.buffer), _part(sys.stdin.buffer)
    assert form is not None
    assert document is not None
    before = time.process_time()
    try:
        section = check(document, form.decode(), twice=twice)
    except Exception as error:
        return {"broken": f"{type(error).__name__}: {error}"}
    return {
        "status": section.status.value,
        "evidence": section.evidence,
        "characters": len(section.text or ""),
        "risk_factors": len(section.risk_factors),
        "cpu_seconds": time.process_time() - before,
        "peak_mib": _peak_mib(),
    }


def _peak_mib() -> float:
    """Linux's high-water mark of this program. getrusage's begins with what the process that started it had held."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) / 1024


def _part(stream: BinaryIO) -> bytes | None:
    length = stream.read(_LENGTH)
    return stream.read(int.from_bytes(length)) if length else None


if __name__ == "__main__":
    main()
