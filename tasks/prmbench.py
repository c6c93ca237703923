r"""PRMBench: 6216 solutions of text problems with errors planted by a model and checked by people; PRMScore.

A raw row, columns that are read (values invented):

    {"idx": "circular_prm_test_p1_7", "classification": "circular",
     "modified_question": "What is x?", "modified_process": ["1. Assume x=2.", "2. Then x=2.", "3. So x=2."],
     "error_steps": [1, 2]}                         # counted from 1; the other steps are right

Each row's class of error is its source: redundency (so spelt), circular; counterfactual, step_contradiction,
domain_inconsistency, confidence; missing_condition, deception, multi_solutions. Rows of multi_solutions have no wrong
step, so that only the F1 of correct steps says anything of them. `idx` repeats for a few rows: the question's id is
"IDX/ROW", ROW counted from 0. Edits of one original problem are one group.

The official PRMScore (arXiv 2501.03124; github.com/ssmisya/PRMBench, task `prmtest_classified`) is the mean of the F1
of correct and of wrong steps over the steps of all rows together: `pooled` of the report, a class's own in `by_source`.

Traps. Some `error_steps` lie outside the solution; as in the official code they are passed over. There rows whose `idx`
was met already are left out, a critic with redundancy scores is judged by these in the first two classes, and the
unedited originals are scored too, for a measure of their own; here none of this is so. Planted errors read unlike
natural ones: a bag of words finds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vpbench import Candidate, DataError, ImageRef, LabelledSolution, Question, Source, StepTask

CORRECT, INCORRECT = 1, -1


class PRMBench(StepTask):
    """PRMBench, as its preview on the hub."""

    name = "prmbench"
    title = "PRMBench (text only)"
    source = Source(
        hub_id="hitsmy/PRMBench_Preview",
        split="train",
        rows=6216,
        licence="Apache-2.0",
        shown_publicly=("texts",),
        columns=("idx", "classification", "modified_question", "modified_process", "error_steps"),
    )

    def solution(self, row: Mapping[str, Any], images: tuple[ImageRef, ...], index: int) -> LabelledSolution:
        """The edited solution of row `index`. Raises `DataError` if it has no steps."""
        steps, source = tuple(row["modified_process"]), row["classification"]
        if not steps:
            raise DataError(f"{row['idx']}: no steps")
        wrong = {int(number) for number in row["error_steps"]}
        question = Question(
            task=self.name,
            id=f"{row['idx']}/{index}",
            text=row["modified_question"],
            group=str(row["idx"]).removeprefix(f"{source}_"),
            categories={"classification": source},
        )
        labels = tuple(INCORRECT if number in wrong else CORRECT for number in range(1, len(steps) + 1))
        candidate = Candidate(question.id, 0, "\n\n".join(steps), policy="edited by a model", steps=steps)
        return LabelledSolution(question, candidate, labels, source)
