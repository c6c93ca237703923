"""Replies that list options.

A policy that is asked for a letter may copy the list of options first, write it instead of an answer, or walk through
the options one by one. Under whatever marks the labels stand ("(A) red", "A. red", "- **A:** red", "1. red"), a list
chooses nothing: copied lines are left out, and of a walk only what its items say outright ("B) ... - Incorrect.") and
what follows the list counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from vpbench.grade.reading.options import Options, by_text, key
from vpbench.grade.reading.text import sentences

LABEL = re.compile(r"\(([A-Z]{1,2})\)?")
"""A label in brackets; the closing one may be missing where a reply breaks off."""
_ITEM = re.compile(
    r"[ \t>]*(?:[-*•+][ \t]+)?(?:\d{1,2}[.)][ \t]+)?(?:[Oo]ption[ \t]+|[Cc]hoice[ \t]+)?"
    r"(?:\*{0,2}\(?\*{0,2}(?P<label>[A-Z])\*{0,2}(?:\)|[.:：](?=[\s*]|\Z))\*{0,2}[.:]?)[ \t]*(?P<text>.*)"
)
_NUMBERED = re.compile(r"[ \t>]*(?:\*\*)?\d{1,2}[.)][ \t]*(?P<text>\S.*)")
_HEADING = re.compile(r"\W{0,4}(?:the )?(?:answer )?(?:options|choices)(?: are)?\W{0,4}", re.IGNORECASE)
_TEXT_END = re.compile(r"\s+[-:]\s|\s*[.;]\s|:\s|\s+\(")
_NOTE = re.compile(r"\W{0,3}note\b", re.IGNORECASE)
_REJECTED = re.compile(
    r"\b(?:incorrect|wrong|(?:not|n't)(?: be)? (?:the )?(?:correct|right|answer|best|true|possible|allowed|a"
    r" match|match\w*|"
    r"fit\w*|work|apply)|ruled out|eliminated?|mismatch)",
    re.IGNORECASE,
)
_CONFIRMED = re.compile(
    r"(?<!not )(?<!in)\b(?:correct|right (?:answer|one|choice)|the answer|matches|this is (?:it|true)|best"
    r" (?:answer|fit|match))\b|[✓✔✅]",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Walk:
    """A list of options in a reply: the labels and texts of its items, what stands before it and after it."""

    items: tuple[tuple[str, str], ...]
    before: str
    after: str


def labelled_lines(text: str) -> list[tuple[str, str]] | None:
    """Label and text of each line of `text`, if it does nothing but list options under two labels or more.

    A label alone on the first line is an answer, with what follows.
    """
    lines = [line.strip() for line in text[:2_000].splitlines() if line.strip()]
    labelled = [(match[1], line[match.end() :]) for line in lines if (match := LABEL.match(line))]
    if len(labelled) < len(lines) or len({label for label, _ in labelled}) < 2:
        return None
    bare = [not content.strip(" .") for _, content in labelled]
    return None if bare[0] and not any(bare[1:]) else labelled


def walk_through(text: str, options: Options) -> Walk | None:
    """The list in which `text` goes through the options one after the other, two at least; None without one.

    Under letters the items begin with A and follow each other, and are all the options or three of them; under numbers
    their texts are the options.
    """
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        run = _run(lines, at, options)
        if run is not None:
            ends, items = run
            after = "\n".join(line for line in lines[ends:] if not _NOTE.match(line))
            return Walk(tuple(items), "\n".join(lines[:at]), after)
        at += 1
    return None


def _run(lines: list[str], start: int, options: Options) -> tuple[int, list[tuple[str, str]]] | None:
    """Where a list that begins at a line ends, and its items with the lines that belong to them."""
    first = _item(lines[start], options)
    if first is None or first[0] != "A":
        return None
    items = [first]
    end = start + 1
    for number in range(start + 1, len(lines)):
        item = _item(lines[number], options)
        if item is not None and item[0] == chr(ord("A") + len(items)):
            inner = " ".join(line.strip() for line in lines[end:number])
            items[-1] = (items[-1][0], f"{items[-1][1]} {inner}".strip())
            items.append(item)
            end = number + 1
        elif item is not None:
            break
    # Indented lines and the rest of its paragraph belong to the last item.
    while end < len(lines) and lines[end].strip() and _item(lines[end], options) is None:
        items[-1] = (items[-1][0], f"{items[-1][1]} {lines[end].strip()}")
        end += 1
    return (end, items) if len(items) >= max(2, min(3, options.count)) else None


def _item(line: str, options: Options) -> tuple[str, str] | None:
    """The label and text of an item; under a number the label of the option that its text begins with."""
    match = _ITEM.match(line)
    if match is not None:
        return match["label"], match["text"].strip()
    numbered = _NUMBERED.match(line)
    if numbered is None or options.texts is None:
        return None
    named = by_text(_TEXT_END.split(numbered["text"].replace("**", ""), maxsplit=1)[0], options)
    return None if named is None else (chr(ord("A") + named), numbered["text"].strip())


def option_confirmed(walk: Walk, options: Options) -> int | None:
    """The only option that the items of a walk call right, or the only one that they don't reject."""
    confirmed, open_items = set(), set()
    for label, text in walk.items:
        number = ord(label) - ord("A")
        verdict = sentences(text)[-1] if text else ""
        rejected = _REJECTED.search(verdict) is not None
        if not rejected:
            open_items.add(number)
            if _CONFIRMED.search(verdict) is not None:
                confirmed.add(number)
    chosen = confirmed if len(confirmed) == 1 else open_items if len(walk.items) == options.count else set()
    return chosen.pop() if len(chosen) == 1 and 0 <= min(chosen) < options.count else None


def without_echo(text: str, options: Options) -> str:
    """`text` without lines that repeat all options of the question under their labels, one after the other."""
    if options.texts is None:
        return text
    text = _without_copied_line(text, options)
    lines = text.splitlines()
    labels = [chr(ord("A") + number) for number in range(options.count)]
    at = 0
    while at < len(lines):
        end = _copied_until(lines, at, labels, options)
        if end is None:
            at += 1
            continue
        start = at
        while start > 0 and (not lines[start - 1].strip() or _HEADING.fullmatch(lines[start - 1].strip())):
            start -= 1
        del lines[start:end]
        at = start
    return "\n".join(lines).strip()


def _copied_until(lines: list[str], start: int, labels: list[str], options: Options) -> int | None:
    """The end of a copy of the list that begins at a line; blank lines between its items don't count."""
    at = start
    for number, label in enumerate(labels):
        while number and at < len(lines) and not lines[at].strip():
            at += 1
        if at >= len(lines):
            return None
        line = lines[at].strip()
        match = _ITEM.match(line) or LABEL.match(line)
        content = None if match is None else line[match.end() :] if match.re is LABEL else match["text"]
        if match is None or match[1] != label or content is None or key(content) != options.keys[number]:
            return None
        at += 1
    return at


def _without_copied_line(text: str, options: Options) -> str:
    """`text` without a copy of the list that stands on one line ("A. red B. green C. blue")."""
    if len(text) > 20_000 or any(not option.strip() or len(option) > 300 for option in options.texts or ()):
        return text
    items = [
        rf"\(?\*{{0,2}}{chr(ord('A') + number)}[).:]{{1,2}}\*{{0,2}}\s*{re.escape(option.strip())}"
        for number, option in enumerate(options.texts or ())
    ]
    pattern = r"(?:(?:answer )?(?:options|choices)\s*(?:are)?\s*:\s*)?" + r"[ \t,;.]{1,3}".join(items) + r"(?!\w)[.,;]?"
    return re.sub(pattern, "\n", text, count=1, flags=re.IGNORECASE)
