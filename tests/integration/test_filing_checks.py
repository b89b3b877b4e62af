"""The checks of the raw zone fail for real: documents that are gone, rows that somebody else wrote into the table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from dagster._core.storage.tags import PARTITION_NAME_TAG
from deltalake import DeltaTable, write_deltalake

from govtune_assets.definitions import build_defs
from govtune_assets.keys import RAW_FILINGS, RAW_TABLE, table_name
from govtune_assets.resources.aws import AwsResource
from govtune_assets.resources.edgar import EdgarResource
from govtune_assets.resources.unity_catalog import UnityCatalogResource
from govtune_assets.settings import Settings
from tests.edgar.conftest import AGENT, Folder, Replica, document, folder, replica
from tests.integration.conftest import Project
from unitydoor.catalog import Catalog

__all__ = ["folder", "replica"]

pytestmark = pytest.mark.integration

YEAR = 2017
"""A fiscal year that no other test of the cloud looks at."""

Checks = dict[str, dg.AssetCheckEvaluation]


@dataclass
class Lab:
    """The project on the session's cloud, with an instance and an EDGAR of the test's own."""

    settings: Settings
    edgar: EdgarResource
    instance: dg.DagsterInstance

    def run(self, key: dg.AssetKey, *, checks_only: bool = False) -> tuple[dg.ExecuteInProcessResult, Checks]:
        """Materialize an asset's year with its checks, or run the checks alone."""
        definitions = build_defs(self.settings, {"edgar": self.edgar})
        chosen = dg.AssetSelection.checks_for_assets(key) if checks_only else dg.AssetSelection.assets(key)
        result = dg.materialize(
            [*definitions.assets, *definitions.asset_checks],  # type: ignore[misc]
            selection=chosen,
            instance=self.instance,
            tags={PARTITION_NAME_TAG: str(YEAR)},
            resources=dict(definitions.resources or {}),
            raise_on_error=False,
        )
        return result, {check.check_name: check for check in result.get_asset_check_evaluations()}

    def lenient(self, coverage: float) -> Lab:
        """The same with another least coverage."""
        return Lab(self.settings.model_copy(update={"minimum_coverage": coverage}), self.edgar, self.instance)

    def door(self) -> Catalog:
        """The catalog, entered as the table's owner."""
        aws = AwsResource(region=self.settings.region)
        return UnityCatalogResource.from_settings(self.settings, aws).door("loader")

    def table(self) -> tuple[DeltaTable, dict[str, str]]:
        """The table as its owner may change it, past the project's own code."""
        grant = self.door().vend_table(table_name(self.settings, RAW_TABLE), "READ_WRITE")
        options = grant.storage_options(self.settings.region)
        return DeltaTable(grant.url, storage_options=options), options

    def append(self, **changes: Any) -> None:
        """Write a copy of one of the year's rows, with changes."""
        table, options = self.table()
        row = table.to_pyarrow_table(filters=[("fiscal_year", "=", YEAR)]).slice(0, 1).to_pylist()[0]
        rows = pa.Table.from_pylist([{**row, **changes}], schema=pa.schema(table.schema().to_arrow()))
        write_deltalake(table, rows, mode="append", storage_options=options)


@pytest.fixture
def lab(in_environment: Project, folder: Folder, replica: Callable[..., Replica], tmp_path: Path) -> Iterator[Lab]:
    url = replica(folder.root).url
    settings = Settings(
        edgar_www_url=url,
        edgar_data_url=url,
        edgar_user_agent=AGENT,
        edgar_cache=tmp_path / "cache",
        edgar_requests_per_second=200,
    )
    with dg.DagsterInstance.ephemeral() as instance:
        made = Lab(settings, EdgarResource.from_settings(settings), instance)
        yield made
    if made.door().table_exists(table_name(settings, RAW_TABLE)):
        made.table()[0].delete(f"fiscal_year in ({YEAR}, {YEAR + 1})")


def annual(folder: Folder, number: int, text: str | None = "") -> str:
    """A filer with the 10-K of the year; without a document for None."""
    cik = folder.company(number, f"CHK{number}", name=f"Checked | Lamps <{number}>")
    whole = document(year=YEAR, end=f"December 31, {YEAR}") if text == "" else text
    return folder.filing(cik, whole, filed=f"{YEAR + 1}-02-20", reported=f"{YEAR}-12-31")


def reason(result: dg.ExecuteInProcessResult) -> str:
    """The words of the first step that failed."""
    for event in result.all_events:
        if event.is_step_failure:
            error: Any = event.step_failure_data.error
            while error.cause is not None:
                error = error.cause
            return str(error.message)
    return ""


def test_a_missing_document_closes_the_way_to_the_table(lab: Lab, folder: Folder) -> None:
    for number in range(1, 4):
        annual(folder, number)
    annual(folder, 4, None)
    result, checks = lab.run(RAW_FILINGS)
    covered = checks["annual_reports_covered"]
    assert not covered.passed and not result.success
    assert (covered.metadata["value"].value, covered.metadata["threshold"].value) == (0.75, 0.98)
    assert "3 of 4 listed 10-Ks were extracted (75.0%" in str(covered.description)
    assert checks["few_failed_extractions"].passed
    (made,) = result.asset_materializations_for_node("raw_filings")
    assert made.tags and covered.metadata["data_version"].value == made.tags["dagster/data_version"]
    shown = str(made.metadata["Missing companies"].value)
    assert "Checked \\| Lamps &lt;4&gt; (0000000004, CHK4) | missing\\_document |" in shown
    assert made.metadata["annual_report_coverage"].value == 0.75

    refused, _ = lab.run(RAW_TABLE)
    assert f"annual_reports_covered of raw_filings, fiscal year {YEAR}: failed" in reason(refused)
    lenient = lab.lenient(0.7)
    assert lenient.run(RAW_FILINGS, checks_only=True)[0].success
    assert lenient.run(RAW_TABLE)[0].success


def test_companies_whose_filings_nobody_can_list_close_the_way_to_the_table(lab: Lab, folder: Folder) -> None:
    for number in range(1, 4):
        annual(folder, number)
    submissions = folder.root / "data" / "submissions"
    (submissions / "CIK0000000002.json").unlink()
    (submissions / "CIK0000000003.json").write_text("{")
    result, checks = lab.run(RAW_FILINGS)
    covered = checks["annual_reports_covered"]
    (made,) = result.asset_materializations_for_node("raw_filings")
    assert not covered.passed and covered.metadata["value"].value == pytest.approx(1 / 3)
    assert "1 of 1 listed 10-Ks were extracted, and of 2 companies no whole list" in str(covered.description)
    shown = str(made.metadata["Missing companies"].value)
    assert "CHK2) | no\\_submissions |" in shown and "CHK3) | malformed\\_submissions |" in shown
    refused, _ = lab.run(RAW_TABLE)
    assert f"annual_reports_covered of raw_filings, fiscal year {YEAR}: failed" in reason(refused)


def test_an_unreadable_document_fails_the_share_of_failed_extractions(lab: Lab, folder: Folder) -> None:
    annual(folder, 1)
    annual(folder, 2, "\x00")
    result, checks = lab.run(RAW_FILINGS)
    assert not result.success
    assert not checks["few_failed_extractions"].passed and not checks["annual_reports_covered"].passed
    assert checks["annual_reports_covered"].metadata["value"].value == 0.5


def test_rows_of_other_hands_fail_the_tables_checks(lab: Lab, folder: Folder) -> None:
    annual(folder, 1)
    annual(folder, 2)
    assert lab.run(RAW_FILINGS)[0].success
    result, checks = lab.run(RAW_TABLE)
    assert result.success and all(check.passed for check in checks.values()) and len(checks) == 2
    access = str(checks["accession_numbers_unique"].metadata["Access"].value)
    assert lab.settings.principal_auditor in access and "| READ |" in access

    lab.append()
    checks = lab.run(RAW_TABLE, checks_only=True)[1]
    unique = checks["accession_numbers_unique"]
    assert not unique.passed and unique.metadata["value"].value == 1
    assert "3 rows of 2 written; 1 of their filings stand in the table twice" in str(unique.description)
    assert checks["fiscal_year_in_partition"].passed

    assert lab.run(RAW_TABLE)[0].success, "the year is replaced as a whole"
    lab.append(fiscal_year=YEAR + 1)
    checks = lab.run(RAW_TABLE, checks_only=True)[1]
    shown = str(checks["accession_numbers_unique"].metadata["Filings that stand twice"].value)
    assert not checks["accession_numbers_unique"].passed
    assert [line.split(" | ")[-1] for line in shown.splitlines()[2:]] == [f"{YEAR} |", f"{YEAR + 1} |"]

    lab.append(accession_number="0000000009-18-000001", period_end=date(YEAR + 2, 12, 31))
    checks = lab.run(RAW_TABLE, checks_only=True)[1]
    stranger = checks["fiscal_year_in_partition"]
    assert not stranger.passed and stranger.metadata["value"].value == 1
    assert f"| 0000000009-18-000001 | LAMP MAKERS INC | {YEAR + 2}-12-31 |" in str(
        stranger.metadata["Filings out of place"].value
    )
