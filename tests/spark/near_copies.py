"""Texts with near-copies at known edit rates, and the exact answer: every pair's Jaccard similarity."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

Pair = tuple[str, str]


def words(generator: random.Random, count: int, vocabulary: int = 3000) -> list[str]:
    """Draw words; common ones come often, as in prose."""
    return [f"w{int(vocabulary ** generator.random())}" for _ in range(count)]


def edited(text: list[str], rate: float, generator: random.Random) -> list[str]:
    """Replace, drop or double each word with the probability `rate`."""
    out: list[str] = []
    for word in text:
        if generator.random() >= rate:
            out.append(word)
            continue
        out.extend(generator.choice(([], [word, word], [f"x{generator.randrange(10**6)}"])))
    return out


def families(originals: int, copies: int, rates: Iterable[float], seed: int) -> Iterator[tuple[str, str]]:
    """Yield key and text: originals of 60 to 250 words, each with copies of it, or of one of its copies."""
    generator, rates = random.Random(seed), list(rates)
    for family in range(originals):
        known = [words(generator, generator.randint(60, 250))]
        for _ in range(generator.randint(0, copies)):
            known.append(edited(generator.choice(known), generator.choice(rates), generator))
        for number, text in enumerate(known):
            yield f"{family}-{number}", " ".join(text)


def grams(text: str, size: int) -> frozenset[tuple[str, ...]]:
    """Word n-grams of a text of plain lower-case words, as tuples."""
    parts = text.split()
    return frozenset(tuple(parts[place : place + size]) for place in range(max(1, len(parts) - size + 1)))


def exact_pairs(texts: Mapping[str, str], size: int, threshold: float) -> dict[Pair, float]:
    """Every pair of keys with its similarity, where that reaches the threshold: counted, not estimated."""
    sets = {key: grams(text, size) for key, text in texts.items()}
    holders = defaultdict(list)
    for key, own in sets.items():
        for gram in own:
            holders[gram].append(key)
    shared = Counter(pair for keys in holders.values() for pair in combinations(sorted(keys), 2))
    similar = {(a, b): n / (len(sets[a]) + len(sets[b]) - n) for (a, b), n in shared.items()}
    return {pair: value for pair, value in similar.items() if value >= threshold}


def groups(keys: Iterable[str], pairs: Iterable[Pair]) -> set[frozenset[str]]:
    """The connected components, by a plain union of sets."""
    of = {key: {key} for key in keys}
    for one, other in pairs:
        if of[one] is not of[other]:
            of[one] |= of[other]
            for key in of[other]:
                of[key] = of[one]
    return {frozenset(group) for group in of.values()}
