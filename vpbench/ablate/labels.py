"""Label sets: how the labels of one training run are made, and how far they agree with the truth.

All sets of one policy rest on the same solutions and the same continuations. The larger number is drawn first and the
smaller ones are its beginning; rule and threshold are applied when a file is read.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vpbench.labels.labelling import MonteCarlo
from vpbench.labels.read import read_labelled
from vpbench.nano.conversations import nano_tasks, row_of
from vpbench.nano.datasets import draw_questions
from vpbench.nano.finetune import LABEL_SEED
from vpbench.nano.truth import step_labels
from vpbench.records import CORRECT, INCORRECT, NEUTRAL, Drawn, LabelRule
from vpbench.store import folder_name

DRAWN = {"policy": 32, "strong-policy": 16}
"""Continuations per prefix that are drawn, by the policy that draws them."""


@dataclass(frozen=True, slots=True)
class LabelSet:
    """How steps are labelled; the defaults are the base row's. `policy` is a model of the miniature world."""

    continuations: int = 16
    early_stop: bool = False
    rule: LabelRule = "value"
    threshold: float = 0.0
    policy: str = "policy"

    def draws(self) -> list[MonteCarlo]:
        """What to draw, the last for this set: first all there is, then the beginning of it."""
        return [MonteCarlo(DRAWN[self.policy]), MonteCarlo(self.continuations, early_stop=self.early_stop)]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Labels against the truth, as shares: of the steps labelled correct or incorrect, how many are labelled rightly,
    labelled correct though wrong, and labelled incorrect though right (together 1); `neutral` is of all steps."""

    steps: int
    agreed: float
    false_correct: float
    false_incorrect: float
    neutral: float


def questions_folder(per_kind: int) -> str:
    """A name for what `finetune.write_label_questions` writes; any other question or row gives another one."""
    contents = []
    for kind, task in nano_tasks().items():
        for number, drawn in draw_questions(kind, LABEL_SEED, per_kind):
            content = [drawn.text, drawn.facts, drawn.solution, drawn.options, drawn.part]
            picture = hashlib.sha256(drawn.picture.pixels).hexdigest()
            contents.append([task.name, row_of(task, drawn, number), content, picture])
    return folder_name("questions", key={"drawn": contents})


def agreement(
    files: Sequence[Path], rule: LabelRule, threshold: float, questions: Mapping[tuple[str, str], Drawn]
) -> Agreement:
    """Compare the labels that the rule makes of the raw rows in `files` with the truth about the steps; `questions` are
    those of the rows, by task and id."""
    counts: Counter[tuple[int, bool]] = Counter()
    for path in files:
        for solution in read_labelled(path, rule, threshold):
            drawn = questions[solution.question.task, solution.question.id]
            truth = step_labels(drawn, solution.candidate.steps or ())
            counts.update(zip(solution.labels, truth, strict=True))
    neutral = counts[NEUTRAL, True] + counts[NEUTRAL, False]
    labelled = counts.total() - neutral
    return Agreement(
        counts.total(),
        (counts[CORRECT, True] + counts[INCORRECT, False]) / labelled,
        counts[CORRECT, False] / labelled,
        counts[INCORRECT, True] / labelled,
        neutral / counts.total(),
    )
