"""Street addresses of people: found by their shape, told from a company's by what stands around them.

A company's own address (principal offices, plants, stores) is public and stays. Plain Python, no Spark, no Presidio.
"""

from __future__ import annotations

from collections.abc import Iterator

import regex

from spark.vocabulary import COUNTRIES, FOREIGN_STREETS, PROVINCES, STATES, STREET_ENDINGS, STREETS

_POSTCODES = (
    r"\d{5}-\d{4}|\d{5}|[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d|\d{4} [A-Z]{2}|[A-Z]\d[\dW] [A-Z\d]{4}"
    r"|\d{5}-\d{3}|\d{3}-\d{4}|\d{4}-\d{3}|\d{2}-\d{3}|\d{3} \d{2,3}|\d{6}|[A-Z]{1,2}-\d{4,5}|(?!19\d\d|20\d\d)\d{4}"
)
_BOX = (
    r"(?:P\. ?O\.|PO|P\.O|GPO|B\.?P\.?|C\.?P\.?|Caixa Postal|Casella Postale|Boîte Postale|Locked Bag|Post Office"
    r"|Apartado(?: Postal)?|Postfach|Postbus|Casilla|Private Bag) ?(?:Box |Drawer )?(?:No\. ?)?\d+|General Delivery"
    r"|Box \d+,|(?:Rural |Star )?(?:Route|Rt\.?|Rte\.?|R\.D\.|HCR|RR|R\.R\.|RFD|HC|PSC|CMR|Unit) ?#?\d+,? Box \d+"
)
_UNIT = (
    r"(?:Flat|Apartment|Apt\.?|Unit|Suite|Ste\.?|Blk|Block|House|Lot|Room|Rm\.?|Floor|Trailer|Space|Penthouse|Residence"
    r"|Building|Bldg\.?|No\.|Condo|Villa|Cottage|Plot|Stand|Casa|Level|Site|Slip|Berth|Tower|Number|PH)"
)
_PARTICLE = (
    r"(?:de|des|du|del|della|delle|dei|di|da|do|dos|das|la|le|les|el|los|las|of|the|y|van|von|der|den|upon|on|in|by"
    r"|near|vor|bei|en|sous|sur|rue|via|calle"
    r"|rua|av\.|ul\.|bis|apto|apt|appt|app|piso|sur|aan|op|zur|am|im|a|al|in den|[dl]['\u2019]\p{Lu}[\p{L}-]*)"
)
_ABBREVIATED = (
    r"(?:St|Ste|Ave|Av|Blvd|Rd|Dr|Ln|Ct|Pl|Sq|Hwy|Pkwy|Ter|Cir|Apt|Fl|Bldg|No|Co|Col|App|Appt|Mt|Ft|Dto|Esq|Jr|Rt"
    r"|Rte|Calif|Ariz|Ala|Ark|Colo|Conn|Fla|Ill|Ind|Kan|Kans|Mass|Mich|Minn|Miss|Mont|Neb|Nebr|Nev|Okla|Ore|Oreg|Pa"
    r"|Penn|Tenn|Tex|Vt|Va|Wash|Wis|Wyo|Md|Mo|Ky|La|Ga|Del|Terr|Str|Rm|Ul|Jl|N|S|E|W|NE|NW|SE|SW"
    r"|P|O|D\.C|U\.K|U\.S\.A|U\.S|N\.Y|\p{Lu})\."
)
_TOKEN = regex.compile(
    rf"(?![\p{{L}}-]+:)(?:P\. ?O\.|(?:\p{{Lu}}\.){{2,3}}|{_ABBREVIATED}|\p{{Lu}}{{0,2}}\d[\w½¼¾º°ª]*(?:[/-]\w+)*"
    rf"|\p{{Lu}}[\p{{L}}\p{{M}}'\u2019]*(?:-[\p{{L}}\d]+)*|#[ ]?[\w-]+"
    rf"|\([A-Z]{{2}}\)|{_PARTICLE}(?=[ ,])|\d{{1,2}}\.(?= (?:th|tv|mf|sal|og)\b)|\d+\.?[º°ª](?=[ ,])|(?:th|tv"
    rf"|st|kv|ap|bl|dom|esc|izq|dcha|mf)\.?(?=[ ,])"
    rf"|(?!at|and|to|from|or|until|with|for|phone|fax|tel)\p{{Ll}}{{1,8}}\.?(?= #?\d)|upstairs|downstairs|rear)"
)
_GAP = regex.compile(r"[^\S\n]*[,/]?[^\S\n]*\n[^\S\n]*|(?:,|[^\S\n]/)?[^\S\n]+")

_NUMBER = (
    rf"\d{{1,6}}[A-Z½¼¾]{{0,2}}(?:[-/]\d{{1,5}}[A-Z]?){{0,3}}(?: 1/2)?(?: bis)?(?:,(?= (?i:{FOREIGN_STREETS})\b))? "
)
_ONES = "One|Two|Three|Four|Five|Six|Seven|Eight|Nine"
_TENS = "Twenty|Thirty|Forty|Fifty|Sixty|Seventy|Eighty|Ninety"
_NUMBER_WORD = rf"(?:(?:{_TENS})(?:-(?:{_ONES}))?|{_ONES}|Ten|Eleven|Twelve|Fifteen) "
_EUROPEAN = (
    r"(?:\p{Lu}[\p{L}.'\u2019-]+ ){1,3}\d{1,4}(?:[ -]?[A-Za-z0-9/]{1,4}){0,2},(?: [^,\n]{1,12},){0,2}"
    r" (?:[A-Z]{1,2}-\d{4,5}|\d{5}|\d{3} \d{2}|\d{2}-\d{3}|\d{4} [A-Z]{2}|(?!19\d\d|20\d\d)\d{4}) \p{Lu}"
)
_HOUSE_NAME = (
    r"(?:(?:The )?(?:\p{Lu}[\p{L}'\u2019-]+ ){1,3})(?:Cottage|House|Lodge|Farm|Hall|Rectory|Manor|Barn|Grange|Mill"
    r"|Vicarage|Croft), "
    r"(?=[^\n.]{3,80}[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}\b)"
)
_HOUSES = (
    "Cottage|House|Lodge|Farm|Hall|Rectory|Manor|Barn|Grange|Mill|Vicarage|Croft|Ranch|Villa|Castle|Estate|Bungalow"
)
_ESTATES = (
    "Hacienda|Finca|Casa|Villa|Château|Chateau|Schloss|Hof|Mas|Quinta|Kibbutz|Rancho|Fazenda|Palazzo|Haus|Domaine"
)
_HOUSE = regex.compile(
    rf"(?:The )?(?:\p{{Lu}}[\p{{L}}'-]+ ){{1,3}}(?:{_HOUSES}|(?i:{STREETS}))\.?, (?=\p{{Lu}})"
    rf"|(?:{_ESTATES}) (?:\p{{L}}[\p{{L}}'-]+ ){{0,3}}\p{{Lu}}[\p{{L}}'-]+, (?=\p{{Lu}})"
)
_HEAD = regex.compile(
    # A first sign that rules out most words keeps the search fast.
    rf"(?<![\w$€£.#/,-])(?=[\p{{Lu}}\d#]|rue |via |calle |rua |ul\.? |av\.? |avenida |chemin |strada )(?:{_BOX}"
    rf"|{_UNIT} (?:No\. ?)?#?[\w-]{{1,6}},? (?=[\p{{Lu}}\d])"
    rf"|(?:{_NUMBER}|[NSEW]\d{{3,5}} |[NSEW] \d{{3,5}} |[NSEW]\d{{2,5}} (?=[NSEW]\d)|[A-Z]-\d{{1,4}}[A-Z]? )"
    rf"(?=\p{{Lu}}|\d{{1,3}}(?:st|nd|rd|th) |{_PARTICLE} |(?:{FOREIGN_STREETS})\.? )"
    rf"|\d{{1,4}}[A-Z]?(?:/\d+)?, (?=(?:\p{{Lu}}[\p{{L}}.'-]* ){{1,4}}(?i:{STREETS})\b)"
    rf"|{_NUMBER_WORD}(?=\p{{Lu}})|#\d+[A-Z]?,? (?=\d)|\d{{1,3}}/F,? (?=[\p{{Lu}}\d])"
    rf"|(?:\p{{Lu}}[\p{{L}}'-]+ ){{1,4}}\d{{1,4}}[A-Za-z]?(?:[/-]\w{{1,4}})?(?=, )"
    rf"|(?i:{FOREIGN_STREETS})\.? (?:\p{{L}}[\p{{L}}'\u2019.-]* ){{0,5}}\p{{L}}[\p{{L}}'.-]*,? (?:n[.º°]{{0,2}} ?)?"
    r"(?:\d|s/n)"
    rf"|{_EUROPEAN}|{_HOUSE_NAME}"
    rf"|{_HOUSE.pattern}|\p{{Lu}}\p{{L}}*(?:{STREET_ENDINGS}) ?\d|(?:\p{{Lu}}\p{{L}}+ ){{1,3}}(?i:stra(?:ß|ss)e"
    rf"|straat|weg|platz"
    rf"|utca|katu) \d)"
)

_HAS_STREET = regex.compile(rf"\b(?:{STREETS})\b\.?|(?:{STREET_ENDINGS})\b", regex.IGNORECASE)
_HAS_FOREIGN = regex.compile(rf"\b(?:{FOREIGN_STREETS})\b|(?:{STREET_ENDINGS})\b", regex.IGNORECASE)
_HAS_BOX = regex.compile(_BOX)
_US_TAIL = regex.compile(
    rf"(?:\b(?:{STATES}|{PROVINCES}))(?!\w)\.?,?\s+(?:\d{{5}}(?:-\d{{4}})?|[A-Z]\d[A-Z] ?\d[A-Z]\d|\d{{4}})\b"
)
_STATE_END = regex.compile(rf"[,\s](?:{STATES}|{PROVINCES})\.?$")
_COUNTRY = regex.compile(rf"[,\s](?:{COUNTRIES})\b(?:,? \d{{4,6}}\b)?")
_POSTCODE = regex.compile(rf"(?<![\w-])(?:{_POSTCODES})(?![\w-])")
_FIRM_POSTCODE = regex.compile(
    r"(?<![\w-])(?:[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d|\d{4} [A-Z]{2}|\d{4}-\d{3})(?![\w-])"
)

_OF_COMPANY = regex.compile(
    r"principal executive|executive offices?|headquarter|registered office|corporate office|our offices?|its offices?"
    r"|\b(?:our|its|the company[\u2019']s|the registrant[\u2019']s)(?: [\w-]+){0,4}? (?:office|plant|facilit"
    r"|warehouse|store"
    r"|laborator|factory|campus|building|depart|mill|branch|center|centre|site|mine|refiner|terminal|lockbox|box"
    r"|address)"
    r"|\bthe company[\u2019']s(?= ?:)|\b(?:plant|facility|warehouse|factory|refinery|terminal|laboratory"
    r"|data center|hotel"
    r"|clinic|hospital|restaurant|showroom|mall|shopping center|stores?|mill|branch|depot|garage|shop|dealership"
    r"|bakery|brewery|farm|school"
    r"|church|theater|theatre|pharmacy|gym|studio|salon|station|yard|pier|premises|offices?|site) (?:at|in|on)\b"
    r"|\bc/o\b|\bcare of\b|\bgeneral counsel\b|\bcorporate secretary\b|\binvestor relations\b"
    r"|\b(?:services|partners|group|associates|trust|holdings|solutions|industries|systems|attorneys|advisors),?\s"
    r"(?:[\w ]{3,30},\s)?$|\bat law\b"
    r"|\btransfer agent\b|\bagent for service\b|\blegal department\b|\bcopy to\b|\bour counsel\b|\blaw firm\b"
    r"|\blockbox\b|\bsquare feet\b|\baddress for notices\b|\bprivate mailbox of the company\b",
    regex.IGNORECASE,
)
_COMPANY_NAME = regex.compile(
    r"\b(?:inc|llc|l\.l\.c|corp|corporation|l\.p|lp|llp|ltd|limited|company|n\.a|plc|bank|trust company|sec|commission"
    r"|court|agency|department|division|administration)\b\.?,?(?: at| of| is| located| in|:|,|;|\n|$)",
    regex.IGNORECASE,
)
NAME_REACH = 15
"""Characters before an address in which the end of a company's name makes it the company's."""
_LOCATED = regex.compile(r"\blocated (?:at|in|on)\s*$", regex.IGNORECASE)
_OF_PERSON = regex.compile(
    r"\b(?:he|she|his|her|hers|him|my|i|wife|husband|spouse|sister|brother|mother|father|son|daughter|aunt|uncle|nephew"
    r"|niece|cousin|widow|widower|heirs?|child|parent|grandmother|grandfather|minor|custodian|estate|decedent|deceased"
    r"|home|household|house|residen\w*|resid(?:es?|ed|ing)|liv(?:es?|ed|ing)|dwell\w*|domicile\w*|apartment|tenant"
    r"|individual|natural person|executive[\u2019']s|the executive|employee|participant|optionee|grantee|beneficiary"
    r"|guarantor|borrower|indemnitee|subscriber|stockholder representative|holder|customer|patient|passenger|driver"
    r"|depositor|policyholder|claimant|plaintiff|complainant|consultant|retiree|pensioner|seller|purchaser|buyer"
    r"|undersigned|witness\w*|signed|mr|mrs|ms|miss|messrs|dr|ssn|social security|passport|born|birth|beneficial owner"
    r"|director[\u2019']s|trustee|shipping|personal|private|mailing address|former)\b|/s/|\[(?:PERSON|SSN|PHONE"
    r"|EMAIL)\]",
    regex.IGNORECASE,
)
_BUSINESS_PART = regex.compile(
    r"\b(?:Suite|Ste|Floor|Fl|Tower|Plaza|Center|Centre|Campus|Corporate|Industrial|Building)\b|\b\d+(?:st|nd|rd"
    r"|th) Floor\b"
)
_HOME_PART = regex.compile(r"\b(?:Apt|Apartment|Flat|Unit|Residence|Lot|Trailer|Upstairs|Downstairs|Penthouse)\b|#")
_SHORT_STREET = regex.compile(
    rf"(?:{_NUMBER}|{_NUMBER_WORD}|[NSEW]\d{{3,5}} )(?:[\p{{Lu}}\d][\p{{L}}\d.'\u2019-]* ){{1,4}}?(?i:{STREETS})\b\.?"
    r"(?: (?:N|S|E|W|NE|NW|SE|SW|North|South|East|West)\.?)?(?:,? (?:#|Apt|Unit|Apartment|Lot)\.? ?[\w-]+)?"
)
_CUE = regex.compile(
    r"(?:\b(?:liv(?:es?|ed|ing)|resid(?:es?|ed|ing)|domiciled|dwelling|moved|mailed|sent|served)(?: with [\w' ]{3,20})?"
    r" (?:at|in|on|to)|\b(?:home|house|residence|apartment|flat|condominium|cottage|farm)(?:,| is| was|:)?(?: at"
    r"| of| in)?"
    r"|\b(?:his|her|my|their|\w[\u2019']s?|home|mailing|residential|residence|street|postal|private|personal|known"
    r"|forwarding"
    r"|current|former|new|old|notice) address(?: for notices?)?(?: is| was| of record is)?:?|(?:^|\n)\W*(?:Address"
    r"|Residence|Home):)"
    r"[ \n\"\u201c]+(?=[\p{Lu}\d])",
    regex.IGNORECASE,
)
"""Words that lead to a person's address, up to the place where it begins."""
_CUE_HINT = regex.compile(
    r"(?i:address|residence|home|house|apartment|flat|condominium|cottage|farm|liv(?:es?|ed|ing)|resid(?:es?|ed"
    r"|ing)|domiciled"
    r"|dwelling|moved|mailed|sent|served)[\w ,:']{0,35}[ \n\"\u201c]+[\p{Lu}\d]"
)
_HOME_BEFORE = regex.compile(
    r"\b(?:liv(?:es?|ed|ing)|resid(?:es?|ed|ing|ence)|home|house|household|dwelling|apartment|domicile|moved|his|her|my"
    r"|widow|address|Mr|Mrs|Ms|Dr)\b",
    regex.IGNORECASE,
)
HOME_REACH = 45
"""Characters before a short address in which words of a home make it a person's."""
MAX_SHORT_PARTS = 4
_CITY_CODE = regex.compile(
    r"\b(?:(?:Tokyo|Osaka|Kyoto|Yokohama|Nagoya|Kobe|Sapporo|Fukuoka) \d{3}-\d{4}|Dublin \d{1,2}W?)(?!\w)"
)
_TOWN = regex.compile(rf"(?:{_POSTCODES}) \p{{Lu}}[\p{{L}} '-]+(?: [A-Z]{{2}})?|\p{{Lu}}[\p{{L}} '-]+ (?:{_POSTCODES})")
_COVER = regex.compile(
    r"registrant[\u2019']s telephone|commission file|exact name of (?:the )?registrant|principal executive office",
    regex.IGNORECASE,
)
BEFORE, AFTER = 110, 70
"""Characters around an address in which its owner is looked for."""
COVER_PAGE = 250
"""Characters around an address in which words of a filing's cover page make it the registrant's."""
MAX_TOKENS = 30


def likely(text: str) -> bool:
    """Whether an address may begin anywhere in the text: the cheap test before the search."""
    return bool(_HEAD.search(text) or (_CUE_HINT.search(text) and _CUE.search(text)))


def addresses(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each address of a person, in order, without overlaps."""
    done = 0
    told = {cue.end() for cue in _CUE.finditer(text)}
    for start in sorted(told | {head.start() for head in _HEAD.finditer(text)}):
        if start < done:
            continue
        end = _end(text, start, told=start in told)
        if end is None:
            continue
        done = end
        if _is_persons(text, start, end) and (regex.search(r"\d", text[start:end]) or _at_home(text, start)):
            yield start, end


def _end(text: str, start: int, *, told: bool) -> int | None:
    """Where the address that begins there ends; None when it is none. `told`: words of a home lead to this place."""
    ends: list[int] = []
    at = start
    for _ in range(MAX_TOKENS):
        token = _TOKEN.match(text, at)
        if token is None:
            break
        ends.append(token.end())
        gap = _GAP.match(text, token.end())
        if gap is None:
            break
        at = gap.end()
    whole = (end for end in reversed(ends) if _is_address(text[start:end]))
    if (end := next(whole, None)) is not None:
        return end
    if not _at_home(text, start):
        return None
    short = next((end for end in reversed(ends) if _is_short(text[start:end])), None)
    if short is not None or not told:
        return short
    line = text.find("\n", start)
    within = [end for end in ends if line < 0 or end <= line]
    return next((end for end in reversed(within) if _is_told(text[start:end])), None)


def _at_home(text: str, start: int) -> bool:
    """Whether words of a home stand right before."""
    return bool(_HOME_BEFORE.search(text, max(0, start - HOME_REACH), start))


def _is_address(found: str) -> bool:
    """Whether the tokens are a whole address: a street or box, and the place that ends it."""
    if not _ends_in_place(found):
        return False
    first, _, rest = regex.sub(r"\s*\n\s*", ", ", found).partition(",")
    if _HOUSE.match(found) and not _FIRM_POSTCODE.search(found) and not regex.search(r"\d", found):
        return "," in str(rest)
    return bool(rest or _HAS_STREET.search(first) or _HAS_BOX.search(first))


def _is_short(found: str) -> bool:
    """Whether the tokens are a street or box alone, with a unit and a town at most: enough behind words of a home."""
    parts = regex.split(r", |\n", found)
    if len(parts) > MAX_SHORT_PARTS or regex.search(rf"(?:^| ){_PARTICLE}$", found):
        return False
    street = parts[1] if len(parts) > 1 and regex.fullmatch(rf"{_UNIT} #?[\w-]+", parts[0]) else parts[0]
    return bool(_SHORT_STREET.fullmatch(street) or _HAS_BOX.fullmatch(street)) and not regex.search(
        r"\d$", parts[-1][:-3] if len(parts) > 1 else ""
    )


def _is_told(found: str) -> bool:
    """Whether the tokens, to which words of a home lead, have the parts of an address in a form that is not known."""
    parts = found.split(", ")
    date = regex.fullmatch(r"\d+|(?:\p{L}+ )?\d{1,2}(?:, \d{4})?", found)
    whole = not regex.search(rf"(?:^| ){_PARTICLE}$", found)
    return bool(regex.search(r"\d", found) and not date and whole) and len(parts) > 1


def _ends_in_place(found: str) -> bool:
    """Whether a state with its code, a postcode with a place, or a country stands at the end."""
    house = _HOUSE.match(found) is not None
    street = house or bool(_HAS_STREET.search(found) or _HAS_BOX.search(found))
    within = street or bool(_HAS_FOREIGN.search(found) or _POSTCODE.search(found))
    return (
        any(_ends_with(pattern, found) for pattern in (_US_TAIL, _FIRM_POSTCODE, _CITY_CODE))
        or (_ends_with(_COUNTRY, found) and within)
        or (_STATE_END.search(found) is not None and street)
        or _ends_in_town(found)
    )


def _ends_with(pattern: regex.Pattern[str], found: str) -> bool:
    """Whether the last match of the pattern ends the text."""
    ends = [int(match.end()) for match in pattern.finditer(found)]
    return bool(ends) and ends[-1] == len(found)


def _ends_in_town(found: str) -> bool:
    """Whether the last part is a town and its postcode, behind a street of some language."""
    parts = found.replace("\n", ", ").split(", ")
    streets = ", ".join(parts[:3])
    street = regex.match(_EUROPEAN, found) or _HAS_FOREIGN.search(streets) or _HAS_STREET.search(streets)
    return len(parts) > 1 and bool(street and _TOWN.fullmatch(parts[-1]))


def _is_persons(text: str, start: int, end: int) -> bool:
    """Whether a person's words stand nearer to the address than a company's."""
    before, found, after = text[max(0, start - BEFORE) : start], text[start:end], text[end : end + AFTER]
    if _COVER.search(text, max(0, start - COVER_PAGE), end + COVER_PAGE):
        return False
    sentence = regex.split(r"(?<=[a-z\d)\]]{2}[.;])\s+(?=\p{Lu})", before)[-1]
    company = [match.end() for match in _OF_COMPANY.finditer(sentence)]
    person = [match.end() for match in _OF_PERSON.finditer(before)]
    offset = len(before) - len(sentence)
    named = [match.end() for match in _COMPANY_NAME.finditer(before) if match.end() >= len(before) - NAME_REACH]
    if named and (not person or named[-1] >= person[-1]):
        return False
    if _LOCATED.search(before) and not person:
        return False
    if company and (not person or company[-1] + offset >= person[-1]):
        return False
    if _BUSINESS_PART.search(found) and not _HOME_PART.search(found):
        return bool(person)
    tail = after.split(". ")[0]
    return not (_OF_COMPANY.search(tail) and not person)
