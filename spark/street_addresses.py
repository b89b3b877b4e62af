"""Street addresses of people: found by their shape, told from a company's by what stands around them.

A company's own address (principal offices, plants, stores) is public and stays. Plain Python, no Spark, no Presidio.
"""

from __future__ import annotations

from collections.abc import Iterator

import regex

from spark.address_fields import fields
from spark.address_owners import BY_WAY, COMPANY_WITHIN, is_person, is_persons, named
from spark.signature_names import is_name
from spark.vocabulary import (
    CITIES,
    COUNTRIES,
    FOREIGN_STREETS,
    PROVINCES,
    STATES,
    STREET_ENDINGS,
    STREETS,
)

_POSTCODES = (
    r"\d{5}-\d{4}|\d{5}|[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d|\d{4} [A-Z]{2}|[A-Z]\d[\dW] [A-Z\d]{4}"
    r"|\d{5}-\d{3}|\d{7}|[A-Z]{2}\d-\d{4}|\d{3}-\d{4}|\d{4}-\d{3}|\d{2}-\d{3}|\d{3} \d{2,3}|\d{6}|[A-Z]{1,2}-\d{4,5}"
    r"|(?!19\d\d|20\d\d)\d{4}"
)
_BOX = (
    r"(?:P\. ?O\.|P ?O|P\.O|POB|GPO|B\.?P\.?|C\.?P\.?|Caixa Postal|Casella Postale|Boîte Postale|Locked Bag|Post Office"
    r"|Apartado(?: Postal)?|Postfach|Postbus|Casilla|Private Bag) ?(?:Box |Drawer )?(?:No\. ?)?\d+|General Delivery"
    r"|Box \d+,|(?:Rural |Star )?(?:Route|Rt\.?|Rte\.?|R\.D\.|HCR|RR|R R|R\.R\.|RFD|HC|PSC|CMR|Unit) ?#?\d+,?"
    r" (?:Box|BOX) \d+"
)
_UNIT = (
    r"(?:Flat|Apartment|Apt\.?|Unit|Suite|Ste\.?|Blk|Block|House|Lot|Room|Rm\.?|Floor|Trailer|Space|Penthouse|Residence"
    r"|Building|Bldg\.?|No\.|Condo|Villa|Cottage|Plot|Stand|Casa|Level|Site|Slip|Berth|Tower|Number|PH)"
)
_UNIT_NUMBER = r"(?!(?:at|of|in|on|to|for|and|the|is|by)\b)[\w-]{1,6}"
_PARTICLE = (
    r"(?:de|des|du|del|della|delle|dei|di|da|do|dos|das|la|le|les|el|los|las|of|the|y|van|von|der|den|upon|on|in|by"
    r"|near|vor|bei|en|sous|sur|rue|via|calle"
    r"|rua|av\.|ul\.|bis|apto|apt|appt|app|piso|sur|aan|op|zur|am|im|a|al|in den|[dl]['\u2019]\p{Lu}[\p{L}-]*)"
)
_ABBREVIATED = (
    r"(?:St|Ste|Ave|Av|Blvd|Rd|Dr|Ln|Ct|Pl|Sq|Hwy|Pkwy|Ter|Cir|Apt|Fl|Bldg|No|Co|Col|App|Appt|Mt|Ft|Dto|Esq|Jr|Rt"
    r"|Rte|Calif|Ariz|Ala|Ark|Colo|Conn|Fla|Ill|Ind|Kan|Kans|Mass|Mich|Minn|Miss|Mont|Neb|Nebr|Nev|Okla|Ore|Oreg|Pa"
    r"|Penn|Tenn|Tex|Vt|Va|Wash|Wis|Wyo|Md|Mo|Ky|La|Ga|Del|Terr|Str|Rm|Ul|Jl|N|S|E|W|NE|NW|SE|SW"
    r"|Urb|Cj|Ap|Apto|Bl|Alam|Avda|Bd|Boul|Int|Apts|Bât|Bat|Piso|depto|bte|Gro|Gto|Jal|Qro|Me|Xing|P|O|D\.C|U\.K"
    r"|U\.S\.A|U\.S|N\.Y|\p{Lu})\."
)
_TOKEN = regex.compile(
    rf"(?!City(?:,|/|\n) ?State)(?!(?!No:)[\p{{L}}-]+:)(?:\d+\.?[º°ª](?=[ ,])|\d{{1,2}}\.(?= (?:th|tv|mf|sal|og)\b)"
    rf"|\d{{1,3}}\.(?= [IVX]{{1,4}}[/.]|,? \d{{1,2}}\. ?em)|[IVX]{{1,4}}/\d+"
    rf"|n[.º°]{{1,2}}(?= \d)"
    rf"|\p{{Lu}}\p{{Ll}}{{0,5}}\.(?=,)"
    rf"|\p{{Lu}}\p{{L}}*(?:str|pl|gt)\.(?= \d)|P\. ?O\.|(?:\p{{Lu}}\.){{2,3}}|{_ABBREVIATED}"
    rf"|Newfoundland and Labrador|Trinidad and Tobago|Bosnia and Herzegovina|Antigua and Barbuda"
    rf"|\d{{1,4}}\.\d(?= )|Mi\.|\d{{1,2}}\.\d{{3}}(?=,)|\d{{1,2}}F\.?(?=,)|No: ?\d[\w/-]*|\"[A-Z]\"|C/(?= )"
    rf"|Sec\.(?= \d)|\(R\.O\.C\.\)"
    rf"|\p{{Lu}}{{0,2}}\d[\w½¼¾º°ª]*(?:[/-]\w+)*"
    rf"|\p{{Lu}}[\p{{L}}\p{{M}}'\u2019]*(?:-[\p{{L}}\d]+)*|#[ ]?[\w-]+"
    rf"|\((?:[A-Z]{{2}}|\p{{Lu}}\p{{L}}+)\)|〒|(?:{FOREIGN_STREETS})\.?(?= )"
    rf"|{_PARTICLE}(?=[ ,])|(?:gate|vei|veg|gade|väg|plads|cross|main|stage|phase)(?=[ ,])|(?:th|tv"
    rf"|st|kv|ap|bl|dom|esc|izq|dcha|esq|dto|drt|mf|bte|lgh|int|d|m)\.?(?=[\s,]|$)|floor(?=,)"
    rf"|(?!at|and|to|from|or|until|with|for|phone|fax|tel)\p{{Ll}}{{1,12}}\.?(?= #?\d)|upstairs|downstairs|rear)"
)
_GAP = regex.compile(r"[^\S\n]*[,/]?[^\S\n]*\n[^\S\n]*|(?:,|[^\S\n][/\u2013-]|[/\u2013-])?[^\S\n]+|/(?=[A-Z]{2}\b)")

_NUMBER = (
    # Two zeros, or one before a dash, begin an account's or a certificate's number.
    r"(?!00|0\d+-)\d{1,6}(?:-?[A-Z]|[a-h]|[A-Z½¼¾]{0,2})(?:[-/]\d{1,5}[A-Z]?){0,3}(?: 1/2)?(?: bis)?"
    rf"(?:,(?= (?i:{FOREIGN_STREETS})\b))? "
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
    "Chalet|Hacienda|Finca|Casa|Villa|Château|Chateau|Schloss|Hof|Mas|Quinta|Kibbutz|Rancho|Fazenda|Palazzo|Haus"
    "|Domaine"
)
_HOUSE = regex.compile(
    rf"(?:The )?(?:\p{{Lu}}[\p{{L}}'-]+ ){{1,3}}(?:{_HOUSES}|(?i:{STREETS}))\.?, (?=\p{{Lu}})"
    rf"|(?:{_ESTATES}) (?:\p{{L}}[\p{{L}}'-]+ ){{0,3}}\p{{Lu}}[\p{{L}}'-]+, (?=\p{{Lu}})"
)
_INDIAN_NUMBERS = r"New|Old|H\.|D\.|Door|House"
"""What stands before "No." where houses in India have a number of their own."""
_HEAD = regex.compile(
    # A first sign that rules out most words keeps the search fast.
    rf"(?<![\w$€£.#/,'\u2019-])(?=[\p{{Lu}}\d#]|rue |via |calle |rua |ul\.? |av\.? |avenida |chemin |strada |avenue "
    rf"|ch\. |boul\. |boulevard |route de |quai |allée )(?:{_BOX}"
    rf"|{_UNIT} (?:No\. ?)?#?{_UNIT_NUMBER},? (?=[\p{{Lu}}\d])"
    rf"|(?:{_NUMBER}|[NSEW]\d{{3,5}} |[NSEW]\.? \d{{2,5}} |[NSEW]\d{{1,5}} (?=[NSEW]\d)|\d{{1,3}}[NSEW]\d{{2,4}} "
    rf"|[A-Z]-\d{{1,4}}[A-Z]? )"
    rf"(?=\p{{Lu}}|\d{{1,3}}(?:st|nd|rd|th) |{_PARTICLE} |(?:{FOREIGN_STREETS})\.? )"
    rf"|\d{{1,4}}[A-Z]?(?:/\d+)?, (?=(?:\p{{Lu}}[\p{{L}}.'-]* ){{1,4}}(?i:{STREETS})\b)"
    rf"|{_NUMBER_WORD}(?=\p{{Lu}})|#\d+[A-Z]?,? (?=[\d\p{{Lu}}])|\d{{1,3}}/F,? (?=[\p{{Lu}}\d])"
    rf"|\p{{Lu}}[\p{{L}}.'-]+ (?:(?:\p{{Lu}}[\p{{L}}.'-]+|{_PARTICLE}|gate|vei|väg"
    rf"|gade) ){{0,4}}+\d{{1,4}}(?:[ -]?[A-Za-z]\b)?"
    r"(?:/\d{1,3}){0,2}(?=,? ?\n?(?:[^,\n]{1,14}, ){0,2}(?!(?:19|20)\d\d\b)(?:[A-Z]{1,2}-)?(?:\d{4,6}|\d{3} \d{2}"
    r"|\d{2}-\d{3})"
    r"(?:-\d{3}| [A-Z]{2})? \p{Lu}\p{L})"
    rf"|(?:\p{{Lu}}[\p{{L}}'-]+\.? ){{1,4}}\d{{1,4}}[A-Za-z]?(?:[/-]\w{{1,4}})?(?=, (?!(?:19|20)\d\d\b))"
    rf"|[A-Z]-?\d{{1,4}}[A-Z]?, (?=\p{{Lu}})|(?:{_INDIAN_NUMBERS}|Plot|Survey) No\. ?\d"
    r"|R\.?R\.? ?#? ?\d{1,3}, (?=\p{Lu})|Urb\. |Urbanización "
    r"|\d{1,2}F\d, (?=\d)|〒"
    rf"|(?:(?<=\n)(?:\p{{Lu}}[\p{{L}}'-]+,?\n){{1,2}}|(?:\p{{Lu}}[\p{{L}}'-]+, ){{1,3}})(?:Co\."
    rf"|County) \p{{Lu}}\p{{L}}+(?=,|\n| [A-Z]\d)"
    rf"|\d{{1,2}}F\., "
    rf"|(?i:{FOREIGN_STREETS})\.? (?:\p{{L}}[\p{{L}}'\u2019.-]* ){{0,5}}\p{{L}}[\p{{L}}'.-]*,? (?:(?:n[.º°]{{0,2}}"
    rf"|d\.|No[.:]) ?)?"
    r"(?:\d|s/n)"
    r"|(?i:(?:(?:U\.? ?S\.?|state|county|old|farm(?:[ -]to[ -]market)?|ranch(?:[ -]to[ -]market)?|texas|interstate)"
    r" ){0,2}(?:highway|hwy\.?|route|rte\.?|rt\.?|f\.?m\.?|c\.?r\.?|s\.?r\.?|r\.?m\.?|road|rd\.?)"
    r" (?:no\. ?|#)?\d{1,5}[a-z]?)(?=[ ,\n]+\p{Lu})|(?i:mile(?:post)?|mi\.|mp) \d+(?:\.\d+)?,? (?=\p{Lu})"
    rf"|{_EUROPEAN}|{_HOUSE_NAME}"
    rf"|{_HOUSE.pattern}|\p{{Lu}}\p{{L}}*(?:{STREET_ENDINGS}) ?\d|(?:\p{{Lu}}\p{{L}}+ ){{1,3}}(?i:stra(?:ß|ss)e"
    rf"|straat|weg|platz|utca|út|útja|tér|körút|krt\.|sétány|katu|prospekt|allé|caddesi|cad\.|sokak|blvd\.?"
    rf"|cottages?|gardens),? (?:No: ?)?\d)"
)

_HOUSE_WORD = (
    rf"(?:{_HOUSES}|Forge|Apartments|Apt\.|Apts\.|Flats|Works|Mansions|Marina|Towers?|Heights|Gardens|Condominiums?"
    rf"|Manse"
    r"|Parsonage|Presbytery|Stables|Orchard|Oast)"
)
_HOUSE_PART = (
    rf"(?:{_UNIT}\.? (?:No\. ?)?#?{_UNIT_NUMBER}|#\d\w*|Mile \d+(?:\.\d)?|PMB #?\d+|\d{{1,4}}-dong \d{{1,4}}-ho"
    rf"|(?i:b[âa]t|appt?)\.? \w{{1,3}}"
    rf"|\d{{1,4}}[A-Z]?, (?:\p{{Lu}}[\p{{L}}' ]{{2,25}})|\d{{1,4}}-\d{{1,4}}(?=, \p{{Lu}})"
    rf"|(?:The )?(?:\p{{Lu}}[\p{{L}}'\u2019.-]+ ){{0,3}}{_HOUSE_WORD}"
    rf"|(?:Résidence|Residencia|Residencial|Edificio|Edifício|{_ESTATES}) [\p{{L}}' ]{{2,30}})"
)
_HOUSE_BEFORE = regex.compile(
    rf"(?:^|(?<=[\s(:;,|\"\u201c]))((?:{_HOUSE_PART}(?:,?\s|/)){{1,3}}|{_UNIT}\.? |\d{{1,4}} - )$"
)
"""Parts of an address that stand before its street."""
_NAME_BEFORE = regex.compile(
    r"(?|\b(?:of|at)\s(\"\p{Lu}[\p{L}' ]{2,25}\",\s)$"
    r"|(?:\b(?:at|known as|occupies the|of the)\s|(?i:address|residence|home)[^:\n]{0,25}:\s?)"
    r"((?:(?:The )?\p{Lu}[\p{L}'\u2019.-]+(?: [\p{L}'\u2019.-]+){0,3},\s){1,2})$)"
)
_NAME_BEHIND_OWNER = regex.compile(
    r"(?:^|[\n;:(|])\s*([^\n;:("
    r"|,]{5,40}), ([\"\u201c]?(?:The )?\p{Lu}[\p{L}'\u2019-]+(?: [\p{L}'\u2019-]+){0,2}[\"\u201d]?), $"
)
PARTS_REACH = 70
"""Characters before a street in which the parts that stand before it are looked for."""

_HAS_STREET = regex.compile(rf"\b(?:{STREETS})\b\.?|(?:{STREET_ENDINGS})(?!\w)", regex.IGNORECASE)
_HAS_FOREIGN = regex.compile(rf"\b(?:{FOREIGN_STREETS})\b|(?:{STREET_ENDINGS})(?!\w)", regex.IGNORECASE)
_HAS_BOX = regex.compile(_BOX)
_US_TAIL = regex.compile(
    rf"(?:\b(?:{STATES}|{PROVINCES}))(?!\w)[.)]?,?\s+(?:[-\u2013] )?(?:\d{{5}}(?:-\d{{4}})?|[A-Z]\d[A-Z] ?\d[A-Z]\d"
    rf"|\d{{4}})\b"
)
_STATE_END = regex.compile(rf"[,\s(/](?:{STATES}|{PROVINCES})[.)]?$")
_CITY_END = regex.compile(rf", (?:{CITIES})$")
_NUMBERED = regex.compile(r"\d{1,5}[A-Z]?(?:[-/]\d{1,4})* \p{Lu}[^,\n]{2,40}, [^,\n]{2,40}, ")
"""A house number, a street and a town in a country whose words for streets are not known."""
_BARE_STREET = regex.compile(
    rf"(?!(?:19|20)\d\d )\d{{2,5}} \p{{Lu}}[\p{{L}}']+(?: \p{{Lu}}[\p{{L}}']+)?, "
    rf"\p{{Lu}}[\p{{L}}.']+(?: \p{{Lu}}[\p{{L}}']+){{0,2}}, (?:{STATES})"
)
"""A street without a word for its kind, a town and a state."""
_COUNTRY_BEHIND = regex.compile(
    rf"(?:,?[^\S\n]+|,?[^\S\n]*\n[^\S\n]*)(?:{COUNTRIES}|România|Türkiye)(?:\.|(?!\w))(?: \(R\.O\.C\.\))?"
    r"|(?:,?(?: and)?(?: in)?(?: the)? (?:Town|City|County|Village|Borough|Parish|Township|State|Commonwealth) of"
    r" \p{Lu}\p{L}+(?: (?:of )?\p{Lu}\p{L}+)?){1,4}"
    r"|[^\S\n](?:[A-Z]{1,2}\d{1,2}(?=\s*(?:[\n,.;|]|$))|\(R\.O\.C\.\))"
)
"""A country, a county and state in words, or half a British postcode, right behind what else is an address."""
_CITED = regex.compile(
    r"(?i:title|chapter|section|article|part|rule|item|form|note|schedule|exhibit|regulation|table|page|volume|class"
    r"|series|phase|tranche|figure|appendix|annex|amendment|version|type|category|grade|step|year|plant|local|store"
    r"|branch|mine|well|terminal|warehouse|facility|shop|district|group|tier|q[1-4]|fy)s? \d"
    r"|(?:19|20)\d\d (?:\p{Lu}\p{L}+ ){0,2}(?:Trust|Plan|Act|Notes?|Form|Report|Agreement|Bonds?|Series|Program"
    r"|Lease|Budget)\b|(?:\p{Lu}[\p{L}.]* ){0,3}#?\d{3}-\d{2}-\d{4}(?!\d)"
)
"""The beginning of what is cited or counted, or a number of a person, and no address."""
_COUNTRY = regex.compile(rf"[,\s](?:{COUNTRIES})\b(?:,? (?:\d{{3}}-\d{{4}}|\d{{4,6}})\b)?")
_POSTCODE = regex.compile(rf"(?<![\w-])(?:{_POSTCODES})(?![\w-])")
_FIRM_POSTCODE = regex.compile(
    r"(?<![\w-])(?:[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d|\d{4} [A-Z]{2}|\d{4}-\d{3}"
    r"|\d{5}-\d{3}|[A-Z]{2}\d-\d{4}|[A-Z]\d[\dW] [A-Z\d]{4})(?![\w-])"
)

_SHORT_STREET = regex.compile(
    rf"(?:{_NUMBER}|{_NUMBER_WORD}|[NSEW]\d{{3,5}} )(?:[\p{{Lu}}\d][\p{{L}}\d.'\u2019-]* ){{1,4}}?(?i:{STREETS})\b\.?"
    r"(?: (?:N|S|E|W|NE|NW|SE|SW|North|South|East|West)\.?)?(?:,? (?:#|Apt|Unit|Apartment|Lot)\.? ?[\w-]+)?"
)
_CUE = regex.compile(
    r"(?:\b(?:liv(?:es?|ed|ing)|resid(?:es?|ed|ing)|domiciled|dwelling|moved|mailed|sent|served)"
    r"(?: with [\w' ]{3,20})?"
    r" (?:at|in|on|to)|\bresident (?:of|at|in)|\b(?:home|house|residence|apartment|flat|condominium|cottage"
    r"|farm)\b(?! address"
    r"| office)(?:,| is| was|:)?(?: at"
    r"| of| in)?"
    r"|\b(?:his|her|my|their|\w[\u2019']s?|home|mailing|residential|residence|street|postal|private|personal|known"
    r"|forwarding"
    r"|current|former|new|old|notice) address(?: for notices?)?(?: is| was| of record is)?:?|(?:^"
    r"|\n)\W*(?:[\p{L}'\u2019]+ ){0,3}(?:Address"
    r"|Street|Residence|Home|Domicile|Wohnsitz|Anschrift)(?: of (?:record|witness))?:)"
    r"[ \n\"\u201c]+(?=[\p{Lu}\d])",
    regex.IGNORECASE,
)
"""Words that lead to a person's address, up to the place where it begins."""
_CUE_HINT = regex.compile(
    r"(?i:address|street|residence|home|house|apartment|flat|condominium|cottage|farm|liv(?:es?|ed|ing)|resid(?:es?|ed"
    r"|ing)|domiciled"
    r"|dwelling|moved|mailed|sent|served)[\w ,:']{0,35}[ \n\"\u201c]+[\p{Lu}\d]"
)
_HOME_BEFORE = regex.compile(
    r"\b(?:liv(?:es?|ed|ing)|resid(?:es?|ed|ing|ence)|home|house|household|dwelling|apartment|domicile|moved|his|her"
    r"|my|street(?=:)"
    r"|widow|address|handed|delivered|Mr|Mrs|Ms|Dr|Prof)\b",
    regex.IGNORECASE,
)
HOME_REACH = 45
"""Characters before a short address in which words of a home make it a person's."""
_STREET_LINE = regex.compile(r"\d{1,5}[A-Z]? \p{Lu}[\p{L}.' ]{2,30}(?=\s*(?:\n\s*\n|$))")
_TITLED = regex.compile(r"(?:Mr|Mrs|Ms|Miss|Dr)\b|(?:Witness|Name|Signed|By)\s*:", regex.IGNORECASE)
NAME_REACH = 60
"""Characters before an address in which the name of its owner stands."""
MAX_SHORT_PARTS = 4
_HOUSE_NUMBER = regex.compile(rf"(?:{_INDIAN_NUMBERS}) No\. ?\d")
"""The number of a house in India, where a sector or a ward may stand instead of a street."""
_CITY_CODE = regex.compile(
    r"\b(?:(?:Tokyo|Osaka|Kyoto|Yokohama|Nagoya|Kobe|Sapporo|Fukuoka) \d{3}-\d{4}|Dublin \d{1,2}W?)(?!\w)"
)
_TOWN = regex.compile(
    rf"(?:{_POSTCODES}) \p{{Lu}}[\p{{L}} '-]+(?: [-\u2013]? ?[A-Z]{{2}})?"
    rf"|\p{{Lu}}[\p{{L}} '-]+ (?:[-\u2013] )?(?:{_POSTCODES})"
)
_PLOT = regex.compile(rf"{_UNIT}\b|[A-Z]-?\d{{1,4}}[A-Z]?,|(?:{_INDIAN_NUMBERS}|Plot) No\.|\d[\d/-]+,|#\d+")
"""The beginning of an address by plot, block or flat, in which no street need stand."""
_TOWN_LINE = regex.compile(
    rf"\s*\n\s*City\b[^:\n]{{0,25}}:\s*(\p{{Lu}}[\p{{L}}.' -]+,? (?:{STATES})\b\.?,? {{0,2}}\d{{5}}(?:-\d{{4}})?)"
)
"""The second line of an address in a form to fill in."""
_AND = regex.compile(
    rf"(?:[,;]|[,;]?(?= (?:and|or|&)\b))[ ]+(?:(?:and|or|&) )?(?:{BY_WAY},? )?"
    r"(?:(?:at|from|of|in) )?(?:\(?[\da-z]{1,3}\) )?"
    r"|(?: [\d,]+ sh(?:ares)?| \(\p{Lu}[\p{L} .]{1,30}\))?\n(?:\d+[.)]? )?"
)
"""What may stand between the addresses of a list in which no owner is named."""
_NUMBERED_ROW = regex.compile(
    rf"\d[\w-]* (\p{{Lu}}[^/\n]{{2,60}}?)(?: / | - )(?:#?\d[\w-]* \p{{Lu}}|\d+\w{{2}} \p{{Lu}}|{_BOX})"
)
MAX_TOKENS = 30
MAX_ENDS = 8
"""How many of the places at which an address may end are looked at, the last ones."""
PLACE_REACH = 30
"""Characters of the longest name of a state or country, or of a postcode with its town."""
_ZIP_END = regex.compile(rf"(?<!\w)(?:{STATES})[.)]?,?\s+\d{{5}}(?:-\d{{4}})?$")
"""A state and its code: behind it, on the next line, another address may begin."""
_CODE_NEAR = regex.compile(r"\d{3}|\d ?[A-Z]{2}\b|[A-Z]\d{1,2}(?!\w)")
_PLACE_NAME = regex.compile(rf"(?<!\w)(?:{STATES}|{PROVINCES}|{COUNTRIES}|{CITIES})[.)]?$")
_DIGIT = regex.compile(r"\d")


def likely(text: str) -> bool:
    """Whether an address of a person stands in the text."""
    return next(addresses(text), None) is not None


class _Tokens:
    """A text's tokens, each read once however many addresses may begin before it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._read: dict[int, tuple[int, int | None, bool]] = {}

    def run(self, start: int) -> tuple[list[int], list[int]]:
        """The ends of the tokens from there on, and those of them at which an address may end."""
        ends: list[int] = []
        closing: list[int] = []
        at: int | None = start
        while at is not None and len(ends) < MAX_TOKENS:
            if at not in self._read:
                self._read[at] = self._token(at)
            end, at, closes = self._read[at]
            if end < 0:
                break
            ends.append(end)
            if closes:
                closing.append(end)
                if _ZIP_END.search(self._text, max(start, end - PLACE_REACH), end):
                    break
        return ends, closing

    def _token(self, at: int) -> tuple[int, int | None, bool]:
        """The end of the token there, negative for none; where the next one begins; whether a place may end here."""
        token = _TOKEN.match(self._text, at)
        if token is None:
            return -1, None, False
        gap = _GAP.match(self._text, token.end())
        low = max(0, token.end() - PLACE_REACH)
        code = _CODE_NEAR.search(self._text, low, token.end())
        closes = code is not None or _PLACE_NAME.search(self._text, low, token.end()) is not None
        return token.end(), gap.end() if gap else None, closes


def addresses(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each address of a person, in order, without overlaps; a text without a digit has none."""
    if not _DIGIT.search(text):
        return
    done = 0
    last: bool | None = None
    tokens = _Tokens(text)
    told = {cue.end() for cue in _CUE.finditer(text)} if _CUE_HINT.search(text) else set()
    whole = {start: (end, named) for start, end, named in fields(text)}
    for start in sorted(told | whole.keys() | {head.start() for head in _HEAD.finditer(text)}):
        if start < done or _is_rows_number(text, start):
            continue
        end = _end(text, start, tokens, told=start in told)
        end = max(end or 0, whole.get(start, (0, False))[0])
        if not end or _CITED.match(text, start) or (start in told and _is_company_first(text, start, end)):
            continue
        if more := _COUNTRY_BEHIND.match(text, end):
            end = more.end()
        begin = max(done, _with_house(text, start))
        joined = last is not None and _AND.fullmatch(text, done, begin) is not None
        if not joined or COMPANY_WITHIN.search(text, begin, end):
            last = is_persons(text, begin, end, named=whole.get(start, (0, False))[1])
        if last and (start in whole or _DIGIT.search(text, start, end)):
            yield max(done, _with_name(text, begin)), end
            if town := _TOWN_LINE.match(text, end):
                yield town.span(1)
        done = end


def _end(text: str, start: int, tokens: _Tokens, *, told: bool) -> int | None:
    """Where the address that begins there ends; None when it is none. `told`: words of a home lead to this place."""
    ends, closing = tokens.run(start)
    last_ends = closing[: -MAX_ENDS - 1 : -1]
    if (line_end := _line_under_name(text, start)) is not None:
        return line_end
    if (end := next((end for end in last_ends if _is_address(text[start:end])), None)) is not None:
        return end
    named = _behind_name(text, start)
    if not named and not _at_home(text, start):
        return None
    short = next((end for end in reversed(ends) if _is_short(text[start:end])), None)
    if short is not None or not (told or (named and _HAS_STREET.search(text, start, ends[-1] if ends else start))):
        return short
    line = text.find("\n", start)
    within = [end for end in ends if line < 0 or end <= line]
    return next((end for end in reversed(within) if _is_told(text[start:end])), None)


def _is_rows_number(text: str, start: int) -> bool:
    """Whether the number there is a row's, with the owner's name behind it and the address in the next cell."""
    row = _NUMBERED_ROW.match(text, start)
    return row is not None and not _HAS_STREET.search(row[1]) and not _HAS_FOREIGN.search(row[1])


def _with_house(text: str, start: int) -> int:
    """Where the address begins, with the house, flat or box that stands before its street."""
    low = max(0, start - PARTS_REACH)
    found = _HOUSE_BEFORE.search(text, low, start)
    return int(found.start(1)) if found else start


def _with_name(text: str, start: int) -> int:
    """Where the address begins, with a house's bare name behind its owner's or behind words such as "lives at"."""
    low = max(0, start - PARTS_REACH)
    found = _NAME_BEFORE.search(text, low, start)
    if found is not None and named(found.group(1)) is None:
        return int(found.start(1))
    behind = _NAME_BEHIND_OWNER.search(text, low, start)
    if behind is None or not is_name(behind[1]) or is_name(f"{behind[1]}, {behind[2]}") or named(behind[2]) is not None:
        return start
    return int(behind.start(2))


def _at_home(text: str, start: int) -> bool:
    """Whether words of a home stand right before."""
    return bool(_HOME_BEFORE.search(text, max(0, start - HOME_REACH), start))


def _is_company_first(text: str, start: int, end: int) -> bool:
    """Whether a company's name stands between the words that lead to an address and its first number."""
    first = text[start:end].partition(",")[0]
    return not _DIGIT.search(first) and named(first) is False


def _line_under_name(text: str, start: int) -> int | None:
    """The end of a line that is a house number and a street alone, under a person's name with a title or a label."""
    if text[start - 1 : start] != "\n":
        return None
    above = text[max(0, start - NAME_REACH) : start - 1].rsplit("\n", 1)[-1].strip()
    street = _STREET_LINE.match(text, start)
    return int(street.end()) if street and _TITLED.match(above) and is_person(above) else None


def _behind_name(text: str, start: int) -> bool:
    """Whether a person's name and a comma stand right before, as in a list of persons."""
    return text[start - 2 : start] == ", " and is_person(text[max(0, start - NAME_REACH) : start - 2])


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
    within = street or bool(
        _HAS_FOREIGN.search(found) or _POSTCODE.search(found) or _PLOT.match(found) or _NUMBERED.match(found)
    )
    return (
        any(_ends_with(pattern, found) for pattern in (_US_TAIL, _FIRM_POSTCODE, _CITY_CODE))
        or (_ends_with(_COUNTRY, found) and (within or _US_TAIL.search(found) is not None))
        or (_STATE_END.search(found) and (_POSTCODE.search(found) or _HOUSE_NUMBER.match(found))) is not None
        or ((_STATE_END.search(found) or _CITY_END.search(found)) is not None and street)
        or _BARE_STREET.fullmatch(found) is not None
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
    street = (
        regex.match(_EUROPEAN, found)
        or _HAS_FOREIGN.search(streets)
        or _HAS_STREET.search(streets)
        or _PLOT.match(found)
        or regex.match(r"(?:\p{L}[\p{L}.'-]* ){1,5}\d", parts[0])
    )
    return len(parts) > 1 and bool(street and _TOWN.fullmatch(parts[-1]))
