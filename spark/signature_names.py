"""Names of people in signature blocks: after /s/, By: or Name:, printed under a signature, or over a closing role.

Names in prose are not looked for: a risk factor may name its chief executive. Plain Python, no Spark and no Presidio.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

import regex

from spark.vocabulary import COMPANY_WORDS, FORM_WORDS, ROLES

CLOSE_LINES = 3
"""How many lines that hold text may stand between a printed name and what makes it a signature's."""
MAX_MARKED_WORDS = 3
"""Words of a name behind a mark, when one of them is also a word of another kind."""
NAME_TOKENS = range(2, 7)
"""Words of a name, initials and suffixes counted."""

_SUFFIX = r"(?:(?i:jr|sr|esq)\b\.?|II|III|IV|V)\b\.?"
_WORD = (
    r"(?:(?:\p{Lu}\.){2,3}|['\u2018\u2019]?\p{Lu}(?:['\u2019]\p{Lu})?[\p{L}\p{M}]*(?:['\u2019-]\p{L}[\p{L}\p{M}]*)*\.?"
    r"|[\"\u201c(]\p{Lu}\p{L}+[\"\u201d)]"
    r"|(?:de|del|della|der|den|dem|van|von|vom|da|das|di|do|dos|du|la|le|lo|el|al|ap|ab|abu|bin|bint|ben|ibn|te|ter"
    r"|ten|thi"
    r"|zu|zum|zur|af|av|op|ni|y|e|i)\b(?:-\p{Lu}\p{L}+)?"
    r"|(?:el|al|d|l|o)['\u2019-]\p{Lu}\p{L}+)"
)
_NAME = regex.compile(rf"{_WORD}(?:[^\S\n]{{1,2}}{_WORD}){{1,5}}(?:,[^\S\n]*{_SUFFIX})?")
_SURNAME_FIRST = regex.compile(r"\p{Lu}{2,}(?:-\p{Lu}+)?,[^\S\n]+\p{Lu}\p{L}+(?:[^\S\n]\p{Lu}\b\.?)?")
_ANY_CASE = regex.compile(r"\p{L}[\p{L}.'\u2019-]*(?:[^\S\n]\p{L}[\p{L}.'\u2019-]*){1,3}(?=[^\S\n]*(?:$|,))")
_ONE_WORD = regex.compile(r"\p{Lu}\p{Ll}{2,}(?=[^\S\n]*$)")
_TITLE = regex.compile(r"(?:Mr|Mrs|Ms|Dr|Prof|Hon|Sir)\b\.?[^\S\n]+")
_CREDENTIAL = r"(?:Esq|Jr|Sr|II|III|IV|M\.?D|Ph\.?D|CPA|CFA|J\.?D|MBA)\.?"
_AFTER_NAME = regex.compile(
    rf"\*?[^\S\n]*(?:,[^\S\n]*{_CREDENTIAL}[^\S\n]*)*(?:[,;(|\u2013\u2014/-]|as\b|\Z|\s{{3,}}|\[)"
)
_PART = (
    r"(?:authori[sz]ed[^\S\n]+)?signator(?:y|ies)|attorney[s]?[ -]in[ -]fact|trustee|notary(?:[^\S\n]+public)?|executor"
    r"|administrator|guarantor|borrower|subscriber|grantee|optionee|participant|employee|executive|stockholder"
    r"|shareholder|purchaser|seller|buyer|spouse|claimant|affiant|declarant|deponent|settlor|grantor|lessee|lessor"
    r"|tenant"
    r"|landlord|pledgor|obligor|maker|payee|agent|proxy|partner|member|manager|director|president|secretary|treasurer"
    r"|chief[^\S\n]+\w+[^\S\n]+officer|chairman|chairwoman|chair|principal|transferor|transferee|assignor|assignee"
    r"|donor"
)
_MARK = regex.compile(
    r"(?:(?<![\w/])/?s/|\(signed\)|\(s\)|\bin[^\S\n]+the[^\S\n]+presence[^\S\n]+of[^\S\n]*:"
    r"|\b(?:counter)?(?:signed|executed|witnessed|acknowledged|attested)[^\S\n]+by\b[^\S\n]*:?"
    r"|\b(?:please[^\S\n]+)?(?:print|printed|type|typed)[^\S\n]+name\b[^\S\n]*:?"
    r"|^\W*(?:by|per)\b[^\n:]{1,30}:|\b(?:signed?|signatures?|witness(?:ed|es)?|attest(?:ed|ation)?|countersigned"
    r"|undersigned)\b[^\n:]{0,30}:"
    r"|\b(?:by|per|names?|print(?:ed)?|(?:full|legal)[^\S\n]+name"
    r"|name[^\S\n]+printed|name[^\S\n]*(?:and|&|/)[^\S\n]*title|names?[^\S\n]+of[^\S\n]+(?!each|exchange|registrant"
    r"|issuer"
    rf"|the (?:company|issuer|registrant|fund)|company|security|securities|plan|fund)[\p{{L}} ]{{3,30}}|{_PART})"
    r"(?:[^\S\n]*\([\w ]{3,30}\))?[^\S\n]*:"
    r"|\((?:please[^\S\n]+)?print(?:[^\S\n]+name)?\)[^\S\n]*:?"
    r"|\bsigned\b[^\n:.]{1,60}\bby\b:?"
    r"|(?-i:\b(?:[Ss]igned|Witness|[Aa]ttorneys?-in-fact|[Ss]ignator(?:y|ies)"
    r"|[Uu]ndersigned)\b,?[ ]\"?(?=\p{Lu}[\p{L}.'-]+(?: \p{Lu}[\p{L}.'-]*){1,3}(?:[,.;\"]| (?:on|and|as|for|in"
    r"|at|who)\b|$)))"
    r"|(?-i:\b[Yy]ours?(?: \w+){1,3}, (?=\p{Lu}[\p{L}.'-]+(?: \p{Lu}[\p{L}.'-]*){1,3}(?:[.;\"]|$)))"
    r"|^[^\S\n]*by\b(?=[^\S\n_]+\p{Lu}[^\n:]{3,40}$)|\bby\b(?=[^\n:]{3,40}attorney[s]?[ -]in[ -]fact)"
    r"|\b(?:sincerely|regards|cordially|truly|yours|faithfully|respectfully|submitted|best|wishes|thanks"
    r"|thank[^\S\n]+you)(?:[^\S\n]+yours)?,(?=[^\S\n]*\S))"
    r"[^\S\n]*_*[^\S\n]*",
    regex.IGNORECASE,
)
_DEPUTY = regex.compile(r"(?:p\.?p\.?|by|per)[^\S\n]+", regex.IGNORECASE)
_SIGNED = regex.compile(r"/?s/|\(s(?:igned)?\)", regex.IGNORECASE)
_BLOCK = regex.compile(
    r"/s/|[\u2014_\u2026]{3,}|\(signature\)|\bby[^\S\n]*:|_{4,}|^[^\p{L}\n]*(?:signature|signed|printed|name"
    r"|witness|attest|dated?|title|its)\b"
    r"|\b(?:regards|sincerely|yours(?: truly| sincerely| faithfully)?|respectfully submitted|in witness whereof"
    r"|accepted and agreed|agreed and accepted|signature of|notary public|on behalf of)\b"
    r"|^[^\S\n]*(?:thank you|thanks),",
    regex.IGNORECASE | regex.MULTILINE,
)
_CLOSING = regex.compile(
    r"(?:[\p{L}']+ ){0,4}(?:regards|sincerely|truly|faithfully|respectfully|submitted|cordially|yours|wishes|thanks"
    r"|thank you|servant)[,.!]?",
    regex.IGNORECASE,
)
_APPOINTED = regex.compile(
    r"\b(?i:appoint(?:s|ed|ing)?|designates?|constitutes?|power of attorney (?:to|for|in favou?r of)"
    r"|names?)\b[^\p{Lu}\n.;]{0,60}(?=\p{Lu})"
)
_IS_APPOINTED = regex.compile(
    rf"{_WORD}(?: {_WORD}){{1,4}},?(?: (?:is|was|are|be)| shall be)(?: hereby)? (?:appointed|named|designated)"
)
_CAPITAL = regex.compile(r"(?<![\w'])\p{Lu}")
_JOINED = regex.compile(r",?[^\S\n]+(?:and|&)[^\S\n]+")
_CELL = regex.compile(r"[^\s|](?:(?!\s{3}|[|\t]).)*")
_SIGNED_LINE = regex.compile(r"/s/|_{4,}")
_POWER = regex.compile(
    r"attorneys?[\s-]+in[\s-]+fact|attorneys?[\s-]+and[\s-]+agent|true and lawful|\bpro(?:xy|xies)\b"
    r"|powers?[\s-]+of[\s-]+attorney",
    regex.IGNORECASE,
)


_HINT = regex.compile(
    r"s/|\(s(?:igned)?\)|____|\u2014{3}|\u2026{3}|(?:^|\n)\W*(?:by|its|title|dated?|name|signature|printed|attest"
    r"|witness)\b"
    r"|\b(?:signed|(?:executed|witnessed|acknowledged|attested)\s+by|countersigned|presence\s+of:|sincerely|regards"
    r"|cordially|wishes,|best,|faithfully"
    r"|truly|respectfully|yours|accepted and|agreed and|signature|notary public|on behalf of|thanks?,|thank you"
    r"|whereof|appoint"
    r"|print(?:ed)?\)?\s+name|\(print|please print|typed?\s+name|attorneys?[ -]in[ -]fact)"
)
"""In lower case, what every mark has that ends in no colon."""
COLON_REACH = 60
"""Characters of the longest mark that ends in a colon."""


def likely(text: str) -> bool:
    """Whether the text has one of the marks without which no span is found: the cheap test before the search."""
    plain = text.lower()
    if _HINT.search(plain):
        return any(pattern.search(text) for pattern in (_MARK, _BLOCK, _APPOINTED))
    colons = (match.end() for match in regex.finditer(":", text))
    return any(_MARK.search(text, max(0, end - COLON_REACH), end) for end in colons)


def names(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each name in a signature block, in order of the lines; some may overlap."""
    lines = text.split("\n")
    starts = [0, *accumulate(len(line) + 1 for line in lines)]
    blocks = [bool(_BLOCK.search(line)) for line in lines]
    powers = _POWER.search(text) is not None
    filled = [place for place, line in enumerate(lines) if line.strip(" \t_*")]
    for order, place in enumerate(filled):
        line, found = lines[place], False
        for mark in _MARK.finditer(line):
            if span := _marked(line, mark):
                found = True
                for start, end in _and_others(line, span):
                    yield starts[place] + start, starts[place] + end
        for appointing in _APPOINTED.finditer(line) if powers else ():
            for span in _appointed(line, appointing.end()):
                found = True
                yield starts[place] + span[0], starts[place] + span[1]
        for passive in _IS_APPOINTED.finditer(line) if powers else ():
            if span := _name_at(line, passive.start(), closed=False):
                found = True
                yield starts[place] + span[0], starts[place] + span[1]
        near = filled[max(0, order - CLOSE_LINES) : order + CLOSE_LINES + 1]
        if not found and not _MARK.search(line) and any(blocks[other] for other in near if other != place):
            before = lines[filled[order - 1]].strip() if order else ""
            after = lines[filled[order + 1]].strip() if order + 1 < len(filled) else ""
            for cell in _CELL.finditer(line):
                if span := _printed(line[: cell.end()], cell.start(), before, after):
                    yield starts[place] + span[0], starts[place] + span[1]


def _and_others(line: str, span: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """A name and the one that "and" joins to it."""
    yield span
    joined = _JOINED.match(line, span[1])
    if joined and (other := _name_at(line, joined.end(), closed=False)):
        yield other


def _marked(line: str, mark: regex.Match[str]) -> tuple[int, int] | None:
    """The name behind a mark. After /s/ a word that is also a month's may be a name, and one word is enough."""
    start = mark.end()
    if deputy := _DEPUTY.match(line, start):
        start = deputy.end()
    if title := _TITLE.match(line, start):
        start = title.end()
    if found := _SURNAME_FIRST.match(line, start):
        return int(found.start()), int(found.end())
    if span := _name_at(line, start, closed=False):
        return span
    signed = _SIGNED.fullmatch(mark.group().strip()) is not None
    whole = _NAME.match(line, start) or (
        _ONE_WORD.match(line, start) or _ANY_CASE.match(line, start) if signed else None
    )
    if whole is None or not _AFTER_NAME.match(line, whole.end()):
        return None
    words = [(word.group(), word.start(), word.end()) for word in regex.finditer(r"\S+", whole.group())]
    plain = {word.strip(".,").lower() for word, _, _ in words}
    few = len(words) <= MAX_MARKED_WORDS and (signed or not plain <= ROLES | FORM_WORDS)
    return whole.span() if few and not _of_company(words, line[whole.end() : whole.end() + 60]) else None


def _appointed(line: str, start: int) -> Iterator[tuple[int, int]]:
    """The names of a power of attorney, one after another; a role that follows shows an office, not a power."""
    power = _POWER.search(line, start)
    end = power.start() if power else start
    at: int | None = start
    while at is not None:
        if span := _name_at(line, at, closed=False):
            yield span
            at = span[1]
        following = _CAPITAL.search(line, at + 1, end)
        at = following.start() if following else None


def _printed(line: str, cell: int, before: str, after: str) -> tuple[int, int] | None:
    """A line that is a name alone or a name and its role, beside what makes it a signature's."""
    start = cell + len(line[cell:]) - len(line[cell:].lstrip(" \t*~\u2013\u2014-"))
    if title := _TITLE.match(line, start):
        start = title.end()
    span = _name_at(line, start, closed=True)
    if span is None:
        return None
    rest = line[span[1] :].strip(" \t,*")
    while credential := regex.match(rf"{_CREDENTIAL}(?:,[ ]*|$)", rest):
        rest = rest[credential.end() :]
    if rest and not _is_role(rest) and not _SIGNED_LINE.search(before):
        return None
    signed = bool(_BLOCK.search(before) or _CLOSING.fullmatch(before) or _BLOCK.search(after))
    return span if rest or signed or _is_role(after) or _is_role_line(before) else None


def _is_role_line(line: str) -> bool:
    """Whether the line before is itself a name with its role, as where several people sign."""
    name, comma, role = line.partition(",")
    return bool(comma and _is_role(role) and _NAME.fullmatch(name.strip()))


def _is_role(text: str) -> bool:
    """Whether the text begins with words of an office or of a party's part."""
    first = [word.strip(".,;:()*").lower() for word in text.split()[:3]]
    return bool(first) and (
        first[0] in ROLES or (first[0] in {"an", "a", "as", "co", "the"} and bool(ROLES & set(first)))
    )


def _name_at(line: str, start: int, *, closed: bool) -> tuple[int, int] | None:
    """The name that begins there; `closed` asks that the line or a comma ends it."""
    match = _NAME.match(line, start)
    if match is None:
        return None
    words = [(found.group(), found.start(), found.end()) for found in regex.finditer(r"\S+", match.group())]
    kept = 0
    for word, _, _ in words:
        plain = word.strip(".,").lower()
        if plain in ROLES or plain in FORM_WORDS:
            break
        kept += 1
    if kept < NAME_TOKENS.start or (kept < len(words) and closed):
        return None
    end = start + words[kept - 1][2]
    following = line[end : end + 60]
    if _of_company(words[:kept], following) or (kept == len(words) and closed and not _AFTER_NAME.match(line, end)):
        return None
    end -= line[end - 1] in "," or (line[end - 1] == "." and not regex.search(r"(?i:\b\p{L}|Jr|Sr|Esq)\.$", line[:end]))
    return start, end


def _of_company(words: list[tuple[str, int, int]], following: str) -> bool:
    """Whether a company's word stands in the name or right behind it."""

    def plain(word: str) -> str:
        return word.replace(".", "").strip(",").lower()

    if any(plain(word) in COMPANY_WORDS for word, _, _ in words):
        return True
    near = regex.match(
        r"(?:,?[^\S\n]*&|,?[^\S\n]*(?:and[^\S\n]+)?\p{Lu}[\p{L}.]*(?:[^\S\n]*&)?)(?:[^\S\n]+[\p{Lu}&][\p{L}.]*){0,3}",
        following,
    )
    if near is None:
        return False
    behind = [plain(word) for word in near.group().replace(",", " ").split()]
    return "&" in behind or any(word in COMPANY_WORDS and word not in ROLES for word in behind[:2])
