"""The classes of task T2, and the table that maps an issuer's group heading to one of them. Plain Python, no Spark.

Regulation S-K, Item 105(a) asks that risk factors stand under relevant headings, but fixes no wording: each issuer
writes its own. The table says by words what such a heading is about. A heading with words of two classes is about both
and belongs to neither; one with words of none says nothing of its risks. Both give no example. A class is the
completion of T2 as it stands here, so a change of CLASSES or TABLE takes a new version.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from spark.cleaning import normalised

TABLE_VERSION = "categories-1"
"""Part of T2's template version, and so of every row that this table labels."""

GENERAL = "general"
"""A heading over general risks (Item 105(a) puts them last, under "General Risk Factors"): the subject of T3."""
UNMAPPED = "unmapped"
AMBIGUOUS = "ambiguous"

TABLE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "business and operations": (
            r"business",
            r"company",
            r"operations?",
            r"operational",
            r"operating(?! results)",
            r"execution",
            r"strateg(?:y|ic|ies)",
            r"brands?",
            r"reputation(?:al)?",
            r"customers?",
            r"suppliers?",
            r"supply",
            r"manufactur(?:e|ing)",
            r"products?",
            r"services",
            r"commercialization",
            r"third part(?:y|ies)",
            r"growth|grow",
            r"acquisitions?",
            r"mergers?",
            r"integration",
            r"international",
        ),
        "industry and markets": (
            r"industr(?:y|ies)",
            r"markets?(?! price)",
            r"(?:macro ?)?econom(?:ic|y)",
            r"competiti(?:on|ve)",
            r"competitors",
            r"geopolitical",
            r"external",
            r"commodity",
        ),
        "legal and regulatory": (
            r"legal",
            r"laws?",
            r"legislati(?:on|ve)",
            r"litigation",
            r"regulat(?:ion|ions|ory)",
            r"complian(?:ce|t)",
            r"government(?:al)?",
            r"polic(?:y|ies)",
            r"enforcement",
        ),
        "financial and capital": (
            r"financ(?:e|es|ial|ing)",
            r"capital",
            r"liquidity",
            r"indebtedness",
            r"debt",
            r"credit",
            r"operating results",
            r"results of operations",
            r"accounting",
            r"tax(?:es|ation)?",
            r"interest rates?",
        ),
        "technology and data": (
            r"technolog(?:y|ies|ical)",
            r"information systems",
            r"cyber ?security",
            r"cyber",
            r"(?:data )?privacy",
            r"data",
            r"security",
            r"artificial intelligence",
        ),
        "intellectual property": (r"intellectual property", r"patents?", r"proprietary rights"),
        "people": (
            r"people",
            r"employees?",
            r"employment",
            r"personnel",
            r"human (?:resources|capital)",
            r"talent",
            r"labor",
            r"workforce",
            r"management(?= team)",
        ),
        "securities and ownership": (
            r"(?:common |class [a-z] )*(?:stock|shares?|units)",
            r"securities",
            r"stockholders?",
            r"shareholders?",
            r"ownership",
            r"owning",
            r"governance",
            r"market price",
        ),
    }
)
"""For each class the words and phrases that speak for it, as patterns of whole words in the normalised heading."""

CLASSES = tuple(TABLE)

PHRASES: Mapping[str, str] = MappingProxyType(
    {
        r"capital markets": "financial and capital",
        r"capital stock": "securities and ownership",
        r"financial markets?": "industry and markets",
        r"market conditions": "industry and markets",
        r"governmental? (?:regulations?|laws?|investigations?)": "legal and regulatory",
        r"regulation of (?:our|the) (?:business|industry|operations)": "legal and regulatory",
        r"(?:results of operations|operating results)(?: and financial condition)?": "financial and capital",
        r"financial (?:condition|position|performance|results)(?: and results of operations)?": "financial and capital",
        r"information technology": "technology and data",
        r"international operations": "business and operations",
        r"human capital": "people",
        r"ownership of (?:our|the) [a-z ]*(?:stock|shares|units|securities)": "securities and ownership",
    }
)
"""Phrases that are about one class though their words are of two. They are looked for first, and their words then
count no more."""

_GENERAL = re.compile(
    r"(?:other |certain |additional )?general (?:business |company |corporate )?risks?(?: factors?)?.*"
)
_PATTERNS = MappingProxyType({name: re.compile(rf"\b(?:{'|'.join(words)})\b") for name, words in TABLE.items()})
_PHRASES = tuple((re.compile(rf"\b{phrase}\b"), name) for phrase, name in PHRASES.items())


def is_general(heading: str) -> bool:
    """Whether the heading stands over general risks. "Risks related to general economic conditions" does not."""
    return _GENERAL.fullmatch(normalised(heading)) is not None


def category(heading: str) -> str:
    """Return the heading's class, or GENERAL, UNMAPPED (no word of any class) or AMBIGUOUS (words of several)."""
    if is_general(heading):
        return GENERAL
    text, found = normalised(heading), set()
    for pattern, name in _PHRASES:
        text, times = pattern.subn("", text)
        if times:
            found.add(name)
    found |= {name for name, pattern in _PATTERNS.items() if pattern.search(text)}
    if len(found) == 1:
        return found.pop()
    return AMBIGUOUS if found else UNMAPPED
