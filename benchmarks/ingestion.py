"""A backfill of two fiscal years at the size of the S&P 500: rate, memory, a rerun, and a loop of kills.

    python -m benchmarks.ingestion [--companies N] [--size SHARE] [--rate N] [--kills N] [--recorded FOLDER]

By default 500 fictional filers with 503 symbols and 4,000 filings of real size, which the replica serves with the SEC's
limit of ten requests a second. The backfill collects each year, writes it as the raw zone's JSON objects and replaces
it in a Delta table. The replica runs beside it on the same cores and is not counted. Rates come from the replica's
access log; "sustained" is the share of the allowed rate in each quarter of the time from the first request to the last.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.backfill import Job
from benchmarks.crash_loop import Loop, Outcome, crash_loop
from benchmarks.processes import Answer, Memory, Replica, replica, start_backfill
from govtune_assets.edgar import companies_in_folder
from localcloud.edgar.scale.corpus import DEFAULT_COMPANIES, ScaleOptions, write_corpus

YEARS = (2023, 2024)
USER_AGENT = "Govtune Benchmark filings@example.com"
SEC_LIMIT = 10
_KILLED_SIZE = 0.1  # of a real document's size, in the loop of kills


@dataclass(frozen=True)
class Run:
    """One backfill: its own report, what the replica saw, the peak of its processes' memory in bytes."""

    seconds: float
    years: list[dict[str, Any]]
    answers: list[Answer]
    peak: int

    def total(self, name: str) -> float:
        """A figure of the report over all years."""
        return float(sum(year[name] for year in self.years))

    @property
    def documents(self) -> int:
        """Requests for documents."""
        return sum(answer.is_document for answer in self.answers)


def main() -> None:
    """Measure and print."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="ingestion-", dir=options.scratch) as scratch:
        result = measure(options, Path(scratch))
    print(_table(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--companies", type=int, default=DEFAULT_COMPANIES, help="filers, of eight filings each")
    parser.add_argument("--size", type=float, default=1.0, help="share of a real document's size")
    parser.add_argument("--rate", type=float, default=8.0, help="requests a second")
    parser.add_argument("--latency", type=float, default=0.1, help="seconds that the replica waits before a body")
    parser.add_argument("--recorded", type=Path, metavar="FOLDER", help="serve this folder in EDGAR's layout instead")
    parser.add_argument("--aged-rerun", action="store_true", help="also rerun after the indexes have aged")
    parser.add_argument("--kills", type=int, default=20, help="0: no loop of kills")
    parser.add_argument("--killed-companies", type=int, default=25, help="filers in the loop of kills")
    parser.add_argument("--seed", type=int, default=1934, help="of the corpus and of the moments of the kills")
    parser.add_argument("--no-backfill", action="store_true", help="the loop of kills alone")
    parser.add_argument("--scratch", type=Path, help="where the temporary folder is made; needs 2 GB at full size")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser.parse_args()


def measure(options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """All figures, by name."""
    result: dict[str, Any] = {"cores": len(os.sched_getaffinity(0)), "load_before": os.getloadavg()[0]}
    if not options.no_backfill:
        root = options.recorded or scratch / "corpus"
        if options.recorded is None:
            write_corpus(root, ScaleOptions(options.companies, options.seed, options.size))
        limit = str(max(SEC_LIMIT, round(2 * options.rate)) if options.rate > SEC_LIMIT else SEC_LIMIT)
        faults = ("--faults", f"latency={options.latency}")
        with replica(root, scratch / "access.jsonl", "--max-per-second", limit, *faults) as served:
            result |= _backfill(options, scratch, served)
    if options.kills:
        result["kills"] = asdict(_kills(options, scratch))
    return result


def _backfill(options: argparse.Namespace, scratch: Path, served: Replica) -> dict[str, Any]:
    source = _source(served, options.rate) | {"cache_dir": str(scratch / "cache")}
    # A recorded folder lists all companies of the SEC and holds the filings of a few.
    universe = companies_in_folder(options.recorded) if options.recorded else ("served",)
    job = Job(source, list(YEARS), str(scratch / "lake"), str(scratch / "report.json"), delta=True, universe=universe)
    first = _run(job, scratch, served)
    again = _run(job, scratch, served)
    result = _figures(first, options.rate) | {
        "rerun": {"seconds": again.seconds, "document_requests": again.documents, "requests": len(again.answers)},
        "cache_bytes": sum(path.stat().st_size for path in (scratch / "cache").rglob("*") if path.is_file()),
    }
    if options.aged_rerun:
        aged = _run(Job(**asdict(job) | {"source": source | {"index_max_age_seconds": 60}}), scratch, served)
        result["aged_rerun"] = {
            "seconds": aged.seconds,
            "document_requests": aged.documents,
            "requests": len(aged.answers),
        }
    return result


def _source(served: Replica, rate: float) -> dict[str, Any]:
    return {
        "user_agent": USER_AGENT,
        "www_url": served.url,
        "data_url": served.url,
        "requests_per_second": rate,
    }


def _run(job: Job, scratch: Path, served: Replica) -> Run:
    since = time.time()
    process = start_backfill(job, scratch / "job.json")
    began = time.monotonic()
    assert process.stdout is not None
    with Memory(process.pid) as memory:
        for line in process.stdout:
            print(f"  {line}", end="", flush=True)
        process.wait()
    seconds = time.monotonic() - began
    if process.returncode:
        raise RuntimeError(f"the backfill ended with {process.returncode}")
    return Run(seconds, json.loads(Path(job.report).read_text()), served.answers(since), memory.peak)


def _figures(run: Run, rate: float) -> dict[str, Any]:
    times = [answer.at for answer in run.answers]
    cpu = run.total("extraction_cpu_seconds") / max(1, run.total("extractions"))
    documents = max(1, run.documents)
    extractable = len(os.sched_getaffinity(0)) / cpu * len(times) / documents
    achieved = _rate(times)
    possible = min(rate, extractable)
    return {
        "filings": run.total("filings"),
        "skips": [skip for year in run.years for skip in year["skips"]],
        "requests": len(times),
        "document_requests": run.documents,
        "refused": sum(answer.kind == "rate_exceeded" for answer in run.answers),
        "megabytes_received": run.total("bytes_received") / 1e6,
        "seconds": run.seconds,
        "first_to_last_request_seconds": times[-1] - times[0],
        "allowed_rate": rate,
        "achieved_rate": achieved,
        "achieved_by_quarter": _by_quarter(times),
        "longest_gap_seconds": max(after - before for before, after in pairwise(times)),
        "extraction_cpu_seconds_a_filing": cpu,
        "extractable_requests_a_second": extractable,
        "share_of_possible": achieved / possible,
        "peak_memory_mib": run.peak / 2**20,
        "raw_zone_seconds": run.total("raw_zone_seconds"),
        "delta_seconds": run.total("delta_seconds"),
        "json_megabytes": run.total("json_bytes") / 1e6,
    }


def _rate(times: Sequence[float]) -> float:
    return (len(times) - 1) / (times[-1] - times[0])


def _by_quarter(times: Sequence[float]) -> list[float]:
    """Requests a second in each quarter of the time from the first request to the last."""
    length = (times[-1] - times[0]) / 4
    quarters = [min(3, int((at - times[0]) / length)) for at in times]
    return [quarters.count(quarter) / length for quarter in range(4)]


def _kills(options: argparse.Namespace, scratch: Path) -> Outcome:
    root = scratch / "killed-corpus"
    write_corpus(root, ScaleOptions(options.killed_companies, options.seed, _KILLED_SIZE))
    with replica(root, scratch / "killed.jsonl", "--max-per-second", "1000") as served:
        loop = Loop(_source(served, 50.0), YEARS, scratch / "killed", options.kills, options.seed)
        outcome = crash_loop(loop, served)
    shutil.rmtree(scratch / "killed")
    return outcome


def _table(result: dict[str, Any]) -> str:
    lines = ["| | |", "|---|---|"]

    def row(name: str, value: object) -> None:
        lines.append(f"| {name} | {value} |")

    if "filings" in result:
        row("filings in the tables; skipped", f"{result['filings']:.0f}; {len(result['skips'])}")
        row("requests, of them for documents", f"{result['requests']}, {result['document_requests']}")
        row("refused for too many requests", result["refused"])
        row("received", f"{result['megabytes_received']:.0f} MB")
        row("allowed rate", f"{result['allowed_rate']:g} requests a second")
        row("achieved, first request to last", f"{result['achieved_rate']:.2f} requests a second")
        row("by quarter of that time", ", ".join(f"{rate:.2f}" for rate in result["achieved_by_quarter"]))
        row("longest time without a request", f"{result['longest_gap_seconds']:.1f} s")
        row("extraction", f"{result['extraction_cpu_seconds_a_filing'] * 1000:.0f} ms CPU a filing")
        row(
            f"what {result['cores']} cores can extract",
            f"{result['extractable_requests_a_second']:.1f} requests' filings a second",
        )
        row("share of the lesser of both", f"{result['share_of_possible']:.1%}")
        row("peak memory, all processes", f"{result['peak_memory_mib']:.0f} MiB")
        row("all of it", f"{result['seconds']:.0f} s")
        row("of which raw zone; Delta", f"{result['raw_zone_seconds']:.1f} s; {result['delta_seconds']:.1f} s")
        row("cache folder", f"{result['cache_bytes'] / 1e9:.2f} GB")
        for name, key in (("rerun", "rerun"), ("rerun, indexes aged", "aged_rerun")):
            if key in result:
                again = result[key]
                row(
                    f"{name}",
                    f"{again['seconds']:.1f} s, {again['document_requests']} document requests, "
                    f"{again['requests']} requests",
                )
    if "kills" in result:
        kills = result["kills"]
        row("killed, and every result the same", f"{kills['kills']} times")
        row("documents in the cache at the kills, median", f"{statistics.median(kills['committed']):.0f}")
        row("documents; requested in all", f"{kills['documents']}; {kills['document_requests']}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
