"""The words of a figure: what its critics are called, and what was measured on what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from vpbench.report.drawing import shortened
from vpbench.report.result import BestOfNResult, Result, StepResult

Group = Sequence[tuple[str, Result]]
"""Results that can be compared, each with what its critic is called."""


def title(result: Result) -> list[str]:
    """Task, number of questions, candidates and grading."""
    world = " (miniature world)" if result.nano else ""
    lines = [f"{shortened(result.task)}{world}, {size(result)}"]
    return [*lines, conditions(result)] if isinstance(result, BestOfNResult) else lines


def size(result: Result) -> str:
    """How many questions or solutions."""
    return f"{result.size} {'solutions' if isinstance(result, StepResult) else 'questions'}"


def conditions(result: BestOfNResult) -> str:
    """Candidates, grading and estimator."""
    return f"pool {shortened(result.policy)}, {shortened(result.graded)}, estimator {result.estimator}"


def labels_of(group: Group, details: Sequence[str] = ()) -> list[str]:
    """What the legend calls the critics: with the selection where there are several, and with what lacks a score."""
    selections = [getattr(result, "selection", "") for _, result in group]
    several = len(set(selections)) > 1
    labels = []
    for k, (name, result) in enumerate(group):
        parts = [*([selections[k]] if several else []), *details[k : k + 1], *_unscored(result)]
        labels.append(f"{shortened(name)} ({'; '.join(parts)})" if parts else shortened(name))
    repeated = Counter(labels)
    return [f"{label} [{k + 1}]" if repeated[label] > 1 else label for k, label in enumerate(labels)]


def _unscored(result: Result) -> list[str]:
    if isinstance(result, StepResult):
        unmade, steps = result.step_f1.unmade, result.step_f1.pooled.steps
        return [f"{unmade} of {steps} steps without a score"] if unmade else []
    unscored = sum(result.unscored.values())
    return [f"{unscored} of {result.candidates} rows without a score"] if unscored else []
