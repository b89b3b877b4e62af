"""The mix of tasks: how many of the examples with labels stay beside T1's. Plain Python, no Spark."""

from __future__ import annotations

from collections.abc import Mapping

FIRST = "T1"
FIRST_SHARE = 0.6
"""Share of T1 among the examples, where there are enough of it and of the others; never less."""
SALT = "govtune-mix-1"
"""Part of the hash by which examples stay; a new salt draws them anew."""


def rates(counts: Mapping[str, int]) -> dict[str, float]:
    """Return for each task the share of its examples to keep, 0 to 1, so that T1 is about FIRST_SHARE of all.

    T1 keeps all. The others share what is left evenly: a task with fewer keeps all of them, and leaves its rest to the
    others.
    """
    kept = {task: 1.0 for task, count in counts.items() if count}
    room = counts.get(FIRST, 0) * (1 - FIRST_SHARE) / FIRST_SHARE
    others = sorted((count, task) for task, count in counts.items() if task != FIRST and count)
    for done, (count, task) in enumerate(others):
        even = room / (len(others) - done)
        kept[task] = min(1.0, even / count)
        room -= kept[task] * count
    return kept
