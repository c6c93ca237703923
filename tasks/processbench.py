r"""ProcessBench: 3400 solutions of text problems, each with the index of its first wrong step; first-error F1.

A raw row (values invented):

    {"id": "math-7", "generator": "a policy", "problem": "Compute ...", "steps": ["First, ...", "So it is 7."],
     "final_answer_correct": false, "label": 1}     # counted from 0; -1: no step is wrong

The four splits are the sources: gsm8k (400), math, olympiadbench and omnimath (1000 each). The question's id is `id`.
Solutions of one problem by several generators are one group.

The official measure (github.com/QwenLM/ProcessBench) takes the first step that a critic calls wrong, or -1, for its
prediction, and of each source the harmonic mean of two accuracies: on solutions with an error and on those without. The
headline is the plain mean of the four. That "F1" is no F1 over steps.

Nothing is said of the steps after the first error: they are labelled neutral, which leaves them out of the F1 over
steps. Traps. A right final answer doesn't mean that every step is right. Published figures choose each critic's
threshold, some on one of the sources, and join steps as texts or as tokens, which moves F1 by up to 6.6 points.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vpbench import Candidate, DataError, ImageRef, LabelledSolution, Question, Source, StepTask

CORRECT, NEUTRAL, INCORRECT = 1, 0, -1


class ProcessBench(StepTask):
    """ProcessBench, all four splits."""

    name = "processbench"
    title = "ProcessBench (text only)"
    metric = "mean_first_error_f1"
    source = Source(
        hub_id="Qwen/ProcessBench",
        split="gsm8k+math+olympiadbench+omnimath",
        rows=3400,
        licence="Apache-2.0",
        shown_publicly=("texts",),
        columns=("id", "generator", "problem", "steps", "final_answer_correct", "label"),
    )

    def solution(self, row: Mapping[str, Any], images: tuple[ImageRef, ...], index: int) -> LabelledSolution:
        """The solution of one row. Raises `DataError` if it has no steps or its label isn't one's index."""
        steps, label, source = tuple(row["steps"]), row["label"], row["__split__"]
        if not steps or type(label) is not int or not -1 <= label < len(steps):
            raise DataError(
                f"solution {row['id']}: label {label!r} for {len(steps)} steps; it is the index of a step, or -1"
            )
        labels = [CORRECT] * len(steps)
        if label >= 0:
            labels[label:] = [INCORRECT] + [NEUTRAL] * (len(steps) - label - 1)
        question = Question(
            task=self.name,
            id=str(row["id"]),
            text=row["problem"],
            group=row["problem"],
            categories={"final_answer_correct": str(row["final_answer_correct"]).lower()},
        )
        candidate = Candidate(question.id, 0, "\n\n".join(steps), policy=row["generator"], steps=steps)
        return LabelledSolution(question, candidate, tuple(labels), source)
