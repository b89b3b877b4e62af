"""Starts the processes of a training on this machine, one for each device, and looks after them.

SageMaker's container starts one program on each host. Where the configuration asks for several processes, that program
becomes their launcher: it starts itself once for each, with the variables that torch.distributed reads, hands SIGTERM
on to all of them, and ends them all when one fails. torchrun does the same but gives a process 30 seconds to end, which
is short for a checkpoint; under torchrun, or where SageMaker starts torchrun, nothing is launched here.

Standard library only: a process that only waits needs no torch.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from train.config import TrainingConfiguration
from train.job import JobError, JobFolders

LOG = logging.getLogger("train")

_PORT = 29500  # torchrun's; several hosts have to agree on one beforehand
_FOLLOW_SECONDS = 15.0  # after a failure: how long the others have to fail by themselves and say why
_END_SECONDS = 10.0  # from SIGTERM to SIGKILL, after a failure


@dataclass(frozen=True)
class Plan:
    """The processes of a training: `local` on each of `hosts` machines, of which this is number `host`."""

    local: int
    hosts: int
    host: int
    address: str
    port: int
    threads: int

    def environment(self, local_rank: int) -> dict[str, str]:
        """The variables of one process."""
        return {
            "RANK": str(self.host * self.local + local_rank),
            "LOCAL_RANK": str(local_rank),
            "WORLD_SIZE": str(self.hosts * self.local),
            "LOCAL_WORLD_SIZE": str(self.local),
            "MASTER_ADDR": self.address,
            "MASTER_PORT": str(self.port),
            # accelerate sets a number of threads of its own where there is none.
            "OMP_NUM_THREADS": str(self.threads),
        }


def plan(configuration: TrainingConfiguration, environment: Mapping[str, str]) -> Plan | None:
    """The processes that the configuration asks for, or None where this process is all, or was launched already.

    Raises:
        JobError: the container has another number of hosts than the configuration.
    """
    if "RANK" in environment or configuration.distribution.strategy == "none":
        return None
    hosts = json.loads(environment.get("SM_HOSTS", '["localhost"]'))
    if len(hosts) != configuration.compute.instance_count:
        raise JobError(
            f"the job runs on {len(hosts)} hosts, compute.instance_count is {configuration.compute.instance_count}"
        )
    local = configuration.processes
    several = len(hosts) > 1
    return Plan(
        local=local,
        hosts=len(hosts),
        host=hosts.index(environment.get("SM_CURRENT_HOST", hosts[0])),
        address=hosts[0] if several else "127.0.0.1",
        port=_PORT if several else _free_port(),
        threads=configuration.compute.threads or max(1, (os.cpu_count() or 1) // local),
    )


def launch(processes: Plan, arguments: Sequence[str], folders: JobFolders) -> int:
    """Run `train.train` with the arguments in each process of this host; return the exit code of the whole.

    0 where all ended well; 143 where SIGTERM came, which was handed on; else 1, and the failure file says what the
    first process that failed has said.
    """
    folders.forget_failure()
    supervisor = _Supervisor()
    before = signal.signal(signal.SIGTERM, supervisor.on_signal)
    try:
        for rank in range(processes.local):
            supervisor.start(arguments, processes.environment(rank))
        LOG.info("%d processes on this host, %d in all", processes.local, processes.local * processes.hosts)
        return supervisor.wait(folders)
    finally:
        supervisor.kill()
        signal.signal(signal.SIGTERM, before)


class _Supervisor:
    """Child processes and the order in which they end."""

    def __init__(self) -> None:
        self._children: list[subprocess.Popen[bytes]] = []
        self._ended: queue.Queue[tuple[int, int]] = queue.Queue()
        self._requested = False

    def start(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        # The packages lie beside each other; the container's program is a copy of train.py beside them.
        path = [str(Path(__file__).parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        child = subprocess.Popen(
            [sys.executable, "-m", "train.train", *arguments],
            env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join(path)},
        )
        number = len(self._children)
        self._children.append(child)
        threading.Thread(target=lambda: self._ended.put((number, child.wait())), daemon=True).start()

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        self._requested = True
        self._send(signal.SIGTERM)

    def wait(self, folders: JobFolders) -> int:
        codes: dict[int, int] = {}
        while len(codes) < len(self._children):
            number, code = self._ended.get()
            codes[number] = code
            if code and not self._requested:
                self._end_after_failure(number, code, codes, folders)
                return 1
        # SIGTERM after the last step changes nothing: what has ended well has ended well.
        return 128 + signal.SIGTERM if any(codes.values()) else 0

    def _end_after_failure(self, number: int, code: int, codes: dict[int, int], folders: JobFolders) -> None:
        if code < 0:
            reason = f"process {number} of {len(self._children)} was ended by {signal.Signals(-code).name}"
            hint = ": memory may have run out" if -code == signal.SIGKILL else ""
            folders.write_first_failure(JobError(reason + hint))
        LOG.error("process %d ended with %d: ending the others", number, code)
        for seconds, signal_to_send in ((_FOLLOW_SECONDS, signal.SIGTERM), (_END_SECONDS, signal.SIGKILL)):
            try:
                while len(codes) < len(self._children):
                    other, its_code = self._ended.get(timeout=seconds)
                    codes[other] = its_code
            except queue.Empty:
                self._send(signal_to_send)

    def kill(self) -> None:
        """End what still runs: nobody looks after it any more."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        for child in self._children:
            if child.poll() is None:
                child.send_signal(number)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
