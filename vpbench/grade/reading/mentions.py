"""Which option a piece of text mentions.

A text may mention an option by its letter ("B", "(B)", "B.", "\\text{(B)}", "option B"), by its words, by the words
that tell it from other options in another order or form ("the frogs' number would decrease" for "Frogs decrease"), or
by its value ("0.5" for 1/2, "72" for "72 m"). A letter within range that leads the text or stands in brackets is that
option, *also where the words after it contradict it*, since prompts ask for the letter; a letter out of range gives
way to the words after it; then the words; then the value. Two different options mentioned at once are two answers.
"""

from __future__ import annotations

import re
from functools import lru_cache

from vpbench.grade.reading.options import Options, by_text, by_value, key, prose_form, telling_stems
from vpbench.grade.reading.prose import number_in_prose
from vpbench.grade.reading.text import STOP, sentences
from vpbench.grade.values.numbers import value_of

SEVERAL = -1
"""Stands for two different options."""

_LEADING = re.compile(
    r"(?:(?:the )?(?:correct |right |best )?(?:option|choice|letter|answer|figure|graph|image)s?[\s:]{1,3})?"
    r"(?:[(\[{<]\s*([A-Za-z])\s*[)\]}>]|([A-Z])(?=\s*(?:[).:,;\]|]|-\s|\(|\n|[\u4e00-\u9fff]|$)))[\s).:,;\]|-]*",
    re.IGNORECASE,
)
_BRACKETED = re.compile(r"(?<![\w)])(?:[(\[]\s*([A-Z])\s*[)\]]|(?:^|(?<=\n)|(?<=is )|(?<=: ))([A-Z])\)(?=\s))")
_NAMED = re.compile(
    r"(?:(?<!For )\b(?:[Oo]ption|[Cc]hoice|[Ll]etter|[Aa]nswer)s?\s*(?:is\s+|:\s*)?|(?:选项|选|答案)[是为:]?\s*)"
    r"[\"'(\[]?([A-Z])(?![\w'-])(?!(?:\s+(?:or|and)|\s*,(?:\s*(?:or|and))?)\s+[A-Z]\b)(?!\s+[a-z]{1,20}\s+[a-z])"
    r"|(?:选项|选|答案)[是为:]?\s*([A-Z])"
)
_NAMING = re.compile(r"ption|hoice|etter|nswer|选|答案")
"""A part of what every match of `_NAMED` begins with."""
_BARE = re.compile(r"(?<![\w$\\^_'\"+*/=-])([A-Z])(?![\w'+*/=^_-])(?!\s*[=<>+])")
_NEGATED_BEFORE = re.compile(
    r"\b(?:not|isn't|rather than|instead of|than|unlike|nor|neither|except)\b[^.,;]{0,20}$", re.IGNORECASE
)
_DENIED = re.compile(
    r"(?<![\w'-])[(\[]?[A-Z][)\]]?(?:(?:\s*,\s*(?:and\s+|or\s+)?|\s+(?:and|or)\s+)[(\[]?[A-Z][)\]]?){0,5}\*{0,2}"
    r"(?=[ \t]+(?:(?:is|are|was|were|would be|must be|can be)(?:[ \t]+(?:also|clearly|therefore|thus))?[ \t]+"
    r"(?:incorrect|wrong|not(?:[ \t]+the)?[ \t]+(?:correct|right|answer|best))\b|(?:isn't|aren't)(?:[ \t]+the)?"
    r"[ \t]+(?:correct|right|answer|best)\b))"
)
_LABEL_AND_TEXT = re.compile(r"(?:[(\[]\s*([A-Z])\s*[)\]]|([A-Z]))\*{0,2}[).:,\]]?\*{0,2}\s*(?:-\s+)?(\S.*)", re.DOTALL)
_NOUN_BEFORE = re.compile(r"\b([a-z]{3,12})\s+\W?\Z", re.IGNORECASE)
_CONTRAST = re.compile(
    r",?\s+(?:while|whereas|compared (?:to|with)|rather than|than|unlike|as opposed to|but not|instead of|in"
    r" contrast)\b",
    re.IGNORECASE,
)
_CONCLUSION = re.compile(r"[,;]\s+(?:so|hence|thus|therefore|leaving)\b", re.IGNORECASE)
_COMPARED = re.compile(
    r"\A\W*(?:while|whereas|although|unlike|compared (?:to|with)|instead of)\b[^,]{1,120},", re.IGNORECASE
)
_DENIAL = re.compile(r"(?:incorrect|wrong|not|isn't|aren't)\b")
"""What every text of `_DENIED` goes on with."""
_ASKS_DENIED = re.compile(r"\b(?:incorrect|wrong|false|untrue|not|except|error|mistake\w*)\b|n't\b", re.IGNORECASE)
_NEGATION = re.compile(r"\b(?:not|no|nor|neither|never|cannot|without)\b|n't\b", re.IGNORECASE)
_ANOTHER = re.compile(
    r"(?:and|or|&)?\s*(?:[(\[]\s*([A-Za-z])\s*[)\]]|((?!A\s+(?!and\b|or\b)[a-z])[A-Z])(?=[\s,.;)]|$))"
    r"(?!\s+(?:is|isn't|was|has|does|would|can|cannot|shows)\b)"
)


def _index(letter: str, options: Options) -> int | None:
    number = ord(letter.upper()) - ord("A")
    return number if 0 <= number < options.count else None


def only(candidates: set[int]) -> int | None:
    """The one member; SEVERAL if there are several."""
    return None if not candidates else candidates.pop() if len(candidates) == 1 else SEVERAL


def without_denied(text: str, question: str) -> str:
    """`text` without the letters it calls incorrect ("option (E) is wrong"), unless `question` asks for such."""
    if _DENIAL.search(text) is None or _ASKS_DENIED.search(question):
        return text
    return _DENIED.sub("", text)


def by_letter(text: str, options: Options) -> tuple[int | None, str]:
    """The option of a letter that leads `text` (None if out of range or absent), and the text after the letter."""
    match = _LEADING.match(text)
    if match is None:
        return None, text
    letter = match[1] or match[2]
    if letter.islower() and match[1] is None:
        return None, text
    return _index(letter, options), text[match.end() :]


def goes_on(rest: str, options: Options, letter: int, *, bracketed: bool = False) -> bool:
    """Whether `rest`, which follows a leading letter, goes on with another one ("A, B", "(a) (b)").

    After a letter in brackets a bare one that a sentence begins with is no label ("(D) B and F are turning").
    """
    match = _ANOTHER.match(rest)
    if match is None or _is_text_of(rest, options, letter):
        return False
    if bracketed and match[2] and re.match(r"[^.]*\b(?:is|are|was|were|has|have)\b", rest[match.end() :]):
        return False
    return _index(match[1] or match[2], options) not in {None, letter}


def _is_text_of(rest: str, options: Options, number: int) -> bool:
    """Whether `rest` is the option's own text, with or without the label that stands before it."""
    label = chr(ord("A") + number)
    return options.texts is not None and options.keys[number] in {key(rest), key(f"({label}) {rest}")}


def _is_other_text(text: str, options: Options, number: int) -> bool:
    """Whether `text` as a whole is the text of another option than `number`."""
    named = by_text(text.strip(" *"), options)
    return named is not None and not _is_text_of(text, options, number) and options.keys[named] != options.keys[number]


def begins_with_another(rest: str, options: Options, letter: int) -> bool:
    """Whether `rest`, which follows a letter, is or begins with the text or value of another option ("(A) no")."""
    if options.texts is None or not rest.strip() or _is_text_of(rest, options, letter):
        return False
    first = sentences(rest)[0].strip(" .*,;:")
    own = options.keys[letter]
    named = by_text(first, options)
    if named is None and len(first) < 60 and (value := value_of(first)) is not None:
        named = by_value(value, options)
    if named is not None:
        return named != letter and options.keys[named] != own
    if own and (key(first).startswith(own) or own in key(rest)):
        return False
    words = by_words(first, options)
    if words is None or words in {SEVERAL, letter}:
        return False
    return key(first).startswith(options.keys[words]) and prose_form(first).startswith(
        prose_form(options.texts[words]).strip(" .,;:\"'")
    )


def by_label_and_text(text: str, options: Options) -> int | None:
    """The option whose label and text `text` is ("D7", "(B) red", "A. K: $40; L: $31"); SEVERAL if they are of two.

    None for anything else, also for a label alone.
    """
    match = _LABEL_AND_TEXT.match(text.strip(" *\n"))
    if match is None or options.texts is None:
        return None
    number, rest = _index(match[1] or match[2], options), match[3]
    if number is None or not key(rest):
        return None
    if _is_text_of(rest, options, number):
        return number
    glued = not re.match(r"[\s).:,\]]", text.strip(" *\n")[match.end() - len(rest) - 1 :][:1] or " ")
    named = None if glued else by_text(rest, options)
    return SEVERAL if named is not None and options.keys[named] != options.keys[number] else None


def by_bracket(text: str, options: Options) -> int | None:
    """The option of the bracketed letters in `text`; those after "not" or "than" don't count."""
    for match in _BRACKETED.finditer(text) if options.texts is not None and ")" in text else ():
        number, rest = _index(match[1] or match[2], options), sentences(text[match.end() : match.end() + 300])[:1]
        before = sentences(text[: match.start()])[-1:]
        if number is not None and any(_is_other_text(beside, options, number) for beside in [*rest, *before]):
            return SEVERAL
    candidates = {
        number
        for match in (_BRACKETED.finditer(text) if ")" in text or "]" in text else ())
        if (number := _index(match[1] or match[2], options)) is not None
        and not _NEGATED_BEFORE.search(text[max(0, match.start() - 40) : match.start()])
    }
    if not candidates and _NAMING.search(text) is not None:
        candidates = {
            number for match in _NAMED.finditer(text) if (number := _index(match[1] or match[2], options)) is not None
        }
    return only(candidates)


def by_bare_letter(text: str, options: Options, question: str = "") -> int | None:
    """The option of a capital that stands alone in `text`; a leading article "A" and "Solution C" don't count."""
    candidates = {
        number
        for match in _BARE.finditer(text)
        if (number := _index(match[1], options)) is not None
        and not _names_a_thing(text[: match.start()], options)
        and not _is_of_the_figure(text[: match.start()], match[1], options, question)
        and not (match[1] in "AI" and re.match(r"\s+(?!or |and )[a-z]", text[match.end() : match.end() + 8]))
    }
    return only(candidates)


def _names_a_thing(before: str, options: Options) -> bool:
    """Whether `before`, the text before a letter, ends on a word of the options ("Solution", before C)."""
    word = before.rstrip()[-20:].rpartition(" ")[2].casefold()
    return (
        len(word) > 2 and word not in STOP and any(word in option.casefold().split() for option in options.texts or ())
    )


def _is_of_the_figure(before: str, letter: str, options: Options, question: str) -> bool:
    """Whether a letter names a point, line, person ... of the question ("point B"), where no option does."""
    noun = _NOUN_BEFORE.search(before[-30:])
    if noun is None or any(letter in re.findall(r"\b[A-Z]\b", option) for option in options.texts or ()):
        return False
    named = rf"\b{noun[1]}s?\b[^.?]{{0,30}}\b{letter}\b"
    return options.texts is not None and re.search(named, question, re.IGNORECASE) is not None


@lru_cache(maxsize=8_192)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def by_words(text: str, options: Options) -> int | None:
    """The option whose words occur in `text`; a longer option's words aren't also those of a shorter one."""
    if options.words is None:
        return None
    prose = prose_form(_COMPARED.sub("", text))
    matches = list(_compiled(options.words).finditer(prose))
    kept = [match for match in matches if not _NEGATED_BEFORE.search(prose[max(0, match.start() - 40) : match.start()])]
    candidates = {by_text(match.group(), options) for match in kept}
    chosen = only({number for number in candidates if number is not None})
    if chosen == SEVERAL and (tail := _CONCLUSION.split(text)[1:]):
        return by_words(tail[-1], options)
    if chosen == SEVERAL and (contrast := _CONTRAST.search(text)) is not None and contrast.start() > 2:
        return by_words(text[: contrast.start()], options)
    return chosen


def by_stems(text: str, options: Options) -> int | None:
    """The only option all of whose telling words occur in `text`, in whatever order or form; nothing if it negates."""
    if _NEGATION.search(text):
        return None
    text_stems = telling_stems(text)
    candidates = {number for number, stems in enumerate(options.stems) if stems and stems <= text_stems}
    candidates -= {
        number for number in candidates if any(options.stems[number] < options.stems[other] for other in candidates)
    }
    return only(candidates)


def by_number(text: str, options: Options) -> int | None:
    """The option whose value is the number that `text` gives."""
    if not any(value is not None for value in options.values):
        return None
    number = number_in_prose(text, ())
    if number is None or number == "two answers":
        return None if number is None else SEVERAL
    return by_value(number.value, options)
