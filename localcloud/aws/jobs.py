"""Processes of jobs: started under a supervisor with a clean environment, read line by line, ended for certain."""

from __future__ import annotations

import collections
import contextlib
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from botocore.exceptions import BotoCoreError, ClientError

from localcloud.process import supervised

log = logging.getLogger(__name__)

LONGEST_LINE = 64 * 1024
TAIL_LINES = 60
FLUSH_SECONDS = 0.5
# PutLogEvents: at most 10,000 events and 1 MiB a call, 26 bytes of overhead an event.
EVENTS_PER_CALL = 5_000
BYTES_PER_CALL = 900_000
EVENT_OVERHEAD = 26

LineSink = Callable[[str, str], None]
"""Called with the stream ("stdout" or "stderr") and a line without its end."""


class JobProcess:
    """A job's process tree. Its output goes to `sink` line by line; `tail` keeps the last lines of each stream."""

    def __init__(self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, sink: LineSink) -> None:
        self._sink = sink
        self.tail = {name: collections.deque[str](maxlen=TAIL_LINES) for name in ("stdout", "stderr")}
        self._process = subprocess.Popen(
            supervised(argv),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        streams = {"stdout": self._process.stdout, "stderr": self._process.stderr}
        self._readers = [
            threading.Thread(target=self._read, args=(name, stream), daemon=True) for name, stream in streams.items()
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str, stream: IO[bytes]) -> None:
        while raw := stream.readline(LONGEST_LINE):
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            self.tail[name].append(line)
            self._sink(name, line)

    def wait(self, seconds: float | None) -> int | None:
        """The exit status, or None if the job still runs after `seconds`."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        for reader in self._readers:
            reader.join()
        return code

    def terminate(self) -> None:
        """Ask the job's process group to end."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End the job's whole process tree now: closing the lifeline has the supervisor do it."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def stop(self, grace_seconds: float) -> int:
        """SIGTERM, and after the grace SIGKILL; returns the exit status."""
        self.terminate()
        code = self.wait(grace_seconds)
        if code is None:
            self.kill()
            code = self.wait(None)
        return code if code is not None else -1


class Shipper:
    """Sends a job's lines to CloudWatch Logs twice a second, with the job role's rights.

    A refusal (a role without logs permissions) is logged once and ends the shipping: as in AWS, it does not end the
    job. `streams` maps "stdout"/"stderr" to log stream names, which may be the same.
    """

    def __init__(self, client: Any, group: str, streams: Mapping[str, str]) -> None:
        self._client = client
        self._group = group
        self._streams = streams
        self._waiting: dict[str, list[dict[str, Any]]] = {name: [] for name in streams.values()}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._broken = False
        self._thread = threading.Thread(target=self._run, name=f"logs-{group}", daemon=True)
        self._thread.start()

    def add(self, stream: str, line: str) -> None:
        """Queue a line."""
        event = {"timestamp": int(time.time() * 1000), "message": line or " "}
        with self._lock:
            self._waiting[self._streams[stream]].append(event)

    def close(self) -> None:
        """Send what waits, and stop."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._create()
            while not self._over.wait(FLUSH_SECONDS):
                self._flush()
            self._flush()
        except (ClientError, BotoCoreError) as error:
            log.warning("lines for log group %s are dropped: %s", self._group, error)

    def _create(self) -> None:
        exists = self._client.exceptions.ResourceAlreadyExistsException
        with contextlib.suppress(exists):
            self._client.create_log_group(logGroupName=self._group)
        for stream in self._waiting:
            with contextlib.suppress(exists):
                self._client.create_log_stream(logGroupName=self._group, logStreamName=stream)

    def _flush(self) -> None:
        for stream in self._waiting:
            with self._lock:
                events, self._waiting[stream] = self._waiting[stream], []
            for batch in _batches(events):
                self._client.put_log_events(logGroupName=self._group, logStreamName=stream, logEvents=batch)


def _batches(events: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    batches: list[list[dict[str, Any]]] = []
    size = BYTES_PER_CALL
    for event in events:
        length = len(event["message"].encode()) + EVENT_OVERHEAD
        if size + length > BYTES_PER_CALL or len(batches[-1]) >= EVENTS_PER_CALL:
            batches.append([])
            size = 0
        batches[-1].append(event)
        size += length
    return batches
