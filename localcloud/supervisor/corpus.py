"""The folder of filings that the EDGAR replica serves; the sample corpus is written once for each version of it."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

from localcloud.supervisor.errors import LocalCloudError
from localcloud.supervisor.layout import PROJECT_ROOT, EdgarSource, Layout

GENERATOR = PROJECT_ROOT / "localcloud" / "edgar" / "sample"
STAMP = ".written-from"
TAIL_LINES = 15
SUBMISSIONS = re.compile(r"CIK(\d{10})\.json")


def prepare(source: EdgarSource, layout: Layout) -> Path:
    """The root to serve for a sample or folder source.

    Raises LocalCloudError with the generator's last words when it fails.
    """
    if source.folder is not None:
        return source.folder
    size = "all" if source.companies is None else str(source.companies)
    root = layout.service("edgar") / f"sample-{size}"
    stamp = root / STAMP
    digest = _generator_digest()
    if stamp.exists() and stamp.read_text() == digest:
        return root
    shutil.rmtree(root, ignore_errors=True)
    command = [sys.executable, "-m", "localcloud.edgar.sample", "--out", str(root)]
    command += [] if source.companies is None else ["--companies", str(source.companies)]
    done = subprocess.run(
        command,
        cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-TAIL_LINES:])
        raise LocalCloudError(f"Writing the sample corpus failed (exit code {done.returncode}):\n{tail}")
    stamp.write_text(digest)
    return root


def served_companies(source: EdgarSource) -> tuple[str, ...]:
    """CIKs of the companies whose submissions a folder holds; its list of tickers may name thousands more.

    Empty for a sample or live source, which have the submissions of every company that they list.
    """
    if source.folder is None:
        return ()
    names = (path.name for path in (source.folder / "data" / "submissions").glob("CIK*.json"))
    return tuple(sorted(match[1] for name in names if (match := SUBMISSIONS.fullmatch(name))))


def cache_name(source: EdgarSource) -> str:
    """Folder name for what the client fetched: filings never change at one address, but a replica's corpus may."""
    if source.kind == "live":
        return "cache-live"
    identity = f"{source.companies} {_generator_digest()}" if source.folder is None else str(source.folder)
    return f"cache-{source.kind}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"


def _generator_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(GENERATOR.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.relative_to(GENERATOR).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
