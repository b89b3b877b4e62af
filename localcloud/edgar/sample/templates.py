"""The small language in which the hand-written texts leave room for a company's facts and for a year's edits.

- `{product}`: a fact of the company; `{Product}` the same with a capital first letter.
- `{int:20-35}`: a whole number in that range, its own for each company and place, that drifts from year to year.
- `[2023: ...]` and `[2024: ...]`: a passage that stands in that fiscal year's filing only.
- `[maybe: ...]`: a passage that about half of the companies have.
- `[either: ... // ... // ...]`: one of several wordings, chosen for a company once and for all.

Passages do not nest, but may hold facts and numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from localcloud.edgar.sample.dice import Dice

FIRST_YEAR: Final = 2023
_PASSAGE: Final = re.compile(r"\[(\w+):\s*([^\[\]]*)\]")
_SLOT: Final = re.compile(r"\{(\w+)(?::(\d+)-(\d+))?\}")
_WORDS: Final = frozenset({"maybe", "either"})
_SPACES: Final = re.compile(r"\s+")


def slots_of(template: str) -> frozenset[str]:
    """The names of the facts that a template needs; raises ValueError where the template cannot be read."""
    for word, _ in _PASSAGE.findall(template):
        if word not in _WORDS and not re.fullmatch(r"20\d\d", word):
            raise ValueError(f"unknown passage [{word}: ...] in {template!r}")
    names = {name for name, _, _ in _SLOT.findall(template)}
    if any(character in _SLOT.sub("", _PASSAGE.sub("", template)) for character in "[]{}"):
        raise ValueError(f"unbalanced brackets or braces in {template!r}")
    return frozenset(name[0].lower() + name[1:] for name in names - {"int"})


def fill(template: str, facts: Mapping[str, str], year: int, dice: Dice) -> str:
    """The text of a template in one company's filing for fiscal year `year`; white space is normalised.

    `dice` must be the same in every year, so that only edits and numbers differ. Raises KeyError for a missing fact.
    """
    passages = iter(range(len(template)))
    text = _PASSAGE.sub(lambda match: _passage(match[1], match[2], year, dice, next(passages)), template)

    def value(match: re.Match[str]) -> str:
        name, low, high = match.groups()
        if low is not None:
            # The place is told by the words before it, so that an edit elsewhere does not change the number.
            return f"{_number(int(low), int(high), year, dice, match.string[: match.start()][-24:]):,}"
        fact = facts[name[0].lower() + name[1:]]
        return fact[0].upper() + fact[1:] if name[0].isupper() else fact

    return _SPACES.sub(" ", _SLOT.sub(value, text)).strip()


def _passage(word: str, content: str, year: int, dice: Dice, place: int) -> str:
    if word == "maybe":
        return content if dice.chance(50, f"maybe/{place}") else ""
    if word == "either":
        return dice.choice([option.strip() for option in content.split("//")], f"either/{place}")
    return content if int(word) == year else ""


def _number(low: int, high: int, year: int, dice: Dice, place: str) -> int:
    value = dice.integer(low, high, f"number/{place}")
    reach = max(1, (high - low) // 8)
    for later in range(FIRST_YEAR + 1, year + 1):
        value += dice.integer(-reach, reach, f"number/{place}/{later}")
    return min(max(value, low), high)
