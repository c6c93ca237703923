"""Option labels: where a text lists its options, and answers that are a set of labels.

`listed_options` finds the options that a question or an option string writes out: "(A) yes (B) no", "A) 1 B) 2", lines
"A. one", or "A. one; B. two" as a whole text. `grade_labels` grades questions whose answer is one or several labels
("A", "B, D", a digit where figures are numbered): the set must be equal, order doesn't count, and "A or B" is two
answers. A single label is read by the rules of `choices`, so the words of a listed option count as well; several labels
count where the answer is marked as such, in prose only if the question asks for more than one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import lru_cache

from vpbench.grade.choices import read_choice
from vpbench.grade.reading.final import final_spans, is_marked
from vpbench.grade.reading.listing import walk_through
from vpbench.grade.reading.options import Options, by_text, options_of
from vpbench.grade.reading.questions import reply_to
from vpbench.grade.reading.statements import is_refusal
from vpbench.grade.reading.text import readable, sentences
from vpbench.grade.values.numbers import without_markup
from vpbench.records import Question, Trace, Verdict

ALPHABET = "ABCDEFGHIJ"
MAX_OPTIONS_CHARACTERS = 10_000
MIN_ECHO_CHARACTERS = 8
_STYLES = (r"\({}\)", r"(?<![\w(]){}\)", r"(?:(?<=\n)|\A){}[.:．]\s", r"(?:\A|(?<=[;\s])){}[.．](?!\s*(?:;|\Z))")
_JOIN = r"(?:\s*(?:,|;|&|/|\band\b)\s*)+"
_STRONG = {"box", "tag", "stated", "whole"}
_ASKS_SEVERAL = re.compile(
    r"\b(?:which|what) (?:(?:of the |of these )?(?:two|three|four)|choices|options|answers|letters)\b", re.IGNORECASE
)
_LEAD = re.compile(
    r"(?:both |the )?(?:options?|choices?|figures?|answers?|letters?|boxes|labels?)[\s:]+", re.IGNORECASE
)
_ALL_LABELS = re.compile(r"\bA, ?B(?:, ?[C-J])*,? ?(?:and|or|&)? ?[C-J]\b\.?")
"""All labels listed to choose from; in lower case they aren't read as chosen."""
_CORRECT = re.compile(r"(?<![\w'-])([A-J])\)? is (?:the )?(?:correct|right|best)\b")
_UNDETERMINED = re.compile(
    r"\b(?:impossible|insufficient|not enough)\b|\b(?:can ?not|can't) (?:be )?(?:say|tell|determine)", re.IGNORECASE
)
_NONE = re.compile(r"(?:none|neither)(?: of (?:the above|them|these|the options))?", re.IGNORECASE)


@lru_cache(maxsize=8_192)
def listed_options(text: str) -> tuple[str, ...] | None:
    """The texts of the options that `text` lists, in the order A, B, ...; None unless at least A and B are listed.

    Of several lists the last one counts; an option's text may be empty (it is drawn in the image then).
    """
    if len(text) > MAX_OPTIONS_CHARACTERS:
        return None
    for style in _STYLES:
        for start in reversed([match.start() for match in re.finditer(style.format("A"), text)]):
            options = _run(style, text, start)
            if len(options) > 1:
                return tuple(options)
    return None


def _run(style: str, text: str, at: int) -> list[str]:
    """Option texts from position `at`, where A stands, up to the first label that doesn't follow."""
    ends: list[tuple[int, int]] = []
    for label in ALPHABET:
        match = re.compile(style.format(label)).search(text, at)
        if match is None:
            break
        ends.append((match.start(), match.end()))
        at = match.end()
    stops = [start for start, _ in ends[1:]] + [len(text)]
    return [text[end:stop].strip(" ,;\n\t") for (_, end), stop in zip(ends, stops, strict=True)]


def grade_labels(question: Question, response: str, gold: Collection[str]) -> Verdict:
    """The verdict on `response`, where the set of labels `gold` is right: capital letters A to J, or digits.

    The answer class is "labels:" and the labels in order. Options are those of `question.choices`, else those that its
    text lists. Never raises for anything a response may hold.
    """
    text = reply_to(readable(response), question.text).strip() if response else ""
    if not text:
        return Verdict(None, None, False, "empty response")
    text = _without_echo(text, question.text)
    read, compared = ("reply", text), ("compared with", ", ".join(sorted(gold)))
    rules: Trace = (("option", "called correct, or the one that says it can't be told"),)
    labels = "123456789" if all(label.isdigit() for label in gold) else ALPHABET
    choices = question.choices or listed_options(question.text) or ("",) * len(ALPHABET)
    options = options_of(choices)
    several = _several(text, question.text, labels, options)
    if several is not None:
        chosen, passage = several
        name = "labels:" + (",".join(sorted(chosen)) or "none")
        correct = chosen == frozenset(gold)
        rules = (("final answer", "a place that gives nothing but labels"),)
        trace = (read, *rules, compared)
        return Verdict(passage[:200], name, correct, "match" if correct else "different", trace)
    if labels.isdigit():
        return Verdict(None, None, False, "no answer")
    text = _ALL_LABELS.sub(lambda listing: listing.group().lower().replace(".", ","), text)
    marked = is_marked(text)
    index = None if marked else _called_correct(text)
    walk = None if marked else walk_through(text, options)
    # What the items of a list say is no statement about the whole question.
    concluding = sentences(text if walk is None else walk.after)
    if index is None and not marked:
        index = _undetermined(concluding[-1:], choices)
    excerpt: str | None = text
    if index is None:
        reading = read_choice(text, options, question.text)
        index, excerpt, reason, rules = reading.index, reading.text, reading.reason, reading.trace
        if index is None:
            index = _undetermined(concluding[-2:], choices)
        if index is None:
            return Verdict(excerpt, None, False, reason, (read, *rules))
    label = ALPHABET[index : index + 1]
    correct = frozenset({label}) == frozenset(gold)
    layers: Trace = (read, *rules, compared)
    return Verdict(excerpt and excerpt[:200], f"labels:{label}", correct, "match" if correct else "different", layers)


def _called_correct(text: str) -> int | None:
    """The only label of which `text` says that it is correct."""
    labels = set(_CORRECT.findall(text))
    return ALPHABET.index(labels.pop()) if len(labels) == 1 else None


def _undetermined(last_sentences: Sequence[str], choices: Sequence[str]) -> int | None:
    """The only option that says "impossible to tell", if a sentence says so too and doesn't speak of an option."""
    saying = [number for number, choice in enumerate(choices) if _UNDETERMINED.search(choice)]
    refuses = any(is_refusal(sentence) and "option" not in sentence.casefold() for sentence in last_sentences)
    return saying[0] if len(saying) == 1 and refuses else None


def _without_echo(text: str, question: str) -> str:
    """`text` without copies of the question and of its list of options; spaces, punctuation and case don't count."""
    positions = [position for position, sign in enumerate(text) if sign.isalnum()]
    # One character per sign ("ß" would become "ss"), so that an index of `letters` is one of `positions`.
    letters = "".join(text[position].casefold()[:1] for position in positions)
    options = listed_options(question)
    listed = "".join(f"{label}{option}" for label, option in zip(ALPHABET, options or (), strict=False))
    kept = list(text)
    for copied in (question, listed if options and any(options) else ""):
        wanted = "".join(sign.casefold()[:1] for sign in copied if sign.isalnum())
        at = letters.find(wanted) if len(wanted) >= MIN_ECHO_CHARACTERS else -1
        while at >= 0:
            end = at + len(wanted)
            kept[positions[at] : positions[end - 1] + 1] = "\n" + " " * (positions[end - 1] - positions[at])
            at = letters.find(wanted, end)
    return "".join(kept)


def _several(text: str, question: str, labels: str, options: Options) -> tuple[frozenset[str], str] | None:
    """The labels of the first place that gives nothing but labels, and that place; None where there is none.

    A place that gives the text of an option ("A and C" may be one) isn't read as labels.
    """
    asks_several = _ASKS_SEVERAL.search(question) is not None
    for span in final_spans(text, question):
        if span.kind in _STRONG:
            answer = without_markup(span.text).strip(" \n\"'.,:;")
            if by_text(answer, options) is not None:
                return None
            chosen = label_set(answer, labels)
            chosen = _joined(answer, labels) if chosen is None else chosen
            if chosen is not None:
                return chosen, span.text
        elif asks_several:
            listed = re.search(rf"(?<![\w-])[{labels}](?:{_JOIN}[{labels}](?![\w-]))+", span.text)
            if listed is not None:
                return frozenset(re.findall(rf"\b[{labels}]\b", listed.group())), span.text
    return None


def _joined(text: str, labels: str) -> frozenset[str] | None:
    """The labels of capitals written together in their order ("AC"), or of one written twice ("AA")."""
    if not re.fullmatch(rf"[{labels}]{{2,5}}", text) or (list(text) != sorted(set(text)) and len(set(text)) > 1):
        return None
    return frozenset(text)


def label_set(text: str, labels: str = ALPHABET) -> frozenset[str] | None:
    """The labels in a text that is nothing but labels ("B", "(a), (c)", "A and C", "options A, B", "none").

    None for anything else, "A or B" too. Lower case counts.
    """
    text = _LEAD.sub("", text.strip(), count=1) if len(text) < 120 else ""
    if _NONE.fullmatch(text):
        return frozenset()
    text = text.strip("()[]{} .") if text.count("(") <= 1 else text
    label = rf"[(\[{{]?\s*[{labels}]\s*[)\]}}]?\.?"
    if re.fullmatch(rf"{label}(?:{_JOIN}{label})*", text, re.IGNORECASE):
        return frozenset(letter.upper() for letter in re.findall(rf"\b[{labels}]\b", text, re.IGNORECASE))
    return None
