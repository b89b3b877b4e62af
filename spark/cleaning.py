"""Cleaning of a risk factor's text, and the reasons for which one is left out. Plain Python, no Spark.

Raise CLEANER_VERSION when anything here or in `pii` changes what comes out for some input: the version stands in
every row.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

CLEANER_VERSION = "cleaner-1"

MIN_BODY_WORDS = 30
"""Under it a body seldom says more than its subcaption."""
MAX_BODY_WORDS = 5000
"""Over it several risk factors run into one, their subcaptions not having been recognised: the longest of the recorded
filings' 1,066 has 3,959. What is shorter and does not fit a model is cut (`spark.cut`), not left out."""
LEAST_HEADING_WORDS = 4
"""Words of a group heading from which on it is a heading wherever it stands; a shorter one is also plain prose."""
MIN_SUBCAPTION_WORDS = 3
MAX_SUBCAPTION_WORDS = 80

_SPACES = re.compile(r"[^\S\n]+")
_BLANK_LINES = re.compile(r"\n{3,}")
_FURNITURE = re.compile(r"(?:page\s+)?[-–—]?\s*\d{1,4}\s*[-–—]?|table of contents|\(continued\)", re.IGNORECASE)  # noqa: RUF001
_SENTENCE_END = re.compile(r"[.!?:;][\"')\]]*$")
_WORD = re.compile(r"\w+")

_REPLACED = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u201a": "'",
        "\u201b": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u201e": '"',
        "\u00ad": None,  # soft hyphen
        "\u2010": "-",
        "\u2011": "-",
        "\ufb00": "ff",
        "\ufb01": "fi",
        "\ufb02": "fl",
        "\ufb03": "ffi",
        "\ufb04": "ffl",
        "\r": "\n",
        "\u2028": "\n",
        "\u2029": "\n",
        "\v": "\n",
        "\f": "\n",
    }
)


class Reason(StrEnum):
    """Why a risk factor, or a filing as a whole, gives no example."""

    AMENDMENT = "amendment"
    FILING_NOT_FULL = "filing_not_full"
    NO_RISK_FACTORS = "no_risk_factors"
    NO_SUBCAPTION = "no_subcaption"
    SUBCAPTION_TOO_SHORT = "subcaption_too_short"
    SUBCAPTION_TOO_LONG = "subcaption_too_long"
    BODY_TOO_SHORT = "body_too_short"
    BODY_TOO_LONG = "body_too_long"
    NOT_A_SENTENCE = "not_a_sentence"
    SUBCAPTION_IN_BODY = "subcaption_in_body"
    GROUP_IN_BODY = "group_in_body"


def clean(text: str) -> str:
    """Return the text in NFC with plain quotes, hyphens and spaces, without page furniture.

    NFC and not NFKC: the latter turns superscripts and fractions into digits and so changes figures. Characters
    of control and format (zero-width ones too) go. Lines stay lines; runs of blank ones become one. Cleaning
    twice changes nothing.
    """
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").translate(_REPLACED))
    text = "".join(char for char in text if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cf", "Co"))
    lines = (_SPACES.sub(" ", line).strip() for line in text.split("\n"))
    kept = "\n".join(line for line in lines if not _FURNITURE.fullmatch(line))
    return _BLANK_LINES.sub("\n\n", kept).strip()


def clean_line(text: str) -> str:
    """Return the text cleaned and on one line, as a subcaption is."""
    return " ".join(clean(text).split())


def words(text: str) -> int:
    """Count what stands between white space."""
    return len(text.split())


def normalised(text: str) -> str:
    """Return letters and digits only, in lower case, words parted by one space: what two texts are compared by."""
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def reason_to_drop(body: str, subcaption: str, group: str = "") -> Reason | None:
    """Say why this pair, already cleaned, is no example; None when it is one. The first reason found counts.

    `group` is the group heading over it, empty where there is none. Body and prompt must hold neither heading, as the
    model would only have to copy it.
    """
    body_words, subcaption_words = words(body), words(subcaption)
    lines = [normalised(line) for line in body.split("\n")]
    if not subcaption_words:
        return Reason.NO_SUBCAPTION
    checks = (
        (subcaption_words < MIN_SUBCAPTION_WORDS, Reason.SUBCAPTION_TOO_SHORT),
        (subcaption_words > MAX_SUBCAPTION_WORDS, Reason.SUBCAPTION_TOO_LONG),
        (body_words < MIN_BODY_WORDS, Reason.BODY_TOO_SHORT),
        (body_words > MAX_BODY_WORDS, Reason.BODY_TOO_LONG),
        (not _SENTENCE_END.search(body), Reason.NOT_A_SENTENCE),
        (_holds(lines, normalised(subcaption)), Reason.SUBCAPTION_IN_BODY),
        (_holds_heading(lines, normalised(group)), Reason.GROUP_IN_BODY),
    )
    return next((reason for failed, reason in checks if failed), None)


def _holds(lines: list[str], heading: str) -> bool:
    """Whether a heading's words stand one after another in the body; all of them normalised."""
    return f" {heading} " in f" {' '.join(line for line in lines if line)} "


def _holds_heading(lines: list[str], group: str) -> bool:
    """Whether a line of the body is the group heading, or the body holds it and it is too long to be prose."""
    if not group:
        return False
    return group in lines or (words(group) >= LEAST_HEADING_WORDS and _holds(lines, group))
