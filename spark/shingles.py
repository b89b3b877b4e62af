"""Texts as sets of word n-grams, each n-gram a 64-bit number. numpy and plain Python, no Spark.

Near-duplicates (5-grams) and leakage (13-grams) compare texts by these sets. A number depends on the words alone:
not on the process, the batch or the machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_WORDS_KEPT = 1 << 20
"""Words whose numbers are remembered at once: a vocabulary of names and figures grows without end."""
_FIRST_MULTIPLIER = 0x9E3779B97F4A7C15
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


class WordNumbers(dict[str, int]):
    """The 64-bit number of a word (first bytes of its BLAKE2b digest), worked out when first asked for."""

    def __missing__(self, word: str) -> int:
        if len(self) >= _MOST_WORDS_KEPT:
            self.clear()
        number = int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
        self[word] = number
        return number


def mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread each number over all 64 bits (the finalizer of SplitMix64: one to one)."""
    first, second = _MIX
    numbers = (numbers ^ (numbers >> np.uint64(30))) * first
    numbers = (numbers ^ (numbers >> np.uint64(27))) * second
    return numbers ^ (numbers >> np.uint64(31))


def shingles(words: Sequence[str], size: int, numbers: WordNumbers) -> NDArray[np.uint64]:
    """Return the set of the words' n-grams of `size` words, sorted, without repeats.

    Words fewer than `size` make one n-gram, so that no set is empty. Two different n-grams have one number with a
    probability of 2**-64.
    """
    padding = [0] * (size - len(words))
    of_words = np.array([*map(numbers.__getitem__, words), *padding], dtype=np.uint64)
    count = len(of_words) - size + 1
    sums = np.zeros(count, dtype=np.uint64)
    multiplier = 1
    for place in range(size):
        multiplier = multiplier * _FIRST_MULTIPLIER % 2**64
        sums += of_words[place : place + count] * np.uint64(multiplier)
    return np.unique(mixed(sums))
