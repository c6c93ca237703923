"""The option that a response chooses.

Replies that only list options are read by `listing`. Of all others places are tried in the order of `final`; each is
read by the rules of `mentions`, and for yes/no questions by those of `statements`. Of a sentence that nothing marks
the condition or reason it begins or ends with ("if ...,", "because ...") is left out. A place that only refuses
("cannot be determined") ends the search unless an option says just that, and so does the statement at the end that
none of the options fits, where no letter is marked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from vpbench.grade.reading import mentions
from vpbench.grade.reading.final import PLACES, Kind, Span, final_spans, is_marked, statements
from vpbench.grade.reading.listing import LABEL, labelled_lines, option_confirmed, walk_through, without_echo
from vpbench.grade.reading.mentions import SEVERAL
from vpbench.grade.reading.options import Options, by_form, by_moment, by_text, by_value, by_words_within, key
from vpbench.grade.reading.statements import (
    denies_options,
    is_open,
    is_refusal,
    is_unsure,
    polarity,
    word_polarity,
)
from vpbench.grade.reading.text import main_clause, sentences, words_of
from vpbench.grade.values.numbers import trimmed, value_of, without_markup
from vpbench.records import Trace

_UNMARKED = {"conclusion", "sentence", "first"}
_NUMBER_OF_ITEM = re.compile(r"\A\W{0,3}\d{1,2}[.)]\s+")
_JOINED_LABELS = re.compile(
    r"\b(?:is|are|include|both|answers?)\b[^().]{0,60}\([A-Z]\)[^().]{0,60}\band\b[^().]{0,30}\([A-Z]\)", re.IGNORECASE
)
_TAKEN_BACK = re.compile(
    r"\b(?:but|though|although|however),? (?:it|this|that)(?:'s| is|s)? (?:not|n't|in)[ ]?(?:the )?(?:correct|right)",
    re.IGNORECASE,
)
_IT_IS = re.compile(
    r"\A(?:(?:so|hence|thus|therefore),? )?(?:it|this|that)(?:'s| is)\s+(?=\(?[A-Z][).:,]+\s)", re.IGNORECASE
)
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
    if labelled_lines(text) is not None:
        return ChoiceReading(None, text[:200], "two answers")
    text = without_echo(text, options)
    marked_answer = is_marked(text)
    walk = None if marked_answer or "\n" not in text else walk_through(text, options)
    if walk is not None:
        rest = f"{walk.before}\n{walk.after}".strip()
        confirmed = option_confirmed(walk, options)
        if confirmed is not None:
            return _chosen(confirmed, text, "a walk through the options", "the one called right")
        if not rest:
            return ChoiceReading(None, text[:200], "two answers")
        text = rest
    text = mentions.without_denied(text, question)
    if not text.strip() or _only_asks(text, question):
        return ChoiceReading(None, None, "no answer")
    alone = None if marked_answer else _line_alone(text, options)
    if alone is not None:
        return _chosen(alone, text, "a line of its own", "its label")
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
            if _names_two(text, options):
                ambiguous = text[:200]
                if span.kind != "conclusion":
                    break
            choice = mentions.by_bracket(_where_letters_count(text), options)
            if choice is not None and choice != SEVERAL:
                return _chosen(choice, text, "the first or last sentences", "its bracketed label")
        if span.kind == "stated" and _is_taken_back(text, span):
            continue
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
            return _chosen(choice, span.text, PLACES[span.kind], rule)
    if other is not None:
        return ChoiceReading(None, other, "not an option")
    return ChoiceReading(None, ambiguous, "two answers" if ambiguous else "no answer")


def _is_taken_back(text: str, span: Span) -> bool:
    """Whether a statement is taken back, by its own clause or by a later sentence that no option is right."""
    if _TAKEN_BACK.search(span.text):
        return True
    after = text[text.rfind(span.text) + len(span.text) :]
    return any(denies_options(part) for part in sentences(after)[:4]) and "closest" in text


def _only_asks(text: str, question: str) -> bool:
    """Whether `text` does nothing but repeat the question."""
    return text.rstrip().endswith("?") and len(sentences(text)) == 1 and words_of(text) <= words_of(question)


def _line_alone(text: str, options: Options) -> int | None:
    """The option that the first or the last line is, if it is nothing but label and text, or the first but a text.

    SEVERAL if label and text are those of two options. What explains such a line doesn't change it.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) < 2 or options.texts is None:
        return None
    for line in (lines[0], lines[-1]):
        choice = mentions.by_label_and_text(line, options)
        if choice is not None:
            return choice
    first = _NUMBER_OF_ITEM.sub("", lines[0])
    if first != lines[0] and any(_NUMBER_OF_ITEM.match(line) for line in lines[1:]):
        return None
    return by_text(first, options) if len(key(first)) > 1 else None


def _names_two(text: str, options: Options) -> bool:
    """Whether the first sentence gives two options by their labels as the answer ("(A) frost and (B) drought")."""
    first = sentences(text)[0]
    return _JOINED_LABELS.search(first) is not None and mentions.by_bracket(first, options) == SEVERAL


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
    text = _IT_IS.sub("", text, count=1)
    exact = by_text(text, options)
    if exact is not None:
        return exact, "its text"
    labelled = mentions.by_label_and_text(text, options)
    if labelled is not None:
        return labelled, "its label and its text"
    strong = span.kind in {"box", "tag", "stated", "whole"}
    if strong and len(text) > 1 and len(set(text)) == 1 and text.isupper():
        text = text[0]
    small = text.removesuffix(")")
    if strong and len(small) == 1 and 0 <= ord(small) - ord("a") < options.count:
        return ord(small) - ord("a"), "its label"
    letter, rest = mentions.by_letter(text, options)
    if letter is not None and (strong or span.kind == "first" or len(text) < 80):
        other = mentions.goes_on(rest, options, letter, bracketed=text[:1] in "([") or mentions.begins_with_another(
            rest, options, letter
        )
        return SEVERAL if other else letter, "its label"
    if rest is not text and (exact := by_text(rest, options)) is not None:
        return exact, "its text after a label that the question doesn't have"
    bracketed = mentions.by_bracket(text, options)
    if bracketed is not None:
        return bracketed, "its bracketed label"
    yes_no = _yes_no(options)
    if yes_no is not None:
        answer = word_polarity(text) if strong and len(text) < 30 else None
        answer = polarity(rest, question) if answer is None else answer
        return None if answer is None else yes_no[0 if answer else 1], "yes or no"
    return _by_content(text, options, span.kind, question)


def _by_content(text: str, options: Options, kind: Kind, question: str) -> tuple[int | None, str]:
    """By time, value, formula, words or a letter standing alone; a refusal names nothing."""
    strong = kind in {"box", "tag", "stated", "whole"}
    if any(options.moments):
        return by_moment(text, options), "its time or date"
    value = value_of(text)
    if value is not None:
        return by_value(value, options), "its value"
    if strong and (choice := by_form(text, options)) is not None:
        return choice, "its formula"
    text = main_clause(text) if kind != "box" else text
    if is_open(text) and not strong:
        return None, ""
    choice, rule = mentions.by_words(text, options), "its words"
    if choice is None and strong and len(text) < 120:
        choice, rule = by_words_within(text, options), "words that only it has"
    if choice is None and kind not in {"box", "first"}:
        choice, rule = mentions.by_number(text, options), "its value in the sentence"
    if choice is None and kind != "box":
        choice, rule = mentions.by_stems(text, options), "the words that tell it from other options"
    if choice is None and strong:
        choice, rule = mentions.by_bare_letter(text, options, question), "its label, which stands alone"
    return choice, rule


def _chosen(choice: int, text: str, place: str, rule: str) -> ChoiceReading:
    """The reading of a choice, which may be SEVERAL."""
    if choice == SEVERAL:
        return ChoiceReading(None, text[:200], "two answers")
    return ChoiceReading(choice, text[:200], "", (("final answer", place), ("option", rule)))
