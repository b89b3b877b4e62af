"""What the demonstration says of its gates, and when it ends as failed."""

from __future__ import annotations

import pytest

from govtune_assets import demo
from govtune_assets.demo import Verdicts


def test_every_gate_that_does_not_pass_is_named() -> None:
    verdicts = Verdicts(total=9, failed=("no_pii_left of x of fiscal 2023",), warned=("every_read_was_granted of y",))
    assert verdicts.lines() == [
        "gates passed      7 of 9",
        "  failed          no_pii_left of x of fiscal 2023",
        "  warns           every_read_was_granted of y",
    ]


def test_an_unknown_year_is_named() -> None:
    with pytest.raises(demo.DemoFailed, match="1950 are no fiscal years"):
        demo.run_demo(["1950"], "quick")
