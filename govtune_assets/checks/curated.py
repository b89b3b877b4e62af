"""Data gates: on the examples of a fiscal year, and on the snapshot that trains.

Each is decided by measures that the Spark job took on the table as read back; the thresholds are those of
`govtune_assets.thresholds`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

import dagster as dg

from govtune_assets import gates
from govtune_assets.assets.common import as_dict
from govtune_assets.checks.common import Gate, Row, Verdict, build_gate, judged, recorded
from govtune_assets.partitions import FISCAL_YEARS
from govtune_assets.provenance import Materialized
from govtune_assets.settings import Settings
from govtune_assets.thresholds import TASK_KINDS, TOKENS_PER_WORD, DataThresholds

COMPANY_SPLITS = ("train", "validation", "test_company")
YEAR_SPLITS = ("test_year", "test_company_year")
LEAKS = ("clusters_in_two_splits", "companies_in_two_splits", "benchmark_filings_in_train")
DUPLICATES = ("exact_duplicate", "near_duplicate", "cluster_of_other_split")
"""The snapshot's reasons for leaving out what repeats another example."""

Decide = Callable[[Materialized, DataThresholds], Verdict]


def build_curation_checks(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """The gates between curation and training."""
    thresholds = settings.data_thresholds
    of_year: tuple[tuple[str, Decide], ...] = (
        ("The fiscal year has enough examples to train on.", minimum_examples),
        ("No PII is left in prompts and completions.", no_pii_left),
        ("Exact duplicates were removed, and they were not too large a share of the year.", duplicate_share),
        ("Nearly every company with a full Item 1A of the year has an example.", companies_covered),
    )
    of_snapshot: tuple[tuple[str, Decide], ...] = (
        ("Each split of companies holds examples, and with two fiscal years each split of years does.", splits_filled),
        ("No PII is left in the rows that train the model.", no_pii_left),
        (
            "Nothing that tests stands in train: no cluster, no company where it must not, no known benchmark filing, "
            "and of no test body more than the stated share of 13-grams. Counted on every row as written.",
            no_leakage,
        ),
        ("Each task has enough training examples for what it asks of the model.", enough_examples_by_task),
        ("The longest example fits the model, by words and a stated number of tokens a word.", tokens_within_limit),
        ("Not nearly all examples were repeats of others.", near_duplicate_share),
        ("No label of a task stands for nearly all of its training examples, or for nearly none.", labels_balanced),
        ("Prompts that validate or test are about as long as those that train.", lengths_alike),
        ("Nearly every company with examples is in the snapshot.", companies_covered),
        ("The mix of labels is about that of the year before, in the examples before repeats go.", label_mix_steady),
    )
    return [
        *(
            _gate(key, words, decide, thresholds, FISCAL_YEARS)
            for key, (words, decide) in zip(gates.EXAMPLES_GATES, of_year, strict=True)
        ),
        *(
            _gate(key, words, decide, thresholds, None)
            for key, (words, decide) in zip(gates.SNAPSHOT_GATES, of_snapshot, strict=True)
        ),
    ]


def _gate(
    key: dg.AssetCheckKey,
    description: str,
    decide: Decide,
    thresholds: DataThresholds,
    partitions: dg.PartitionsDefinition[str] | None,
) -> dg.AssetChecksDefinition:
    return build_gate(Gate(key, description, lambda made: decide(made, thresholds), partitions))


def minimum_examples(made: Materialized, thresholds: DataThresholds) -> Verdict:
    """Enough rows in the fiscal year."""
    rows, least = int(recorded(made, "rows")), thresholds.examples_of_year
    return Verdict(rows >= least, rows, least, f"{rows} examples, at least {least} are needed.")


def no_pii_left(made: Materialized, thresholds: DataThresholds) -> Verdict:
    """No span of PII in the rows as they were read back."""
    left, most = int(recorded(made, "pii_left")), thresholds.pii_spans
    return Verdict(left <= most, left, most, f"{left} spans of PII were found in the rows as written.")


def duplicate_share(made: Materialized, thresholds: DataThresholds) -> Verdict:
    """Exact duplicates among a year's candidate rows, those among them that the mix of tasks left out later."""
    removed = int(recorded(made, "duplicates_removed"))
    thinned = sum(int(number) for number in as_dict(recorded(made, "thinned")).values())
    candidates = int(recorded(made, "rows")) + thinned + removed
    share, most = _share(removed, candidates, empty=1.0), thresholds.exact_duplicate_share
    sentence = f"{removed} of {candidates} candidate examples were exact duplicates ({share:.1%}, at most {most:.0%})."
    return Verdict(share <= most, share, most, sentence)


def near_duplicate_share(made: Materialized, thresholds: DataThresholds) -> Verdict:
    """Examples of all years that repeat others, nearly or exactly."""
    dropped, source = as_dict(recorded(made, "dropped")), int(recorded(made, "source_rows"))
    repeats = sum(int(dropped.get(reason, 0)) for reason in DUPLICATES)
    share, most = _share(repeats, source, empty=1.0), thresholds.duplicate_share
    sentence = f"{repeats} of {source} examples repeat others ({share:.1%}, at most {most:.0%})."
    return Verdict(share <= most, share, most, sentence)


def companies_covered(made: Materialized, thresholds: DataThresholds) -> Verdict:
    """Companies that have an example, among those that could."""
    have, could = int(recorded(made, "companies")), int(recorded(made, "source_companies"))
    share, least = _share(have, could, empty=0.0), thresholds.companies
    sentence = f"{have} of {could} companies have an example ({share:.1%}, at least {least:.0%})."
    return Verdict(share >= least, share, least, sentence)


def splits_filled(made: Materialized, thresholds: DataThresholds) -> Verdict:
    """Every split has rows; with one fiscal year those of the later year have none."""
    counts, years = as_dict(recorded(made, "rows_by_split")), as_dict(recorded(made, "source_versions"))
    wanted = (*COMPANY_SPLITS, *(YEAR_SPLITS if len(years) > 1 else ()))
    smallest = min(int(counts.get(split, 0)) for split in wanted)
    listing = ", ".join(f"{split} {counts.get(split, 0)}" for split in wanted)
    return Verdict(smallest >= 1, smallest, 1, f"Rows by split: {listing}.")


def no_leakage(made: Materialized, thresholds: DataThresholds) -> Verdict:
    """Nothing that tests stands in train, measured on the whole table."""
    share, most = float(recorded(made, "worst_13gram_share")), thresholds.shared_grams
    rows: list[Row] = [(name.replace("_", " "), found := int(recorded(made, name)), 0, found == 0) for name in LEAKS]
    rows.append(("largest share of a test body's 13-grams in train", share, most, share <= most))
    return judged(rows, "measure", "leaks")


def enough_examples_by_task(made: Materialized, thresholds: DataThresholds) -> Verdict:
    """Training examples of each task; a task without a kind has no threshold and fails."""
    by_task = as_dict(recorded(made, "rows_by_task_and_split"))
    rows: list[Row] = []
    for task in sorted({*TASK_KINDS, *by_task}):
        trains, kind = int(as_dict(by_task.get(task)).get("train", 0)), TASK_KINDS.get(task)
        least = math.inf if kind is None else thresholds.examples_of(kind)
        rows.append((f"{task} ({kind or 'of no known kind'})", trains, least, trains >= least))
    return judged(rows, "task", "tasks have too few training examples")


def tokens_within_limit(made: Materialized, thresholds: DataThresholds) -> Verdict:
    """The longest example in estimated tokens; its bytes are a bound that no byte-level tokenizer exceeds."""
    words, size = int(recorded(made, "longest_words")), int(recorded(made, "longest_bytes"))
    tokens, most = math.ceil(words * TOKENS_PER_WORD), thresholds.tokens
    sentence = (
        f"The longest example has {words} words, about {tokens} tokens at {TOKENS_PER_WORD} a word (at most {most}), "
        f"and under no byte-level tokenizer more than {size}, its bytes."
    )
    return Verdict(tokens <= most, tokens, most, sentence)


def labels_balanced(made: Materialized, thresholds: DataThresholds) -> Verdict:
    """Shares of the most and least frequent label of each task with labels, in train."""
    rows: list[Row] = []
    most, least = thresholds.largest_label_share, thresholds.smallest_label_share
    for task, counts in _label_counts(made, "labels").items():
        total = sum(counts.values())
        largest = _share(max(counts.values(), default=0), total, empty=1.0)
        smallest = _share(min(counts.values(), default=0), total, empty=0.0)
        rows += [
            (f"{task}: labels", len(counts), thresholds.labels, len(counts) >= thresholds.labels),
            (f"{task}: largest share of a label", largest, most, largest <= most),
            (f"{task}: smallest share of a label", smallest, least, smallest >= least),
        ]
    return judged(rows, "measure", "measures of the labels are out of bounds")


def lengths_alike(made: Materialized, thresholds: DataThresholds) -> Verdict:
    """Distance of each split's prompt lengths from train's; a split without rows is for `splits_filled` to judge."""
    histograms = as_dict(as_dict(recorded(made, "lengths"))["by_split"])
    train, most = histograms.pop("train", []), thresholds.length_distance
    rows: list[Row] = [
        (split, distance := kolmogorov_smirnov(train, counts), most, distance <= most)
        for split, counts in sorted(histograms.items())
    ]
    return judged(rows, "split", "splits have other lengths than train")


def label_mix_steady(made: Materialized, thresholds: DataThresholds) -> Verdict:
    """Distance of each declared year's label mix from that of the year before it, for each task with labels.

    A year without any label of a task has an empty mix, which is as far from every other as can be.
    """
    rows: list[Row] = []
    years = sorted(as_dict(recorded(made, "source_versions")))
    for task, by_year in _label_counts(made, "labels_by_year").items():
        for before, year in pairwise(years):
            distance = total_variation(by_year.get(before, {}), by_year.get(year, {}))
            rows.append(
                (f"{task}: {before} to {year}", distance, thresholds.label_drift, distance <= thresholds.label_drift)
            )
    return judged(rows, "task and years", "label mixes drifted")


def kolmogorov_smirnov(one: Sequence[int], other: Sequence[int]) -> float:
    """Largest distance of two histograms' cumulative shares, over the same bins; 1 where one of them is empty."""
    if not sum(one) or not sum(other):
        return 1.0
    pairs = zip(accumulate(one), accumulate(other), strict=True)
    return max(abs(mine / sum(one) - theirs / sum(other)) for mine, theirs in pairs)


def total_variation(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """Half the sum of the differences of two mixes' shares; 1 where one of them is empty."""
    totals = sum(one.values()), sum(other.values())
    if not all(totals):
        return 1.0
    names = one.keys() | other.keys()
    return sum(abs(one.get(name, 0) / totals[0] - other.get(name, 0) / totals[1]) for name in names) / 2


def _label_counts(made: Materialized, name: str) -> dict[str, dict[str, Any]]:
    """What was counted of labels, by task; a task of labels without any row counts as one without labels."""
    found = as_dict(recorded(made, name))
    labelled = [task for task, kind in TASK_KINDS.items() if kind == "classification"]
    return {task: as_dict(found.get(task)) for task in sorted({*labelled, *found})}


def _share(part: int, whole: int, *, empty: float) -> float:
    return part / whole if whole else empty
