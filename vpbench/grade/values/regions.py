"""Sets of real numbers: intervals, unions, inequalities and their words, all but one value, none at all.

"[2,5)", "2 ≤ x < 5", "x ≥ 2 and x < 5" and "{x : 2 ≤ x < 5}" are one set, "(-∞,-1) ∪ (1,∞)" and "x < -1 or x > 1"
another, "x ≠ 0" is all numbers but 0, "x = 1 or x = 2" and "{1, 2}" are two numbers, "no solution" is ∅. `region_of`
gives the pieces of a set in order and the letter it is a set of, if one is named. "(2,5)" may be a point as well, so
the caller says whether it is an interval.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from vpbench.grade.values.arithmetic import Value, canonical, real, same
from vpbench.grade.values.numbers import value_of, without_markup
from vpbench.grade.values.relations import plain_signs, split_relation

MAX_CHARACTERS = 160
MAX_PIECES = 12
_SIDES = re.compile(r"\\(?:left|right|big|Big|bigl|bigr)(?![A-Za-z])")
_REWRITTEN = (
    (re.compile(r"\\(?:varnothing|emptyset)(?![A-Za-z])|\{\s*\}|Ø"), "∅"),
    (re.compile(r"\\(?:big)?cup(?![A-Za-z])|\bunion\b"), "∪"),
    (re.compile(r"\\(?:big)?cap(?![A-Za-z])"), "∩"),
    (re.compile(r"\\(?:land|wedge)(?![A-Za-z])"), " and "),
    (re.compile(r"\\(?:lor|vee)(?![A-Za-z])"), " or "),
    (re.compile(r"\\infty(?![A-Za-z])|\binfinity\b|\binf\b"), "∞"),
    (re.compile(r"\\neq?(?![A-Za-z])|!=|<>"), "≠"),
    (re.compile(r"\\in(?![A-Za-z])"), "∈"),
    (re.compile(r"\\(?:mid|colon)(?![A-Za-z])"), "|"),
    (re.compile(r"\\mathbb\s*\{?\s*R\s*\}?|\\R(?![A-Za-z])|\bR\b|ℝ|\ball real numbers?\b|\ball reals\b"), "ℝ"),
    (re.compile(r"\\(?:setminus|backslash)(?![A-Za-z])|\\(?=\s*\\?\{)|\bexcept(?: for)?\b|\bother than\b"), "∖"),
    (re.compile(r"\\([{}])"), r"\1"),
)
_WORDS = (
    (
        re.compile(
            r"\b(?:is )?(?:at least|no less than|not less than|greater than or equal to|no smaller than|more"
            r" than or equal to)\b"
        ),
        "≥",
    ),
    (
        re.compile(
            r"\b(?:is )?(?:at most|no more than|not more than|less than or equal to|no greater than|smaller"
            r" than or equal to)\b"
        ),
        "≤",
    ),
    (re.compile(r"\b(?:is )?(?:strictly )?(?:greater|more|larger|bigger) than\b|\bexceeds\b"), ">"),
    (re.compile(r"\b(?:is )?(?:strictly )?(?:less|smaller|fewer) than\b"), "<"),
    (re.compile(r"\b(?:is )?not equal to\b|\bis not(?= [-\d])|\bdoes not equal\b"), "≠"),
)
_NONE = re.compile(
    r"(?:there (?:are|is) |it has |the equation has |has )?no (?:real )?(?:solutions?|roots?|such (?:number"
    r"|value|x|real number)s?)(?: exists?)?|∅"
    r"|(?:the )?empty set|none exists?",
    re.IGNORECASE,
)
_SET_BUILDER = re.compile(r"\{\s*([A-Za-z])\s*(?:∈\s*ℝ\s*)?[|:]\s*(.+)\}")
_MEMBER = re.compile(r"([A-Za-z])\s*∈\s*(.+)")
_INTERVAL = re.compile(r"([(\[\]])([^()\[\],;]+)[,;]([^()\[\],;]+)([)\]\[])")
_LETTER = re.compile(r"[A-Za-z]")
_LOW, _HIGH = Fraction(-(10**400)), Fraction(10**400)


@dataclass(frozen=True, slots=True)
class Region:
    """Pieces (low, low is in it, high, high is in it) in order, the letter if any, and whether it must be a set."""

    pieces: tuple[tuple[Value, bool, Value, bool], ...]
    letter: str | None
    sure: bool

    def name(self) -> str:
        """The set in an answer class."""
        written = [_written(piece) for piece in self.pieces]
        return "region:" + (" ∪ ".join(written) or "∅")


def _written(piece: tuple[Value, bool, Value, bool]) -> str:
    low, low_in, high, high_in = piece
    if low_in and high_in and same(low, high):
        return "{" + canonical(low) + "}"
    first = "(-∞" if low == _LOW else ("[" if low_in else "(") + canonical(low)
    last = "∞)" if high == _HIGH else canonical(high) + ("]" if high_in else ")")
    return f"{first}, {last}"


def same_region(first: Region, second: Region) -> bool:
    """Whether two sets are equal; two different letters x, y, z make two answers."""
    if first.letter and second.letter and first.letter != second.letter and {first.letter, second.letter} <= set("xyz"):
        return False
    return first.name() == second.name()


@lru_cache(maxsize=8_192)
def region_of(text: str) -> Region | None:
    """The set that `text` describes; None where it describes none."""
    if not 0 < len(text) <= MAX_CHARACTERS:
        return None
    text = _SIDES.sub("", without_markup(text).replace("\\{", "{").replace("\\}", "}")).strip(" .")
    for pattern, sign in _REWRITTEN:
        text = pattern.sub(sign, text)
    lowered = text.strip()
    if _NONE.fullmatch(lowered):
        return Region((), None, True)
    for pattern, sign in _WORDS:
        lowered = pattern.sub(f" {sign} ", lowered)
    text = plain_signs(lowered).strip()
    builder = _SET_BUILDER.fullmatch(text)
    if builder is not None:
        inner = _union(builder[2])
        return None if inner is None else Region(inner.pieces, None, True)
    return _union(text)


def _union(text: str) -> Region | None:
    parts = [part.strip() for part in re.split(r"∪|\bor\b|,\s*or\b", text)]
    if not 0 < len(parts) <= MAX_PIECES:
        return None
    regions = [_intersection(part.strip(" ,")) for part in parts]
    understood = [region for region in regions if region is not None]
    letters = {region.letter for region in understood if region.letter}
    if len(understood) < len(parts) or len(letters) > 1:
        return None
    pieces = _merged([piece for region in understood for piece in region.pieces])
    sure = len(parts) > 1 or understood[0].sure
    return Region(pieces, letters.pop() if letters else None, sure)


def _intersection(text: str) -> Region | None:
    parts = [part.strip(" ,") for part in re.split(r"∩|\band\b|(?<=[\d∞])\s*,\s*(?=[A-Za-z]\s*[<>≤≥≠])", text)]
    regions = [_simple(part) for part in parts]
    understood = [region for region in regions if region is not None]
    letters = {region.letter for region in understood if region.letter}
    if len(understood) < len(parts) or len(letters) > 1:
        return None
    result = understood[0].pieces
    for other in understood[1:]:
        result = tuple(piece for a in result for b in other.pieces if (piece := _common(a, b)) is not None)
    return Region(_merged(list(result)), letters.pop() if letters else None, any(region.sure for region in understood))


def _simple(text: str) -> Region | None:
    member = _MEMBER.fullmatch(text)
    if member is not None:
        inner = _union(member[2])
        return None if inner is None else Region(inner.pieces, member[1], True)
    if text == "ℝ":
        return Region(((_LOW, False, _HIGH, False),), None, True)
    without, sign, removed = text.partition("∖")
    if sign:
        whole, values = _simple(without.strip()), _values(removed.strip(" {}"))
        return None if whole is None or not values else Region(_holes(whole, values), whole.letter, True)
    interval = _INTERVAL.fullmatch(text)
    if interval is not None:
        low, high = _end(interval[2]), _end(interval[3])
        if low is None or high is None or not real(low) < real(high):
            return None
        infinite = low == _LOW or high == _HIGH
        low_in = interval[1] == "[" and low != _LOW
        mixed = (interval[1] == "[") != (interval[4] == "]")
        return Region(((low, low_in, high, interval[4] == "]" and high != _HIGH),), None, infinite or mixed)
    if text.startswith("{") and text.endswith("}"):
        values = _values(text[1:-1])
        return None if not values else Region(_points(values), None, True)
    return _relation(text)


def _relation(text: str) -> Region | None:
    name, sign, given = text.partition("≠")
    if sign and _LETTER.fullmatch(name.strip()):
        values = _values(given)
        whole = Region(((_LOW, False, _HIGH, False),), name.strip(), True)
        return None if not values else Region(_holes(whole, values), name.strip(), True)
    signs, sides = split_relation(text)
    if signs == "=":
        values = _values(sides[1])
        return Region(_points(values), sides[0], False) if values and _LETTER.fullmatch(sides[0]) else None
    if not signs or len(signs) > 2 or not (set(signs) <= set("<≤") or set(signs) <= set(">≥")):
        return None
    if signs[0] in ">≥":
        signs, sides = signs[::-1].translate(str.maketrans(">≥", "<≤")), sides[::-1]
    letters = [number for number, side in enumerate(sides) if _LETTER.fullmatch(side)]
    if len(letters) != 1 or (len(sides) == 3 and letters != [1]):
        return None
    at = letters[0]
    low = _end(sides[at - 1]) if at > 0 else _LOW
    high = _end(sides[at + 1]) if at < len(signs) else _HIGH
    if low is None or high is None:
        return None
    low_in = at > 0 and signs[at - 1] == "≤" and low != _LOW
    high_in = at < len(signs) and signs[at] == "≤" and high != _HIGH
    piece = (low, low_in, high, high_in)
    return Region((piece,) if _common(piece, piece) else (), sides[at], True)


def _end(text: str) -> Value | None:
    text = text.strip()
    if text in {"∞", "+∞"}:
        return _HIGH
    if text in {"-∞", "- ∞"}:
        return _LOW
    return value_of(text)


def _values(text: str) -> list[Value]:
    """The values of a list; empty if one of its members is none."""
    values = [value_of(part.strip()) for part in re.split(r"[,;](?!\d{3}(?!\d))|\band\b|\bor\b", text) if part.strip()]
    return [] if any(value is None for value in values) else values


def _points(values: list[Value]) -> tuple[tuple[Value, bool, Value, bool], ...]:
    return _merged([(value, True, value, True) for value in values])


def _holes(region: Region, values: list[Value]) -> tuple[tuple[Value, bool, Value, bool], ...]:
    pieces = region.pieces
    for value in values:
        sides = ((_LOW, False, value, False), (value, False, _HIGH, False))
        pieces = tuple(cut for piece in pieces for side in sides if (cut := _common(piece, side)) is not None)
    return pieces


def _common(
    first: tuple[Value, bool, Value, bool], second: tuple[Value, bool, Value, bool]
) -> tuple[Value, bool, Value, bool] | None:
    low, low_in = max((first[:2], second[:2]), key=lambda end: (real(end[0]), not end[1]))
    high, high_in = min((first[2:], second[2:]), key=lambda end: (real(end[0]), end[1]))
    if real(low) > real(high) or (same(low, high) and not (low_in and high_in)):
        return None
    return low, low_in, high, high_in


def _merged(pieces: list[tuple[Value, bool, Value, bool]]) -> tuple[tuple[Value, bool, Value, bool], ...]:
    """The pieces in order, those that touch joined."""
    joined: list[tuple[Value, bool, Value, bool]] = []
    for low, low_in, high, high_in in sorted(pieces, key=lambda piece: (real(piece[0]), not piece[1], real(piece[2]))):
        if joined:
            before = joined[-1]
            if real(low) < real(before[2]) or (same(low, before[2]) and (low_in or before[3])):
                last, last_in = max((before[2:], (high, high_in)), key=lambda end: (real(end[0]), end[1]))
                joined[-1] = (before[0], before[1] or (same(low, before[0]) and low_in), last, last_in)
                continue
        joined.append((low, low_in, high, high_in))
    return tuple(joined)
