"""How right the structure of Item 1A is, against hand-labelled windows of sections.

The labels' offsets are in the truth text, the extractor's in its own; the two are aligned word by word. A heading is
found where it covers the label's words: the words in both are at least nine in ten of the words in either. A body
agrees where its first and last words are the label's. A label that is marked as doubtful counts for nothing, nor does a
heading that covers it.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

_WORD = re.compile(r"\w+")
_COVERS = 0.9

Span = tuple[int, int]
Words = frozenset[int]


@dataclass
class Tally:
    """Headings of one kind: those labelled, those found of them, and those that the extractor says there are."""

    labelled: int = 0
    found: int = 0
    predicted: int = 0
    right: int = 0

    def __str__(self) -> str:
        precision, recall = self.right / max(1, self.predicted), self.found / max(1, self.labelled)
        return (
            f"precision {precision:.3f} ({self.right} of {self.predicted}), "
            f"recall {recall:.3f} ({self.found} of {self.labelled})"
        )


@dataclass
class Agreement:
    """The outcome over some filings; `notes` quote what disagrees, and are for companies that are not held out."""

    filings: int = 0
    subcaptions: Tally = field(default_factory=Tally)
    groups: Tally = field(default_factory=Tally)
    bodies: int = 0
    notes: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """What to print."""
        bodies, labelled = self.bodies, self.subcaptions.labelled
        yield f"subcaptions: {self.subcaptions}"
        yield f"group headings: {self.groups}"
        yield f"bodies that begin and end where they should: {bodies / max(1, labelled):.3f} ({bodies} of {labelled})"


class Alignment:
    """Words of an extracted text as positions among the words of the truth."""

    def __init__(self, truth: str, text: str) -> None:
        self._truth = _words(truth)
        self._text = _words(text)
        matcher = SequenceMatcher(None, [w for w, _ in self._truth], [w for w, _ in self._text])
        self._position = {
            block.b + i: block.a + i for block in matcher.get_matching_blocks() for i in range(block.size)
        }

    def of_truth(self, span: Span) -> Words:
        """The words of a span of the truth, by position."""
        return frozenset(i for i, (_, at) in enumerate(self._truth) if span[0] <= at < span[1])

    def of_text(self, span: Span) -> Words:
        """The words of a span of the extracted text; words that the truth lacks have negative positions."""
        inside = (i for i, (_, at) in enumerate(self._text) if span[0] <= at < span[1])
        return frozenset(self._position.get(i, -1 - i) for i in inside)


def _words(text: str) -> list[tuple[str, int]]:
    return [(match[0].lower(), match.start()) for match in _WORD.finditer(text)]


def compare(
    labels: Sequence[Mapping[str, Any]], truth: Path, answers: Mapping[str, Mapping[str, Any]]
) -> dict[str, Agreement]:
    """Agreement for `tuned`, `held-out` and `all` of the labelled filings that were answered, by id.

    Raises ValueError where the truth is not the text that was labelled.
    """
    outcomes = {"tuned": Agreement(), "held-out": Agreement(), "all": Agreement()}
    for filing in labels:
        if filing["id"] not in answers:
            continue
        data = (truth / f"{filing['id']}.txt").read_bytes()
        if hashlib.sha256(data).hexdigest() != filing["truth_sha256"]:
            raise ValueError(f"{filing['id']}: the truth is not the text that was labelled; label it again")
        for part in ("held-out" if filing["held_out"] else "tuned", "all"):
            _Comparison(filing, data.decode(), answers[filing["id"]]).add_to(outcomes[part])
    return outcomes


@dataclass(frozen=True)
class _Labels:
    """A filing's labels of one kind as words of the truth; those in doubt count for nothing."""

    sure: Sequence[tuple[Mapping[str, Any], Words]]
    doubtful: Sequence[Words]


class _Comparison:
    """One filing's labels beside its answer."""

    def __init__(self, filing: Mapping[str, Any], truth: str, answer: Mapping[str, Any]) -> None:
        self._id = filing["id"]
        self._truth, self._text = truth, answer["text"] or ""
        self._factors = answer["risk_factors"]
        self._alignment = Alignment(self._truth, self._text)
        self._window = self._alignment.of_truth(tuple(filing["window"]))
        self._labels = [(label, self._alignment.of_truth((label["start"], label["end"]))) for label in filing["labels"]]

    def add_to(self, outcome: Agreement) -> None:
        outcome.filings += 1
        self._add_headings("subcaption", outcome.subcaptions, outcome.notes)
        self._add_headings("group", outcome.groups, outcome.notes)
        self._add_bodies(outcome)

    def _of_kind(self, kind: str) -> _Labels:
        sure = [(label, words) for label, words in self._labels if label["label"] == kind and not label.get("doubt")]
        return _Labels(sure, [words for label, words in self._labels if label.get("doubt")])

    def _predicted(self, kind: str) -> dict[Words, str]:
        spans = {tuple(factor[f"{kind}_span"]) for factor in self._factors if factor[f"{kind}_span"] is not None}
        found = ((self._alignment.of_text(span), self._text[span[0] : span[1]]) for span in sorted(spans))
        return {words: quote for words, quote in found if words & self._window}

    def _add_headings(self, kind: str, tally: Tally, notes: list[str]) -> None:
        labels, predicted = self._of_kind(kind), self._predicted(kind)
        for label, words in labels.sure:
            tally.labelled += 1
            if _any_covers(predicted, words):
                tally.found += 1
            else:
                notes.append(f"{self._id} missed {kind}: {self._truth[label['start'] : label['end']]!r}")
        for words, quote in predicted.items():
            if _any_covers(labels.doubtful, words):
                continue
            tally.predicted += 1
            if _any_covers([sure for _, sure in labels.sure], words):
                tally.right += 1
            else:
                notes.append(f"{self._id} no {kind}: {quote!r}")

    def _add_bodies(self, outcome: Agreement) -> None:
        captioned = [factor for factor in self._factors if factor["subcaption_span"] is not None]
        bodies = {
            self._alignment.of_text(tuple(factor["subcaption_span"])): self._alignment.of_text(
                (factor["start"], factor["end"])
            )
            for factor in captioned
        }
        for label, words in self._of_kind("subcaption").sure:
            expected = self._alignment.of_truth(tuple(label["body"]))
            body = next((body for caption, body in bodies.items() if _covers(caption, words)), None)
            if body and (min(body), max(body)) == (min(expected), max(expected)):
                outcome.bodies += 1
            elif body:
                outcome.notes.append(f"{self._id} other body: {self._truth[label['start'] : label['end']]!r}")


def _covers(one: Words, other: Words) -> bool:
    return bool(one | other) and len(one & other) / len(one | other) >= _COVERS


def _any_covers(ones: Iterable[Words], other: Words) -> bool:
    return any(_covers(one, other) for one in ones)


def read_labels(path: Path) -> list[dict[str, Any]]:
    """The labelled filings of a labels file."""
    filings: list[dict[str, Any]] = json.loads(path.read_text())["filings"]
    return filings
