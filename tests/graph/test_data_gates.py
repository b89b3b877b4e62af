"""Each data gate passes on good data and fails on bad; its threshold is a setting and stands beside the value."""

from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg
import pytest

from govtune_assets import gates
from govtune_assets.checks import curated
from govtune_assets.checks.common import Verdict
from govtune_assets.keys import SNAPSHOT
from govtune_assets.provenance import Materialized
from govtune_assets.settings import Settings
from govtune_assets.thresholds import TASK_KINDS, DataThresholds, TaskKind
from train.config import load_all

GOOD: dict[str, Any] = {
    "rows": 4000,
    "pii_left": 0,
    "duplicates_removed": 100,
    "thinned": {"T1": 0, "T2": 500},
    "companies": 95,
    "source_companies": 100,
    "rows_by_split": {
        "train": 3000,
        "validation": 300,
        "test_company": 300,
        "test_year": 300,
        "test_company_year": 100,
    },
    "source_versions": {"2023": "a", "2024": "b"},
    "clusters_in_two_splits": 0,
    "companies_in_two_splits": 0,
    "benchmark_filings_in_train": 0,
    "worst_13gram_share": 0.2,
    "rows_by_task_and_split": {
        "T1": {"train": 1000},
        "T2": {"train": 200},
        "T3": {"train": 200},
        "T4": {"train": 200},
    },
    "longest_words": 568,
    "longest_bytes": 4_000,
    "dropped": {"exact_duplicate": 3000, "near_duplicate": 500, "cluster_of_other_split": 300},
    "source_rows": 4000,
    "labels": {
        "T2": {"legal": 90, "financial": 110},
        "T3": {"generic": 20, "specific": 180},
        "T4": {"principal": 100, "other": 100},
    },
    "lengths": {
        "edges": [50, 100],
        "by_split": {"train": [10, 80, 10], "validation": [1, 8, 1], "test_year": [3, 6, 1]},
    },
    "labels_by_year": {
        "T2": {"2023": {"legal": 50, "other": 50}, "2024": {"legal": 60, "other": 40}},
        "T3": {"2023": {"generic": 10, "specific": 90}, "2024": {"generic": 12, "specific": 88}},
        "T4": {"2023": {"principal": 50, "other": 50}, "2024": {"principal": 45, "other": 55}},
    },
}

FAULTS: list[tuple[Callable[[Materialized, DataThresholds], Verdict], dict[str, Any], str]] = [
    (curated.minimum_examples, {"rows": 99}, "99 examples, at least 100"),
    (curated.no_pii_left, {"pii_left": 1}, "1 spans of PII"),
    (curated.duplicate_share, {"duplicates_removed": 4501}, "4501 of 9001"),
    (curated.duplicate_share, {"rows": 0, "thinned": {}, "duplicates_removed": 0}, "0 of 0"),
    (curated.companies_covered, {"companies": 89}, "89 of 100 companies"),
    (curated.companies_covered, {"companies": 0, "source_companies": 0}, "0 of 0 companies"),
    (curated.splits_filled, {"rows_by_split": {"train": 1, "validation": 1, "test_company": 1}}, "test_year 0"),
    (curated.splits_filled, {"rows_by_split": {"train": 1}, "source_versions": {"2023": "a"}}, "validation 0"),
    (curated.no_leakage, {"clusters_in_two_splits": 1}, "1 leaks: clusters in two splits"),
    (curated.no_leakage, {"companies_in_two_splits": 1}, "companies in two splits"),
    (curated.no_leakage, {"benchmark_filings_in_train": 2}, "benchmark filings in train"),
    (curated.no_leakage, {"worst_13gram_share": 0.201}, "13-grams"),
    (curated.enough_examples_by_task, {"rows_by_task_and_split": {"T1": {"train": 999}}}, "T1 (style), T2 (class"),
    (curated.tokens_within_limit, {"longest_words": 569}, "about 769 tokens"),
    (curated.near_duplicate_share, {"dropped": {"exact_duplicate": 3801}}, "3801 of 4000"),
    (curated.near_duplicate_share, {"source_rows": 0}, "of 0 examples"),
    (curated.labels_balanced, {"labels": {**GOOD["labels"], "T3": {"specific": 200}}}, "T3: labels"),
    (curated.labels_balanced, {"labels": {**GOOD["labels"], "T2": {"a": 91, "b": 9}}}, "T2: largest share"),
    (curated.labels_balanced, {"labels": {**GOOD["labels"], "T2": {"a": 500, "b": 500, "c": 4}}}, "T2: smallest"),
    (curated.labels_balanced, {"labels": {}}, "T4: labels"),
    (curated.lengths_alike, {"lengths": {"by_split": {"train": [10, 0], "test_year": [7, 3]}}}, "test_year"),
    (curated.lengths_alike, {"lengths": {"by_split": {"test_year": [7, 3]}}}, "test_year"),
    (
        curated.label_mix_steady,
        {"labels_by_year": {**GOOD["labels_by_year"], "T4": {"2023": {"principal": 50, "other": 50}}}},
        "1 label mixes drifted: T4: 2023 to 2024.",
    ),
    (
        curated.label_mix_steady,
        {"labels_by_year": {task: GOOD["labels_by_year"][task] for task in ("T2", "T3")}},
        "1 label mixes drifted: T4: 2023 to 2024.",
    ),
    (
        curated.label_mix_steady,
        {
            "source_versions": {"2021": "x", "2022": "y", "2023": "z"},
            "labels_by_year": {
                **{task: {year: {"a": 1} for year in ("2021", "2022", "2023")} for task in ("T2", "T4")},
                "T3": {"2021": {"a": 1}, "2022": {"a": 50, "b": 50}, "2023": {"a": 66, "b": 34}},
            },
        },
        "2 label mixes drifted: T3: 2021 to 2022, T3: 2022 to 2023.",
    ),
]


def made(**changed: Any) -> Materialized:
    """The good materialization, but for what is changed."""
    return Materialized(SNAPSHOT, None, "run", 0.0, "version", None, GOOD | changed)


@pytest.mark.parametrize("decide", sorted({decide for decide, _, _ in FAULTS}, key=lambda decide: decide.__name__))
def test_good_data_passes(decide: Callable[[Materialized, DataThresholds], Verdict]) -> None:
    verdict = decide(made(), DataThresholds())
    assert verdict.passed, verdict.sentence


@pytest.mark.parametrize(("decide", "fault", "words"), FAULTS)
def test_bad_data_fails_and_says_why(
    decide: Callable[[Materialized, DataThresholds], Verdict], fault: Mapping[str, Any], words: str
) -> None:
    verdict = decide(made(**fault), DataThresholds())
    assert not verdict.passed
    assert words in verdict.sentence


def test_every_gate_has_a_fault_that_closes_it() -> None:
    """Of twelve decisions, two serve a year and the snapshot alike."""
    decided = {decide.__name__ for decide, _, _ in FAULTS}
    assert len(gates.EXAMPLES_GATES) + len(gates.SNAPSHOT_GATES) == len(decided) + 2


def test_a_threshold_that_is_mended_opens_the_gate() -> None:
    few = made(rows_by_task_and_split={task: {"train": 9} for task in TASK_KINDS})
    lowered = DataThresholds(examples_style=9, examples_classification=9)
    assert not curated.enough_examples_by_task(few, DataThresholds()).passed
    assert curated.enough_examples_by_task(few, lowered).passed


def test_every_measure_stands_beside_its_threshold() -> None:
    table = curated.no_leakage(made(worst_13gram_share=0.31), DataThresholds()).details["Measured"].value
    assert "| largest share of a test body's 13-grams in train | 0.310 | 0.200 | NO |" in table
    assert "| clusters in two splits | 0 | 0 | yes |" in table


def test_a_task_of_no_known_kind_is_refused() -> None:
    verdict = curated.enough_examples_by_task(
        made(rows_by_task_and_split={**GOOD["rows_by_task_and_split"], "T9": {"train": 10**6}}), DataThresholds()
    )
    assert not verdict.passed
    assert "T9 (of no known kind)" in verdict.sentence


def test_least_numbers_go_by_the_kind_of_task() -> None:
    wanted = {kind: DataThresholds().examples_of(kind) for kind in TaskKind}
    assert wanted == {"classification": 200, "structured_output": 500, "style": 1000, "reasoning": 5000}


def test_what_an_older_version_did_not_record_is_said() -> None:
    older = Materialized(SNAPSHOT, None, "run", 0.0, "version", None, {"rows": 1})
    with pytest.raises(dg.Failure, match="recorded no worst_13gram_share"):
        curated.no_leakage(older, DataThresholds())


def test_thresholds_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOVTUNE_DATA_THRESHOLDS", '{"examples_style": 7}')
    assert Settings().data_thresholds == DataThresholds(examples_style=7)
    monkeypatch.setenv("GOVTUNE_DATA_THRESHOLDS", '{"example_style": 7}')
    with pytest.raises(ValueError, match="example_style"):
        Settings()


def test_the_token_limit_is_that_of_the_smallest_configuration() -> None:
    assert DataThresholds().tokens == min(found.data.max_length for found in load_all().values())


def test_distances() -> None:
    assert curated.kolmogorov_smirnov([1, 1, 0], [2, 2, 0]) == 0
    assert curated.kolmogorov_smirnov([1, 0, 0], [0, 0, 1]) == 1
    assert curated.kolmogorov_smirnov([1, 1], [3, 1]) == 0.25
    assert curated.total_variation({"a": 1, "b": 1}, {"b": 5, "c": 5}) == 0.5
    assert curated.total_variation({"a": 3}, {}) == 1
