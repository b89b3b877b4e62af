"""The curve of the report: whole where it is short, thinned out where it is long."""

from __future__ import annotations

import itertools

from train.curve import MAXIMUM_POINTS, Curve


def test_the_numbers_of_a_step_are_one_point() -> None:
    curve = Curve()
    curve.add(2, {"train_loss": 1.0})
    curve.add(0, {"validation_loss": 3.0})
    curve.add(2, {"validation_loss": 2.0})
    assert curve.points() == [
        {"step": 0, "validation_loss": 3.0},
        {"step": 2, "train_loss": 1.0, "validation_loss": 2.0},
    ]


def test_a_long_course_keeps_its_ends_its_validation_and_its_worst_gradient() -> None:
    curve = Curve()
    for step in range(10_000):
        curve.add(step, {"train_loss": 1.0, "gradient_norm": 9.0 if step == 4321 else 1.0})
        if step % 100 == 0:
            curve.add(step, {"validation_loss": 1.0})
    points = curve.points()
    assert len(points) <= MAXIMUM_POINTS
    steps = [point["step"] for point in points]
    assert steps == sorted(steps)
    assert {0, 4321, 9999} <= set(steps)
    assert sum("validation_loss" in point for point in points) == 100
    assert max(gaps(steps)) <= 50


def test_the_least_validation_loss_stays_whatever_else_is_thinned_out() -> None:
    curve = Curve()
    for step in range(10_000):
        curve.add(step, {"train_loss": 1.0, "validation_loss": 0.5 if step == 4322 else 1.0})
    points = curve.points()
    assert len(points) <= MAXIMUM_POINTS
    assert {"step": 4322, "train_loss": 1.0, "validation_loss": 0.5} in points
    assert max(gaps([int(point["step"]) for point in points])) <= 60


def gaps(steps: list[int]) -> list[int]:
    return [after - before for before, after in itertools.pairwise(steps)]
