"""A worker process that does what a document says: raise, end, hang, and more."""

import errno
import os
import time
from pathlib import Path
from typing import Any

from govtune_assets.extraction import worker

_run = worker.run
_answer = worker._answer


def run(document: Path, sha256: str, form_type: str, cache_dir: Path) -> Any:
    """Extract as a good worker does, unless the document says otherwise."""
    body = worker.read_body(document, sha256)
    if b"We break what reads this." in body:
        raise RuntimeError("the worker broke")
    if b"We end what reads this." in body:
        os._exit(1)
    if b"We hang what reads this." in body:
        time.sleep(600)
    if b"We look damaged." in body:
        raise worker.DamagedBodyError(f"{document} is damaged")
    if b"We fill the disk." in body:
        raise OSError(errno.ENOSPC, "No space left on device", str(cache_dir))
    if b"We complain at length." in body:
        raise RuntimeError("too much " * 20_000)
    if b"We tell all." in body:
        raise RuntimeError(" ".join(f"{name}={value}" for name, value in os.environ.items()))
    time.sleep(0.2)  # long enough to be at work when the neighbour's worker ends
    return _run(document, sha256, form_type, cache_dir)


def answer(request: dict[str, str]) -> dict[str, object]:
    """Answer as a good worker does, unless the document asks for a line that is too long, or for none of JSON."""
    body = worker.read_body(Path(request["document"]), request["sha256"])
    if b"We overflow the line." in body:
        return {"failed": "x" * 200_000}
    if b"We answer with a list." in body:
        return []  # type: ignore[return-value]
    return _answer(request)


if __name__ == "__main__":
    worker.run = run
    worker._answer = answer
    worker.main()
