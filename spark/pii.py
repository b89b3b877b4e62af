"""Personal data in text: found by pattern and checksum, replaced by typed placeholders. Plain Python, no Spark.

Two things stand here on purpose apart: `scrub`, with one regular expression a type, and `leftovers`, which looks
at written text character by character with rules of its own, so that a mistake in a pattern is not repeated in
the check of its result. Raise `cleaning.CLEANER_VERSION` when `scrub` changes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

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


def _always(_: str) -> bool:
    return True


@dataclass(frozen=True)
class Recogniser:
    """One type of personal data: the placeholder's name, a pattern, and a test of what the pattern found."""

    type: str
    pattern: re.Pattern[str]
    accepts: Callable[[str], bool] = _always


# In order of precedence: where two overlap, the earlier one takes the span.
RECOGNISERS = (
    Recogniser(
        "EMAIL",
        re.compile(r"(?<![\w.+-])[A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b", re.ASCII),
    ),
    Recogniser(
        "IBAN",
        re.compile(r"\b[A-Z]{2}\d{2}(?:[A-Z0-9]{11,30}|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,4})?)\b", re.ASCII),
        iban_checks,
    ),
    Recogniser(
        "CARD",
        re.compile(
            r"(?<![\d.,$-])(?:[2-6]\d{12,18}|[2-6]\d{3}([ -])\d{4}\1\d{4}\1\d{1,7}|3[47]\d\d([ -])\d{6}\2\d{5})"
            r"(?![ -]?\d|[.,]\d)",
            re.ASCII,
        ),
        _is_card,
    ),
    Recogniser(
        "SSN",
        re.compile(
            r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])"
            r"|(?<=SSN )\d{3} ?\d{2} ?\d{4}(?!\d)|(?<=SSN: )\d{3} ?\d{2} ?\d{4}(?!\d)",
            re.ASCII,
        ),
    ),
    Recogniser(
        "PHONE",
        re.compile(
            r"(?<![\w.,+-])(?:\+?1[ .-]?)?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .-])[2-9]\d{2}[ .-]\d{4}(?![\w-]|[.,]\d)"
            r"|(?<![\w+])\+(?!1[ .-])[1-9]\d{0,2}(?:[ .-]?\(?\d{1,4}\)?){2,5}(?!\d)",
            re.ASCII,
        ),
    ),
)


@dataclass(frozen=True)
class Scrubbed:
    """A text without personal data, and how many spans of each type were replaced."""

    text: str
    removed: Counter[str]


def scrub(text: str) -> Scrubbed:
    """Replace every span that a recogniser finds by its placeholder, such as `[EMAIL]`."""
    taken: list[tuple[int, int, str]] = []
    for recogniser in RECOGNISERS:
        for match in recogniser.pattern.finditer(text):
            start, end = match.span()
            free = all(end <= other_start or start >= other_end for other_start, other_end, _ in taken)
            if free and recogniser.accepts(match.group()):
                taken.append((start, end, recogniser.type))
    parts, done = [], 0
    for start, end, kind in sorted(taken):
        parts += [text[done:start], f"[{kind}]"]
        done = end
    return Scrubbed("".join([*parts, text[done:]]), Counter(kind for _, _, kind in taken))


def leftovers(text: str) -> int:
    """Count spans in a written text that still look like personal data, by rules apart from the recognisers'."""
    return _addresses_left(text) + sum(map(_number_is_personal, _number_runs(text))) + _ibans_left(text)


def _addresses_left(text: str) -> int:
    """Words with one @ between a name and a dotted domain."""
    count = 0
    for word in text.split():
        name, at, domain = word.strip("()[]<>,;:\"'").partition("@")
        count += bool(at and name and "." in domain.strip(".") and "@" not in domain)
    return count


def _number_runs(text: str) -> Iterator[str]:
    """Maximal runs of digits with single separators of phone, card and social security numbers between them."""
    run = ""
    for char in [*text, "\n"]:
        if (char.isascii() and char.isdigit()) or (char in " -.()+" and not run.endswith((" ", "--"))):
            run += char
        else:
            if run:
                yield run.strip(" -.")
            run = ""


def _number_is_personal(run: str) -> bool:
    groups = [len(group) for group in re.split(r"\D+", run) if group]
    digits = _digits(run)
    if groups == [3, 2, 4] and run.count("-") == 2:  # noqa: PLR2004
        return True
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
