"""State that outlives the server: moto's backends as files, one for each service, account and region.

A call that changed something is answered after its change is on disk: objects of S3 as records of a journal, other
backends pickled whole. Log events, metrics and the parts of unfinished uploads follow a moment later. Secret values
and keys are among it: the folder has mode 0700 and the files 0600, and nothing else is ever unpickled.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import logging
import os
import pickle
import stat
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import moto
from cryptography.hazmat.primitives import serialization
from moto.backends import get_backend
from moto.core.base_backend import BackendDict
from moto.s3.models import s3_backends
from moto.s3.utils import _VersionedKeyStore

from localcloud.aws.journal import Journal

log = logging.getLogger(__name__)

FORMAT = ("localcloud.aws", 1, moto.__version__)
SETTLE_SECONDS = 0.2
JOURNAL_RECORDS = 2000
"""After so many object changes S3 is pickled whole and its journal begins anew."""
_NOT_SAVED = {"moto_api", "instance_metadata"}
_LATER = {"logs", "cloudwatch"}
# Calls to these change no backend but their own (STS keeps its sessions' keys in IAM).
_TOUCHES = {
    "s3": {"s3"},
    "logs": {"logs"},
    "cloudwatch": {"cloudwatch"},
    "sts": {"sts", "iam"},
    "iam": {"iam"},
    "kms": {"kms"},
    "secretsmanager": {"secretsmanager"},
    "emr-serverless": {"emr-serverless"},
    "sagemaker": {"sagemaker"},
}


class StateError(Exception):
    """The state folder cannot be used."""


def _lock() -> Any:
    return threading.Lock()


def _rlock() -> Any:
    return threading.RLock()


def _key_store(content: dict[str, list[Any]]) -> Any:
    store = _VersionedKeyStore()
    for name, versions in content.items():
        dict.__setitem__(store, name, versions)
    return store


def _private_key(pem: bytes) -> Any:
    return serialization.load_pem_private_key(pem, None)


class _Pickler(pickle.Pickler):
    """Pickles what moto's backends hold and Python cannot: locks, private keys, S3's multi-valued store."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, type(threading.Lock())):
            return _lock, ()
        if isinstance(value, type(threading.RLock())):
            return _rlock, ()
        if isinstance(value, _VersionedKeyStore):
            return _key_store, ({name: list(dict.__getitem__(value, name)) for name in dict.keys(value)},)
        if hasattr(value, "private_bytes"):
            pem = value.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            return _private_key, (pem,)
        return NotImplemented


def write_private(path: Path, data: bytes) -> None:
    """Replace `path` by `data`, mode 0600, so that a crash leaves the old content or the new."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def private_folder(path: Path) -> Path:
    """`path` as a folder that only this user can enter. Raises StateError when it belongs to someone else."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = path.stat()
    if facts.st_uid != os.getuid():
        raise StateError(f"state folder {path} belongs to another user; choose a folder of your own with --state")
    if facts.st_mode & 0o077:
        path.chmod(0o700)
    return path


@contextlib.contextmanager
def only_server(folder: Path) -> Iterator[None]:
    """Hold `folder` against a second server. Raises StateError when there is one."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise StateError(f"another server uses the state folder {folder}; stop it or choose another") from error
    finally:
        os.close(descriptor)


@dataclass
class _Saved:
    """One backend as it stands in a file. `generation` is that of S3's journal at the time, else 0."""

    service: str
    account: str
    region: str
    content: dict[str, Any]
    generation: int


class State:
    """The backends' files in one folder, S3's journal, and the thread that writes what may be written later."""

    def __init__(self, folder: Path, lock: threading.RLock) -> None:
        self._folder = private_folder(folder)
        self._lock = lock
        self._journal = Journal(self._folder, "s3")
        self._dirty: set[str] = set()
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._keep_saved, name="state", daemon=True)

    # --- loading ------------------------------------------------------------------------------------------------

    def load(self, account: str) -> int:
        """Bring everything saved back; returns how many backends there were.

        Raises StateError for files that are not this server's own.
        """
        generation = 0
        files = sorted(self._folder.glob("*.pickle"))
        for path in files:
            saved = self._read(path)
            backend = get_backend(saved.service)[saved.account][saved.region]
            backend.__dict__.update(saved.content)
            if saved.service == "s3":
                generation = saved.generation
                for name in backend.buckets:
                    s3_backends.bucket_accounts[name] = (saved.region, saved.account)
        self._replay(account, generation)
        return len(files)

    def _replay(self, account: str, generation: int) -> None:
        buckets = s3_backends[account]["aws"].buckets
        for record in self._journal.replay(generation):
            bucket, key, versions = pickle.loads(record)  # noqa: S301 - a record of this server's own 0600 file
            if bucket in buckets:
                store = buckets[bucket].keys
                if versions:
                    dict.__setitem__(store, key, versions)
                else:
                    dict.pop(store, key, None)

    def _read(self, path: Path) -> _Saved:
        facts = path.lstat()
        if facts.st_uid != os.getuid() or facts.st_mode & 0o177 or not stat.S_ISREG(facts.st_mode):
            raise StateError(f"{path} is not a file of mode 0600 of this user; it will not be read")
        with path.open("rb") as file:
            written_by = pickle.load(file)  # noqa: S301 - checked above to be this server's own file
            if written_by != FORMAT:
                raise StateError(
                    f"{path} was written by {written_by}, this is {FORMAT}: start with an empty --state folder"
                )
            return _Saved(*pickle.load(file))  # noqa: S301

    # --- saving -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to save what is saved later."""
        self._thread.start()

    def changed(self, service: str) -> None:
        """Save what a call to `service`, or a job of it, changed: now, or for logs and metrics in a moment."""
        touched = _TOUCHES.get(service, {"*"})
        if touched <= _LATER or "*" in touched:
            self.changed_later(service)
        else:
            with self._lock:
                self._save(touched)

    def changed_later(self, service: str) -> None:
        """Note that `service` changed; it is saved in a moment."""
        with self._lock:
            self._dirty |= _TOUCHES.get(service, {"*"})
        self._wake.set()

    def objects_changed(self, account: str, bucket: str, keys: Iterable[str]) -> None:
        """Save what became of objects of `bucket`: a journal record for each."""
        with self._lock:
            found = s3_backends[account]["aws"].buckets.get(bucket)
            if found is None:
                return
            for key in keys:
                buffer = io.BytesIO()
                _Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump((bucket, key, found.keys.getlist(key)))
                self._journal.append(buffer.getvalue())
        if self._journal.records > JOURNAL_RECORDS:
            self.changed_later("s3")

    def close(self) -> None:
        """Save everything and stop."""
        self._stopping = True
        self._wake.set()
        self._thread.join()
        with self._lock:
            self._save({"*"})
            self._journal.close()

    def _keep_saved(self) -> None:
        while not self._stopping:
            self._wake.wait()
            self._wake.clear()
            if self._stopping:
                return
            time.sleep(SETTLE_SECONDS)
            with self._lock:
                dirty, self._dirty = self._dirty, set()
                try:
                    self._save(dirty)
                except OSError:  # a full disk: say so, and try again with the next change
                    self._dirty |= dirty
                    log.exception("the state could not be saved")

    def _save(self, services: set[str]) -> None:
        for backends in list(BackendDict._instances):
            service = backends.service_name
            if service in _NOT_SAVED or not services & {"*", service}:
                continue
            generation = self._journal.begin() if service == "s3" else 0
            for account, regions in list(backends.items()):
                for region, backend in list(dict.items(regions)):
                    data = _pickled((service, account, region, backend.__dict__, generation))
                    write_private(self._folder / f"{service}.{account}.{region}.pickle", data)
            if service == "s3":
                self._journal.forget_before(generation)


def _pickled(content: tuple[str, str, str, dict[str, Any], int]) -> bytes:
    buffer = io.BytesIO()
    pickle.dump(FORMAT, buffer)
    _Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump(content)
    return buffer.getvalue()
