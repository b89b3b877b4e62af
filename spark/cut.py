"""Cutting of a long body at the end of a sentence. Plain Python, no Spark."""

from __future__ import annotations

import re

_WORD = re.compile(r"\S+")
_STOPS = ".!?"
_CLOSES = "\"')]"
_ABBREVIATED = re.compile(
    r"(?:no|inc|corp|co|ltd|vs|mr|mrs|ms|dr|st|art|sec|fig|approx|jan|feb|aug|sept|oct|nov|dec)", re.IGNORECASE
)
_OPENS = re.compile(r"[\"'(\[]*[A-Z0-9\u2022\u00b7\u25cf]")


def cut(body: str, most_words: int) -> tuple[str, int]:
    """Return the body's sentences that fit into `most_words`, and the number of words cut off its end.

    A body that fits is returned as it is. Where full sentences fill less than half of the words, as in a long list, the
    cut is at the last item's end. What is left is empty where nothing ends in time.
    """
    if len(body.split()) <= most_words:
        return body, 0
    places = [match.span() for match in _WORD.finditer(body)]
    ends = range(most_words, 0, -1)
    kept = next((number for number in ends if _ends_sentence(body, places[number - 1], places[number])), 0)
    if kept < most_words / 2:
        kept = next((number for number in ends if "\n" in body[places[number - 1][1] : places[number][0]]), kept)
    return body[: places[kept - 1][1]] if kept else "", len(places) - kept


def _ends_sentence(body: str, word: tuple[int, int], following: tuple[int, int]) -> bool:
    """Whether the word has a full stop that ends a sentence: no abbreviation's or initial's, unless its line ends."""
    # By its end alone: a search from its start would take the square of a long word's length.
    stopped = body[slice(*word)].rstrip(_CLOSES)
    if not stopped.endswith(tuple(_STOPS)):
        return False
    if "\n" in body[word[1] : following[0]]:
        return True
    whole = stopped[:-1]
    before = whole[max(map(whole.rfind, _STOPS)) + 1 :].lstrip("\"'([")
    initial = len(before) == 1 or "." in whole
    shortened = stopped[-1] == "." and (initial or _ABBREVIATED.fullmatch(before))
    return not shortened and _OPENS.match(body, following[0]) is not None
