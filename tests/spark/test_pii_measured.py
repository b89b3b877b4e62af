"""The recognisers against the labelled texts: bars of recall and precision, and cheap tests that lose nothing."""

from __future__ import annotations

import pytest

from benchmarks import pii as benchmark
from spark.pii import TYPES, chosen, find, leftovers, plain, scrub

Scores = dict[str, benchmark.Score]


@pytest.fixture(scope="module", params=benchmark.PARTS)
def scores(request: pytest.FixtureRequest) -> Scores:
    found, _ = benchmark.measure(benchmark.rows(request.param), find)
    return found


@pytest.mark.parametrize("kind", TYPES)
def test_each_type_keeps_its_recall_and_precision(kind: str, scores: Scores) -> None:
    assert scores[kind].recall >= benchmark.RECALL
    assert scores[kind].precision >= benchmark.PRECISION


def test_cheap_tests_lose_nothing() -> None:
    for row in benchmark.rows("all"):
        assert find(row["text"]) == chosen(plain(row["text"]), TYPES), row["id"]


def test_what_is_scrubbed_passes_the_second_look_and_stays_as_it_is() -> None:
    for row in benchmark.rows("development"):
        once = scrub(row["text"]).text
        assert leftovers(once) == 0, row["id"]
        assert scrub(once).text == once, row["id"]


def test_the_second_look_sees_half_of_what_was_not_scrubbed() -> None:
    labelled = [row for row in benchmark.rows("development") if row["spans"]]
    seen = sum(leftovers(row["text"]) > 0 for row in labelled)
    assert 2 * seen >= len(labelled)
