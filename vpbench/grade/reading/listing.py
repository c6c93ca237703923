"""Replies that list options.

A policy that is asked for a letter may go on writing the list of options instead. Under the question's own letters
such a list chooses nothing. Labels *none* of which the question has can't be letters of its options ("(C) Yes" where
there are A and B), so the texts count, and the text the reply ends on is its answer if it is an option. That is a
convention: the last of several stated answers counts everywhere else, too. Within a longer reply the lines that repeat
all options under their letters are a copy of the question and are left out.
"""

from __future__ import annotations

import re

from vpbench.grade.reading.options import Options, by_text, key

LABEL = re.compile(r"\(([A-Z]{1,2})\)?")
"""A label in brackets; the closing one may be missing where a reply breaks off."""


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


def option_listed_last(listed: list[tuple[str, str]], options: Options) -> int | None:
    """The option whose text the last line is, if the question has none of the labels."""
    if any(len(label) == 1 and ord(label) - ord("A") < options.count for label, _ in listed):
        return None
    return by_text(listed[-1][1], options)


def without_echo(text: str, options: Options) -> str:
    """`text` without consecutive lines that repeat all options of the question under their letters."""
    if options.texts is None or "(A)" not in text:
        return text
    lines = text.splitlines()
    wanted = [(chr(ord("A") + number), option_key) for number, option_key in enumerate(options.keys)]
    at = 0
    while at + len(wanted) <= len(lines):
        block = [LABEL.match(line.strip()) for line in lines[at : at + len(wanted)]]
        if [(match[1], key(match.string[match.end() :])) for match in block if match] == wanted:
            del lines[at : at + len(wanted)]
        else:
            at += 1
    return "\n".join(lines).strip()
