"""How sure a figure is: the cluster bootstrap over companies, vectorised and seeded.

Risk factors of one company are alike, so companies are drawn with replacement and not rows (Field and Welsh 2007,
"Bootstrapping clustered data"). A company that is drawn twice has its rows counted twice: a resample is a weight for
each row. A `Measure` turns weights into the figure, so that a figure and its interval are of one definition, and a
difference of two systems is taken on the same draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]
Measure = Callable[[Weights], NDArray[np.float64]]
"""From weights, shape (resamples, rows), to the figure of each resample, shape (resamples,); nan where undefined."""

RESAMPLES = 2000
LEVEL = 0.95
_AT_ONCE = 2**22  # weights in memory at once: 32 MiB


@dataclass(frozen=True)
class Draws:
    """A figure on all rows (nan where it is not defined) and on each resample; those of one `Resamples` are paired."""

    value: float
    found: NDArray[np.float64]

    def less(self, other: Draws) -> Draws:
        """The paired difference of two systems' figures."""
        return Draws(self.value - other.value, self.found - other.found)

    def interval(self) -> tuple[float, float] | None:
        """The 95% percentile interval; None where the figure is not defined, or there are fewer than two companies.

        A resample on which the figure is not defined, such as one without any row of a label, does not count.
        """
        defined = self.found[~np.isnan(self.found)]
        if math.isnan(self.value) or not len(defined):
            return None
        low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return float(low), float(high)


class Resamples:
    """Draws of companies, the same for every measure that is asked of them."""

    def __init__(self, companies: Sequence[str], *, seed: int, resamples: int = RESAMPLES) -> None:
        """Draw for rows whose companies are given. The draws depend on the set of companies and the seed alone."""
        self.names = sorted(set(companies))
        place = {name: number for number, name in enumerate(self.names)}
        self._company = np.array([place[name] for name in companies], dtype=np.intp)
        generator = np.random.Generator(np.random.PCG64(seed))
        count = len(self.names)
        self._draws = generator.multinomial(count, [1 / count] * count, size=resamples) if count else np.empty((0, 0))

    @property
    def companies(self) -> int:
        """Number of different companies."""
        return len(self.names)

    def of(self, measure: Measure) -> Draws:
        """The measure on all rows, and on each resample."""
        rows = len(self._company)
        if not rows:
            return Draws(math.nan, np.empty(0))
        value = float(measure(np.ones((1, rows)))[0])
        if self.companies < 2:  # noqa: PLR2004  (nothing varies between resamples of one company)
            return Draws(value, np.empty(0))
        block = max(1, _AT_ONCE // rows)
        parts = [
            measure(self._draws[start : start + block, self._company].astype(np.float64))
            for start in range(0, len(self._draws), block)
        ]
        return Draws(value, np.concatenate(parts))
