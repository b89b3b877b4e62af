"""The parts that need Spark: transformations, digests, and whole jobs on Delta tables in a folder."""

from __future__ import annotations

import datetime as dt
import hashlib

import pytest
from folder_tables import FolderTables
from pyspark.sql import DataFrame, SparkSession
from raw_rows import RAW_SCHEMA, Rows, corpus, factor, filing, paragraph

from spark import schemas
from spark.cleaning import Reason
from spark.digests import content_root, row_digest
from spark.errors import JobError
from spark.examples import IDENTITY
from spark.jobs import examples, snapshot
from spark.merkle import merkle_root
from spark.merkle import row_digest as digest_of
from spark.report import Report

RAW, EXAMPLES, SNAPSHOT = "raw.risk_factors", "curated.risk_factor_examples", "curated.training_snapshot"
COMMON = {"run_id": "run-1", "code_version": "code-1"}


def write_raw(tables: FolderTables, rows: Rows) -> None:
    """Put the rows where the raw table is."""
    frame = tables.spark.createDataFrame(rows, RAW_SCHEMA)
    frame.write.format("delta").mode("overwrite").partitionBy("fiscal_year").save(tables.location(RAW))


def make_examples(tables: FolderTables, year: int) -> Report:
    """Run the job `examples`."""
    own = {"source_table": RAW, "target_table": EXAMPLES, "target_location": tables.location(EXAMPLES)}
    return examples.run(tables, {**COMMON, **own, "fiscal_year": year})


def make_snapshot(tables: FolderTables, versions: dict[str, str]) -> Report:
    """Run the job `snapshot` on the years of the declared versions."""
    own = {"source_table": EXAMPLES, "target_table": SNAPSHOT, "target_location": tables.location(SNAPSHOT)}
    years = [int(year) for year in versions]
    return snapshot.run(tables, {**COMMON, **own, "fiscal_years": years, "source_versions": versions})


def both_years(tables: FolderTables) -> dict[str, str]:
    """Examples of both years of the corpus, by data version."""
    write_raw(tables, corpus())
    return {str(year): make_examples(tables, year).data_version for year in (2023, 2024)}


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
    ]
    write_raw(tables, rows)
    metadata = make_examples(tables, 2023).metadata
    assert metadata["dropped"] == {
        Reason.BODY_TOO_SHORT: 1,
        Reason.FILING_NOT_FULL: 1,
        Reason.NOT_A_SENTENCE: 1,
        Reason.NO_RISK_FACTORS: 1,
        Reason.NO_SUBCAPTION: 1,
    }
    assert (metadata["filings"], metadata["source_rows"], metadata["rows"]) == (3, 7, 1)
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


def test_same_content_makes_no_new_version(tables: FolderTables) -> None:
    write_raw(tables, corpus())
    first = make_examples(tables, 2023)
    write_raw(tables, list(reversed(corpus())))
    again = make_examples(tables, 2023)
    assert again.data_version == first.data_version
    assert again.metadata["delta_version"] == first.metadata["delta_version"]
    assert again.metadata["source_delta_version"] == first.metadata["source_delta_version"] + 1


def test_one_year_leaves_the_other_alone(tables: FolderTables) -> None:
    versions = both_years(tables)
    changed = [row for row in corpus() if row["fiscal_year"] == 2023 or row["cik"] != "0000000003"]
    write_raw(tables, changed)
    assert make_examples(tables, 2024).data_version != versions["2024"]
    assert make_examples(tables, 2023).data_version == versions["2023"]


def test_a_year_without_filings_is_said(tables: FolderTables) -> None:
    write_raw(tables, corpus())
    with pytest.raises(JobError, match=r"raw\.risk_factors holds no filing of fiscal year 2031"):
        make_examples(tables, 2031)


def test_snapshot_of_two_years(tables: FolderTables) -> None:
    versions = both_years(tables)
    report = make_snapshot(tables, versions)
    rows = stored(tables, SNAPSHOT)
    assert report.metadata["rows"] == rows.count() == 6 * 3 * 2 + 1
    assert sum(report.metadata["rows_by_split"].values()) == report.metadata["rows"]
    assert set(report.metadata["rows_by_split"]) == {"train", "validation", "test"}
    assert report.metadata["rows_by_year"] == {"2023": 19, "2024": 18}
    assert report.data_version == report.metadata["merkle_root"]
    assert (
        rows.groupBy("cik")
        .agg({"split": "approx_count_distinct"})
        .where("`approx_count_distinct(split)` > 1")
        .isEmpty()
    )
    assert report.metadata["sample"]["cik"].isdigit()
    assert report.metadata["merkle_root"] == content_root(rows.repartition(5), schemas.SNAPSHOT.names)
    again = make_snapshot(tables, dict(reversed(versions.items())))
    assert again.metadata["delta_version"] == report.metadata["delta_version"]
    assert again.data_version == report.data_version


def test_snapshot_does_not_depend_on_order_or_partitions(spark: SparkSession, tables: FolderTables) -> None:
    root = make_snapshot(tables, both_years(tables)).data_version
    rows = stored(tables, EXAMPLES).orderBy("body_sha256").repartition(7)
    rows.write.format("delta").mode("overwrite").save(tables.location("shuffled"))
    partitions = spark.conf.get("spark.sql.shuffle.partitions")
    spark.conf.set("spark.sql.shuffle.partitions", "8")
    try:
        frozen = snapshot._freeze(tables.read("shuffled", version=0))
        assert content_root(frozen, schemas.SNAPSHOT.names) == root
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", partitions)


def test_table_that_changed_under_the_snapshot_is_refused(tables: FolderTables) -> None:
    versions = both_years(tables)
    less = stored(tables, EXAMPLES).where("fiscal_year = 2024 and risk_factor_index > 0")
    tables.overwrite(EXAMPLES, less, where="fiscal_year = 2024", commit="{}")
    with pytest.raises(JobError, match="the table changed under the snapshot: fiscal year 2024"):
        make_snapshot(tables, versions)


def test_undeclared_year_and_too_few_companies_are_said(tables: FolderTables) -> None:
    write_raw(tables, [filing(cik, 2023, [factor(paragraph(f"plant {cik}"))]) for cik in (1, 2)])
    version = make_examples(tables, 2023).data_version
    with pytest.raises(JobError, match="at least 3 companies, there are 2: add companies"):
        make_snapshot(tables, {"2023": version})
    with pytest.raises(JobError, match="the table changed under the snapshot: fiscal year 2022"):
        make_snapshot(tables, {"2022": version, "2023": version})
