"""The tasks in Spark: labels, cut, mix and what the job `examples` reports of them."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.errors import PythonException
from raw_rows import RAW_SCHEMA, Rows, factor, filing, paragraph

from benchmarks.folder_tables import FolderTables
from spark import mix
from spark.cleaning import clean, clean_line
from spark.digests import raw_root
from spark.entry import describe
from spark.errors import JobError
from spark.examples import CleanTexts, as_examples, asked, candidates, refine, refined, thinned, without_duplicates
from spark.jobs import examples
from spark.pii import Finding
from spark.templates import BODY_WORDS, TEMPLATES

RAW, EXAMPLES = "raw.risk_factors", "curated.risk_factor_examples"
HEADINGS = ("Operational Risks", "Legal Risks", "Business and Market Risks", "Risks of Bitcoin", "General Risks")
PRIVATE = "RISKS of Living at 12 Maple Street, Springfield, IL 62701"


def grouped(name: str, number: int, heading: str | None) -> dict[str, Any]:
    """A risk factor under a heading."""
    return factor(paragraph(name, number), f"The {name} and its part {number} may fail") | {"group": heading}


def section(cik: int, named: int) -> Rows:
    """A filing with a risk factor under each heading and one under none, whose summary names the first of them."""
    factors = [grouped(f"plant {cik}", number, heading) for number, heading in enumerate((*HEADINGS, None))]
    own = [
        "loss of customers abroad",
        "failure of tunnels",
        "theft of copper",
        "storms in winter",
        "tax on steel",
        "war",
    ]
    captioned = [
        item | {"subcaption": f"We may suffer from {name} soon"} for item, name in zip(factors, own, strict=True)
    ]
    summary = "\n".join(f"\u2022 {name}" for name in own[:named])
    return [filing(cik, 2023, captioned, summary=summary)]


@pytest.fixture(scope="module")
def made(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[FolderTables, dict[str, Any]]:
    """Six filings with labels, one with a long body, one twice the same, and what the job said of them."""
    tables = FolderTables(spark, tmp_path_factory.mktemp("tasks"))
    rows = [row for cik in range(1, 7) for row in section(cik, 4)]
    long = " ".join(paragraph("long plant", number) for number in range(12))
    rows += [
        filing(8, 2023, [factor(long) | {"group": PRIVATE}]),
        filing(9, 2023, section(1, 0)[0]["risk_factors"], summary=None, accession_number="0000000009-23-000001"),
    ]
    frame = spark.createDataFrame(rows, RAW_SCHEMA)
    frame.write.format("delta").partitionBy("fiscal_year").save(tables.location(RAW))
    report = examples.run(
        tables,
        {
            "run_id": "run-1",
            "code_version": "code-1",
            "source_table": RAW,
            "target_table": EXAMPLES,
            "target_location": tables.location(EXAMPLES),
            "fiscal_year": 2023,
            "source_content": raw_root(frame),
        },
    )
    return tables, dict(report.metadata)


def test_labels_come_from_the_filing(made: tuple[FolderTables, dict[str, Any]]) -> None:
    tables, _ = made
    rows = tables.spark.read.format("delta").load(tables.location(EXAMPLES)).collect()
    by_task = {task: {(row["completion"], row["risk_factor_index"]) for row in rows if row["task"] == task}
               for task in TEMPLATES}  # fmt: skip
    assert by_task["T2"] <= {("business and operations", 0), ("legal and regulatory", 1)}
    assert by_task["T3"] <= {("specific", place) for place in range(4)} | {("generic", 4)}
    assert by_task["T4"] <= {("yes", place) for place in range(4)} | {("no", 4), ("no", 5)}
    assert all(by_task.values())
    for row in rows:
        template = TEMPLATES[row["task"]]
        before, after = template.parts()
        assert row["prompt"].startswith(before)
        assert row["prompt"].endswith(after)
        assert row["template_version"] == template.version


def test_every_risk_factor_is_accounted_for_in_every_task(made: tuple[FolderTables, dict[str, Any]]) -> None:
    _, metadata = made
    assert metadata["usable"] == 6 * 6 + 1 + 6
    for task in TEMPLATES:
        unlabelled = sum(metadata["unlabelled"].get(task, {}).values())
        left_out = metadata["duplicates_by_task"][task] + metadata["thinned"][task]
        assert metadata["usable"] == unlabelled + left_out + metadata["rows_by_task"][task]
    assert metadata["unlabelled"]["T2"] == {
        "ambiguous_heading": 7,
        "general_heading": 7,
        "no_heading": 7,
        "unmapped_heading": 7 + 1,
    }
    assert metadata["unlabelled"]["T3"] == {"no_general_caption": 1, "no_heading": 7}
    assert metadata["unlabelled"]["T4"] == {"no_summary": 7}
    # A heading is scrubbed as it was written: in lower case no address is known.
    assert metadata["headings_left_out"] == {
        "business and market risks": 7,
        "risks of bitcoin": 7,
        "risks of living at [address]": 1,
    }
    assert metadata["duplicates_by_task"] == {"T1": 6, "T2": 2, "T3": 5, "T4": 0}
    assert metadata["rows_by_task"]["T1"] == 37
    assert (metadata["companies"], metadata["source_companies"]) == (7, 8)


def test_labels_are_counted(made: tuple[FolderTables, dict[str, Any]]) -> None:
    _, metadata = made
    assert set(metadata["labels"]) == {"T2", "T3", "T4"}
    for task, by_label in metadata["labels"].items():
        assert sum(by_label.values()) == metadata["rows_by_task"][task]


def test_a_long_body_is_cut_and_says_so(made: tuple[FolderTables, dict[str, Any]]) -> None:
    tables, metadata = made
    rows = tables.spark.read.format("delta").load(tables.location(EXAMPLES))
    (row,) = rows.where("cut_words > 0").collect()
    before, after = TEMPLATES[row["task"]].parts()
    body = row["prompt"][len(before) : len(row["prompt"]) - len(after)]
    assert len(body.split()) <= BODY_WORDS
    assert body.endswith(".")
    whole = " ".join(paragraph("long plant", number) for number in range(12))
    assert len(body.split()) + row["cut_words"] == len(whole.split())
    assert (row["char_start"], row["char_end"]) == (0, len(whole))
    assert metadata["cut_rows"] == 1


def test_a_repeated_body_is_refined_as_if_it_were_the_first() -> None:
    body = (
        " ".join(paragraph("long plant", number) for number in range(3)) + " Call (212) 555-0143 or ask a@example.com."
    )
    captions = ("Our long plant may fail", "Floods may close the plant of Jane@example.com", None)
    bodies, lines = CleanTexts(clean), CleanTexts(clean_line)

    remembered = [refine(body, caption, "Operational Risks", bodies, lines) for caption in captions]

    assert remembered == [
        refine(body, caption, "Operational Risks", CleanTexts(clean), CleanTexts(clean_line)) for caption in captions
    ]
    assert [made[4] for made in remembered] == [2, 3, 2]
    assert (len(bodies), len(lines)) == (1, 3)


def test_another_detector_is_asked_about_filings_that_stay_alone(spark: Any) -> None:
    def refuses(text: str) -> list[Finding]:
        if "left out" in text:
            raise JobError("the detector was asked about a filing that is left out")
        return [Finding(0, 3, "PERSON")]

    left_out = [factor(paragraph("left out", number)) for number in range(2)]
    amended = filing(1, 2023, left_out, form_type="10-K/A", accession_number="0000000001-23-000002")
    cut_short = filing(2, 2023, left_out, status="short")
    kept = filing(3, 2023, [factor(paragraph("plant", 0))])
    rows = refined(candidates(spark.createDataFrame([amended, cut_short, kept], RAW_SCHEMA)), refuses).collect()
    stays = [(row["cik"], row["pii_removed"]) for row in rows if row["reason"] is None]
    assert (stays, len(rows)) == ([("0000000003", 2)], 5)

    asked_of_all = refined(candidates(spark.createDataFrame([filing(4, 2023, left_out)], RAW_SCHEMA)), refuses)
    with pytest.raises(PythonException) as caught:
        asked_of_all.collect()
    assert describe(caught.value) == "the detector was asked about a filing that is left out"


def test_mix_is_drawn_by_body_and_not_by_order(spark: Any) -> None:
    rows = [row for cik in range(1, 16) for row in section(cik, 3)]
    frame = spark.createDataFrame(rows, RAW_SCHEMA)
    unique = without_duplicates(as_examples(asked(refined(candidates(frame)))), frozenset()).cache()
    counts = {row["task"]: row["count"] for row in unique.groupBy("task").count().collect()}
    rates = mix.rates(counts)
    first, again = (
        {row["example_id"] for row in thinned(unique.repartition(number), rates).select("example_id").collect()}
        for number in (1, 5)
    )
    assert first == again
    kept = {row["task"]: row["count"] for row in thinned(unique, rates).groupBy("task").count().collect()}
    assert kept["T1"] == counts["T1"] == 90
    assert 0.5 <= kept["T1"] / sum(kept.values()) <= 0.7
