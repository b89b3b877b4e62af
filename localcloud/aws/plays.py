"""What the local SageMaker plays because one machine cannot bring it about: spot interruptions and missing capacity.

A play is asked for by a tag of the training job, so that the same request means nothing to AWS:

| tag | value | what happens |
|---|---|---|
| `localcloud:interrupt-at` | a text | when the first container writes a line with that text, its spot instance is \
taken away: SIGTERM, SIGKILL two minutes later, status Interrupted, then a new container with the checkpoints |
| `localcloud:capacity` | `none` | no instance comes: a spot job waits until MaxWaitTimeInSeconds, another one fails \
with CapacityError |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

INTERRUPT_TAG = "localcloud:interrupt-at"
CAPACITY_TAG = "localcloud:capacity"
AWAY_SECONDS = 1.5
"""How long a played interruption lasts: longer than the second by which S3 dates objects."""
WAITING_MESSAGE = "Insufficient capacity error from EC2 while launching instances, retrying!"
NO_CAPACITY = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance "
    "type or after some time."
)


@dataclass(frozen=True)
class Plays:
    """The plays that one job asks for."""

    interrupt_at: str
    without_capacity: bool

    @classmethod
    def of(cls, tags: Iterable[Mapping[str, str]]) -> Plays:
        """Read them from a job's tags."""
        found = {tag["Key"]: tag.get("Value", "") for tag in tags}
        return cls(found.get(INTERRUPT_TAG, ""), found.get(CAPACITY_TAG) == "none")
