"""Data gates: on the examples of a fiscal year, and on the snapshot."""

import dagster as dg

from govtune_assets import gates
from govtune_assets.assets.common import as_dict
from govtune_assets.checks.common import Gate, Verdict, build_gate
from govtune_assets.partitions import FISCAL_YEARS
from govtune_assets.provenance import Materialized
from govtune_assets.settings import Settings

SPLITS = ("train", "validation", "test")


def build_curation_checks(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """The gates between curation and training."""
    enough, scrubbed, unique = gates.EXAMPLES_GATES
    filled, clean = gates.SNAPSHOT_GATES
    return [
        build_gate(
            Gate(
                enough,
                "The fiscal year has enough examples to train on.",
                lambda made: minimum_examples(made, settings.minimum_examples),
                FISCAL_YEARS,
            )
        ),
        build_gate(Gate(scrubbed, "No PII is left in prompts and completions.", no_pii_left, FISCAL_YEARS)),
        build_gate(
            Gate(
                unique,
                "Exact duplicates were removed, and they were not too large a share of the year.",
                lambda made: duplicate_share(made, settings.maximum_duplicate_share),
                FISCAL_YEARS,
            )
        ),
        build_gate(Gate(filled, "Each of train, validation and test holds examples.", splits_filled)),
        build_gate(Gate(clean, "No PII is left in the rows that train the model.", no_pii_left)),
    ]


def minimum_examples(made: Materialized, least: int) -> Verdict:
    """At least `least` rows."""
    rows = int(made.metadata["rows"])
    return Verdict(rows >= least, rows, least, f"{rows} examples, at least {least} are needed.")


def no_pii_left(made: Materialized) -> Verdict:
    """No span of PII in the rows as they were read back."""
    left = int(made.metadata["pii_left"])
    return Verdict(left == 0, left, 0, f"{left} spans of PII were found in the rows as written.")


def duplicate_share(made: Materialized, most: float) -> Verdict:
    """Exact duplicates among the candidate rows are at most the share `most`."""
    rows, removed = int(made.metadata["rows"]), int(made.metadata["duplicates_removed"])
    share = removed / (rows + removed) if rows + removed else 1.0
    return Verdict(
        share <= most,
        share,
        most,
        f"{removed} of {rows + removed} candidate examples were exact duplicates ({share:.1%}, at most {most:.0%}).",
    )


def splits_filled(made: Materialized) -> Verdict:
    """Every split has rows."""
    counts = as_dict(made.metadata["rows_by_split"])
    smallest = min(int(counts.get(split, 0)) for split in SPLITS)
    listing = ", ".join(f"{split} {counts.get(split, 0)}" for split in SPLITS)
    return Verdict(smallest >= 1, smallest, 1, f"Rows by split: {listing}.")
