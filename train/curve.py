"""The course of a training as a few points, for the report, the gates and the charts. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping

MAXIMUM_POINTS = 400


class Curve:
    """Numbers by optimizer step: train_loss, learning_rate, gradient_norm, validation_loss."""

    def __init__(self) -> None:
        self._points: dict[int, dict[str, float]] = {}

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Add a step's numbers; those of the same step become one point."""
        self._points.setdefault(step, {}).update(values)

    def points(self) -> list[dict[str, float]]:
        """At most MAXIMUM_POINTS points in the order of their steps, evenly thinned out.

        The first and the last stay, and so do those of the largest gradient norm and of the least validation loss, and
        as far as there is room each with a validation loss: they are what a gate looks at.
        """
        steps = sorted(self._points)
        if len(steps) > MAXIMUM_POINTS:
            steps = self._thinned(steps)
        return [{"step": step, **self._points[step]} for step in steps]

    def _thinned(self, steps: list[int]) -> list[int]:
        worst = max(steps, key=lambda step: self._points[step].get("gradient_norm", 0.0))
        wanted = {steps[0], steps[-1], worst}
        validated = [step for step in steps if "validation_loss" in self._points[step]]
        if validated:
            wanted.add(min(validated, key=lambda step: self._points[step]["validation_loss"]))
        wanted.update(_evenly(validated, MAXIMUM_POINTS // 2))
        others = [step for step in steps if step not in wanted]
        return sorted(wanted | set(_evenly(others, MAXIMUM_POINTS - len(wanted))))


def _evenly(steps: list[int], count: int) -> list[int]:
    """`count` of the steps (all, where there are no more), the first and the last among them."""
    if len(steps) <= count:
        return steps
    return [steps[place * (len(steps) - 1) // (count - 1)] for place in range(count)]
