"""Whose an address is: a person's, which is taken, or a company's, which is public and stays.

Told by who stands right before or above it, and by the nearest words about an owner. Plain Python, no Spark.
"""

from __future__ import annotations

from itertools import islice

import regex

from spark.signature_names import is_name
from spark.vocabulary import BUSINESS_WORDS, COMPANY_WORDS

_FACILITY = (
    "office|plant|facilit(?:y|ies)|warehouse|store|laborator(?:y|ies)|factory|campus|building|department|mill|branch|center"
    "|centre|site|mine|refinery|terminal|lockbox|hotel|clinic|hospital|restaurant|showroom|mall|depot|garage|shop"
    "|dealership|bakery|brewery|school|church|theat(?:er|re)|pharmacy|gym|studio|salon|station|yard|pier|parking|premises|project"
    "|construction|casino|resort|airport|hangar|quarry|well|wells|pipeline|port|tower|bank|court|courthouse|room|location"
    "|propert(?:y|ies)|development|community|complex|parcel|land|tract|space|headquarters|hub|lab|museum|library|university"
    "|college|stadium|arena|market|outlet|kiosk|farm|ranch|vineyard|winery|meeting|practice|chambers|agency"
)
_OWN = (
    r"\b(?:his|her|my|(?:Mr|Mrs|Ms|Dr)\. [\p{L}-]{2,20}'s) (?:garage|farm|ranch|property|land|room|building|studio|lot)"
)
"""A place that is a person's own."""
_OF_COMPANY = regex.compile(
    r"principal (?:executive|office)\b"
    r"|executive offices?\b|headquarter|registered (?:office|agent)|corporate office|our offices?"
    r"|its offices?"
    rf"|\b(?:our|its|the company[\u2019']s|the registrant[\u2019']s"
    rf"|the bank[\u2019']s)(?: [\w-]+){{0,4}}? (?:{_FACILITY}|address"
    rf"|box)s?\b|\bthe company[\u2019']s(?= ?:)|\b(?:{_FACILITY})s?(?<!{_OWN}),?"
    r" (?:at|in|on|known as|is|are|stands?|located)\b"
    rf"|\b(?:{_FACILITY})s?(?<!{_OWN}),?\s*$"
    rf"|\b(?:store|branch|unit|site|plant|shop|restaurant|(?<!post )offices?|branches|stores"
    rf"|location)s?(?: no\. ?\d+)?:"
    r"|\bc/o (?!(?:his|her|my)\b)|\bcare of\b|\b(?:general|legal|our|its) counsel\b|\bcorporate secretary\b"
    r"|\binvestor relations\b"
    r"|\b(?:business|(?<!post )office|work|corporate|company|employer|registered) address\b|\bplace of business\b"
    r"|\bhas its\b"
    r"|\b(?:services|partners|group|associates|trust|holdings|solutions|industries|systems|attorneys|advisors),?\s"
    r"(?:[\w ]{3,30},\s)?$|\bat law\b|\bremit\b|\battention\b|\battn\b|\bheld at\b"
    r"|\b(?:travel|report|commute)s? to\b|\bwork(?:s|ed|ing)? (?:at|in)\b|\bplace of employment\b|\bemployed at\b"
    r"|\b(?:of|by) (?:the )?(?:registrant|company|issuer|bank|fund|partnership|corporation)\b|\b(?:escrow"
    r"|transfer|subscription|exchange|settlement|closing|paying) agent\b"
    r"|\bagent for service\b|\blegal department\b|\bcopy to\b|\blaw firm\b"
    r"|\blockbox\b|\bsquare feet\b|\bprivate mailbox of the company\b|\bpremises:"
    r"|\bvisits?\b|\bhearings?\b|\bbridge\b|\b(?:stores?|branch|branches|restaurants?|plants?) (?:opened|closed)\b"
    r"|\bour (?:\w+ ){0,2}(?:tenants|customers|patients|employees|clients|members)\b|\bpresented\b|\bcommission\b"
    r"|\brecorder\b|\bwork\s*:|\b(?:our|their|its) (?:own )?(?:lawyers|attorneys|auditors|accountants|bankers"
    r"|workshops?"
    r"|secretary|treasurer|controller|registrars?)\b"
    r"|\b(?:on file|seated|kept|inspected|read|reviewed|copied|filed|based"
    r"|located"
    r"|headquartered) (?:free of charge )?(?:at|in)\b|\bits domicile\b|\bits agent\b|\bEIN\b"
    r"|\bcommercial \w+ (?:at|on|in)\b|\bbeing a company\b|\b(?:newest|largest"
    r"|oldest|which|itself),? (?:stands? |is )?at\s*$",
    regex.IGNORECASE,
)
_OF_PERSON = regex.compile(
    r"\b(?!is\b)(?:he|she|his|her|hers|him|my|i|wife|husband|spouse|sister|brother|mother|father|son|daughter|aunt"
    r"|uncle|nephew"
    r"|niece|cousin|widow|widower|heirs?|child|children|grandmother|grandfather|minor|custodian|estate|decedent"
    r"|deceased"
    r"|home|homestead|household|house|cabin|condominium|townhouse|residen\w*|resid(?:es?|ed|ing)|liv(?:es?|ed|ing)"
    r"|dwell\w*|domicile\w*|apartment|(?:sub)?tenant"
    r"|individual|natural person|wives|family|lady|sir|grantor|settlor|licensor|indemnitor|maker|payee|holder of record"
    r"|offeree|offerer|donor|donee|spokesman|spokeswoman|spokesperson|pilot|physician|professor|fianc\w+|roommate"
    r"|veteran|executive(?! offices?| officers?| committee)|employee|participant|optionee|grantee"
    r"|beneficiary"
    r"|guarantor|borrower|indemnitee|subscriber|stockholder representative|holder|customer|patient|passenger|driver"
    r"|depositor|policyholder|claimant|plaintiff|complainant|consultant|retiree|pensioner|seller|purchaser|buyer"
    r"|undersigned|witness\w*|signed(?! an?\b| the\b)|mr|mrs|ms|miss|messrs|dr|prof|ssn|social security|passport|born"
    r"|birth|beneficial owner"
    r"|director[\u2019']s|trustee|shipping|personal|private|mailing address|former|owner|homeowner|applicant"
    r"|co-applicant"
    r"|defendants?|plaintiffs?|debtor|father|addressee|neighbou?rs?|farmer|student|retired|married|divorced|unmarried"
    r"|citizen|nationality|wohnhaft|demeurant|domiciliado|residente|supervisor|covenantors?|shareholder|stockholder"
    r"|(?:previous|prior|billing"
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
_COVER = regex.compile(
    r"registrant[\u2019']s telephone|commission file|exact name of (?:the )?registrant|principal executive office",
    regex.IGNORECASE,
)
BEFORE, AFTER = 110, 70
"""Characters around an address in which its owner is looked for."""
COVER_PAGE = 250
"""Characters around an address in which words of a filing's cover page make it the registrant's."""
WIDE = 400
"""Characters before an address in which any sign of an owner is looked for where none is near."""
_DENIED = regex.compile(r"\((?:not|no)\b[^)]*\)", regex.IGNORECASE)
"""What an address is said not to be."""
_SEGMENT = regex.compile(r"[\n;]|\. (?=\p{Lu}\p{L}+:)")
"""What parts the owners of a list or table."""
_STRANGER = regex.compile(
    r"(?:^|[\s(\"\u201c])(?!(?i:e-?mail|mail|post|courier|delivery|hand|fax)\b)"
    r"\p{Lu}[\p{L}\p{M}\d.'\u2019&-]*(?: \d{1,3})?\)?[,\n(]?\s*\(?$"
)
"""A word with a capital right before an address: somebody's name, and no way of sending."""
_STRANGER_AT = regex.compile(r"\s\p{Lu}[\p{L}\p{M}\d.'\u2019&-]* (?:at|of|in) $")
_IN_PROSE = regex.compile(r"(?<![\p{L}'])(?<!,\s|mailed\s|sent\s)\p{Ll}{2,}\s$")
"""A word of a sentence right before an address: without any word of a person it is a thing's."""
_SPEAKER = regex.compile(
    r"\b(?:we|our|us|the (?:company|registrant|issuer|bank|corporation|fund|trust))\b", regex.IGNORECASE
)
_SURELY_COMPANY = regex.compile(
    r"\baddress of (?:the )?(?:parent|company|issuer|bank|corporation|registrant)\b"
    r"|\b(?:auditor|counsel|lawyer|broker|insurer|agent|bank)s? (?:is|are|was)\b|"
    r"\b(?:company|registrant|bank|issuer|parent|corporation)[\u2019']s\s*(?::|(?:address )?is\b)|\bc/o (?!(?:his"
    r"|her|my)\b)|\bcare of\b"
    r"|\bregistered (?:office|agent)|\b(?:insurer|auditors?|counsel|attorneys|law firm|registrar|underwriters?"
    r"|solicitors|broker|dealer|depositary"
    r"|(?:paying|placing|escrow|collateral|administrative|transfer|selling|settlement|closing|title|exchange)"
    r" agent)\s*:|\bwire to:|\bbank:|\b(?:lender"
    r"|bank|issuer|sponsor|parent|agent|registrant|company)(?:[\u2019']s)?"
    r" (?:mailing )?address"
    r"|\bagent for service|\bplace of business|\battention\b|\battn\b"
    r"|\b(?:counsel|escrow agent|transfer agent|auditors?|law firm|broker|underwriters?|custodian),\s"
    r"|\b(?:business|(?<!post )office|work) address"
    r"|(?<!home )(?<!residence )(?<!residential )\baddress of each\b(?![^.]*:\s*\n\s*\n)|\bprincipal executive",
    regex.IGNORECASE,
)
COMPANY_WITHIN = regex.compile(
    r"\b(?:Relations|Department|Trust|Inc|LLC|LLP|Corp|Corporation|Company|Court of|District Court"
    r"|(?:Gate|Dock) \d{1,3})\b"
)
_LIVES = regex.compile(
    r"\b(?:resid(?:es?|ed|ing)|liv(?:es?|ed|ing)|home office|dwelling)\b[^.;]{0,40}$"
    r"|\b(?:home|house|residence|apartment|condominium|cottage),? (?:which )?(?:is |was )?(?:located|situated|based)"
    r" (?:at|in)\s*$",
    regex.IGNORECASE,
)
_CONTACT = regex.compile(
    r"(?:@[\w.-]+\w|\d{3}[-. )]+\d{4}|(?<!\d)\d{3}-\d{2}-\d{4}|\[(?:EMAIL|PHONE|SSN)\])[\"',;)]*\s+$"
)
"""A person's other data, right before an address."""
_FOR_COMPANY = regex.compile(
    r"[,;.]?\s*(?:attention|attn|\(business address)\b|,? ?\(?(?:the company's|its|our)\b"
    r"|,? (?:which|that) (?:we|our|the company|the bank|(?:a|one of our) subsidiar(?:y|ies))\b",
    regex.IGNORECASE,
)
_DWELLS = regex.compile(
    r"\b(?:resid(?:es?|ed|ing|ence|ential)|liv(?:es?|ed|ing)|home|dwelling|domicile\w*|apartment|house)\b[^.;]{0,60}$",
    regex.IGNORECASE,
)
_LABEL = regex.compile(
    r"(?:[\p{L}'\u2019]+[ ]){0,3}(?:address(?:es)?|residence|home|domicile)(?: of record)?\s*[:=]?", regex.IGNORECASE
)
BY_WAY = (
    r"(?i:by (?:first[- ]class |registered |certified |regular |overnight |express )?(?:mail|post|courier"
    r"|hand|messenger)(?: or (?:courier|messenger|overnight delivery))?)"
)
"""A way of sending, behind the one to whom it goes."""
_PARTS_LABEL = regex.compile(r"[\p{L}-]+['\u2019]s ")
"""A label that says whose address it is: a name beyond an empty line above is another's."""
_OFFICER = regex.compile(
    r"(?:,|\(|(?:title|its):?)[^\S\n]*(?:vice )?(?:general partner|president|managing (?:member|partner)"
    r"|treasurer|secretary)[^\n]{0,40}\n\s*[^\n]*$",
    regex.IGNORECASE,
)
"""The office of the one who signs for a company, on the line above an address."""
_OWN_SIGNATURE = regex.compile(r"(?!(?:By|Its)\b)[\p{L} ]{3,30}:\s*/s/")
"""The line of one who signs as a party: who signs for a company does so behind "By:"."""
_NOTICE_LABEL = regex.compile(
    r"\W*(?:\d{0,2}\(?\p{Ll}?[.)]\s*)?(?:[\p{L}'\u2019]+ ){0,3}(?:address(?:es)?|notices?|mail|checks?|residence)"
    r"(?: \p{L}+){0,3}:\s*",
    regex.IGNORECASE,
)
"""The label of an address in a form that several parties fill in."""
_PARTY = regex.compile(
    r"^\W*(?:\d{0,2}\(?\p{Ll}?[.)]\s*)?(?:(?:[\p{L}]+ ){1,3}name|name (?:of|on) [\p{L} ]{3,30}|purchaser"
    r"|subscriber|landlord|tenant|lessor|lessee|seller|buyer|holder|investor|lender|borrower|executive|employee"
    r"|optionee|guarantor|company)(?: \([\w ]+\))?:[^\S\n]*([^\n]{0,80})",
    regex.IGNORECASE | regex.MULTILINE,
)
"""A party of a form, by its label."""
_CALLED = regex.compile(
    r"(?:\bto (\p{Lu}\p{Ll}[\p{L}'\u2019-]+)(?: (?:shall|must|will|may|should) be"
    r" (?:sent|mailed|delivered|addressed|given)(?: to| at)?)?"
    r"|(?<!\S)(\p{Lu}\p{Ll}[\p{L}-]+)['\u2019]s (?:\p{Ll}+ )?address(?: is)?)[,:]?\s*$"
)
"""An owner called by one word of the name."""
_WORDS_BEFORE = regex.compile(r"(?:(?<!\S)\p{Lu}[\p{L}.'\u2019-]* ){0,3}$")
_WORDS_BEHIND = regex.compile(r"(?: \p{Lu}[\p{L}.'\u2019&-]*){0,3}")
SHORT_REACH = 2000
"""Characters around an address in which the whole name of an owner called by one word is looked for."""
MAX_PLACES = 10
"""How many places of that word are looked at."""
_LINK = regex.compile(
    r"(?:(?:,\s*|(?<!\w)|\s+)(?:\(?an? (?:natural person|individual|[\w ]{3,30} resident)\)?|of|at|is"
    rf"|{BY_WAY}|(?:both|each|all|jointly)(?= of| at| residing| resident)"
    r"|with (?:an? )?(?:\w+ )?address (?:at|of)"
    r"|(?:(?:should|must|may|shall|will|can|is|are) )?(?:go(?:es)?"
    r"|(?:be )?(?:sent|mailed|delivered|addressed|directed))"
    r"|whose (?:\w+ )?address is|having an? address at|(?:(?:home|mailing|street|residential"
    r"|residence) )?address(?: is)?:?|located at|to|in|from|son of [\p{L} ]+|daughter of [\p{L} ]+"
    r"|aged? \d+|married|single|brazilian|residing at|resident (?:at|of|in))(?!\w))*[,:;\s(|/\u2013\u2014-]*$",
    regex.IGNORECASE,
)
_OWNER_NAME = regex.compile(
    r"(?<![\w.'-])(?:(?:\p{Lu}[\p{L}\p{M}.'\u2019&-]*|&|\d+|of|and|the|de|da|do|dos|von|van|der|bin|al)(?:,? "
    r"|,?\s*$)){1,9}$"
)
_INSTITUTION = regex.compile(
    rf"\b(?:{_FACILITY}|hospital|service|society|commission|division|counsel|relations|administration|bureau|board"
    r"|registrar|clerk|office|hardware|motors|lawyers|attorneys|universit\w+|stichting|fundaci[óo]n|fondation"
    r"|stiftung|verein|euroclear|steel|foods|energy|mining|federal|national|bancorp|soci[ée]t[ée]|banque|banco"
    r"|caisse|mutual|orthop\w+|vineyard"
    r"|trucking|orchards?|fiduciary|oil|brothers|works|club|inn|lodge|hall)s?\b|&"
    r"|\b(?:GmbH|AG|SE|KG|B\.V|N\.V|S\.A|S\.p\.A|S\.r\.l|Ltda|Oy|AB|A/S|ASA|plc|LLP|LLC|Inc|Corp|Ltd|Limited|Co|P\.C|PC"
    r"|L\.P|LP|K\.K|Pvt|Private)\b",
    regex.IGNORECASE,
)
_COUPLE = regex.compile(
    r"(?:^|[,:] |\b(?:by|to|of|from|between|are|is"
    r"|and) )(\p{Lu}[\p{L}'\u2019.-]*(?: \p{Lu}[\p{L}'\u2019.-]*){0,3}),? (?:and|&)"
    r" ((?!Sons?\b|Co\b)\p{Lu}[\p{L}'\u2019.-]*(?: \p{Lu}[\p{L}'\u2019.-]*){1,3})"
    r"(?:, (?:JTWROS|TBE|JT TEN|(?:as )?joint tenants[\w ]*|tenants [\w ]*|Trustees|husband and wife))?$"
)
"""Husband and wife, or two partners."""
_LAST_PARTY = regex.compile(
    r" and (\p{Lu}[^,;:\n]{3,40}?)(?:, (?:M\.?D|Ph\.?D|D\.?D\.?S|D\.?O|C\.?P\.?A|J\.?D|Esq|Jr|Sr)\.?)?,?$"
)
"""The last of several parties, with what stands behind the name."""
_HAS_LETTER = regex.compile(r"\p{L}")
_LEGAL_FORM = regex.compile(
    r"\b(?:GmbH|AG|SE|KG|B\.V|N\.V|S\.A|SARL|S\.p\.A|S\.r\.l|Ltda|Oy|AB|A/S|AS|ASA|plc|LLP|LLC|Inc|Corp|Ltd|Limited"
    r"|P\.C|P\.A|L\.P|LP|S\.L|S\.A\.S|S\.A\.U|C\.V|A\.\u015e|Sp\. z o\.o|N\.A|ApS|S\.A\. de C\.V|S\.C|GbR|OHG|K\.G"
    r"|K\.K|Pvt|PLLC|SA|SAS|SRL|NV|BV|BVBA|s\.r\.o|a\.s|d\.o\.o|j\.d\.o\.o|Kft|Zrt|Nyrt|OÜ|UAB|SIA|EOOD|OOD|Pty|Pte|Bhd)\.?$"
)
_BUSINESS_OF = regex.compile(
    r"\b(?i:business|(?<!post )office|work|corporate) (?i:address(?:es)?|location) (?:of|for|is|are)\b[^;:]{0,60}$"
    r"|\b(?:Parent|Merger Sub|Company|Corporation|Issuer|Registrant|Acquiror|Bank|Administrative Agent)"
    r"(?:,? (?:to it )?(?:to|at)|,|:)?\s*(?:to |at )?$"
    r"|\b(?i:leased|rented|opened|operated|built|acquired|payable) (?:at|in|on)\s*$"
    r"|\bif to (?:the )?(?:Borrower|Lender|Bank|Agent|Company|Issuer|Seller|Buyer)s?, (?:to|at) $"
    r"|\b(?:its|our) (?!home|house)(?:\p{Ll}[\p{Ll}-]* ){1,3}\(\s*$"
    r"|\b(?:[Tt]he|[Ii]ts|[Oo]ur) (?:business|shop|seat) (?:is|was|remains) (?:at|in|on)\s*$"
    r"|[\u2019']s seat (?:is|was|remains)(?: at| in)?\s*$"
    r"|\b(?:runs?|ran|operates?|operated|manages|managed) (?:the )?(?:\p{Lu}[\w.'&-]* ){1,6}(?:of|at|in)\s*$"
    r"|\b(?:[Mm]eeting|[Hh]earing|[Aa]uction|[Tt]rial|[Cc]losing) (?:will|shall|is to) (?:be|take place)[^.;\n]{0,40}$"
    r"|(?:^|[\s(])[Tt]he (?:Company|Fund|Partnership|Bank|Trust|Corporation|Issuer|Registrant)"
    r"(?: (?!his|her|him|my|hom|hou|res)\p{Ll}+){1,4} (?:at|in)\s*$"
)
"""Words right before an address that make it a company's, whoever else is named there."""
_SURELY_PERSON = regex.compile(
    r",? \(?an? (?:natural person|individual)\b(?: \([^()\n]{1,30}\))?(?:,? (?:of|at|residing at|resident (?:at|of|in)"
    r"|with an address (?:at|of)|whose address is))?[\s,(]*(?:\n[\w ]{3,20}:\s*)?$"
)
"""Words right before an address that make it a person's, whatever company is named there."""
_HOME_BEHIND = regex.compile(
    r"[\"')]?,?[\"']? \(?(?:his|her|my|their) (?:own |family )?(?:home|house|residence|apartment)\b"
    r"|,? (?:being )?(?:the )?(?:home|residence) of\b"
    r"|,? \(?(?:an? )?(?:owner[- ]occupied|single[- ]family|primary residence)\b"
)
_ADDRESSEE = regex.compile(r"(?:^|\n)[^\S\n]*(?i:to):[^\S\n]*([^\n]{3,80})")
"""The one to whom a letter goes, above the way in which it goes."""
_BODY = regex.compile(
    r", an? (?:(?!of\b)[\w.-]+ ){0,4}(?:association|corporation|company|partnership|trust|bank|society|organi[sz]ation"
    r"|cooperative|municipality|agency|firm|L\.?L\.?C|L\.?L\.?P)\.?,?$"
)
"""What a name's owner is said to be, where it is no person."""
_FOOTNOTE = regex.compile(r"\((?:\d{1,2}|[a-z])\)")
"""The mark of a footnote, which stands behind a name in the table above."""
FOOTNOTE_REACH = 6000
"""Characters before a footnote in which its table stands."""
_FIGURES = regex.compile(r"(?<=[|/\t]|\s{3})\s*\(?[$\u20ac\u00a3]?[\d.,]*\d%?\)?[\s|/]*$")
"""The last cell of a row, where it holds a figure: the owner's name stands in a cell before it."""
_ROW_NUMBER = regex.compile(r"\d{1,6}[.)]? (?=\p{Lu})")
_SURNAME_FIRST = regex.compile(r"(?<![\w'\u2019-])\p{Lu}{2,}(?:-\p{Lu}+)?, \p{Lu}{2,}(?: \p{Lu}\.?)?$")
_CARE_OF = regex.compile(r"\bc/o\s+(?=([^\n,]{5,40}),\s*$)")
_AS_TRUSTEE = regex.compile(
    r",? (?:individually and )?as (?:co-)?(?:trustees?|custodian|guardian|executor|executrix|administrator)"
    r"(?: (?:of|for|under) (?:the )?[^,;\n]{3,60})?[\s,]*$"
)
"""For whom a person holds: a trust's name behind it is no company's."""
_HOME_OFFICE = regex.compile(r"\bhome office\b", regex.IGNORECASE)
_ASIDE = regex.compile(
    rf"{_AS_TRUSTEE.pattern}"
    r"|,? (?:org|reg|company|registration|registered)\.? (?:no|nr|number)\.? [\d -]{4,14}[\s,]*$"
    r"|(?<=\w\.?,?\s)\([^()\n]{1,60}\)[\s,]*$",
    regex.IGNORECASE,
)
"""What stands behind a name: a defined term, a share, a register's number."""
_NAME_START = regex.compile(
    r"[\n;:|(]|\s/\s|/s/|(?:^|\s)\(?(?:\d{1,3}|[a-z])[.)](?=\s)|(?<=\p{Ll}{3})\.\s+(?=(?:Mr|Mrs|Ms|Dr|The)\b)"
)
_ROW = regex.compile(r"[|\t]|[^\S\n]{3,}(?=\S)")
_CELLS = regex.compile(r"\S[^\S\n]{3,}\S")
_PLACES = regex.compile(
    r"\b(?:locations?|facilit(?:y|ies)|propert(?:y|ies)|plants?|stores?|branch(?:es)?|offices?|dealers?|sites?"
    r"|terminals?"
    r"|suppliers?|square feet|sq\.? ft|owned|leased|lease|use|premises|warehouses?|tenants?|mines?|mills?|hotels?"
    r"|clinics?"
    r"|restaurants?|subsidiar(?:y|ies)|purpose|landmark|acres|expir\w+)\b",
    regex.IGNORECASE,
)
_PLACES_ABOVE = regex.compile(
    r"(?:[\p{L}.]+ ){0,3}(?:locations|facilities|properties|plants|stores|branches|offices|dealers|sites|terminals"
    r"|suppliers|mines|mills|hotels|clinics|restaurants|subsidiaries)\W*",
    regex.IGNORECASE,
)
"""Heads of tables of a company's places, and of the persons whom it deals with as businesses."""
_HOMES = regex.compile(r"\b(?:homes?|residences?|SSN|social security|mortgagors?)\b", regex.IGNORECASE)
"""Heads of tables of people, though a head of places stands beside."""
TABLE_REACH = 700
"""Characters before an address in which its table's head is looked for."""
OWNER_REACH = 80
"""Characters before an address in which its owner's name is looked for."""
LEGAL_REACH = 12
"""Characters at the end of a name in which a company's legal form is looked for."""
PROSE_LINE = 160
"""Characters of a line over which it is prose, and no line of an address's block."""
OWNER_LINES = 3
"""Lines above an address that begins a line in which its owner's name may stand."""


def is_persons(text: str, start: int, end: int, *, named: bool = False) -> bool:
    """Whether the address is a person's: by who stands right before it, then by the nearest words about an owner.

    `named` says that a person's name is known to stand right before it.
    """
    before, found, after = _read_before(text, start), text[start:end], text[end : end + AFTER]
    surely = _SURELY_PERSON.search(before) is not None or _HOME_BEHIND.match(after) is not None
    if surely or _is_a_places(text, start, end, before):
        return surely
    owner = named or _whose(text, start)
    sentence = _clause(before, owned=owner is True)
    company = [
        match.end() + len(before) - len(sentence)
        for match in (*_OF_COMPANY.finditer(sentence), *_SURELY_COMPANY.finditer(sentence))
    ]
    company.sort()
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
        return (bool(person) or named) and not company
    if person or owner is True or _CONTACT.search(before):
        return True
    return _by_default(text, start, end)


def _read_before(text: str, start: int) -> str:
    """The words before an address, without those that only seem to name a company."""
    before = _DENIED.sub("", text[max(0, start - BEFORE) : start])
    before = str(_HOME_OFFICE.sub("home", _AS_TRUSTEE.sub(", ", before)))
    care = _CARE_OF.search(before)
    return before[: care.start()] + before[care.end() :] if care and is_person(care[1]) else before


def _clause(before: str, *, owned: bool) -> str:
    """The end of a text in which a company's word counts: the sentence, or the owner's own entry of a list."""
    entry = _SEGMENT.split(before.rstrip())[-1]
    headed = before.rstrip().removesuffix(entry).endswith(":\n")
    if owned and not headed and named(entry):
        return str(entry)
    return str(regex.split(r"(?<=[a-z\d)\]]{2}[.;])\s+(?=\p{Lu})", before)[-1])


def _whose(text: str, start: int) -> bool | None:
    """Whether the owner is a person: the one right before or above, the party of a form, or one known by a word."""
    owner, party = _owner(text, start), _party(text, start)
    signer = owner is True and _OFFICER.search(text, max(0, start - BEFORE), start) is not None
    if party is not None and (owner is None or (signer and party is False)):
        return party
    return _by_short_name(text, start) if owner is None else owner


def _party(text: str, start: int) -> bool | None:
    """Whether the last party that a label names, above the label of the address, is a person; None for none."""
    line_start = text.rfind("\n", 0, start) + 1
    lead = text[line_start:start]
    if len(lead) > OWNER_REACH or not _NOTICE_LABEL.fullmatch(lead) or _OF_COMPANY.search(lead):
        return None
    parties = _PARTY.findall(text, max(0, line_start - WIDE), line_start)
    return named(regex.split(r"\(", parties[-1])[0]) if parties else None


def _by_short_name(text: str, start: int) -> bool | None:
    """Whether the word by which the owner is called is part of a person's whole name elsewhere; None for neither."""
    called = _CALLED.search(text, max(0, start - OWNER_REACH), start)
    if called is None:
        return None
    low = max(0, start - SHORT_REACH)
    window = text[low : start + SHORT_REACH]
    places = list(
        islice(
            regex.finditer(rf"(?<!\w){regex.escape(called[1] or called[2])}(?!\w)", window, regex.IGNORECASE),
            MAX_PLACES,
        )
    )
    around = [(_WORDS_BEFORE.search(window, max(0, at.start() - OWNER_REACH), at.start()), at) for at in places]
    whole = [window[before.start() : _WORDS_BEHIND.match(window, at.end()).end()] for before, at in around]
    verdicts = {named(name) for name in whole if " " in name}
    return None if not verdicts - {None} else False not in verdicts


def _is_a_places(text: str, start: int, end: int, before: str) -> bool:
    """Whether the address is the registrant's, a company's or a place's, whoever else is named there."""
    return (
        _COVER.search(text, max(0, start - COVER_PAGE), end + COVER_PAGE) is not None
        or COMPANY_WITHIN.search(text, start, end) is not None
        or _BUSINESS_OF.search(before) is not None
        or (_of_places(text, start) and not _dwells(before))
    )


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
    addressed = _ADDRESSEE.findall(wide)
    if _OF_COMPANY.search(wide) or (addressed and named(addressed[-1]) is False):
        return False
    if _STRANGER.search(before) or (_OF_PERSON.search(wide) is None and _IN_PROSE.search(before)):
        return False
    return _OF_PERSON.search(wide) is not None or not (_STRANGER_AT.search(before) or _SPEAKER.search(wide))


def _dwells(before: str) -> bool:
    """Whether words of living somewhere lead to the address."""
    return _DWELLS.search(before) is not None


def _owner(text: str, start: int) -> bool | None:
    """Whether the name right before the address, or above it in a block, is a person's; None where there is none."""
    line_start = text.rfind("\n", 0, start) + 1
    lead = text[line_start:start].strip(" \t|*\u2022")
    if _FOOTNOTE.fullmatch(lead) and (owner := _noted(text, lead, line_start)) is not None:
        return owner
    if lead and not _LABEL.fullmatch(lead):
        near = _without_figures(text[max(0, start - BEFORE, line_start) : start])
        verdict = named(near)
        if verdict is None and _CELLS.search(near):
            verdict = named(" ".join(near.split()))  # the parts of a name may stand in cells of their own
        within = near.rfind("(")
        return named(near[:within]) if verdict is None and within > near.rfind(")") else verdict
    above = text[max(0, line_start - 4 * BEFORE) : line_start].split("\n")
    seen: bool | None = None
    lines = [line.strip(" \t|*") for line in reversed(above)]
    nearest = next((line for line in lines if line), "")
    if _OWN_SIGNATURE.match(nearest) and named(nearest):
        return True
    signer = _OFFICER.search(text, max(0, start - BEFORE), start)
    apart = lead and (signer or not _PARTS_LABEL.match(lead))
    filled = [line for line in lines if line] if apart else _touching(lines)
    for line in map(_without_figures, filled[:OWNER_LINES]):
        if len(line) > PROSE_LINE:
            break
        if _LABEL.fullmatch(line):
            continue
        verdict = False if _FOR_COMPANY.match(line) or _OF_COMPANY.search(line) else named(line)
        if verdict is False:
            return False
        seen = seen or verdict
    return seen


def _without_figures(line: str) -> str:
    """The cells of a row up to the last one that holds no figure."""
    while figures := _FIGURES.search(line):
        line = line[: figures.start()]
    return line


def _noted(text: str, mark: str, line_start: int) -> bool | None:
    """Whether the name before a footnote's mark, in the table above the footnote, is a person's; None for no name."""
    at = text.find(mark, max(0, line_start - FOOTNOTE_REACH), line_start)
    return None if at < 0 else named(text[max(text.rfind("\n", 0, at) + 1, at - BEFORE) : at])


def _of_places(text: str, start: int) -> bool:
    """Whether the address stands in a table whose head, or the line above it, is of a company's places."""
    above = text[max(0, start - TABLE_REACH) : start].split("\n")
    if not _ROW.search(above[-1] + text[start : start + AFTER].split("\n", maxsplit=1)[0]):
        return False
    rows = 0
    for line in reversed(above[:-1]):
        if line.strip() and not _ROW.search(line):
            return rows > 0 and _PLACES_ABOVE.fullmatch(line.strip()) is not None
        if line.strip() and _PLACES.search(line) and not regex.search(r"\d", line):
            return _HOMES.search(line) is None
        rows += bool(line.strip())
    return False


def _touching(lines: list[str]) -> list[str]:
    """The lines up to the first empty one behind a filled one; the nearest comes first."""
    kept: list[str] = []
    for line in lines:
        if line:
            kept.append(line)
        elif kept:
            break
    return kept


def named(before: str) -> bool | None:
    """Whether the text ends in a person's name; False for a company's or an institution's, None for no name."""
    linked = _LINK.search(before)
    head = _ASIDE.sub("", before[: linked.start()] if linked else before).rstrip(" :")
    name = _NAME_START.split(head)[-1].strip(' ,"\u201c').removesuffix("'s")
    name = _ROW_NUMBER.sub("", name, count=1) if _ROW_NUMBER.match(name) else name
    if _LEGAL_FORM.search(name[-LEGAL_REACH:]) or _BODY.search(head.rstrip()[-OWNER_REACH:]):
        return False
    if _is_business(name):
        return False
    party = _LAST_PARTY.search(head) if linked and _HAS_LETTER.search(linked.group()) else None
    if (
        is_name(name)
        or _is_couple(name)
        or _SURNAME_FIRST.search(name[-OWNER_REACH:])
        or (party and is_person(party[1]))
    ):
        return True
    last = _OWNER_NAME.search(name[-OWNER_REACH:])
    if last is None or name[-OWNER_REACH:][: last.start()].endswith(" at "):
        return None
    if _INSTITUTION.search(last.group()) or _has_company_word(last.group()):
        return False
    parts = regex.sub(r"^(?:(?:and|of|the) )+", "", last.group().rstrip(", ")).split(", ")
    return True if is_name(parts[-1]) or is_name(", ".join(parts[-2:])) else None


def _is_business(name: str) -> bool:
    """Whether the last part ends in a business's word: other words of it may be family names or towns."""
    last = name.rsplit(",", 1)[-1].split()
    return len(last) > 1 and last[-1].strip(".'").lower() in BUSINESS_WORDS and last[-1][0].isupper()


def _has_company_word(name: str) -> bool:
    return any(word.strip(".,").lower() in COMPANY_WORDS for word in name.split())


def is_person(name: str) -> bool:
    """Whether it is the name of a person, or of two, and no word of it is an institution's."""
    name = _NAME_START.split(name)[-1].strip()
    plain = is_name(name) and not _INSTITUTION.search(name) and not _is_business(name)
    return plain or _is_couple(name)


def _is_couple(name: str) -> bool:
    """Whether two persons stand there with "and" or "&", the first one perhaps without a family name."""
    pair = _COUPLE.search(name)
    if pair is None or _INSTITUTION.search(pair[2]) or _has_company_word(name):
        return False
    return is_name(pair[2]) and (is_name(pair[1]) or is_name(f"{pair[1]} {pair[2].split()[-1]}"))
