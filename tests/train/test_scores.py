"""Scores against their definitions and against libraries' own, the bootstrap, and what is read off texts."""

from __future__ import annotations

import random

import numpy as np
import pytest
from sacrebleu.metrics import BLEU
from sklearn.metrics import f1_score, roc_auc_score

from train import baselines, scores, texts
from train.bootstrap import Resamples


def whole(measure, rows: int) -> float:
    """The measure with every row once."""
    return float(measure(np.ones((1, rows)))[0])


def doubled(measure, rows: int, places: list[int]) -> float:
    """The measure with the named rows twice."""
    weights = np.ones((1, rows))
    weights[0, places] = 2
    return float(measure(weights)[0])


def test_rouge_has_its_known_values() -> None:
    # The example of Lin 2004, section 3.1. The metric stems, so that kill and killed are the same word.
    reference = "police killed the gunman"
    said = ["police stop the gunman", "the gunman kill police", "police kill the gunman"]
    found = scores.rouge_by_row(said, [reference] * 3)
    assert [row["rouge_l"] for row in found] == pytest.approx([0.75, 0.5, 1])
    assert found[2] == pytest.approx({"rouge_1": 1, "rouge_2": 1, "rouge_l": 1})


def test_bleu_is_that_of_the_corpus_of_the_rows_that_were_drawn() -> None:
    said = ["our suppliers may fail to deliver parts", "rates may rise in the coming year", "storms close plants now"]
    wanted = ["our suppliers might fail to deliver parts", "rates may rise this coming year", "storms may close plants"]
    measure = scores.bleu(said, wanted)
    assert whole(measure, 3) == pytest.approx(BLEU().corpus_score(said, [wanted]).score)
    twice = BLEU().corpus_score([*said, said[1]], [[*wanted, wanted[1]]]).score
    assert doubled(measure, 3, [1]) == pytest.approx(twice)
    assert np.isnan(measure(np.zeros((1, 3)))[0])


def test_label_scores_are_those_of_scikit_learn() -> None:
    dice = random.Random(3)
    labels = [dice.choice("abc") for _ in range(40)]
    said = [dice.choice("abd") for _ in range(40)]
    assert whole(scores.macro_f1(said, labels), 40) == pytest.approx(f1_score(labels, said, average="macro"))
    again = [*range(40), 4, 7]
    expected = f1_score([labels[n] for n in again], [said[n] for n in again], average="macro")
    assert doubled(scores.macro_f1(said, labels), 40, [4, 7]) == pytest.approx(expected)
    assert whole(scores.f1(said, labels, "a"), 40) == pytest.approx(
        f1_score(labels, said, labels=["a"], average="micro")
    )
    assert whole(scores.accuracy(["a", "b"], ["a", "a"]), 2) == 0.5


def test_auroc_is_that_of_scikit_learn_with_ties_and_weights() -> None:
    dice = random.Random(4)
    margins = [round(dice.gauss(0, 1), 1) for _ in range(50)]
    positive = [dice.random() < 0.3 for _ in range(50)]
    weights = np.array([[dice.randint(0, 3) for _ in range(50)] for _ in range(3)], dtype=np.float64)
    found = scores.auroc(margins, positive)(weights)
    for row in range(3):
        assert found[row] == pytest.approx(roc_auc_score(positive, margins, sample_weight=weights[row]))
    assert np.isnan(whole(scores.auroc([1.0, 2.0], [True, True]), 2))


def test_perplexity_counts_each_token_the_same() -> None:
    assert whole(scores.perplexity([-2.0, -9.0], [1, 10]), 2) == pytest.approx(np.exp(11 / 11))


def test_companies_are_drawn_whole_and_differences_are_paired() -> None:
    companies = ["a"] * 10 + ["b"] * 2 + ["c"] * 5
    values = [1.0] * 10 + [0.0] * 2 + [0.5] * 5
    drawn = Resamples(companies, seed=1, resamples=500)
    found = drawn.of(scores.mean(values))
    assert found.value == pytest.approx(sum(values) / 17)
    # Three companies drawn with replacement: the mean is one of these and no other.
    possible = {
        round((10 * a + 2.5 * c) / (10 * a + 2 * b + 5 * c), 9)
        for a in range(4)
        for b in range(4 - a)
        for c in [3 - a - b]
    }
    assert {round(float(value), 9) for value in found.found} <= possible
    low, high = found.interval()
    assert low < found.value < high
    less = found.less(drawn.of(scores.mean([value - 0.25 for value in values])))
    assert less.interval() == pytest.approx((0.25, 0.25))
    same = Resamples(companies, seed=1, resamples=500).of(scores.mean(values))
    assert np.array_equal(same.found, found.found)


def test_what_is_not_defined_has_no_interval() -> None:
    one = Resamples(["a", "a"], seed=1).of(scores.mean([0.0, 1.0]))
    assert (one.value, one.interval()) == (0.5, None)
    nothing = Resamples(["a", "b"], seed=1).of(scores.ratio([0, 0], [0, 0]))
    assert np.isnan(nothing.value)
    assert nothing.interval() is None
    # A positive row in one of two companies: resamples without it do not count.
    rare = Resamples(["a", "a", "b"], seed=1).of(scores.auroc([1.0, 0.0, 0.5], [True, False, False]))
    assert rare.interval() == (1.0, 1.0)


def test_entities_are_runs_of_capitalised_words_within_sentences() -> None:
    text = "We buy chips from Taiwan Semiconductor and Bank of America lends to us. Apple Inc. may sue IBM's U.S. unit."
    assert texts.entities(text) == ["Taiwan Semiconductor", "Bank of America", "IBM", "U.S"]
    assert texts.entities("They ask the Department of the Treasury.") == ["Department of the Treasury"]
    assert texts.entities("Risks Related To Our Business And The FDA") == ["FDA"]
    assert texts.faithful_entities("We rely on the FDA and on Acme Corp", "the fda decides") == (1, 2)
    assert texts.faithful_entities("we rely on others", "the fda decides") == (0, 0)


def test_numbers_are_compared_by_value() -> None:
    assert texts.numbers("1,000.50 and 1000.5, 007 and 12%") == {"1000.5", "7", "12"}
    assert texts.faithful_numbers("About 40% of 3 plants", "40 percent of our 5 plants") == (1, 2)


def test_sentences_end_where_a_reader_ends_them() -> None:
    assert texts.sentences("Acme Inc. Makes one. J. Doe left! A line\nAnother") == [
        "Acme Inc. Makes one.",
        "J. Doe left!",
        "A line",
        "Another",
    ]
    assert baselines.lead_sentence("First of all. Then more.") == "First of all."
    assert baselines.lead_sentence(" ") == ""


def test_a_template_is_what_prompts_share_in_whole_lines() -> None:
    prompts = [f"Say it.\n\nRisk:\nWe {word}.\n\nAnswer:" for word in ("win", "lose", "wait")]
    template = texts.template_of(prompts)
    assert [template.body(prompt) for prompt in prompts] == ["We win.", "We lose.", "We wait."]
    assert texts.template_of([prompts[0]]).body(prompts[0]) == prompts[0]


def test_hard_negatives_are_near_and_say_something_else() -> None:
    near = [f"Storms may close our plant in region {word}" for word in ("a", "b")]
    others = [f"Topic {number} is of word{number} and other{number}" for number in range(12)]
    headings = ["Storms may close our plants in any region", *near, *others]
    found = baselines.Headings([*headings, *headings]).hard_negatives(headings[0])
    assert found is not None
    assert len(found) == baselines.NEGATIVES
    assert not set(found) & set(headings[:3])
    assert baselines.Headings([headings[0], *others[:9]]).hard_negatives(headings[0]) is None


def test_baselines_learn_from_training_alone() -> None:
    bodies = ["storms flood the plant", "hackers steal data", "storms and floods", "hackers and data"]
    labels = ["weather", "cyber", "weather", "cyber"]
    nearest = baselines.NearestHeading(bodies[:2], ["It floods", "They hack"])
    assert nearest.of(["a hackers data theft", "unknown words"]) == ["They hack", "It floods"]
    known = baselines.TfidfLogistic(bodies, labels).of(["a flood of storms"], ["cyber", "never seen", "weather"])
    assert known[0].argmax() == 2
    assert known[0, 1] < -700
    most = baselines.Majority([*labels, "cyber"]).of(["any", "body"], ["cyber", "weather"])
    assert np.exp(most).tolist() == [pytest.approx([0.6, 0.4])] * 2
