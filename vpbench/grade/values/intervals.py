"""Intervals and inequalities that say the same: "(-2, 5]" and "-2 < x ≤ 5", "(-∞, 3)" and "x < 3".

`like_gold` rewrites an answer in the dress of the gold answer, where one of the two is an interval and the other an
inequality in one letter that stands alone, so that both get one form and one class. Unions and whatever has another
shape stay as they are.
"""

from __future__ import annotations

import re

from vpbench.grade.values.numbers import without_markup
from vpbench.grade.values.relations import plain_signs, split_relation

MAX_CHARACTERS = 120
_INTERVAL = re.compile(r"(?P<open>[(\[])(?P<low>[^,;]+)[,;](?P<high>[^,;]+)(?P<close>[)\]])")
_MEMBER = re.compile(r"[A-Za-z]\s*(?:∈|\\in(?![A-Za-z]))\s*")
_LETTER = re.compile(r"[A-Za-z]")
_INFINITE = re.compile(r"[-+]?\s*(?:∞|\\infty|oo|inf(?:inity|ty)?)")
_SIDES = re.compile(r"\\(?:left|right)(?![A-Za-z])")


def like_gold(text: str, gold: str) -> str:
    """`text`, written as an inequality or as an interval if `gold` is one and `text` the other."""
    if len(text) > MAX_CHARACTERS or ("," not in text and "," not in gold):
        return text
    plain, gold_plain = _plain(text), _plain(gold)
    plain = _MEMBER.sub("", plain, count=1) if _MEMBER.match(plain) else plain
    interval, gold_interval = _INTERVAL.fullmatch(plain), _INTERVAL.fullmatch(gold_plain)
    if interval is not None and gold_interval is None:
        letter = _letter(*split_relation(gold_plain))
        return text if letter is None else _as_inequality(interval, letter)
    if gold_interval is not None and interval is None:
        return _as_interval(*split_relation(plain)) or text
    return plain if interval is not None else text


def _plain(text: str) -> str:
    return plain_signs(_SIDES.sub("", without_markup(text))).strip(" .")


def _letter(signs: str, sides: list[str]) -> str | None:
    """The letter of "a < x < b" or "x < b" that stands alone; None for any other relation."""
    if not signs or set(signs) - set("<≤") and set(signs) - set(">≥") or len(signs) > 2:
        return None
    alone = [side for side in (sides[1:2] if len(sides) == 3 else sides) if _LETTER.fullmatch(side)]
    return alone[0] if len(alone) == 1 else None


def _as_inequality(interval: re.Match[str], letter: str) -> str:
    low, high = interval["low"].strip(), interval["high"].strip()
    below = "" if _INFINITE.fullmatch(low) else f"{low} {'<' if interval['open'] == '(' else '≤'} "
    above = "" if _INFINITE.fullmatch(high) else f" {'<' if interval['close'] == ')' else '≤'} {high}"
    return f"{below}{letter}{above}"


def _as_interval(signs: str, sides: list[str]) -> str | None:
    letter = _letter(signs, sides)
    if letter is None:
        return None
    if signs[0] in ">≥":
        signs, sides = signs[::-1].translate(str.maketrans(">≥", "<≤")), sides[::-1]
    at = sides.index(letter)
    low = ("(" if signs[at - 1] == "<" else "[") + sides[at - 1] if at > 0 else "(-∞"
    high = sides[at + 1] + (")" if signs[at] == "<" else "]") if at < len(signs) else "∞)"
    return f"{low}, {high}"
