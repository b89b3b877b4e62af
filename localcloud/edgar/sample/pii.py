"""Personal data that is planted in some risk factors, all of it from ranges that belong to nobody.

E-mail addresses end in example.com (RFC 2606). Telephone numbers are 555-0100 to 555-0199, reserved for fiction
by the North American Numbering Plan. Social security numbers are 987-65-4320 to 987-65-4329, reserved for
advertising. Card numbers are the test numbers of payment processors, valid by Luhn's formula. IBANs have valid
check digits and a bank code of nobody.
"""

from __future__ import annotations

from typing import Final

from localcloud.edgar.sample.companies import Company
from localcloud.edgar.sample.dice import Dice
from localcloud.edgar.sample.document import Pii, PiiKind

CARDS: Final = (
    "4111 1111 1111 1111",
    "5555-5555-5555-4444",
    "4012888888881881",
    "3782 822463 10005",
    "6011 1111 1111 1117",
    "5105 1051 0510 5100",
)
_SENTENCES: Final = {
    PiiKind.EMAIL: (
        "Anyone with questions about the matter was asked to write to {value}.",
        "Reports from outside the company reach the responsible officer at {value}, though not all are sent there.",
        "The first notice came from an account registered as {value} and was overlooked for two days.",
    ),
    PiiKind.PHONE: (
        "A hotline was opened at {value} for those affected.",
        "Our crisis coordinator, who is on call at {value}, must be reached before any statement is made.",
        "The caller left {value} as the number at which he could be reached.",
    ),
    PiiKind.SSN: (
        "One of the exhibits filed with the complaint showed a former employee's social security number, {value}.",
        "A test of the archive found a scanned form that still bore the number {value}.",
        "In one case a payroll record with the taxpayer number {value} was sent to the wrong recipient.",
    ),
    PiiKind.CARD: (
        "A sample that was posted online as proof included the card number {value}.",
        "An auditor found the card number {value} in a free-text field that should have been empty.",
        "The disputed charges were all made with one card, {value}, which has been cancelled.",
    ),
    PiiKind.IBAN: (
        "The forged invoice directed payment to the account {value}.",
        "One payment, to {value}, could not be called back in time.",
        "A vendor's change request named {value} as its new account, and it took a second call to find it false.",
    ),
}
_FIRST_NAMES: Final = ("marla", "piers", "odile", "tomas", "greta", "anil", "ruben", "yuki", "sable", "corin")
_LAST_NAMES: Final = ("quent", "harrowgate", "lindmark", "ossory", "vale", "brackwater", "tindall", "ferrow", "mott")
_COUNTRIES: Final = ("GB", "DE", "FR", "NL", "IE")
_IBAN_BODY: Final = {
    "GB": "ZZZZ000000{number:08d}",
    "DE": "00000000{number:010d}",
    "FR": "0000000000{number:013d}",
    "NL": "ZZZZ{number:010d}",
    "IE": "ZZZZ000000{number:08d}",
}


def sentence(company: Company, dice: Dice) -> tuple[str, Pii]:
    """A sentence that goes with any paragraph, and the planted value in it."""
    kind = dice.choice(tuple(PiiKind), "kind")
    value = _value(kind, company, dice)
    return dice.choice(_SENTENCES[kind], "sentence").format(value=value), Pii(kind, value)


def _value(kind: PiiKind, company: Company, dice: Dice) -> str:
    match kind:
        case PiiKind.EMAIL:
            host = "".join(character for character in company.profile.short.lower() if character.isalnum())
            name = f"{dice.choice(_FIRST_NAMES, 'first')}.{dice.choice(_LAST_NAMES, 'last')}"
            return f"{name}@{host}.example.com"
        case PiiKind.PHONE:
            area, line = dice.integer(201, 989, "area"), dice.integer(100, 199, "line")
            shape = dice.choice(("({area}) 555-0{line}", "{area}-555-0{line}", "+1 {area} 555 0{line}"), "shape")
            return shape.format(area=area, line=line)
        case PiiKind.SSN:
            return f"987-65-432{dice.integer(0, 9, 'digit')}"
        case PiiKind.CARD:
            return dice.choice(CARDS, "card")
        case PiiKind.IBAN:
            country = dice.choice(_COUNTRIES, "country")
            return _iban(country, _IBAN_BODY[country].format(number=dice.integer(1, 99_999, "account")))


def _iban(country: str, body: str) -> str:
    # ISO 13616: the remainder of the rearranged number by 97 is 1.
    digits = "".join(str(int(character, 36)) for character in f"{body}{country}00")
    plain = f"{country}{98 - int(digits) % 97:02d}{body}"
    return " ".join(plain[start : start + 4] for start in range(0, len(plain), 4))
