"""The parts of a response that its step scores belong to.

A run keeps responses and step scores, not where its critic cut: that is found again by trying the rules there are, and
a response whose parts can't be told from its scores is shown whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from vpbench.scoring.splitting import SPLITTERS, split_steps

Rule = tuple[str, int | None]
"""A splitter's name and the most steps it makes."""
_BREAK = "\n\n"
RULES: tuple[Rule, ...] = tuple((name, limit) for name in SPLITTERS for limit in (None, 12))


def fitting_rule(scored: Iterable[tuple[str, int]], limits: Iterable[int] = ()) -> Rule:
    """The rule that gives most of the responses as many steps as have scores; `limits` are tried beside the usual."""
    rules = [*RULES, *((name, limit) for name in SPLITTERS for limit in limits)]
    rows = list(scored)
    fits = [sum(len(SPLITTERS[name](text, limit)) == steps for text, steps in rows) for name, limit in rules]
    return rules[fits.index(max(fits))]


def page_cuts(rule: Rule) -> dict[str, Any] | None:
    """What a page needs to cut responses itself, by the rule that nearly all critics have; None for other rules."""
    return {"at": _BREAK, "most": rule[1]} if SPLITTERS[rule[0]] is split_steps else None


def cutter(rule: Rule) -> Callable[[str], str | list[str]]:
    """What makes parts of a response, all of its text in one of them; one that a page cuts itself stays as it is."""
    split, limit = SPLITTERS[rule[0]], rule[1]
    if page_cuts(rule) is not None:
        return lambda response: response
    return lambda response: parts(response, split(response, limit))


def parts(response: str, steps: Sequence[str]) -> str | list[str]:
    """The response cut where its steps begin; uncut where there is one step, or one isn't in it as it stands."""
    starts, position = [], 0
    for step in steps:
        start = response.find(step, position)
        if start < 0:
            return response
        starts.append(start)
        position = start + len(step)
    if len(starts) < 2:
        return response
    return [response[start:end] for start, end in zip([0, *starts[1:]], [*starts[1:], len(response)], strict=True)]
