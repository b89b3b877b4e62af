"""The fields in which addresses stand: from behind their owner to the place that ends them, whatever is between.

`street_addresses` knows how addresses begin. Here it is the other way round: a place that may end one (a state with its
code, a postcode with a town, a country) is looked for first; then the words before it are read back to what parts one
field from another. Behind a person's name, or words such as "residing at", what begins so is an address in any form.
Plain Python, no Spark.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import regex

from spark.address_owners import is_person, named
from spark.signature_names import starts_with_role
from spark.vocabulary import COUNTRIES, FOREIGN_STREETS, PROVINCES, STATES, STREET_ENDINGS, STREETS

FIELD_REACH = 180
"""Characters before the end of an address in which it and its owner's name stand."""
MAX_PARTS = 10
"""Parts of a field, parted by commas or lines: more are a list."""
MIN_BARE_PARTS = 2
"""Parts before a place without a code, over which a street needs no number."""
LEAD_REACH = 60
"""Characters before a field in which words that lead to an address are looked for."""

_ANCHOR = regex.compile(
    r"(?<![\w-])(?=[\p{Lu}\d])(?:"
    rf"(?:{STATES}|{PROVINCES})[.)]?,?[^\S\n]*\|?[^\S\n]+(?:[-\u2013] )?\d{{5}}(?:-\d{{4}})?(?![\w-])"
    r"|(?:NSW|VIC|Vic|QLD|Qld|WA|SA|TAS|Tas|ACT|NT|New South Wales|Victoria|Queensland),? \d{4}(?!\w)"
    r"|[A-Z]{2}\d-\d{4}(?!\w)|[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}(?!\w)|[A-Z]\d[A-Z] ?\d[A-Z]\d(?!\w)"
    rf"|(?<=,\s)(?:{STATES}|{PROVINCES}|{COUNTRIES})(?!\w)\.?(?=\s*(?:[.;,)(\n|\"]|$|and\b|\s\s))"
    r"|(?:[A-Z]{1,2}-)?(?!19\d\d|20\d\d)(?:\d{4,6}|\d{3} \d{2}|\d{2}-\d{3}|\d{4}-\d{3}) (?:[A-Z]{2} )?\p{Lu}\p{L}+"
    r"(?:[ -]\p{Lu}\p{L}*)*(?: \([A-Z]{2}\))?(?=[.;,)\n|\"]|$)"
    r"|(?!(?:Jan|Feb|Mar|Apr|May|June?|July?|Aug|Sept?|Oct|Nov|Dec)\p{L}* (?:19|20)\d\d)"
    r"\p{Lu}\p{L}+ (?:[-\u2013] )?(?:\d{3} \d{2,3}|\d{4,6})(?=[.;,)\n|\"]|$))"
)
"""Places that may end an address."""
_ZIP = regex.compile(r"\p{L}.*\b\d{5}(?:-\d{4})?$")
_SMALL = (
    r"(?:de|des|du|del|della|dei|di|da|do|dos|la|le|les|el|los|las|of|the|y|van|von|der|den|upon|on|in|near|off|vor|bei"
    r"|en|à|sous|sur|bis|sur|aan|op|zur|am|im|a|al|via|by|and|rear|upper|lower|upstairs|downstairs|floor|or|e|et|und"
    rf"|{FOREIGN_STREETS})"
)
_BREAK = regex.compile(
    r"[;|\t()\[\]]|/s/|[^\S\n]{3,}|(?<!\bNo|\bD|\bKat):(?=\s)|\n[^\S\n]*\n|(?<=\p{Ll}{3}|\d{5}"
    r"|\d{4}-\d{4})\.\s+(?=[\p{Lu}\d])"
    rf"|(?<![\w'./-])(?!{_SMALL}(?![\w]))\p{{Ll}}[\p{{L}}'/-]*(?![\w.])(?!(?<!phone|fax|tel|telephone|at|to|from"
    r"|for|age|aged|since|no) ?\d)"
)
_ABBREVIATED = regex.compile(
    r"(?:Blvd|Pkwy|Apt|Hwy|Ave|Bldg|Ste|Penn|Tenn|Mass|Minn|Mich|Wash|Calif|Ariz|Conn|Okla|Miss|Nebr|Wisc?|Colo|Messrs"
    r"|Trl|Cres|Terr|Xing|Plz|Brgy|Trce|Crst)$"
)
_CELL = regex.compile(r"[|\t]|[^\S\n]{3,}")
"""What parts the cells of a table."""
_PARTED = regex.compile(r"[^\S\n]*(?:,|\n|[|\t]|[^\S\n]{3}|[^\S\n][-\u2013][^\S\n])\s*")
_SUFFIX = regex.compile(
    r"(?i:Jr|Sr|II|III|IV|Esq|M\.?D|Ph\.?D|D\.?D\.?S|CPA|C\.P\.A|J\.D|R\.N|D\.O|J\.?T\.?W\.?R\.?O\.?S|JT TEN|TBE|TTEE"
    r"|(?:Co-)?Trustees?|(?:an )?individual(?:ly)?|Executor|Executrix|\d\d|Inventor|Consultant|Optionee|Participant"
    r"|Subscriber|Guarantor|Borrower|Maker|Grantor|Stockholder|Shareholder|Purchaser|Seller|Employee|Executive|Witness"
    r"|Affiant|Testator|Settlor|Lender|Holder|Investor|Tenant|Landlord|Lessor|Indemnitee|Grantee|Donor|Payee)\.?"
    r"|(?i:SSN|S\.S\.N\.|social security|tax id|TIN|DOB|born|phone|telephone|tel|fax|cell|mobile|age|aged)\b.{0,40}"
    r"|(?:\p{L}[\w. ]{0,20}[ :#]+)?(?:\d{3}-\d{2}-\d{4}|\[[A-Z]+\])|\(?\d{3}[-.) ]+\d{3}[-. ]\d{4}|\S+@\S+"
)
"""What may stand between an owner's name and the address: a part, a share, or other data of the person."""
_JOINED = regex.compile(r"^(?:and|or) ")
_LINK = regex.compile(r"(?:(?:of|at|in|and)\s+)+(?=(?:the )?[\p{Lu}\d\"#])")
_STREET = regex.compile(
    rf"\b(?i:{STREETS})\b|(?:{STREET_ENDINGS})(?!\w)|\b(?i:{FOREIGN_STREETS})\b|\b(?:P\. ?O\. |PO )?Box \d|\bMile \d"
)
_NUMBER = regex.compile(r"(?!(?:19|20)\d\d )(?:[NSEW]\.? ?)?#?\d[\w/-]*,? \p{Lu}|\p{Lu}[\p{L}. ]+ \d[\w/-]*$|#\d")
LEADS = regex.compile(
    r"(?:\b(?:resid(?:es?|ed|ing)|liv(?:es?|ed|ing)|domiciled|dwelling|resident)(?:,? [\w ,]{3,20})? (?:at|in|on|of)"
    r"|\b(?:his|her|my|their|the executive's|home|mailing|residential|residence|personal|known|former|permanent)"
    r" (?:residence|home|house|apartment|address)(?: for notices?| of record)?(?: is| was)?(?: at| in|:|,)?"
    r"|\bwhose (?:\w+ ){0,3}address is|\bhome(?: is)? at|\b(?:(?:husband and|his|her) (?:wife|husband)|an individual"
    r"|a widow(?:er)?|an? (?:un)?married (?:man|woman|person)|a single (?:man|woman|person)|joint tenants)"
    r",?(?: residing at| of| at)?)\s*$",
    regex.IGNORECASE,
)
"""Words right before a field that make it a person's address."""


def fields(text: str) -> Iterator[tuple[int, int, bool]]:
    """Yield start and end of each field that has an address's parts, and whether a person's name stands before it.

    Where none stands, words of a home do. In a table the parts of an address may stand in cells of their own.
    """
    done = coded = 0
    for anchor in _ANCHOR.finditer(text):
        low = max(done, coded, anchor.start() - FIELD_REACH)
        breaks = _breaks(text, low, anchor.start())
        row = max([text.rfind("\n", low, anchor.start()) + 1, low])
        cells = [match.end() for match in breaks if not _CELL.fullmatch(match.group())]
        starts = [breaks[-1].end() if breaks else low, max([row, *cells])]
        found = (_behind_owner(text, start, anchor.start(), anchor.end()) for start in dict.fromkeys(starts))
        field = next((field for field in found if field is not None), None)
        if field is not None:
            yield field[0], anchor.end(), field[1]
            done = anchor.end()
        if _ZIP.search(anchor.group()):
            # Also an address that is nobody's ends here: what follows has an owner of its own.
            coded = anchor.end()


def _breaks(text: str, low: int, high: int) -> list[regex.Match[str]]:
    """What parts one field from another before `high`."""
    return [
        match
        for match in _BREAK.finditer(text, low, high)
        if not (match.group().startswith(".") and _ABBREVIATED.search(text, low, match.start()))
    ]


def _behind_owner(text: str, start: int, high: int, end: int) -> tuple[int, bool] | None:
    """Where the address in the field begins, and whether behind its owner's name or words of a home; None for none."""
    parts = _parts(text, start, high)
    if not parts or len(parts) > MAX_PARTS:
        return None
    pieces = [text[low:part_end] for low, part_end in parts]
    home = LEADS.search(text, max(0, start - LEAD_REACH), parts[0][0]) is not None
    first = 0 if home else _behind_names(pieces)
    if not 0 <= first < len(parts) or not _is_whole(pieces[first:], text[high:end]):
        return None
    link = _LINK.match(text, parts[first][0])
    return link.end() if link else parts[first][0], not home


def _behind_names(pieces: Sequence[str]) -> int:
    """The first part behind the owner's name, or -1: an office or a company behind it makes the address a company's."""
    first = 1 + (pieces[0] == "I" or pieces[0].strip("().").isdigit())
    if first > len(pieces) or not is_person(_JOINED.sub("", pieces[first - 1])):
        return -1
    while first < len(pieces) and (_SUFFIX.fullmatch(pieces[first]) or pieces[first] in pieces[0]):
        first += 1
    for piece in pieces[first:]:
        if _STREET.search(piece) or _NUMBER.match(piece):
            return first
        if named(piece) is False or starts_with_role(piece):
            return -1
    return first


def _parts(text: str, start: int, end: int) -> list[tuple[int, int]]:
    parts, at = [], start
    for gap in _PARTED.finditer(text, start, end):
        if gap.start() > at and text[at : gap.start()].strip():
            parts.append((at, gap.start()))
        at = gap.end()
    if text[at:end].strip():
        parts.append((at, end))
    return [(low + len(text[low:high]) - len(text[low:high].lstrip(" \"'")), high) for low, high in parts]


def _is_whole(pieces: Sequence[str], place: str) -> bool:
    """Whether a street, box or number stands before the place, and a town too where the place has no code."""
    street = any(_STREET.search(piece) for piece in pieces)
    numbered = any(_NUMBER.match(piece) for piece in pieces)
    coded = any(char.isdigit() for char in place)
    if not coded:
        return (numbered and len(pieces) > 1) or (street and len(pieces) > MIN_BARE_PARTS)
    return street or numbered or (place[0].isalpha() and place[-1].isalpha() and len(pieces) > 1)
