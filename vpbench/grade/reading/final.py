"""Where a response says its final answer.

`final_spans` lists the places a careful reader would look, strongest first: the last box, an answer tag, the last
"answer: ...", "the answer is ..." or "C is the correct answer", a reply that is nothing but an answer, the conclusion
("so", "therefore"), the sentence that takes up the question's words, the last sentences, the first. Of boxes and
statements the last one in the text comes first. Of a long reply that breaks off in mid-sentence the last sentences
don't count. What a place says is read by `choices` and `freeform`; the first place that says something they understand
is the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Literal

from vpbench.grade.reading.text import content_stems, sentences

Kind = Literal["box", "tag", "stated", "whole", "conclusion", "sentence", "first"]

SHORT_REPLY_CHARACTERS = 80
CUT_OFF_CHARACTERS = 600
CONCLUSION_CHARACTERS = 600
LAST_SENTENCES = 2
_BOX = re.compile(r"\\?(?:boxed|fbox)\s*\{")
_BETWEEN_BOXES = re.compile(r"[\s$]*(?:,[\s$]*)?(or|and|,)[\s$]*")
MAX_JOINED_BOXES = 12
_TAG = re.compile(r"<answer>", re.IGNORECASE)
_STATED = re.compile(
    r"(?<!here is the )(?<!here's the )(?<!here is my )"
    r"\b(?:answers?|(?:correct|right|best|final|appropriate|closest)[ \t]+"
    r"(?:option|choice|statement|result|value|letter|one)"
    r"|(?:option|choice)(?=[ \t]+letter))"
    r"(?:[ \t]+(?:option|choice|letter|value|number|here|therefore|then))*"
    r"(?:[ \t]+(?:to|for|of|from|among)[ \t]+(?!\([A-Z]\))(?:[\w'.,()+=$-]+[ \t]+){0,12}?[\w'?]+)?"
    r"[ \t]*(?:\*\*|\")?[ \t]*"
    r"(?:\b(?:is|are|was|be|being|would[ \t]+be|should[ \t]+be|must[ \t]+be|will[ \t]+be|"
    r"comes?[ \t]+out[ \t]+to[ \t]+be)\b"
    r"(?:[ \t]+(?:therefore|thus|then|hence|simply|option|choice|letter|clearly|most[ \t]+likely|likely|probably))*"
    r"(?:[ \t]*(?:\*\*)?:)?|[:=→])"
    r"[ \t]*(?:\*\*)?",
    re.IGNORECASE,
)
_STATED_HEAD = re.compile(r"answer|correct|right|best|final|appropriate|closest|option|choice")
"""What `_STATED` begins with, in lower case."""
_CHINESE_STATED = re.compile(r"(?:答案|选项|选择|正确答案|应选|故选)[ ]*(?:是|为|:|：)?[ ]*")
_CALLED_CORRECT = re.compile(
    r"(?<![\w'-])((?:[(\[]?[A-Z][)\]]?(?:,\s|\s(?:and|or)\s|,\s(?:and|or)\s)){0,5}[(\[]?[A-Z][)\]]?)\*{0,2}"
    r"[ \t]+(?:is|would[ \t]+be|must[ \t]+be)[ \t]+(?:(?:indeed|therefore|thus|clearly)[ \t]+)?(?:the[ \t]+)?"
    r"(?:(?:correct|right|best|final|appropriate)[ \t]+(?:answer|option|choice|one)|answer)\b"
)
_CONCLUDED = re.compile(
    r"(?:^|(?<=[\s,;:.(*]))(?i:so|hence|thus|therefore|leaving|leaves|(?:I|we)(?:'ll| will| would)?"
    r" (?:choose|pick|select|go with))\b"
    r"[ ,:]+(?:(?:(?!not\b|if\b)[\w'-]+[ ,]+){0,12}?(?i:only|just|option|choice|letter|answer|is|be|with"
    r"|choose|pick|select|us)[ :]+)?"
    r"(?:\*\*)?([(\[]?[A-Z][)\]]?)(?:\*\*)?(?=[.!]?\**\s*(?:\Z|\n))",
    re.MULTILINE,
)
"""A clause that concludes on a lone letter: "so C.", "leaving only (C)", "I choose option C"."""
_LETTER_AT_END = re.compile(r"\b[A-Z][)\]]?(?:\*\*)?[.!]?\**\s*(?:\Z|\n)")
_HERE = re.compile(r"\bhere(?:'s| is| are)\b", re.IGNORECASE)
_LABELLED = re.compile(r"\([A-Z]\)")
_CALLED_HINT = re.compile(
    r"(?:is|be)[ \t]+(?:(?:indeed|therefore|thus|clearly)[ \t]+)?(?:the[ \t]+)?"
    r"(?:correct|right|best|final|appropriate|answer)\b"
)
_SENTENCE_BREAK = re.compile(r"[.!?]\s+|\n")
_IF = re.compile(r"\W*(?:if|when)\b", re.IGNORECASE)
_DOUBTED = re.compile(
    r"\b(?:if|whether|why|neither|nor|not|than|suppose|assum\w+)\b[^.;:\n]*\Z|n't\b[^.;:\n]*\Z", re.IGNORECASE
)
_CONCLUDING = re.compile(
    r"\b(?:therefore|thus|hence|consequently|in conclusion|in summary|conclude)\b|^\W*(?:so|finally|as a result)\b"
    r"|因此|所以|故|∴|\\therefore",
    re.IGNORECASE,
)


_CLOSING = re.compile(
    r"\b(?:hope|let me know|feel free|other questions|anything else|do you (?:want|have))\b", re.IGNORECASE
)


_GENERAL = re.compile(r"\W{0,3}(?:an?|any|every)\b.{1,200}\b(?:would|if|when)\b", re.IGNORECASE)
"""Says something of all things of a kind, not of the one that is asked about."""


PLACES: dict[Kind, str] = {
    "box": "the last box",
    "tag": "the last answer tag",
    "stated": "said to be the answer",
    "whole": "a reply, or last line, that is nothing but an answer",
    "conclusion": "a sentence that concludes",
    "sentence": "a last sentence, or the one that takes up the question",
    "first": "the first sentence",
}
"""What kinds of places are called where people read how an answer was read."""


@dataclass(frozen=True, slots=True)
class Span:
    """A place that may hold the final answer: its text and what kind of place it is."""

    text: str
    kind: Kind


def braced(text: str, start: int) -> tuple[str, int]:
    """The content of the brace that opens just before `start`, and where it ends; an unclosed one ends at the line."""
    depth = 1
    for at in range(start, min(len(text), start + 2_000)):
        if text[at] == "{":
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return text[start:at], at + 1
    line_end = text.find("\n", start)
    end = len(text) if line_end < 0 else line_end
    return text[start : min(end, start + 400)], end


def boxes(text: str) -> list[tuple[str, int, int]]:
    """Content, beginning and end of the outermost boxes, in order."""
    outermost: list[tuple[str, int, int]] = []
    end = 0
    while (at := text.find("box", end)) >= 0 and (match := _BOX.search(text, max(end, at - 2))) is not None:
        content, end = braced(text, match.end())
        outermost.append((content, match.start(), end))
    return outermost


def last_box(text: str) -> tuple[str, int] | None:
    """Content and end of the last box; None without one. Boxes joined by "or", "and" or commas are given as one."""
    outermost = boxes(text)
    if not outermost:
        return None
    contents = [outermost[-1][0].strip()]
    joint = ", "
    for (content, _, end), (_, begin, _) in zip(outermost[-2::-1], outermost[:0:-1], strict=False):
        between = _BETWEEN_BOXES.fullmatch(text[end:begin])
        if between is None or len(contents) >= MAX_JOINED_BOXES:
            break
        joint = " or " if between[1] == "or" else joint
        contents.insert(0, content.strip())
    return joint.join(dict.fromkeys(contents)), outermost[-1][2]


def _rest_of_statement(text: str, start: int) -> str:
    """From `start` to the end of the sentence; what stands on the next lines if nothing follows on this one."""
    rest = text[start : start + 600].lstrip(" \t*:")
    rest = rest.lstrip("\n ") if rest[:1] == "\n" else rest
    display = re.match(r"(?:\\\[|\$\$)\s*(.{1,300}?)\s*(?:\\\]|\$\$)", rest, re.DOTALL)
    if display is not None:
        return display.group(1)
    parts = sentences(rest)
    if not parts:
        return ""
    lettered = len(parts) > 1 and len(parts[1]) < 80 and re.fullmatch(r"\(?[A-Z]\)?[.:]", parts[0])
    return f"{parts[0]} {parts[1]}" if lettered and not _LABELLED.match(parts[1]) else parts[0]


def _statements(text: str) -> list[tuple[int, str]]:
    """Where each "answer: " or "the answer is " ends, and what follows it, in order; conditions left out.

    Of "C is the correct answer" it is the letter before.
    """
    ends = [
        match.end()
        for match in _stated(text)
        if not _is_conditional(text, match.start()) and not _announces(text, match)
    ]
    if not text.isascii():
        ends += [match.end() for match in _CHINESE_STATED.finditer(text)]
    rests = [(end, _rest_of_statement(text, end)) for end in sorted(ends)[-6:]]
    tail = max(0, len(text) - CONCLUSION_CHARACTERS)
    if _LETTER_AT_END.search(text, tail) is not None:
        concluded = _CONCLUDED.finditer(text, tail)
        rests += [(match.end(), match[1]) for match in concluded if not _is_doubted(match)]
    if _CALLED_HINT.search(text):
        called = _CALLED_CORRECT.finditer(text)
        sure = [match for match in called if not _DOUBTED.search(text[max(0, match.start() - 80) : match.start()])]
        rests = sorted(rests + [(match.end(), match[1]) for match in sure[-6:]])
    rests.sort(key=lambda pair: pair[0])
    return [(end, rest) for end, rest in rests if rest and not rest.lower().startswith(("choices", "options"))]


def _announces(text: str, statement: re.Match[str]) -> bool:
    """Whether a statement only announces what stands on the next lines ("Okay, here is the answer with ...:")."""
    line = text[text.rfind("\n", 0, statement.start()) + 1 : statement.start()]
    return text[statement.end() :].lstrip(" *")[:1] == "\n" and _HERE.search(line) is not None


def _is_doubted(match: re.Match[str]) -> bool:
    """Whether a condition or a negation stands before a concluding clause."""
    return (
        re.search(r"\b(?:if|whether|suppose)\b[^.;:\n]*\Z", match.string[max(0, match.start() - 80) : match.start()])
        is not None
    )


def _stated(text: str) -> Iterator[re.Match[str]]:
    """The matches of `_STATED` in order, none within another."""
    # Finding the heads first is several times faster than searching for the whole pattern.
    lowered = text.lower()
    # Lower case may be longer ("İ" becomes two characters); positions in it then say nothing about `text`.
    if len(lowered) != len(text):
        yield from _STATED.finditer(text)
        return
    end = 0
    for head in _STATED_HEAD.finditer(lowered):
        if head.start() >= end and (match := _STATED.match(text, head.start())) is not None:
            end = match.end()
            yield match


def _is_conditional(text: str, at: int) -> bool:
    """Whether the sentence around `at` begins with "if" or "when"."""
    before = _SENTENCE_BREAK.split(text[max(0, at - 250) : at])
    return _IF.match(before[-1]) is not None


def statements(text: str) -> list[str]:
    """What follows each "answer: " or "the answer is ", in order."""
    return [rest for _, rest in _statements(text)]


@lru_cache(maxsize=8_192)
def asked_part(question: str) -> str:
    """The last sentence of a question that asks something, or the last one."""
    parts = sentences(question[-600:])
    asking = [part for part in parts if "?" in part or "？" in part]
    return (asking or parts or [""])[-1]


def _restating(parts: tuple[str, ...], question: str) -> str | None:
    """The sentence that repeats most of the words asked for, at least half of them.

    Of several the last; of several that repeat all of them, the one that says least else.

    A sentence that stands in the question itself only copies it.
    """
    wanted = content_stems(asked_part(question))
    if len(parts) < 2 or len(wanted) < 2:
        return None
    given = question.casefold()
    answering = [
        part
        for part in parts[:60]
        if len(part) < 500 and "?" not in part and part.casefold() not in given and not _GENERAL.match(part)
    ]
    shares = {part: len(wanted & content_stems(part)) for part in answering}
    best = max(shares.values(), default=0)
    if 2 * best < len(wanted):
        return None
    ties = [part for part in reversed(answering) if shares[part] == best]
    return min(ties, key=lambda part: len(content_stems(part))) if best == len(wanted) else ties[0]


@lru_cache(maxsize=64)
def _marked(text: str) -> tuple[Span, ...]:
    """Boxes and statements, the one that stands last first."""
    spans = [(end, Span(rest, "stated")) for end, rest in _statements(text)]
    box = last_box(text)
    if box and box[0]:
        spans.append((box[1], Span(box[0], "box")))
        spans = [(end, span) for end, span in spans if span.kind == "box" or not _BOX.search(span.text)]
    return tuple(span for _, span in sorted(spans, key=lambda pair: -pair[0]))


def is_marked(text: str) -> bool:
    """Whether an answer is marked as such. `text` is `readable` already."""
    text, tagged = _in_tag(text)
    return tagged or bool(_marked(text))


def _in_tag(text: str) -> tuple[str, bool]:
    """What the last tag of an answer holds, or `text`; and whether that is a short answer and no more."""
    tags = list(_TAG.finditer(text)) if "<" in text else []
    if not tags:
        return text, False
    content = text[tags[-1].end() : tags[-1].end() + 4_000].partition("</")[0].strip()
    plain = not _BOX.search(content) and not _STATED.search(content)
    return content or text, plain and 0 < len(content) <= SHORT_REPLY_CHARACTERS


def final_spans(text: str, question: str = "") -> Iterator[Span]:
    """The places to look at, strongest first. `text` is `readable` already; `question` finds what restates it."""
    text, tagged = _in_tag(text)
    if tagged:
        yield Span(text, "tag")
    marked = _marked(text)
    if len(text) <= SHORT_REPLY_CHARACTERS and not marked:
        yield Span(text, "whole")
    last_line = text[text.rfind("\n") + 1 :]
    if len(last_line) <= 12 and not marked:
        yield Span(last_line, "whole")
    yield from marked
    yield from _unmarked(text, question)


def _unmarked(text: str, question: str) -> Iterator[Span]:
    """The sentences that may hold an answer nothing marks."""
    parts = sentences(text)
    conclusions = (part for part in reversed(parts[-12:]) if _CONCLUDING.search(part[:120]))
    yield from (Span(part, "conclusion") for part in islice(conclusions, 2))
    if len(text) <= CUT_OFF_CHARACTERS or not text[-1].isalnum():
        restating = _restating(parts, question)
        if restating is not None:
            yield Span(restating, "sentence")
        last_sentences = [part for part in parts[-4:] if not _CLOSING.search(part) and not _GENERAL.match(part)]
        yield from (Span(part, "sentence") for part in reversed(last_sentences[-LAST_SENTENCES:]))
    if parts:
        yield Span(parts[0], "first")
