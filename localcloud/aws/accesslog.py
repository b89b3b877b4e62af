"""The log of S3 data events: one JSON line for each request, in the words of CloudTrail's data events.

The file (mode 0600) is what a later check compares with the catalog's audit log: every read of table data must have
been vended.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import threading
from pathlib import Path

from localcloud.aws.wire import Call


class AccessLog:
    """Appends S3 data events to one file."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._lock = threading.Lock()

    def record(self, call: Call, principal: str, access_key_id: str, status: int, size: int) -> None:
        """Note one S3 request: `size` is the length in bytes of the larger of the request's and response's body."""
        event = {
            "time": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
            "principal": principal,
            "access_key_id": access_key_id,
            "operation": call.operation,
            "bucket": call.params.get("Bucket"),
            "key": call.params.get("Key"),
            "prefix": call.params.get("prefix"),
            "bytes": size,
            "status": status,
        }
        with self._lock:
            os.write(self._descriptor, (json.dumps(event) + "\n").encode())

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
