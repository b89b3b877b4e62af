"""Cleaning of a risk factor's text, and the reasons for which one is left out. Plain Python, no Spark.

Raise CLEANER_VERSION when anything here or in `pii` changes what comes out for some input: the version stands in
every row.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

from spark.vocabulary import words as words_of

CLEANER_VERSION = "cleaner-8"

MIN_BODY_WORDS = 30
"""Under it a body seldom says more than its subcaption."""
MAX_BODY_WORDS = 5000
"""Over it several risk factors run into one, their subcaptions not having been recognised: the longest of the recorded
filings' 1,066 has 3,959. What is shorter and does not fit a model is cut (`spark.cut`), not left out."""
LEAST_HEADING_WORDS = 4
"""Words of a group heading from which on it is a heading wherever it stands; a shorter one is also plain prose."""
MIN_SUBCAPTION_WORDS = 3
MAX_SUBCAPTION_WORDS = 80

MAX_NUMBER_SHARE = 0.25
"""Share of figures among a body's words over which it is a table's remains; the recorded filings' stay under 0.12."""
MIN_FUNCTION_WORD_SHARE = 0.15
"""Share of English function words under which a body is no English prose; the recorded filings' lie over 0.2."""
MAX_REPEATED_SHARE = 0.3
"""Share of a body's words in lines that stood in it before, over which something was taken over twice."""
MIN_ROW_CELLS = 3
"""Words of a line from which on, most of them being figures, it is a row of a table."""
MAX_ROW_TEXT_SHARE = 0.4
"""Share of a table row's words that may be no figures: its label."""

_SPACES = re.compile(r"[^\S\n]+")
_BLANK_LINES = re.compile(r"\n{3,}")
_FURNITURE = re.compile(
    r"(?:page\s+)?[-\u2013\u2014(]?\s*(?:[a-z]-)?\d{1,4}\s*[-\u2013\u2014)]?(?:\s+of\s+\d{1,4})?|[-\u2013\u2014]?\s*[ivx]{1,5}\s*[-\u2013\u2014]?"
    r"|(?:\d{1,4}\s+)?(?:(?:back|return)\s+to\s+)?(?:the\s+)?table\s+of\s+contents(?:\s+\d{1,4})?|\(continued\)|[\u2022\u00b7\u25aa\u25cf\u25e6*|_=-]+"
    r"|(?:part\s+i\s*[,.|-]?\s*)?item\s+1a\s*[.:]?(?:\s*[-\u2013\u2014]?\s*risk\s+factors\.?)?(?:\s*\(?continued\)?)?"
    r"|(?:[^.!?\n|]{0,60}\|\s*)?(?:20\d\d\s+)?(?:annual\s+report\s+on\s+)?form\s+10-[kq](?:/a)?(?:\s*\|?\s*(?:page\s*)?\d{1,4})?",
    re.IGNORECASE,
)
# The first run keeps what it took (*+): given back sign by sign, a long row of hyphens would cost its length's square.
_FIGURE = re.compile(r"[$€£(+\u2212\u2013\u2014-]*+(?:\d[\d,.]*)?[%)x*\u2013\u2014-]*|[$€£]|n/?a|nm", re.IGNORECASE)
_FUNCTION_WORDS = words_of(
    """
    a an and any are as at be been but by can could do for from had has have if in is it its may might more not of on
    or other our so such than that the their them these they this those to under upon us was we were which will with
    would you your
    """
)
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
        "\u2212": "-",
        "\r": "\n",
        "\u0085": "\n",
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
    MOSTLY_NUMBERS = "mostly_numbers"
    NOT_ENGLISH = "not_english"
    REPEATED_LINES = "repeated_lines"


def clean(text: str) -> str:
    """Return the text in NFC with plain quotes, hyphens and spaces, without page furniture and rows of tables.

    NFC and not NFKC: the latter turns superscripts and fractions into digits and so changes figures. Characters
    of control and format (zero-width ones too) go. Lines stay lines; runs of blank ones become one. Cleaning
    twice changes nothing.
    """
    text = text.replace("\r\n", "\n").translate(_REPLACED)
    unseen = [char for char in set(text) if char not in "\n\t" and unicodedata.category(char) in ("Cc", "Cf", "Co")]
    text = text.translate(dict.fromkeys(map(ord, unseen))) if unseen else text
    # Only now: an accent may stand apart from its letter by an unseen character alone.
    text = unicodedata.normalize("NFC", text)
    lines = (_SPACES.sub(" ", line).strip() for line in text.split("\n"))
    kept = "\n".join(line for line in lines if not (_FURNITURE.fullmatch(line) or _is_table_row(line)))
    return _BLANK_LINES.sub("\n\n", kept).strip()


def clean_line(text: str) -> str:
    """Return the text cleaned and on one line, as a subcaption is."""
    return " ".join(clean(text).split())


def _is_table_row(line: str) -> bool:
    """Whether figures make up most of the line's words, as where a table lost its columns; no line of prose does."""
    cells = line.replace("|", " ").split()
    if len(cells) < MIN_ROW_CELLS:
        return False
    # A cheap test first: of words of letters alone only short ones and rows of x are figures.
    maybe = [cell for cell in cells if not cell.isalpha() or len(cell) <= 2 or cell[0] in "xX"]  # noqa: PLR2004
    if len(cells) - len(maybe) > MAX_ROW_TEXT_SHARE * len(cells):
        return False
    figures = sum(_FIGURE.fullmatch(cell) is not None for cell in maybe)
    return figures >= 2 and len(cells) - figures <= MAX_ROW_TEXT_SHARE * len(cells)  # noqa: PLR2004


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
    body_words, subcaption_words = words(body), _words_that_say_something(subcaption)
    lines = [normalised(line) for line in body.split("\n")]
    if not subcaption_words:
        return Reason.NO_SUBCAPTION
    checks = (
        (subcaption_words < MIN_SUBCAPTION_WORDS, Reason.SUBCAPTION_TOO_SHORT),
        (words(subcaption) > MAX_SUBCAPTION_WORDS, Reason.SUBCAPTION_TOO_LONG),
        (body_words < MIN_BODY_WORDS, Reason.BODY_TOO_SHORT),
        (body_words > MAX_BODY_WORDS, Reason.BODY_TOO_LONG),
        (not _SENTENCE_END.search(body), Reason.NOT_A_SENTENCE),
        (_holds(lines, normalised(subcaption)), Reason.SUBCAPTION_IN_BODY),
        (_holds_heading(lines, normalised(group)), Reason.GROUP_IN_BODY),
        (_number_share(body) > MAX_NUMBER_SHARE, Reason.MOSTLY_NUMBERS),
        (_function_word_share(body) < MIN_FUNCTION_WORD_SHARE, Reason.NOT_ENGLISH),
        (_repeated_share(lines) > MAX_REPEATED_SHARE, Reason.REPEATED_LINES),
    )
    return next((reason for failed, reason in checks if failed), None)


def _words_that_say_something(text: str) -> int:
    """Count the words with a letter or a figure: a row of bullets is no subcaption."""
    return sum(any(map(str.isalnum, word)) for word in text.split())


def _number_share(body: str) -> float:
    cells = body.split()
    mixed = (cell for cell in cells if not cell.isalpha())
    return sum(any(map(str.isdigit, cell)) for cell in mixed) / max(1, len(cells))


def _function_word_share(body: str) -> float:
    found = _WORD.findall(body)
    return sum(map(_FUNCTION_WORDS.__contains__, map(str.lower, found))) / max(1, len(found))


def _repeated_share(lines: list[str]) -> float:
    """Share of the words that stand in lines which stood before; lines are normalised."""
    seen, total, repeated = set(), 0, 0
    for line in lines:
        total += words(line)
        repeated += words(line) if line in seen else 0
        seen.add(line)
    return repeated / max(1, total)


def _holds(lines: list[str], heading: str) -> bool:
    """Whether a heading's words stand one after another in the body; all of them normalised."""
    return f" {heading} " in f" {' '.join(line for line in lines if line)} "


def _holds_heading(lines: list[str], group: str) -> bool:
    """Whether a line of the body is the group heading, or the body holds it and it is too long to be prose."""
    if not group:
        return False
    return group in lines or (words(group) >= LEAST_HEADING_WORDS and _holds(lines, group))
