"""The sides of a written equation or inequality, and which sides are only names.

In "x = 4", "f(2) = 4", "AB = 4" and "total area = 4" the left side names what the right side gives, and may be dropped;
"(x-1)^2 + y^2 = 4" is an equation, whose sides count both. A side is a name if it is a word or words, or begins with
a letter and has no operator in it, arguments of a function apart ("x(x+1)" applies no x), or
speaks of angles or lines of a figure ("∠A + ∠B").
"""

from __future__ import annotations

import re

ORDER_SIGNS = "<>≤≥"
PROSE = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{4,}|(?<![\\A-Za-z])[A-Za-z]{2,}\s+[A-Za-z]{2,}")
_SIGNS = (
    (re.compile(r"=>|\\(?:Longr|R)ightarrow(?![A-Za-z])"), "⇒"),
    (re.compile(r"<=|=<|⩽|\\(?:leqslant|leqq|leq|le)(?![A-Za-z])"), "≤"),
    (re.compile(r">=|⩾|\\(?:geqslant|geqq|geq|ge)(?![A-Za-z])"), "≥"),
    (re.compile(r"\\lt(?![A-Za-z])"), "<"),
    (re.compile(r"\\gt(?![A-Za-z])"), ">"),
)
_REWRITTEN = re.compile(r"\\[lgLR]|=[<>]|[<>]=|[⩽⩾]")
_SIGN = re.compile(r"([=<>≤≥])")
_OPERATOR = re.compile(r"[-+*/^×·÷]|\\(?:frac|dfrac|tfrac|sqrt|cdot|times)|\d\s*[A-Za-z]")
_APPLIED = re.compile(r"(?P<name>[A-Za-z]+)(?:_\w|_\{\w+\}|'|\^\{?-1\}?)*\((?P<argument>.{1,40})\)")
_FIGURE = re.compile(r"\\(?:angle|overline|triangle|widehat)(?![A-Za-z])|[∠△]")
_COORDINATE = re.compile(r"[xyz]")


def plain_signs(text: str) -> str:
    """`text` with one way to write each of ≤, ≥, <, > and ⇒."""
    if _REWRITTEN.search(text) is None:
        return text
    for pattern, sign in _SIGNS:
        text = pattern.sub(sign, text)
    return text


def split_relation(text: str) -> tuple[str, list[str]]:
    """The signs of relations in `text`, in order, and the sides between them."""
    pieces = _SIGN.split(plain_signs(text))
    return "".join(pieces[1::2]), [side.strip() for side in pieces[::2]]


def is_name(side: str) -> bool:
    """Whether one side of an equation only names what the other gives."""
    if PROSE.search(side) or _FIGURE.search(side):
        return True
    applied = _APPLIED.fullmatch(side)
    if applied is not None and not re.search(rf"(?<![A-Za-z]){applied['name']}(?![A-Za-z])", applied["argument"]):
        return True
    starts = side[:1].isalpha() or side[:1] in {"\\", "∠", "△", "|"} or re.fullmatch(r"\([^()]*,[^()]*\)", side)
    return bool(starts) and re.search("[A-Za-zα-ω]", side) is not None and not _OPERATOR.search(side)


def value_sides(sides: list[str]) -> list[str]:
    """`sides` without the names they begin with, or the one they end with; empty if all sides are."""
    kept = [side for side in sides if side]
    while len(kept) > 1 and is_name(kept[0]):
        kept = kept[1:]
    return kept[:-1] if len(kept) > 1 and is_name(kept[-1]) else kept


def coordinate_named(text: str) -> str | None:
    """The lone x, y or z of which `text` gives the value ("x = 4", "4 = x"); other letters may be renamed."""
    signs, sides = split_relation(text)
    if signs != "=":
        return None
    return next((side for side in (sides[0], sides[1]) if _COORDINATE.fullmatch(side)), None)
