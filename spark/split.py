"""The splits: by company, and of the companies that train or test, by year. Plain Python, no Spark.

A company has one role, drawn from its CIK. Its rows of the snapshot's latest fiscal year test; what stands before
trains, validates or tests by the role.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType

COMPANIES = ("train", "validation", "test")
"""The roles of companies."""
SPLITS = ("train", "validation", "test_company", "test_year", "test_company_year")
ROLES: Mapping[str, str] = MappingProxyType(
    {
        "train": "train",
        "test_year": "train",
        "validation": "validation",
        "test_company": "test",
        "test_company_year": "test",
    }
)
"""The role of the companies in each split."""
SALT = "govtune-split-1"
"""Part of the hash; a new salt draws the companies anew."""
TRAIN_UNTIL = 0.8
VALIDATION_UNTIL = 0.9


class TooFewCompanies(ValueError):
    """Three roles need at least three companies."""


def position(cik: str) -> float:
    """Return the company's fixed place in [0, 1), by SHA-256 of salt and CIK."""
    digest = hashlib.sha256(f"{SALT}:{cik}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def assign(ciks: Iterable[str]) -> dict[str, str]:
    """Return each company's role: about 80 / 10 / 10 by its position, none of the three empty.

    The position alone decides, so that a company stays where it is when others come; only where a role would be
    empty are the companies nearest to it moved there.

    Raises TooFewCompanies when there are fewer than three.
    """
    ordered = sorted(set(ciks), key=lambda cik: (position(cik), cik))
    count = len(ordered)
    if count < len(COMPANIES):
        raise TooFewCompanies(
            f"a split by company into {', '.join(COMPANIES)} needs at least {len(COMPANIES)} companies "
            f"with rows before the year that tests, there are {count}"
        )
    train_end = sum(position(cik) < TRAIN_UNTIL for cik in ordered)
    validation_end = min(sum(position(cik) < VALIDATION_UNTIL for cik in ordered), count - 1)
    train_end = max(min(train_end, validation_end - 1), 1)
    validation_end = max(validation_end, train_end + 1)
    ends = {"train": train_end, "validation": validation_end, "test": count}
    return {cik: next(role for role, end in ends.items() if place < end) for place, cik in enumerate(ordered)}


def roles(first_years: Mapping[str, int], latest: int | None) -> dict[str, str]:
    """Return each company's role, by the first fiscal year of its rows and the year that tests (`latest_of`).

    A company that has rows of that year alone tests: it could neither train nor validate. The others are assigned.
    It gets its drawn role in the first snapshot that has a later year: a model that was tested on it before may then
    train on it.

    Raises TooFewCompanies when fewer than three have rows that could train.
    """
    newcomers = {cik for cik, first in first_years.items() if first == latest}
    return assign(first_years.keys() - newcomers) | dict.fromkeys(newcomers, "test")


def latest_of(years: Iterable[int]) -> int | None:
    """Return the fiscal year that tests: the latest of at least two, None of one, which cannot both train and test."""
    known = sorted(set(years))
    return known[-1] if len(known) > 1 else None


def place(role: str, *, in_latest_year: bool) -> str | None:
    """Return the split of a row, None for one that is left out: a validating company's of the latest year.

    It could validate nothing of the earlier years, and it is no text of a company that trained or was unseen.
    """
    if role == "validation":
        return None if in_latest_year else "validation"
    if role == "train":
        return "test_year" if in_latest_year else "train"
    return "test_company_year" if in_latest_year else "test_company"
