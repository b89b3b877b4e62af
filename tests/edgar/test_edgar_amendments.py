"""Amendments, reports that several registrants filed together, and rows without a period, through `collect`."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from govtune_assets.edgar import EdgarSource, SkipReason, collect
from govtune_assets.keys import filing_object_key
from govtune_assets.raw_zone import RawZone

from .conftest import Folder, Replica, document

Start = Callable[..., Replica]
Source = Callable[..., EdgarSource]


def registrants(*ciks: str) -> str:
    tags = "".join(f'<ix:nonNumeric name="dei:EntityCentralIndexKey">{cik}</ix:nonNumeric>' for cik in ciks)
    return document().replace("<body>", f"<body><p>{tags}</p>")


@pytest.fixture
def lake() -> Iterator[Any]:
    """An S3 client of an empty account."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    server.stop()


@pytest.fixture
def amended(folder: Folder) -> Folder:
    cik = folder.company(1, "AAA")
    folder.filing(cik, document())
    for filed in ("2024-04-01", "2024-05-01"):
        folder.filing(cik, document(form="10-K/A"), form="10-K/A", filed=filed)
    folder.filing(
        cik,
        document(form="10-Q/A", period="Q2", end="June 30, 2023"),
        form="10-Q/A",
        filed="2023-09-01",
        reported="2023-06-30",
    )
    return folder


def test_amendments_are_left_out(amended: Folder, replica: Start, source: Source) -> None:
    collection = collect(source(replica(amended.root)), 2023)
    assert [record.form_type for record in collection.filings] == ["10-K"]
    assert not collection.skips


def test_amendments_that_are_asked_for_stand_beside_their_reports(
    amended: Folder, replica: Start, source: Source
) -> None:
    collection = collect(source(replica(amended.root)), 2023, amendments=True)
    assert [(r.form_type, r.fiscal_quarter, r.status) for r in collection.filings] == [
        ("10-K", None, "full"),
        ("10-K/A", None, "full"),
        ("10-K/A", None, "full"),
        ("10-Q/A", 2, "full"),
    ]
    assert not collection.skips
    assert len({filing_object_key(record) for record in collection.records}) == 4


def test_the_raw_zone_forgets_amendments_that_are_no_longer_asked_for(
    amended: Folder, replica: Start, source: Source, lake: Any
) -> None:
    wanted = source(replica(amended.root))
    lake.create_bucket(Bucket="lake")
    zone = RawZone(lake, "lake")
    zone.replace_year(2023, collect(wanted, 2023, amendments=True).records)
    assert sorted(row["form_type"] for row in zone.read_year(2023)) == ["10-K", "10-K/A", "10-K/A", "10-Q/A"]
    zone.replace_year(2023, collect(wanted, 2023).records)
    assert [row["form_type"] for row in zone.read_year(2023)] == ["10-K"]


def test_a_document_that_calls_itself_an_amendment_counts_as_one(
    folder: Folder, replica: Start, source: Source
) -> None:
    folder.filing(folder.company(1, "AAA"), document(form="10-K/A"))
    running = replica(folder.root)
    assert [skip.reason for skip in collect(source(running), 2023).skips] == [SkipReason.AMENDMENT]
    assert [r.form_type for r in collect(source(running), 2023, amendments=True).filings] == ["10-K/A"]


def test_a_joint_report_is_one_record_of_the_registrant_that_it_names_first(
    folder: Folder, replica: Start, source: Source
) -> None:
    subsidiary, parent, stranger = (folder.company(number, f"T{number}") for number in (1, 2, 3))
    accession = folder.filing(subsidiary, registrants(parent, subsidiary))
    rows = folder.companies[subsidiary]["filings"]["recent"]
    for cik in (parent, stranger):
        for column, values in rows.items():
            folder.companies[cik]["filings"]["recent"][column].extend(values)
        path = folder.document_path(cik, accession)
        path.parent.mkdir(parents=True)
        path.write_text(registrants(parent, subsidiary))
    folder.flush()
    collection = collect(source(replica(folder.root)), 2023)
    assert [record.cik for record in collection.filings] == [parent]
    assert [(skip.company.cik, skip.reason) for skip in collection.skips] == [
        (subsidiary, SkipReason.CO_REGISTRANT),
        (stranger, SkipReason.CO_REGISTRANT),
    ]
    assert "T2" in collection.skips[0].detail


def test_a_filing_belongs_to_the_company_that_lists_it_whatever_its_tags_say(
    folder: Folder, replica: Start, source: Source
) -> None:
    cik = folder.company(1, "AAA", name="Successor Inc.")
    folder.filing(cik, registrants("0000000009"))
    (record,) = collect(source(replica(folder.root)), 2023).filings
    assert (record.cik, record.entity_name, record.registrants) == (cik, "Successor Inc.", ("0000000009",))


def test_a_row_without_a_period_takes_it_from_the_cover_page(folder: Folder, replica: Start, source: Source) -> None:
    cik = folder.company(1, "AAA")
    cover = "<p>FORM 10-K</p><p>For the fiscal year ended December 31, 2018</p>"
    untagged = document(year="", period="", end="", form="").replace("<body>", f"<body>{cover}")
    folder.filing(cik, untagged, filed="2019-02-20", reported="")
    (record,) = collect(source(replica(folder.root)), 2018).filings
    assert (record.period_end.isoformat(), record.period_end_source) == ("2018-12-31", "cover_page")


def test_a_filing_whose_period_nobody_tells_is_a_skip(folder: Folder, replica: Start, source: Source) -> None:
    folder.filing(folder.company(1, "AAA"), document(year=2023, end=""), reported="")
    collection = collect(source(replica(folder.root)), 2023)
    assert not collection.filings
    assert [skip.reason for skip in collection.skips] == [SkipReason.PERIOD_END_UNKNOWN]


def test_a_period_after_the_day_of_filing_does_not_count(folder: Folder, replica: Start, source: Source) -> None:
    folder.filing(folder.company(1, "AAA"), document(), reported="2032-12-31")
    (record,) = collect(source(replica(folder.root)), 2023).filings
    assert (record.period_end.isoformat(), record.period_end_source) == ("2023-12-31", "inline_xbrl")
