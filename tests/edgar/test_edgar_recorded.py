"""Recorded filings, where they are beside the checkout."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from govtune_assets.edgar import EdgarSource, SkipReason, collect

from .conftest import Replica

pytestmark = pytest.mark.shared


def test_a_fiscal_year_of_recorded_filings(
    recorded: Path, replica: Callable[..., Replica], source: Callable[..., EdgarSource]
) -> None:
    universe = ["GD", "UNH", "AMD", "NVDA", "LOW", "CIK0001326380"]
    collection = collect(source(replica(recorded)), 2023, universe)
    found = {(record["cik"], record["form_type"], record["fiscal_quarter"]) for record in collection.records}
    assert found == {
        ("0000002488", "10-K", None),
        ("0000002488", "10-Q", 2),
        ("0000040533", "10-K", None),
        ("0000040533", "10-Q", 2),
        ("0000060667", "10-Q", 2),
        ("0000731766", "10-K", None),
        ("0000731766", "10-Q", 2),
        ("0001326380", "10-K", None),
        ("0001326380", "10-Q", 2),
    }
    assert {record["fiscal_year"] for record in collection.records} == {2023}
    reasons = Counter(skip.reason for skip in collection.skips)
    assert set(reasons) <= {SkipReason.MISSING_DOCUMENT, SkipReason.NO_FILINGS}
