"""State that outlives the server: moto's backends as files, one for each service, account and region.

A backend is pickled under the server's lock shortly after a call that changed it, and written atomically. Secret
values and keys are among it: the folder has mode 0700 and the files 0600, and nothing else is ever unpickled.
"""

from __future__ import annotations

import io
import logging
import os
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import moto
from cryptography.hazmat.primitives import serialization
from moto.backends import get_backend
from moto.core.base_backend import BackendDict
from moto.s3.models import s3_backends
from moto.s3.utils import _VersionedKeyStore

log = logging.getLogger(__name__)

FORMAT = ("localcloud.aws", 1, moto.__version__)
SETTLE_SECONDS = 0.2
_NOT_SAVED = {"moto_api", "instance_metadata"}
# Calls to these change no backend but their own (STS keeps its sessions' keys in IAM).
_TOUCHES = {
    "s3": {"s3"},
    "logs": {"logs"},
    "cloudwatch": {"cloudwatch"},
    "monitoring": {"cloudwatch"},
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


class State:
    """The backends' files in one folder, and the thread that keeps them up to date."""

    def __init__(self, folder: Path, lock: threading.RLock) -> None:
        self._folder = private_folder(folder)
        self._lock = lock
        self._dirty: set[str] = set()
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._keep_saved, name="state", daemon=True)

    # --- loading ------------------------------------------------------------------------------------------------

    def load(self) -> int:
        """Bring the saved backends back; returns how many there were. Raises StateError for files not its own."""
        files = sorted(self._folder.glob("*.pickle"))
        for path in files:
            service, account, region, content = self._read(path)
            backends = get_backend(service)[account]
            backends[region].__dict__.update(content)
            if service == "s3":
                for name in backends[region].buckets:
                    s3_backends.bucket_accounts[name] = (region, account)
        return len(files)

    def _read(self, path: Path) -> tuple[str, str, str, dict[str, Any]]:
        facts = path.lstat()
        if facts.st_uid != os.getuid() or facts.st_mode & 0o177 or not path.is_file() or path.is_symlink():
            raise StateError(f"{path} is not a file of mode 0600 of this user; it will not be read")
        with path.open("rb") as file:
            written_by = pickle.load(file)  # noqa: S301 - checked above to be this server's own file
            if written_by != FORMAT:
                raise StateError(
                    f"{path} was written by {written_by}, this is {FORMAT}: start with an empty --state folder"
                )
            return pickle.load(file)  # type: ignore[no-any-return]  # noqa: S301

    # --- saving -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to save what is marked."""
        self._thread.start()

    def mark(self, service: str) -> None:
        """Note that a call to `service` may have changed backends; they are saved in a moment."""
        with self._lock:
            self._dirty |= _TOUCHES.get(service, {"*"})
        self._wake.set()

    def close(self) -> None:
        """Save what is still unsaved and stop."""
        self._stopping = True
        self._wake.set()
        self._thread.join()
        self._save()

    def _keep_saved(self) -> None:
        while not self._stopping:
            self._wake.wait()
            self._wake.clear()
            if not self._stopping:
                threading.Event().wait(SETTLE_SECONDS)
                try:
                    self._save()
                except OSError:  # a full disk: say so, and try again with the next change
                    log.exception("the state could not be saved")

    def _save(self) -> None:
        with self._lock:
            dirty, self._dirty = self._dirty, set()
            try:
                pickled = [(name, self._pickle(*found)) for name, found in self._backends(dirty)]
            except BaseException:
                self._dirty |= dirty
                raise
        for name, data in pickled:
            write_private(self._folder / name, data)

    def _backends(self, dirty: set[str]) -> Iterator[tuple[str, tuple[str, str, str, Any]]]:
        for backends in list(BackendDict._instances):
            service = backends.service_name
            if service in _NOT_SAVED or not dirty & {"*", service}:
                continue
            for account, regions in list(backends.items()):
                for region, backend in list(dict.items(regions)):
                    yield f"{service}.{account}.{region}.pickle", (service, account, region, backend)

    @staticmethod
    def _pickle(service: str, account: str, region: str, backend: Any) -> bytes:
        buffer = io.BytesIO()
        pickle.dump(FORMAT, buffer)
        _Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump((service, account, region, backend.__dict__))
        return buffer.getvalue()
