"""The option that a response chooses.

Places are tried in the order of `final`; each is read by the rules of `options`, and for yes/no questions by those of
`statements`. A place that only refuses ("cannot be determined") ends the search unless an option says just that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from vpbench.grade import options as opt
from vpbench.grade.final import Kind, Span, final_spans, statements
from vpbench.grade.numbers import value_of, without_markup
from vpbench.grade.options import TWO, Options
from vpbench.grade.statements import denies_options, is_open, is_refusal, is_unsure, polarity, word_polarity
from vpbench.grade.text import main_clause, sentences

_LISTED = re.compile(r"\(([A-Z]{1,2})\)?")
_UNMARKED = {"conclusion", "sentence", "first"}
_YES_WORDS = {"yes", "true", "是", "对"}
_NO_WORDS = {"no", "false", "否", "不是", "错"}


@dataclass(frozen=True, slots=True)
class ChoiceReading:
    """What was read: the option's index, or none and why ("no answer", "two answers"); `text` is where from."""

    index: int | None
    text: str | None
    reason: str


def read_choice(text: str, options: Options, question: str) -> ChoiceReading:
    """The option chosen by `text`, which is `readable` already. `question` is the question's text."""
    two: str | None = None
    other: str | None = None
    listed = _listed(text)
    if listed is not None:
        foreign = options.count <= min(map(opt.rank, listed))
        chosen = opt.by_text(listed.popitem()[1], options) if foreign else None
        return ChoiceReading(chosen, text[:200], "" if chosen is not None else "two answers")
    text = _without_echo(text, options)
    marked = False
    for span in final_spans(text, question):
        if not marked and other is None and span.kind in _UNMARKED:
            marked = True
            if any(map(denies_options, sentences(text)[-3:])):
                break
            found = opt.by_bracket(_where_letters_count(text), options)
            if found is not None and found != TWO:
                return ChoiceReading(found, text[:200], "")
        found = _in_span(span, options, question)
        if found is None and (is_unsure if span.kind == "stated" else is_refusal)(span.text):
            break
        if other is not None and (span.kind != "stated" or opt.by_letter(span.text, options)[0] is None):
            continue
        if found is None and _not_an_option(span):
            other = span.text[:200]
            continue
        if found == TWO:
            two = two or span.text
            if span.kind in {"box", "tag", "stated", "whole"}:
                break
        elif found is not None:
            return ChoiceReading(found, span.text[:200], "")
    if other is not None:
        return ChoiceReading(None, other, "not an option")
    return ChoiceReading(None, two, "two answers" if two else "no answer")


def _where_letters_count(text: str) -> str:
    """The lines that begin with a bracketed letter, the first sentence and the last three."""
    parts = sentences(text)
    kept = [part for part in parts[1:-3] if part[:1] == "(" and _LISTED.match(part)]
    return "\n".join([*parts[:1], *kept, *(parts[-3:] if len(parts) > 1 else [])])


def _not_an_option(span: Span) -> bool:
    """Whether `span` is a short marked answer; it names no option if it wasn't understood."""
    if span.kind in {"box", "tag"}:
        return len(span.text) < 60
    return span.kind == "stated" and value_of(span.text) is not None


def _listed(text: str) -> dict[str, str] | None:
    """Labels and texts of the lines of `text`, the last line last, if it does nothing but list labelled options."""
    lines = [line.strip() for line in text[:2_000].splitlines() if line.strip()]
    matches = [(match[1], line[match.end() :]) for line in lines if (match := _LISTED.match(line))]
    return dict(matches) if len(matches) == len(lines) and len(dict(matches)) > 1 else None


def _without_echo(text: str, options: Options) -> str:
    """`text` without consecutive lines that only repeat all options of the question under their letters."""
    if options.texts is None or "(A)" not in text:
        return text
    lines = text.splitlines()
    wanted = [f"({chr(ord('A') + number)}){mine}" for number, mine in enumerate(options.keys)]
    at = 0
    while at + len(wanted) <= len(lines):
        block = [_LISTED.match(line.strip()) for line in lines[at : at + len(wanted)]]
        shown = [f"({match[1]}){opt.key(match.string[match.end() :])}" for match in block if match]
        if shown == wanted:
            del lines[at : at + len(wanted)]
        else:
            at += 1
    return "\n".join(lines).strip()


def _yes_no(options: Options) -> tuple[int, int] | None:
    """The indices of yes and no, where these are the options."""
    if options.count != 2:
        return None
    yes = [number for number, mine in enumerate(options.keys) if mine in _YES_WORDS]
    no = [number for number, mine in enumerate(options.keys) if mine in _NO_WORDS]
    return (yes[0], no[0]) if yes and no else None


def _in_span(span: Span, options: Options, question: str) -> int | None:
    """The option that `span` names, None, or TWO."""
    if span.kind == "box" and (said := statements(span.text)):
        span = Span(said[-1], "box")
    text = without_markup(span.text).strip(" \n\"'.,:;")
    exact = opt.by_text(text, options)
    if exact is not None:
        return exact
    strong = span.kind in {"box", "tag", "stated", "whole"}
    letter, rest = opt.by_letter(text, options)
    if letter is not None and (strong or span.kind == "first" or len(text) < 80):
        return TWO if opt.goes_on(rest, options, letter) else letter
    if rest is not text and (exact := opt.by_text(rest, options)) is not None:
        return exact
    bracketed = opt.by_bracket(text, options)
    if bracketed is not None:
        return bracketed
    yes_no = _yes_no(options)
    if yes_no is not None:
        answer = word_polarity(text) if strong and len(text) < 30 else None
        answer = polarity(text, question) if answer is None else answer
        return None if answer is None else yes_no[0 if answer else 1]
    return _by_content(text, options, span.kind)


def _by_content(text: str, options: Options, kind: Kind) -> int | None:
    """By value, words or a letter standing alone; a refusal names nothing."""
    strong = kind in {"box", "tag", "stated", "whole"}
    value = value_of(text)
    if value is not None:
        return opt.by_value(value, options)
    text = main_clause(text) if kind != "box" else text
    if is_open(text) and not strong:
        return None
    found = opt.by_words(text, options)
    if found is None and kind not in {"box", "first"}:
        found = opt.by_number(text, options)
    if found is None and kind != "box":
        found = opt.by_stems(text, options)
    return opt.by_bare_letter(text, options) if found is None and strong else found
