"""The options of a question, prepared for reading, and the two ways to *be* one of them: by text and by value.

A text is an option if it is its text (markup, spaces, case and a final stop apart). A value is an option if it equals
its value or is the decimal it rounds to, and no other option's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from vpbench.grade.numbers import value_of, without_markup
from vpbench.grade.text import STOP, plain_characters, words_of
from vpbench.grade.values import Value, close, rounded, same

DEFAULT_OPTIONS = 8
_FORMAL = re.compile(r"[\d\\^_=<>+*/$]")
_NEAR = Fraction(1, 10)
_SPACES = re.compile(r"[\s{}$\\,;]+")
_COMMON = frozenset(
    ("will", "would", "could", "might", "also", "likely", "most", "they", "become", "becomes", "happen")
)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a question, prepared for reading: `texts` is None where only letters are known.

    `words` finds the texts of options that are no values. `stems` holds the `telling_stems` of each option, none of
    those with digits or signs of formulas, which are told apart by these.
    """

    count: int
    texts: tuple[str, ...] | None
    keys: tuple[str, ...]
    values: tuple[Value | None, ...]
    words: re.Pattern[str] | None
    stems: tuple[frozenset[str], ...] = ()


def key(text: str) -> str:
    """What is compared of an option's text: markup, spaces, case and a final stop don't count."""
    text = without_markup(plain_characters(text)).strip(" .,;:\"'`()[]")
    return _SPACES.sub("", text.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac")).casefold()


def _prose_form(text: str) -> str:
    return " ".join(without_markup(plain_characters(text)).strip(" .,;:\"'").casefold().split())


@lru_cache(maxsize=8_192)
def options_of(choices: tuple[str, ...] | None) -> Options:
    """The options of a question with these choices; without any, letters A to H."""
    if not choices:
        return Options(DEFAULT_OPTIONS, None, (), (), None)
    keys = tuple(key(choice) for choice in choices)
    values = tuple(value_of(plain_characters(choice)) for choice in choices)
    searchable = {
        form for form, value in zip(map(_prose_form, choices), values, strict=True)
        if value is None and (len(form) > 1 or (len(form) == 1 and not form.isascii())) and len(form) < 200
    }  # fmt: skip
    pattern = "|".join(re.escape(form).replace(r"\ ", r"\s+") for form in sorted(searchable, key=len, reverse=True))
    words = re.compile(rf"(?<!\w)(?:{pattern})(?!\w)") if pattern else None
    stems = tuple(
        telling_stems(form) if value is None and len(form) < 200 and not _FORMAL.search(form) else frozenset()
        for form, value in zip(map(_prose_form, choices), values, strict=True)
    )
    return Options(len(choices), choices, keys, values, words, stems)


def telling_stems(text: str) -> frozenset[str]:
    """The first six letters of the words that tell options apart; plural, tense, "will" and "it" don't count."""
    kept = words_of(text) - STOP - _COMMON
    return frozenset(word[:6].rstrip("s") for word in kept if len(word) > 3)


def by_text(text: str, options: Options) -> int | None:
    """The option whose text `text` is.

    A bare capital that is a label of the question is never a text: where the texts are such letters in another order,
    "A" is the first option. With its brackets the text of an option like "(c)" is repeated as it stands.
    """
    wanted = key(text)
    if not wanted or _is_label(text, options):
        return None
    if len(wanted) == 1 and wanted.isalpha() and options.texts is not None:
        named = [number for number, mine in enumerate(options.texts) if mine.strip() == text.strip(" .")]
        return named[0] if named else None
    found = {number for number, mine in enumerate(options.keys) if mine == wanted}
    if len(found) > 1:
        found = {number for number in found if options.texts and options.texts[number].strip() == text.strip()} or found
    return min(found) if found else None


def _is_label(text: str, options: Options) -> bool:
    """Whether `text` is one capital among the labels, no other sign apart from a stop."""
    written = text.strip(" .")
    return len(written) == 1 and "A" <= written <= "Z" and ord(written) - ord("A") < options.count


def by_value(value: Value, options: Options) -> int | None:
    """The only option of that value, exactly or as its decimal approximation (two decimals or more)."""
    found = {number for number, mine in enumerate(options.values) if mine is not None and same(mine, value)}
    if not found:
        near = [number for number, mine in enumerate(options.values) if mine is not None and close(mine, value, _NEAR)]
        for number in near:
            if any(_approximates(value, options.values[number], decimals) for decimals in (1, 2, 3, 4)):
                found.add(number)
    return found.pop() if len(found) == 1 else None


def _approximates(value: Value, option: Value, decimals: int) -> bool:
    """Whether one is the other rounded to `decimals` decimals, and that many are really written."""
    exact, scale = rounded(value, decimals), 10 ** (decimals - 1)
    if (exact * scale).denominator == 1:
        return False
    return (same(exact, value) and decimals > 1 and rounded(option, decimals) == exact) or same(exact, option)
