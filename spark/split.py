"""The split by company: a company's examples stand in one split only. Plain Python, no Spark."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

SPLITS = ("train", "validation", "test")
SALT = "govtune-split-1"
"""Part of the hash; a new salt draws the companies anew."""
TRAIN_UNTIL = 0.8
VALIDATION_UNTIL = 0.9


class TooFewCompanies(ValueError):
    """Three splits need at least three companies."""


def position(cik: str) -> float:
    """Return the company's fixed place in [0, 1), by SHA-256 of salt and CIK."""
    digest = hashlib.sha256(f"{SALT}:{cik}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def assign(ciks: Iterable[str]) -> dict[str, str]:
    """Return each company's split: about 80 / 10 / 10 by its position, none of the three empty.

    The position alone decides, so that a company stays where it is when others come; only where a split would be
    empty are the companies nearest to it moved there.

    Raises TooFewCompanies when there are fewer than three.
    """
    ordered = sorted(set(ciks), key=lambda cik: (position(cik), cik))
    count = len(ordered)
    if count < len(SPLITS):
        raise TooFewCompanies(
            f"a split by company into {', '.join(SPLITS)} needs at least {len(SPLITS)} companies, there are {count}"
        )
    train_end = sum(position(cik) < TRAIN_UNTIL for cik in ordered)
    validation_end = min(sum(position(cik) < VALIDATION_UNTIL for cik in ordered), count - 1)
    train_end = max(min(train_end, validation_end - 1), 1)
    validation_end = max(validation_end, train_end + 1)
    ends = {"train": train_end, "validation": validation_end, "test": count}
    return {cik: next(split for split, end in ends.items() if place < end) for place, cik in enumerate(ordered)}
