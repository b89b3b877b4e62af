"""Rows of a training snapshot out of recorded filings, by the project's own curation, without a cloud.

    .venv/bin/python -m benchmarks.recorded_rows ../shared/edgar rows.jsonl

Each filing is extracted and placed in its fiscal year, each year becomes examples, and all years are frozen, by the
functions that the jobs call. Two things differ from the pipeline. The split by company has other shares (`by_shares`),
since a tenth of so few companies is too few to test on; the order of the companies is the project's. And what is not of
the companies that train or validate is all `test_company`: the question is unseen companies, in whatever year.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from unittest import mock

from govtune_assets.edgar.fiscal import Calendar, Placement, place
from govtune_assets.edgar.records import Company, Filing
from govtune_assets.extraction.section import Section, extract_with_facts
from govtune_assets.raw_table import arrow_table
from spark import split
from spark.split import assign

ROOT = Path(__file__).resolve().parent.parent


Assign = Callable[[Iterable[str]], dict[str, str]]
"""From the companies (CIK) to the role of each: train, validation or test."""

TRAIN_UNTIL, VALIDATION_UNTIL = 0.45, 0.6
"""Where the companies that train end in the project's order of companies, and those that validate; 0 to 1. Set by
counting filings, before any model had been trained on them."""


def by_shares(ciks: Iterable[str]) -> dict[str, str]:
    """The project's split, with the shares of so few companies."""
    with mock.patch.multiple(split, TRAIN_UNTIL=TRAIN_UNTIL, VALIDATION_UNTIL=VALIDATION_UNTIL):
        return assign(ciks)


def fold(number: int, folds: int) -> Assign:
    """The split of one of several trainings, numbered from 0, of which each company tests one and trains the others.

    The companies that validate in `by_shares` do so in every fold: choices were made by them, so they never test.
    """

    def roles(ciks: Iterable[str]) -> dict[str, str]:
        usual = by_shares(ciks)
        others = sorted((cik for cik, role in usual.items() if role != "validation"), key=split.position)
        return usual | {cik: "test" if at % folds == number else "train" for at, cik in enumerate(others)}

    return roles


def main() -> None:
    """Write the rows and say how many there are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("filings", type=Path, help="folder in EDGAR's layout with manifest.json")
    parser.add_argument("rows", type=Path, help="JSON lines to write")
    arguments = parser.parse_args()
    write_rows(arguments.filings, arguments.rows)
    for line in described(arguments.rows):
        print(line)


def write_rows(filings: Path, target: Path, roles: Assign = by_shares) -> None:
    """Curate the filings and write the snapshot's rows as JSON lines, in the snapshot's order."""
    raw = arrow_table(records(filings))
    rows = curated(raw, roles)
    target.write_text("".join(json.dumps(row, sort_keys=True) + "\n" for row in rows), encoding="utf-8")


def described(rows: Path) -> list[str]:
    """Rows and companies of each split and task, as lines."""
    found = [json.loads(line) for line in rows.read_text(encoding="utf-8").splitlines()]
    counted = Counter((row["split"], row["task"]) for row in found)
    companies = {key: {row["cik"] for row in found if (row["split"], row["task"]) == key} for key in counted}
    return [
        f"{split:12} {task}: {counted[split, task]:4} rows of {len(companies[split, task]):2} companies"
        for split, task in sorted(counted)
    ]


def records(folder: Path) -> Iterator[dict[str, Any]]:
    """The raw zone's record of each filing whose fiscal year can be told."""
    for recorded in json.loads((folder / "manifest.json").read_text()):
        section, facts = extract_with_facts((folder / recorded["path"]).read_bytes(), recorded["form"])
        company = Company(recorded["cik"], recorded["ticker"], recorded["entity_name"] or recorded["cik"])
        end = recorded["period_end"]
        filing = Filing(
            company=company,
            form_type=recorded["form"],
            accession_number=recorded["accession_number"] or recorded["id"],
            filing_date=date.fromisoformat(recorded["filing_date"]),
            report_date=date.fromisoformat(end) if end else None,
            url=f"https://www.sec.gov/{recorded['path'].removeprefix('www/')}",
        )
        placed = place(filing, facts, Calendar())
        if isinstance(placed, Placement):
            yield _record(filing, placed, section, recorded["sha256"])
        else:
            print(f"left out: {filing}: {placed.detail}", file=sys.stderr)


def _record(filing: Filing, placed: Placement, section: Section, digest: str) -> dict[str, Any]:
    factors = [
        {
            "group": factor.group,
            "subcaption": factor.subcaption,
            "body": factor.body,
            "start": factor.start,
            "end": factor.end,
        }
        for factor in section.risk_factors
    ]
    return {
        "cik": filing.company.cik,
        "ticker": filing.company.ticker,
        "entity_name": filing.company.name,
        "form_type": filing.form_type,
        "fiscal_year": placed.fiscal_year.year,
        "fiscal_quarter": placed.fiscal_year.quarter,
        "accession_number": filing.accession_number,
        "filing_date": filing.filing_date.isoformat(),
        "period_end": placed.period_end.isoformat(),
        "source_url": filing.url,
        "document_sha256": digest,
        "status": section.status.value,
        "risk_factor_text": section.text,
        "risk_factors": factors,
        "summary": section.summary,
        "extractor_version": section.extractor_version,
        "retrieved_at": datetime.now(UTC).isoformat(),
    }


def curated(raw: Any, roles: Assign) -> list[Mapping[str, Any]]:
    """The snapshot's rows of a raw table (Arrow), by a local Spark of two cores."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ["PYTHONPATH"] = str(ROOT)
    from pyspark.sql import SparkSession

    from spark import leakage, snapshot
    from spark.jobs.snapshot import freeze

    builder = SparkSession.builder.master("local[2]").appName("recorded rows")
    settings = {
        "spark.driver.memory": "2g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.ansi.enabled": "true",
        "spark.log.level": "ERROR",
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    try:
        with mock.patch.object(split, "roles", lambda first_years, _latest: roles(first_years)):
            frozen = freeze(_examples(spark, raw), leakage.benchmark_filings(), leakage.MOST_SHARED)
            rows = [row.asDict() for row in frozen.rows.collect()]
            reasons = frozen.decisions.where("reason IS NOT NULL").groupBy("reason").count().collect()
            print(f"left out of {snapshot.__name__}: { ({row[0]: row[1] for row in reasons}) }", file=sys.stderr)
    finally:
        spark.stop()
    return [row | {"split": "test_company"} if row["split"] == "test_company_year" else row for row in rows]


def _examples(spark: Any, raw: Any) -> Any:
    """The examples of all fiscal years: deduplicated and mixed a year at a time, as the job does it."""
    from pyspark.sql import functions as F  # noqa: N812

    from spark import examples, leakage, mix
    from spark.report import counts

    filings = spark.createDataFrame(raw)
    made = None
    for year in sorted(set(raw.column("fiscal_year").to_pylist())):
        of_year = filings.where(F.col("fiscal_year") == year)
        asked = examples.asked(examples.refined(examples.candidates(of_year)))
        labelled = examples.as_examples(asked)
        unique = examples.without_duplicates(labelled, leakage.benchmark_filings()).localCheckpoint()
        (found,) = counts(unique, "task")
        kept = examples.thinned(unique, mix.rates(found)).localCheckpoint()
        made = kept if made is None else made.unionByName(kept)
    return made


if __name__ == "__main__":
    main()
