"""Which option a piece of text names.

A text may name an option by its letter ("B", "(B)", "B.", "\\text{(B)}", "option B"), by its words, or by its value
("0.5" for 1/2, "72" for "72 m"). The rules, in order: a text that is an option's text is that option; a letter within
range that leads the text or stands in brackets is that option, *also where the words after it contradict it*, since
prompts ask for the letter; a letter out of range gives way to the words after it; then the words; then the value.
Two different options offered at once are two answers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from vpbench.grade.numbers import value_of, without_markup
from vpbench.grade.prose import number_in_prose
from vpbench.grade.text import STOP, plain_characters, words_of
from vpbench.grade.values import Value, close, rounded, same

DEFAULT_OPTIONS = 8
TWO = -1
_LEADING = re.compile(
    r"(?:(?:the )?(?:correct |right |best )?(?:option|choice|letter|answer|figure|graph|image)s?[\s:]{1,3})?"
    r"(?:[(\[{<]\s*([A-Za-z])\s*[)\]}>]|([A-Z])(?=\s*(?:[).:,;\]|]|-\s|\(|\n|[\u4e00-\u9fff]|$)))[\s).:,;\]|-]*",
    re.IGNORECASE,
)
_BRACKETED = re.compile(r"(?<![\w)])(?:[(\[]\s*([A-Z])\s*[)\]]|(?:^|(?<=\n)|(?<=is )|(?<=: ))([A-Z])\)(?=\s))")
_NAMED = re.compile(
    r"(?:\b(?:[Oo]ption|[Cc]hoice|[Ll]etter|[Aa]nswer)s?\s*(?:is\s+|:\s*)?|(?:选项|选|答案)[是为:]?\s*)[\"'(\[]?([A-Z])(?![\w'-])(?!\s+(?:or|and)\s+[A-Z]\b)(?!\s+[a-z]{1,20}\s+[a-z])"
    r"|(?:选项|选|答案)[是为:]?\s*([A-Z])"
)
_BARE = re.compile(r"(?<![\w$\\^_'\"+*/=-])([A-Z])(?![\w'+*/=^_-])(?!\s*[=<>+])")
_NEGATED_BEFORE = re.compile(
    r"\b(?:not|isn't|rather than|instead of|than|unlike|nor|neither|except)\b[^.,;]{0,20}$", re.IGNORECASE
)
_NEGATION = re.compile(r"\b(?:not|no|nor|neither|never|cannot|without)\b|n't\b", re.IGNORECASE)
_ANOTHER = re.compile(r"(?:and|or|&)?\s*(?:[(\[]\s*([A-Za-z])\s*[)\]]|([A-Z])(?=[\s,.;)]|$))")
_NEAR = Fraction(1, 10)
_SPACES = re.compile(r"[\s{}$\\,;]+")


_MODAL = frozenset(
    "will would also likely most it they become becomes be happen happens number population could may might".split()
)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a question, prepared for reading: `texts` is None where only letters are known."""

    count: int
    texts: tuple[str, ...] | None
    keys: tuple[str, ...]
    values: tuple[Value | None, ...]
    words: re.Pattern[str] | None
    stems: tuple[frozenset[str], ...] = ()


def key(text: str) -> str:
    """What is compared of an option's text: markup, spaces, case and a final stop don't count."""
    text = without_markup(plain_characters(text)).strip(" .,;:\"'`()[]")
    return _SPACES.sub("", text.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac")).casefold()


def _prose_form(text: str) -> str:
    return " ".join(without_markup(plain_characters(text)).strip(" .,;:\"'").casefold().split())


@lru_cache(maxsize=8_192)
def options_of(choices: tuple[str, ...] | None) -> Options:
    """The options of a question with these choices; without any, letters A to H."""
    if not choices:
        return Options(DEFAULT_OPTIONS, None, (), (), None)
    keys = tuple(key(choice) for choice in choices)
    values = tuple(value_of(plain_characters(choice)) for choice in choices)
    searchable = {
        form for form, value in zip(map(_prose_form, choices), values, strict=True)
        if value is None and (len(form) > 1 or (len(form) == 1 and not form.isascii())) and len(form) < 200
    }  # fmt: skip
    pattern = "|".join(re.escape(form).replace(r"\ ", r"\s+") for form in sorted(searchable, key=len, reverse=True))
    words = re.compile(rf"(?<!\w)(?:{pattern})(?!\w)") if pattern else None
    stems = tuple(
        _stems(form) if value is None and len(form) < 200 else frozenset()
        for form, value in zip(map(_prose_form, choices), values, strict=True)
    )
    return Options(len(choices), choices, keys, values, words, stems)


def _stems(text: str) -> frozenset[str]:
    """The first six letters of the words that tell options apart: plural and tense, "will" and "it" don't count."""
    kept = words_of(text) - STOP - _MODAL
    return frozenset(word[:6].rstrip("s") for word in kept if len(word) > 3 and word.isalpha())


def rank(label: str) -> int:
    """Place of a label in A, B, ..., Z, AA, AB, ...; that of A is 0."""
    return 26 * (len(label) - 1) + ord(label[-1]) - ord("A")


def _index(letter: str, options: Options) -> int | None:
    number = ord(letter.upper()) - ord("A")
    return number if 0 <= number < options.count else None


def only(found: set[int]) -> int | None:
    """The one member; TWO if there are several."""
    return None if not found else found.pop() if len(found) == 1 else TWO


def by_text(text: str, options: Options) -> int | None:
    """The option whose text `text` is."""
    wanted = key(text)
    if not wanted:
        return None
    if len(wanted) == 1 and wanted.isalpha() and options.texts is not None:
        named = [number for number, mine in enumerate(options.texts) if mine.strip() == text.strip(" .")]
        return named[0] if named else None
    found = {number for number, mine in enumerate(options.keys) if mine == wanted}
    if len(found) > 1:
        found = {number for number in found if options.texts and options.texts[number].strip() == text.strip()} or found
    return min(found) if found else None


def by_value(value: Value, options: Options) -> int | None:
    """The only option of that value, exactly or as its decimal approximation (two decimals or more)."""
    found = {number for number, mine in enumerate(options.values) if mine is not None and same(mine, value)}
    if not found:
        near = [number for number, mine in enumerate(options.values) if mine is not None and close(mine, value, _NEAR)]
        for number in near:
            if any(_approximates(value, options.values[number], decimals) for decimals in (1, 2, 3, 4)):
                found.add(number)
    if len(found) > 1 and options.values:
        return None
    return only(found)


def _approximates(value: Value, option: Value, decimals: int) -> bool:
    """Whether one is the other rounded to `decimals` decimals, and that many are really written."""
    exact, scale = rounded(value, decimals), 10 ** (decimals - 1)
    if (exact * scale).denominator == 1:
        return False
    return (same(exact, value) and decimals > 1 and rounded(option, decimals) == exact) or same(exact, option)


def by_letter(text: str, options: Options) -> tuple[int | None, str]:
    """The option of a letter that leads `text` (None if out of range or absent), and the text after the letter."""
    match = _LEADING.match(text)
    if match is None:
        return None, text
    letter = match[1] or match[2]
    if letter.islower() and match[1] is None:
        return None, text
    return _index(letter, options), text[match.end() :]


def goes_on(rest: str, options: Options, letter: int) -> bool:
    """Whether `rest`, which follows a leading letter, goes on with another one ("A, B", "(a) (b)")."""
    match = _ANOTHER.match(rest)
    if match is None or options.texts is None or key(rest) == options.keys[letter]:
        return False
    return _index(match[1] or match[2], options) not in {None, letter}


def by_bracket(text: str, options: Options) -> int | None:
    """The option of the bracketed letters in `text`; those after "not" or "than" don't count."""
    found = {
        number
        for match in _BRACKETED.finditer(text)
        if (number := _index(match[1] or match[2], options)) is not None
        and not _NEGATED_BEFORE.search(text[max(0, match.start() - 40) : match.start()])
    }
    if not found:
        found = {
            number
            for match in _NAMED.finditer(text)
            if (number := _index(match[1] or match[2], options)) is not None
        }
    return only(found)


def by_bare_letter(text: str, options: Options) -> int | None:
    """The option of a capital that stands alone in `text`; a leading article "A" doesn't count."""
    found = {
        number
        for match in _BARE.finditer(text)
        if (number := _index(match[1], options)) is not None
        and not (match[1] in "AI" and re.match(r"\s+(?!or |and )[a-z]", text[match.end() : match.end() + 8]))
    }
    return only(found)


def by_words(text: str, options: Options) -> int | None:
    """The option whose words occur in `text`; a longer option's words aren't also those of a shorter one."""
    if options.words is None:
        return None
    said = " ".join(without_markup(text).casefold().split())
    matches = list(options.words.finditer(said))
    kept = [match for match in matches if not _NEGATED_BEFORE.search(said[max(0, match.start() - 40) : match.start()])]
    found = {by_text(match.group(), options) for match in kept}
    return only({number for number in found if number is not None})


def by_stems(text: str, options: Options) -> int | None:
    """The only option all of whose telling words occur in `text`, in whatever order or form; nothing if it negates."""
    if _NEGATION.search(text):
        return None
    said = _stems(text)
    found = {number for number, mine in enumerate(options.stems) if mine and mine <= said}
    found -= {number for number in found if any(options.stems[number] < options.stems[other] for other in found)}
    return only(found)


def by_number(text: str, options: Options) -> int | None:
    """The option whose value is the number that `text` gives."""
    if not any(value is not None for value in options.values):
        return None
    number = number_in_prose(text, ())
    if number is None or number == "two answers":
        return None if number is None else TWO
    return by_value(number.value, options)
