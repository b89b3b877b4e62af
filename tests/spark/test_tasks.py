"""The tasks' labels, the cut of long bodies and the mix: plain Python."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark import categories, mix, principal
from spark.categories import category, is_general
from spark.cleaning import words
from spark.cut import cut
from spark.labels import Label, Unlabelled, labels
from spark.templates import BODY_WORDS, T2, T3, T4, TEMPLATES, Template
from train.config import load_all

LABELS = Path(__file__).parents[2] / "benchmarks" / "labels" / "principal.json"
SENTENCE = "We depend on few suppliers."


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("OPERATIONAL RISKS.", "business and operations"),
        ("Risks Related to Our Business", "business and operations"),
        ("Strategic Risks", "business and operations"),
        ("Risks Related to Our Industry and Markets", "industry and markets"),
        ("Macroeconomic and Market Conditions", "industry and markets"),
        ("Legal & Regulatory Risks", "legal and regulatory"),
        ("Risks Related to the Regulation of Our Business", "legal and regulatory"),
        ("Risks Related to Our Operating Results and Financial Condition", "financial and capital"),
        ("Risks Related to Financing and Capital Markets Activities", "financial and capital"),
        ("Risks Related to Cyber-security and Data Privacy", "technology and data"),
        ("Risks Related to Information Technology", "technology and data"),
        ("Risks Related to Intellectual Property", "intellectual property"),
        ("Risks Related to Human Capital", "people"),
        ("Risks Related to Ownership of Our Class A Common Stock", "securities and ownership"),
        ("General Risk Factors", categories.GENERAL),
        ("Risks Related to Our Business and Industry", categories.AMBIGUOUS),
        ("Legal, Tax and Other Risks", categories.AMBIGUOUS),
        ("Risks Related to the Price of Bitcoin", categories.UNMAPPED),
        ("Environmental and Climate Risks", categories.UNMAPPED),
        ("Risk Factors", categories.UNMAPPED),
    ],
)
def test_class_of_a_heading(heading: str, expected: str) -> None:
    assert category(heading) == expected


@pytest.mark.parametrize(
    ("heading", "general"),
    [
        ("General Risk Factors", True),
        ("GENERAL RISKS", True),
        ("Other General Risks", True),
        ("Risks Related to General Economic Conditions", False),
        ("Generally Applicable Laws", False),
    ],
)
def test_general_captions(heading: str, general: bool) -> None:
    assert is_general(heading) is general


def test_classes_are_six_to_eight_and_the_answers_of_the_template() -> None:
    assert 6 <= len(categories.CLASSES) <= 8
    assert T2.answers == categories.CLASSES
    assert all(name in T2.prompt for name in categories.CLASSES)


def test_every_label_is_an_answer_of_its_template() -> None:
    groups = ["General Risks", "Operational Risks", "Strategic and Market Risks", None]
    subcaptions = ["Floods may close our plant", "Suppliers may fail us", "Tariffs may rise", None]
    summary = "Floods may close our plant\nSuppliers may fail us\nTariffs may rise soon"
    for row in labels(groups, subcaptions, summary):
        for label, template in zip(row, (T2, T3, T4), strict=True):
            assert (label.value is None) != (label.reason is None)
            assert label.value is None or label.value in template.answers


def test_labels_of_one_filing() -> None:
    groups = ["Operational Risks", "General Risk Factors", None]
    found = labels(groups, ["Suppliers may fail us", "Storms may close plants", "Taxes may rise"], None)
    assert [row[0] for row in found] == [
        Label("business and operations"),
        Label(None, Unlabelled.GENERAL_HEADING),
        Label(None, Unlabelled.NO_HEADING),
    ]
    assert [row[1] for row in found] == [Label("specific"), Label("generic"), Label(None, Unlabelled.NO_HEADING)]
    assert {row[2] for row in found} == {Label(None, Unlabelled.NO_SUMMARY)}


def test_a_filing_without_a_general_caption_has_no_kinds() -> None:
    found = labels(["Operational Risks", "Legal Risks"], ["Suppliers may fail us", "Laws may change"], "")
    assert {row[1] for row in found} == {Label(None, Unlabelled.NO_GENERAL_CAPTION)}


SUBCAPTIONS = [
    "If we lose a large customer, our revenue could fall and our business may be adversely affected.",
    "Our suppliers may fail to deliver parts, which could adversely affect our business.",
    "A breach of our information systems could adversely affect our business.",
    "Changes in tax law could adversely affect our business.",
]


def test_summary_names_by_what_is_particular() -> None:
    summary = (
        "Operational Risks\n\u2022 the loss of large customers;\n\u2022 failure of suppliers to deliver parts;\n"
        "\u2022 breaches of information systems."
    )
    assert principal.named(summary, SUBCAPTIONS, ["Operational Risks"] * 4) == [True, True, True, False]


def test_one_entry_names_two_that_are_as_similar() -> None:
    twice = [*SUBCAPTIONS, SUBCAPTIONS[3]]
    found = principal.named("\n".join(SUBCAPTIONS[1:]), twice, [])
    assert found == [False, True, True, True, True]


@pytest.mark.parametrize(
    "summary",
    [
        None,
        "",
        "Large customers may be lost",
        "Weather is uncertain everywhere\nPirates sail in distant oceans\nVolcanoes erupt without notice",
    ],
)
def test_what_does_not_fit_the_section_says_nothing(summary: str | None) -> None:
    assert principal.named(summary, SUBCAPTIONS, []) is None


def test_no_risk_factor_with_a_heading_is_nothing_to_name() -> None:
    assert principal.named("\n".join(SUBCAPTIONS), [None, None], []) is None


def test_body_that_fits_is_left_alone() -> None:
    assert cut(SENTENCE, words(SENTENCE)) == (SENTENCE, 0)


@pytest.mark.parametrize(
    ("body", "most", "kept"),
    [
        (f"{SENTENCE} {SENTENCE} More of it.", 11, f"{SENTENCE} {SENTENCE}"),
        ("We sell goods in the U.S. Army stores and elsewhere. Then more.", 9, ""),
        ("We buy from Acme Inc. We sell to No. 5 and others too.", 4, ""),
        ('We were told "no!" Then we left the room.', 5, 'We were told "no!"'),
        ("Prices rose 3.5 percent. Then they fell again.", 5, "Prices rose 3.5 percent."),
        (
            f"Much may fail: \n\u2022 plants;\n\u2022 ships;\n\u2022 {SENTENCE}",
            8,
            "Much may fail: \n\u2022 plants;\n\u2022 ships;",
        ),
    ],
)
def test_cut_at_the_end_of_a_sentence(body: str, most: int, kept: str) -> None:
    found, cut_words = cut(body, most)
    assert found == kept
    assert words(found) + cut_words == words(body)


@pytest.mark.parametrize("piece", ["a", ".", '."', "a.'"])
def test_a_long_unbroken_word_is_no_trap_for_the_cut(piece: str) -> None:
    kept, _ = cut(f"{SENTENCE} X{piece * 200_000}x {SENTENCE}", 6)
    assert kept == SENTENCE


@given(st.text(alphabet="aB. ;\n\u2022", max_size=200), st.integers(min_value=1, max_value=20))
def test_cut_keeps_a_beginning_within_the_budget(body: str, most: int) -> None:
    kept, cut_words = cut(body, most)
    assert body.startswith(kept)
    assert words(kept) <= most
    assert words(kept) + cut_words == words(body)
    assert cut(kept, most) == (kept, 0)


def test_mix_is_by_share_and_leaves_small_tasks_whole() -> None:
    rates = mix.rates({"T1": 900, "T2": 800, "T3": 50, "T4": 400})
    assert rates == {"T1": 1.0, "T3": 1.0, "T2": pytest.approx(275 / 800), "T4": pytest.approx(275 / 400)}


def test_mix_never_thins_the_headline() -> None:
    assert mix.rates({"T1": 900, "T2": 10, "T3": 0}) == {"T1": 1.0, "T2": 1.0}
    assert mix.rates({}) == {}


def test_a_new_table_or_aligner_makes_other_examples() -> None:
    assert T2.version.endswith(f"+{categories.TABLE_VERSION}")
    assert T4.version.endswith(f"+{principal.ALIGNER_VERSION}")


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_longest_prompt_fits_every_configuration(template: Template) -> None:
    # By SmolLM2's tokenizer: 1.35 tokens a word, 117 for the longest subcaption of the recorded filings; 40 for a chat
    # format. docs/decisions/tasks.md.
    completion = max((words(answer) * 2 for answer in template.answers), default=117)
    longest = (BODY_WORDS + words(template.prompt)) * 1.35 + completion + 40
    assert {name: c.data.max_length for name, c in load_all().items() if c.data.max_length < longest} == {}


def test_labels_of_summaries_hold_no_text() -> None:
    filings = json.loads(LABELS.read_text())["filings"]
    rows = [label for filing in filings for label in filing["labels"]]
    assert len(rows) >= 60
    assert {key for row in rows for key in row} <= {
        "index", "body", "subcaption_sha256", "principal", "bullet", "bullet_sha256", "doubt",
    }  # fmt: skip
    digest_length = len(hashlib.sha256().hexdigest())
    assert all(len(row["subcaption_sha256"]) == digest_length for row in rows)
    assert {row["principal"] for row in rows} == {True, False}
