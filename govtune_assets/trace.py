"""From a training example back to its filing and paragraph, and the proof that they belong together.

Read as the auditor: a person's principal that may read tables and nothing else.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from govtune_assets.delta import read_rows
from govtune_assets.keys import RAW_TABLE, SNAPSHOT, table_name
from govtune_assets.settings import Settings

if TYPE_CHECKING:
    from unitydoor.catalog import Catalog


class NotTraceable(RuntimeError):
    """The example is unknown, its filing is gone, or the paragraph is not the one that was trained on."""


@dataclass(frozen=True)
class Trace:
    """An example, the filing it came from, and the paragraph as filed."""

    example: Mapping[str, Any]
    filing: Mapping[str, Any]
    paragraph: str

    def lines(self) -> list[str]:
        """The trace as a person reads it."""
        e, f = self.example, self.filing
        quarter = f" Q{f['fiscal_quarter']}" if f["fiscal_quarter"] else ""
        return [
            f"example      {e['example_id']} ({e['split']})",
            f"completion   {e['completion']}",
            f"filer        {f['entity_name']} (CIK {f['cik']})",
            f"filing       {f['form_type']} of fiscal {f['fiscal_year']}{quarter}, "
            f"{f['accession_number']}, filed {f['filing_date']}",
            f"document     {f['source_url']}",
            f"sha256       {f['document_sha256']}",
            f"risk factor  number {e['risk_factor_index'] + 1}, characters {e['char_start']} to {e['char_end']}",
            f"paragraph    {self.paragraph[:240].strip()}…",
        ]


def trace(door: "Catalog", settings: Settings, example_id: str) -> Trace:
    """Trace an example of the snapshot.

    Raises:
        NotTraceable: see the message.
        unitydoor.privileges.Refused: the auditor may not read one of the tables.
    """
    if not re.fullmatch(r"[0-9a-f]{8,64}", example_id):
        raise NotTraceable(f"{example_id!r} is no example id: those are hexadecimal digests")
    example = _one(door, settings, table_name(settings, SNAPSHOT), "example_id", example_id)
    filing = _one(door, settings, table_name(settings, RAW_TABLE), "accession_number", str(example["accession_number"]))
    text = filing["risk_factor_text"] or ""
    paragraph = text[example["char_start"] : example["char_end"]]
    if hashlib.sha256(paragraph.encode()).hexdigest() != example["body_sha256"]:
        raise NotTraceable(
            f"The text of {filing['accession_number']} has changed since example {example_id} was made: "
            "materialize the curated tables again"
        )
    return Trace(example=example, filing=filing, paragraph=paragraph)


def _one(door: "Catalog", settings: Settings, table: str, column: str, value: str) -> Mapping[str, Any]:
    rows = list(read_rows(door.vend_table(table, "READ"), settings.region, where={column: [value]}))
    if len(rows) != 1:
        raise NotTraceable(f"{table} holds {len(rows)} rows with {column} {value}, one is expected")
    return rows[0]
