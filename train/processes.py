"""The processes of one training, seen from inside one of them: who it is, and what they tell each other.

`train.launch` starts them and sets the variables that torch.distributed reads (RANK, WORLD_SIZE, LOCAL_RANK,
MASTER_ADDR, MASTER_PORT); torchrun and SageMaker's own launcher set the same. A training of one process has a
`Processes` too, whose calls return at once, so that the stages need not know the difference.

Only the main process reads tables, writes files and reports. Collectives run over NCCL on GPUs and over gloo on CPUs.
torch is imported where it is needed: a process that is alone pays for it later, once its parameters were accepted.
"""

from __future__ import annotations

import datetime
import functools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from train.job import JobError

_PATIENCE = datetime.timedelta(hours=1)
"""How long a process waits in a collective: the main one may fetch weights or write a table meanwhile."""

Value = TypeVar("Value")
Arguments = ParamSpec("Arguments")


def is_started(environment: Mapping[str, str]) -> bool:
    """Whether this process is one of several that a launcher has started."""
    return int(environment.get("WORLD_SIZE", "1")) > 1


@dataclass(frozen=True)
class Processes:
    """All processes of the training. `rank` is this one's number among `count`, `local_rank` that on its machine."""

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @property
    def is_main(self) -> bool:
        """Whether this is the one that reads, writes and reports."""
        return self.rank == 0

    def from_main(self, value: Value) -> Value:
        """What the main process has given to this call, in all processes."""
        if self.count == 1:
            return value
        import torch.distributed as dist

        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def any(self, value: bool) -> bool:
        """Whether the value is true in some process."""
        return any(self.gathered(value))

    def gathered(self, value: Value) -> list[Value]:
        """The values of all processes, in the order of their ranks."""
        if self.count == 1:
            return [value]
        import torch.distributed as dist

        found: list[Any] = [None] * self.count
        dist.all_gather_object(found, value)
        return found

    def wait(self) -> None:
        """Return once all processes have called it."""
        if self.count > 1:
            import torch.distributed as dist

            dist.barrier()


@contextmanager
def joined(environment: Mapping[str, str]) -> Iterator[Processes]:
    """This process among those that a launcher started, or alone.

    Raises:
        JobError: there are GPUs, but fewer than processes on this machine.
    """
    if not is_started(environment):
        yield Processes()
        return
    import torch
    import torch.distributed as dist

    local = int(environment["LOCAL_RANK"])
    backend = "gloo"
    if torch.cuda.is_available():
        if torch.cuda.device_count() <= local:
            raise JobError(
                f"process {local} of this machine has no GPU: it has {torch.cuda.device_count()}; "
                "lower distribution.devices, or take another instance type"
            )
        torch.cuda.set_device(local)
        backend = "cpu:gloo,cuda:nccl"
    else:
        # accelerate 1.12 calls a process's CPU "cpu:0" else, to which torch cannot load a checkpoint's tensors.
        os.environ["ACCELERATE_TORCH_DEVICE"] = "cpu"
    dist.init_process_group(backend, timeout=_PATIENCE)
    try:
        yield Processes(int(environment["RANK"]), int(environment["WORLD_SIZE"]), local)
    finally:
        dist.destroy_process_group()


def spread(work: Callable[Arguments, list[Value]]) -> Callable[Arguments, list[Value]]:
    """Let the processes of a `ddp` training share what a function does with a list of items.

    The function takes the model first and the items last of its positional arguments, and returns one value for each
    item; so does the shared one, in every process. Where the weights themselves are spread (`fsdp`), each forward pass
    takes all processes, and all of them do all of the work.
    """

    @functools.wraps(work)
    def shared(*arguments: Arguments.args, **options: Arguments.kwargs) -> list[Value]:
        import torch.distributed as dist

        model: Any = arguments[0]
        items: Any = arguments[-1]
        if not dist.is_initialized() or is_sharded(model):
            return work(*arguments, **options)
        rank, count = dist.get_rank(), dist.get_world_size()
        mine: Any = (*arguments[:-1], items[rank::count])
        parts: list[Any] = [None] * count
        dist.all_gather_object(parts, work(*mine, **options))
        return [parts[place % count][place // count] for place in range(len(items))]

    return shared


def is_sharded(model: Any) -> bool:
    """Whether the model's weights are spread over processes (FSDP)."""
    from torch.distributed.tensor import DTensor

    return any(isinstance(parameter, DTensor) for parameter in model.parameters())
