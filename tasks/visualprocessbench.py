r"""VisualProcessBench: 2866 solutions with a human label on each of their 26,950 steps; macro-F1.

A raw row (values invented):

    {"image": ["images/DynaMath/7.png"],                  # relative paths; ten rows have more than one
     "question": "How many ...", "answer": "12",
     "response": {"steps": ["First, ...", "### Result\n\n12"], "process_correctness": [1, -1]},
     "policy_model": "lmdeploy_qvq", "data_source": "DynaMath"}

Labels: 1 correct, 0 neutral (headings, filler), -1 incorrect; a step after an error may be correct again.

Traps. Questions carry prompt text of another toolkit and image marks, some malformed; they are kept as they are. A
step may hold blank lines, so a critic that splits at blank lines must be given the steps. The official evaluator, and
with it the threshold and the meaning of "overall", was never released; pooling all labelled steps is the only reading
that fits the paper's table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vpbench import Candidate, DataError, ImageRef, LabelledSolution, Question, Source, StepTask

LABELS = (1, 0, -1)


class VisualProcessBench(StepTask):
    """VisualProcessBench, split test."""

    name = "visualprocessbench"
    title = "VisualProcessBench"
    nano_kind = "solutions"
    source = Source(
        hub_id="OpenGVLab/VisualProcessBench",
        split="test",
        rows=2866,
        licence="MIT",
        shown_publicly=("texts",),
        columns=("image", "question", "answer", "response", "policy_model", "data_source"),
        image_columns=("image",),
    )

    def solution(self, row: Mapping[str, Any], images: tuple[ImageRef, ...], index: int) -> LabelledSolution:
        """The solution of row `index`. Raises `DataError` if its steps and labels don't fit each other."""
        source, policy = row["data_source"], row["policy_model"]
        steps = tuple(row["response"]["steps"])
        labels = tuple(row["response"]["process_correctness"])
        where = f"{self.source.hub_id} row {index} ({source})"
        if not steps or len(steps) != len(labels):
            raise DataError(f"{where}: {len(steps)} steps but {len(labels)} labels; each step needs one label")
        unknown = [label for label in labels if label not in LABELS]
        if unknown:
            raise DataError(f"{where}: label {unknown[0]!r}; a label is 1 (correct), 0 (neutral) or -1 (incorrect)")
        question = Question(
            task=self.name,
            id=f"{source}/{index}",
            text=row["question"],
            images=images,
            answer=row["answer"],
            group=" ".join(row["image"]) or None,
            categories={"data_source": source, "policy_model": policy},
        )
        candidate = Candidate(question.id, 0, "\n\n".join(steps), policy=policy, steps=steps)
        return LabelledSolution(question, candidate, labels, source)

    def nano_solution_row(
        self, image: str, text: str, answer: str, steps: Sequence[str], labels: Sequence[int], source: str, policy: str
    ) -> dict[str, Any]:
        """A row whose labels are true."""
        return {
            "image": [image],
            "question": text,
            "answer": answer,
            "policy_model": policy,
            "data_source": source,
            "response": {"steps": list(steps), "process_correctness": list(labels)},
        }
