"""When two writings of a question's text, of its options or of its gold answer are the same.

What differs between copies of one data set doesn't count: case, white space, Unicode forms, LaTeX's spacing and markup,
image marks, option labels, punctuation. Numbers and words do.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence
from string import ascii_uppercase
from typing import Any

_IMAGE = re.compile(r"<\|?\s*(?:image|img)[^<>\n]{0,40}>|<br\s*/?>", re.IGNORECASE)
_LABEL = re.compile(r"\(\s*[a-z]\s*\)|^\s*[a-z]\s*[.:)](?=\s|$)", re.MULTILINE)
_MARKUP = re.compile(
    r"\\(?:left|right|displaystyle|quad|qquad|text(?:rm|bf|it)?|math(?:rm|bf|it|sf)|operatorname|hspace|[,;:! ])"
    r"(?![a-z])"
)
_FRACTION = re.compile(r"\\[dt]frac(?![a-z])")
_POINT = re.compile(r"(?<=\d)[.,](?=\d)")
_SYMBOLS = {"−": "-", "–": "-", "—": "-", "×": "times", "÷": "div", "·": "cdot", "π": "pi", "°": "circ", "√": "sqrt"}
_OPERATORS = frozenset("+-=<>/")
_POINT_MARK = "\uf8ff"
"""Stands for the point within a number while other punctuation is taken out."""


@functools.lru_cache(maxsize=65_536)
def normal(text: str) -> str:
    """The letters, digits and operators of a text; of one that has none, its signs."""
    whole = unicodedata.normalize("NFKC", _IMAGE.sub(" ", text)).casefold()
    folded = _MARKUP.sub("", _FRACTION.sub(r"\\frac", _LABEL.sub(" ", whole)))
    for sign, name in _SYMBOLS.items():
        folded = folded.replace(sign, name)
    folded = _POINT.sub(_POINT_MARK, folded)
    bare = "".join(sign for sign in folded if sign.isalnum() or sign in _OPERATORS or sign == _POINT_MARK)
    return bare or "".join(whole.split())


def same_text(stated: str, texts: Sequence[str]) -> bool:
    """Whether a file's text is one of the data's, or one of the two holds the other; empty texts say nothing."""
    ours = [normal(text) for text in texts if text.strip()]
    theirs = normal(stated)
    return not ours or not theirs or any(theirs in text or text in theirs for text in ours)


def same_options(stated: Sequence[str], choices: Sequence[str]) -> bool:
    """Whether two lists of options are the same in the same order, whatever their labels."""
    return [normal(unlabelled(text)) for text in stated] == [normal(unlabelled(text)) for text in choices]


def unlabelled(option: str) -> str:
    """An option without its label, "(A) red" as "red"; a bare label stays."""
    return re.sub(r"^\s*\(?[A-Za-z]\s*[.):]\s*(?=\S)", "", option)


def same_gold(stated: Any, gold: str, choices: Sequence[str] | None, unit: str | None) -> bool:
    """Whether two gold answers may mean the same, as text, number, option or its label; empty ones say nothing."""
    theirs, ours = _forms(stated, choices, unit), _forms(gold, choices, unit)
    return not theirs or not ours or bool(theirs & ours)


def _forms(gold: Any, choices: Sequence[str] | None, unit: str | None) -> set[str | float]:
    """All ways in which a gold answer may be meant; several values in a list are all accepted."""
    if isinstance(gold, list):
        return {form for value in gold for form in _forms(value, choices, unit)}
    text = str(gold).strip()
    if re.fullmatch(r"\[.+\]", text, re.DOTALL):
        items = re.findall(r"'([^']*)'|\"([^\"]*)\"", text)
        if items:
            return {form for item in items for form in _forms(item[0] or item[1], choices, unit)}
    label = re.fullmatch(r"\(?([A-Za-z])\)?[.:]?", text)
    forms: set[str | float] = {f"label {label[1].upper()}"} if label else set()
    bare = normal(unlabelled(text))
    forms |= {bare} if bare else set()
    number = _number(text.removesuffix(unit).strip() if unit else text)
    forms |= set() if number is None else {number}
    for letter, option in zip(ascii_uppercase, choices or (), strict=False):
        if bare == normal(unlabelled(option)) or (label and label[1].upper() == letter):
            forms |= {f"label {letter}", normal(unlabelled(option))}
    if isinstance(gold, int) and choices and 0 <= gold < min(len(choices), 26):
        forms |= {f"label {ascii_uppercase[gold]}"}
    return forms


def _number(text: str) -> float | None:
    try:
        return round(float(text.replace(",", "").replace("$", "").rstrip("%°")), 9)
    except ValueError:
        return None
