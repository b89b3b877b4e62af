"""Settings, names, the rate gate and the cache, each alone."""

import asyncio
import gzip
import hashlib
import json
import os
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import ValidationError

from govtune_assets.edgar import (
    EdgarSource,
    MalformedAnswerError,
    SkipReason,
    collect,
    companies_in_folder,
    normalize_cik,
    normalize_ticker,
)
from govtune_assets.edgar.cache import Body, DiskCache
from govtune_assets.edgar.gate import RateGate
from govtune_assets.extraction.atomic import write_atomically

from .conftest import AGENT, Folder, Replica, document


@pytest.mark.parametrize("agent", ["", "Mozilla/5.0", "Lamp Bank", "Lamp\nBank a@b.example", "B\u00e4nk a@b.example"])
def test_a_user_agent_without_a_contact_is_refused(agent: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="contact address"):
        EdgarSource(user_agent=agent, cache_dir=tmp_path)


@pytest.mark.parametrize("url", ["ftp://x", "www.sec.gov", "http://user:secret@x", "https://x/?q"])
def test_an_address_that_is_none_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="http or https"):
        EdgarSource(user_agent=AGENT, cache_dir=tmp_path, www_url=url)


def test_more_than_the_sec_allows_cannot_be_set(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="the SEC allows 10"):
        EdgarSource(user_agent=AGENT, cache_dir=tmp_path, requests_per_second=11)


def test_names_of_companies() -> None:
    assert {normalize_ticker(name) for name in ("brk.b", "BRK/B", " BRK-B ", "BRK B")} == {"BRK-B"}
    assert {normalize_cik(name) for name in ("320193", "0000320193", "CIK0000320193", "cik320193")} == {"0000320193"}
    assert normalize_cik("AAPL") is None


def test_the_companies_of_a_folder(folder: Folder) -> None:
    folder.company(2, "BBB")
    folder.company(1)
    (folder.root / "data" / "submissions" / "CIK0000000002-submissions-001.json").write_text("{}")
    assert companies_in_folder(folder.root) == ("0000000001", "0000000002")


@pytest.mark.parametrize("body", ["", "[]", "{", "[" * 100_000, '{"0": {"ticker": "A"}}', '{"0": 7}'])
def test_a_list_of_companies_that_is_none(
    body: str, folder: Folder, replica: Callable[..., Replica], source: Callable[..., EdgarSource]
) -> None:
    (folder.root / "www" / "files" / "company_tickers.json").write_text(body)
    with pytest.raises(MalformedAnswerError, match=r"company_tickers\.json"):
        collect(source(replica(folder.root)), 2023)


def test_a_submissions_file_that_is_none_is_a_skip(
    folder: Folder, replica: Callable[..., Replica], source: Callable[..., EdgarSource]
) -> None:
    cik = folder.company(1, "AAA")
    (folder.root / "data" / "submissions" / f"CIK{cik}.json").write_text(
        json.dumps({"filings": {"recent": {"form": 1}}})
    )
    collection = collect(source(replica(folder.root)), 2023)
    assert collection.skips[0].reason is SkipReason.MALFORMED_SUBMISSIONS
    assert "not the expected document" in collection.skips[0].detail


def test_slots_are_spread_over_all_users_of_a_folder(tmp_path: Path) -> None:
    gates = [RateGate(tmp_path / "schedule", 50, 600) for _ in range(2)]

    async def take() -> list[float]:
        return sorted(await asyncio.gather(*(gates[n % 2].slot(lambda left: None) for n in range(20))))

    times = asyncio.run(take())
    assert times[-1] - times[0] >= 19 * 0.02 * 0.85


class Clock:
    """A clock that moves when somebody sleeps; `held_up` is added once, to the next sleep."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.held_up = 0.0

    def time(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        wakes_at = self.now + seconds + self.held_up
        self.held_up = 0.0
        await _REAL_SLEEP(0)  # others go on meanwhile
        self.now = max(self.now, wakes_at)


_REAL_SLEEP = asyncio.sleep


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "time", made.time)
    monkeypatch.setattr(asyncio, "sleep", made.sleep)
    return made


async def _slots(gate: RateGate, count: int) -> list[float]:
    return list(await asyncio.gather(*(gate.slot(lambda left: None) for _ in range(count))))


def test_a_request_that_was_held_up_is_made_up_for_without_a_burst(tmp_path: Path, clock: Clock) -> None:
    gate = RateGate(tmp_path / "schedule", 10, 600)
    clock.held_up = 0.35
    times = asyncio.run(_slots(gate, 60))
    gaps = [after - before for before, after in pairwise(times)]
    assert min(gaps[1:]) == pytest.approx(0.09)
    assert times[-1] - times[0] == pytest.approx(5.9)
    assert gaps[-1] == pytest.approx(0.1)


@pytest.mark.parametrize("rate", [8.0, 9.0, 9.9, 10.0])
@pytest.mark.parametrize("held_up", [0.0, 0.35, 1.2, 60.0])
def test_no_second_holds_more_requests_than_the_sec_allows(
    tmp_path: Path, clock: Clock, rate: float, held_up: float
) -> None:
    wanted = EdgarSource(user_agent=AGENT, cache_dir=tmp_path, requests_per_second=rate)
    gates = [RateGate(tmp_path / "schedule", rate, 600, wanted.least_gap_seconds) for _ in range(2)]
    times = asyncio.run(_slots(gates[0], 15))
    clock.held_up = held_up
    times += asyncio.run(_slots(gates[1], 80))
    assert min(eleventh - first for first, eleventh in zip(times, times[10:], strict=False)) > 1.05
    assert times[-1] - times[15] <= 79 / min(rate, 9.5) + 1e-6


def test_a_process_that_is_held_up_does_not_start_beside_the_next_one(tmp_path: Path, clock: Clock) -> None:
    gates = [RateGate(tmp_path / "schedule", 10, 600) for _ in range(2)]

    async def take() -> list[float]:
        times = await _slots(gates[0], 1)
        clock.held_up = 0.095  # the first to wait comes when the other is due
        times += await asyncio.gather(*(gate.slot(lambda left: None) for gate in gates))
        return sorted(times)

    times = asyncio.run(take())
    assert min(after - before for before, after in pairwise(times)) >= 0.09 - 1e-6


def test_a_replica_on_this_machine_may_be_asked_faster(tmp_path: Path, clock: Clock) -> None:
    local = "http://127.0.0.1:1"
    wanted = EdgarSource(user_agent=AGENT, cache_dir=tmp_path, requests_per_second=100, www_url=local, data_url=local)
    times = asyncio.run(_slots(RateGate(tmp_path / "schedule", 100, 600, wanted.least_gap_seconds), 101))
    assert times[-1] - times[0] == pytest.approx(1.0)


def test_time_in_which_nobody_asked_is_not_made_up_for(tmp_path: Path, clock: Clock) -> None:
    gate = RateGate(tmp_path / "schedule", 10, 600)
    asyncio.run(_slots(gate, 1))
    clock.now += 30
    times = asyncio.run(_slots(gate, 20))
    assert times[-1] - times[0] == pytest.approx(1.9)


def test_a_long_standstill_is_made_up_for_in_part_only(tmp_path: Path, clock: Clock) -> None:
    gate = RateGate(tmp_path / "schedule", 10, 600)
    clock.held_up = 60.0
    times = asyncio.run(_slots(gate, 200))
    assert times[-1] - times[0] == pytest.approx(60 + 19.9 - 1, abs=0.2)


def test_a_pause_holds_slots_that_were_given_out_before(tmp_path: Path) -> None:
    gate = RateGate(tmp_path / "schedule", 1, 0.5)
    other = RateGate(tmp_path / "schedule", 1, 0.5)

    async def take() -> tuple[float, float]:
        first = await gate.slot(lambda left: None)
        waiting = asyncio.create_task(gate.slot(lambda left: None))
        await asyncio.sleep(0)
        refused_at = time.time()
        assert other.pause(refused_at)
        assert not gate.pause(first)
        return refused_at, await waiting

    refused_at, at = asyncio.run(take())
    assert at >= refused_at + 0.5


def test_a_schedule_from_a_clock_that_was_set_back_is_dropped(tmp_path: Path) -> None:
    gate = RateGate(tmp_path / "schedule", 10, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: 4e9)
        asyncio.run(gate.slot(lambda left: None))
    asyncio.run(asyncio.wait_for(gate.slot(lambda left: None), 30))


def test_the_cache_keeps_bodies_by_content(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "cache")
    assert cache.entry("http://a") is None
    first = cache.store("http://a", Body.of(b"body"), '"tag"', None)
    second = cache.store("http://b", Body.of(b"body"), None, None)
    assert first.sha256 == second.sha256
    assert cache.entry("http://a") == first
    assert cache.body(first) == b"body"
    assert len([path for path in (tmp_path / "cache" / "bodies").rglob("*") if path.is_file()]) == 1
    missing = cache.store_missing("http://c")
    assert cache.entry("http://c") == missing
    assert cache.body(missing) is None


def test_a_damaged_entry_or_body_counts_as_not_stored(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "cache")
    entry = cache.store("http://a", Body.of(b"body"), None, None)
    assert entry.sha256
    cache.body_path(entry.sha256).write_bytes(b"bod")
    assert cache.body(entry) is None
    cache.body_path(entry.sha256).unlink()
    assert cache.entry("http://a") is None
    for path in (tmp_path / "cache" / "entries").rglob("*.json"):
        path.write_text("{")
    assert cache.entry("http://a") is None


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    with pytest.raises(OSError):
        write_atomically(target, b"data")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_the_cache_keeps_bodies_packed_as_they_came(
    folder: Folder, replica: Callable[..., Replica], source: Callable[..., EdgarSource]
) -> None:
    text = document(body="<p>We may fail.</p>" * 5000)
    folder.filing(folder.company(1, "AAA"), text)
    wanted = source(replica(folder.root))
    digest = collect(wanted, 2023).filings[0].document_sha256
    assert digest == hashlib.sha256(text.encode()).hexdigest()
    stored = DiskCache(wanted.cache_dir).body_path(digest)
    assert gzip.decompress(stored.read_bytes()) == text.encode()
    assert stored.stat().st_size < len(text) / 10


def test_what_a_killed_process_left_half_written_is_removed_after_an_hour(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path)
    entry = cache.store("http://a", Body.of(b"body"), None, None)
    stale, current = tmp_path / "bodies" / "ab" / ".part-old", tmp_path / "bodies" / "ab" / ".part-new"
    stale.parent.mkdir(exist_ok=True)
    for part in (stale, current):
        part.write_bytes(b"half")
    os.utime(stale, (time.time() - 4000, time.time() - 4000))
    cache.sweep()
    assert current.is_file()
    assert not stale.exists()
    assert cache.entry("http://a") == entry
