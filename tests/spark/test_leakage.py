"""What stays out of train and out of the tests, and that each leak is found where there is one."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from near_copies import edited, grams, words
from pyspark.sql import DataFrame, SparkSession
from raw_rows import paragraph

from govtune_assets.checks import curated
from spark import leakage, schemas, snapshot
from spark.errors import JobError
from spark.extras import accession_numbers, share
from spark.jobs.snapshot import freeze
from spark.leakage import GRAM_WORDS, MOST_SHARED, benchmark_filings
from spark.snapshot import Reason
from spark.split import assign
from spark.templates import TEMPLATES

CIKS = [f"{number:010d}" for number in range(1, 13)]
ROLE = assign(CIKS)
TRAINS = [cik for cik in CIKS if ROLE[cik] == "train"]
VALIDATES = next(cik for cik in CIKS if ROLE[cik] == "validation")
UNSEEN = next(cik for cik in CIKS if ROLE[cik] == "test")


def example(name: str, cik: str, year: int, body: str, **changed: Any) -> dict[str, Any]:
    """One row of the examples, of the task T1 unless it is changed."""
    template = TEMPLATES[changed.get("task", "T1")]
    row: dict[str, Any] = {
        "example_id": name,
        "task": template.task,
        "template_version": template.version,
        "prompt": template.render(body),
        "completion": "We depend on suppliers",
        "cik": cik,
        "accession_number": f"{cik}-{year % 100}-000001",
        "fiscal_year": year,
        "form_type": "10-K",
        "fiscal_quarter": None,
        "risk_factor_index": 0,
        "body_sha256": body,
    }
    return dict.fromkeys(schemas.EXAMPLES.names) | row | changed


def frame(spark: SparkSession, rows: list[dict[str, Any]]) -> DataFrame:
    """The rows in the columns of the examples."""
    return spark.createDataFrame(
        [tuple(row[name] for name in schemas.EXAMPLES.names) for row in rows], schemas.EXAMPLES
    )


def fillers() -> list[dict[str, Any]]:
    """A text of its own for each company and year."""
    return [
        example(f"{cik}-{year}", cik, year, paragraph(f"plant {cik}", year)) for cik in CIKS for year in (2023, 2024)
    ]


def near(text: str, seed: int = 1) -> str:
    """The text with one word in fifty changed."""
    return " ".join(edited(text.split(), 0.02, random.Random(seed)))


def long_text(seed: int) -> str:
    """A text of 200 words."""
    return " ".join(words(random.Random(seed), 200))


def test_where_each_example_goes(spark: SparkSession) -> None:
    first, second, third = TRAINS[:3]
    shared, famous, mixed, old = long_text(1), long_text(2), long_text(3), long_text(6)
    listed = "0000000099-23-000001"
    # A benchmark filing of a fiscal year that the snapshot does not take, of a company that it does not know.
    elsewhere = [example("old", "0000000098", 2019, old, accession_number="0000000098-19-000001")]
    rows = [
        *fillers(),
        example("report", first, 2023, shared),
        example("quarter", first, 2024, shared, form_type="10-Q", fiscal_quarter=1),
        example("near", UNSEEN, 2024, near(shared)),
        example("famous", second, 2023, famous, accession_number=listed),
        example("like-famous", third, 2023, near(famous)),
        example("like-old", third, 2023, near(old)),
        # The unseen company was first to say it; another one's row of another task has no place in its split.
        example("home", UNSEEN, 2023, mixed, form_type="10-Q", fiscal_quarter=1),
        example("elsewhere", first, 2023, near(mixed), task=sorted(TEMPLATES)[-1]),
        # 13-grams: half of the body, and a tenth of it, out of a text that trains.
        example("half", UNSEEN, 2023, " ".join(shared.split()[:100] + long_text(4).split()[:100])),
        example("tenth", UNSEEN, 2023, " ".join(shared.split()[:32] + long_text(5).split()[:168])),
    ]
    filings = {listed, elsewhere[0]["accession_number"]}
    made = freeze(frame(spark, rows), filings, MOST_SHARED, elsewhere=frame(spark, elsewhere))
    told = {row["example_id"]: row for row in made.decisions.collect()}
    kept = {row["example_id"]: row for row in made.rows.collect()}
    assert {name for name, row in told.items() if row["reason"] is None} == kept.keys()
    assert Counter(row["reason"] for row in told.values() if row["reason"]) == {
        Reason.VALIDATION_OF_LATEST_YEAR: sum(role == "validation" for role in ROLE.values()),
        Reason.EXACT_DUPLICATE: 1,
        Reason.NEAR_DUPLICATE: 1,
        Reason.BENCHMARK_FILING: 1,
        Reason.LIKE_BENCHMARK_FILING: 2,
        Reason.CLUSTER_OF_OTHER_SPLIT: 1,
        Reason.SHARES_GRAMS_WITH_TRAIN: 1,
    }
    expected = {
        "quarter": Reason.EXACT_DUPLICATE,
        "near": Reason.NEAR_DUPLICATE,
        "famous": Reason.BENCHMARK_FILING,
        "like-famous": Reason.LIKE_BENCHMARK_FILING,
        "like-old": Reason.LIKE_BENCHMARK_FILING,
        "elsewhere": Reason.CLUSTER_OF_OTHER_SPLIT,
        "half": Reason.SHARES_GRAMS_WITH_TRAIN,
    }
    assert {name: told[name]["reason"] for name in expected} == expected
    assert [name for name, row in told.items() if row["repeats_report"]] == ["quarter"]
    assert kept["report"]["split"] == "train"
    assert kept["home"]["split"] == kept["tenth"]["split"] == "test_company"
    found = leakage.measured(made.rows, filings, frame(spark, [*rows, *elsewhere]))
    assert 0 < found.pop("worst_13gram_share") <= MOST_SHARED
    assert set(found.values()) == {0}


def test_every_reason_is_known_as_a_duplicate_or_as_something_else() -> None:
    others = {
        Reason.VALIDATION_OF_LATEST_YEAR,
        Reason.BENCHMARK_FILING,
        Reason.LIKE_BENCHMARK_FILING,
        Reason.SHARES_GRAMS_WITH_TRAIN,
    }
    assert set(snapshot.DUPLICATES) == set(curated.DUPLICATES) == {reason.value for reason in set(Reason) - others}


def test_a_snapshot_without_a_row_that_trains_is_refused(spark: SparkSession) -> None:
    listed = {row["accession_number"] for row in fillers() if row["fiscal_year"] == 2023}
    with pytest.raises(JobError, match=r"no example is left to train.*'benchmark_filing': \d"):
        freeze(frame(spark, fillers()), listed, MOST_SHARED)


def test_one_year_has_no_later_year_to_test(spark: SparkSession) -> None:
    rows = [row for row in fillers() if row["fiscal_year"] == 2024]
    decided = snapshot.decided(snapshot.with_clusters(frame(spark, rows)), frozenset())
    assert {row["cik"]: row["split"] for row in decided.collect()} == {
        cik: "test_company" if role == "test" else role for cik, role in ROLE.items()
    }


def test_planted_leaks_are_counted(spark: SparkSession) -> None:
    def row(name: str, split: str, cluster: str, cik: str, body: str, accession: str = "a") -> tuple[Any, ...]:
        values = example(name, cik, 2024, body, accession_number=accession) | {"split": split, "cluster_id": cluster}
        return tuple(values[column] for column in schemas.SNAPSHOT.names)

    text = long_text(1)
    clean = [
        row("1", "train", "c1", TRAINS[0], text),
        row("2", "test_year", "c2", TRAINS[0], long_text(2)),
        row("3", "validation", "c3", VALIDATES, long_text(3)),
        row("4", "test_company", "c4", UNSEEN, long_text(4)),
        row("5", "test_company_year", "c5", UNSEEN, " ".join(text.split()[:50] + long_text(5).split()[:150])),
    ]
    sources = frame(spark, [example("9", UNSEEN, 2019, long_text(9), accession_number="c")])
    measured = leakage.measured(spark.createDataFrame(clean, schemas.SNAPSHOT), {"b", "c"}, sources)
    shared, grams = 50 - GRAM_WORDS + 1, 200 - GRAM_WORDS + 1
    assert measured == {
        "clusters_in_two_splits": 0,
        "companies_in_two_splits": 0,
        "worst_13gram_share": pytest.approx(shared / grams),
        "benchmark_filings_in_train": 0,
    }
    leaks = [
        *clean,
        row("6", "test_company", "c1", UNSEEN, text.upper()),
        row("7", "train", "c7", VALIDATES, long_text(7)),
        row("8", "train", "c8", UNSEEN, long_text(8), accession="b"),
        row("9", "train", "c9", TRAINS[0], long_text(9)),
    ]
    assert leakage.measured(spark.createDataFrame(leaks, schemas.SNAPSHOT), {"b", "c"}, sources) == {
        "clusters_in_two_splits": 1,
        "companies_in_two_splits": 2,
        "worst_13gram_share": 1.0,
        "benchmark_filings_in_train": 2,
    }


def test_a_template_that_is_not_in_the_payload_is_said(spark: SparkSession) -> None:
    rows = frame(spark, [example("1", TRAINS[0], 2023, long_text(1), template_version="t1-0")])
    with pytest.raises(
        Exception, match="no template T1 t1-0 in this payload: materialize the examples of fiscal year 2023"
    ):
        rows.select(leakage.body()).collect()


def test_the_list_of_benchmark_filings_is_read() -> None:
    assert "0000066740-23-000014" in benchmark_filings()
    assert accession_numbers({"filings": sorted(benchmark_filings())}, "filings") == benchmark_filings()


def test_parameters_that_are_no_share_or_no_filings_are_said() -> None:
    assert share({}, "most", default=0.2) == 0.2
    with pytest.raises(JobError, match="'most' must be a number from 0 to 1, got 20"):
        share({"most": 20}, "most", default=0.2)
    with pytest.raises(JobError, match="must be a list of accession numbers"):
        accession_numbers({"filings": ["0000320193"]}, "filings")


def test_shares_are_those_of_the_sets_of_words(spark: SparkSession) -> None:
    generator = random.Random(7)
    known = [words(generator, generator.randint(5, 120)) for _ in range(12)]
    texts = [" ".join(edited(generator.choice(known), 0.05, generator)) for _ in range(60)]
    rows = [(number, text, number % 3 == 0, number % 3 == 1 or number == 0) for number, text in enumerate(texts)]
    twice = [*rows, rows[1]]
    train = frozenset[tuple[str, ...]]().union(*(grams(text, GRAM_WORDS) for _, text, trains, _ in rows if trains))
    exact = {
        number: len(grams(text, GRAM_WORDS) & train) / len(grams(text, GRAM_WORDS))
        for number, text, _, tests in rows
        if tests
    }
    found = leakage.overlaps(spark.createDataFrame(twice, "key long, text string, trains boolean, tests boolean"))
    assert dict(found.collect()) == exact
    assert 0 in exact.values()
    assert 1 in exact.values()
    assert len(set(exact.values())) > 5
