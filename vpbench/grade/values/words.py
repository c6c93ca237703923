"""Numbers written in words or grouped in ways of their own, rewritten in plain digits.

"twenty one" is 21, "two thousand" 2000, "two and a half" 5/2, "three quarters" 3/4, "two dozen" 24, "negative five" -5;
"12 345", "12\\,345", "1'234" are thousands, "250k" is 250000, "3{,}5" and "1.234,5" have decimal commas. Single words
("seven") stay as they are: `numbers` and `prose` read them where a number is looked for, and "one" is no number
everywhere. A fraction in words is one where its denominator is a plural that fits or follows "one" or "a".
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

BELOW_TWENTY = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SMALL = {word: number for number, word in enumerate(BELOW_TWENTY)} | {
    word: 10 * number for number, word in enumerate(_TENS, start=2)
}
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12}
_DENOMINATORS = {
    **{
        "half": 2,
        "halves": 2,
        "third": 3,
        "quarter": 4,
        "fourth": 4,
        "fifth": 5,
        "sixth": 6,
        "seventh": 7,
        "eighth": 8,
    },
    **{"ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12, "fifteenth": 15, "sixteenth": 16, "twentieth": 20},
    **{"twenty-fifth": 25, "hundredth": 100, "thousandth": 1000},
}
_ONE_WORD = "|".join(sorted(_SMALL, key=len, reverse=True))
_SCALE_WORD = "|".join(_SCALES)
_PART_WORD = "|".join(sorted(_DENOMINATORS, key=len, reverse=True))
_START = rf"(?:{_ONE_WORD}|an?(?=[ -](?:{_SCALE_WORD})\b)|\d+(?:\.\d+)?(?=[ ](?:hundred|dozen)\b))"
_WHOLE = rf"{_START}(?:[ -](?:and[ ](?={_ONE_WORD}))?(?:{_ONE_WORD}|(?:{_SCALE_WORD})\b))*"
_WORDS = re.compile(rf"(?<![\w-])(?<!\w\s[-–])({_WHOLE})\b(?![-'])", re.IGNORECASE)
_FRACTION = re.compile(
    rf"(?<![\w-])(?:(?P<whole>{_ONE_WORD}|\d{{1,4}})[ -]and[ -])?"
    rf"(?P<top>an?|one|\d{{1,3}}|{_ONE_WORD})[ -](?P<bottom>{_PART_WORD})(?P<plural>s?)\b(?![-'])",
    re.IGNORECASE,
)
_HALF = re.compile(r"\A(?:half|(?:is|equals|=)\s+half\s*\.?)\Z", re.IGNORECASE)
_HALF_OF_SCALE = re.compile(rf"\bhalf a ({_SCALE_WORD})\b", re.IGNORECASE)
_SIGN = re.compile(
    r"(?:\b(negative|positive)|(?:\A|(?<=[=:(,]\s)|(?<=[=:(,])|(?<=\bis\s)|(?<=\bof\s)|(?<=\bequals\s)|(?<=\bto\s)|"
    r"(?<=\bbe\s)|(?<=\bor\s)|(?<=\bget\s)|(?<=\bgives\s)|(?<=\bare\s)|(?<=\band\s)|(?<=\bwas\s))(minus|plus))"
    r"[ -]+(?=[$\\(]{0,3}(?:[\d.]|\\?frac|\\?sqrt|√|\\[dt]frac|π|\\pi)|(?P<word>"
    rf"{_ONE_WORD})\b)",
    re.IGNORECASE,
)
_SIGNED_WORD = re.compile(rf"(?<![\w-])-({_ONE_WORD})\b", re.IGNORECASE)
_DIGIT_WORD = "|".join(BELOW_TWENTY[:10])
_DECIMAL_WORDS = re.compile(
    rf"\b({_ONE_WORD}|\d{{1,9}}) point ((?:{_DIGIT_WORD})(?:[ ](?:{_DIGIT_WORD})){{0,5}})\b", re.IGNORECASE
)
_HINT = re.compile(
    rf"\b(?:{_ONE_WORD}|an?[ -](?:{_SCALE_WORD}|{_PART_WORD})|half|hundred|dozen|(?:{_PART_WORD})s|negative"
    rf"|minus|plus|positive)\b",
    re.I,
)
_GROUPED = re.compile(r"(?<![\d.,' ])(?<!\d )(\d{1,3})((?:[ ]\d{3})+)(?![\d'/^]|[ ]?[\d/])")
_APOSTROPHES = re.compile(r"(?<![\d.,'])(\d{1,3})((?:'\d{3})+)(?!\d)")
_LATEX_GROUPS = re.compile(r"(?<=\d)(?:,\s*\\!|\\!\s*,|\{,\}\s*\\!|\\[,!;:]|~)\s*(?=\d{3}(?!\d))")
_DECIMAL_BRACES = re.compile(r"(?<=\d)\{,\}(?!\d{3}(?!\d))(?=\d)")
_POINTS_AND_COMMA = re.compile(r"(?<![\d.,(\[{])(\d{1,3}(?:\.\d{3})+),(\d{1,9})(?![\d,]|\.\d)")
_LATEX_GROUPED = re.compile(r"\d(?:\\[,!;:]|~|\{,\}|,\s*\\!)")
_MAY_BE_GROUPED = re.compile(r"\d(?:[ ']\d{3}|\.\d{3}.*,)")
_DECIMAL_COMMA = re.compile(r"(?<![\d.,(\[{])(?:(\d{1,9}),(\d{1,2}|\d{4,9})|(0),(\d{1,9}))(?![\d]|[,.]\d)")
_WORD = re.compile(r"[A-Za-z]{3}")
_THOUSAND = re.compile(r"(?<![\w.,])(\$?)(\d{1,6}(?:,\d{3})*(?:\.\d{1,4})?)[kK](?![\w°²])")


def latex_groups_joined(text: str) -> str:
    """`text` with the digits that LaTeX groups ("12\\,345") joined, and "3{,}5" with a point."""
    if _LATEX_GROUPED.search(text) is None:
        return text
    return _DECIMAL_BRACES.sub(".", _LATEX_GROUPS.sub("", text))


@lru_cache(maxsize=8_192)
def in_digits(text: str) -> str:
    """`text` with numbers in digits. Linear in its length; a text without such numbers comes back as it is."""
    text = latex_groups_joined(text)
    if _MAY_BE_GROUPED.search(text) is not None:
        text = _GROUPED.sub(lambda match: match[1] + match[2].replace(" ", ""), text)
        text = _APOSTROPHES.sub(lambda match: match[1] + match[2].replace("'", ""), text)
        text = _POINTS_AND_COMMA.sub(lambda match: match[1].replace(".", "") + "." + match[2], text)
    if _WORD.search(text) is None or _HINT.search(text) is None:
        return text
    text = _HALF_OF_SCALE.sub(lambda match: str(_SCALES[match[1].lower()] // 2), text)
    text = _FRACTION.sub(_as_fraction, text)
    text = "1/2" if _HALF.fullmatch(text.strip(" .")) else text
    text = _WORDS.sub(_as_number, text)
    text = _DECIMAL_WORDS.sub(_as_decimal, text)
    return _SIGNED_WORD.sub(_in_figures, _SIGN.sub(_as_sign, text))


def thousands_written_k(text: str) -> str:
    """`text` with "250k" as 250000. A capital K that is a temperature has to be left out by the caller."""
    return _THOUSAND.sub(lambda match: match[1] + _plain(Fraction(match[2].replace(",", "")) * 1000), text)


def decimal_commas(text: str) -> str:
    """`text` with the comma of "3,5" as a decimal point; "1,234" and lists of numbers are left."""
    return _DECIMAL_COMMA.sub(_with_point, text) if "," in text else text


def _with_point(match: re.Match[str]) -> str:
    return f"{match[1] or match[3]}.{match[2] or match[4]}"


def _plain(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else f"{float(value):.10g}"


def _as_fraction(match: re.Match[str]) -> str:
    top_word, bottom_word = match["top"].lower(), match["bottom"].lower()
    top = 1 if top_word in {"a", "an"} else _SMALL.get(top_word) or (int(top_word) if top_word.isdigit() else 0)
    bottom = _DENOMINATORS[bottom_word]
    plural = bool(match["plural"]) or bottom_word == "halves"
    # Without the plural there is only one part ("two third-graders"); "a third one" is an ordinal.
    after = match.string[match.end() : match.end() + 12]
    if top == 0 or plural != (top > 1) or re.match(r" (?:one|time|person|place|row|column|option|grade)\b", after):
        return match.group()
    if top_word in {"a", "an"} and match["whole"] is None and not re.match(r"\s*(?:of\b|[.,;!)*]|\Z)", after):
        return match.group()
    whole = match["whole"]
    value = Fraction(top, bottom)
    if whole is not None:
        value += _SMALL[whole.lower()] if not whole.isdigit() else int(whole)
    return f"{value.numerator}/{value.denominator}"


def _as_number(match: re.Match[str]) -> str:
    words = re.split(r"[ -]+", match[1].lower())
    if len(words) == 1:
        return match.group()
    total, group, last = Fraction(0), Fraction(0), 0
    for word in words:
        if word == "and":
            continue
        if word in _SCALES:
            scale = _SCALES[word]
            group = (group or Fraction(1)) * scale
            if scale >= 1000:
                total, group = total + group, Fraction(0)
            last = scale
        elif word in {"a", "an"}:
            group = Fraction(1)
        else:
            number = Fraction(word) if word[0].isdigit() else Fraction(_SMALL[word])
            # "two three" are two numbers, "twenty one" is one.
            if last and last < 100 and not (20 <= last < 100 and number < 10):
                return match.group()
            group += number
            last = int(number) or 1
    return _plain(total + group)


def _as_decimal(match: re.Match[str]) -> str:
    """ "three point one four" is 3.14."""
    whole = match[1] if match[1].isdigit() else _SMALL[match[1].lower()]
    return f"{whole}." + "".join(str(_SMALL[word]) for word in match[2].lower().split())


def _as_sign(match: re.Match[str]) -> str:
    negative = (match[1] or match[2]).lower() in {"negative", "minus"}
    return "-" if negative else ""


def _in_figures(match: re.Match[str]) -> str:
    """A signed word in digits: "-three" is -3."""
    return f"-{_SMALL[match[1].lower()]}"
