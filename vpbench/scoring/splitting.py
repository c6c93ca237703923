"""A response -> its steps, by a named rule; which rule it is changes scores, so a result names it.

`released` is the rule of the released VisualPRM scorer, quirks included: parts between blank lines, nothing stripped,
nothing dropped. `tolerant` also reads what other policies write: blank lines that hold spaces, any line ending, "Step
k" headings, numbered lists, and sentences where there is nothing else. `lines` takes every line, blank ones too, and
`numbered` the parts under "Step k:". A long solution is merged evenly to at most `max_steps` steps. Steps that the data
gives are used as they are, by whoever has them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from vpbench.errors import ConfigError, CriticError


def split_steps(response: str, max_steps: int | None = None) -> tuple[str, ...]:
    """The released rule: the parts between blank lines ("\\n\\n"), at most `max_steps` of them.

    Empty parts count and nothing is stripped. Where there are more than `max_steps` parts, every ceil(n / max_steps)
    neighbours are joined again, so 13 parts become 7 steps under a limit of 12. None means no limit.
    """
    parts = response.split("\n\n")
    size = _group_size(len(parts), max_steps)
    return tuple("\n\n".join(parts[start : start + size]) for start in range(0, len(parts), size))


def split_tolerant(response: str, max_steps: int | None = None) -> tuple[str, ...]:
    """The tolerant rule: the first of these that gives at least two steps, else the response as one.

    Headings "Step k" that count upwards (an answer line after them is a step too); blank lines and the items of a
    numbered list; lines and sentences. Code blocks and display formulas aren't cut. Steps are stripped, none is empty,
    line endings become "\\n"; merging keeps the text between the merged steps. A blank response has no steps.
    """
    text = response.replace("\r\n", "\n").replace("\r", "\n").rstrip()
    starts = next((cut for cut in (rule(text) for rule in _RULES) if len(cut) > 1), [0])
    size = _group_size(len(starts), max_steps)
    bounds = [*starts[::size], len(text)]
    steps = (text[start:end].strip() for start, end in zip(bounds, bounds[1:], strict=False))
    return tuple(step for step in steps if step)


def split_lines(response: str, max_steps: int | None = None) -> tuple[str, ...]:
    """The parts between line ends ("\\n"), empty ones too; more than `max_steps` are joined as by `split_steps`."""
    lines = response.split("\n")
    size = _group_size(len(lines), max_steps)
    return tuple("\n".join(lines[start : start + size]) for start in range(0, len(lines), size))


def split_numbered(response: str, max_steps: int | None = None) -> tuple[str, ...]:
    """The parts between "Step 1:", "Step 2:", ..., stripped, without blank ones, and numbered anew.

    "Step" within a part becomes "step"; a response without such headings is one step. The rule of the evaluation code
    of arXiv 2412.01981.
    """
    parts = (part.strip().replace("Step", "step") for part in _NUMBERED.split(response))
    steps = [f"Step {number}: {part}" for number, part in enumerate(filter(None, parts), 1)]
    size = _group_size(len(steps), max_steps)
    return tuple("\n\n".join(steps[start : start + size]) for start in range(0, len(steps), size))


_NUMBERED = re.compile(r"Step \d+:")


SPLITTERS: Final[dict[str, Callable[[str, int | None], tuple[str, ...]]]] = {
    "released": split_steps,
    "tolerant": split_tolerant,
    "lines": split_lines,
    "numbered": split_numbered,
}


def splitter(name: str) -> Callable[[str, int | None], tuple[str, ...]]:
    """The rule called `name`. Raises `ConfigError` naming those there are."""
    if name not in SPLITTERS:
        raise ConfigError(f"splitter {name!r} is unknown; give one of {', '.join(SPLITTERS)}")
    return SPLITTERS[name]


def _group_size(parts: int, max_steps: int | None) -> int:
    if max_steps is None:
        return 1
    if max_steps < 1:
        raise CriticError(f"max_steps is {max_steps}; give at least 1")
    return max(1, -(-parts // max_steps))


_HEADING = re.compile(r"^[#>*_ \t]*step[ \t]*(\d{1,3})(?=[ \t]*(?:[:.)*_–—-]|$))", re.IGNORECASE | re.MULTILINE)
_ANSWER = re.compile(r"^[#>*_ \t]*(?:final[ \t]+)?answer[ \t]*[*_]*[ \t]*[::]", re.IGNORECASE | re.MULTILINE)
_BLANK_LINES = re.compile(r"\n[^\S\n]*\n\s*(?=\S)")
_LIST_ITEM = re.compile(r"^([ \t]*)(?:\*\*)?\(?(\d{1,3})[.)](?=[ \t*])", re.MULTILINE)
_DELIMITER = re.compile(r"^[ \t]*```|\\[\[\]()]|\$\$?", re.MULTILINE)
_CLOSING = {"```": "```", "\\[": "\\]", "$$": "$$", "\\(": "\\)", "$": "$"}
_INLINE = ("\\(", "$")
_SENTENCE_END = re.compile(r"\n\s*(?=\S)|[.!?][\"')\]*]*[^\S\n]+(?=[\"'(\[*]*[A-Z0-9$\\])|[。!?]\s*(?=\S)")
_NO_SENTENCE_END = re.compile(
    r"(?:(?:^|\n|[.!?]\s)[ \t]*\(?\d{1,3}|(?:^|[\s(])(?:e\.g|i\.e|cf|vs|eqs?|figs?|no|approx|resp|dr|mrs?|st))\.$",
    re.IGNORECASE,
)
"""A list number or an abbreviation before the full stop."""


def _headings(text: str) -> list[int]:
    """Starts of the steps under "Step 1", "Step 2", ..., and of an answer line after the last of them."""
    numbers = ((int(match[1]), match.start()) for match in _HEADING.finditer(text))
    starts = _counting_up(numbers)
    if len(starts) < 2:
        return []
    answers = [match.start() for match in _ANSWER.finditer(text, starts[-1])]
    return _with_opening(text, starts + answers[-1:])


def _blank_lines_and_items(text: str) -> list[int]:
    """Starts of the paragraphs, and of the items of a numbered list, those indented like its first."""
    blocks = _Spans(text, inline=False)
    starts = {match.end() for match in _BLANK_LINES.finditer(text) if match.start() not in blocks}
    items = [match for match in _LIST_ITEM.finditer(text) if match.start() not in blocks]
    indented = next((match[1] for match in items if match[2] == "1"), "")
    counted = _counting_up((int(match[2]), match.end(1)) for match in items if match[1] == indented)
    return _with_opening(text, sorted(starts.union(counted if len(counted) > 1 else ())))


def _sentences(text: str) -> list[int]:
    """Starts of the lines and of the sentences in them; a formula isn't cut."""
    formulas = _Spans(text, inline=True)
    ends = [
        match.end()
        for match in _SENTENCE_END.finditer(text)
        if match.start() not in formulas and not _goes_on(text, match)
    ]
    return _with_opening(text, ends)


_RULES = (_headings, _blank_lines_and_items, _sentences)


def _counting_up(numbered: Iterable[tuple[int, int]]) -> list[int]:
    """Of (number, position) in the text's order, the positions of 1, of the next 2, of the next 3, and so on."""
    positions: list[int] = []
    for number, position in numbered:
        if number == len(positions) + 1:
            positions.append(position)
    return positions


def _with_opening(text: str, starts: Sequence[int]) -> list[int]:
    """The starts, and 0 before them where there is text before the first."""
    return [*([0] if not starts or text[: starts[0]].strip() else []), *starts]


class _Spans:
    """Where code blocks and formulas are, those within a line only if `inline`; one without an end is none."""

    def __init__(self, text: str, inline: bool) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []
        opened: tuple[str, int] | None = None
        for match in _DELIMITER.finditer(text):
            mark = match[0].strip()
            if opened is None:
                opened = (mark, match.start()) if mark in _CLOSING and (inline or mark not in _INLINE) else None
            elif mark == _CLOSING[opened[0]]:
                self.starts.append(opened[1])
                self.ends.append(match.end())
                opened = None

    def __contains__(self, position: int) -> bool:
        span = bisect_right(self.starts, position) - 1
        return span >= 0 and position < self.ends[span]


def _goes_on(text: str, end: re.Match[str]) -> bool:
    return end[0].startswith(".") and bool(_NO_SENTENCE_END.search(text, max(0, end.start() - 12), end.start() + 1))
