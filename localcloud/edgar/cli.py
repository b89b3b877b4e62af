"""Command line of the replica: options, signals, exit status."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Final

from localcloud.edgar.access_log import AccessLog
from localcloud.edgar.faults import FaultSpecification
from localcloud.edgar.limits import DEFAULT_BLOCK_SECONDS, MAX_REQUESTS_PER_SECOND, RateLimiter
from localcloud.edgar.server import ReplicaServer
from localcloud.process import die_with_parent

FAULTS_VARIABLE: Final = "LOCALCLOUD_EDGAR_FAULTS"
DEFAULT_PORT: Final = 4572
_LAYOUT: Final = ("www", "data")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m localcloud.edgar", description="Serve a folder as EDGAR does.")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="port on 127.0.0.1 (0: a free one)")
    parser.add_argument("--root", type=Path, required=True, help="folder with www/ and data/ in EDGAR's layout")
    parser.add_argument(
        "--block-seconds",
        type=float,
        default=DEFAULT_BLOCK_SECONDS,
        help="how long a client that asked too fast is refused (default: %(default)s, as the SEC does)",
    )
    parser.add_argument(
        "--max-per-second",
        type=int,
        default=MAX_REQUESTS_PER_SECOND,
        help="requests a second that one client may send (default: %(default)s, as the SEC allows)",
    )
    parser.add_argument(
        "--faults",
        type=FaultSpecification.parse,
        default=os.environ.get(FAULTS_VARIABLE, ""),
        metavar="NAME=VALUE,...",
        help="inject latency (seconds), error_every, reset_every, truncate_every, bad_gzip_every, "
        "short_gzip_every (N), "
        f"only (URL path prefix); default: ${FAULTS_VARIABLE}",
    )
    parser.add_argument(
        "--access-log", type=Path, metavar="FILE", help="append a JSON line for each answer: time, path and kind"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; 0 then, 2 where the folder or the port cannot be used."""
    parser = _parser()
    options = parser.parse_args(arguments)
    die_with_parent()
    root: Path = options.root
    if not any((root / name).is_dir() for name in _LAYOUT):
        parser.error(f"--root {root}: neither www/ nor data/ is there; name a folder in EDGAR's layout")
    try:
        limiter = RateLimiter(options.max_per_second, options.block_seconds)
        access_log = AccessLog(options.access_log) if options.access_log else None
        server = ReplicaServer(root, options.port, limiter, options.faults, access_log)
    except ValueError as error:
        parser.error(str(error))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        parser.error(f"port {options.port} on 127.0.0.1 is in use; choose another with --port")
    _serve(server)
    return 0


def _serve(server: ReplicaServer) -> None:
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _signal, _frame: stop.set())
    thread = Thread(target=server.serve_forever, name="edgar-replica", daemon=True)
    thread.start()
    sys.stderr.write(f"EDGAR replica of {server.root} at http://127.0.0.1:{server.server_port}\n")
    sys.stderr.flush()
    stop.wait()
    server.shutdown()
    thread.join()
    server.server_close()
