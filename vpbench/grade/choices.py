"""The option that a response chooses.

Replies that only list options are read by `listing`. Of all others places are tried in the order of `final`; each is
read by the rules of `mentions`, and for yes/no questions by those of `statements`. Of a sentence that nothing marks
the condition or reason it begins or ends with ("if ...,", "because ...") is left out. A place that only refuses
("cannot be determined") ends the search unless an option says just that, and so does the statement at the end that
none of the options fits, where no letter is marked.
"""

from __future__ import annotations

from dataclasses import dataclass

from vpbench.grade.reading import mentions
from vpbench.grade.reading.final import PLACES, Kind, Span, final_spans, statements
from vpbench.grade.reading.listing import LABEL, labelled_lines, option_listed_last, without_echo
from vpbench.grade.reading.mentions import SEVERAL
from vpbench.grade.reading.options import Options, by_text, by_value
from vpbench.grade.reading.statements import (
    denies_options,
    is_open,
    is_refusal,
    is_unsure,
    polarity,
    word_polarity,
)
from vpbench.grade.reading.text import main_clause, sentences
from vpbench.grade.values.numbers import trimmed, value_of, without_markup
from vpbench.records import Trace

_UNMARKED = {"conclusion", "sentence", "first"}
_YES_WORDS = {"yes", "true", "是", "对"}
_NO_WORDS = {"no", "false", "否", "不是", "错"}


@dataclass(frozen=True, slots=True)
class ChoiceReading:
    """What was read: the option's index, or none and why ("no answer", "two answers"); `text` is where from.

    `trace` says by which rules.
    """

    index: int | None
    text: str | None
    reason: str
    trace: Trace = ()


def read_choice(text: str, options: Options, question: str) -> ChoiceReading:
    """The option chosen by `text`, which is `readable` already. `question` is the question's text."""
    ambiguous: str | None = None
    other: str | None = None
    listed = labelled_lines(text)
    if listed is not None:
        chosen = option_listed_last(listed, options)
        trace = (("final answer", "nothing but a list of options"),)
        return ChoiceReading(chosen, text[:200], "" if chosen is not None else "two answers", trace)
    text = mentions.without_denied(without_echo(text, options), question)
    if not text.strip():
        return ChoiceReading(None, None, "no answer")
    marked = contested = False
    for span in final_spans(text, question):
        # A whole reply of several sentences that names two options may still conclude on one of them.
        if contested and span.kind != "conclusion":
            break
        # Before the first span that nothing marks, the bracketed letters of the first and the last sentences.
        if not marked and other is None and span.kind in _UNMARKED:
            marked = True
            if _says_none_fits(text, options):
                break
            choice = mentions.by_bracket(_where_letters_count(text), options)
            if choice is not None and choice != SEVERAL:
                return ChoiceReading(
                    choice, text[:200], "", _trace("the first or the last sentences", "its bracketed label")
                )
        choice, rule = _in_span(span, options, question)
        if choice is None and (is_unsure if span.kind == "stated" else is_refusal)(span.text):
            break
        if other is not None and (span.kind != "stated" or mentions.by_letter(span.text, options)[0] is None):
            continue
        if choice is None and _not_an_option(span):
            other = span.text[:200]
            continue
        if choice == SEVERAL:
            ambiguous = ambiguous or span.text
            contested = span.kind == "whole" and len(sentences(text)) > 1
            if not contested and span.kind in {"box", "tag", "stated", "whole"}:
                break
        elif choice is not None:
            return ChoiceReading(choice, span.text[:200], "", _trace(PLACES[span.kind], rule))
    if other is not None:
        return ChoiceReading(None, other, "not an option")
    return ChoiceReading(None, ambiguous, "two answers" if ambiguous else "no answer")


def _where_letters_count(text: str) -> str:
    """The lines that begin with a bracketed letter, the first sentence and the last three."""
    parts = sentences(text)
    kept = [part for part in parts[1:-3] if part[:1] == "(" and LABEL.match(part)]
    return "\n".join([*parts[:1], *kept, *(parts[-3:] if len(parts) > 1 else [])])


def _says_none_fits(text: str, options: Options) -> bool:
    """Whether one of the last three sentences says that no option is right, and no later one names a letter.

    Options that begin with "none" may be what such a sentence means.
    """
    last = sentences(text)[-3:]
    denying = [number for number, part in enumerate(last) if denies_options(part)]
    if not denying or any(key.startswith("none") for key in options.keys):
        return False
    return mentions.by_bracket("\n".join(last[denying[-1] + 1 :]), options) is None


def _not_an_option(span: Span) -> bool:
    """Whether `span` is a short marked answer; it names no option if it wasn't understood."""
    if span.kind in {"box", "tag"}:
        return len(span.text) < 60
    return span.kind == "stated" and value_of(span.text) is not None


def _yes_no(options: Options) -> tuple[int, int] | None:
    """The indices of yes and no, where these are the options."""
    if options.count != 2:
        return None
    yes = [number for number, key in enumerate(options.keys) if key in _YES_WORDS]
    no = [number for number, key in enumerate(options.keys) if key in _NO_WORDS]
    return (yes[0], no[0]) if yes and no else None


def _in_span(span: Span, options: Options, question: str) -> tuple[int | None, str]:
    """The option that `span` names, None, or SEVERAL; and by what."""
    if span.kind == "box" and (stated := statements(span.text)):
        span = Span(stated[-1], "box")
    text = trimmed(without_markup(span.text), " \n\"'.,:;*")
    exact = by_text(text, options)
    if exact is not None:
        return exact, "its text"
    strong = span.kind in {"box", "tag", "stated", "whole"}
    small = text.removesuffix(")")
    if strong and len(small) == 1 and 0 <= ord(small) - ord("a") < options.count:
        return ord(small) - ord("a"), "its label"
    letter, rest = mentions.by_letter(text, options)
    if letter is not None and (strong or span.kind == "first" or len(text) < 80):
        return SEVERAL if mentions.goes_on(rest, options, letter) else letter, "its label"
    if rest is not text and (exact := by_text(rest, options)) is not None:
        return exact, "its text after a label that the question doesn't have"
    bracketed = mentions.by_bracket(text, options)
    if bracketed is not None:
        return bracketed, "its bracketed label"
    yes_no = _yes_no(options)
    if yes_no is not None:
        answer = word_polarity(text) if strong and len(text) < 30 else None
        answer = polarity(text, question) if answer is None else answer
        return None if answer is None else yes_no[0 if answer else 1], "yes or no"
    return _by_content(text, options, span.kind)


def _by_content(text: str, options: Options, kind: Kind) -> tuple[int | None, str]:
    """By value, words or a letter standing alone; a refusal names nothing."""
    strong = kind in {"box", "tag", "stated", "whole"}
    value = value_of(text)
    if value is not None:
        return by_value(value, options), "its value"
    text = main_clause(text) if kind != "box" else text
    if is_open(text) and not strong:
        return None, ""
    choice, rule = mentions.by_words(text, options), "its words"
    if choice is None and kind not in {"box", "first"}:
        choice, rule = mentions.by_number(text, options), "its value in the sentence"
    if choice is None and kind != "box":
        choice, rule = mentions.by_stems(text, options), "the words that tell it from other options"
    if choice is None and strong:
        choice, rule = mentions.by_bare_letter(text, options), "its label, which stands alone"
    return choice, rule


def _trace(place: str, rule: str) -> Trace:
    return ("final answer", place), ("option", rule)
