"""Rows of a real Delta table on disk, by the one reader."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from govtune_assets.delta import read_rows
from unitydoor.vending import Grant

AWKWARD = "o'clock\"; -- ünder"


@pytest.fixture
def grant(tmp_path: Path) -> Grant:
    url = str(tmp_path / "table")
    for number in range(3):
        names = [f"row {number}", AWKWARD]
        write_deltalake(url, pa.table({"Name": names, "when": [number, None], "part ": ["a", "b"]}), mode="append")
    now = datetime.now(UTC)
    return Grant("reader", "a.b.c", "READ", url, now, now + timedelta(hours=1), "key", "secret", "token")


def test_all_rows_and_columns_are_read(grant: Grant) -> None:
    rows = sorted(read_rows(grant, "us-east-1"), key=str)
    assert len(rows) == 6
    assert rows[-1] == {"Name": "row 2", "when": 2, "part ": "a"}


def test_values_and_names_are_taken_literally(grant: Grant) -> None:
    found = list(read_rows(grant, "us-east-1", columns=["part ", "Name"], where={"Name": [AWKWARD], "part ": ["b"]}))
    assert found == [{"part ": "b", "Name": AWKWARD}] * 3
    assert not list(read_rows(grant, "us-east-1", where={"Name": ["x' OR '1'='1"]}))
    assert not list(read_rows(grant, "us-east-1", where={"Name": []}))


def test_a_version_stays_what_it_was(grant: Grant) -> None:
    assert len(list(read_rows(grant, "us-east-1", version=0))) == 2


def test_a_process_ends_well_right_after_reading(grant: Grant) -> None:
    program = (
        "import sys; from types import SimpleNamespace as S; from govtune_assets.delta import read_rows;"
        "print(len(list(read_rows(S(url=sys.argv[1], storage_options=lambda region: {}), 'us-east-1'))))"
    )
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", program, grant.url], capture_output=True, text=True, timeout=120, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "6\n", "")
