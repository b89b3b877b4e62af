"""What becomes of a payload's report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dagster as dg
import pytest

from govtune_assets.assets.common import job_report


@dataclass(frozen=True)
class Ended:
    """A job that has ended, with what it reported."""

    reported: tuple[Any, ...]

    def get_results(self, *, implicit_materializations: bool) -> tuple[Any, ...]:
        assert not implicit_materializations
        return self.reported


def report(version: str) -> dg.MaterializeResult:  # type: ignore[type-arg]
    return dg.MaterializeResult(metadata={"of": version}, data_version=dg.DataVersion(version))


def test_the_last_report_counts() -> None:
    """A spot instance that is lost after its report gives way to one that makes the artifact, and reports, again."""
    ended: Any = Ended((report("first"), dg.AssetCheckResult(passed=True), report("last")))
    assert job_report(ended) == ({"of": "last"}, "last")


def test_a_job_without_a_report_says_so() -> None:
    ended: Any = Ended((dg.AssetCheckResult(passed=True),))
    with pytest.raises(dg.Failure, match="reported no materialization"):
        job_report(ended)
