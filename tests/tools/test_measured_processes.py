"""What a measurement counts of the processes below it."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.processes import CpuTime

BURNS = "import time\nwhile time.process_time() < 0.5: pass\nprint('done', flush=True)\ninput()"
IGNORES = f"""
import signal, subprocess, sys, threading
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
def start():
    subprocess.Popen([sys.executable, "-c", {BURNS!r}]).wait()
thread = threading.Thread(target=start)
thread.start()
thread.join()
print("ended", flush=True)
input()
"""


def test_time_of_an_ended_process_whose_parent_ignores_its_end_is_counted() -> None:
    with CpuTime(os.getpid()) as cpu:
        before = cpu.seconds()
        process = subprocess.Popen(
            [sys.executable, "-c", IGNORES], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "done\n"
        alive = cpu.seconds() - before
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ended\n"
        after = cpu.seconds() - before
        process.communicate("\n")

    assert process.returncode == 0
    assert 0.3 <= alive <= after
