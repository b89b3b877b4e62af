"""The parts that need Spark: transformations, digests, and whole jobs on Delta tables in a folder."""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812  (Spark's own convention)
from raw_rows import RAW_SCHEMA, Rows, corpus, factor, filing, paragraph

from benchmarks.folder_tables import FolderTables
from govtune_assets import raw_table
from spark import schemas
from spark.cleaning import Reason
from spark.digests import content_root, raw_root, row_digest
from spark.errors import JobError
from spark.examples import IDENTITY
from spark.jobs import examples, snapshot
from spark.leakage import MOST_SHARED
from spark.report import Report
from spark.split import assign
from train import data
from unitydoor.merkle import merkle_root
from unitydoor.merkle import row_digest as digest_of

RAW, EXAMPLES, SNAPSHOT = "raw.risk_factors", "curated.risk_factor_examples", "curated.training_snapshot"
VERSIONS = "curated.dataset_versions"
COMMON = {"run_id": "run-1", "code_version": "code-1"}


def write_raw(tables: FolderTables, rows: Rows) -> None:
    """Put the rows where the raw table is."""
    frame = tables.spark.createDataFrame(rows, RAW_SCHEMA)
    frame.write.format("delta").mode("overwrite").partitionBy("fiscal_year").save(tables.location(RAW))


def make_examples(tables: FolderTables, year: int, content: str | None = None, **changed: Any) -> Report:
    """Run the job `examples` on the raw rows as they are, or as their content was."""
    own = {"source_table": RAW, "target_table": EXAMPLES, "target_location": tables.location(EXAMPLES)}
    there = content or raw_root(stored(tables, RAW).where(f"fiscal_year = {year}"))
    return examples.run(tables, {**COMMON, **own, "fiscal_year": year, "source_content": there, **changed})


def make_snapshot(tables: FolderTables, versions: dict[str, str], **changed: Any) -> Report:
    """Run the job `snapshot` on the years of the declared versions."""
    own = {
        "source_table": EXAMPLES,
        "target_table": SNAPSHOT,
        "target_location": tables.location(SNAPSHOT),
        "versions_table": VERSIONS,
        "versions_location": tables.location(VERSIONS),
        "raw_table": RAW,
        "raw_versions": dict.fromkeys(versions, "0"),
        "description": "Examples of a test.",
    }
    years = [int(year) for year in versions]
    return snapshot.run(tables, {**COMMON, **own, "fiscal_years": years, "source_versions": versions, **changed})


TRAINS = [int(cik) for cik, role in assign(f"{cik:010d}" for cik in range(1, 7)).items() if role == "train"]
"""Companies of the corpus that train."""
REPORT, PAST = "0000000090-23-000001", "0000000090-22-000001"
"""Benchmark filings: one of a year that the snapshot takes, one of a year that it does not."""
LISTED = {"benchmark_filings": [REPORT, PAST]}


def with_benchmarks() -> Rows:
    """The corpus, and two benchmark filings whose texts stand in other filings of 2023 as well.

    The quarter's report has the text word for word, and was filed before the year's, which is listed.
    """
    famous, older = (factor(paragraph(f"the {name} plant")) for name in ("famous", "older"))
    quarter = {"form_type": "10-Q", "fiscal_quarter": 1, "filing_date": dt.date(2023, 2, 1)}
    return [
        *corpus(),
        filing(TRAINS[0], 2023, [famous, factor(paragraph("another plant"))], accession_number=REPORT),
        filing(TRAINS[0], 2023, [famous], accession_number="0000000090-23-000002", **quarter),
        filing(TRAINS[1], 2022, [older], accession_number=PAST),
        filing(TRAINS[1], 2023, [older], accession_number="0000000090-23-000003"),
    ]


@dataclass(frozen=True)
class Made:
    """Tables of the whole corpus, and what the jobs reported of them."""

    folder: Path
    examples: dict[str, Report]
    snapshot: Report

    @property
    def versions(self) -> dict[str, str]:
        """Data versions of the examples by year."""
        return {year: report.data_version for year, report in self.examples.items()}


@pytest.fixture(scope="module")
def made(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The years' examples, and the snapshot of two of them, made once."""
    folder = tmp_path_factory.mktemp("tables")
    tables = FolderTables(spark, folder)
    write_raw(tables, with_benchmarks())
    make_examples(tables, 2022, **LISTED)
    reports = {str(year): make_examples(tables, year, **LISTED) for year in (2023, 2024)}
    versions = {year: report.data_version for year, report in reports.items()}
    return Made(folder, reports, make_snapshot(tables, versions, **LISTED))


@pytest.fixture
def copied(made: Made, spark: SparkSession, tmp_path: Path) -> FolderTables:
    """A copy of these tables that a test may change."""
    shutil.copytree(made.folder, tmp_path, dirs_exist_ok=True)
    return FolderTables(spark, tmp_path)


def stored(tables: FolderTables, name: str) -> DataFrame:
    """The table as it stands."""
    return tables.read(name, version=tables.version(name))


def test_digest_in_spark_is_the_plain_one(spark: SparkSession) -> None:
    rows = [("a", 1, None), ("", -7, "3:x"), ("\u00e9\U0001f600", 0, "-"), (None, None, None)]
    frame = spark.createDataFrame(rows, "one string, two int, three string")
    names = ["one", "two", "three"]
    assert {row[0] for row in frame.select(row_digest(names)).collect()} == {digest_of(row).hex() for row in rows}
    root = merkle_root(map(digest_of, rows))
    for partitions in (1, 3, 7):
        assert content_root(frame.repartition(partitions), names) == root
    assert content_root(frame.limit(0), names) == hashlib.sha256().hexdigest()


def test_one_row_from_raw_to_example(tables: FolderTables) -> None:
    body = paragraph("Plant\u00a01").replace("months.", "months; ask jane@example.com or (212) 555-0147.")
    write_raw(tables, [filing(7, 2023, [factor(body, "Suppliers\n may \u201cfail\u201d us")])])
    report = make_examples(tables, 2023)
    row = stored(tables, EXAMPLES).first()
    assert row is not None
    assert row["completion"] == 'Suppliers may "fail" us'
    assert "Plant 1" in row["prompt"]
    assert "ask [EMAIL] or [PHONE]." in row["prompt"]
    assert row["body_sha256"] == hashlib.sha256(body.encode()).hexdigest()
    assert (row["char_start"], row["char_end"], row["pii_removed"]) == (0, len(body), 2)
    assert row["example_id"] == digest_of([row[name] for name in IDENTITY]).hex()
    assert report.metadata["pii_removed"] == 2
    assert report.metadata["pii_left"] == 0
    assert [field.name for field in stored(tables, EXAMPLES).schema] == schemas.EXAMPLES.names


def test_every_row_is_accounted_for(tables: FolderTables) -> None:
    good = paragraph("plant 1")
    factors = [factor(good), factor(good.upper()), factor(good, None), factor("Short."), factor(good[:-1])]
    rows = [
        filing(1, 2023, factors),
        filing(2, 2023, []),
        filing(3, 2023, [], status="not_required", risk_factors=None, risk_factor_text=None),
        filing(4, 2024, [factor(paragraph("plant 4"))]),
        filing(5, 2023, [factor(paragraph("plant 5"))], form_type="10-K/A"),
    ]
    write_raw(tables, rows)
    metadata = make_examples(tables, 2023).metadata
    assert metadata["dropped"] == {
        Reason.AMENDMENT: 1,
        Reason.BODY_TOO_SHORT: 1,
        Reason.FILING_NOT_FULL: 1,
        Reason.NOT_A_SENTENCE: 1,
        Reason.NO_RISK_FACTORS: 1,
        Reason.NO_SUBCAPTION: 1,
    }
    assert (metadata["filings"], metadata["source_rows"], metadata["rows"]) == (4, 8, 1)
    assert metadata["duplicates_removed"] == 1
    assert metadata["source_rows"] == (
        metadata["rows"] + metadata["duplicates_removed"] + sum(metadata["dropped"].values())
    )
    assert metadata["bytes"] > 0


def test_the_earliest_of_equal_bodies_is_kept(tables: FolderTables) -> None:
    body = paragraph("plant 1")
    later = filing(1, 2023, [factor(body)], filing_date=dt.date(2023, 11, 2))
    earlier = filing(2, 2023, [factor(f"{body}  ")], filing_date=dt.date(2023, 11, 1))
    write_raw(tables, [later, earlier])
    assert make_examples(tables, 2023).metadata["rows"] == 1
    row = stored(tables, EXAMPLES).first()
    assert row is not None
    assert row["cik"] == earlier["cik"]


def test_same_content_makes_no_new_version(made: Made, copied: FolderTables) -> None:
    write_raw(copied, list(reversed(with_benchmarks())))
    first, again = made.examples["2024"], make_examples(copied, 2024)
    assert again.data_version == first.data_version
    assert again.metadata["delta_version"] == first.metadata["delta_version"]
    assert again.metadata["source_delta_version"] == first.metadata["source_delta_version"] + 1
    frozen = make_snapshot(copied, dict(reversed(made.versions.items())), **LISTED)
    assert frozen.metadata["delta_version"] == made.snapshot.metadata["delta_version"]
    assert frozen.data_version == made.snapshot.data_version


def test_one_year_leaves_the_other_alone(made: Made, copied: FolderTables) -> None:
    write_raw(copied, [row for row in corpus() if row["fiscal_year"] == 2023 or row["cik"] != "0000000003"])
    assert make_examples(copied, 2024).data_version != made.versions["2024"]
    old = stored(copied, EXAMPLES).where("fiscal_year = 2023")
    assert content_root(old, schemas.EXAMPLES.names) == made.versions["2023"]


def test_a_year_without_filings_is_said(copied: FolderTables) -> None:
    with pytest.raises(JobError, match=r"raw\.risk_factors holds no filing of fiscal year 2031"):
        make_examples(copied, 2031)


def test_the_job_and_the_orchestrator_find_one_root_of_raw_rows(spark: SparkSession) -> None:
    odd = factor("\u00e9\U0001f600 3:x", None)
    rows = [
        filing(1, 2023, [odd, factor("")], fiscal_quarter=2, summary="-"),
        filing(2, 2023, []),
        filing(3, 2023, [], risk_factors=None, risk_factor_text=None),
    ]
    frame = spark.createDataFrame(rows, RAW_SCHEMA)
    assert raw_root(frame) == raw_table.content_root(pa.Table.from_pylist(rows, raw_table.SCHEMA))
    one = pa.Table.from_pylist(rows[:1], raw_table.SCHEMA)
    for change in ({"retrieved_at": None}, {"risk_factors": [odd]}, {"period_end": dt.date(2023, 9, 29)}):
        changed = raw_table.content_root(pa.Table.from_pylist([rows[0] | change], raw_table.SCHEMA))
        assert (changed == raw_table.content_root(one)) == ("retrieved_at" in change)


def test_raw_rows_that_changed_since_their_gates_are_refused(made: Made, copied: FolderTables) -> None:
    passed = raw_root(stored(copied, RAW).where("fiscal_year = 2024"))
    write_raw(copied, [row for row in corpus() if row["cik"] != "0000000003"])
    with pytest.raises(JobError, match=r"changed under the examples: fiscal year 2024 of raw\.risk_factors has"):
        make_examples(copied, 2024, passed)


def test_snapshot_of_two_years(made: Made, copied: FolderTables) -> None:
    metadata, rows = made.snapshot.metadata, stored(copied, SNAPSHOT)
    # Four companies train, one validates, one is unseen. The text that all share stands once.
    assert metadata["rows_by_split"] == {
        "test_company": 3,
        "test_company_year": 3,
        "test_year": 12,
        "train": 12 + 1,
        "validation": 3,
    }
    assert metadata["rows"] == rows.count() == 34
    assert metadata["rows_by_year"] == {"2023": 19, "2024": 15}
    assert metadata["source_rows"] == 38 + 3
    assert metadata["dropped"] == {
        "benchmark_filing": 2,
        "exact_duplicate": 1,
        "like_benchmark_filing": 1,
        "validation_of_latest_year": 3,
    }
    assert metadata["sample"]["cik"].isdigit()
    assert not metadata["sample"].keys() & {"prompt", "completion"}
    assert made.snapshot.data_version == metadata["merkle_root"]


def test_no_text_of_a_benchmark_filing_trains(made: Made, copied: FolderTables) -> None:
    prompts = [row["prompt"] for row in stored(copied, SNAPSHOT).where("split = 'train'").collect()]
    assert [prompt for prompt in prompts if "the shared plant" in prompt]
    assert not [prompt for prompt in prompts if "the famous plant" in prompt or "the older plant" in prompt]
    assert made.snapshot.metadata["benchmark_filings_in_train"] == 0
    # The quarter's row is not in the table: the listed filing's stands for it.
    rows = stored(copied, EXAMPLES).where(F.col("prompt").contains("the famous plant"))
    assert [row["accession_number"] for row in rows.collect()] == [REPORT]


def test_what_a_quarter_shares_with_its_year_is_counted(made: Made) -> None:
    assert {year: report.metadata["quarterly_repeats"] for year, report in made.examples.items()} == {
        "2023": 1,
        "2024": 0,
    }


def test_training_finds_the_same_root_over_the_same_columns(made: Made) -> None:
    folder, version = made.folder / SNAPSHOT, made.snapshot.metadata["delta_version"]
    there = [field.name for field in DeltaTable(folder, version=version).schema().fields]
    assert tuple(there) == tuple(schemas.SNAPSHOT.names) == data.COLUMNS
    rows = data.read_snapshot(str(folder), version, dict, root=made.snapshot.metadata["merkle_root"])
    assert len(rows) == made.snapshot.metadata["rows"]


def test_snapshot_does_not_depend_on_order_or_partitions(spark: SparkSession, made: Made, copied: FolderTables) -> None:
    rows = stored(copied, EXAMPLES)
    elsewhere, rows = rows.where("fiscal_year = 2022"), rows.where("fiscal_year > 2022")
    partitions = spark.conf.get("spark.sql.shuffle.partitions")
    try:
        for order, number in (("body_sha256", 7), ("prompt", 1)):
            spark.conf.set("spark.sql.shuffle.partitions", str(number))
            shuffled = rows.orderBy(order).repartition(number)
            frozen = snapshot.freeze(shuffled, {REPORT, PAST}, MOST_SHARED, elsewhere=elsewhere).rows
            assert content_root(frozen, schemas.SNAPSHOT.names) == made.snapshot.data_version
            places = [tuple(row) for row in frozen.select("split", "example_id").collect()]
            assert places == sorted(places)
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", partitions)


def test_the_stored_order_is_that_of_split_and_example(made: Made) -> None:
    table = DeltaTable(made.folder / SNAPSHOT, version=made.snapshot.metadata["delta_version"])
    # The number of the partition leads each file's name.
    files = [pq.read_table(file, columns=["split", "example_id"]) for file in sorted(table.file_uris())]
    places = [(row["split"], row["example_id"]) for file in files for row in file.to_pylist()]
    assert len(places) == made.snapshot.metadata["rows"]
    assert places == sorted(places)


def test_table_that_changed_under_the_snapshot_is_refused(made: Made, copied: FolderTables) -> None:
    less = stored(copied, EXAMPLES).where("fiscal_year = 2024 and risk_factor_index > 0")
    copied.replace(EXAMPLES, less, where="fiscal_year = 2024", commit="{}")
    with pytest.raises(JobError, match="the table changed under the snapshot: fiscal year 2024"):
        make_snapshot(copied, made.versions)


def test_years_of_different_cleaners_are_no_one_snapshot(made: Made, copied: FolderTables) -> None:
    other = stored(copied, EXAMPLES).where("fiscal_year = 2024").withColumn("cleaner_version", F.lit("another"))
    written = copied.replace(EXAMPLES, other, where="fiscal_year = 2024", commit="{}")
    with pytest.raises(JobError, match=r"by different cleaners.*'another': \[2024\]"):
        make_snapshot(copied, made.versions | {"2024": written.digest})


def test_undeclared_year_and_too_few_companies_are_said(tables: FolderTables) -> None:
    write_raw(tables, [filing(cik, 2023, [factor(paragraph(f"plant {cik}"))]) for cik in (1, 2)])
    version = make_examples(tables, 2023).data_version
    with pytest.raises(JobError, match=r"at least 3 companies .*, there are 2: add companies"):
        make_snapshot(tables, {"2023": version})
    with pytest.raises(JobError, match="the table changed under the snapshot: fiscal year 2022"):
        make_snapshot(tables, {"2022": version, "2023": version})
