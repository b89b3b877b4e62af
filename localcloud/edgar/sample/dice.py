"""Deterministic choices: every choice has a name, so adding one does not change any other."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Dice:
    """A source of choices that depend on `seed` and the choice's name only, on every machine and Python version."""

    seed: str

    def under(self, *names: object) -> Dice:
        """A source for the choices within something that has a name of its own."""
        return Dice("/".join([self.seed, *map(str, names)]))

    def _number(self, name: object) -> int:
        return int.from_bytes(hashlib.sha256(f"{self.seed}/{name}".encode()).digest()[:8], "big")

    def integer(self, low: int, high: int, name: object) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + self._number(name) % (high - low + 1)

    def chance(self, percent: int, name: object) -> bool:
        """True in `percent` of a hundred names."""
        return self.integer(0, 99, name) < percent

    def choice(self, items: Sequence[T], name: object) -> T:
        """One of `items`."""
        return items[self._number(name) % len(items)]

    def shuffled(self, items: Sequence[T], name: object) -> list[T]:
        """All of `items`, in an order that depends on the name."""
        keyed = sorted(range(len(items)), key=lambda index: self._number(f"{name}/{index}"))
        return [items[index] for index in keyed]
