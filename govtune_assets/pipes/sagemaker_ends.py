"""How a SageMaker training job ended, what to do about it, and whether starting it again can help.

Sources: SecondaryStatus and FailureReason of DescribeTrainingJob in the API reference; the prefixes of FailureReason
(AlgorithmError, ClientError, CapacityError, InternalServerError) in the guide "Troubleshooting".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TERMINAL = frozenset({"Completed", "Failed", "Stopped"})


@dataclass(frozen=True)
class End:
    """Why a job ended. `retry` says that the same request may succeed later; `mend` what to do otherwise."""

    cause: str
    mend: str
    retry: bool


_STOPPED = {
    "MaxRuntimeExceeded": End(
        "it exceeded MaxRuntimeInSeconds",
        "The limit bounds what a job may cost, so it is not started again unasked: raise it, and re-execute the run, "
        "which goes on from the last checkpoint.",
        retry=False,
    ),
    "MaxWaitTimeExceeded": End(
        "it exceeded MaxWaitTimeInSeconds: spot capacity did not come in time",
        "Another job goes on from the last checkpoint; or raise the limit, or train on demand.",
        retry=True,
    ),
    "Interrupted": End(
        "its spot instance was taken away",
        "Another job goes on from the last checkpoint.",
        retry=True,
    ),
}
_BY_HAND = End("it was stopped", "Somebody stopped it, in the console or by StopTrainingJob.", retry=False)
_FAILED = {
    "CapacityError": End(
        "there was no capacity", "Start it later, on another instance type or in another subnet.", retry=True
    ),
    "InternalServerError": End("SageMaker failed", "Start it again.", retry=True),
    "ClientError": End(
        "SageMaker could not use the request", "Mend role, image, channel or output as the reason says.", retry=False
    ),
    "AlgorithmError": End(
        "the job's own program failed", "The same program on the same data fails again: see its log.", retry=False
    ),
}
_UNKNOWN = End("SageMaker gave no known cause", "See the job's log.", retry=False)


def end_of(job: Mapping[str, Any]) -> End:
    """Why a job that did not complete has ended, from DescribeTrainingJob's answer."""
    if job["TrainingJobStatus"] == "Stopped":
        return _STOPPED.get(job.get("SecondaryStatus", ""), _BY_HAND)
    kind = str(job.get("FailureReason", "")).partition(":")[0].strip()
    return _FAILED.get(kind, _UNKNOWN)
