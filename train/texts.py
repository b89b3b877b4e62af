"""What can be read off a text by rule: its sentences, named entities and numbers, and the body within a prompt.

Nothing here is learned or looked up in a list of names. The rules are for the English of filings; what they get wrong
is said where they stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_CAPITALS = 2  # that make a word a name wherever it stands
_TITLE_WORDS = 3  # with a capital, after the first, that a title has at least
_TITLE_SHARE = 0.4
_WORD = re.compile(r"[^\W\d_][\w&'\u2019-]*(?:\.\w+)*")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?")
_END = re.compile(r"[.!?][\"'\u201d\u2019)]*\s+(?=[\"'\u201c\u2018(]*[A-Z0-9])|\n+")
_ABBREVIATIONS = frozenset({"inc", "corp", "co", "ltd", "no", "mr", "mrs", "ms", "dr", "st", "u.s", "u.k", "vs"})
_JOINTS = frozenset({"of", "the"})


@dataclass(frozen=True)
class Template:
    """What stands around the body in the prompts of one task."""

    before: str = ""
    after: str = ""

    def body(self, prompt: str) -> str:
        """The prompt without the template."""
        return prompt[len(self.before) : len(prompt) - len(self.after)]


def template_of(prompts: Iterable[str]) -> Template:
    """The template of one task's prompts: the whole lines with which they all begin, and with which they all end.

    The texts of the templates are the data's business; here they are told by what the prompts share. With fewer than
    two different prompts nothing can be told, and the body is the whole prompt.
    """
    different = sorted(set(prompts))
    if len(different) < 2:  # noqa: PLR2004  (two, to share anything)
        return Template()
    before = _shared(different)
    before = before[: before.rfind("\n") + 1]
    after = _shared([prompt[len(before) :][::-1] for prompt in different])[::-1]
    return Template(before, after[after.find("\n") :] if "\n" in after else "")


def _shared(texts: list[str]) -> str:
    """The characters with which all texts begin."""
    first, last = min(texts), max(texts)
    return next((first[:place] for place, letter in enumerate(first) if letter != last[place : place + 1]), first)


def sentences(text: str) -> list[str]:
    """The sentences, without the space around them. Abbreviations and initials end none; the end of a line does."""
    found, start = [], 0
    for match in _END.finditer(text):
        last = text[start : match.start()].rpartition(" ")[2].casefold()
        if "\n" in match.group() or (last not in _ABBREVIATIONS and len(last) > 1):
            found.append(text[start : match.end()].strip())
            start = match.end()
    return [sentence for sentence in (*found, text[start:].strip()) if sentence]


def entities(text: str) -> list[str]:
    """Named entities, in their order: runs of words with a capital, also where "of" or "of the" joins them.

    The first word of a sentence counts only with two capitals (IBM), and so does every word of a sentence that looks
    like a title, since three words and two fifths have a capital. Common words that are capitalised in the midst of a
    sentence count too; names in lower case, and names that begin a sentence with one capital, do not.
    """
    return [entity for sentence in sentences(text) for entity in _entities(sentence)]


def _entities(sentence: str) -> list[str]:
    # A possessive ends its run: the name ends before the s, so that what follows is not next to it.
    words = [(match.start(), re.sub(r"['\u2019]s$", "", match.group())) for match in _WORD.finditer(sentence)]
    title = _is_title([word for _, word in words])
    runs: list[list[str]] = []
    joint: list[str] = []
    end = None  # of the run that may still go on
    for number, (start, word) in enumerate(words):
        stop = start + len(word)
        if _is_name(word, strict=title or number == 0):
            if end is not None and not sentence[end:start].strip():
                runs[-1].extend([*joint, word])
            else:
                runs.append([word])
            joint, end = [], stop
        elif end is not None and word in _JOINTS and (joint or word == "of") and not sentence[end:start].strip():
            joint, end = [*joint, word], stop
        else:
            joint, end = [], None
    return [" ".join(run) for run in runs]


def _is_name(word: str, *, strict: bool) -> bool:
    capitals = sum(letter.isupper() for letter in word)
    return capitals >= _CAPITALS or (not strict and word[0].isupper() and word != "I")


def _is_title(words: list[str]) -> bool:
    capitalised = sum(word[0].isupper() for word in words[1:])
    return capitalised >= _TITLE_WORDS and capitalised >= _TITLE_SHARE * len(words[1:])


def faithful_entities(text: str, source: str) -> tuple[int, int]:
    """How many of the text's different named entities stand in the source, and how many there are.

    One stands in the source where its words do, in their order, whatever their case.
    """
    found = {plain(entity) for entity in entities(text)}
    whole = f" {plain(source)} "
    return sum(f" {entity} " in whole for entity in found), len(found)


def faithful_numbers(text: str, source: str) -> tuple[int, int]:
    """How many of the text's different numbers, in digits, stand in the source, and how many there are."""
    found = numbers(text)
    return len(found & numbers(source)), len(found)


def numbers(text: str) -> set[str]:
    """The numbers in digits. 1,000.50 and 1000.5 are one number; signs and units do not count."""
    digits = (match.group().replace(",", "") for match in _NUMBER.finditer(text))
    shortened = (number.rstrip("0").rstrip(".") if "." in number else number for number in digits)
    return {number.lstrip("0") or "0" for number in shortened}


def plain(text: str) -> str:
    """The words in lower case, a space between two."""
    return " ".join(re.findall(r"\w+", re.sub(r"['\u2019]s\b", "", text.casefold())))
