"""A backfill that is killed at any moment: nothing is lost, changed, or fetched twice."""

from pathlib import Path

import pytest

from benchmarks.backfill import Job
from benchmarks.crash_loop import Loop, crash_loop
from benchmarks.processes import replica, start_backfill
from localcloud.edgar.scale.corpus import ScaleOptions, write_corpus

from .conftest import AGENT


@pytest.mark.integration
@pytest.mark.timeout(180)
def test_a_backfill_that_is_killed_five_times_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus", ScaleOptions(companies=4, size=0.05))
    with replica(tmp_path / "corpus", tmp_path / "log", "--max-per-second", "1000") as served:
        source = {"user_agent": AGENT, "www_url": served.url, "data_url": served.url, "requests_per_second": 20}
        loop = Loop(source, [2023, 2024], tmp_path / "loop", kills=5, seed=7)
        outcome = crash_loop(loop, served)
    assert (outcome.kills, outcome.documents) == (5, 32)
    assert outcome.committed == sorted(outcome.committed)
    assert 0 < outcome.committed[-1] <= 32 <= outcome.document_requests


@pytest.mark.integration
def test_two_processes_share_one_limit(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus", ScaleOptions(companies=4, size=0.05))
    with replica(tmp_path / "corpus", tmp_path / "log", "--max-per-second", "15") as served:
        source = {
            "user_agent": AGENT,
            "cache_dir": str(tmp_path / "cache"),
            "www_url": served.url,
            "data_url": served.url,
            "requests_per_second": 10,
        }
        running = [
            start_backfill(
                Job(source, [year], str(tmp_path / f"{year}"), str(tmp_path / f"{year}.report"), delta=False),
                tmp_path / f"{year}.job",
            )
            for year in (2023, 2024)
        ]
        for process in running:
            process.communicate()
        answers = served.answers()
    assert [process.returncode for process in running] == [0, 0]
    assert {answer.kind for answer in answers} == {"archives", "submissions", "files"}
