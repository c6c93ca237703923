"""Numbers in words of other languages: Chinese, Japanese, Korean, German, French and Spanish.

Chinese, Japanese and Korean write digits and powers of ten in turn ("四十二", "两百", "이백"), with signs ("负三"),
points ("三点五") and fractions ("三分之二": two of three). Of the other languages whole numbers up to a hundred, round
ones and simple fractions are read. The words are those of `foreign_words.toml`. In a sentence a number counts where it
stands for itself or counts something ("三个"), not as a part of a word ("三角形"). A text alone is no number if it is
an English word ("once").
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

_TABLE: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_LATIN = {name: row for name, row in _TABLE.items() if name != "numerals"}
MAX_CHARACTERS = 40
_NUMERALS = _TABLE["numerals"]
_DIGITS = {sign: value for value, signs in enumerate(_NUMERALS["digits"]) for sign in signs}
_TENS: dict[str, int] = _NUMERALS["tens"]
_MYRIADS: dict[str, int] = _NUMERALS["myriads"]
_WHOLE = rf"[{''.join([*_DIGITS, *_TENS, *_MYRIADS])}]{{1,16}}"
_NEGATIVE = rf"(?:{'|'.join(_NUMERALS['negative'])})[ ]*"
_NUMERAL = re.compile(
    rf"(?P<negative>{_NEGATIVE})?(?:(?P<parts>{_WHOLE})(?:分之|分の|분의)[ ]*(?P<share>{_WHOLE})"
    rf"|(?P<whole>{_WHOLE})(?:[点點점](?P<decimals>[{''.join(_DIGITS)}]{{1,12}}))?)"
)
_COUNTER = rf"[ ]*(?:{'|'.join(_NUMERALS['counters'].split())})"
_IN_SENTENCE = re.compile(
    rf"(?:(?<!\w)|(?<=[有共为為是于於出得到が은는]))(?<!第){_NUMERAL.pattern}(?={_COUNTER}|[ ]*(?:[.,;:!?)\]\n]|\Z))"
)
_SIGN_BEFORE_DIGITS = re.compile(rf"{_NEGATIVE}(?=\d)")
_IN_ENGLISH_TOO = frozenset(("once", "six", "un"))
_ARTICLES = frozenset(article for row in _LATIN.values() for article in row["one"])


def number_in_words(text: str) -> Fraction | None:
    """The number that `text` is as a whole, in words of another language; None for anything else."""
    text = text.strip(" .,:;\"'").casefold() if len(text) <= MAX_CHARACTERS else ""
    if not text:
        return None
    if not text.isascii() and (match := _NUMERAL.fullmatch(text)) is not None:
        return _value(match)
    return None if text in _IN_ENGLISH_TOO else _words().get(text)


def foreign_words_in_digits(text: str) -> str:
    """`text` with digits for the numbers it holds in words of other languages."""
    if not text.isascii():
        text = _IN_SENTENCE.sub(lambda match: f" {_value(match)} ", text)
        text = _SIGN_BEFORE_DIGITS.sub("-", text)
        text = _counting().sub(lambda match: str(_words()[match.group()]), text)
    return _pattern().sub(lambda match: str(_words()[match.group().casefold()]), text)


def _value(match: re.Match[str]) -> Fraction:
    if match["share"]:
        value = Fraction(_count(match["share"]), _count(match["parts"]) or 1)
    else:
        decimals = "".join(str(_DIGITS[sign]) for sign in match["decimals"] or "零")
        value = _count(match["whole"]) + Fraction(f"0.{decimals}")
    return -value if match["negative"] else value


def _count(numeral: str) -> int:
    """The whole number that digits and powers of ten write."""
    if all(sign in _DIGITS for sign in numeral):
        return int("".join(str(_DIGITS[sign]) for sign in numeral))
    total = section = digit = 0
    for sign in numeral:
        if sign in _DIGITS:
            digit = _DIGITS[sign]
        elif sign in _TENS:
            section, digit = section + (digit or 1) * _TENS[sign], 0
        else:
            total, section, digit = total + (section + digit or 1) * _MYRIADS[sign], 0, 0
    return total + section + digit


@lru_cache(maxsize=1)
def _words() -> dict[str, Fraction]:
    """Numbers by their words, in lower case."""
    words = dict(_korean())
    for row in _LATIN.values():
        whole = dict(_whole_numbers(row))
        named = {word: Fraction(number) for word, number in whole.items()}
        tops = {word: number for word, number in whole.items() if 0 < number < 10} | dict.fromkeys(row["one"], 1)
        named |= {f"{top} {part}": Fraction(tops[top], below) for top in tops for part, below in row["parts"].items()}
        named |= dict.fromkeys(row["halves"], Fraction(1, 2))
        words |= named | {f"{minus} {word}": -value for minus in row["minus"] for word, value in named.items()}
    return words | dict.fromkeys(_NUMERALS["halves"], Fraction(1, 2))


def _whole_numbers(row: dict[str, Any]) -> Iterator[tuple[str, int]]:
    small = row["small"].split()
    yield from zip(small, range(len(small)), strict=True)
    yield from row["round"].items()
    yield from row["tens"].items()
    for ten, value in row["tens"].items():
        # French counts on to nineteen where it has no word for the next ten.
        most = 10 if value + 10 in row["tens"].values() or value == 90 else 20
        for unit, word in enumerate(small[1:most], start=1):
            for form in row["joined"]:
                yield form.format(ten=ten, unit=word), value + unit
                if unit == 1:
                    yield form.format(ten=ten, unit=row["one"][0]), value + unit


def _korean() -> Iterator[tuple[str, Fraction]]:
    units = _NUMERALS["korean"].split()
    forms = [*enumerate(units, start=1), *enumerate(_NUMERALS["korean_counting"].split(), start=1)]
    for ten, word in enumerate(["", *_NUMERALS["korean_tens"].split()]):
        if ten:
            yield word, Fraction(10 * ten)
        for unit, digit in forms:
            yield word + digit, Fraction(10 * ten + unit)


@lru_cache(maxsize=1)
def _counting() -> re.Pattern[str]:
    """Korean words where they count something."""
    words = sorted((word for word, _ in _korean()), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?={_COUNTER})")


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    """The words in Latin letters, the longest first."""
    signs = [sign for row in _LATIN.values() for sign in row["minus"]]
    latin = (word for word in _words() if word[0] < "\u0400" and word not in _ARTICLES and word.split()[0] not in signs)
    words = "|".join(re.escape(word) for word in sorted(latin, key=len, reverse=True))
    return re.compile(rf"(?<![\w-])(?:(?:{'|'.join(signs)}) )?(?:{words})(?![\w-])", re.IGNORECASE)
