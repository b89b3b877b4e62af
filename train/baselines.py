"""What can be had without a language model, for comparison: rules and bags of words.

For headings: the lead sentence of the body, and the heading of the nearest training body. For labels: the most frequent
one, and logistic regression. All of them see the rows that the model was trained on, and no others. Their settings
are usual ones and fixed: nothing is tuned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.texts import plain, sentences

NEGATIVES = 10
"""Headings that the true one is ranked among."""
NEAR_DUPLICATE = 0.5
"""Share of words in common (Jaccard) from which on two headings say the same."""
_WORD = r"(?u)\b\w+\b"


def lead_sentence(body: str) -> str:
    """The body's first sentence."""
    found = sentences(body)
    return found[0] if found else ""


class NearestHeading:
    """Returns the heading of the training body that is nearest by the cosine of TF-IDF."""

    def __init__(self, bodies: Sequence[str], headings: Sequence[str]) -> None:
        """Index the training bodies. Raises ValueError where there is none."""
        if not bodies:
            raise ValueError("no training body to be near to")
        self._headings = list(headings)
        self._vectorizer = _vectorizer()
        self._index = self._vectorizer.fit_transform(bodies)

    def of(self, bodies: Sequence[str]) -> list[str]:
        """The nearest headings of these bodies."""
        nearness = self._vectorizer.transform(bodies) @ self._index.T
        return [self._headings[place] for place in np.asarray(nearness.argmax(axis=1)).ravel()]

    def nearness(self, body: str, headings: Sequence[str]) -> list[float]:
        """Cosine of the body with each of the headings, in the vocabulary of the training bodies."""
        found = self._vectorizer.transform([body]) @ self._vectorizer.transform(headings).T
        return [float(value) for value in found.toarray()[0]]


class Majority:
    """Says the most frequent label of training, always. Raises ValueError where there is no label."""

    def __init__(self, labels: Sequence[str]) -> None:
        if not labels:
            raise ValueError("no training label")
        counted = Counter(labels)
        self._names = sorted(counted)
        self._shares = [counted[name] / len(labels) for name in self._names]

    def of(self, bodies: Sequence[str], labels: Sequence[str]) -> NDArray[np.float64]:
        """Log share of each label, shape (bodies, labels)."""
        return np.tile(_logs(self._names, np.array([self._shares]), labels), (len(bodies), 1))


class TfidfLogistic:
    """Logistic regression over TF-IDF of words and pairs of words, the labels weighted evenly."""

    def __init__(self, bodies: Sequence[str], labels: Sequence[str]) -> None:
        """Fit. Raises ValueError where training has fewer than two labels."""
        from sklearn.linear_model import LogisticRegression

        self._vectorizer = _vectorizer(ngram_range=(1, 2))
        self._model = LogisticRegression(C=10.0, class_weight="balanced", max_iter=1000)
        self._model.fit(self._vectorizer.fit_transform(bodies), labels)

    def of(self, bodies: Sequence[str], labels: Sequence[str]) -> NDArray[np.float64]:
        """Log probability of each label, shape (bodies, labels)."""
        return _logs(list(self._model.classes_), self._model.predict_proba(self._vectorizer.transform(bodies)), labels)


class Headings:
    """Different headings, and which of them are near to one."""

    def __init__(self, headings: Sequence[str]) -> None:
        self._headings = sorted(set(headings))
        self._place = {heading: number for number, heading in enumerate(self._headings)}
        self._words = [frozenset(plain(heading).split()) for heading in self._headings]
        self._vectors: Any = _vectorizer().fit_transform(self._headings) if self._headings else None

    def hard_negatives(self, heading: str) -> list[str] | None:
        """The NEGATIVES nearest to one of the headings, by the cosine of TF-IDF, nearest first.

        None of them says the same as the heading or as another of them. None where there are not so many.
        """
        own = self._place[heading]
        nearness = np.asarray((self._vectors[own] @ self._vectors.T).toarray())[0]
        taken: list[int] = []
        for place in np.argsort(-nearness, kind="stable").tolist():
            others = [self._words[own], *(self._words[one] for one in taken)]
            if self._words[place] and all(_jaccard(self._words[place], one) < NEAR_DUPLICATE for one in others):
                taken.append(place)
            if len(taken) == NEGATIVES:
                return [self._headings[one] for one in taken]
        return None


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)


def _logs(names: Sequence[str], shares: NDArray[np.float64], labels: Sequence[str]) -> NDArray[np.float64]:
    """Log shares in the order of `labels`; a label that training lacks has the least that a float can tell from 0."""
    placed = np.full((len(shares), len(labels)), np.finfo(np.float64).tiny)
    for number, label in enumerate(labels):
        if label in names:
            placed[:, number] = np.maximum(shares[:, names.index(label)], np.finfo(np.float64).tiny)
    return np.log(placed)


def _vectorizer(**options: Any) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    # One-letter words count too: a heading or body of nothing else would leave an empty vocabulary.
    return TfidfVectorizer(sublinear_tf=True, token_pattern=_WORD, **options)
