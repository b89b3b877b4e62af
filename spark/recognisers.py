"""The recognisers of personal data: Presidio's by pattern and context, and our own where it has none.

No language model and no network: Presidio's engine gets spaCy's bare English tokeniser, and the list of public
suffixes is the one that tldextract brings. Presidio takes seconds to import, so `pii` imports this module only when
a text needs it. Raise `cleaning.CLEANER_VERSION` when a recogniser changes.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

import spacy
import tldextract
from presidio_analyzer import (
    AnalysisExplanation,
    AnalyzerEngine,
    LemmaContextAwareEnhancer,
    LocalRecognizer,
    Pattern,
    RecognizerRegistry,
    RecognizerResult,
)
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine
from presidio_analyzer.predefined_recognizers import (
    CreditCardRecognizer,
    EmailRecognizer,
    IbanRecognizer,
    PhoneRecognizer,
    UsSsnRecognizer,
)
from spacy.language import Language

from spark.signature_names import names
from spark.street_addresses import addresses

LANGUAGE = "en"
PIECE, MARGIN = 4_000, 500
"""Characters of a long text that are searched at once, and how many beside them are looked at: more than a number and
the words that say what it is take. Most risk factors are shorter than a piece."""
LAID_OUT = ("PERSON", "ADDRESS")
"""Types that are found by the lines around them, however far: in the whole text."""
THRESHOLD = 0.4
"""The least score of a finding: what Presidio gives a weak pattern beside a word of its context."""
CONTEXT_BEFORE, CONTEXT_AFTER = 5, 2
"""Words before and after a finding among which its context's words are looked for."""
EMAIL_LENGTH = 320
"""Characters of the longest address, 64 before the @ and 255 behind it (RFC 5321, 4.5.3.1)."""

COVER_PHONE = re.compile(
    r"(?:registrant|issuer|company)(?:[\u2019']s|s[\u2019'])? (?:tele)?phone (?:numbers?|nos?\b)"
    r"|telephone numbers?,? (?:of (?:the )?registrant|including area codes?)|area codes? and telephone numbers?"
    r"|telephone of (?:the )?(?:registrant|issuer|company)",
    re.IGNORECASE,
)
"""What stands beside the registrant's own telephone number on a cover page."""
COVER_REACH = 80
"""Characters between a cover page's telephone number and the words that name it."""
_OTHER_NUMBER = re.compile(
    r"(?:\b(?:aba|account|accts?|acct|a/c|cusip|isin|sedol|routing|transit|swift|loan|ffc|ein|tin|i\.?r\.?s\.?|duns"
    r"|d-u-n-s"
    r"|docket|permit|patent|policy|claim|case|order|invoice|file|reference|ref|serial|certificate|contract|lot|part"
    r"|model|item|accession|commission|licen[sc]e|registration|common code|min|npi|imo|project|matter|ticket|tracking"
    r"|parcel|purchase order|po|vendor|customer|grant|plan|crd|lei|nmls|naics|sic|bin|zip|iata|oclc|doi|isbn|issn)"
    r"(?:[ ]+(?:identification|id|code))?(?:[ ]+(?:number|numbers|nos?\.?|#))?[ ]*[:.#]?[ ]*)$",
    re.IGNORECASE,
)
"""The name of another number, right before what looks like a telephone or social security number."""


class BareTokens(NlpEngine):
    """Presidio's text side without a model: spaCy's rules for English tokens, and each token as its own lemma."""

    engine_name = "bare"
    is_available = True

    def __init__(self) -> None:
        self._nlp: Language | None = None

    def load(self) -> None:
        """Make the tokeniser; nothing is read but spaCy's own rules."""
        self._nlp = spacy.blank(LANGUAGE)

    def is_loaded(self) -> bool:
        """Whether `load` was called."""
        return self._nlp is not None

    def process_text(self, text: str, language: str) -> NlpArtifacts:
        """Return the tokens; there are no entities."""
        doc = self._loaded().make_doc(text)
        return NlpArtifacts(
            entities=[],
            tokens=doc,
            tokens_indices=[token.idx for token in doc],
            lemmas=[token.lower_ for token in doc],
            nlp_engine=self,
            language=language,
        )

    def process_batch(
        self, texts: Iterable[str], language: str, batch_size: int = 1, n_process: int = 1, **_: object
    ) -> Iterator[tuple[str, NlpArtifacts]]:
        """Return each text with its tokens, one after another in this process."""
        for text in texts:
            yield text, self.process_text(text, language)

    def is_stopword(self, word: str, language: str) -> bool:
        """Whether spaCy's list of English stop words holds the word."""
        return bool(self._loaded().vocab[word].is_stop)

    def is_punct(self, word: str, language: str) -> bool:
        """Whether the token is punctuation."""
        return bool(self._loaded().vocab[word].is_punct)

    def get_supported_entities(self) -> list[str]:
        """None: the engine finds no entities itself."""
        return []

    def get_supported_languages(self) -> list[str]:
        """English."""
        return [LANGUAGE]

    def _loaded(self) -> Language:
        if self._nlp is None:
            raise RuntimeError("the tokeniser is not loaded: call load() first")
        return self._nlp


class Emails(EmailRecognizer):
    """Presidio's, on the surroundings of each @ alone, and without the network.

    Its pattern runs in quadratic time over a long word, and gives up silently after a minute; and by default
    tldextract fetches the list of public suffixes. A domain that the list lacks, such as an internal one, keeps the
    pattern's score.
    """

    def __init__(self) -> None:
        super().__init__(supported_entity="EMAIL")
        self._domains = tldextract.TLDExtract(cache_dir=None, suffix_list_urls=())

    def validate_result(self, pattern_text: str) -> bool | None:
        """Whether the domain ends in a public suffix; None leaves it open."""
        return True if self._domains(pattern_text.rpartition("@")[2]).fqdn else None

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None, regex_flags: int | None = None
    ) -> list[RecognizerResult]:
        """Run the pattern between white space around each @, at most an address's length away from it."""
        found = []
        for start, end in _around_signs(text):
            for result in super().analyze(text[start:end], entities, nlp_artifacts, regex_flags):
                result.start, result.end = result.start + start, result.end + start
                name = text[result.start : result.end].rpartition("@")[0]
                # A quotation mark, or the name of a field, which the pattern takes for part of the address.
                result.start += len(name) - len(name.rpartition("=")[2].lstrip("'`{|"))
                found.append(result)
        return found


def _around_signs(text: str) -> Iterator[tuple[int, int]]:
    """The stretches of text without white space around each @, merged where they touch."""
    start = end = -1
    for sign in re.finditer("@", text):
        low = max(sign.start() - EMAIL_LENGTH, 0)
        low += len(text[low : sign.start()]) - len(re.split(r"\s", text[low : sign.start()])[-1])
        high = sign.end() + len(re.split(r"\s", text[sign.end() : sign.end() + EMAIL_LENGTH], maxsplit=1)[0])
        if low > end:
            if end > start:
                yield start, end
            start = low
        end = high
    if end > start:
        yield start, end


class Cards(CreditCardRecognizer):
    """Presidio's, with the numbers that its pattern lacks: Mastercard's 2-series, and 17 to 19 digits."""

    MORE = Pattern(
        "ISO/IEC 7812",
        r"(?<![\d.,$-])(?:[2-6]\d{12,18}|[2-6]\d{3}([ -])\d{4}\1\d{4}\1\d{1,7}(?:\1\d{1,3})?)(?![ -]?\d|[.,]\d)",
        0.3,
    )

    def __init__(self) -> None:
        super().__init__(supported_entity="CARD", patterns=[*CreditCardRecognizer.PATTERNS, self.MORE])

    def invalidate_result(self, pattern_text: str) -> bool:
        """Whether one digit alone makes up the number."""
        return len({char for char in pattern_text if char.isdigit()}) == 1

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None, regex_flags: int | None = None
    ) -> list[RecognizerResult]:
        """Find the numbers, less those that are a part of a longer row of digits, such as a bank account's."""
        return [
            result
            for result in super().analyze(text, entities, nlp_artifacts, regex_flags)
            if not re.search(r"\d[ -]$", text[max(0, result.start - 2) : result.start])
            and not re.match(r"[ -]?\d|[.,]\d", text[result.end : result.end + 2])
        ]


class SocialSecurityNumbers(UsSsnRecognizer):
    """Presidio's, with scores by form: hyphens are enough, blanks need the words in the text, bare digits beside them.

    Nine digits in a row or a ZIP code of nine are common in filings. The published sample numbers count too: whoever
    reads the data cannot tell them from a person's.
    """

    HYPHENS = Pattern("hyphens", r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])", 0.5)
    BLANKS = Pattern("blanks or full stops", r"(?<![\d.,-])\d{3}([ .])\d{2}\1\d{4}(?![\d-]|[.,]\d| \d{4}(?!\d))", 0.2)
    BARE = Pattern("bare", r"(?<![\w.,$-])\d{9}(?![\w-]|[.,]\d)", 0.05)
    NAMED = re.compile(
        r"\bSSNs?\b|\bS\.S\.N|\bsocial[\s-]+security\b|\bsoc\.?\s+sec\b|\bSS\s?#|\btaxpayer\b", re.IGNORECASE
    )

    BESIDE = re.compile(
        r"(?:\bSSN|\bSS ?#|\bsocial security(?: numbers?| nos?\.?)?)(?: ?/ ?| or | and )[\w. ]{2,25}[:#.]?\s*$",
        re.IGNORECASE,
    )
    """A label that names a social security number and another one."""
    IN_SENTENCE = re.compile(
        r"(?:\bSSNs?\b|\bsocial security\b)(?:(?!\d{5}|[.?!)][\"']?\s+[A-Z]|\bEINs?\b|\baccount)[^\n]){0,120}$",
        re.IGNORECASE,
    )
    """The words in the same sentence, without another long number behind them."""
    SENTENCE_REACH = 150
    LISTED = re.compile(r"\d{9}(?:, |,? and |,? or )$")
    """The number before in a list: what names that one names this one too."""

    def __init__(self) -> None:
        super().__init__(
            supported_entity="SSN",
            patterns=[self.HYPHENS, self.BLANKS, self.BARE],
            context=["social", "ssn", "s.s.n", "ssns", "ss#"],
        )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Whether the number can never be given: area 000 or 666, group 00, serial 0000 (SSA, POMS RM 10201.035).

        An area of 9 with hyphens is a taxpayer's own number, which the tax office gives (IRC 6109), and stays.
        """
        area, group, serial = (digits := re.sub(r"\D", "", pattern_text))[:3], digits[3:5], digits[5:]
        taxpayer = area[0] == "9" and "-" in pattern_text
        return area in {"000", "666"} or group == "00" or serial == "0000" or (area[0] == "9" and not taxpayer)

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None, regex_flags: int | None = None
    ) -> list[RecognizerResult]:
        """Find the numbers, less those that another number's name precedes."""
        found = super().analyze(text, entities, nlp_artifacts, regex_flags)
        named = self.NAMED.search(text) is not None
        kept = [
            result
            for result in found
            if self.BESIDE.search(text, max(0, result.start - 40), result.start)
            or not _named_otherwise(text, result.start)
        ]
        for result in kept:
            if named and re.search(r"[ .]", text[result.start : result.end]):
                result.score = THRESHOLD
            elif named and self.IN_SENTENCE.search(text, max(0, result.start - self.SENTENCE_REACH), result.start):
                result.score = max(result.score, THRESHOLD)
        self._go_on(text, kept)
        return kept

    def _go_on(self, text: str, found: Sequence[RecognizerResult]) -> None:
        """Give a number of a list the score of the one before it."""
        scores = {result.end: result.score for result in found}
        for result in sorted(found, key=lambda one: one.start):
            if before := self.LISTED.search(text, max(0, result.start - 15), result.start):
                result.score = max(result.score, scores.get(before.start() + 9, 0.0))
                scores[result.end] = result.score


class Phones(PhoneRecognizer):
    """Presidio's over python-phonenumbers, by what a number shows of its country.

    A number with a country code or of the North American plan stands for itself. One that begins with the trunk
    prefix 0 of another country needs a word of telephony before it. Numbers of the right form whose block was never
    given out, as in invented samples, count as well. The registrant's own number on a cover page does not.
    """

    NORTH_AMERICAN = re.compile(
        r"(?<![\w.,+-])(?:\+?1[ .-]?)?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ ./-])[2-9]\d{2}[ .-]\d{4}(?![\w-]|[.,]\d)",
        re.ASCII,
    )
    INTERNATIONAL = re.compile(
        r"(?<![\w+])\+(?!1[ .-]|\d+\.\d\d(?! ?\d|[.-]))[1-9]\d{0,2}(?:[ .\u2013-]?\(?\d{1,4}\)?){2,5}(?!\d)", re.ASCII
    )
    TRUNK = re.compile(
        r"(?<![\w.,+$-])(?<!\d )\(?0\d{1,5}\)?[ /-]\d{2,6}(?:[ -]\d{2,6}){0,3}(?![\w-]|[.,]\d)", re.ASCII
    )
    TRUNK_DIGITS = 9
    LOCAL = re.compile(r"(?<![\w.,+$)/-])(?<!\) )[2-9]\d{2}[ -]\d{4}(?![\w-]|[.,]\d)", re.ASCII)
    NORTH_AMERICAN_GROUPS = ([3, 3, 4], [1, 3, 3, 4])
    WORDS = re.compile(
        r"\b(?:tele)?phones?\b|\btel\b|\bcall(?:s|ed|ing)?\b|\bmobile\b|\bcell(?:phone|ular)?\b|\bfax\b|\bfacsimile\b"
        r"|\bring\b|\bdial\b|\breached?\b|\bhome\b|\bline\b|\bhandy\b|\bextension\b|\bcontact\b|\btext(?:ed|s)?\b"
        r"|\brang\b|\bdial(?:l?ed|s)?\b|\bvoicemail\b|\bhotline\b|\bhelpline\b"
        r"|\bswitchboard\b|\bpager\b|\bwhatsapp\b|\bnumber (?:is|was|of)\b|\bcallers?\b|\banswers\b|\b[TFM]:",
        re.IGNORECASE,
    )
    WORDS_REACH = 80
    NEAR_WORDS_REACH = 30
    EXTENSION = re.compile(r"[ ,]*(?:x|ext\.?|extension)[ ]?\d{1,6}\b", re.IGNORECASE)
    ACRONYM = re.compile(
        r"\b(?!TEL|FAX|PHONE|CALL|CELL|MOBILE|HOME|WORK|OFFICE|DIRECT|MAIN|TTY|TDD|USA)[A-Z]{3,}[:#]? $"
    )

    def __init__(self) -> None:
        super().__init__(supported_entity="PHONE", supported_regions=("US",))

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        """Find the numbers, each once, less the registrant's own and those that have another name."""
        valid = super().analyze(text, entities, nlp_artifacts)  # type: ignore[arg-type]  # None is its default
        found = [result for result in valid if self._written(text, result)]
        shapes = [*self.NORTH_AMERICAN.finditer(text), *self.INTERNATIONAL.finditer(text)]
        shapes += [match for match in self.TRUNK.finditer(text) if self._named(text, match, self.WORDS_REACH)]
        shapes += [match for match in self.LOCAL.finditer(text) if self._named(text, match, self.NEAR_WORDS_REACH)]
        found += [_result(self, "PHONE", match.start(), match.end()) for match in shapes]
        kept = [result for result in found if self._stays(text, result)]
        for result in kept:
            result.score = Spans.SCORE
            if extension := self.EXTENSION.match(text, result.end):
                result.end = extension.end()
        return kept

    def _written(self, text: str, result: RecognizerResult) -> bool:
        """Whether python-phonenumbers' finding is grouped as a number to call; ten bare digits need a word before."""
        number = text[result.start : result.end]
        groups = [len(group) for group in re.findall(r"\d+", self.EXTENSION.sub("", number))]
        if number.startswith(("+", "011")) or groups in self.NORTH_AMERICAN_GROUPS:
            return not re.search(r"[\w$€£#,.-]$", text[max(0, result.start - 1) : result.start])
        return bool(self.WORDS.search(text, max(0, result.start - self.NEAR_WORDS_REACH), result.start))

    def _named(self, text: str, match: re.Match[str], reach: int) -> bool:
        """Whether a word of telephony stands before, and the digits are enough for a trunk prefix."""
        digits = sum(char.isdigit() for char in match.group())
        long_enough = digits >= self.TRUNK_DIGITS or not match.group().startswith(("0", "(0"))
        return long_enough and self.WORDS.search(text, max(0, match.start() - reach), match.start()) is not None

    def _stays(self, text: str, result: RecognizerResult) -> bool:
        """Whether the number has no other name and is not the registrant's own."""
        before = text[max(0, result.start - COVER_REACH) : result.start]
        other = _named_otherwise(text, result.start) or self.ACRONYM.search(before)
        return not other and not on_cover(text, result.start, result.end)


def on_cover(text: str, start: int, end: int) -> bool:
    """Whether the words of a cover page that name the registrant's telephone number stand beside the span."""
    before, after = text[max(0, start - COVER_REACH) : start], text[end : end + COVER_REACH]
    named = list(COVER_PHONE.finditer(before))
    if named and not re.search(r"\n.*\d{4}|\. ", before[named[-1].end() :]):
        return True
    following = COVER_PHONE.search(after)
    return following is not None and not re.search(r"\d{4}", after[: following.start()])


def _named_otherwise(text: str, start: int) -> bool:
    return _OTHER_NUMBER.search(text, max(0, start - 40), start) is not None


class Spans(LocalRecognizer):
    """A recogniser for Presidio out of a function that yields the start and end of each span of one type."""

    SCORE = 0.8

    def __init__(self, entity: str, find: Callable[[str], Iterator[tuple[int, int]]]) -> None:
        self._find = find
        super().__init__(supported_entities=[entity], supported_language=LANGUAGE, name=f"{entity.title()}Spans")

    def load(self) -> None:
        """Nothing to load."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        """Return a finding for each span."""
        return [_result(self, self.supported_entities[0], start, end, self.SCORE) for start, end in self._find(text)]


def _result(recogniser: LocalRecognizer, entity: str, start: int, end: int, score: float = 0.5) -> RecognizerResult:
    name = type(recogniser).__name__
    return RecognizerResult(
        entity_type=entity,
        start=start,
        end=end,
        score=score,
        analysis_explanation=AnalysisExplanation(recognizer=name, original_score=score),
        recognition_metadata={
            RecognizerResult.RECOGNIZER_NAME_KEY: name,
            RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: recogniser.id,
        },
    )


@functools.cache
def engine() -> AnalyzerEngine:
    """The one analyzer of this process."""
    recognisers = [
        Emails(),
        IbanRecognizer(supported_entity="IBAN"),
        Cards(),
        SocialSecurityNumbers(),
        Phones(),
        Spans("PERSON", names),
        Spans("ADDRESS", addresses),
    ]
    return AnalyzerEngine(
        registry=RecognizerRegistry(recognizers=recognisers, supported_languages=[LANGUAGE]),
        nlp_engine=BareTokens(),
        supported_languages=[LANGUAGE],
        default_score_threshold=THRESHOLD,
        context_aware_enhancer=LemmaContextAwareEnhancer(
            context_prefix_count=CONTEXT_BEFORE, context_suffix_count=CONTEXT_AFTER
        ),
    )


def find(text: str, types: Iterable[str]) -> list[tuple[int, int, str, float]]:
    """Return start, end, type and score of what the recognisers of these types find, in no order; spans may overlap.

    A text longer than `PIECE` is searched for numbers and e-mail addresses piece by piece: Presidio goes through all
    tokens of a text for each finding. The words that a number needs "in the text" are then those around its piece.
    """
    asked = tuple(types)
    if len(text) <= PIECE:
        return _analyzed(text, asked)
    found = _analyzed(text, [kind for kind in asked if kind in LAID_OUT])
    others = [kind for kind in asked if kind not in LAID_OUT]
    for start in range(0, len(text), PIECE):
        low = max(0, start - MARGIN)
        near = _analyzed(text[low : start + PIECE + MARGIN], others)
        found += [
            (low + begin, low + end, kind, score)
            for begin, end, kind, score in near
            if start <= low + begin < start + PIECE
        ]
    return found


def _analyzed(text: str, types: Sequence[str]) -> list[tuple[int, int, str, float]]:
    if not types:
        return []
    results = engine().analyze(text, language=LANGUAGE, entities=list(types))
    return [(result.start, result.end, result.entity_type, result.score) for result in results]
