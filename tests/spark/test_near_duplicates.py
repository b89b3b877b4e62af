"""Near-duplicates against the exact Jaccard similarity of texts with known edits."""

from __future__ import annotations

import random
from itertools import combinations

import numpy as np
import pytest
from near_copies import edited, exact_pairs, families, grams, groups, words
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812  (Spark's own convention)

from spark import near_duplicates
from spark.near_duplicates import BANDS, NEIGHBOURS, SHINGLE_WORDS, THRESHOLD, Bands, jaccard
from spark.plans import settled
from spark.shingles import WordNumbers, shingles

RATES = (0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.06)
"""A share r of edited words leaves a similarity of about (1 - 5r) / (1 + 5r): 0.82 at 0.02, 0.78 at 0.025."""

FIRST_BUCKETS = [7921648249220164170, 6712772984130889741]


def sample() -> dict[str, str]:
    """Families of near-copies, some single texts, and one family of 300 around the threshold; no text twice."""
    texts = dict(families(originals=150, copies=6, rates=RATES, seed=1))
    generator = random.Random(2)
    original = words(generator, 200)
    texts |= {f"big-{number}": " ".join(edited(original, 0.012, generator)) for number in range(300)}
    return {key: text for text, key in {text: key for key, text in texts.items()}.items()}


def frame(spark: SparkSession, texts: dict[str, str]) -> DataFrame:
    """The texts as `clusters` takes them."""
    return spark.createDataFrame(sorted(texts.items()), "key string, text string")


def found_groups(clusters: DataFrame) -> dict[str, set[str]]:
    """Keys by cluster."""
    found: dict[str, set[str]] = {}
    for row in clusters.collect():
        found.setdefault(row["cluster_id"], set()).add(row["key"])
    return found


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """The sample, drawn once."""
    return sample()


def test_sets_of_numbers_are_the_sets_of_words(texts: dict[str, str]) -> None:
    numbers = WordNumbers()
    for one, other in list(combinations(list(texts.values())[:40], 2)):
        sets = [shingles(text.split(), SHINGLE_WORDS, numbers) for text in (one, other)]
        plain = [grams(text, SHINGLE_WORDS) for text in (one, other)]
        assert [len(item) for item in sets] == [len(item) for item in plain]
        assert jaccard(*sets) == len(plain[0] & plain[1]) / len(plain[0] | plain[1])


def test_short_and_empty_texts_have_one_shingle() -> None:
    numbers = WordNumbers()
    short = [shingles(text.split(), SHINGLE_WORDS, numbers) for text in ("", "a", "a b c d", "a b c d e")]
    assert [len(item) for item in short] == [1, 1, 1, 1]
    assert len({int(item[0]) for item in short}) == 4


def test_buckets_are_fixed() -> None:
    """Another batch, another process or another release of numpy gives the same buckets."""
    sets = [np.arange(1, 50, dtype=np.uint64) << np.uint64(40), np.array([7 << 50], dtype=np.uint64)]
    alone, together = Bands().of(sets[:1]), Bands().of(sets)
    assert (alone[0] == together[0]).all()
    assert together.shape == (2, BANDS)
    assert together[:, 0].tolist() == FIRST_BUCKETS


def test_pairs_just_over_the_threshold_share_a_bucket(capsys: pytest.CaptureFixture[str]) -> None:
    generator, numbers, hashing = random.Random(3), WordNumbers(), Bands()
    found = []
    for _ in range(6000):
        text = words(generator, 120)
        pair = [shingles(item, SHINGLE_WORDS, numbers) for item in (text, edited(text, 0.02, generator))]
        if THRESHOLD <= jaccard(*pair) < THRESHOLD + 0.03:
            one, other = hashing.of(pair)
            found.append(bool((one == other).any()))
    with capsys.disabled():
        print(f"\nbuckets: {len(found)} pairs of J 0.80 to 0.83, {np.mean(found):.4f} of them share one")
    assert len(found) > 400
    assert np.mean(found) >= 0.99


def test_pairs_against_exact_similarity(
    spark: SparkSession, texts: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    truth = exact_pairs(texts, SHINGLE_WORDS, THRESHOLD)
    sketches = settled(near_duplicates._sketches(frame(spark, texts)))
    buckets = settled(near_duplicates._buckets(sketches))
    others = F.explode(F.array_union("before", F.array("first"))).alias("other")
    candidates = settled(buckets.select("document", others).distinct())
    keys = {row["document"]: row["key"] for row in sketches.select("document", "key").collect()}
    pairs = near_duplicates.verified(candidates, near_duplicates._sets(sketches, buckets)).collect()
    found = {tuple(sorted((keys[row["document"]], keys[row["other"]]))) for row in pairs}
    # In a big bucket not every pair is compared, by design; what counts there is that none is left apart.
    small = {pair for pair in truth if not pair[0].startswith("big")}
    precision = len(found & truth.keys()) / len(found)
    recall = len(found & small) / len(small)
    border = {pair for pair in small if truth[pair] < THRESHOLD + 0.05}
    with capsys.disabled():
        print(
            f"\nnear-duplicates: {len(texts)} texts, {len(truth)} pairs with J >= {THRESHOLD} ({len(border)} small-"
            f"family pairs under {THRESHOLD + 0.05:.2f}); {candidates.count()} compared; pair precision "
            f"{precision:.4f}, pair recall {recall:.4f} ({len(found & border) / len(border):.4f} at the border)"
        )
    assert precision >= 0.97
    assert recall >= 0.97
    assert candidates.count() <= len(texts) * BANDS * (NEIGHBOURS + 1)


def test_clusters_are_the_exact_components_in_any_order_and_partitions(
    spark: SparkSession, texts: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    exact = groups(texts, exact_pairs(texts, SHINGLE_WORDS, THRESHOLD))
    rows = frame(spark, texts)
    first = near_duplicates.clusters(rows.repartition(5, "text"))
    again = near_duplicates.clusters(rows.orderBy(F.desc("text")).coalesce(1))
    found = found_groups(first)
    assert found == found_groups(again)
    pairs_found = {pair for group in found.values() for pair in combinations(sorted(group), 2)}
    pairs_exact = {pair for group in exact for pair in combinations(sorted(group), 2)}
    both = len(pairs_found & pairs_exact)
    precision, recall = both / len(pairs_found), both / len(pairs_exact)
    with capsys.disabled():
        print(
            f"\nclusters: {len(found)} found, {len(exact)} exact, the largest of {max(map(len, exact))}; "
            f"pairs in one cluster: precision {precision:.4f}, recall {recall:.4f}"
        )
    assert precision >= 0.97
    assert recall >= 0.97


def test_texts_under_one_key_share_its_cluster(spark: SparkSession) -> None:
    one, other, third = (" ".join(f"{name}{number}" for number in range(40)) for name in "abc")
    rows = [("k1", one), ("k1", other), ("k2", other.upper()), ("k3", third)]
    found = near_duplicates.clusters(spark.createDataFrame(rows, "key string, text string"))
    assert sorted(map(sorted, found_groups(found).values())) == [["k1", "k2"], ["k3"]]
