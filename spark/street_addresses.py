"""Street addresses of people: found by their shape, told from a company's by what stands around them.

A company's own address (principal offices, plants, stores) is public and stays. Plain Python, no Spark, no Presidio.
"""

from __future__ import annotations

from collections.abc import Iterator

import regex

from spark.signature_names import is_name
from spark.vocabulary import (
    CITIES,
    COMPANY_WORDS,
    COUNTRIES,
    FOREIGN_STREETS,
    PROVINCES,
    STATES,
    STREET_ENDINGS,
    STREETS,
)

_POSTCODES = (
    r"\d{5}-\d{4}|\d{5}|[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d|\d{4} [A-Z]{2}|[A-Z]\d[\dW] [A-Z\d]{4}"
    r"|\d{5}-\d{3}|\d{7}|\d{3}-\d{4}|\d{4}-\d{3}|\d{2}-\d{3}|\d{3} \d{2,3}|\d{6}|[A-Z]{1,2}-\d{4,5}|(?!19\d\d"
    r"|20\d\d)\d{4}"
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
    r"|Urb|Cj|Ap|Apto|Bl|Alam|Avda|Bd|Boul|Int|Apts|Bât|Bat|Piso|depto|bte|Gro|Gto|Jal|Qro|Me|Xing|P|O|D\.C|U\.K"
    r"|U\.S\.A|U\.S|N\.Y|\p{Lu})\."
)
_TOKEN = regex.compile(
    rf"(?!City(?:,|/|\n) ?State)(?!(?!No:)[\p{{L}}-]+:)(?:\d+\.?[º°ª](?=[ ,])|\d{{1,2}}\.(?= (?:th|tv|mf|sal|og)\b)"
    rf"|n[.º°]{{1,2}}(?= \d)"
    rf"|\p{{Lu}}\p{{Ll}}{{0,5}}\.(?=,)"
    rf"|\p{{Lu}}\p{{L}}*(?:str|pl|gt)\.(?= \d)|P\. ?O\.|(?:\p{{Lu}}\.){{2,3}}|{_ABBREVIATED}"
    rf"|\d{{1,2}}\.\d{{3}}(?=,)|\d{{1,2}}F\.?(?=,)|No: ?\d[\w/-]*|\"[A-Z]\"|C/(?= )|Sec\.(?= \d)|\(R\.O\.C\.\)"
    rf"|\p{{Lu}}{{0,2}}\d[\w½¼¾º°ª]*(?:[/-]\w+)*"
    rf"|\p{{Lu}}[\p{{L}}\p{{M}}'\u2019]*(?:-[\p{{L}}\d]+)*|#[ ]?[\w-]+"
    rf"|\((?:[A-Z]{{2}}|\p{{Lu}}\p{{L}}+)\)|〒|(?:{FOREIGN_STREETS})\.?(?= )"
    rf"|{_PARTICLE}(?=[ ,])|(?:gate|vei|veg|gade|väg|plads|cross|main|stage|phase)(?=[ ,])|(?:th|tv"
    rf"|st|kv|ap|bl|dom|esc|izq|dcha|esq|dto|drt|mf|bte|lgh|int|d|m)\.?(?=[\s,]|$)|floor(?=,)"
    rf"|(?!at|and|to|from|or|until|with|for|phone|fax|tel)\p{{Ll}}{{1,12}}\.?(?= #?\d)|upstairs|downstairs|rear)"
)
_GAP = regex.compile(r"[^\S\n]*[,/]?[^\S\n]*\n[^\S\n]*|(?:,|[^\S\n][/\u2013-]|[/\u2013-])?[^\S\n]+|/(?=[A-Z]{2}\b)")

_NUMBER = (
    r"\d{1,6}(?:-?[A-Z]|[A-Z½¼¾]{0,2})(?:[-/]\d{1,5}[A-Z]?){0,3}(?: 1/2)?(?: bis)?"
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
_HEAD = regex.compile(
    # A first sign that rules out most words keeps the search fast.
    rf"(?<![\w$€£.#/,'\u2019-])(?=[\p{{Lu}}\d#]|rue |via |calle |rua |ul\.? |av\.? |avenida |chemin |strada |avenue "
    rf"|ch\. |boul\. |boulevard |route de |quai |allée )(?:{_BOX}"
    rf"|{_UNIT} (?:No\. ?)?#?[\w-]{{1,6}},? (?=[\p{{Lu}}\d])"
    rf"|(?:{_NUMBER}|[NSEW]\d{{3,5}} |[NSEW] \d{{3,5}} |[NSEW]\d{{2,5}} (?=[NSEW]\d)|[A-Z]-\d{{1,4}}[A-Z]? )"
    rf"(?=\p{{Lu}}|\d{{1,3}}(?:st|nd|rd|th) |{_PARTICLE} |(?:{FOREIGN_STREETS})\.? )"
    rf"|\d{{1,4}}[A-Z]?(?:/\d+)?, (?=(?:\p{{Lu}}[\p{{L}}.'-]* ){{1,4}}(?i:{STREETS})\b)"
    rf"|{_NUMBER_WORD}(?=\p{{Lu}})|#\d+[A-Z]?,? (?=\d)|\d{{1,3}}/F,? (?=[\p{{Lu}}\d])"
    rf"|\p{{Lu}}[\p{{L}}.'-]+ (?:(?:\p{{Lu}}[\p{{L}}.'-]+|{_PARTICLE}|gate|vei|väg"
    rf"|gade) ){{0,4}}+\d{{1,4}}(?:[ -]?[A-Za-z]\b)?"
    r"(?:/\d{1,3}){0,2}(?=,? ?\n?(?:[^,\n]{1,14}, ){0,2}(?!(?:19|20)\d\d\b)(?:[A-Z]{1,2}-)?(?:\d{4,6}|\d{3} \d{2}"
    r"|\d{2}-\d{3})"
    r"(?:-\d{3}| [A-Z]{2})? \p{Lu}\p{L})"
    rf"|(?:\p{{Lu}}[\p{{L}}'-]+\.? ){{1,4}}\d{{1,4}}[A-Za-z]?(?:[/-]\w{{1,4}})?(?=, (?!(?:19|20)\d\d\b))"
    r"|[A-Z]-?\d{1,4}[A-Z]?, (?=\p{Lu})|(?:New|Old|H\.|D\.|Door|House|Plot|Survey) No\. ?\d"
    r"|R\.?R\.? ?#? ?\d{1,3}, (?=\p{Lu})|Urb\. |Urbanización "
    r"|\d{1,2}F\d, (?=\d)|〒"
    rf"|(?:(?<=\n)(?:\p{{Lu}}[\p{{L}}'-]+,?\n){{1,2}}|(?:\p{{Lu}}[\p{{L}}'-]+, ){{1,3}})(?:Co\."
    rf"|County) \p{{Lu}}\p{{L}}+(?=,|\n| [A-Z]\d)"
    rf"|\d{{1,2}}F\., "
    rf"|(?i:{FOREIGN_STREETS})\.? (?:\p{{L}}[\p{{L}}'\u2019.-]* ){{0,5}}\p{{L}}[\p{{L}}'.-]*,? (?:(?:n[.º°]{{0,2}}"
    rf"|d\.|No[.:]) ?)?"
    r"(?:\d|s/n)"
    rf"|{_EUROPEAN}|{_HOUSE_NAME}"
    rf"|{_HOUSE.pattern}|\p{{Lu}}\p{{L}}*(?:{STREET_ENDINGS}) ?\d|(?:\p{{Lu}}\p{{L}}+ ){{1,3}}(?i:stra(?:ß|ss)e"
    rf"|straat|weg|platz"
    rf"|utca|katu|prospekt|allé|caddesi|cad\.|sokak|blvd\.?|cottages?|gardens),? (?:No: ?)?\d)"
)

_HOUSE_WORD = (
    rf"(?:{_HOUSES}|Forge|Apartments|Apt\.|Apts\.|Flats|Works|Mansions|Marina|Towers?|Heights|Gardens|Condominiums?"
    rf"|Manse"
    r"|Parsonage|Presbytery|Stables|Orchard|Oast)"
)
_HOUSE_PART = (
    rf"(?:{_UNIT}\.? (?:No\. ?)?#?[\w-]{{1,6}}|#\d\w*|Mile \d+(?:\.\d)?|PMB #?\d+|\d{{1,4}}-dong \d{{1,4}}-ho"
    rf"|B[âa]t\. \w{{1,3}}"
    rf"|\d{{1,4}}[A-Z]?, (?:\p{{Lu}}[\p{{L}}' ]{{2,25}})|\d{{1,4}}-\d{{1,4}}(?=, \p{{Lu}})"
    rf"|(?:The )?(?:\p{{Lu}}[\p{{L}}'\u2019.-]+ ){{0,3}}{_HOUSE_WORD}"
    rf"|(?:Résidence|Residencia|Residencial|Edificio|Edifício|{_ESTATES}) [\p{{L}}' ]{{2,30}})"
)
_HOUSE_BEFORE = regex.compile(
    rf"(?:^|(?<=[\s(:;,|\"\u201c]))((?:{_HOUSE_PART}(?:,?\s|/)){{1,3}}|{_UNIT}\.? |\d{{1,4}} - )$"
)
"""Parts of an address that stand before its street."""
_NAME_BEFORE = regex.compile(
    r"(?:\b(?:at|known as|occupies the|of the)\s|(?i:address|residence|home)[^:\n]{0,25}:\s?)"
    r"((?:(?:The )?\p{Lu}[\p{L}'\u2019.-]+(?: [\p{L}'\u2019.-]+){0,3},\s){1,2})$"
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
_COUNTRY = regex.compile(rf"[,\s](?:{COUNTRIES})\b(?:,? (?:\d{{3}}-\d{{4}}|\d{{4,6}})\b)?")
_POSTCODE = regex.compile(rf"(?<![\w-])(?:{_POSTCODES})(?![\w-])")
_FIRM_POSTCODE = regex.compile(
    r"(?<![\w-])(?:[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d|\d{4} [A-Z]{2}|\d{4}-\d{3}"
    r"|\d{5}-\d{3})(?![\w-])"
)

_FACILITY = (
    "office|plant|facilit(?:y|ies)|warehouse|store|laborator(?:y|ies)|factory|campus|building|department|mill|branch|center"
    "|centre|site|mine|refinery|terminal|lockbox|hotel|clinic|hospital|restaurant|showroom|mall|depot|garage|shop"
    "|dealership|bakery|brewery|school|church|theat(?:er|re)|pharmacy|gym|studio|salon|station|yard|pier|premises|project"
    "|construction|casino|resort|airport|hangar|quarry|well|wells|pipeline|port|tower|bank|court|courthouse|room|location"
    "|propert(?:y|ies)|development|community|complex|parcel|land|tract|space|headquarters|hub|lab|museum|library|university"
    "|college|stadium|arena|market|outlet|kiosk|farm|ranch|vineyard|winery|meeting|practice|chambers|agency"
)
_OF_COMPANY = regex.compile(
    r"principal executive|executive offices?|headquarter|registered (?:office|agent)|corporate office|our offices?"
    r"|its offices?"
    rf"|\b(?:our|its|the company[\u2019']s|the registrant[\u2019']s"
    rf"|the bank[\u2019']s)(?: [\w-]+){{0,4}}? (?:{_FACILITY}|address"
    rf"|box)s?\b|\bthe company[\u2019']s(?= ?:)|\b(?:{_FACILITY})s?(?<!\b(?:his|her|my) (?:garage|farm|ranch|property"
    rf"|land|room|building|studio|lot)),? (?:at|in|on|known as|is|are|stands?|located)\b"
    rf"|\b(?:{_FACILITY})s?,?\s*$"
    rf"|\b(?:store|branch|unit|site|plant|shop|restaurant|(?<!post )offices?|branches|stores"
    rf"|location)s?(?: no\. ?\d+)?:"
    r"|\bc/o\b|\bcare of\b|\b(?:general|legal|our|its) counsel\b|\bcorporate secretary\b|\binvestor relations\b"
    r"|\b(?:business|office|work|corporate|company|employer|registered) address\b|\bplace of business\b|\bhas its\b"
    r"|\b(?:services|partners|group|associates|trust|holdings|solutions|industries|systems|attorneys|advisors),?\s"
    r"(?:[\w ]{3,30},\s)?$|\bat law\b|\bremit\b|\battention\b|\battn\b|\bheld at\b"
    r"|\b(?:travel|report|commute)s? to\b|\bwork(?:s|ed|ing)? (?:at|in)\b|\bplace of employment\b|\bemployed at\b"
    r"|\b(?:of|by) (?:the )?(?:registrant|company|issuer|bank|fund|partnership|corporation)\b|\b(?:escrow"
    r"|transfer) agent\b|\bagent for service\b|\blegal department\b|\bcopy to\b|\blaw firm\b"
    r"|\blockbox\b|\bsquare feet\b|\bprivate mailbox of the company\b|\bpremises:"
    r"|\bvisits?\b|\bhearings?\b|\bbridge\b|\b(?:stores?|branch|branches|restaurants?|plants?) (?:opened|closed)\b"
    r"|\bour (?:\w+ ){0,2}(?:tenants|customers|patients|employees|clients|members)\b|\bpresented\b|\bcommission\b"
    r"|\brecorder\b",
    regex.IGNORECASE,
)
_OF_PERSON = regex.compile(
    r"\b(?!is\b)(?:he|she|his|her|hers|him|my|i|wife|husband|spouse|sister|brother|mother|father|son|daughter|aunt"
    r"|uncle|nephew"
    r"|niece|cousin|widow|widower|heirs?|child|children|grandmother|grandfather|minor|custodian|estate|decedent"
    r"|deceased"
    r"|home|homestead|household|house|cabin|condominium|townhouse|residen\w*|resid(?:es?|ed|ing)|liv(?:es?|ed|ing)"
    r"|dwell\w*|domicile\w*|apartment|tenant"
    r"|individual|natural person|wives|family|lady|sir|grantor|settlor|licensor|indemnitor|maker|payee|holder of record"
    r"|offeree|offerer|donor|donee|spokesman|spokeswoman|spokesperson|pilot|physician|professor|fianc\w+|roommate"
    r"|veteran|executive(?! offices?| officers?| committee)|employee|participant|optionee|grantee"
    r"|beneficiary"
    r"|guarantor|borrower|indemnitee|subscriber|stockholder representative|holder|customer|patient|passenger|driver"
    r"|depositor|policyholder|claimant|plaintiff|complainant|consultant|retiree|pensioner|seller|purchaser|buyer"
    r"|undersigned|witness\w*|signed(?! an?\b| the\b)|mr|mrs|ms|miss|messrs|dr|ssn|social security|passport|born"
    r"|birth|beneficial owner"
    r"|director[\u2019']s|trustee|shipping|personal|private|mailing address|former|owner|homeowner|applicant"
    r"|co-applicant"
    r"|defendants?|plaintiffs?|debtor|father|addressee|neighbou?rs?|farmer|student|retired|married|divorced|unmarried"
    r"|citizen|nationality|covenantors?|shareholder|stockholder|(?:previous|prior|billing"
    r"|delivery|forwarding|current|permanent|known|residential|postal|mailing) address)(?:e?s)?\b|\b(?:director"
    r"|officer|adviser|advisor|member|trustee|lender|landlord)s?:|/s/|\[(?:PERSON|SSN|PHONE"
    r"|EMAIL)\]",
    regex.IGNORECASE,
)
_BUSINESS_PART = regex.compile(
    r"\b(?:Suite|Ste|Floor|Fl|Tower|Plaza|Center|Centre|Campus|Corporate|Industrial|Building|Airport|Hangar|Pier)\b"
    r"|\b\d+(?:st|nd|rd"
    r"|th) Floor\b"
)
_HOME_PART = regex.compile(
    r"\b(?:Apt|Apartment|Apto|Flat|Unit|Residence|Lot|Trailer|Upstairs|Downstairs|Penthouse|PH-?\d+)\b|#",
    regex.IGNORECASE,
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
    r"|Residence|Home|Domicile|Wohnsitz|Anschrift)(?: of (?:record|witness))?:)"
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
_TOWN = regex.compile(
    rf"(?:{_POSTCODES}) \p{{Lu}}[\p{{L}} '-]+(?: [-\u2013]? ?[A-Z]{{2}})?"
    rf"|\p{{Lu}}[\p{{L}} '-]+ (?:[-\u2013] )?(?:{_POSTCODES})"
)
_PLOT = regex.compile(rf"{_UNIT}\b|[A-Z]-?\d{{1,4}}[A-Z]?,|(?:New|Old|H\.|D\.|Door|House|Plot) No\.|\d[\d/-]+,|#\d+")
"""The beginning of an address by plot, block or flat, in which no street need stand."""
_COVER = regex.compile(
    r"registrant[\u2019']s telephone|commission file|exact name of (?:the )?registrant|principal executive office",
    regex.IGNORECASE,
)
BEFORE, AFTER = 110, 70
"""Characters around an address in which its owner is looked for."""
COVER_PAGE = 250
"""Characters around an address in which words of a filing's cover page make it the registrant's."""
_TOWN_LINE = regex.compile(
    rf"\s*\n\s*City\b[^:\n]{{0,25}}:\s*(\p{{Lu}}[\p{{L}}.' -]+,? (?:{STATES})\b\.?,? {{0,2}}\d{{5}}(?:-\d{{4}})?)"
)
"""The second line of an address in a form to fill in."""
WIDE = 400
"""Characters before an address in which any sign of an owner is looked for where none is near."""
_DENIED = regex.compile(r"\((?:not|no)\b[^)]*\)", regex.IGNORECASE)
"""What an address is said not to be."""
_SEGMENT = regex.compile(r"[\n;]|\. (?=\p{Lu}\p{L}+:)")
"""What parts the owners of a list or table."""
_STRANGER = regex.compile(r"(?:^|[\s(\"\u201c])\p{Lu}[\p{L}\p{M}\d.'\u2019&-]*\)?[,\n(]?\s*\(?$")
"""A word with a capital right before an address: somebody's name."""
_STRANGER_AT = regex.compile(r"\s\p{Lu}[\p{L}\p{M}\d.'\u2019&-]* (?:at|of|in) $")
_SPEAKER = regex.compile(
    r"\b(?:we|our|us|the (?:company|registrant|issuer|bank|corporation|fund|trust))\b", regex.IGNORECASE
)
_AND = regex.compile(
    r"(?:[,;]|[,;]?(?= (?:and|or|&)\b))[ ]+(?:(?:and|or|&) )?(?:(?:at|from|of|in) )?(?:\(?[\da-z]{1,3}\) )?"
    r"|(?: [\d,]+ sh(?:ares)?)?\n(?:\d+[.)]? )?"
)
"""What may stand between the addresses of a list in which no owner is named."""
MAX_TOKENS = 30
MAX_ENDS = 8
"""How many of the places at which an address may end are looked at, the last ones."""
PLACE_REACH = 30
"""Characters of the longest name of a state or country, or of a postcode with its town."""
_CODE_NEAR = regex.compile(r"\d{3}|\d ?[A-Z]{2}\b|[A-Z]\d{1,2}(?!\w)")
_PLACE_NAME = regex.compile(rf"(?<!\w)(?:{STATES}|{PROVINCES}|{COUNTRIES}|{CITIES})[.)]?$")
_DIGIT = regex.compile(r"\d")
_SURELY_COMPANY = regex.compile(
    r"\baddress of (?:the )?(?:parent|company|issuer|bank|corporation|registrant)\b"
    r"|\b(?:auditor|counsel|lawyer|broker|insurer|agent|bank)s? (?:is|are|was)\b|"
    r"\b(?:company|registrant|bank|issuer|parent|corporation)[\u2019']s\s*:|\bc/o\b|\bcare of\b"
    r"|\bregistered (?:office|agent)|\b(?:insurer|auditors?|registrar|underwriters?|solicitors|broker|depositary"
    r"|(?:paying|placing|escrow|collateral|administrative|transfer|selling) agent)\s*:|\bwire to:|\bbank:|\b(?:lender"
    r"|bank|issuer|sponsor|parent|agent|registrant|company)(?:[\u2019']s)?"
    r" (?:mailing )?address"
    r"|\bagent for service|\bplace of business|\battention\b|\battn\b"
    r"|\b(?:counsel|escrow agent|transfer agent|auditors?|law firm|broker|underwriters?|custodian),\s"
    r"|\b(?:business|office|work) address|\bprincipal executive",
    regex.IGNORECASE,
)
_COMPANY_WITHIN = regex.compile(
    r"\b(?:Relations|Department|Trust|Inc|LLC|LLP|Corp|Corporation|Company|Court of|District Court)\b"
)
_LIVES = regex.compile(
    r"\b(?:resid(?:es?|ed|ing)|liv(?:es?|ed|ing)|home office|dwelling)\b[^.;]{0,40}$", regex.IGNORECASE
)
_CONTACT = regex.compile(r"(?:@[\w.-]+\w|\d{3}[-. )]+\d{4}|\[(?:EMAIL|PHONE|SSN)\])[\"',;)]*\s+$")
"""A person's other data, right before an address."""
_FOR_COMPANY = regex.compile(r"[,;.]?\s*(?:attention|attn)\b", regex.IGNORECASE)
_DWELLS = regex.compile(
    r"\b(?:resid(?:es?|ed|ing|ence|ential)|liv(?:es?|ed|ing)|home|dwelling|domicile\w*|apartment|house)\b[^.;]{0,60}$",
    regex.IGNORECASE,
)
_LABEL = regex.compile(
    r"(?:[\p{L}'\u2019]+[ ]){0,3}(?:address(?:es)?|residence|home|domicile)(?: of record)?\s*[:=]?", regex.IGNORECASE
)
_LINK = regex.compile(
    r"(?:(?:,\s*|(?<!\w)|\s+)(?:\(?an? (?:natural person|individual|[\w ]{3,30} resident)\)?|of|at|is"
    r"|with an? (?:\w+ )?address (?:at|of)"
    r"|whose (?:\w+ )?address is|having an? address at|(?:(?:home|mailing|street|residential"
    r"|residence) )?address(?: is)?:?|located at|to|in|from|son of [\p{L} ]+|daughter of [\p{L} ]+"
    r"|aged? \d+|married|single|brazilian|residing at|resident (?:at|of|in))(?!\w))*[,:;\s(|\u2013\u2014-]*$",
    regex.IGNORECASE,
)
_OWNER_NAME = regex.compile(
    r"(?<![\w.'-])(?:(?:\p{Lu}[\p{L}\p{M}.'\u2019&-]*|&|\d+|of|and|the|de|da|do|dos|von|van|der|bin|al)(?:,? "
    r"|,?\s*$)){1,9}$"
)
_INSTITUTION = regex.compile(
    rf"\b(?:{_FACILITY}|hospital|service|society|commission|division|counsel|relations|administration|bureau|board"
    r"|registrar|clerk|office|hardware|motors|foods|energy|mining|federal|national|bancorp|soci[ée]t[ée]|banque|banco|caisse|mutual|orthop\w+|vineyard"
    r"|trucking|oil|brothers|works|club|inn|lodge|hall)s?\b|&"
    r"|\b(?:GmbH|AG|SE|KG|B\.V|N\.V|S\.A|S\.p\.A|S\.r\.l|Ltda|Oy|AB|A/S|ASA|plc|LLP|LLC|Inc|Corp|Ltd|Limited|Co|P\.C|PC"
    r"|L\.P|LP|K\.K|Pvt|Private)\b",
    regex.IGNORECASE,
)
_COUPLE = regex.compile(
    r"(?:^|[,:] )(\p{Lu}[\p{L}'\u2019.-]*(?: \p{Lu}[\p{L}'\u2019.-]*){0,3}),? (?:and|&)"
    r" ((?!Sons?\b|Co\b)\p{Lu}[\p{L}'\u2019.-]*(?: \p{Lu}[\p{L}'\u2019.-]*){1,3})"
    r"(?:, (?:JTWROS|TBE|JT TEN|(?:as )?joint tenants[\w ]*|tenants [\w ]*|Trustees|husband and wife))?$"
)
"""Husband and wife, or two partners."""
_LEGAL_FORM = regex.compile(
    r"\b(?:GmbH|AG|SE|KG|B\.V|N\.V|S\.A|SARL|S\.p\.A|S\.r\.l|Ltda|Oy|AB|A/S|ASA|plc|LLP|LLC|Inc|Corp|Ltd|Limited"
    r"|P\.C|L\.P|LP"
    r"|K\.K|Pvt|PLLC)\.?$"
)
OWNER_REACH = 80
"""Characters before an address in which its owner's name is looked for."""
LEGAL_REACH = 12
"""Characters at the end of a name in which a company's legal form is looked for."""
OWNER_LINES = 3
"""Lines above an address that begins a line in which its owner's name may stand."""


def likely(text: str) -> bool:
    """Whether an address of a person stands in the text; tests that most texts fail come first."""
    return bool(_DIGIT.search(text)) and next(addresses(text), None) is not None


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
    """Yield start and end of each address of a person, in order, without overlaps."""
    done = 0
    last: bool | None = None
    tokens = _Tokens(text)
    told = {cue.end() for cue in _CUE.finditer(text)} if _CUE_HINT.search(text) else set()
    for start in sorted(told | {head.start() for head in _HEAD.finditer(text)}):
        if start < done:
            continue
        end = _end(text, start, tokens, told=start in told)
        if end is None:
            continue
        begin = max(done, _with_house(text, start))
        joined = last is not None and _AND.fullmatch(text, done, begin) is not None
        if not joined or _COMPANY_WITHIN.search(text, begin, end):
            last = _is_persons(text, begin, end)
        if last and _DIGIT.search(text, start, end):
            yield max(done, _with_name(text, begin)), end
            if town := _TOWN_LINE.match(text, end):
                yield town.span(1)
        done = end


def _end(text: str, start: int, tokens: _Tokens, *, told: bool) -> int | None:
    """Where the address that begins there ends; None when it is none. `told`: words of a home lead to this place."""
    ends, closing = tokens.run(start)
    last_ends = closing[: -MAX_ENDS - 1 : -1]
    if (end := next((end for end in last_ends if _is_address(text[start:end])), None)) is not None:
        return end
    if not _at_home(text, start):
        return None
    short = next((end for end in reversed(ends) if _is_short(text[start:end])), None)
    if short is not None or not told:
        return short
    line = text.find("\n", start)
    within = [end for end in ends if line < 0 or end <= line]
    return next((end for end in reversed(within) if _is_told(text[start:end])), None)


def _with_house(text: str, start: int) -> int:
    """Where the address begins, with the house, flat or box that stands before its street."""
    low = max(0, start - PARTS_REACH)
    found = _HOUSE_BEFORE.search(text, low, start)
    return int(found.start(1)) if found else start


def _with_name(text: str, start: int) -> int:
    """Where the address begins, with a house's bare name behind its owner's or behind words such as "lives at"."""
    low = max(0, start - PARTS_REACH)
    found = _NAME_BEFORE.search(text, low, start)
    if found is not None and _named(found.group(1)) is None:
        return int(found.start(1))
    behind = _NAME_BEHIND_OWNER.search(text, low, start)
    if (
        behind is None
        or not is_name(behind[1])
        or is_name(f"{behind[1]}, {behind[2]}")
        or _named(behind[2]) is not None
    ):
        return start
    return int(behind.start(2))


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
    within = street or bool(
        _HAS_FOREIGN.search(found) or _POSTCODE.search(found) or _PLOT.match(found) or _NUMBERED.match(found)
    )
    return (
        any(_ends_with(pattern, found) for pattern in (_US_TAIL, _FIRM_POSTCODE, _CITY_CODE))
        or (_ends_with(_COUNTRY, found) and (within or _US_TAIL.search(found) is not None))
        or (_STATE_END.search(found) is not None and _POSTCODE.search(found) is not None)
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


def _is_persons(text: str, start: int, end: int) -> bool:
    """Whether the address is a person's: by who stands right before it, then by the nearest words about an owner."""
    before, found, after = text[max(0, start - BEFORE) : start], text[start:end], text[end : end + AFTER]
    before = _DENIED.sub("", before)
    if _COVER.search(text, max(0, start - COVER_PAGE), end + COVER_PAGE) or _COMPANY_WITHIN.search(found):
        return False
    sentence = regex.split(r"(?<=[a-z\d)\]]{2}[.;])\s+(?=\p{Lu})", before)[-1]
    company = [
        match.end() + len(before) - len(sentence)
        for match in (*_OF_COMPANY.finditer(sentence), *_SURELY_COMPANY.finditer(sentence))
    ]
    company.sort()
    owner = _owner(text, start)
    near = before
    if owner is None and _STRANGER.search(before):
        near = _SEGMENT.split(before.rstrip())[-1]
    person = [match.end() + len(before) - len(near) for match in _OF_PERSON.finditer(near)]
    if (owner is False or _FOR_COMPANY.match(after)) and not _dwells(before):
        return False
    nearer = bool(company) and (not person or company[-1] >= person[-1])
    if nearer and (owner is not True or _SURELY_COMPANY.search(sentence)) and not _LIVES.search(before):
        return False
    if _BUSINESS_PART.search(found) and not _HOME_PART.search(found):
        return bool(person) and not company
    if person or owner is True or _CONTACT.search(before):
        return True
    return _by_default(text, start, end)


def _by_default(text: str, start: int, end: int) -> bool:
    """Whether an address without any sign of an owner near before it is a person's.

    It is, unless a name that is not known as a person's stands before it or a company speaks ("we"): in filings, a
    company's address rarely stands without its name or a word for the place.
    """
    before, wide = text[max(0, start - BEFORE) : start], text[max(0, start - WIDE) : start]
    tail = regex.split(r"[.;] |[|\n]", text[end : end + AFTER])[0]
    if _OF_COMPANY.search(tail):
        return False
    if _HOME_PART.search(text, start, end) or _OF_PERSON.search(tail):
        return True
    if _OF_COMPANY.search(wide):
        return False
    if _STRANGER.search(before):
        return False
    return _OF_PERSON.search(wide) is not None or not (_STRANGER_AT.search(before) or _SPEAKER.search(wide))


def _dwells(before: str) -> bool:
    """Whether words of living somewhere lead to the address."""
    return _DWELLS.search(before) is not None


def _owner(text: str, start: int) -> bool | None:
    """Whether the name right before the address, or above it in a block, is a person's; None where there is none."""
    line_start = text.rfind("\n", 0, start) + 1
    lead = text[line_start:start].strip(" \t|*\u2022")
    if lead and not _LABEL.fullmatch(lead):
        return _named(text[max(0, start - BEFORE, line_start) : start])
    above = text[max(0, line_start - 4 * BEFORE) : line_start].split("\n")
    seen: bool | None = None
    lines = [line.strip(" \t|*") for line in reversed(above)]
    filled = [line for line in lines if line][:OWNER_LINES] if lead else _touching(lines)[:OWNER_LINES]
    for line in filled:
        if _LABEL.fullmatch(line):
            continue
        verdict = False if _FOR_COMPANY.match(line) or _OF_COMPANY.search(line) else _named(line)
        if verdict is False:
            return False
        seen = seen or verdict
    return seen


def _touching(lines: list[str]) -> list[str]:
    """The lines up to the first empty one behind a filled one; the nearest comes first."""
    kept: list[str] = []
    for line in lines:
        if line:
            kept.append(line)
        elif kept:
            break
    return kept


def _named(before: str) -> bool | None:
    """Whether the text ends in a person's name; False for a company's or an institution's, None for no name."""
    linked = _LINK.search(before)
    head = before[: linked.start()] if linked else before
    name = regex.split(r"[\n;:|(]|/s/", head)[-1].strip(' ,"\u201c')
    if _LEGAL_FORM.search(name[-LEGAL_REACH:]):
        return False
    if is_name(name) or _is_couple(name):
        return True
    last = _OWNER_NAME.search(name[-OWNER_REACH:])
    if last is None or name[-OWNER_REACH:][: last.start()].endswith(" at "):
        return None
    if _INSTITUTION.search(last.group()) or any(
        word.strip(".,").lower() in COMPANY_WORDS for word in last.group().split()
    ):
        return False
    parts = last.group().rstrip(", ").removeprefix("and ").split(", ")
    return True if is_name(parts[-1]) or is_name(", ".join(parts[-2:])) else None


def _is_couple(name: str) -> bool:
    """Whether two persons stand there with "and" or "&", the first one perhaps without a family name."""
    pair = _COUPLE.search(name)
    if (
        pair is None
        or _INSTITUTION.search(pair[2])
        or any(word.strip(".,").lower() in COMPANY_WORDS for word in name.split())
    ):
        return False
    return is_name(pair[2]) and (is_name(pair[1]) or is_name(f"{pair[1]} {pair[2].split()[-1]}"))
