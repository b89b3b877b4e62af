"""Names of people in signature blocks: behind a signature's sign or label, printed beside one, or given a power.

Names in prose are not looked for: a risk factor may name its chief executive. Plain Python, no Spark and no Presidio.

A name is taken for what stands around it, in four ways: behind a mark (`/s/`, "By:", "Signed by"); in a line or a cell
of a table of its own, beside a mark, a rule or a closing (`_printed`); in a power of attorney (`_given_powers`); and
where a name so found stands once more on a line of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import regex

from spark.vocabulary import COMPANY_WORDS, FORM_WORDS, OFFICES, ROLES, STATES

NEAR = 4
"""How many lines that hold text may stand between a printed name, or a weak label, and what makes it a signature's."""
MAX_MARKED_WORDS = 3
"""Words of a name behind a mark, when one of them is also a word of another kind."""
NAME_TOKENS = range(2, 10)
"""Words of a name, initials and suffixes counted."""
LONG_LINE = 400
"""Characters of a line from which on it is prose: no cell of it is a printed name."""

_B = r"[^\S\n]"
_SUFFIX = r"(?:(?i:jr|sr|esq)\b\.?|II|III|IV|V)\b\.?"
_PARTICLES = (
    r"(?:de|del|della|dello|delle|dei|der|den|dem|des|van|von|vom|da|das|di|do|dos|du|la|las|le|les|lo|los|el|al|ap|ab"
    r"|abu|bin|binti|bint|ben|ibn|te|ter|ten|'t|thi|zu|zum|zur|und|af|av|op|ni|y|e|i)"
)
_WORD = (
    r"(?:(?:\p{Lu}\.-?){2,3}(?=[\s,]|$)|(?:\p{Lu}\.){1,2}(?=\p{Lu}\p{Ll})\p{Lu}[\p{L}\p{M}]+"
    r"|['\u2018\u2019]?\p{Lu}(?:['\u2019]\p{Lu})?[\p{L}\p{M}]*(?:['\u2019-]\p{L}[\p{L}\p{M}]*)*\.?"
    r"|[\"\u201c(](?!(?i:signed|sgd|seal|chair|print|name)\b)\p{Lu}\p{L}+[\"\u201d)]"
    rf"|{_PARTICLES}(?![\p{{L}}'\u2019])(?:-\p{{Lu}}\p{{L}}+)?"
    r"|(?:el|al|d|l|o|t)['\u2019-]\p{Lu}\p{L}+)"
)
_NAME = regex.compile(rf"{_WORD}(?:{_B}{{1,2}}{_WORD}){{1,8}}+(?:,{_B}*{_SUFFIX})?")
_SURNAME_FIRST = regex.compile(rf"\p{{Lu}}{{2,}}(?:-\p{{Lu}}+)?,{_B}+\p{{Lu}}\p{{L}}+(?:{_B}\p{{Lu}}\b\.?)?")
_SURNAME_FIRST_ALONE = regex.compile(
    rf"\p{{Lu}}[\p{{L}}'\u2019-]+,{_B}+(?P<given>\p{{Lu}}\p{{L}}+)(?:{_B}\p{{Lu}}\p{{L}}*\.?)?(?={_B}*(?:$|[|\t(]))"
)
_ANY_CASE = regex.compile(rf"\p{{L}}[\p{{L}}.'\u2019-]*(?:{_B}\p{{L}}[\p{{L}}.'\u2019-]*){{1,3}}(?={_B}*(?:$|,))")
_ONE_WORD = regex.compile(rf"\p{{Lu}}\p{{Ll}}{{2,}}(?={_B}*$)")
_TITLE = regex.compile(
    rf"(?:(?:The{_B}+)?(?:(?:Right{_B}+)?Hon(?:o(?:u)?rable)?|Mr|Mrs|Ms|Miss|Mx|Messrs|Dr|Prof(?:essor)?|Sir|Dame|Lord"
    r"|Lady|Rev(?:erend)?|Judge|Justice|Capt|Col|Gen|Lt|Maj|Adm|Amb|Herrn?|Frau|Mme|Sr|Sra|Sri|Shri|Smt|Ing|Dipl)"
    rf"\b\.?{_B}+)+",
    regex.IGNORECASE,
)
_CREDENTIAL = (
    r"(?:Esq(?:uire)?|Jr|Sr|II|III|IV|M\.?D|D\.?O|Ph\.?D|D\.?Phil|Ed\.?D|Pharm\.?D|D\.?V\.?M|D\.?D\.?S|CPA|C\.P\.A|CFA"
    r"|J\.?D|LL\.?[BM]|MBA|P\.?E(?:ng)?|P\.?Geo|CPG|FSA|MAAA|FCA|FCCA|CA|QC|KC|OBE|CBE|MBE|RN|SME|FAusIMM|MAusIMM)\b\.?"
)
_CREDENTIALS = regex.compile(rf"(?:,?{_B}*{_CREDENTIAL}(?=[,;]|$))*")
_AFTER_NAME = regex.compile(
    rf"\*?{_B}*(?:,?{_B}*{_CREDENTIAL}{_B}*)*(?:[,;:(|\u2013\u2014/_*\"\d-]|as\b|by\b|\Z|\s{{3,}}|\t|\[)"
)
_SIGNING_PART = (
    rf"(?:authori[sz]ed{_B}+)?(?:signator(?:y|ies)|signer)|authori[sz]ed{_B}+(?:representative|person|officer|agent)"
    rf"|attorneys?[ -]in[ -]fact|notary(?:{_B}+public)?|incorporator|affiant|declarant|deponent|declarer"
    rf"|reporting{_B}+person|guardian|witness|testigo|firma|unterschrift|assinatura"
)
"""Parts that only somebody who signs has."""
_NATURAL_PART = (
    rf"{_SIGNING_PART}|executor|executrix|administrator|participant"
    rf"|optionee|grantee|employee|executive|spouse|director|president|secretary|treasurer"
    rf"|chief{_B}+\w+{_B}+officer|chairman|chairwoman|chairperson|chair|officer|individual|person"
    r"|nombre|nome|recipient|awardee|applicant"
)
_ANY_PART = (
    r"trustee|guarantor|borrower|subscriber|stockholder|shareholder|purchaser|seller|buyer|claimant|settlor|grantor"
    r"|lessee|lessor|tenant|landlord|pledgor|obligor|maker|payee|agent|proxy|partner|member|manager|principal|donor"
    r"|transferor|transferee|assignor|assignee|consultant|contractor|investor|holder|beneficiary|indemnitee"
    r"|optionholder"
    r"|warrantholder|noteholder|representative|lender|debtor|creditor|co-?borrower|owner|licensor|licensee|releasor|releasee|adviser"
    r"|advisor"
)
_SIGN = (
    rf"(?<![\w/\\])(?:[/\\]{{1,2}}{_B}?e?s{_B}?[/\\]{{1,2}}|s/(?={_B}*(?-i:\p{{Lu}}))|[(\[](?:s|sd\.?|sgd\.?"
    rf"|signed)[)\]]"
    rf"|sd{_B}?/-|(?:sgd|sd)[.:]|-s-)(?:{_B}*:)?"
)
_MARK = regex.compile(
    # A mark begins a line, a word or with a sign: this rules out most places at once.
    rf"(?:^|(?<!\p{{L}})(?=[\p{{L}}/\\(\[-]))(?:(?P<sign>{_SIGN})"
    rf"|(?P<label>(?:^\W*(?:by|per)\b(?:{_B}+its\b[^\n:]{{1,30}})?|\b(?:by|per)){_B}*(?:\([\w ]{{3,30}}\))?{_B}*:"
    rf"|\b(?:(?:print(?:ed)?|typed?|full|legal|please{_B}+print)(?:{_B}+(?:full|legal))?{_B}+)?"
    rf"name(?:{_B}+printed|{_B}*(?:and|&|/){_B}*title)?(?:{_B}*\([\w ]{{3,30}}\))?{_B}*:"
    rf"|\bnames?{_B}+of{_B}+(?:[\p{{L}}/]+{_B}+){{0,3}}(?:{_NATURAL_PART}"
    rf"|{_ANY_PART})s?(?:{_B}*\([\w ]{{3,30}}\))?{_B}*:"
    rf"|\b(?:{_NATURAL_PART}|{_ANY_PART})(?:['\u2019]?s)?{_B}+(?:(?:full|legal|printed){_B}+)?name"
    rf"(?:{_B}*\([\w ]{{3,30}}\))?{_B}*:"
    rf"|\b(?:print(?:ed)?(?:{_B}+name)?|typed?{_B}+name)\b{_B}*:)"
    rf"|(?P<strong>\b(?:sign{_B}+here|signed?|signatures?|witness(?:ed|es)?|attest(?:ed|ation)?|(?:counter)?signed|undersigned)"
    rf"\b(?:{_B}*(?:/|\(\w+\)|of\b|by\b|for\b|the\b|and\b|to\b|as\b|on\b|name\b|no\.?|number\b|#?\d+\.?|signature\b"
    rf"|me\b|print(?:ed)?\b"
    rf"|this\b|in\b|presence\b|whose\b|(?:co-)?(?:{_NATURAL_PART}"
    rf"|{_ANY_PART})s?(?:['\u2019]s)?(?:\(s\))?(?!\w))){{0,8}}+{_B}*:"
    rf"|\bcertified\b[^\n:.]{{0,40}}:"
    rf"|\bsigned(?:{_B}+and{_B}+sealed)?{_B}+(?:at|in|on)\b[^\n:;]{{1,50}}:"
    rf"|^\W*(?:accepted|agreed|executed|acknowledged|approved|reviewed|confirmed|verified)\b[^\n:.]{{0,40}}:"
    rf"|\bin{_B}+the{_B}+presence{_B}+of{_B}*:"
    rf"|\b(?:electronically|digitally|docu|counter)?{_B}?-?(?:signed|executed|witnessed|acknowledged|attested|accepted"
    rf"|approved|certified|submitted|confirmed|verified|notari[sz]ed|authori[sz]ed|agreed)(?:{_B}+and{_B}+\w+)?"
    rf"(?:{_B}+as{_B}+a{_B}+deed)?{_B}+by{_B}*:"
    rf"|\b(?:please{_B}+)?(?:print|type)(?:ed)?{_B}+name\b(?={_B}*[_(])"
    rf"|\((?:please{_B}+)?print(?:{_B}+name)?\){_B}*:?"
    rf"|\b(?:{_SIGNING_PART})(?:['\u2019]?s)?(?:{_B}*\([\w ]{{3,30}}\))?{_B}*:"
    rf"|\b(?:{_NATURAL_PART})(?:['\u2019]?s)?{_B}+signature(?:{_B}*\([\w ]{{3,30}}\))?{_B}*:)"
    rf"|(?P<weak>\b(?:{_ANY_PART}|{_NATURAL_PART})(?:['\u2019]?s)?(?:{_B}+(?:signature"
    rf"|name))?(?:{_B}*\([\w ]{{3,30}}\))?{_B}*:)"
    rf"|(?P<done>^\W*(?:this{_B}+deed{_B}+(?:was|is){_B}+)?(?:electronically{_B}+|digitally{_B}+|docu|counter)?"
    rf"(?:signed|executed|witnessed|acknowledged|attested)\b(?:{_B}*(?:,|and\b|as{_B}+a{_B}+deed\b|sealed\b|delivered\b"
    rf"|in{_B}+counterpart\b))*{_B}+(?:for{_B}+and{_B}+on{_B}+behalf{_B}+of\b[^\n:]{{1,60}}\b)?by\b"
    rf"|(?-i:\bI|\b[Uu]ndersigned),{_B}+(?=[^\n,]{{3,40}},(?:{_B}+of{_B}[^\n;]{{5,120}},)?{_B}+(?:do(?:es)?{_B}+)?(?:hereby{_B}+)?(?:make|constitute"
    rf"|appoint|revoke"
    rf"|designate|authori[sz]e|nominate)s?\b)"
    rf"|\b(?:subscribed|sworn"
    rf"|acknowledged)\b[^\n:.]{{0,20}}\bbefore{_B}+me\b[^\n:.]{{0,20}}{_B}by\b(?={_B}+(?-i:\p{{Lu}}))"
    rf"|\bacting{_B}+by\b(?:{_B}+its{_B}+[\w -]{{3,30}})?"
    rf"|\b(?:witnessed|acknowledged|attested|(?:signed"
    rf"|executed)(?:{_B}+as{_B}+a{_B}+deed)?){_B}+by\b(?={_B}+[^\n]{{3,60}}"
    rf"(?:in{_B}+the{_B}+presence|for{_B}+and{_B}+on{_B}+behalf|attorney|,{_B}+an?{_B}+(?:director|authori)))"
    rf"|^{_B}*(?:by|per)\b(?={_B}+(?-i:\p{{Lu}})[^\n:]{{3,60}}$)|\bby\b(?=[^\n:]{{3,40}}attorneys?[ -]in[ -]fact)"
    rf"|(?-i:\b(?:[Ss]igned|Witness|[Aa]ttorneys?-in-fact|[Ss]ignator(?:y|ies)|[Uu]ndersigned)\b,?[ ]\"?"
    r"(?=\p{Lu}[\p{L}.'-]+(?: \p{Lu}[\p{L}.'-]*){1,3}(?:[,.;\"]| (?:on|and|as|for|in|at|who)\b|$)))"
    rf"|\battorneys?[ -]in[ -]fact{_B}+for\b|(?P<agent>^{_B}*for\b(?={_B}+(?-i:\p{{Lu}})[\p{{L}} .'-]{{3,40}}$)))"
    rf"|(?P<closing>(?-i:\b(?:[Yy]ours(?: \p{{Ll}}+){{1,3}}|[Yy]our(?: \p{{Ll}}+){{0,2}} servant), "
    rf"(?=\p{{Lu}}[\p{{L}}.'-]+(?: \p{{Lu}}[\p{{L}}.'-]*){{1,3}}(?:[.;\"]|$)))"
    rf"|\b(?:sincerely|regards|cordially|truly|yours|faithfully|respectfully|submitted|best|wishes|thanks"
    rf"|thank{_B}+you)"
    rf"(?:{_B}+yours)?,(?={_B}*\S)"
    rf"|\bby{_B}+order{_B}+of{_B}+the{_B}+board(?:{_B}+of{_B}+directors)?[,:.]?(?={_B}*\S)))",
    regex.IGNORECASE,
)
"""Signs, labels and words that a name follows, in groups by how sure they are."""
_BLANKS = regex.compile(rf"[\s_*\"\u201c]*(?:(?:p\.?p\.?|by|per){_B}+)?", regex.IGNORECASE)
_LOWER_BEFORE = regex.compile(rf"(?<![\p{{L}}'])\p{{Ll}}[\p{{L}}'\u2019-]*{_B}+$")
_RULE = r"_{4,}|-{5,}|\u2014{3,}|\u2026{3,}|\.{6,}|={5,}"
_SIGNATURE = regex.compile(rf"{_SIGN}|{_RULE}", regex.IGNORECASE)
_BLOCK = regex.compile(
    rf"{_SIGN}|{_RULE}|^{_B}*\*+{_B}*(?:$|by\b)|\(signature\)|(?-i:\bB[yY]){_B}*:"
    rf"|^\W*by\b(?:{_B}+its\b[^\n:]{{1,30}})?{_B}*:|^[^\p{{L}}\n]*by{_B}*$"
    r"|^[^\p{L}\n]*(?:signatures?|signed|sign here|printed"
    r"|print name|name and title|name/title|witness(?:es)?|attest)\b"
    r"|^[^\p{L}\n]*(?:dated?|title|its)[^\S\n]*(?:[:_(]|$|\s{3})|^[^\p{L}\n]*dated\b"
    r"|\(name\)[^\S\n]*$|\bsignature\b[^\n:]{0,12}:"
    r"|\bname of (?:director|secretary|witness|signatory|authori)"
    r"|\b(?:regards|sincerely|yours(?: truly| sincerely| faithfully)?|respectfully submitted),?[^\S\n]*$"
    r"|^[^\S\n]*(?:for and )?on behalf of\b[^\n]{0,80}$|^[^\S\n]*by order of\b[^\n]{0,60}$"
    r"|\b(?:in witness whereof|accepted and agreed|agreed and accepted|signature of|notary public|in the presence of"
    r"|have signed|has signed|been (?:duly )?signed|signed below|sworn)\b|^[^\S\n]*submitted by\b"
    rf"|^{_B}*(?:the{_B}+)?(?:{_NATURAL_PART}|{_ANY_PART})s?:{_B}*$"
    rf"|(?-i:^{_B}*(?:THE{_B}+)?(?=[\p{{Lu}} -]{{5,}}$))(?:{_NATURAL_PART}|{_ANY_PART})s?{_B}*$"
    rf"|^{_B}*(?:thank you|thanks),",
    regex.IGNORECASE,
)
"""What makes the lines around it part of a signature block."""
_FIELD = regex.compile(
    rf"^(?:\W*\d{{1,2}}[.)])?\W*(?:(?:home|business|mailing|street|residential|residence){_B}+)?(?:title|its|office"
    rf"|position|occupation|address|residence|home|e-?mail|tel(?:ephone)?|phone|fax|facsimile"
    rf"|date"
    rf"|social{_B}+security|ssn|signature|employee{_B}+id|capacity|warrants|shares|iban|bic|account|born|birth|age"
    rf"|nationality|designation|nric|cpf|tax|pan|din|rank|passport|wohnsitz|domicile|number{_B}+of)\b[^\n:]{{0,40}}:",
    regex.IGNORECASE,
)
"""A label that stands in a form beside a person's name."""
_CLOSING = regex.compile(
    r"(?:[\p{L}']+ ){0,4}(?:regards|sincerely|truly|faithfully|respectfully|submitted|cordially|yours|wishes|thanks"
    r"|thank you|servant|best|cheers|warmly)[,.!]?|for (?:and on behalf of )?(?:the|your) (?:board|committee|company"
    r"|trustees|partners)(?: of \p{L}+)?[,:.]?|by order of the board(?: of directors)?[,:.]?",
    regex.IGNORECASE,
)
_CONTEXT = regex.compile(
    r"undersigned|in witness whereof|sworn|/s/|being all|have signed|accepted and agreed|have executed|submitted"
    r"|been (?:duly )?signed"
    rf"|^\W*(?:the{_B}+)?(?:{_NATURAL_PART}|{_ANY_PART})s?:{_B}*$",
    regex.IGNORECASE,
)
"""What makes a list of names, each on a line of its own, one of signers."""
CONTEXT_LINES = 8
OFFICE_WORDS = 8
"""Words of a line among which an office is looked for."""
POWER_LINES = 2
"""Lines that hold text around one that appoints, in which words of a power of attorney are looked for."""
_APPOINTED = regex.compile(
    r"\b(?:(?i:appoint(?:s|ed|ing)?|constitut(?:es?|ed|ing)|names"
    r"|power of attorney (?:granted |given |dated [\w ,]{5,25})?(?:to|for|in favou?r of))\b[^\p{Lu}\n.;]{0,60}"
    r"|(?i:designat(?:es?|ed)|authori[sz](?:es|ed))\b(?: and designat(?:es|ed))?,?(?: (?:each|any|either|both) of)? )"
    r"(?=\p{Lu})"
)
_IS_APPOINTED = regex.compile(
    rf"{_WORD}(?: {_WORD}){{1,4}}+,?(?: (?:is|was|are|be)| shall be)(?: hereby)? (?:appointed|named|designated)"
)
_APPOINTED_BELOW = regex.compile(r"\b(?i:appoint|designat|constitut|authori[sz])[^\n]{0,160}:\s*$")
_LISTED = regex.compile(r"\W*(?:\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)]\)?)?\s*(?=\p{Lu})")
_CAPITAL = regex.compile(r"(?<![\w'])\p{Lu}")
_JOINED = regex.compile(rf",?{_B}+(?:and|&){_B}+")
_CELL = regex.compile(r"[^\s|](?:(?!\s{3}|[|\t]).)*")
_LEAD = ' \t*~_"\u2013\u2014-\u2022'
_POWER = regex.compile(
    r"attorneys?[\s-]+in[\s-]+fact|attorneys?,? (?:with (?:full )?power|to (?:sign|execute|act|file))\b"
    r"|attorneys?[\s-]+and[\s-]+agent|true and lawful|\bpro(?:xy|xies)\b"
    r"|powers?[\s-]+of[\s-]+attorney|(?:signing|acting) (?:singly|alone)|\b(?:on|in) (?:the undersigned's|my) "
    r"(?:behalf|name)|\bForms?\s+3\b",
    regex.IGNORECASE,
)
_FIRM_BELOW = regex.compile(
    r"\W*(?:certified|chartered|independent|registered|licensed)?\s*(?:(?:registered\s+)?public\s+)?"
    r"(?:accountants|accounting firm|auditors|attorneys|solicitors|counsell?ors|consultants|engineers)\b",
    regex.IGNORECASE,
)

_DATE = regex.compile(
    r"(?:dated?\b.*|\(?(?:\d{1,2}[ /.-])?(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)\p{L}*\.? \d.*"
    r"|\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}.*|[_.-]{3,}.*)",
    regex.IGNORECASE,
)
_HINTS = (
    *("/s/", "/s /", "/ s", "/es/", "\\s\\", "s/ ", " -s-", "\n-s-", "(s)", "[s]", "(sd", "(sgd", "sd/", "sgd", "____"),
    *(
        " signed",
        "\nsigned",
        "(signed",
        "[signed",
        "docusigned",
        "countersigned",
        "------",
        "\u2014\u2014\u2014",
        ".....",
    ),
    *(
        "\u2026\u2026",
        "=====",
        "by\n",
        "by /",
        "presence of",
        "whereof",
        "sincerely",
        "regards",
        "cordially",
        "faithfully",
    ),
    *("truly", "respectfully", "yours", "wishes,", "best,", "thanks,", "thank you", "accepted and", "agreed and"),
    *(
        "signature",
        "signatory",
        "notary",
        "\non behalf of",
        "by order of",
        "appoint",
        "attorney",
        "undersigned",
        "sworn",
    ),
    *(
        "executed by",
        "executed as",
        "witness",
        "attest:",
        "\nattest",
        "attested",
        "proxies",
        "\n*",
        "acting by",
        "printed",
        "print name",
    ),
    *(
        "sign here",
        "(print",
        "please print",
        "certified to",
        " singly",
        "acting alone",
        "true and lawful",
        "forms 3",
        "form 3",
        "fact\nfor",
        "\ndated",
        "name/",
    ),
    *("\nfor and on behalf", "\nfor the ", "\nfor your ", "\nsubmitted", "\naccepted", "\nagreed", "approved:"),
)
"""In lower case, one of these, or a label before a colon, stands in every text in which a name is found."""
_LABEL_END = regex.compile(
    rf"(?<!\w)(?:by|per|name|names|sd|title|{_NATURAL_PART}|{_ANY_PART})s?(?:['\u2019]s)?\s*(?:\([\w ]{{3,30}}\))?\s*$"
)
"""What stands before the colon of a label, in lower case."""
LABEL_REACH = 60
MARK_REACH = 300
"""Characters behind a mark in which its name stands."""
END_REACH = 160
"""Characters at the end of a letter in which the one who signs it stands."""
_LAST_LINES = regex.compile(
    r"\n\s*\n[^\S\n]*(?P<name>\p{Lu}[^\n]{4,50}?)[^\S\n]*\n[^\S\n]*(?P<below>[^\n:.]{3,60}?)\s*$"
)
_LAST_ALONE = regex.compile(
    r"[.!]\s*\n[^\S\n]*\n[^\S\n]*(?P<name>\p{Lu}[^\n]{4,50}?)[^\S\n]*"
    r"(?:\n\s*(?:\((?i:spouse|husband|wife)\b|(?i:cc|enc(?:losures?)?|attachments?)\b\.?:)[^\n]{0,60})?\s*$"
)
"""The last line of a statement, where only a copy's receiver or the signer's spouse is named below."""
_FIRST_PERSON = regex.compile(r"(?:^|[\n.,;][^\S\n]?)I(?:,|['\u2019]\p{Ll}+| \p{Ll}+)|\b[Mm]y\b|\b[Tt]he undersigned\b")
STATEMENT_REACH = 1500
"""Characters before the last line in which a statement speaks of who signs it."""
_REACHED_AT = regex.compile(
    r"(?:(?:tel|phone|cell|fax)\p{Ll}*\.? )?[+(]?\d[\d() -]{6,20}|\S+@\S+|\[(?:PHONE|EMAIL)\]", regex.IGNORECASE
)
_NOTICE = regex.compile(
    r"\W*(?:[\w']+ ){0,2}(?:address|residence|home|e-?mail|tel(?:ephone)?|phone|fax|facsimile|attention)\b",
    regex.IGNORECASE,
)
"""A field in which a notice goes to somebody, who need not have signed."""
_COMPANY_LINE = regex.compile(r"\W*(?:the )?(?:company|corporation|employer|bank|issuer|parent)\s*:", regex.IGNORECASE)
"""The line of the other party, which makes a line of a party's label and name one of signers."""
_LABEL_BESIDE = regex.compile(r"\b(?:Title|Its|By|Signature)\b[^\n:]{0,20}:")
_NATURAL = regex.compile(rf"\b(?:{_NATURAL_PART})", regex.IGNORECASE)
_OTHER_NAME = regex.compile(
    r"\b(?:former|trade|brand|product|company|issuer|registrant|fund|plan|exchange|file|domain|project|drug|generic"
    rf"|account|bank|series|portfolio|entity|vessel|business|corporate){_B}+(?:name)?$",
    regex.IGNORECASE,
)
"""Words before "name" with which it is no person's."""
_COVER_LABEL = regex.compile(r"names? of reporting person", regex.IGNORECASE)
"""The first item of a Schedule 13D's or 13G's cover page, which nobody signs."""
_POWERS_PART = regex.compile(r"representatives?\b|agents?\b", regex.IGNORECASE)
"""The part of whoever a power of attorney appoints."""
_BODY = regex.compile(
    r",? an? (?:[\p{L}.]+ ){0,4}(?:partnership|corporation|company|association|bank|trust|cooperative)\b",
    regex.IGNORECASE,
)
"""What a firm's name is said to be, right behind it."""
_STATE_NAME = regex.compile(STATES)
_PARTY_ABOVE = regex.compile(r"\s*(?:by|per|name)\b", regex.IGNORECASE)
"""With what the line below a party's own name begins."""
_LIST_GOES_ON = regex.compile(rf"(?:,{_B}+\p{{Lu}}[\p{{L}} ]+(?:,|;|{_B}and\b)|;{_B}+\p{{Lu}}[\p{{L}}]+{_B}\p{{Lu}})")
_STATE_ALONE = regex.compile(rf",\s*(?:{STATES})\.?(?:\s+\d{{5}}.*)?\s*")


@dataclass(frozen=True)
class _Block:
    """A text by lines: where each starts, which hold text, which have the signs of a signature block, and
    which are to be read: long lines without a hint are prose."""

    lines: Sequence[str]
    starts: Sequence[int]
    filled: Sequence[int]
    blocks: list[bool]
    read: Sequence[bool]

    @classmethod
    def of(cls, text: str) -> _Block:
        lines = text.split("\n")
        starts = [0, *accumulate(len(line) + 1 for line in lines)]
        read = [len(line) < LONG_LINE // 2 or _hinted(line) for line in lines]
        blocks = [
            use
            and bool(_BLOCK.search(line) or _FIELD.match(line) or _is_starred(line) or _CLOSING.fullmatch(line.strip()))
            for use, line in zip(read, lines, strict=True)
        ]
        return cls(lines, starts, [place for place, line in enumerate(lines) if line.strip(" \t|")], blocks, read)

    def near(self, order: int, *, but: regex.Pattern[str] | None = None) -> bool:
        """Whether a line near by, which does not begin with `but`, has the signs of a block or is a field of a form."""
        places = [*self.filled[max(0, order - NEAR) : order], *self.filled[order + 1 : order + NEAR + 1]]
        return any(self.blocks[place] and not (but and but.match(self.lines[place])) for place in places)

    def says(self, order: int, words: regex.Pattern[str], reach: int) -> bool:
        """Whether the words stand in the line or in one of those around it."""
        places = self.filled[max(0, order - reach) : order + reach + 1]
        return any(words.search(self.lines[place]) for place in places)

    def line(self, order: int) -> str:
        """The line of text at that place among those that hold text; empty beyond both ends."""
        return self.lines[self.filled[order]].strip() if 0 <= order < len(self.filled) else ""


def likely(text: str) -> bool:
    """Whether the text has one of the marks without which no span is found: the cheap test before the search."""
    return next(names(text), None) is not None


def _hinted(text: str) -> bool:
    plain = f"\n{text.lower()}\n"
    if any(hint in plain for hint in _HINTS):
        return True
    at = plain.find(":")
    while at >= 0:
        if _LABEL_END.search(plain, max(0, at - LABEL_REACH), at):
            return True
        at = plain.find(":", at + 1)
    return False


def names(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each name in a signature block, in order of the lines; some may overlap.

    A text without any of the marks' hints is no signature block, whatever its lines look like.
    """
    last = _last_signer(text)
    if last:
        yield last
    if not _hinted(text):
        return
    block = _Block.of(text)
    powers = _POWER.search(text) is not None
    known: set[str] = set()
    alone: list[tuple[int, int]] = []
    for order, place in enumerate(block.filled):
        line, start = block.lines[place], block.starts[place]
        if not block.read[place]:
            continue
        found = [*_behind_marks(block, order, line)]
        known.update(_key(line[low:high]) for low, high in found)
        found += _given_powers(block, order, line) if powers else ()
        found += _in_cells(block, order, line, found) if len(line) < LONG_LINE else ()
        for low, high in found:
            block.blocks[place] = True
            for one in _parted(line, low, high):
                yield start + one[0], start + one[1]
        if not found and len(line) < LONG_LINE:
            alone += [(start + low, start + high) for low, high in _cells_of_names(line)]
    yield from ((low, high) for low, high in alone if _key(text[low:high]) in known)


def _last_signer(text: str) -> tuple[int, int] | None:
    """The name printed at the end of a letter without a closing: above an office, a number or an address for mail, or
    alone, where the text speaks in the first person."""
    end = text[-END_REACH:]
    last = _LAST_LINES.search(end)
    if last is None or not (_REACHED_AT.fullmatch(last["below"]) or starts_with_role(last["below"])):
        last = _LAST_ALONE.search(end)
        if last is None or not _FIRST_PERSON.search(text, max(0, len(text) - STATEMENT_REACH)):
            return None
    span = _name_at(last["name"], 0, closed=True)
    if span is None or last["name"][span[1] :].strip(" ,."):
        return None
    start = len(text) - len(end) + int(last.start("name"))
    return start + span[0], start + span[1]


def is_name(text: str) -> bool:
    """Whether the text is a person's name, with a title before and an office or degrees behind it at most."""
    span = _name_at(text, 0, closed=True)
    surname = _TITLE.match(text)
    if span is None:
        return bool(surname and regex.fullmatch(r"\p{Lu}[\p{L}'\u2019-]+", text[surname.end() :]))
    rest = text[span[1] :].strip(" ,.")
    return not rest or starts_with_role(rest) or regex.fullmatch(rf"(?:{_CREDENTIAL}[ ,]*)+", rest) is not None


def _key(name: str) -> str:
    return " ".join(name.lower().replace(".", "").replace(",", "").split())


def _parted(line: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A span, or the two into which it falls where one name stands twice in a row, as in a flattened table."""
    words = [(word.start() + start, word.end() + start) for word in regex.finditer(r"\S+", line[start:end])]
    half = len(words) // 2
    first, second = (_key(line[part[0][0] : part[-1][1]]) if part else "" for part in (words[:half], words[half:]))
    if half > 1 and first == second:
        yield words[0][0], words[half - 1][1]
        yield words[half][0], end
    else:
        yield start, end


def _behind_marks(block: _Block, order: int, line: str) -> Iterator[tuple[int, int]]:
    """The names behind the marks of a line, each with the one that "and" joins to it, and a printed one behind it."""
    done = 0
    for mark in _MARK.finditer(line):
        if mark.start() < done or not _holds(block, order, line, mark):
            continue
        # A part of the line is enough, and keeps each try short in a line of many marks.
        span = _marked(line[mark.end() : mark.end() + MARK_REACH], mark)
        if span is None:
            continue
        span = (span[0] + mark.end(), span[1] + mark.end())
        if mark["sign"] and _FIRM_BELOW.match(block.line(order + 1)):
            continue
        yield span
        done = span[1]
        joined = _JOINED.match(line, span[1])
        if joined and (other := _name_at(line, joined.end(), closed=False)):
            yield other
            done = other[1]


def _holds(block: _Block, order: int, line: str, mark: regex.Match[str]) -> bool:
    """Whether a label stands where a form has one, and a weak one has a form or a signature around it."""
    if mark["agent"]:
        return "attorney" in block.line(order - 1).lower()
    before = slice(max(0, mark.start() - LABEL_REACH), mark.start())
    if (mark["label"] or mark["weak"]) and _LOWER_BEFORE.search(line[before]):
        return False
    named = mark["label"] is not None and "name" in mark["label"].lower()
    if named and (_OTHER_NAME.search(line[before]) or _COVER_LABEL.match(mark["label"])):
        return False
    sure = not (named or mark["weak"]) or (named and _NATURAL.search(mark["label"]) is not None)
    if sure or _SIGNATURE.search(line) or _LABEL_BESIDE.search(line):
        return True
    if mark["weak"] is None:
        return block.near(order)
    given = _POWERS_PART.match(mark["weak"]) is not None and block.says(order, _POWER, NEAR)
    parties = any(_COMPANY_LINE.match(block.line(other)) for other in (order - 1, order + 1))
    return given or parties or block.near(order, but=_NOTICE)


def _marked(line: str, mark: regex.Match[str]) -> tuple[int, int] | None:
    """The name behind a mark, in the part of the line that follows it.

    After /s/ a word that is also a month's may be a name, and one word is enough.
    """
    start = _BLANKS.match(line).end()
    if title := _TITLE.match(line, start):
        start = title.end()
    if found := _SURNAME_FIRST.match(line, start):
        return int(found.start()), int(found.end())
    listed = _SURNAME_FIRST_ALONE.match(line, start) if mark["label"] or mark["strong"] else None
    if listed and listed["given"].lower() not in ROLES and not _STATE_NAME.fullmatch(listed["given"]):
        return int(listed.start()), int(listed.end())
    if span := _name_at(line, start, closed=False):
        return span if mark["sign"] or not _continues(line, span[1]) else None
    signed = mark["sign"] is not None
    whole = _NAME.match(line, start) or (
        _ONE_WORD.match(line, start) or _ANY_CASE.match(line, start) if signed else None
    )
    if whole is None or not _AFTER_NAME.match(line, whole.end()):
        return None
    words = [(word.group(), word.start(), word.end()) for word in regex.finditer(r"\S+", whole.group())]
    plain = {word.strip(".,").lower() for word, _, _ in words}
    few = len(words) <= MAX_MARKED_WORDS and (signed or not plain <= ROLES | FORM_WORDS)
    return whole.span() if few and not _of_company(words, line[whole.end() : whole.end() + 60]) else None


def _continues(line: str, end: int) -> bool:
    """Whether a list of other capitalised things follows, as behind a label that names products or risks."""
    following = _LIST_GOES_ON.match(line, _CREDENTIALS.match(line, end).end())
    return following is not None and not starts_with_role(following.group().lstrip(",; "))


def _given_powers(block: _Block, order: int, line: str) -> Iterator[tuple[int, int]]:
    """The names that a power of attorney appoints, in its sentence or in the list below it."""
    near = block.says(order, _POWER, POWER_LINES)
    for appointing in _APPOINTED.finditer(line) if near else ():
        yield from _appointed(line, appointing.end())
    for passive in _IS_APPOINTED.finditer(line) if near else ():
        if span := _name_at(line, passive.start(), closed=False):
            yield span
    above = order - 1
    while above >= 0 and (_LISTED.match(block.line(above)) and len(block.line(above)) < LONG_LINE // 4):
        if _APPOINTED_BELOW.search(block.line(above)):
            break
        above -= 1
    if above >= 0 and _APPOINTED_BELOW.search(block.line(above)):
        item = _LISTED.match(line)
        if item and (span := _name_at(line, item.end(), closed=True)):
            yield span


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


def _in_cells(block: _Block, order: int, line: str, found: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The names printed in the cells of a line that hold no mark, where the line or its neighbours are a block's."""
    marked = bool(found) or _SIGNATURE.search(line) is not None or line.lstrip().startswith("*")
    listed = _in_list_of_names(block, order)
    if not (marked or listed or block.near(order)):
        return
    for cell in _CELL.finditer(line):
        span = _printed(block, order, line[: cell.end()], cell.start(), others=line[cell.end() :], listed=listed)
        if span is None or any(low < span[1] and high > span[0] for low, high in found):
            continue
        mark = _MARK.search(line, cell.start())
        if mark is None or mark.start() >= span[1]:
            yield span


def _in_list_of_names(block: _Block, order: int) -> bool:
    """Whether this line and one beside it are names and nothing else, as under a resolution."""
    beside = (order - 1, order + 1)
    named = _bare_name(block.line(order)) and any(_bare_name(block.line(other)) for other in beside)
    return named and block.says(order, _CONTEXT, CONTEXT_LINES)


def _bare_name(line: str) -> bool:
    span = _name_at(line, 0, closed=True) if line else None
    return span is not None and not line[span[1] :].strip(" .*_")


def _printed(block: _Block, order: int, line: str, cell: int, *, others: str, listed: bool) -> tuple[int, int] | None:
    """A cell that is a name alone or a name and its role, beside what makes it a signature's.

    `line` ends with the cell; `others` is what stands behind it on the same line.
    """
    span = _name_of_cell(line, cell)
    if span is None:
        return None
    before, after = block.line(order - 1), block.line(order + 1)
    rest = line[span[1] :].strip(" \t,*/|;")
    while credential := regex.match(rf"{_CREDENTIAL}(?:,?[ ]*|$)", rest):
        rest = rest[credential.end() :]
    rest = rest if _SIGNATURE.match(rest) else rest.strip("-\u2013\u2014 (")
    dated = _DATE.fullmatch(rest) is not None and not line[span[1] : span[1] + 2].strip().isdigit()
    if _PARTY_ABOVE.match(after) and not rest and not listed:
        return None
    told = (
        starts_with_role(rest)
        or _SIGNATURE.match(rest) is not None
        or (dated and regex.match(r"[,;(|]|\s{2}|\s*[_.-]{3}", line[span[1] :]) is not None)
    )
    if (rest and not told) or _FIRM_BELOW.match(after):
        return None
    starred = line[: cell + 1].strip(" \t|") == "*" or (line[:cell].strip() == "*")
    beside = (
        (starred and not others.strip(" |\t"))
        or _SIGNATURE.search(line)
        or _SIGNATURE.search(others)
        or starts_with_role(others.strip(" |\t"))
    )
    above = _BLOCK.search(before) or _is_starred(before) or _CLOSING.fullmatch(before) or _is_role_line(before)
    below = (_BLOCK.search(after) and not _PARTY_ABOVE.match(after)) or _is_office(after)
    return span if told or listed or beside or above or below else None


def _cells_of_names(line: str) -> Iterator[tuple[int, int]]:
    """The cells of a line that are a name alone or one with its role."""
    for cell in _CELL.finditer(line):
        if span := _name_of_cell(line[: cell.end()], cell.start()):
            yield span


def _name_of_cell(line: str, cell: int) -> tuple[int, int] | None:
    """The name with which a cell begins and after which only a role or the like may stand."""
    start = cell + len(line[cell:]) - len(line[cell:].lstrip(_LEAD))
    span = _name_at(line, start, closed=True)
    return None if span is None or _STATE_ALONE.fullmatch(line, span[1]) else span


def _is_office(text: str) -> bool:
    """Whether an office stands among the first words of a line: a line of its own says more than a word of one."""
    first = {word.strip(".,;:()*/").lower() for word in text.replace("/", " ").split()[:OFFICE_WORDS]}
    return bool(first & OFFICES)


def _is_starred(line: str) -> bool:
    """Whether the line is a star, which stands for a signature by power of attorney, and an office."""
    starred = line.lstrip(" \t|")
    return starred.startswith("*") and starts_with_role(starred.lstrip("* \t|"))


def _is_role_line(line: str) -> bool:
    """Whether the line before is itself a name with its role, as where several people sign."""
    name, comma, role = line.partition(",")
    return bool(comma and starts_with_role(role) and _NAME.fullmatch(name.strip()))


def starts_with_role(text: str) -> bool:
    """Whether the text begins with words of an office or of a party's part."""
    first = [word.strip(".,;:()*/").lower() for word in text.replace("/", " ").split()[:3]]
    return bool(first) and (
        bool(ROLES & set(first[:2])) or (first[0] in {"an", "a", "as", "co", "the"} and bool(ROLES & set(first)))
    )


def _name_at(line: str, start: int, *, closed: bool) -> tuple[int, int] | None:
    """The name that begins there; `closed` asks that the line, a comma or the like ends it."""
    if title := _TITLE.match(line, start):
        start = title.end()
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
    # Two blanks part a name from the office in the next column.
    column = 0 < kept < len(words) and words[kept][1] - words[kept - 1][2] > 1
    if kept < NAME_TOKENS.start or (kept < len(words) and closed and not column) or len(words) not in NAME_TOKENS:
        return None
    end = start + words[kept - 1][2]
    following = line[end : end + 60]
    if _of_company(words[:kept], following) or (kept == len(words) and closed and not _AFTER_NAME.match(line, end)):
        return None
    end -= line[end - 1] in "," or (line[end - 1] == "." and not regex.search(r"(?i:\b\p{L}|Jr|Sr|Esq)\.$", line[:end]))
    return start, end


def _of_company(words: Sequence[tuple[str, int, int]], following: str) -> bool:
    """Whether a company's word stands in the name or right behind it."""

    def plain(word: str) -> str:
        return word.replace(".", "").strip(",").lower()

    # Letters with full stops at the beginning are initials, also those that spell a form of company.
    named = [word for place, (word, _, _) in enumerate(words) if place or "." not in word]
    if any(plain(word) in COMPANY_WORDS for word in named):
        return True
    if other := regex.match(r",?\s+its\s+(.{0,40})", following):
        return not bool(ROLES & {word.strip(".,;").lower() for word in other.group(1).split()[:3]})
    if _BODY.match(following):
        return True
    near = regex.match(
        r"(?:,?[^\S\n]*&|,?[^\S\n]*(?:and[^\S\n]+)?\p{Lu}[\p{L}.]*(?:[^\S\n]*&)?)(?:[^\S\n]+[\p{Lu}&][\p{L}.]*){0,3}",
        following,
    )
    if near is None:
        return False
    if following.startswith(",") and starts_with_role(following[1:]):
        return False
    behind = [plain(word) for word in near.group().replace(",", " ").split()]
    return "&" in behind or any(word in COMPANY_WORDS and word not in ROLES for word in behind[:2])
