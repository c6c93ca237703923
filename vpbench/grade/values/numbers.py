"""Values written as answers: markup, currency, units, words and equal signs around an expression taken off.

`value_of` gives the value of a short text that is, as a whole, one value: "$\\frac{1}{2}$", "x = 3 \\text{ cm}",
"25%", "1,000 dollars", "seven", "30°". Units and the percent sign are read over, not converted: a question asks in its
unit, and an answer in another unit is a different number. Anything else gives None.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache

from vpbench.grade.values import expressions
from vpbench.grade.values.arithmetic import Value, divide
from vpbench.grade.values.expressions import NotAnExpression
from vpbench.grade.values.foreign_words import number_in_words
from vpbench.grade.values.units import plain_units, unit_at_end
from vpbench.grade.values.words import in_digits, latex_groups_joined

_UP_TO_NINETEEN = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_UNITS = _UP_TO_NINETEEN.split()
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
NUMBER_WORDS: dict[str, int] = {
    **{word: number for number, word in enumerate(_UNITS)},
    **{word: 10 * number for number, word in enumerate(_TENS, start=2)},
    **{f"{ten}-{unit}": 10 * t + u for t, ten in enumerate(_TENS, start=2) for u, unit in enumerate(_UNITS[:10]) if u},
    "hundred": 100,
    "a hundred": 100,
    "one hundred": 100,
    "a dozen": 12,
    "none": 0,
}

PLAIN_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d{1,400})(?:\.\d{1,400})?|[-+]?\.\d{1,400}")
_DELIMITERS = re.compile(r"\\[,;:! ]|\\\(|\\\)|\\\[|\\\]|\$|\*\*|~|`|\\(?:displaystyle|quad|qquad|bf|rm|it)\b")
_TEXT_COMMAND = re.compile(r"\\(?:text(?:bf|rm|it)?|mathrm|mathbf|mbox|operatorname|hbox|bm|boldsymbol)\s*\{([^{}]*)\}")
_DEGREES = re.compile(r"\*?\s*\^\s*\{?\s*\\circ\s*\}?|\*?\s*\\degree(?![A-Za-z])|\*?\s*°")
_UNIT_WORD = r"[A-Za-zµΩμ]{2,20}\.?|[mgslhJNVWKLAtCF]|[$€£¥%]|年|岁|个|米|厘米|元|度|平方厘米|平方米"
_EXPONENT = r"(?:\s*(?:\^\s*\{?\s*-?[123]\s*\}?|[²³]))?"
_TRAILING_UNIT = re.compile(
    rf"(?:[\s\-]{{0,3}}(?:/\s{{0,3}})?"
    rf"(?:(?<![A-Za-z\\])(?:{_UNIT_WORD})(?![A-Za-z])|\{{[A-Za-z ]{{2,30}}\}}){_EXPONENT})+[\s.]*$"
)
_WORDS_OF_FORMULAS = "sqrt pi sin cos tan log ln exp frac times x"
_WORDS_OF_SENTENCES = "or and to not hundred thousand million billion trillion millions billions"
_NOT_A_UNIT = {*_WORDS_OF_FORMULAS.split(), *_WORDS_OF_SENTENCES.split()}
_SCIENTIFIC = re.compile(r"(\d(?:\.\d+)?)\s*(?:[eE]([-+]?\d{1,3})\b|x\s*10\s*\^\s*\{?([-+]?\d{1,3})\}?)")
_REPEATING = re.compile(r"(\d{0,9})\.(\d{0,9})\\(?:overline|bar|dot)\s*\{(\d{1,9})\}")
_EQUALS = re.compile(r"(?<![<>])=(?![<>])|≈|≒|≃|\\approx\b|\\simeq\b|\\equiv\b|\\Rightarrow\b|⇒")


def trimmed(text: str, signs: str) -> str:
    """`text` without the `signs` at its ends; a point before a digit is a decimal point and stays."""
    left = text.lstrip(signs)
    point = left[:1].isdigit() and text[: len(text) - len(left)].endswith(".")
    return ("." + left if point else left).rstrip(signs)


def plain_number(text: str) -> Fraction | None:
    """The value of digits with an optional sign, thousands separators and decimals; None for anything else."""
    if PLAIN_NUMBER.fullmatch(text):
        return Fraction(text.replace(",", "")) if "," in text else Fraction(text)
    return None


def without_markup(text: str) -> str:
    """`text` without math delimiters, bold marks and LaTeX spacing; text commands give way to their content."""
    if "\\" in text or "$" in text or "*" in text or "~" in text or "`" in text:
        text = latex_groups_joined(text)
        text = _DELIMITERS.sub(" ", text)
        for _ in range(3 if "{" in text else 0):
            unwrapped = _TEXT_COMMAND.sub(r" \1 ", text)
            if unwrapped == text:
                break
            text = unwrapped
        text = text.replace("\\%", "%")
    return text.strip()


@lru_cache(maxsize=16_384)
def value_of(text: str) -> Value | None:
    """The value of `text` as a whole, or None. See the module's description; bounded, never raises."""
    text = text.strip()
    plain = plain_number(text)
    if plain is not None:
        return plain
    if not text or len(text) > expressions.MAX_CHARACTERS or _SENTENCE.search(text) or SEVERAL_VALUES.search(text):
        return None
    boxed = _BOXED.fullmatch(text)
    text = in_digits(trimmed(without_markup(boxed[1] if boxed else text), ".,;: "))
    if text.casefold() in NUMBER_WORDS:
        return Fraction(NUMBER_WORDS[text.casefold()])
    if (number := number_in_words(text)) is not None:
        return number
    if _RANGE.fullmatch(text):
        return None
    sides = [side.strip() for side in _EQUALS.split(text)]
    # Of "A = 2 * 3 = 6" the last side is the result; one without a value ("6 = area") gives way.
    for side in reversed(sides):
        value = _value_of_side(side)
        if value is not None:
            return value
    return None


def _value_of_side(text: str) -> Value | None:
    if not any(sign.isdigit() for sign in text) and "pi" not in text and "π" not in text:
        return Fraction(NUMBER_WORDS[text.casefold()]) if text.casefold() in NUMBER_WORDS else None
    text = _REPEATING.sub(_repeated, text)
    text = _SCIENTIFIC.sub(lambda m: f"({m.group(1)}*10^({m.group(2) or m.group(3)}))", text)
    text = plain_units(_MINUTES.sub(_with_minutes, text))
    for candidate in _with_and_without_unit(text):
        plain = plain_number(candidate)
        if plain is not None:
            return plain
        try:
            ratio = candidate.replace("\\colon", ":").split(":")
            if len(ratio) == 2:
                sides = [expressions.evaluate(expressions.tokenize(part), {}) for part in ratio]
                return divide(sides[0], sides[1])
            return expressions.evaluate(expressions.tokenize(candidate), {})
        except (NotAnExpression, ArithmeticError):
            continue
    return None


def _with_and_without_unit(text: str) -> Iterator[str]:
    """What may be the number in `text`, the likeliest first; a unit in signs is looked for last, as that takes long."""
    plain = without_unit(text)
    yield plain
    if text != plain:
        yield text
    before_unit = unit_at_end(text) if _LETTER_OR_SIGN.search(text) else None
    if before_unit is not None and before_unit[0] not in {plain, text}:
        yield before_unit[0]


def _repeated(match: re.Match[str]) -> str:
    """A repeating decimal as a fraction: 0.1\\overline{6} is 1/10 + 6/90."""
    whole, fixed, again = match[1] or "0", match[2], match[3]
    scale = 10 ** len(fixed)
    return f"({whole}+({fixed or 0}/{scale})+({again}/({scale * (10 ** len(again) - 1)})))"


def _with_minutes(match: re.Match[str]) -> str:
    """Degrees and minutes (and seconds) as degrees: 30° 30' is 30.5."""
    return f"({match[1]}+({match[2]}/60)+({match[3] or 0}/3600))"


def without_unit(text: str) -> str:
    """`text` without degrees, a leading currency sign and trailing unit words."""
    if not _TRIG.search(text):
        text = _DEGREES.sub(" ", text).strip()
    text = text.lstrip("$€£¥ ").strip()
    if not _LETTER_OR_SIGN.search(text):
        return text
    match = _TRAILING_UNIT.search(text, max(0, len(text) - 60))
    if match is not None and match.start() > 0 and _NOT_A_UNIT.isdisjoint(re.findall(r"[a-z]+", match.group())):
        return text[: match.start()].strip()
    return text


_MINUTES = re.compile(
    r"(\d{1,3})\s*(?:\^\s*\{?\s*\\circ\s*\}?|°)\s*(\d{1,2})\s*(?:'|\^\s*\{?\s*\\prime\s*\}?)"
    r"(?:\s*(\d{1,2})\s*(?:''|\"|\^\s*\{?\s*\\prime\s*\\prime\s*\}?))?"
)
_RANGE = re.compile(r"\d+(?:\.\d+)?\s*-\s*\d+(?:\.\d+)?")
SEVERAL_VALUES = re.compile(r"\b([A-Za-z])\s*=\s*-?\d[\d.]*(?:(?:\s*,\s*|\s*,?\s+(?:and|or)\s+)\1\s*=\s*-?\d[\d.]*\b)+")
"""Several values of one name: "x = 1 and x = 3"."""
_SENTENCE = re.compile(r"(?:\b[A-Za-z]{2,15},? ){4}")
_LETTER_OR_SIGN = re.compile(r"[^\d\s+*/^().,-]")
_BOXED = re.compile(r"\$?\\boxed\{(.*)\}\$?", re.DOTALL)
_TRIG = re.compile(r"sin|cos|tan")
