"""Which part of a reply answers the question that was asked.

Few-shot models go on to ask themselves further questions, some number questions of their own from the start, and some
strong ones restate the question first. What is cut: everything from a further question on; a reply that begins by
numbering questions, unless the first of them is ours (then the next one ends it). A question after "Question:" that is
ours, with no answer before it, is a restatement and stays.
"""

from __future__ import annotations

import re

from vpbench.grade.reading.text import content_stems

_NEW_QUESTION = re.compile(
    r"\n[ \t]*(?:[#*]{1,4}[ \t]*)?(?:(?:new |next )?(?:question|problem)|q|hint|user|human|instruction|choices|context)"
    r"[ \t]*\d{0,3}[ \t]*(?:\*\*)?[:：]",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"(?:\A|\n)[ \t]*(?:\*\*)?\d{1,2}[.)][ \t]*(?:\*\*)?([A-Z][^\n]{8,300}?\?)(?=[\s*A-Z]|\Z)")
_LEAD_IN = re.compile(r"[^\d()]{0,60}[:.!]?\s*", re.IGNORECASE)
_ANSWERED = re.compile(r"\banswer\s*(?:is\b|:)|boxed|\b(?:therefore|thus|hence)\b|\bso the\b", re.IGNORECASE)
_PREPARING = re.compile(r"\b(?:let|here|sure|ok(?:ay)?|first|question|restat\w*|look|read\w*|solve)\b", re.IGNORECASE)
OURS = 0.6
"""The share of the question's words from which on a text repeats it."""


def reply_to(text: str, question: str) -> str:
    """The part of `text` that replies to `question` (its text; "" where there is none)."""
    return _without_run_on(_without_invented(text, question), question)


def _is_ours(text: str, question: str) -> bool:
    wanted = content_stems(question[-400:]) if question else frozenset()
    return len(wanted) >= 1 and len(wanted & content_stems(text)) >= OURS * len(wanted)


def _without_invented(text: str, question: str) -> str:
    """`text` up to the questions it numbers, if it begins with them; with our own one, if that is the first."""
    asked = list(_NUMBERED.finditer(text))
    if not asked or text[: asked[0].start()].count("\n") > 2 or asked[0].start() > 120:
        return text
    if question and _is_ours(asked[0][1], question.split("Select from")[0]):
        return text[: asked[1].start()] if len(asked) > 1 else text
    before = text[: asked[0].start()].strip()
    return before if len(asked) > 1 or before else text


def _without_run_on(text: str, question: str) -> str:
    """`text` up to where it starts another question; a mere lead-in before such a mark doesn't count as a reply."""
    ours = False
    for mark in _NEW_QUESTION.finditer(text):
        before = text[: mark.start()].strip()
        restated = "question" in mark.group().lower() or "problem" in mark.group().lower()
        if question and not _ANSWERED.search(before) and (not _bare_reply(before) or _PREPARING.search(before)):
            if restated and _is_ours(text[mark.end() : mark.end() + len(question) + 200], question):
                ours = True
                continue
            if ours and not restated:
                continue
        if len(before) > 60 or (before and not _LEAD_IN.fullmatch(before)) or _bare_reply(before):
            return text[: mark.start()]
    return text


def _bare_reply(before: str) -> bool:
    return 0 < len(before.split()) <= 4 and not before.endswith(":")
