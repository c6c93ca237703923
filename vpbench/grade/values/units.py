"""Units: which one stands at the end of an answer, and in one way of writing.

"35 cm", "35 \\text{ centimetres}", "6 kg·m/s", "9.8\\ \\frac{\\text{m}}{\\text{s}^2}", "12 square metres":
the unit is a product of known units with their powers, so that "m/s" and "m s^{-1}" are one. Words that are no unit
("35 marbles") are none. Units aren't converted: an answer in another unit than the gold answer's is another answer.
"""

from __future__ import annotations

import re
from functools import lru_cache

_PREFIXES = {"n": "nano", "µ": "micro", "m": "milli", "c": "centi", "d": "deci", "k": "kilo", "M": "mega", "G": "giga"}
_PREFIXED = "m g s L l W V A J N Pa Hz Ω mol F eV cal bar T C"
_WORD_PREFIXED = "meter metre gram liter litre watt volt ampere amp joule newton pascal hertz ohm mole second"
_SAME = {
    **{"metre": "m", "meter": "m", "gram": "g", "gramme": "g", "liter": "L", "litre": "L", "l": "L", "watt": "W"},
    **{"volt": "V", "ampere": "A", "amp": "A", "joule": "J", "newton": "N", "pascal": "Pa", "hertz": "Hz", "ohm": "Ω"},
    **{"mole": "mol", "second": "s", "sec": "s", "minute": "min", "hour": "h", "hr": "h", "inch": "in", "inches": "in"},
    **{"foot": "ft", "feet": "ft", "yard": "yd", "mile": "mi", "pound": "lb", "lbs": "lb", "ounce": "oz", "ton": "t"},
    **{
        "tonne": "t",
        "day": "d",
        "week": "week",
        "month": "month",
        "year": "yr",
        "dollar": "$",
        "euro": "€",
        "cent": "¢",
    },
    **{"degree": "°", "degrees": "°", "percent": "%", "per cent": "%", "radian": "rad", "kelvin": "K", "mph": "mi/h"},
    **{"kph": "km/h", "kmh": "km/h", "kmph": "km/h", "bpm": "bpm", "gallon": "gal", "cc": "cm^3"},
}
_PLAIN = [
    "in",
    "ft",
    "yd",
    "mi",
    "lb",
    "oz",
    "t",
    "min",
    "h",
    "hr",
    "d",
    "yr",
    "°C",
    "°F",
    "°",
    "%",
    "$",
    "€",
    "£",
    "¥",
    "rad",
    "K",
    "mol",
    "cd",
    "gal",
    "Wb",
    "H",
    "ha",
    "°",
]


def _table() -> dict[str, str]:
    table = {unit: unit for unit in _PLAIN}
    for base in _PREFIXED.split():
        name = _SAME.get(base, base)
        table[base] = name
        table |= {prefix + base: prefix + name for prefix in _PREFIXES if prefix + base not in {"cd", "ds", "dl"}}
    for base in _WORD_PREFIXED.split():
        for prefix, word in {"": "", **_PREFIXES}.items():
            table |= {word + base: prefix + _SAME[base], word + base + "s": prefix + _SAME[base]}
    for word, unit in _SAME.items():
        table |= {word: unit, word + "s": unit}
    return table


_UNITS = _table()
_NAME = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_POWER = r"(?:\s*\^\s*\{?\s*(?P<power>-?\d)\s*\}?|(?P<raised>[²³]))?"
_FACTOR = re.compile(
    rf"(?P<joint>\s*(?:/|\bper\b|[·⋅*×.-]|\\cdot(?![A-Za-z])|\\times(?![A-Za-z]))?\s*)(?P<shape>(?:square|sq\.?|cubic|cu\.?)\s+)?"
    rf"(?P<name>{_NAME})(?![A-Za-z]){_POWER}(?P<shaped>\s+(?:squared|cubed))?"
)
_FRACTION = re.compile(
    r"\\[dt]?frac\s*\{\s*([A-Za-zµΩ· ]{1,12}?)\s*\}\s*\{\s*([A-Za-zµΩ· ]{1,12}?\s*(?:\^\s*\{?\d\}?)?)\s*\}\s*\Z"
)
_REWRITTEN = (
    (re.compile(r"\\mu(?![A-Za-z])\s*|μ"), "µ"),
    (re.compile(r"\\Omega(?![A-Za-z])|Ω|Ω"), "Ω"),
    (re.compile(r"\^\s*\{?\s*\\circ\s*\}?|\\degree(?![A-Za-z])"), "°"),
)
_BEGINNING = re.compile(r"[-+]?[$€£¥]")
_NUMBER_BEFORE = re.compile(r"[\d)}πi²³]\s*-?\s*\Z")


def plain_units(text: str) -> str:
    """`text` (without markup) with units that LaTeX writes by commands or as a fraction in plain signs."""
    if "\\" not in text and "μ" not in text:
        return text
    for pattern, sign in _REWRITTEN[:2]:
        text = pattern.sub(sign, text)
    match = _FRACTION.search(text)
    if match is not None and match.start() and all(_is_unit(part) for part in match.groups()):
        text = f"{text[: match.start()]} {match[1].strip()}/{match[2].strip()}"
    return text


def _is_unit(text: str) -> bool:
    return _product(text.strip()) is not None


@lru_cache(maxsize=8_192)
def unit_at_end(text: str) -> tuple[str, str] | None:
    """What stands before the unit at the end of `text` (without markup), and the unit in one way of writing."""
    text = text.strip().rstrip(".,;").strip()
    for pattern, sign in _REWRITTEN:
        text = pattern.sub(sign, text)
    text = plain_units(text)
    currency = _BEGINNING.match(text)
    if currency is not None:
        return text[currency.end() :], currency.group()[-1]
    # The longest end of the text that is a product of units, and stands after a number.
    for start in range(max(1, len(text) - 40), len(text)):
        if text[start - 1].isalpha() and text[start].isalpha():
            continue
        unit = _product(text[start:].strip())
        if unit is not None and _NUMBER_BEFORE.search(text[:start]):
            return text[:start].rstrip(" -"), unit
    return None


def _product(text: str) -> str | None:
    """A product of units in one way of writing, its factors sorted; None if `text` is something else."""
    powers: dict[str, int] = {}
    at, sign = 0, 1
    while at < len(text):
        match = _FACTOR.match(text, at)
        if match is None or match.end() == at or (at and not match["joint"]):
            return None
        joint = match["joint"].strip()
        if at == 0 and joint:
            return None
        sign = -1 if joint in {"/", "per"} or (sign < 0 and joint) else 1
        power = int(match["power"] or {"²": 2, "³": 3}.get(match["raised"] or "", 1))
        if match["shape"] or match["shaped"]:
            power = 2 if (match["shape"] or match["shaped"]).strip().startswith("sq") else 3
        for name, inner in _parts(_UNITS[match["name"]]):
            powers[name] = powers.get(name, 0) + sign * power * inner
        at = match.end()
    return (
        "·".join(f"{name}^{power}" if power != 1 else name for name, power in sorted(powers.items()) if power) or None
    )


def _parts(unit: str) -> list[tuple[str, int]]:
    """The factors of a unit that is itself a product ("km/h") or power ("cm^3")."""
    name, over, below = unit.partition("/")
    base, raised, power = name.partition("^")
    return [(base, int(power) if raised else 1), *([(below, -1)] if over else [])]
