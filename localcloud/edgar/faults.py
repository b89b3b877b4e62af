"""Faults that tests ask the replica for: latency, resets, truncated bodies, wrong gzip, server errors.

Faults are counted over the requests that would have been answered with a file, so that a given
specification hits the same requests of a sequential client every time.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from itertools import count
from threading import Lock


class Fault(StrEnum):
    """What is done to one response."""

    ERROR = "error"
    RESET = "reset"
    TRUNCATE = "truncate"
    BAD_GZIP = "bad_gzip"
    SHORT_GZIP = "short_gzip"


@dataclass(frozen=True)
class FaultSpecification:
    """Which faults to inject; zero means never.

    `latency` is seconds before each response; every `*_every`-th response gets that fault. Where several fall
    on the same response, the first of error, reset, truncate, bad_gzip, short_gzip wins. A truncated body ends
    before its announced length, a bad gzip stream cannot be decoded, a short one has its announced length but
    ends before the end of the stream. `only` limits all of them to URL
    paths with that prefix.
    """

    latency: float = 0.0
    error_every: int = 0
    reset_every: int = 0
    truncate_every: int = 0
    bad_gzip_every: int = 0
    short_gzip_every: int = 0
    only: str = "/"

    def __post_init__(self) -> None:
        if self.latency < 0 or any(value < 0 for value in self._periods().values()):
            raise ValueError("a fault's latency and periods must not be negative")

    @classmethod
    def parse(cls, text: str) -> FaultSpecification:
        """Read `name=value,name=value`; raises ValueError that names the part it cannot read."""
        kinds = {field.name: field.type for field in fields(cls)}
        values: dict[str, str | int | float] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, separator, value = part.partition("=")
            if not separator or name not in kinds:
                raise ValueError(f"unknown fault {part!r}: expected name=value with a name of {', '.join(kinds)}")
            values[name] = value if name == "only" else float(value) if name == "latency" else int(value)
        return cls(**values)  # type: ignore[arg-type]  # each value was converted for its own field above

    def _periods(self) -> dict[Fault, int]:
        return {
            Fault.ERROR: self.error_every,
            Fault.RESET: self.reset_every,
            Fault.TRUNCATE: self.truncate_every,
            Fault.BAD_GZIP: self.bad_gzip_every,
            Fault.SHORT_GZIP: self.short_gzip_every,
        }

    def fault_of(self, number: int) -> Fault | None:
        """The fault of the `number`-th response, counted from 1."""
        for fault, period in self._periods().items():
            if period and number % period == 0:
                return fault
        return None


class FaultInjector:
    """Counts responses and tells the fault of each. Safe for use by several threads."""

    def __init__(self, specification: FaultSpecification) -> None:
        self.specification = specification
        self._numbers = count(1)
        self._lock = Lock()

    def applies_to(self, url_path: str) -> bool:
        """Tell whether this path is subject to faults at all."""
        return url_path.startswith(self.specification.only)

    def next_fault(self) -> Fault | None:
        """Count one response and return its fault."""
        with self._lock:
            number = next(self._numbers)
        return self.specification.fault_of(number)
