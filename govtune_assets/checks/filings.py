"""Checks of the raw zone: what is missing or failed is bounded, and the table holds what was written, where it belongs.

The checks of the collection are decided by what `raw_filings` recorded; those of the table by the table's own rows,
read back as the auditor, so that a fault of the writer cannot hide itself.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import dagster as dg

from govtune_assets import gates, markdown
from govtune_assets.assets.common import access_table
from govtune_assets.checks.common import Gate, TableGate, Verdict, build_gate, build_table_gate, recorded
from govtune_assets.collection_report import Coverage
from govtune_assets.delta import read_rows
from govtune_assets.keys import RAW_TABLE, table_name
from govtune_assets.partitions import FISCAL_YEARS
from govtune_assets.provenance import Materialized
from govtune_assets.settings import Settings
from unitydoor.catalog import Catalog
from unitydoor.vending import Grant

MAXIMUM_FAILED_SHARE = 0.01
"""Largest share of filings whose extraction may fail."""

SHOWN = 20
"""Rows that a failed check lists by name."""

READ_BACK = ("accession_number", "fiscal_year", "fiscal_quarter", "form_type", "period_end", "entity_name")

QUARTERS = 4
QUARTER = timedelta(days=91)
SLACK = timedelta(days=25)
"""How far the end of a quarter may be from whole quarters before the year's end, in years of 52 or 53 weeks."""


@dataclass(frozen=True)
class RowsRead:
    """Small columns of the table's rows, of all years, and the credential that opened it."""

    rows: Sequence[Mapping[str, Any]]
    grant: Grant

    def of_year(self, year: int) -> list[Mapping[str, Any]]:
        """The rows of one fiscal year's partition."""
        return [row for row in self.rows if row["fiscal_year"] == year]


def build_filing_checks(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """The checks of filings and raw table."""
    covered, extracted = gates.FILINGS_GATES
    unique, in_partition = gates.RAW_GATES
    return [
        build_gate(
            Gate(
                covered,
                "Nearly all 10-Ks that the submissions files list for the year were fetched and extracted.",
                lambda made: annual_reports_covered(made, settings.minimum_coverage),
                FISCAL_YEARS,
            )
        ),
        build_gate(
            Gate(
                extracted,
                "At most one filing in a hundred failed to be extracted.",
                few_failed_extractions,
                FISCAL_YEARS,
            )
        ),
        build_table_gate(
            TableGate(
                unique,
                "Read from the table: it holds the year's rows, and no filing stands in it twice, in any year.",
                lambda made, door: accession_numbers_unique(made, read_back(door, settings)),
                FISCAL_YEARS,
            )
        ),
        build_table_gate(
            TableGate(
                in_partition,
                "Read from the table: the period that each filing reports can belong to the fiscal year it stands in.",
                lambda made, door: fiscal_year_in_partition(made, read_back(door, settings)),
                FISCAL_YEARS,
            )
        ),
    ]


def annual_reports_covered(made: Materialized, least: float) -> Verdict:
    """The share of the listed 10-Ks that were extracted is at least `least`; amendments are not counted."""
    names = ("annual_reports_listed", "annual_reports_extracted", "companies_without_list")
    covered = Coverage(*(int(recorded(made, name)) for name in names))
    return Verdict(
        covered.share >= least,
        covered.share,
        least,
        f"{covered} ({covered.share:.1%}, at least {least:.1%} are needed); "
        f"{int(recorded(made, 'missing_companies')):,} companies have no filing in the year.",
    )


def few_failed_extractions(made: Materialized) -> Verdict:
    """The share of records with status `failed` is at most one percent."""
    rows, failed = int(made.metadata["dagster/row_count"]), int(made.metadata["failed"])
    share = failed / rows if rows else 1.0
    return Verdict(
        share <= MAXIMUM_FAILED_SHARE,
        share,
        MAXIMUM_FAILED_SHARE,
        f"{failed} of {rows} filings failed to be extracted.",
    )


def read_back(door: Catalog, settings: Settings) -> RowsRead:
    """The rows that the catalog's table holds now, by a credential that the catalog vends for reading it.

    Raises:
        unitydoor.privileges.Refused: who enters by `door` may not read the table.
    """
    grant = door.vend_table(table_name(settings, RAW_TABLE), "READ")
    return RowsRead(list(read_rows(grant, settings.region, columns=READ_BACK)), grant)


def accession_numbers_unique(made: Materialized, read: RowsRead) -> Verdict:
    """The year has as many rows as were written, and no accession number of it stands in the table twice."""
    rows, written = read.of_year(_year(made)), int(made.metadata["dagster/row_count"])
    numbers = Counter(row["accession_number"] for row in read.rows)
    repeated = sorted({row["accession_number"] for row in rows if numbers[row["accession_number"]] > 1})
    sentence = f"{len(rows):,} rows of {written:,} written; {len(repeated):,} of their filings stand in the table twice"
    if repeated:
        sentence += ": materialize the other years that they stand in, then run this check again"
    listed = [[row["accession_number"], row["entity_name"], str(row["fiscal_year"])] for row in read.rows]
    twice = sorted(row for row in listed if row[0] in set(repeated))
    return Verdict(
        not repeated and len(rows) == written,
        len(repeated),
        0,
        f"{sentence}.",
        _details(read, "Filings that stand twice", ["accession number", "company", "fiscal year"], twice),
    )


def fiscal_year_in_partition(made: Materialized, read: RowsRead) -> Verdict:
    """The period end of every row can belong to the fiscal year of its partition, and there are rows."""
    year = _year(made)
    rows = read.of_year(year)
    strangers = [row for row in rows if not can_belong(row, year)]
    listed = [[str(row[name]) for name in ("accession_number", "entity_name", "period_end")] for row in strangers]
    return Verdict(
        bool(rows) and not strangers,
        len(strangers),
        0,
        f"{len(strangers):,} of {len(rows):,} filings report a period that cannot belong to fiscal year {year}.",
        _details(read, "Filings out of place", ["accession number", "company", "period end"], listed),
    )


def can_belong(row: Mapping[str, Any], year: int) -> bool:
    """Whether a filing's period can belong to a fiscal year.

    Fiscal year Y ends in Y, or in the first half of Y + 1 (docs/decisions/fiscal-year.md); its quarters end whole
    quarters before that.
    """
    first, last = date(year, 1, 1), date(year + 1, 6, 30)
    end: date | None = row["period_end"]
    if end is None:
        return False
    if row["form_type"] in ("10-K", "10-K/A"):
        return first <= end <= last
    quarter = row["fiscal_quarter"]
    most, least = (QUARTERS - quarter, QUARTERS - quarter) if quarter else (QUARTERS - 1, 1)
    return first - most * QUARTER - SLACK <= end <= last - least * QUARTER + SLACK


def _year(made: Materialized) -> int:
    return int(str(made.partition))


def _details(read: RowsRead, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Who read the table, and the rows that are wrong, where there are any."""
    wrong = {title: dg.MetadataValue.md(markdown.bounded_table(header, rows, SHOWN))} if rows else {}
    record = read.grant.record()
    return {**wrong, "credentials": dg.MetadataValue.json([record]), "Access": access_table([record])}
