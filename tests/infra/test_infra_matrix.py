"""Who may do what in the account of `infra/`, with the parameters of production, as the local IAM decides."""

from __future__ import annotations

import pytest

from localcloud.aws.iam.policy import Decision
from tools.access_matrix import PLACES, TARGET, Row, document, matrix


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """The matrix."""
    return matrix()


def test_every_row_is_decided_as_expected(rows: list[Row]) -> None:
    assert len(rows) >= 120
    assert not [row for row in rows if not row.right]


def test_the_rows_hold_every_place_and_every_decision(rows: list[Row]) -> None:
    assert {row.where for row in rows} == set(PLACES)
    assert {row.decision for row in rows} == set(Decision)


def test_nobody_comes_without_tls_or_to_tables_from_elsewhere(rows: list[Row]) -> None:
    unsafe = [row for row in rows if row.where == "without TLS"]
    outside = [row for row in rows if row.where == "from elsewhere" and "table" in row.what]
    assert len(unsafe) >= 20 and len(outside) >= 5
    assert {row.decision for row in (*unsafe, *outside)} == {Decision.EXPLICIT_DENY}


def test_the_page_is_what_the_templates_say(rows: list[Row]) -> None:
    assert TARGET.read_text() == document(rows), "run: python -m tools.access_matrix"
