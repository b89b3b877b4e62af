"""The labels of T2, T3 and T4, read from a section's structure, or why there is none. Plain Python, no Spark.

They are the issuer's: its group headings, its caption for general risks, its summary of principal risks. Where the
issuer said nothing there is no label; none is invented.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from spark import categories, principal
from spark.templates import GENERIC, NO, SPECIFIC, YES

LABELLED = ("T2", "T3", "T4")
"""The tasks whose completion is a label; T1's is the subcaption."""


class Unlabelled(StrEnum):
    """Why a risk factor has no label in a task."""

    NO_HEADING = "no_heading"
    """It stands under no group heading."""
    GENERAL_HEADING = "general_heading"
    UNMAPPED_HEADING = "unmapped_heading"
    AMBIGUOUS_HEADING = "ambiguous_heading"
    NO_GENERAL_CAPTION = "no_general_caption"
    """The filing sets no general risks apart, so nothing says which of them are."""
    NO_SUMMARY = "no_summary"
    SUMMARY_NOT_ALIGNED = "summary_not_aligned"


_UNMAPPED = {
    categories.GENERAL: Unlabelled.GENERAL_HEADING,
    categories.UNMAPPED: Unlabelled.UNMAPPED_HEADING,
    categories.AMBIGUOUS: Unlabelled.AMBIGUOUS_HEADING,
}


@dataclass(frozen=True, slots=True)
class Label:
    """A completion of the task's template, or the reason for which there is none."""

    value: str | None
    reason: Unlabelled | None = None


def labels(
    groups: Sequence[str | None], subcaptions: Sequence[str | None], summary: str | None
) -> list[tuple[Label, Label, Label]]:
    """Return the labels of each risk factor of one filing, in the order of LABELLED."""
    general = any(group and categories.is_general(group) for group in groups)
    named = principal.named(summary, subcaptions, groups)
    return [
        (_category(group), _kind(group, general), _principal(summary, None if named is None else named[place]))
        for place, group in enumerate(groups)
    ]


def _category(group: str | None) -> Label:
    if not group:
        return Label(None, Unlabelled.NO_HEADING)
    found = categories.category(group)
    return Label(None, _UNMAPPED[found]) if found in _UNMAPPED else Label(found)


def _kind(group: str | None, general: bool) -> Label:
    if not general:
        return Label(None, Unlabelled.NO_GENERAL_CAPTION)
    if not group:
        return Label(None, Unlabelled.NO_HEADING)
    return Label(GENERIC if categories.is_general(group) else SPECIFIC)


def _principal(summary: str | None, named: bool | None) -> Label:
    if named is None:
        return Label(None, Unlabelled.SUMMARY_NOT_ALIGNED if (summary or "").strip() else Unlabelled.NO_SUMMARY)
    return Label(YES if named else NO)
