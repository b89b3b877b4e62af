"""Writes a corpus to a folder so that it is whole, deterministic, and left alone where it is already there."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final, NamedTuple

from localcloud.edgar.sample.corpus import CorpusOptions, make_corpus

DIGEST_FILE: Final = "sample.json"


class Written(NamedTuple):
    """What a call did: the number of files of the corpus, of files written, and of stale files removed."""

    files: int
    written: int
    removed: int


class NotOurFolderError(Exception):
    """The output folder holds files that this generator did not write."""


def write_corpus(out: Path, options: CorpusOptions) -> Written:
    """Bring `out` to the corpus that `options` name.

    A folder whose digest file says that it was made from the same options by the same generator, and whose files
    are unchanged, is left as it is; otherwise only files that differ are written, each atomically. The digest
    file names its inputs only once all files are there, so that the next call finishes an interrupted one.
    Raises NotOurFolderError where the folder holds something else, and OSError where it cannot be written.
    """
    inputs = inputs_digest(options)
    known = _read_digests(out)
    if known.get("inputs") == inputs and all(_digest_of(out / name) == sha for name, sha in known["files"].items()):
        return Written(len(known["files"]), 0, 0)
    out.mkdir(parents=True, exist_ok=True)
    _write(out / DIGEST_FILE, _digests("", known["files"]))
    digests: dict[str, str] = {}
    written = 0
    for name, content in make_corpus(options):
        digests[name] = hashlib.sha256(content).hexdigest()
        if _digest_of(out / name) != digests[name]:
            _write(out / name, content)
            written += 1
    stale = sorted(set(known["files"]) - set(digests))
    for name in stale:
        (out / name).unlink(missing_ok=True)
    _write(out / DIGEST_FILE, _digests(inputs, digests))
    return Written(len(digests), written, len(stale))


def inputs_digest(options: CorpusOptions) -> str:
    """A digest of the options, of every hand-written text and of the generator's own source."""
    digest = hashlib.sha256(json.dumps(asdict(options), sort_keys=True).encode())
    for name, content in sorted(_sources(files(__package__), "")):
        digest.update(f"\0{name}\0".encode() + content)
    return digest.hexdigest()


def _sources(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            found += _sources(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith((".py", ".yaml")):
            found.append((prefix + entry.name, entry.read_bytes()))
    return found


def _read_digests(out: Path) -> dict[str, Any]:
    path = out / DIGEST_FILE
    if not path.exists():
        if out.exists() and any(out.iterdir()):
            raise NotOurFolderError(f"{out} is not empty and holds no {DIGEST_FILE}: name a new or an empty folder")
        return {"inputs": "", "files": {}}
    try:
        value = json.loads(path.read_bytes())
        names = value["files"]
        if all(not Path(name).is_absolute() and ".." not in Path(name).parts for name in names):
            return {"inputs": value["inputs"], "files": names}
    except (ValueError, KeyError, TypeError) as error:
        raise NotOurFolderError(f"{path} cannot be read ({error}): remove the folder and generate it again") from error
    raise NotOurFolderError(f"{path} names files outside {out}: remove the folder and generate it again")


def _digests(inputs: str, digests: dict[str, str]) -> bytes:
    value = {"inputs": inputs, "files": digests}
    return json.dumps(value, indent=0, sort_keys=True).encode() + b"\n"


def _digest_of(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(content)
    temporary.replace(path)
