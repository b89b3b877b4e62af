"""What a person sees of a collected year: counts, what is missing and why, and figures that add up."""

from datetime import date

import pytest

from govtune_assets import collection_report, provenance
from govtune_assets.collection_report import Coverage, Tally, coverage, missing_companies, report, tables
from govtune_assets.edgar import Collection, Company, Filing, FilingRecord, Skip, SkipReason, Stats

LAMPS = Company("0000000001", "LMP", "Lamp Makers Inc.")
ROPES = Company("0000000002", "ROPE", "Rope | Twisters <Corp>")
GONE = Company("0000000003", None, "")
LATER = Company("0000000004", "LTR", "Later Inc.")


def filing(company: Company, number: int, form: str = "10-K") -> Filing:
    return Filing(company, form, f"{company.cik}-24-{number:06d}", date(2024, 2, 1), date(2023, 12, 31), "https://x/a")


def record(
    company: Company, number: int, *, form: str = "10-K", status: str = "full", characters: int = 100
) -> FilingRecord:
    return FilingRecord(
        filing=filing(company, number, form),
        entity_name=company.name.upper(),
        fiscal_year=2023,
        fiscal_quarter=None if form == "10-K" else 1,
        period_end=date(2023, 12, 31),
        document_sha256="0" * 64,
        status=status,
        characters=characters,
        risk_factor_count=1,
        extractor_version="1",
        retrieved_at="2024-03-01T00:00:00Z",
        fiscal_year_source="document",
        section_path=None,
    )


def collected(records: list[FilingRecord], skips: list[Skip], **stats: float) -> Collection:
    companies = (LAMPS, ROPES, GONE, LATER)
    return Collection(2023, tuple(records), tuple(skips), Stats(**stats), companies)  # type: ignore[arg-type]


def skip(reason: SkipReason, company: Company, number: int | None = None, form: str = "10-K") -> Skip:
    return Skip(
        reason, company, None if number is None else filing(company, number, form), "https://x/y/a.htm does not exist"
    )


def test_coverage_counts_each_listed_annual_report_once() -> None:
    collection = collected(
        [record(LAMPS, 1), record(LAMPS, 2, form="10-Q"), record(ROPES, 3, status="failed", characters=0)],
        [
            skip(SkipReason.EXTRACTION_FAILED, ROPES, 3),
            skip(SkipReason.MISSING_DOCUMENT, LATER, 4),
            skip(SkipReason.MISSING_DOCUMENT, LATER, 5, "10-Q"),
            skip(SkipReason.AMENDMENT, LAMPS, 6),
            skip(SkipReason.SUPERSEDED, LAMPS, 7),
            skip(SkipReason.CO_REGISTRANT, ROPES, 1),
            skip(SkipReason.NO_SUBMISSIONS, GONE),
        ],
    )
    assert coverage(collection) == Coverage(listed=3, extracted=1, unlisted=1)
    assert coverage(collection).share == 0.25
    assert coverage(collected([], [])).share == 0


@pytest.mark.parametrize(
    "reason",
    [
        SkipReason.NO_SUBMISSIONS,
        SkipReason.MALFORMED_SUBMISSIONS,
        SkipReason.MISSING_PAGES,
        SkipReason.UNOBTAINABLE,
        SkipReason.DOWNLOAD_FAILED,
    ],
)
def test_a_company_whose_filings_nobody_could_list_lacks_a_10_k(reason: SkipReason) -> None:
    collection = collected([record(LAMPS, 1), record(ROPES, 2, form="10-Q")], [skip(reason, ROPES), skip(reason, GONE)])
    assert coverage(collection) == Coverage(listed=1, extracted=1, unlisted=2)
    assert report(collection)["companies_without_list"] == 2
    assert collection_report.figures(collection, Tally())["annual_report_coverage"] == 0.3333
    assert "2 companies" in str(tables(collection, Tally())["In short"].value)


def test_a_company_whose_10_k_is_known_lacks_none_for_want_of_older_pages() -> None:
    known = collected([record(LAMPS, 1)], [skip(SkipReason.MISSING_PAGES, LAMPS)])
    assert coverage(known) == Coverage(listed=1, extracted=1, unlisted=0)
    none = collected([record(LAMPS, 1)], [skip(SkipReason.NO_FILINGS, LATER)])
    assert coverage(none).share == 1


def test_companies_without_a_record_are_named_with_the_reason() -> None:
    collection = collected(
        [record(LAMPS, 1)],
        [
            skip(SkipReason.MISSING_DOCUMENT, ROPES, 2),
            skip(SkipReason.FISCAL_YEAR_UNKNOWN, ROPES, 3, "10-Q"),
            Skip(SkipReason.NO_SUBMISSIONS, Company(GONE.cik, None, "Named Later"), None, "no file"),
        ],
    )
    found = {item.company.name: item.reason for item in missing_companies(collection)}
    assert found == {
        ROPES.name: "fiscal_year_unknown, missing_document",
        "Named Later": "no_submissions",
        "Later Inc.": "other_fiscal_year",
    }
    assert [item["name"] for item in report(collection)["missing_companies"]] == list(found)


def test_tables_keep_hostile_names_in_their_cells_and_lists_bounded() -> None:
    records = [record(LAMPS, n, characters=n) for n in range(1, 9)] + [record(LAMPS, 9, form="10-Q", status="absent")]
    skips = [skip(SkipReason.MISSING_DOCUMENT, ROPES, n) for n in range(collection_report.SHOWN + 7)]
    shown = {name: str(value.value) for name, value in tables(collected(records, skips), Tally()).items()}
    assert "| full | 8 | 0 | 8 |" in shown["Filings"] and "| absent | 0 | 1 | 1 |" in shown["Filings"]
    assert shown["Filings, as a chart"].startswith("![")
    assert "Rope \\| Twisters &lt;Corp&gt;" in shown["Missing companies"]
    assert "| missing\\_document | 57 |" in shown["Skipped, by reason"]
    assert shown["Skipped, by name"].endswith("and 7 more")
    assert (
        "| [10-K 2023-12-31](<https://x/a>) | missing\\_document | a.htm does not exist |" in shown["Skipped, by name"]
    )
    amended = collected([record(LAMPS, 1), record(LAMPS, 2, form="10-K/A")], [])
    assert "| full | 1 | 0 | 1 | 2 |" in str(tables(amended, Tally())["Filings"].value)
    longest = [line.split(" | ")[-1] for line in shown["Longest sections"].splitlines()[2:]]
    shortest = [line.split(" | ")[-1] for line in shown["Shortest sections"].splitlines()[2:]]
    assert longest == ["8 |", "7 |", "6 |", "5 |", "4 |"]
    assert shortest == ["1 |", "2 |", "3 |", "4 |", "5 |"]


def test_the_pass_that_writes_counts_and_digests() -> None:
    text = "Lamps may break.\nThey are made of glass.\nOther words."
    factors = [
        {"group": None, "subcaption": "Lamps may break.", "body": text[17:40], "start": 17, "end": 40},
        {"group": None, "subcaption": None, "body": text[41:], "start": 41, "end": len(text)},
    ]
    full = {"status": "full", "risk_factor_text": text, "risk_factors": factors, "retrieved_at": "now"}
    pointer = {"status": "pointer_or_no_change", "risk_factor_text": "See our 10-K.", "risk_factors": []}
    tally = Tally()
    assert list(tally.watch([full, pointer])) == [full, pointer]
    assert tally.risk_factors == 2
    assert tally.captioned_share == (16 + 23) / len(text)
    assert tally.data_version == provenance.digest_of_digests(map(provenance.digest_of_record, [pointer, full]))


def test_figures_are_numbers_that_hold_without_any_download() -> None:
    figures = collection_report.figures(collected([record(LAMPS, 1)], []), Tally())
    assert all(isinstance(number, int | float) for number in figures.values())
    assert (figures["filers"], figures["missing_companies"], figures["megabytes_per_second"]) == (1, 3, 0.0)
    busy = collected([], [], bytes_received=12_345_678, seconds=10.0, extractions=8, extraction_cpu_seconds=1.0)
    figures = collection_report.figures(busy, Tally())
    assert (figures["megabytes_per_second"], figures["cpu_seconds_per_extraction"]) == (1.2346, 0.125)
    assert figures["extractions_per_second"] == 0.8
