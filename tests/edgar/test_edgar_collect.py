"""`collect` against the replica: what becomes a record, what a skip, and what a second run asks for."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from govtune_assets.edgar import (
    BlockedError,
    EdgarSource,
    Progress,
    SkipReason,
    UndeclaredToolError,
    UnknownCompanyError,
    collect,
    workers,
)

from .conftest import Folder, Replica, document

KEYS = {
    "cik", "ticker", "entity_name", "form_type", "fiscal_year", "fiscal_quarter", "accession_number", "filing_date",
    "period_end", "source_url", "document_sha256", "status", "risk_factor_text", "risk_factors", "summary",
    "extractor_version", "retrieved_at", "evidence",
}  # fmt: skip

BAD_WORKER = "tests.edgar.bad_worker"

Start = Callable[..., Replica]
Source = Callable[..., EdgarSource]


def test_a_record_has_the_columns_of_the_table(folder: Folder, replica: Start, source: Source) -> None:
    cik = folder.company(320, "LMP")
    annual = folder.filing(cik, document())
    folder.filing(
        cik,
        document(form="10-Q", period="Q2", end="June 30, 2023"),
        form="10-Q",
        filed="2023-08-01",
        reported="2023-06-30",
    )
    running = replica(folder.root)
    collection = collect(source(running), 2023)
    first, second = collection.records
    assert set(first) == KEYS
    json.dumps(first)
    text = "Demand for our lamps may fall when households spend less."
    assert first["risk_factors"] == [
        {
            "group": None,
            "subcaption": text,
            "body": "People buy lamps when they move, and fewer people move in a downturn.",
            "start": len(text) + 1,
            "end": len(str(first["risk_factor_text"])),
            "group_span": None,
            "subcaption_span": [0, len(text)],
        }
    ]
    assert first["evidence"]
    assert first["cik"] == "0000000320"
    assert first["ticker"] == "LMP"
    assert first["entity_name"] == "LAMP MAKERS INC"
    assert (first["form_type"], first["fiscal_year"], first["fiscal_quarter"]) == ("10-K", 2023, None)
    assert (first["filing_date"], first["period_end"]) == ("2024-02-20", "2023-12-31")
    assert first["accession_number"] == annual
    assert first["source_url"] == f"{running.url}/Archives/edgar/data/320/{annual.replace('-', '')}/lamp.htm"
    assert str(first["retrieved_at"]).endswith("Z")
    assert (second["form_type"], second["fiscal_quarter"]) == ("10-Q", 2)
    assert collection.skips == ()


def test_a_second_run_asks_for_nothing_and_gives_the_same(folder: Folder, replica: Start, source: Source) -> None:
    for number, ticker in enumerate(("AAA", "BBB", "CCC"), 1):
        cik = folder.company(number, ticker)
        folder.filing(cik, document())
        folder.filing(cik, None, form="10-Q", filed="2023-05-01", reported="2023-03-31")
    running = replica(folder.root)
    first = collect(source(running), 2023)
    before = running.statistics()
    second = collect(source(running), 2023)
    assert running.statistics() == before
    assert list(second.records) == list(first.records)
    assert second.skips == first.skips
    assert second.stats.requests == second.stats.extractions == 0


def test_indexes_are_asked_for_again_conditionally_and_documents_never(
    folder: Folder, replica: Start, source: Source
) -> None:
    cik = folder.company(1, "AAA")
    folder.filing(cik, document())
    running = replica(folder.root)
    aged = {"index_max_age_seconds": 0, "settled_index_max_age_seconds": 0}
    collect(source(running, **aged), 2023)
    folder.filing(cik, document(form="10-Q", period="Q1"), form="10-Q", filed="2023-05-01", reported="2023-03-31")
    again = collect(source(running, **aged), 2023)
    assert len(again.records) == 2
    assert again.stats.document_requests == 1
    assert again.stats.not_modified == 1
    assert running.statistics()["not_modified"] == 1


def test_a_year_that_is_over_is_asked_for_again_only_where_its_10_k_lacks(
    folder: Folder, replica: Start, source: Source
) -> None:
    whole, late = folder.company(1, "AAA"), folder.company(2, "BBB")
    folder.filing(whole, document(), page=f"CIK{whole}-submissions-001.json")
    folder.filing(late, document(form="10-Q", period="Q1"), form="10-Q", filed="2023-05-01", reported="2023-03-31")
    running = replica(folder.root)
    collect(source(running, index_max_age_seconds=0), 2023)
    folder.filing(late, document(), filed="2025-02-03")
    again = collect(source(running, index_max_age_seconds=0), 2023)
    assert [(r.cik, r.form_type) for r in again.filings] == [(whole, "10-K"), (late, "10-K"), (late, "10-Q")]
    assert (again.stats.requests, again.stats.document_requests) == (3, 1)  # the list, and what the late one filed
    last = collect(source(running, index_max_age_seconds=0), 2023)
    assert (last.stats.requests, last.stats.not_modified) == (1, 1)  # the list of companies alone


def test_a_year_in_which_filings_are_still_due_is_asked_for_again(
    folder: Folder, replica: Start, source: Source
) -> None:
    today = datetime.now(UTC).date()
    text = document(year=today.year, end=f"January 1, {today.year}")
    folder.filing(folder.company(1, "AAA"), text, filed=today.isoformat(), reported=f"{today.year}-01-01")
    running = replica(folder.root)
    for _ in range(2):
        collection = collect(source(running, index_max_age_seconds=0), today.year)
        assert len(collection.filings) == 1
    assert (collection.stats.requests, collection.stats.not_modified) == (2, 2)


def test_what_is_skipped_and_why(folder: Folder, replica: Start, source: Source) -> None:
    cik = folder.company(1, "AAA")
    folder.filing(cik, None)
    folder.filing(cik, document(), form="10-K/A", filed="2024-03-01")
    folder.filing(cik, document(form="10-Q/A", period="Q1"), form="10-Q", filed="2023-05-01", reported="2023-03-31")
    folder.filing(cik, document(), form="10-Q", filed="2023-08-01", reported="2023-06-30", name="../../secret")
    folder.company(2, "BBB")
    unlisted = {"cik_str": 3, "ticker": "CCC", "title": "No submissions"}
    folder.tickers.append(unlisted)
    folder.flush()
    collection = collect(source(replica(folder.root)), 2023)
    reasons = {(skip.company.ticker, skip.reason) for skip in collection.skips}
    assert reasons == {
        ("AAA", SkipReason.MISSING_DOCUMENT),
        ("AAA", SkipReason.AMENDMENT),
        ("AAA", SkipReason.NO_DOCUMENT_NAME),
        ("BBB", SkipReason.NO_FILINGS),
        ("CCC", SkipReason.NO_SUBMISSIONS),
    }
    assert all(skip.detail and str(skip.filing) for skip in collection.skips)
    assert len(collection.records) == 0


def test_two_filings_of_one_period_leave_the_later(folder: Folder, replica: Start, source: Source) -> None:
    cik = folder.company(1, "AAA")
    earlier = folder.filing(cik, document(), filed="2024-02-01")
    later = folder.filing(cik, document(end="December 30, 2023"), filed="2024-02-02")
    collection = collect(source(replica(folder.root)), 2023)
    assert [record["accession_number"] for record in collection.records] == [later]
    assert [skip.reason for skip in collection.skips] == [SkipReason.SUPERSEDED]
    assert earlier in collection.skips[0].filing


def test_a_mistyped_quarter_takes_no_other_report_away(folder: Folder, replica: Start, source: Source) -> None:
    cik = folder.company(1, "AAA")
    folder.filing(cik, document())
    march = folder.filing(
        cik, document(form="10-Q", period="Q1", end="March 31, 2023"), form="10-Q", filed="2023-05-01",
        reported="2023-03-31",
    )  # fmt: skip
    june = folder.filing(
        cik, document(form="10-Q", period="Q1", end="June 30, 2023"), form="10-Q", filed="2023-08-01",
        reported="2023-06-30",
    )  # fmt: skip
    collection = collect(source(replica(folder.root)), 2023)
    assert [(r.fiscal_quarter, r.filing.accession_number) for r in collection.filings[1:]] == [(1, march), (2, june)]
    assert not collection.skips


@pytest.mark.parametrize(
    ("form", "period", "ends"),
    [
        ("10-K", "FY", (("January 31, 2023", "2023-01-31"), ("December 31, 2023", "2023-12-31"))),  # a year that moved
        ("10-Q", "Q1", (("March 31, 2023", "2023-03-31"), ("June 30, 2023", "2023-06-30"))),  # and no calendar
    ],
)
def test_another_period_under_the_same_name_is_a_skip_of_its_own(
    folder: Folder, replica: Start, source: Source, form: str, period: str, ends: tuple[tuple[str, str], ...]
) -> None:
    cik = folder.company(1, "AAA", year_end="")
    first, second = (
        folder.filing(
            cik, document(form=form, period=period, end=end), form=form, filed=f"2024-02-0{day}", reported=reported
        )
        for day, (end, reported) in enumerate(ends, 1)
    )
    collection = collect(source(replica(folder.root)), 2023)
    assert [record["accession_number"] for record in collection.records] == [second]
    (skip,) = collection.skips
    assert skip.reason is SkipReason.PERIOD_CLASH and skip.source and skip.source.accession_number == first
    assert second in skip.detail and ends[1][1] in skip.detail


def test_older_pages_are_read_where_recent_starts_too_late(folder: Folder, replica: Start, source: Source) -> None:
    cik = folder.company(7, "AAA")
    folder.filing(cik, document(year=2025, end="December 31, 2025"), filed="2026-02-01", reported="2025-12-31")
    folder.filing(cik, document(), page=f"CIK{cik}-submissions-001.json")
    folder.filing(
        cik, document(year=2009), filed="2010-02-01", reported="2009-12-31", page=f"CIK{cik}-submissions-002.json"
    )
    running = replica(folder.root)
    collection = collect(source(running), 2023)
    assert [record["filing_date"] for record in collection.records] == ["2024-02-20"]
    assert collection.stats.requests == 4  # the list, the submissions file, one older page, one document


@pytest.mark.parametrize("filed", ["2024-02-20", "2026-02-20"])
def test_an_older_page_that_is_missing_is_a_skip(folder: Folder, replica: Start, source: Source, filed: str) -> None:
    cik = folder.company(7, "AAA")
    folder.filing(cik, document(), filed=filed, reported=f"{int(filed[:4]) - 1}-12-31")
    page = f"CIK{cik}-submissions-001.json"
    folder.filing(cik, document(form="10-Q", period="Q1"), form="10-Q", filed="2023-05-01", page=page)
    (folder.root / "data" / "submissions" / page).unlink()
    collection = collect(source(replica(folder.root)), 2023)
    assert len(collection.filings) == (filed == "2024-02-20")
    (skip,) = collection.skips
    assert (skip.reason, skip.source) == (SkipReason.MISSING_PAGES, None)
    assert page in skip.detail


def test_a_submissions_file_that_was_missing_is_asked_for_by_the_next_run(
    folder: Folder, replica: Start, source: Source
) -> None:
    cik = folder.company(1, "AAA")
    folder.filing(cik, document())
    running = replica(folder.root)
    path = folder.root / "data" / "submissions" / f"CIK{cik}.json"
    body = path.read_bytes()
    path.unlink()
    assert [skip.reason for skip in collect(source(running), 2023).skips] == [SkipReason.NO_SUBMISSIONS]
    path.write_bytes(body)
    assert len(collect(source(running), 2023).filings) == 1


def test_share_classes_are_one_filer_and_tickers_are_normalized(folder: Folder, replica: Start, source: Source) -> None:
    cik = folder.company(1067983, "BRK-B", "BRK-A")
    folder.filing(cik, document())
    other = folder.company(5, name="Unlisted Lamps")
    folder.filing(other, document())
    running = replica(folder.root)
    collection = collect(source(running), 2023, ["brk.b", "BRK/A", "1067983", "CIK0000000005"])
    assert [(record["cik"], record["ticker"]) for record in collection.records] == [(other, None), (cik, "BRK-B")]


def test_an_unknown_company_is_named(folder: Folder, replica: Start, source: Source) -> None:
    folder.company(1, "AAA")
    with pytest.raises(UnknownCompanyError, match=r"NOPE, 999") as caught:
        collect(source(replica(folder.root)), 2023, ["AAA", "NOPE", "999"])
    assert caught.value.names == ("NOPE", "999")


def test_faults_of_the_network_are_survived(folder: Folder, replica: Start, source: Source) -> None:
    for number in range(1, 6):
        folder.filing(folder.company(number, f"T{number}"), document())
    faults = "error_every=10,reset_every=11,truncate_every=9,bad_gzip_every=7,short_gzip_every=8,latency=0.01"
    running = replica(folder.root, "--faults", faults)
    collection = collect(source(running, attempts=12), 2023)
    assert len(collection.records) == 5
    counted = running.statistics()
    assert all(f"fault_{fault}" in counted for fault in ("error", "reset", "truncate", "bad_gzip", "short_gzip"))
    assert collection.stats.retries == sum(count for kind, count in counted.items() if kind.startswith("fault_"))
    hashes = {record["document_sha256"] for record in collection.records}
    assert len(hashes) == 1


def test_a_document_that_never_arrives_whole_is_a_skip(folder: Folder, replica: Start, source: Source) -> None:
    folder.filing(folder.company(1, "AAA"), document())
    running = replica(folder.root, "--faults", "truncate_every=1,only=/Archives")
    collection = collect(source(running, attempts=2), 2023)
    assert [skip.reason for skip in collection.skips] == [SkipReason.DOWNLOAD_FAILED]
    assert "2 attempts" in collection.skips[0].detail


def test_a_refusal_pauses_the_whole_run_and_then_it_goes_on(folder: Folder, replica: Start, source: Source) -> None:
    for number in range(1, 8):
        folder.filing(folder.company(number, f"T{number}"), document())
    running = replica(folder.root, "--max-per-second", "5", "--block-seconds", "1")
    seen: list[Progress] = []
    collection = collect(source(running, max_pauses=20, pause_seconds=3), 2023, on_progress=seen.append)
    assert len(collection.records) == 7
    assert collection.stats.pauses >= 1
    left = [progress.paused for progress in seen if progress.paused is not None]
    assert 2 < left[0] <= 3
    assert any(0.9 < before - after < 2 for before, after in pairwise(left)), "a countdown, second by second"
    assert any(progress.message.endswith("paused, 3 s left") for progress in seen)


def test_pauses_are_bounded(folder: Folder, replica: Start, source: Source) -> None:
    folder.filing(folder.company(1, "AAA"), document())
    running = replica(folder.root, "--max-per-second", "1", "--block-seconds", "60")
    with pytest.raises(BlockedError, match="after 1 pauses"):
        collect(source(running, max_pauses=1, pause_seconds=0.3), 2023)


def test_an_undeclared_tool_stops_with_the_mend(folder: Folder, replica: Start, source: Source) -> None:
    running = replica(folder.root)
    with pytest.raises(UndeclaredToolError, match="GOVTUNE_EDGAR_USER_AGENT"):
        collect(source(running, user_agent="filings@example.com"), 2023)
    assert running.statistics()["undeclared"] == 1


def test_the_declared_rate_is_never_refused(folder: Folder, replica: Start, source: Source) -> None:
    for number in range(1, 12):
        folder.filing(folder.company(number, f"T{number}"), document())
    running = replica(folder.root, "--max-per-second", "10")
    collection = collect(source(running, requests_per_second=6), 2023)
    assert len(collection.records) == 11
    assert "rate_exceeded" not in running.statistics()


def test_progress_ends_with_everything_done(folder: Folder, replica: Start, source: Source) -> None:
    folder.filing(folder.company(1, "AAA"), document())
    seen: list[Progress] = []
    collect(source(replica(folder.root)), 2023, on_progress=seen.append)
    assert (seen[-1].done, seen[-1].total, seen[-1].eta) == (1, 1, 0)
    assert str(seen[-1]).startswith("1 of 1 filings")


def test_a_killed_run_goes_on_where_it_stopped(folder: Folder, replica: Start, source: Source, tmp_path: Path) -> None:
    for number in range(1, 13):
        folder.filing(folder.company(number, f"T{number}"), document(body=f"<p>We may fail in {number} ways.</p>"))
    running = replica(folder.root)
    whole = list(collect(source(running, cache_dir=tmp_path / "other"), 2023).records)
    script = tmp_path / "run.py"
    script.write_text(
        "import sys\nfrom govtune_assets.edgar import EdgarSource, collect\n"
        "if __name__ == '__main__':\n"
        "    collect(EdgarSource.model_validate_json(sys.argv[1]), 2023)\n"
    )
    wanted = source(running)
    entries = wanted.cache_dir / "entries"
    for least in (6, 18):
        child = subprocess.Popen(
            [sys.executable, str(script), wanted.model_dump_json()],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        while child.poll() is None and sum(1 for _ in entries.rglob("*.json")) < least:
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        child.wait()
    finished = list(collect(wanted, 2023).records)
    stamp = "retrieved_at"
    assert [{k: v for k, v in row.items() if k != stamp} for row in finished] == [
        {k: v for k, v in row.items() if k != stamp} for row in whole
    ]


def test_a_damaged_body_in_the_cache_is_fetched_again(folder: Folder, replica: Start, source: Source) -> None:
    folder.filing(folder.company(1, "AAA"), document())
    running = replica(folder.root)
    wanted = source(running)
    first = collect(wanted, 2023)
    for body in (wanted.cache_dir / "bodies").rglob("*"):
        if body.is_file():
            body.write_bytes(body.read_bytes()[:10])
    for result in (wanted.cache_dir / "extracted").rglob("*.json"):
        result.unlink()
    second = collect(wanted, 2023)
    assert [record["document_sha256"] for record in second.records] == [
        record["document_sha256"] for record in first.records
    ]
    assert second.records[0]["status"] == "full"


def test_a_filing_that_breaks_its_worker_is_recorded_as_failed(
    folder: Folder, replica: Start, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = folder.filing(folder.company(1, "AAA"), document())
    bad = folder.filing(folder.company(2, "BBB"), document(body="<p>We break what reads this.</p>"))
    monkeypatch.setattr(workers, "WORKER_MODULE", BAD_WORKER)
    collection = collect(source(replica(folder.root)), 2023)
    assert [(record["accession_number"], record["status"]) for record in collection.records] == [
        (good, "full"),
        (bad, "failed"),
    ]
    failed = collection.records[1]
    assert failed["risk_factor_text"] is None
    assert failed["risk_factors"] == []
    assert failed["document_sha256"]
    assert [(skip.reason, skip.company.ticker) for skip in collection.skips] == [(SkipReason.EXTRACTION_FAILED, "BBB")]


def test_a_filing_that_ends_its_worker_takes_no_other_along(
    folder: Folder, replica: Start, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, ticker in enumerate(("AAA", "BBB", "CCC", "DDD", "EEE"), start=1):
        body = "<p>We end what reads this.</p>" if ticker == "BBB" else f"<p>Sound {ticker}.</p>"
        folder.filing(folder.company(number, ticker), document(body=body))
    monkeypatch.setattr(workers, "WORKER_MODULE", BAD_WORKER)
    collection = collect(source(replica(folder.root)), 2023)
    statuses = {record["ticker"]: record["status"] for record in collection.records}
    assert statuses == {"AAA": "full", "BBB": "failed", "CCC": "full", "DDD": "full", "EEE": "full"}
    assert [skip.company.ticker for skip in collection.skips] == ["BBB"]


def test_a_filing_that_hangs_its_worker_is_recorded_as_failed(
    folder: Folder, replica: Start, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.filing(folder.company(1, "AAA"), document(body="<p>We hang what reads this.</p>"))
    folder.filing(folder.company(2, "BBB"), document())
    monkeypatch.setattr(workers, "WORKER_MODULE", BAD_WORKER)
    monkeypatch.setattr(workers, "_HANGS", 4.0)
    collection = collect(source(replica(folder.root)), 2023)
    assert {record["ticker"]: record["status"] for record in collection.records} == {"AAA": "failed", "BBB": "full"}
    assert "TimeoutError" in collection.skips[0].detail


@pytest.mark.parametrize(
    ("words", "detail"),
    [
        ("We complain at length.", "RuntimeError: too much"),
        ("We overflow the line.", "its worker answered with more than 65536 bytes"),
        ("We answer with a list.", "its worker answered with something else than a JSON object"),
    ],
)
def test_an_answer_that_cannot_be_read_is_that_filings_failure(
    folder: Folder, replica: Start, source: Source, monkeypatch: pytest.MonkeyPatch, words: str, detail: str
) -> None:
    folder.filing(folder.company(1, "AAA"), document(body=f"<p>{words}</p>"))
    folder.filing(folder.company(2, "BBB"), document())
    monkeypatch.setattr(workers, "WORKER_MODULE", BAD_WORKER)
    collection = collect(source(replica(folder.root)), 2023)
    assert {record["ticker"]: record["status"] for record in collection.records} == {"AAA": "failed", "BBB": "full"}
    (skip,) = collection.skips
    assert skip.reason is SkipReason.EXTRACTION_FAILED and skip.detail.startswith(detail)
    assert len(skip.detail) <= 600


def test_a_body_that_is_damaged_again_is_a_failed_download(
    folder: Folder, replica: Start, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.filing(folder.company(1, "AAA"), document(body="<p>We look damaged.</p>"))
    monkeypatch.setattr(workers, "WORKER_MODULE", BAD_WORKER)
    collection = collect(source(replica(folder.root)), 2023)
    assert [skip.reason for skip in collection.skips] == [SkipReason.DOWNLOAD_FAILED]
    assert "twice: check the disk" in collection.skips[0].detail
    assert collection.stats.document_requests == 2


def test_a_full_disk_stops_the_run_with_the_mend(
    folder: Folder, replica: Start, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.filing(folder.company(1, "AAA"), document(body="<p>We fill the disk.</p>"))
    monkeypatch.setattr(workers, "WORKER_MODULE", BAD_WORKER)
    with pytest.raises(OSError, match=r"No space left on device: the cache folder .* is full\. Free space there"):
        collect(source(replica(folder.root)), 2023)


def test_a_worker_sees_no_secret_of_its_parent(
    folder: Folder, source: Source, replica: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.filing(folder.company(1, "AAA"), document(body="<p>We tell all.</p>"))
    monkeypatch.setattr(workers, "WORKER_MODULE", BAD_WORKER)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-parents-own")
    collection = collect(source(replica(folder.root)), 2023)
    assert "PATH=" in collection.skips[0].detail
    assert "AWS" not in collection.skips[0].detail
