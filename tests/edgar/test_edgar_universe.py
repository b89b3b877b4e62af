"""Universes: how they are written, whom they mean, and the list of S&P 500 members against lists of others."""

import csv
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from govtune_assets.edgar import (
    Company,
    EdgarSource,
    SkipReason,
    UniverseError,
    UnknownCompanyError,
    collect,
    normalize_ticker,
    parse_universe,
)
from govtune_assets.edgar.membership import sp500
from govtune_assets.edgar.universe import Filers, IndexMembers, Named, Served

from .conftest import Folder, Replica, document

Start = Callable[..., Replica]
Source = Callable[..., EdgarSource]
ABIOMED, FIRST_REPUBLIC = 815094, 1132979  # in the S&P 500 until 2022-12-22 and 2023-05-04
DAY = timedelta(days=1)


def members(day: date) -> dict[str, str]:
    """CIK by ticker."""
    return {row.ticker: row.cik for row in sp500().between(day, day)}


@pytest.mark.shared
@pytest.mark.parametrize("day", ["2023-06-20", "2023-12-31", "2024-06-27", "2024-12-27"])
def test_the_members_of_a_day_are_those_of_the_published_lists(day: str, recorded: Path) -> None:
    with (recorded / "sp500" / f"datasets_constituents_{day}.csv").open(encoding="utf-8") as lines:
        published = {
            normalize_ticker(row["Symbol"].removesuffix(" (Previously PKI)")): row["CIK"].zfill(10)
            for row in csv.DictReader(lines)
        }
    listed = members(date.fromisoformat(day))
    print(f"{day}: {len(listed)} symbols, {len(set(listed.values()))} CIKs")
    assert listed == published
    assert (len(listed), len(set(listed.values()))) == (503, 500)


def test_the_index_has_its_five_hundred_companies_on_every_day_of_the_list() -> None:
    index = sp500()
    assert (index.first, index.version) == (date(2019, 1, 1), index.last.isoformat())
    sizes = {}
    day = index.first
    while day <= index.last:
        rows = index.between(day, day)
        sizes[day] = (len(rows), len({row.ticker for row in rows}), len({row.cik for row in rows}))
        day += DAY
    assert {rows for rows, _, _ in sizes.values()} <= {503, 504, 505, 506, 507}
    assert all(rows == tickers for rows, tickers, _ in sizes.values())
    assert all(499 <= companies <= 503 for _, _, companies in sizes.values())


def test_rows_of_the_list_are_whole_and_do_not_overlap() -> None:
    rows = sp500().rows
    assert all(len(row.cik) == 10 and row.cik.isdigit() and int(row.cik) for row in rows)
    assert all(row.ticker == normalize_ticker(row.ticker) for row in rows)
    assert all(row.end is None or row.first < row.end <= sp500().last for row in rows)
    for one in rows:
        others = [row for row in rows if row.ticker == one.ticker and row is not one]
        assert not any(row.meets(one.first, (one.end or sp500().last + DAY) - DAY) for row in others), one


@pytest.mark.parametrize(
    ("before", "after", "day"),
    [
        ("FB", "META", "2022-06-09"),
        ("ABC", "COR", "2023-08-30"),
        ("PKI", "RVTY", "2023-05-16"),
        ("RE", "EG", "2023-07-10"),
        ("FISV", "FI", "2023-06-07"),
        ("HCP", "PEAK", "2019-11-05"),
        ("PEAK", "DOC", "2024-03-04"),
        ("CTL", "LUMN", "2020-09-18"),
        ("UTX", "RTX", "2020-04-03"),
    ],
)
def test_a_rename_keeps_the_company(before: str, after: str, day: str) -> None:
    first = date.fromisoformat(day)
    assert members(first - DAY)[before] == members(first)[after]
    assert after not in members(first - DAY)
    assert before not in members(first)


@pytest.mark.parametrize(
    ("ticker", "before", "after", "day"),
    [
        ("DIS", 1001039, 1744489, "2019-03-20"),
        ("FOXA", 1308161, 1754301, "2019-03-19"),
        ("IR", 1466258, 1699150, "2020-03-03"),
        ("APA", 6769, 1841666, "2021-03-01"),
        ("BG", 1144519, 1996862, "2023-11-01"),
        ("BLK", 1364742, 2012383, "2024-10-01"),
    ],
)
def test_a_new_registrant_under_an_old_ticker(ticker: str, before: int, after: int, day: str) -> None:
    first = date.fromisoformat(day)
    assert (int(members(first - DAY)[ticker]), int(members(first)[ticker])) == (before, after)


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        (["served"], (Served(),)),
        (["SP500"], (IndexMembers(),)),
        (["sp500@2024-06-28"], (IndexMembers(date(2024, 6, 28), date(2024, 6, 28)),)),
        (["sp500@2023-01-01..2024-12-31"], (IndexMembers(date(2023, 1, 1), date(2024, 12, 31)),)),
        (["brk.b", "CIK0000320193", "brk.b"], (Named(("brk.b", "CIK0000320193")),)),
        (["sp500", "GME"], (IndexMembers(), Named(("GME",)))),
    ],
)
def test_universes_as_they_are_written(written: list[str], parts: tuple[object, ...]) -> None:
    assert parse_universe(written).parts == parts


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ([], "names no company"),
        (["AAPL", "sp500@", "Apple Inc.", "0"], r"'sp500@', 'Apple Inc.', '0'"),
        (["sp500@2024-02-30"], "sp500@2024-02-30: day is out of range"),
        (["sp500@2024-01-02..2024-01-01"], "ends before it begins"),
        (["sp500@2018-12-31"], "covers 2019-01-01 to"),
        (["sp500@2999-01-01"], "covers 2019-01-01 to"),
        (["file:/no/such/list"], "file:/no/such/list cannot be read: No such file"),
        (["file:/"], "cannot be read"),
    ],
)
def test_what_is_no_universe_is_refused_in_words(written: list[str], words: str) -> None:
    with pytest.raises(UniverseError, match=words):
        parse_universe(written)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b"AAPL\n# a remark\n\n brk/b \nAAPL\n", ("AAPL", "brk/b")),
        (b"\xef\xbb\xbfcik\n320193\n", ("320193",)),
        (b'Symbol,Name,CIK\nAAPL,"Apple, Inc.",320193\nLMP,Lamps,\n', ("320193", "LMP")),
        (b"ticker\r\nAAPL\r\nMSFT\r\n", ("AAPL", "MSFT")),
    ],
)
def test_lists_in_files(body: bytes, names: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(body)
    universe = parse_universe([f"file:{path}"])
    assert universe.parts == (Named(names, f"file:{path}"),)
    assert str(universe) == f"file:{path}"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "names no company"),
        (b"cik\n", "names no company"),
        (b"AAPL\n\xff\xfe\n", "line 2: not UTF-8"),
        (b"AAPL\nApple Incorporated of Cupertino\n\n$$$\n", r"line 2: 'Apple Incorporated.*line 4: '\$\$\$'"),
        (b"AAPL,Apple\n", "line 1: 2 columns, and no first line that names one of them cik, ticker or symbol"),
        (b'cik\n"320193\n', "line 2: unexpected end of data"),
        (b"cik\n12345678901\n=1+1\n\x00\n", "line 2|NUL"),
        (b"cik,name\n,Nobody\n", "line 2: ''"),
        (b"a," * 3_000_000, "more than 4194304 bytes"),
        (b"x" * 200_000, "line 1|field larger"),
    ],
)
def test_a_hostile_list_is_refused_with_its_lines(body: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(body)
    with pytest.raises(UniverseError, match=words):
        parse_universe([f"file:{path}"])


def test_only_the_fiscal_years_in_which_a_company_was_a_member_count(
    folder: Folder, replica: Start, source: Source
) -> None:
    apple = folder.company(320193, "AAPL", name="Apple Inc.")
    gone = folder.company(FIRST_REPUBLIC)
    left = folder.company(ABIOMED, name="Abiomed")
    folder.company(99, "ZZZ", name="Never a member")
    for cik in (apple, gone, left):
        folder.filing(cik, document())
    collection = collect(source(replica(folder.root)), 2023, ["sp500"])
    assert [record["cik"] for record in collection.records] == [apple, gone]
    companies = {company.cik: company for company in collection.companies}
    assert len(companies) > 500
    assert left not in companies
    assert companies[gone].ticker == "FRC"
    assert {skip.reason for skip in collection.skips} == {SkipReason.NO_SUBMISSIONS}
    assert len(collection.skips) == len(companies) - 2


@pytest.mark.parametrize(("year", "words"), [(2018, "fiscal year 2018"), (2027, "fiscal year 2027")])
def test_a_fiscal_year_that_the_list_does_not_cover(
    year: int, words: str, folder: Folder, replica: Start, source: Source
) -> None:
    with pytest.raises(UniverseError, match=words):
        collect(source(replica(folder.root)), year, ["sp500"])


def test_a_former_ticker_finds_the_company_that_bears_another_now(
    folder: Folder, replica: Start, source: Source
) -> None:
    meta = folder.company(1326801, "META", name="Meta")
    twitter = folder.company(1418091, name="Twitter")
    folder.filing(meta, document())
    folder.filing(twitter, document())
    collection = collect(source(replica(folder.root)), 2023, ["FB", "meta", "TWTR"])
    assert [(r["cik"], r["ticker"]) for r in collection.records] == [(meta, "META"), (twitter, "TWTR")]


def test_all_unknown_names_are_told_with_what_to_do(folder: Folder, replica: Start, source: Source) -> None:
    with pytest.raises(UnknownCompanyError, match=r"NOPE, CELG, 999.*found by its CIK.*GOVTUNE_UNIVERSE"):
        collect(source(replica(folder.root)), 2023, ["NOPE", "CELG", "999"])


def test_a_period_is_judged_by_the_filers_own_year() -> None:
    index = sp500()
    filers = Filers((), {"1": tuple(row for row in index.rows if row.ticker == "FRC")})
    bank, other = (Company(cik, None, "") for cik in ("1", "2"))
    assert filers.has(bank, date(2023, 12, 31))
    assert filers.has(bank, date(2024, 5, 1))
    assert not filers.has(bank, date(2024, 5, 31))
    assert filers.has(bank, None)
    assert filers.has(other, date(1990, 12, 31))
