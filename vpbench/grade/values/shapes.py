"""Answers that look like formulas but are no products: orders of letters, angles, ratios, digits in a base, ±.

"CAB" names an order or a figure and isn't "BAC"; ∠ABC is ∠CBA, for the vertex stands in the middle, and AB is a line
like BA where a bar is over it. "2:4:6" is the ratio 1:2:3. "1101_2" is written in base 2 and isn't "1101_3". "±3" are
3 and -3, in any order. A factorial or power beyond the bounds of our arithmetic is a thing of its own. Each shape has
a form (see `forms`) whose kind says what it is.
"""

from __future__ import annotations

import re
from functools import lru_cache
from zlib import crc32

from vpbench.grade.values.arithmetic import Value, divide, real
from vpbench.grade.values.expressions import NotAnExpression, evaluate, tokenize
from vpbench.grade.values.numbers import value_of

Shape = tuple[str, tuple[Value, ...]]

_FIGURE = re.compile(
    r"(?:(?P<angle>\\(?:m)?angle|\\widehat|∠|\b(?:m\s*)?[Aa]ngle\b)|(?P<line>\\overline|\\overleftrightarrow)"
    r"|(?P<ray>\\overrightarrow|\\vec)|(?P<triangle>\\triangle|△|\b[Tt]riangle\b))\s*\{?\s*(?P<names>[A-Z](?:\s*[A-Z]){1,3})\s*\}?"
)
_LETTERS = re.compile(
    r"[(\[]?\s*(?P<names>[A-Z](?:(?:\s*(?:,|→|\\to|\\rightarrow|-|;)\s*|\s+and\s+|\s*,\s*and\s+|)[A-Z]){1,11})\s*[)\]]?"
)
_SET_OF_LETTERS = re.compile(r"\\?\{\s*(?P<names>[A-Z](?:\s*,\s*[A-Z]){0,11})\s*\\?\}")
_BASED = re.compile(
    r"\(?\s*([0-9A-Fa-f]{1,40})\s*\)?\s*_\s*\{?\s*(?:\\text\s*\{)?\s*(\d{1,2}|two|three|eight|ten)\s*\}{0,2}"
)
_BASES = {"two": "2", "three": "3", "eight": "8", "ten": "10"}
_RATIO = re.compile(r"(?P<terms>[^:]{1,40}(?:(?::|\\colon(?![A-Za-z])|\bto\b)[^:]{1,40}){1,5})")
_RATIO_SIGN = re.compile(r":|\\colon(?![A-Za-z])|\bto\b")
_BOTH_SIGNS = re.compile(r"\\pm(?![A-Za-z])|±|\bplus or minus\b")
_OTHER_SIGNS = re.compile(r"\\mp(?![A-Za-z])|∓")
_BEYOND = re.compile(r"(?<![\d.])(\d{3,})\s*!|(?<![\d.])(\d{1,9})\s*\^\s*\{?\s*(-?\d{4,})\s*\}?")


@lru_cache(maxsize=8_192)
def shape_of(text: str) -> Shape | None:
    """The form of `text` (without markup) as one of these shapes; None for all others."""
    figure = _FIGURE.fullmatch(text)
    if figure is not None:
        return _figure(figure), ()
    letters = _LETTERS.fullmatch(text)
    if letters is not None:
        return "letters:" + "".join(re.findall("[A-Z](?![a-z])", letters["names"])), ()
    letters = _SET_OF_LETTERS.fullmatch(text)
    if letters is not None:
        return "set of letters:" + "".join(sorted(set(re.findall("[A-Z]", letters["names"])))), ()
    based = _BASED.fullmatch(text)
    if based is not None:
        return f"base {_BASES.get(based[2], based[2])}:{based[1].lstrip('0').upper() or '0'}", ()
    return _ratio(text)


def _figure(match: re.Match[str]) -> str:
    names = "".join(match["names"].split())
    if match["angle"] or match["line"]:
        names = min(names, names[::-1])
    elif match["triangle"]:
        names = "".join(sorted(names))
    kind = next(name for name in ("angle", "line", "ray", "triangle") if match[name])
    return f"{kind}:{names}"


def _ratio(text: str) -> Shape | None:
    """A ratio of two terms or more, divided by its first; None for a time of day or anything else."""
    if ":" not in text and "\\colon" not in text or _RATIO.fullmatch(text) is None:
        return None
    terms = [value_of(part.strip()) for part in _RATIO_SIGN.split(text)]
    if len(terms) < 3 or any(term is None for term in terms) or terms[-1] == 0:
        return None
    try:
        return f"ratio of {len(terms)}", tuple(divide(term, terms[-1]) for term in terms[:-1])
    except ArithmeticError:
        return None


def both_signs(text: str) -> tuple[str, str] | None:
    """`text` with its ± read as plus and as minus; None without such a sign."""
    if _BOTH_SIGNS.search(text) is None:
        return None
    plus = _OTHER_SIGNS.sub("-", _BOTH_SIGNS.sub("+", text))
    minus = _OTHER_SIGNS.sub("+", _BOTH_SIGNS.sub("-", text))
    return plus, minus


def beyond_named(text: str) -> str:
    """`text` with factorials and powers too large to compute as variables, so that only the same ones are equal."""
    if "!" not in text and "^" not in text:
        return text

    def named(match: re.Match[str]) -> str:
        if match[1] and int(match[1]) <= 300:
            return match.group()
        try:
            evaluate(tokenize(match.group()), {})
        except NotAnExpression:
            written = re.sub(r"[\s{}]", "", match.group())
            return f"Θ_{{{crc32(written.encode()) % 65_536:04x}}}"
        return match.group()

    return _BEYOND.sub(named, text)


def sorted_values(values: list[Value]) -> tuple[Value, ...]:
    """`values` from small to large."""
    return tuple(sorted(values, key=real))
