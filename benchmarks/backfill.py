"""The process that is measured, and killed: fiscal years collected, written as the raw zone and as a Delta table.

    python -m benchmarks.backfill JOB.json

JOB.json holds a `Job`. When the first year begins, `started` goes to standard output; what was done goes to the job's
report, a JSON object for each fiscal year.
"""

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.folder_store import FolderStore
from govtune_assets.edgar import EdgarSource, Progress, collect
from govtune_assets.extraction.atomic import write_atomically
from govtune_assets.raw_zone import RawZone
from localcloud.process import die_with_parent

BUCKET = "lake"
_SAY_EVERY = 10.0  # seconds


@dataclass(frozen=True)
class Job:
    """`source` is an EdgarSource as JSON, `universe` words of `parse_universe`; `out` gets objects and, with `delta`,
    the table.
    """

    source: dict[str, Any]
    years: list[int]
    out: str
    report: str
    delta: bool
    universe: tuple[str, ...] = ("served",)

    def write(self, path: Path) -> Path:
        """Keep the job for the process."""
        path.write_text(json.dumps(asdict(self)))
        return path


def main() -> None:
    """Do the job that the first argument names."""
    die_with_parent()
    job = Job(**json.loads(Path(sys.argv[1]).read_text()))
    out = Path(job.out)
    print("started", flush=True)
    report = [_year(job, year, out) for year in job.years]
    write_atomically(Path(job.report), json.dumps(report, indent=1).encode())


def _year(job: Job, year: int, out: Path) -> dict[str, Any]:
    collection = collect(EdgarSource.model_validate(job.source), year, job.universe, _Talk(year))
    collected = time.monotonic()
    zone = RawZone(FolderStore(out), BUCKET)
    size = zone.replace_year(year, collection.records)
    written = time.monotonic()
    if job.delta:
        _replace_in_table(str(out / "risk_factors"), year, zone)
    return {
        "year": year,
        "filings": len(collection.filings),
        "skips": [f"{skip.reason}: {skip.filing}" for skip in collection.skips],
        "json_bytes": size,
        "raw_zone_seconds": round(written - collected, 2),
        "delta_seconds": round(time.monotonic() - written, 2) if job.delta else None,
        **asdict(collection.stats),
    }


def _replace_in_table(location: str, year: int, zone: RawZone) -> None:
    """As the asset `raw/risk_factors` replaces a year: one commit."""
    from deltalake import DeltaTable, write_deltalake

    from govtune_assets.raw_table import arrow_table

    rows = arrow_table(zone.read_year(year))
    if not DeltaTable.is_deltatable(location):
        write_deltalake(location, rows.slice(0, 0), partition_by=["fiscal_year"])
    write_deltalake(location, rows, mode="overwrite", predicate=f"fiscal_year = {year:d}")


class _Talk:
    def __init__(self, year: int) -> None:
        self._year = year
        self._last = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        if time.monotonic() - self._last >= _SAY_EVERY or progress.message:
            self._last = time.monotonic()
            print(f"{self._year}: {progress}", flush=True)


if __name__ == "__main__":
    main()
