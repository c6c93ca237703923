"""The options of a question, prepared for reading, and the two ways to *be* one of them: by text and by value.

A text is an option if it is its text (markup, spaces, case and a final stop apart). A value is an option if it equals
its value or is the decimal it rounds to, and no other option's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from vpbench.grade.reading.text import STOP, plain_characters, words_of
from vpbench.grade.values.arithmetic import Value, close, rounded, same
from vpbench.grade.values.forms import Form, equal_forms, form_of
from vpbench.grade.values.numbers import trimmed, value_of, without_markup
from vpbench.grade.values.relations import split_relation, value_sides
from vpbench.grade.values.times import Date, Time, dates_in, gold_date, gold_time, same_moment, times_in

DEFAULT_OPTIONS = 8
_TIMES = re.compile(r"\\times(?![A-Za-z])|×|(?<=[\w ])\s[xX]\s(?=\d)|(?<=\d)[xX](?=\d)| by (?=\d)")
_NEGATION = re.compile(r"\b(?:not?|none|neither|nor|never|cannot|without)\b|n't\b", re.IGNORECASE)
_FORMAL = re.compile(r"[\d\\^_=<>+*/$]")
_DECIMALS = re.compile(r"\.(\d+)")
_NEAR = Fraction(1, 10)
_SPACED_SIGN = re.compile(r" ?([^\w ]) ?")
_SPACES = re.compile(r"[\s{}$\\,;]+")
_COMMON = frozenset(
    ("will", "would", "could", "might", "also", "likely", "most", "they", "their", "become", "becomes", "happen")
)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a question, prepared for reading: `texts` is None where only letters are known.

    `words` is the pattern that finds the texts of options that are no values. `stems` holds the `telling_stems` of each
    option (of "neither; they are the same" those of its longer part); none of those with digits or signs of formulas,
    which are told apart by these, and none that two options share.
    """

    count: int
    texts: tuple[str, ...] | None
    keys: tuple[str, ...]
    values: tuple[Value | None, ...]
    words: str | None
    stems: tuple[frozenset[str], ...] = ()
    moments: tuple[Time | Date | None, ...] = ()


def key(text: str) -> str:
    """What is compared of an option's text: markup, spaces, case and a final stop don't count."""
    text = trimmed(without_markup(plain_characters(text)), " .,;:\"'`()[]")
    return _SPACES.sub("", text.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac")).casefold()


def prose_form(text: str) -> str:
    """What is searched for in prose and as which prose is searched: spaces count between words only."""
    return _SPACED_SIGN.sub(r"\1", " ".join(without_markup(plain_characters(text)).casefold().split()))


@lru_cache(maxsize=8_192)
def options_of(choices: tuple[str, ...] | None) -> Options:
    """The options of a question with these choices; without any, letters A to H."""
    if not choices:
        return Options(DEFAULT_OPTIONS, None, (), (), None)
    keys = tuple(key(choice) for choice in choices)
    values = tuple(map(_option_value, choices))
    forms = [prose_form(choice).strip(" .,;:\"'") for choice in choices]
    searchable = {
        form
        for form, value in zip(forms, values, strict=True)
        if value is None and (len(form) > 1 or (len(form) == 1 and not form.isascii())) and len(form) < 200
    }
    words = "|".join(map(_as_pattern, sorted(searchable, key=len, reverse=True))) or None
    stems = [
        telling_stems(max(form.split(";"), key=len))
        if value is None and len(form) < 200 and not _FORMAL.search(form)
        else frozenset()
        for form, value in zip(forms, values, strict=True)
    ]
    distinct = tuple(option_stems if stems.count(option_stems) == 1 else frozenset() for option_stems in stems)
    moments = tuple(gold_time(choice, "") or gold_date(choice) for choice in choices)
    if any(moment is None for moment in moments) or len(moments) < 2:
        moments = ()
    return Options(len(choices), choices, keys, values, words, distinct, moments)


def _as_pattern(form: str) -> str:
    """Where `form` stands as a whole, not as a part of a word."""
    before, after = (r"(?<!\w)" if form[0].isalnum() else ""), (r"(?!\w)" if form[-1].isalnum() else "")
    return f"{before}{re.escape(form)}{after}"


def _option_value(choice: str) -> Value | None:
    """The value of an option's text; none if it is an equation or inequality, which isn't its right side alone."""
    text = plain_characters(choice)
    signs, sides = split_relation(without_markup(text))
    if text.strip(" .").casefold() == "half":
        return None
    if set(signs) - {"="} or len(value_sides(sides)) > 1:
        return None
    return value_of(text)


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
        named = [number for number, option in enumerate(options.texts) if option.strip() == text.strip(" .")]
        return named[0] if named else None
    candidates = {number for number, option in enumerate(options.keys) if option == wanted}
    if len(candidates) > 1:
        candidates = {
            number for number in candidates if options.texts and options.texts[number].strip() == text.strip()
        } or candidates
    return min(candidates) if candidates else None


def by_moment(text: str, options: Options) -> int | None:
    """The only option that is the time, or the date, that `text` gives; None where it gives none or two."""
    given: list[Time | Date] = [*times_in(text), *dates_in(text)]
    if any(
        isinstance(option, Time) and option.minutes >= 780 and "m" not in _written(options)
        for option in options.moments
    ):
        # Options on a 24-hour clock: 9:30 is the morning.
        given = [Time(moment.minutes, True) if isinstance(moment, Time) else moment for moment in given]
    candidates = {
        number
        for number, option in enumerate(options.moments)
        if option is not None and any(same_moment(moment, option) for moment in given)
    }
    return candidates.pop() if len(candidates) == 1 else None


def _written(options: Options) -> str:
    return " ".join(options.texts or ()).casefold()


@lru_cache(maxsize=4_096)
def _option_forms(choices: tuple[str, ...]) -> tuple[Form | None, ...]:
    return tuple(_formula(choice) for choice in choices)


def _formula(text: str) -> Form | None:
    """The form of a text that is a formula, not a mere number; of "30 cm × 20 cm" its dimensions."""
    text = plain_characters(text)
    parts = _TIMES.split(without_markup(text))
    if len(parts) > 1 and all(any(sign.isdigit() for sign in part) for part in parts):
        values = [value_of(part) for part in parts]
        if all(value is not None for value in values):
            return "dimensions", tuple(values)
    form = form_of(text)
    return None if form is None or form[0] == "number" else form


def by_form(text: str, options: Options) -> int | None:
    """The only option that is the same formula as `text`."""
    if options.texts is None or len(text) > 200 or (form := _formula(text)) is None:
        return None
    candidates = {
        number
        for number, option in enumerate(_option_forms(options.texts))
        if option is not None and equal_forms(form, option)
    }
    return candidates.pop() if len(candidates) == 1 else None


def by_words_within(text: str, options: Options) -> int | None:
    """The only option that holds all words of `text`, a short answer ("inland" for "Inland region").

    Both deny something or neither does. "equal" and "the same" are one word here.
    """
    words = _compared_words(text)
    if options.texts is None or not words:
        return None
    candidates = {
        number
        for number, option in enumerate(options.texts)
        if words <= _compared_words(option) and bool(_NEGATION.search(option)) == bool(_NEGATION.search(text))
    }
    return candidates.pop() if len(candidates) == 1 else None


@lru_cache(maxsize=8_192)
def _compared_words(text: str) -> frozenset[str]:
    words = (
        frozenset(re.findall(r"[a-z0-9.]*[a-z0-9]", without_markup(plain_characters(text)).casefold())) - STOP - {"so"}
    )
    return frozenset({"equal": "same", "equals": "same", "identical": "same"}.get(word, word) for word in words)


def _is_label(text: str, options: Options) -> bool:
    """Whether `text` is one capital among the labels, no other sign apart from a stop."""
    written = text.strip(" .")
    return len(written) == 1 and "A" <= written <= "Z" and ord(written) - ord("A") < options.count


def by_value(value: Value, options: Options) -> int | None:
    """The only option of that value, exactly or as its decimal approximation (two decimals or more)."""
    candidates = {
        number
        for number, option_value in enumerate(options.values)
        if option_value is not None and same(option_value, value)
    }
    if not candidates:
        near = [
            number
            for number, option_value in enumerate(options.values)
            if option_value is not None and close(option_value, value, _NEAR)
        ]
        for number in near:
            if any(_approximates(value, options, number, decimals) for decimals in (1, 2, 3, 4)):
                candidates.add(number)
    return candidates.pop() if len(candidates) == 1 else None


def _approximates(value: Value, options: Options, number: int, decimals: int) -> bool:
    """Whether `value` or the option is the other rounded to `decimals` decimals, and that many are really written."""
    exact, scale, option = rounded(value, decimals), 10 ** (decimals - 1), options.values[number]
    if (exact * scale).denominator == 1:
        return False
    if same(exact, value) and decimals > 1 and rounded(option, decimals) == exact:
        return True
    written = _DECIMALS.search(options.texts[number]) if options.texts else None
    return written is not None and len(written[1]) == decimals and same(exact, option)
