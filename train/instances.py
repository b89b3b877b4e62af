"""SageMaker's instance types by what a training needs to know of them: their GPUs, and whether they have own disks.

Source: the instance types' pages of Amazon EC2 (https://aws.amazon.com/ec2/instance-types/, accelerated computing) and
NVIDIA's table of compute capabilities (https://developer.nvidia.com/cuda-gpus). Memory is that of one GPU as the
pages give it; own disks are their instance store volumes. A new type is added to the table below; one that is neither
there nor a CPU's is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_CPU_FAMILIES = re.compile(r"^(c|m|r|t)\d")
_CPU_FAMILIES_WITH_DISKS = re.compile(r"^(c|m|r)\d+[a-z]*d")
"""EC2's naming: a `d` among the letters after the generation says that there are instance store volumes."""
_GPU_FAMILIES_WITHOUT_DISKS = frozenset({"p3"})
_FP8 = (8, 9)
_BF16 = (8, 0)


@dataclass(frozen=True)
class Accelerator:
    """The GPUs of an instance type. `memory_gib` is of one; `capability` is CUDA's compute capability."""

    name: str
    memory_gib: int
    capability: tuple[int, int]
    count: int

    @property
    def has_fp8(self) -> bool:
        """Whether it computes with 8-bit floating point numbers."""
        return self.capability >= _FP8

    @property
    def has_bf16(self) -> bool:
        """Whether it computes with bfloat16."""
        return self.capability >= _BF16


_ONE_TO_EIGHT = {
    **dict.fromkeys(("xlarge", "2xlarge", "4xlarge", "8xlarge", "16xlarge"), 1),
    **dict.fromkeys(("12xlarge", "24xlarge"), 4),
    "48xlarge": 8,
}

# Family -> GPU, GiB of one, compute capability, size -> how many.
_GPUS: Mapping[str, tuple[str, int, tuple[int, int], Mapping[str, int]]] = {
    "p3": ("V100", 16, (7, 0), {"2xlarge": 1, "8xlarge": 4, "16xlarge": 8}),
    "p3dn": ("V100", 32, (7, 0), {"24xlarge": 8}),
    "p4d": ("A100", 40, (8, 0), {"24xlarge": 8}),
    "p4de": ("A100", 80, (8, 0), {"24xlarge": 8}),
    "p5": ("H100", 80, (9, 0), {"4xlarge": 1, "48xlarge": 8}),
    "p5e": ("H200", 141, (9, 0), {"48xlarge": 8}),
    "p5en": ("H200", 141, (9, 0), {"48xlarge": 8}),
    "p6-b200": ("B200", 179, (10, 0), {"48xlarge": 8}),
    "g4dn": (
        "T4",
        16,
        (7, 5),
        {**dict.fromkeys(("xlarge", "2xlarge", "4xlarge", "8xlarge", "16xlarge"), 1), "12xlarge": 4},
    ),
    "g5": ("A10G", 24, (8, 6), _ONE_TO_EIGHT),
    "g6": ("L4", 24, (8, 9), _ONE_TO_EIGHT),
    "g6e": ("L40S", 48, (8, 9), _ONE_TO_EIGHT),
}


def accelerator(instance_type: str) -> Accelerator | None:
    """The GPUs of an instance type such as ml.g6e.2xlarge, or None where it has none.

    Raises:
        ValueError: the type is not known.
    """
    _, family, size = instance_type.split(".")
    if _CPU_FAMILIES.match(family):
        return None
    if family not in _GPUS or size not in _GPUS[family][3]:
        raise ValueError(
            f"instance type {instance_type} is not known: take a CPU type (c, m, r, t) or one of the families "
            f"{', '.join(_GPUS)}, or add it to train/instances.py"
        )
    name, memory, capability, counts = _GPUS[family]
    return Accelerator(name, memory, capability, counts[size])


def has_local_storage(instance_type: str) -> bool:
    """Whether an instance type has disks of its own, which SageMaker takes in the place of a volume.

    Their hardware encrypts them; the service refuses a key for them ("You can't request a VolumeKmsKeyId when using an
    instance type with local storage", ResourceConfig in the API reference).

    Raises:
        ValueError: the type is not known.
    """
    family = instance_type.split(".")[1]
    if accelerator(instance_type) is None:
        return bool(_CPU_FAMILIES_WITH_DISKS.match(family))
    return family not in _GPU_FAMILIES_WITHOUT_DISKS
