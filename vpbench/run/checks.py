"""What a task's or critic's code gives back is what it has to be, or the run says so."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any

from vpbench.base import Critic
from vpbench.errors import CriticError, PluginError
from vpbench.records import Candidate, Question, Score, Verdict


def checked_verdict(verdict: Any, where: str) -> Verdict:
    """The verdict that a task's code gave, its `correct` a plain bool. Raises `PluginError` where it is none."""
    if not isinstance(verdict, Verdict):
        raise PluginError(f"{where} gave a {type(verdict).__name__}, expected a vpbench.Verdict")
    for name in ("extracted", "answer_class"):
        value = getattr(verdict, name)
        if not (value is None or isinstance(value, str)):
            raise PluginError(f"{where} gave {name} {value!r}, expected a string or None")
    if not isinstance(verdict.reason, str):
        raise PluginError(f"{where} gave reason {verdict.reason!r}, expected a string")
    # A NumPy bool would not go into the store's JSON.
    return verdict if type(verdict.correct) is bool else replace(verdict, correct=bool(verdict.correct))


def checked_scores(critic: Critic, question: Question, candidates: Sequence[Candidate], scores: Any) -> list[Score]:
    """The scores that a critic's code gave for a question's candidates, their numbers plain floats.

    A NaN is a row that failed. Raises `CriticError` for another number of scores than candidates, and for what is no
    score, since every question would meet the same.
    """
    who = f"critic {critic.name!r}, question {question.id!r}:"
    if not isinstance(scores, Sequence):
        raise CriticError(f"{who} score gave a {type(scores).__name__}, expected a list of vpbench.Score")
    if len(scores) != len(candidates):
        raise CriticError(f"{who} score gave {len(scores)} scores for {len(candidates)} candidates")
    return [_checked(score, f"{who} candidate {row.index}:") for score, row in zip(scores, candidates, strict=True)]


def _checked(score: Any, where: str) -> Score:
    if not isinstance(score, Score):
        raise CriticError(f"{where} score gave a {type(score).__name__}, expected vpbench.Score(value)")
    if not isinstance(score.steps, Iterable | None):
        raise CriticError(f"{where} score gave steps {score.steps!r}, expected a tuple of numbers or None")
    value = None if score.value is None else _number(score.value, where)
    steps = None if score.steps is None else tuple(_number(step, where) for step in score.steps)
    if any(math.isnan(number) for number in (value or 0.0, *(steps or ()))):
        return Score(None, None, "the score is NaN")
    return replace(score, value=value, steps=steps)


def _number(number: Any, where: str) -> float:
    if not isinstance(number, Real):
        raise CriticError(f"{where} score gave {number!r}, expected a number; write float(...)")
    return float(number)
