"""Processes that end with their parent, and end together with everything they started.

What belongs here: the parent watch that every local cloud server calls at start (`die_with_parent`), and the
supervisor under which a job runs (`supervised`). The file uses the standard library only, because the supervisor
runs it directly as a script, in isolated mode, with the environment of the job.

A watch is bound to the parent *process*: Linux's PR_SET_PDEATHSIG alone would fire when the parent's *thread* that
forked ends (prctl(2)), so it is used only below the supervisor, whose one forking thread lives as long as it does.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
POLL_SECONDS = 0.5
SIGNAL_EXIT_BASE = 128


def die_with_parent(*, grace_seconds: float = 10.0) -> None:
    """Have this process end when the process that started it ends, however that one ends.

    A daemon thread waits for the parent. When it is gone this process gets SIGTERM, so that its own clean shutdown
    runs, and is ended hard if it still lives `grace_seconds` later. Call it once, early in a server's main.
    """
    parent = os.getppid()

    def watch() -> None:
        _wait_for_end_of(parent)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace_seconds)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def kill_with_parent() -> None:
    """Have the kernel kill this process when the thread that forked it ends (Linux; nothing elsewhere).

    Meant as `preexec_fn` of a child whose parent forks from its main thread.
    """
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def supervised(argv: Sequence[str]) -> list[str]:
    """The command line that runs `argv` under a supervisor.

    The supervisor's standard input is its lifeline: it must be a pipe that the starting process holds open. When the
    pipe closes, because the starter closed it or died, the job's whole process tree is killed. SIGTERM is handed on
    to the job's process group. The exit status is the job's, or 128 + the number of the signal that ended it.
    """
    return [sys.executable, "-I", "-S", str(Path(__file__).resolve()), *argv]


def _wait_for_end_of(pid: int) -> None:
    """Return when process `pid`, this process's parent, has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):  # not Linux, an old kernel, or gone already: watch for the adoption instead
        while os.getppid() == pid:
            time.sleep(POLL_SECONDS)
        return
    try:
        if os.getppid() == pid:
            select.select([descriptor], [], [])
    finally:
        os.close(descriptor)


def _prctl(option: int, argument: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, argument, 0, 0, 0)


def _supervise(argv: Sequence[str]) -> int:
    """Run `argv` in a session of its own until it ends, the lifeline closes, or a signal arrives.

    SIGTERM stays blocked and is waited for by a thread of its own: it is kept until there is a job to hand it to, and
    none is missed, as a handler misses one that comes just before the wait for the job's end.
    """
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    child = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_prepare_job,  # noqa: PLW1509 - one thread only at this point
    )
    threading.Thread(target=_kill_at_end_of_lifeline, args=(child.pid,), daemon=True).start()
    threading.Thread(target=_hand_on_terms, args=(child.pid,), daemon=True).start()
    code = child.wait()
    _signal_group(child.pid, signal.SIGKILL)
    _kill_adopted()
    return code if code >= 0 else SIGNAL_EXIT_BASE - code


def _prepare_job() -> None:
    kill_with_parent()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _hand_on_terms(group: int) -> None:
    while True:
        _signal_group(group, signal.sigwait({signal.SIGTERM}))


def _kill_at_end_of_lifeline(group: int) -> None:
    while os.read(sys.stdin.fileno(), 1):
        continue
    _signal_group(group, signal.SIGKILL)


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # the group has ended
        os.killpg(group, number)


def _kill_adopted() -> None:
    """Kill what left the job's session: as a subreaper this process has become its parent (Linux)."""
    listing = Path(f"/proc/self/task/{os.getpid()}/children")
    while listing.exists() and (children := listing.read_text(encoding="ascii").split()):
        for pid in map(int, children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def main() -> NoReturn:
    """Entry point of the supervisor."""
    sys.exit(_supervise(sys.argv[1:]))


if __name__ == "__main__":
    main()
