"""Street addresses of people: found by their shape, told from a company's by what stands around them.

A company's own address (principal offices, plants, stores) is public and stays. Plain Python, no Spark, no Presidio.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import regex

_STREET = (
    "street|st|avenue|ave|road|rd|drive|dr|lane|ln|boulevard|blvd|court|ct|place|pl|way|terrace|ter|circle|cir|square"
    "|sq|parkway|pkwy|highway|hwy|trail|trl|crescent|cres|close|mews|row|spur|loop|path|run|alley|walk|gardens|grove"
    "|hill|heights|park|pike|turnpike|point|ridge|cove|crossing|bend|plaza|quay|wharf|gate|green|mount|rise|vale|view"
    "|broadway|county road|route|chome"
)
_FOREIGN = (
    "rue|via|viale|piazza|corso|rua|avenida|av|calle|carrera|paseo|travessa|largo|strada|ulica|ul|jalan|jl|impasse"
    "|quai|chemin|place|plaza|camino|rambla|prospekt|allee|am|an der|bulevar|boulevard|avenue|largo"
)
_ENDINGS = "stra(?:ß|ss)e|str\\.|gasse|platz|weg|allee|gracht|straat|laan|plein|kade|gatan|vägen|vej|gade|veien|gata|katu|utca"
_STATES = (
    "Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|District of Columbia|Florida|Georgia"
    "|Hawaii|Idaho|Illinois|Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|Minnesota"
    "|Mississippi|Missouri|Montana|Nebraska|Nevada|New Hampshire|New Jersey|New Mexico|New York|North Carolina"
    "|North Dakota|Ohio|Oklahoma|Oregon|Pennsylvania|Puerto Rico|Rhode Island|South Carolina|South Dakota|Tennessee"
    "|Texas|Utah|Vermont|Virginia|Washington|West Virginia|Wisconsin|Wyoming|A[KLRZ]|C[AOT]|D\\.?C\\.?|DE|FL|GA|GU|HI"
    "|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI|S[CD]|T[NX]|UT|V[AIT]|W[AIVY]"
)
_PROVINCES = (
    "Alberta|British Columbia|Manitoba|New Brunswick|Newfoundland|Nova Scotia|Ontario|Quebec|Québec|Saskatchewan"
    "|AB|BC|MB|NB|NL|NS|ON|QC|SK|New South Wales|Victoria|Queensland|NSW|VIC|QLD"
)
_COUNTRIES = (
    "Argentina|Australia|Austria|Belgium|Bermuda|Brazil|Bulgaria|Canada|Cayman Islands|Chile|China|Colombia|Croatia"
    "|Cyprus|Czech Republic|Czechia|Denmark|England|Estonia|Finland|France|Germany|Greece|Hong Kong|Hungary|Iceland"
    "|India|Indonesia|Ireland|Israel|Italy|Japan|Kenya|Korea|Latvia|Lithuania|Luxembourg|Malaysia|Malta|Mexico|México"
    "|Monaco|Morocco|(?:the )?Netherlands|New Zealand|Nigeria|Northern Ireland|Norway|Panama|Peru|(?:the )?Philippines"
    "|Poland|Portugal|Romania|Scotland|Serbia|Singapore|Slovakia|Slovenia|South Africa|South Korea|Spain|Sweden"
    "|Switzerland|Taiwan|Thailand|Turkey|Türkiye|U\\.?K\\.?|Ukraine|United Arab Emirates|UAE|United Kingdom"
    "|(?:the )?United States(?: of America)?|U\\.?S\\.?A\\.?|USA|Uruguay|Vietnam|Wales"
)
_POSTCODES = (
    r"\d{5}-\d{4}|\d{5}|[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d|\d{4} [A-Z]{2}|[A-Z]\d[\dW] [A-Z\d]{4}"
    r"|\d{3}-\d{4}|\d{4}-\d{3}|\d{2}-\d{3}|\d{3} \d{2}|\d{6}|\d{4}"
)
_BOX = (
    r"(?:P\. ?O\.|PO|P\.O|Post Office|Apartado(?: Postal)?|Postfach|Postbus|Casilla|Private Bag) ?(?:Box )?(?:No\. ?)?\d+"
    r"|(?:Rural )?(?:Route|RR|R\.R\.|RFD|HC) ?#?\d+,? Box \d+"
)
_UNIT = (
    r"(?:Flat|Apartment|Apt\.?|Unit|Suite|Ste\.?|Blk|Block|House|Lot|Room|Rm\.?|Floor|Trailer|Space|Penthouse|Residence"
    r"|Building|Bldg\.?|No\.|Condo|Villa|Cottage)"
)
_PARTICLE = (
    r"(?:de|des|du|del|della|delle|dei|di|da|do|dos|das|la|le|les|el|los|las|of|the|and|y|van|von|der|den|rue|via|calle"
    r"|rua|av\.|sur|aan|op|zur|am|im|a|al|in den|[dl]['\u2019]\p{Lu}[\p{L}-]*)"
)
_ABBREVIATED = (
    r"(?:St|Ste|Ave|Av|Blvd|Rd|Dr|Ln|Ct|Pl|Sq|Hwy|Pkwy|Ter|Cir|Apt|Fl|Bldg|No|Mt|Ft|Dto|Esq|Str|Rm|Ul|Jl|N|S|E|W|NE|NW|SE|SW"
    r"|P|O|D\.C|U\.K|U\.S\.A|U\.S|N\.Y|\p{Lu})\."
)
_TOKEN = regex.compile(
    rf"P\. ?O\.|{_ABBREVIATED}|\p{{Lu}}{{0,2}}\d[\w½¼¾º°ª]*(?:[/-]\w+)*|\p{{Lu}}[\p{{L}}\p{{M}}'\u2019]*(?:-[\p{{L}}\d]+)*|#[ ]?[\w-]+"
    rf"|\([A-Z]{{2}}\)|{_PARTICLE}(?= )"
)
_GAP = regex.compile(r"(?:,[ \t]*\n[ \t]*|,?[ \t]*\n[ \t]*|,[ \t]+|[ \t]+)")

_HEAD = regex.compile(
    rf"(?<![\w$€£.#/,-])(?:{_BOX}|{_UNIT} (?:No\. ?)?#?[\w-]{{1,6}},? (?=[\p{{Lu}}\d])"
    rf"|(?:\d{{1,6}}[A-Z½¼¾]{{0,2}}(?:[-/]\d{{1,5}}[A-Z]?)?(?:,(?= (?i:{_FOREIGN})\b))? |[NSEW]\d{{3,5}} |[NSEW] \d{{3,5}} )(?=\p{{Lu}}|{_PARTICLE} )"
    rf"|(?:One|Two|Three|Four|Five|Six|Seven|Eight|Nine|Ten|Eleven|Twelve) (?=\p{{Lu}})"
    rf"|(?i:{_FOREIGN})\.? (?:\p{{L}}[\p{{L}}'\u2019.-]* ){{1,6}}(?:n[.º°]? ?)?\d"
    rf"|\p{{Lu}}\p{{L}}*(?:{_ENDINGS}) ?\d|(?:\p{{Lu}}\p{{L}}+ ){{1,3}}(?i:stra(?:ß|ss)e|straat|weg|platz|utca|katu) \d)"
)
MAYBE = _HEAD
"""Found in every text that holds a span: the cheap test before the search."""

_HAS_STREET = regex.compile(rf"\b(?:{_STREET})\b\.?|(?:{_ENDINGS})\b", regex.IGNORECASE)
_HAS_FOREIGN = regex.compile(rf"\b(?:{_FOREIGN})\b|(?:{_ENDINGS})\b", regex.IGNORECASE)
_HAS_BOX = regex.compile(_BOX)
_US_TAIL = regex.compile(rf"(?:\b(?:{_STATES}|{_PROVINCES}))\b\.?,?\s+(?:\d{{5}}(?:-\d{{4}})?|[A-Z]\d[A-Z] ?\d[A-Z]\d|\d{{4}})\b")
_STATE_END = regex.compile(rf"[,\s](?:{_STATES}|{_PROVINCES})\.?$")
_COUNTRY = regex.compile(rf"[,\s](?:{_COUNTRIES})\b(?:,? \d{{4,6}}\b)?")
_POSTCODE = regex.compile(rf"(?<![\w-])(?:{_POSTCODES})(?![\w-])")
_FIRM_POSTCODE = regex.compile(
    r"(?<![\w-])(?:[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d|\d{4} [A-Z]{2}|\d{4}-\d{3})(?![\w-])"
)

_OF_COMPANY = regex.compile(
    r"principal executive|executive offices?|headquarter|registered office|corporate office|our offices?|its offices?"
    r"|\b(?:our|its|the company[\u2019']s|the registrant[\u2019']s)(?: [\w-]+){0,4}? (?:office|plant|facilit|warehouse|store"
    r"|laborator|factory|campus|building|depart|mill|branch|center|centre|site|mine|refiner|terminal|lockbox|box|address)"
    r"|\bthe company[\u2019']s(?= ?:)|\b(?:plant|facility|warehouse|factory|refinery|terminal|laboratory|data center|hotel"
    r"|clinic|hospital|restaurant|showroom|mall|shopping center|store) (?:at|in|on)\b"
    r"|\b(?:inc|llc|l\.l\.c|corp|corporation|l\.p|lp|llp|ltd|limited|company|n\.a|plc|bank|trust company|sec|commission"
    r"|court|agency|department|division|administration)\b\.?,?(?: at| of| is| located| in|:|,|;|\n|$)"
    r"|\btransfer agent\b|\bagent for service\b|\blegal department\b|\bcopy to\b|\bour counsel\b|\blaw firm\b"
    r"|\blockbox\b|\bsquare feet\b|\baddress for notices\b|\bprivate mailbox of the company\b",
    regex.IGNORECASE,
)
_OF_PERSON = regex.compile(
    r"\b(?:he|she|his|her|hers|him|my|i|wife|husband|spouse|sister|brother|mother|father|son|daughter|aunt|uncle|nephew"
    r"|niece|cousin|widow|widower|heirs?|child|parent|grandmother|grandfather|minor|custodian|estate|decedent|deceased"
    r"|home|household|house|residen\w*|resid(?:es?|ed|ing)|liv(?:es?|ed|ing)|dwell\w*|domicile\w*|apartment|tenant"
    r"|individual|natural person|executive[\u2019']s|the executive|employee|participant|optionee|grantee|beneficiary"
    r"|guarantor|borrower|indemnitee|subscriber|stockholder representative|holder|customer|patient|passenger|driver"
    r"|depositor|policyholder|claimant|plaintiff|complainant|consultant|retiree|pensioner|seller|purchaser|buyer"
    r"|undersigned|witness\w*|signed|mr|mrs|ms|miss|messrs|dr|ssn|social security|passport|born|birth|beneficial owner"
    r"|director[\u2019']s|trustee|shipping|personal|private|mailing address|former)\b|/s/|\[(?:PERSON|SSN|PHONE|EMAIL)\]",
    regex.IGNORECASE,
)
_BUSINESS_PART = regex.compile(
    r"\b(?:Suite|Ste|Floor|Fl|Tower|Plaza|Center|Centre|Campus|Corporate|Industrial|Building)\b|\b\d+(?:st|nd|rd|th) Floor\b"
)
_HOME_PART = regex.compile(r"\b(?:Apt|Apartment|Flat|Unit|Residence|Lot|Trailer|Upstairs|Downstairs|Penthouse)\b|#")
_COVER = regex.compile(
    r"registrant[\u2019']s telephone|commission file|exact name of (?:the )?registrant|principal executive office",
    regex.IGNORECASE,
)
BEFORE, AFTER = 110, 70
"""Characters around an address in which its owner is looked for."""
COVER_PAGE = 250
"""Characters around an address in which words of a filing's cover page make it the registrant's."""
MAX_TOKENS = 30


def addresses(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each address of a person, in order, without overlaps."""
    done = 0
    for head in _HEAD.finditer(text):
        if head.start() < done:
            continue
        end = _end(text, head.start())
        if end is None:
            continue
        done = end
        if _is_persons(text, head.start(), end):
            yield head.start(), end


def _end(text: str, start: int) -> int | None:
    """Where the address that begins there ends; None when it is none."""
    ends, at = [], start
    for _ in range(MAX_TOKENS):
        token = _TOKEN.match(text, at)
        if token is None:
            break
        ends.append(token.end())
        gap = _GAP.match(text, token.end())
        if gap is None:
            break
        at = gap.end()
    for end in reversed(ends):
        if _is_address(text[start:end]):
            return _trimmed(text, start, end)
    return None


def _is_address(found: str) -> bool:
    """Whether the tokens are a whole address: a street or box, and the place that ends it."""
    if not _ends_in_place(found):
        return False
    first, _, rest = regex.sub(r"\s*\n\s*", ", ", found).partition(",")
    if not rest and not _HAS_STREET.search(first) and not _HAS_BOX.search(first):
        return False
    return True


def _ends_in_place(found: str) -> bool:
    """Whether a state with its code, a postcode with a place, or a country stands at the end."""
    tail = list(_US_TAIL.finditer(found))
    if tail and tail[-1].end() == len(found):
        return True
    country = list(_COUNTRY.finditer(found))
    if country and country[-1].end() == len(found):
        return bool(_POSTCODE.search(found) or _HAS_STREET.search(found) or _HAS_FOREIGN.search(found) or _HAS_BOX.search(found))
    firm = list(_FIRM_POSTCODE.finditer(found))
    if firm and firm[-1].end() == len(found):
        return True
    if _STATE_END.search(found):
        return bool(_HAS_STREET.search(found) or _HAS_BOX.search(found))
    parts = found.replace("\n", ", ").split(", ")
    foreign = bool(_HAS_FOREIGN.search(parts[0])) and len(parts) > 1
    return foreign and bool(regex.fullmatch(rf"(?:{_POSTCODES}) \p{{Lu}}[\p{{L}} '-]+(?: [A-Z]{{2}})?|\p{{Lu}}[\p{{L}} '-]+ (?:{_POSTCODES})", parts[-1]))


def _trimmed(text: str, start: int, end: int) -> int:
    while end > start and text[end - 1] in " ,\n":
        end -= 1
    return end


def _is_persons(text: str, start: int, end: int) -> bool:
    """Whether a person's words stand nearer to the address than a company's."""
    before, found, after = text[max(0, start - BEFORE) : start], text[start:end], text[end : end + AFTER]
    if _COVER.search(text, max(0, start - COVER_PAGE), end + COVER_PAGE):
        return False
    sentence = regex.split(r"(?<=[a-z\d)\]]{2}[.;])\s+(?=\p{Lu})", before)[-1]
    company = [match.end() for match in _OF_COMPANY.finditer(sentence)]
    person = [match.end() for match in _OF_PERSON.finditer(before)]
    offset = len(before) - len(sentence)
    if company and (not person or company[-1] + offset >= person[-1]):
        return False
    if _BUSINESS_PART.search(found) and not _HOME_PART.search(found):
        return bool(person)
    tail = after.split(". ")[0]
    return not (_OF_COMPANY.search(tail) and not person)
