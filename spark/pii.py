"""Personal data in text: found by recognisers, replaced by typed placeholders; and a second, independent look.

Two things stand here on purpose apart: `scrub`, through Presidio's recognisers and our own (`spark.recognisers`), and
`leftovers`, which looks at written text character by character and word by word with rules of its own, so that a
mistake in a recogniser is not repeated in the check of its result. Raise `cleaning.CLEANER_VERSION` when `scrub`
changes.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from types import MappingProxyType

from spark import signature_names, street_addresses
from spark.vocabulary import words

TYPES = ("EMAIL", "IBAN", "CARD", "SSN", "PHONE", "PERSON", "ADDRESS")
"""In order of precedence: where two findings overlap, the earlier type takes the span."""
IBAN_LENGTHS = range(15, 35)
"""Characters of an IBAN without spaces (ISO 13616: Norway's 15 to the maximum of 34)."""
CARD_LENGTHS = range(13, 20)
"""Digits of a payment card number (ISO/IEC 7812)."""
NANP_DIGITS = 10
"""Digits of a North American telephone number without its country code, which is 1."""


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of ISO/IEC 7812-1, annex B."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        value = int(char) * (1 + place % 2)
        total += value - 9 * (value > 9)  # noqa: PLR2004
    return total % 10 == 0


def iban_checks(text: str) -> bool:
    """Whether the text, spaces left out, has an IBAN's length and check digits (ISO 7064, mod 97-10)."""
    iban = "".join(text.split())
    if len(iban) not in IBAN_LENGTHS or not iban.isascii() or not iban.isalnum():
        return False
    rearranged = iban[4:] + iban[:4]
    return int("".join(str(int(char, 36)) for char in rearranged)) % 97 == 1


def _digits(text: str) -> str:
    return "".join(char for char in text if char.isdigit())


def _is_card(text: str) -> bool:
    digits = _digits(text)
    return len(digits) in CARD_LENGTHS and len(set(digits)) > 1 and luhn(digits)


_PHONE_SIGNS = r"[^\w\n]{0,5}"
_MAYBE: Mapping[str, Callable[[str], object]] = MappingProxyType(
    {
        "EMAIL": lambda text: "@" in text,
        "IBAN": re.compile(r"[A-Z]{2}[0-9]{2}[ -]?[A-Z0-9]{4}").search,
        "CARD": re.compile(r"\d(?:[ -]?\d){12}").search,
        "SSN": re.compile(r"\d{3}[ .-]?\d{2}[ .-]?\d{4}").search,
        "PHONE": re.compile(
            rf"\d(?:{_PHONE_SIGNS}\d){{8}}|[+\uff0b]{_PHONE_SIGNS}\d(?:{_PHONE_SIGNS}\d){{5}}|[2-9]\d\d[ -]\d{{4}}"
        ).search,
        "PERSON": signature_names.likely,
        "ADDRESS": street_addresses.likely,
    }
)
"""A cheap test of each type that every text with a finding passes: most texts pass none and need no recogniser."""


@dataclass(frozen=True, order=True)
class Finding:
    """A span of personal data: its first character, the one after its last, and its type."""

    start: int
    end: int
    type: str


Detector = Callable[[str], Iterable[Finding]]
"""What finds personal data in a text; findings may overlap."""


@dataclass(frozen=True)
class Scrubbed:
    """A text without personal data, and how many spans of each type were replaced."""

    text: str
    removed: Counter[str]


def likely(text: str) -> tuple[str, ...]:
    """Return the types of which the text may hold a span; of the others it holds none."""
    return tuple(kind for kind in TYPES if _MAYBE[kind](text))


_PLAIN = str.maketrans(
    dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u202f", " ")
    | dict.fromkeys("\u2010\u2011\u2012\u2013", "-")
    | dict.fromkeys("\u2018\u2019", "'")
    | dict.fromkeys("\u201c\u201d", '"')
)
"""Typography that the recognisers need not know, sign for sign, so that places stay."""


def plain(text: str) -> str:
    """The text as the recognisers read it: plain spaces, hyphens and quotation marks in the same places."""
    return text.translate(_PLAIN)


def find(text: str, also: Detector | None = None) -> list[Finding]:
    """Return the personal data in the text, in order and without overlaps; `also` is asked beside the recognisers."""
    text = plain(text)
    types = likely(text)
    found = chosen(text, types) if types else []
    return with_others(text, found, also(text)) if also else found


def chosen(text: str, types: tuple[str, ...]) -> list[Finding]:
    """Run the recognisers of these types; of overlapping findings keep the surer type's, then the longer one.

    What looks like a name within an address is a street's.
    """
    from spark import recognisers  # Presidio takes seconds to import: only for texts that need it

    found = [Finding(start, end, kind) for start, end, kind, _ in recognisers.find(text, types)]
    streets = _Streets([one for one in found if one.type == "ADDRESS"])
    found = [one for one in found if one.type != "PERSON" or not streets.hold(one)]
    taken: list[Finding] = []
    for one in sorted(found, key=lambda one: (TYPES.index(one.type), one.start - one.end, one.start)):
        if not _overlapping(one, taken):
            insort(taken, one)
    return taken


def with_others(text: str, found: Sequence[Finding], others: Iterable[Finding]) -> list[Finding]:
    """Add to what was found, in order and without overlaps, what of another detector's findings it leaves uncovered.

    No finding is given up for another's, which may be shorter: of the others the longest go first.
    """
    taken = list(found)
    for one in sorted(others, key=lambda one: (one.start - one.end, TYPES.index(one.type), one.start)):
        for rest in _uncovered(text, one, taken):
            insort(taken, rest)
    return taken


def _overlapping(one: Finding, taken: Sequence[Finding]) -> Sequence[Finding]:
    """The findings that share a character with this one, of such as are in order and do not overlap each other."""
    first = bisect_right(taken, one.start, key=lambda other: other.end)
    return taken[first : bisect_left(taken, one.end, key=lambda other: other.start)]


def _uncovered(text: str, one: Finding, taken: Sequence[Finding]) -> list[Finding]:
    """The parts of the finding between those that are taken: without blanks around, and with a letter or digit."""
    between = _overlapping(one, taken)
    starts = (one.start, *(other.end for other in between))
    ends = (*(other.start for other in between), one.end)
    rest = []
    for start, end in zip(starts, ends, strict=True):
        part = text[start:end]
        if any(char.isalnum() for char in part):
            last = start + len(part.rstrip())
            rest.append(Finding(last - len(part.strip()), last, one.type))
    return rest


class _Streets:
    """Addresses, which may overlap, by their place."""

    def __init__(self, found: Sequence[Finding]) -> None:
        ordered = sorted(found)
        self._starts = [one.start for one in ordered]
        self._ends = list(accumulate((one.end for one in ordered), max))

    def hold(self, name: Finding) -> bool:
        """Whether one of them begins no later than the name and ends behind it."""
        place = bisect_right(self._starts, name.start)
        return place > 0 and self._ends[place - 1] > name.end


def scrub(text: str, also: Detector | None = None) -> Scrubbed:
    """Replace every span of personal data by its placeholder, such as `[EMAIL]`; `also` is asked as in `find`."""
    found = find(text, also)
    parts, done = [], 0
    for one in found:
        parts += [text[done : one.start], f"[{one.type}]"]
        done = one.end
    return Scrubbed("".join([*parts, text[done:]]), Counter(one.type for one in found))


def leftovers(text: str) -> int:
    """Count spans in a written text that still look like personal data, by rules apart from the recognisers'."""
    text = plain(text)
    return sum(count(text) for may_hold, count in _LEFT if may_hold(text))


def _numbers_left(text: str) -> int:
    """Numbers of people outside the lines of a cover page that hold the registrant's own."""
    return sum(_number_is_personal(run, before) for before, run in _number_runs(_without_cover_phones(text)))


def _without_cover_phones(text: str) -> str:
    """The text less the lines of a cover page that hold the registrant's own telephone number, and its caption."""
    lines = text.split("\n")
    captions = {
        place
        for place, line in enumerate(lines)
        if "telephone number" in line.lower() and ("registrant" in line.lower() or "area code" in line.lower())
    }
    above = {place - 1 for place in captions if not any(char.isdigit() for char in lines[place])}
    return "\n".join("" if place in captions | above else line for place, line in enumerate(lines))


_FIRM = frozenset({"llp", "llc", "pc", "inc", "lp", "ltd", "corp", "company", "co", "&", "plc"})
_STREET_ENDS = words(
    "street st avenue ave road rd drive dr lane ln boulevard blvd court ct place pl way terrace circle crescent"
)
_DWELLS = frozenset({"resides", "residing", "resided", "lives", "living", "residence"})
_NUMBER_TO_STREET, _VERB_TO_NUMBER = 5, 5
"""Words between a house number and its street's kind, and between the word of dwelling and the number, at most."""


def _bare(word: str) -> str:
    return word.strip(".,;:()\"'").replace(".", "").lower()


def _signers_left(text: str) -> int:
    """Lines on which a word with a capital, which no firm's sign follows, stands after /s/."""
    count = 0
    for line in text.split("\n"):
        _, mark, rest = line.partition("/s/") if "/s/" in line else line.partition("/S/")
        words = rest.replace("_", " ").split()
        count += bool(
            mark and words and words[0][:1].isupper() and not _FIRM & set(map(_bare, words)) and len(words) > 1
        )
    return count


def _homes_left(text: str) -> int:
    """Words of dwelling with a house number and a kind of street behind them."""
    words = text.split()
    count = 0
    for place, word in enumerate(words):
        if _bare(word) in _DWELLS or (_bare(word) == "address" and place and _bare(words[place - 1]) == "home"):
            near = words[place + 1 : place + 1 + _VERB_TO_NUMBER]
            number = next((at for at, one in enumerate(near, place + 1) if one[:1].isdigit()), None)
            behind = words[number + 1 : number + 1 + _NUMBER_TO_STREET] if number is not None else []
            count += any(_bare(one) in _STREET_ENDS and one[:1].isupper() for one in behind)
    return count


def _addresses_left(text: str) -> int:
    """Words with one @ between a name and a dotted domain."""
    count = 0
    for word in text.split():
        name, at, domain = word.strip("()[]<>,;:\"'").partition("@")
        count += bool(at and name and "." in domain.strip(".") and "@" not in domain)
    return count


def _number_runs(text: str) -> Iterator[tuple[str, str]]:
    """Maximal runs of digits with single separators of phone, card and social security numbers between them.

    Each comes with the words before it. A run that a letter ends is part of a code and left out.
    """
    run, start = "", 0
    for place, char in enumerate([*text, "\n"]):
        if (char.isascii() and char.isdigit()) or (char in " -.()+" and not run.endswith((" ", "--"))):
            start = start if run else place
            run += char
        else:
            code = char.isalpha() and not run.endswith(" ")
            if any(digit.isdigit() for digit in run) and not code:
                yield text[max(0, start - _WORDS_BEFORE) : start], run.strip(" -.")
            run = ""


_WORDS_BEFORE = 40
"""Characters before a number in which its name stands."""
_PERSONS_NUMBERS = ("social", "security", "ssn", "tel", "phone", "fax", "call", "mobile", "cell")


def _named_otherwise(before: str) -> bool:
    """Whether the last word is that of another number: "No.", "reference", or capitals such as ESN."""
    last = (before.split() or [""])[-1].strip(":#.")
    named = last.lower() in {"no", "nos", "reference", "ref", "account", "loan", "policy", "case"}
    capitals = last.isupper() and last.isalpha() and len(last) > 2  # noqa: PLR2004
    return (named or capitals) and not any(word in before.lower() for word in _PERSONS_NUMBERS)


def _number_is_personal(run: str, before: str) -> bool:
    if _named_otherwise(before) and not _is_card(run):
        return False
    groups = [len(group) for group in re.split(r"\D+", run) if group]
    digits = _digits(run)
    if groups == [3, 2, 4] and run.count("-") == 2:  # noqa: PLR2004
        return not (digits.startswith(("000", "666")) or digits[3:5] == "00" or digits.endswith("0000"))
    if len(digits) == NANP_DIGITS + 1 and digits[0] == "1":
        groups, digits = [size for size in groups if size > 1], digits[1:]
    if groups == [3, 3, 4] and digits[0] in "23456789" and digits[3] in "23456789":
        return True
    whole_card = len(groups) == 1 or groups[:-1] == [4] * (len(groups) - 1)
    return whole_card and digits[:1] in tuple("3456") and _is_card(digits)


def _ibans_left(text: str) -> int:
    """Words, or words of four characters with what follows them, whose check digits are an IBAN's."""
    tokens = [token.strip("()[]<>,.;:\"'") for token in text.split()]
    count = 0
    for place, token in enumerate(tokens):
        if token[:2].isalpha() and token[2:4].isdigit() and token.isupper():
            count += iban_checks(token) or _spaced_iban(tokens[place : place + 9])
    return count


def _spaced_iban(tokens: list[str]) -> bool:
    """Whether the tokens begin with an IBAN in print: groups of four, the last one of up to four (ISO 13616)."""
    joined = ""
    for token in tokens:
        if len(joined) % 4 or not 0 < len(token) <= 4 or token != token.upper():  # noqa: PLR2004
            return False
        joined += token
        if iban_checks(joined):
            return True
    return False


_LEFT: tuple[tuple[Callable[[str], object], Callable[[str], int]], ...] = (
    (lambda text: "@" in text, _addresses_left),
    (re.compile(r"[0-9](?:[ .()+-]*[0-9]){8}").search, _numbers_left),
    (re.compile(r"[A-Z]{2}[0-9]{2}").search, _ibans_left),
    (lambda text: "/s/" in text or "/S/" in text, _signers_left),
    (
        lambda text: any(word in text.lower().replace(".", "") for word in ("resid", "live", "living", "home")),
        _homes_left,
    ),
)
"""Each count with a cheap test that every text passes of which it counts something: most texts pass none."""
