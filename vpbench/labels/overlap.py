"""Questions that two sets share: the same letters and digits, or mostly the same runs of words.

Rows to train on whose question is also tested on teach the test. Formatting, punctuation and case differ between copies
of one question, and some are edited; so a question is in a set exactly where its letters and digits are those of one
there, and nearly where at least half of its 8-grams, in words, are 8-grams of the set. One of fewer than 8 words is one
n-gram.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

WORDS = 8
SHARE = 0.5

Overlap = Literal["exact", "near"]

_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Questions:
    """A set of questions, to be asked whether another one is in it."""

    letters: frozenset[str]
    grams: frozenset[tuple[str, ...]]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Questions:
        """The set of these questions."""
        words = [_words(text) for text in texts]
        return cls(frozenset(map("".join, words)), frozenset(gram for text in words for gram in _grams(text)))

    def overlap(self, text: str) -> Overlap | None:
        """How `text` is in the set; None: it isn't."""
        words = _words(text)
        if "".join(words) in self.letters:
            return "exact"
        grams = _grams(words)
        shared = sum(gram in self.grams for gram in grams)
        return "near" if grams and shared >= SHARE * len(grams) else None


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _grams(words: list[str]) -> list[tuple[str, ...]]:
    return [tuple(words[start : start + WORDS]) for start in range(max(1, len(words) - WORDS + 1))] if words else []
