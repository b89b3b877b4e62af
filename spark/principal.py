"""Task T4: which risk factors a section's own summary of principal risks names. Plain Python, no Spark.

Regulation S-K, Item 105(b) asks a registrant whose risk factors exceed fifteen pages for a summary of principal risks
of at most two pages. It repeats subcaptions, often shortened. An entry of the summary is aligned with subcaptions by
the cosine of their words, weighted by how seldom a word is in that section (TF-IDF, each word counted once), since
words such as "adversely affect" stand in every one. The entry names the most similar subcaption, and one that is as
similar but for MARGIN, as where one entry covers two risk factors; no other.

THRESHOLD and MARGIN were chosen on the labelled sections of `benchmarks/labels/principal.json` that are not held out:
docs/decisions/tasks.md has the figures, and `benchmarks/principal.py` measures them again.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from spark.cleaning import normalised

ALIGNER_VERSION = "principal-1"
"""Part of T4's template version, and so of every row that the aligner labels: raise it when a label can change."""
THRESHOLD = 0.25
"""Least cosine, 0 to 1, at which an entry names a risk factor."""
MARGIN = 0.9
"""Share of the entry's best cosine from which on a second risk factor is named too."""
MIN_ALIGNED = 0.5
"""Least share of a summary's entries that name a risk factor. Under it the summary and the section do not fit: what was
taken for one of them is something else, and nothing is known of any of its risk factors."""
MIN_ENTRIES = 3
"""A summary with fewer entries names nothing in particular."""

_STOP_WORD = re.compile(
    "a|an|and|any|are|as|at|be|been|but|by|can|could|for|from|had|has|have|if|in|into|is|it|its|may|might|not|of|on|or|"
    "our|such|than|that|the|their|them|these|they|this|those|to|us|was|we|were|which|will|with|would"
)
_MIN_WORDS = 2
_ENDINGS = re.compile(r"(?:ies|es|s|ing|ed|ly|ment|ability|able|y|e)$")
_SHORTEST_STEM = 4

Vector = Mapping[str, float]


def entries(summary: str, groups: Sequence[str | None]) -> list[str]:
    """Return the summary's entries: its lines of at least two words that count, without the group headings in it."""
    headings = {normalised(group) for group in groups if group}
    lines = (line for line in summary.split("\n") if normalised(line) not in headings)
    return [line for line in lines if len(_terms(line)) >= _MIN_WORDS]


def similarities(lines: Sequence[str], subcaptions: Sequence[str | None]) -> list[dict[int, float]]:
    """Return for each entry the cosines, 0 to 1, with the subcaptions that share a word with it, by their place."""
    terms = [_terms(subcaption or "") for subcaption in subcaptions]
    frequency = Counter(term for found in terms for term in found)
    weight = {term: math.log((1 + len(terms)) / (1 + number)) + 1 for term, number in frequency.items()}
    unknown = math.log(1 + len(terms)) + 1
    holders: dict[str, list[int]] = {}
    for place, found in enumerate(terms):
        for term in sorted(found):
            holders.setdefault(term, []).append(place)
    norms = [_norm(found, weight, unknown) for found in terms]
    return [_cosines(_terms(line), holders, norms, weight, unknown) for line in lines]


def named(summary: str | None, subcaptions: Sequence[str | None], groups: Sequence[str | None]) -> list[bool] | None:
    """Say of each risk factor, by its subcaption, whether the summary names it; None where that cannot be said.

    It cannot where there is no summary, or one of under MIN_ENTRIES entries, or where fewer than MIN_ALIGNED of its
    entries name a risk factor. `groups` are the section's group headings.
    """
    lines = entries(summary or "", groups)
    if len(lines) < MIN_ENTRIES:
        return None
    found: set[int] = set()
    aligned = 0
    for cosines in similarities(lines, subcaptions):
        best = max(cosines.values(), default=0.0)
        if best >= THRESHOLD:
            aligned += 1
            found |= {place for place, cosine in cosines.items() if cosine >= max(THRESHOLD, MARGIN * best)}
    if aligned < MIN_ALIGNED * len(lines):
        return None
    return [place in found for place in range(len(subcaptions))]


def _terms(text: str) -> frozenset[str]:
    return frozenset(_stem(word) for word in normalised(text).split() if not _STOP_WORD.fullmatch(word))


def _stem(word: str) -> str:
    """The word without a common ending, so that "protecting" meets "protect"."""
    stem = _ENDINGS.sub("", word)
    return stem if len(stem) >= _SHORTEST_STEM else word


def _norm(terms: frozenset[str], weight: Vector, unknown: float) -> float:
    # In order of the terms: a sum of floats depends on it, and a set has none that lasts.
    return math.sqrt(sum(weight.get(term, unknown) ** 2 for term in sorted(terms)))


def _cosines(
    terms: frozenset[str],
    holders: Mapping[str, Sequence[int]],
    norms: Sequence[float],
    weight: Vector,
    unknown: float,
) -> dict[int, float]:
    products: Counter[int] = Counter()
    for term in sorted(terms):
        for place in holders.get(term, ()):
            products[place] += weight[term] ** 2  # type: ignore[assignment]
    norm = _norm(terms, weight, unknown)
    return {place: product / (norm * norms[place]) for place, product in products.items()}
