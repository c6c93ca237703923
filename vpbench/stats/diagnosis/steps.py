"""What step scores on labelled steps say: missing, always positive, constant, worse than chance."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from vpbench.stats.auroc import step_auroc
from vpbench.stats.diagnosis.scores import ALWAYS_POSITIVE, LEAST_WRONG
from vpbench.stats.steps import Labels, Scores, step_table


def diagnose_steps(
    labels: Labels, scores: Scores, threshold: float, clusters: Sequence[Hashable] | None = None
) -> list[str]:
    """Statements on one critic's step detection at `threshold`; labels and scores hold one list per solution.

    `clusters`: one name per solution, as for the intervals. Raises `DataError` where they don't match.
    """
    table = step_table(labels, scores)
    statements = []
    missing = int(np.isnan(table.score).sum())
    if missing:
        statements.append(f"scores incomplete: {missing} of {len(table.score)} labelled steps have none")
    made = ~np.isnan(table.score)
    wrong = table.score[made & ~table.correct] > threshold
    if len(wrong) >= LEAST_WRONG and wrong.mean() >= ALWAYS_POSITIVE:
        statements.append(
            f"always-positive critic: {wrong.mean():.1%} of the {len(wrong)} incorrect steps score above {threshold:g}"
        )
    values = table.score[made]
    if len(values) > 1 and (values == values[0]).all():
        statements.append(f"scores constant: all {len(values)} labelled steps score {values[0]:g}")
    area = step_auroc(labels, scores, clusters)
    if area is not None and area.high is not None and area.high < 0.5:
        statements.append(
            f"worse than chance: AUROC {area.value:.3f} ({area.low:.3f} to {area.high:.3f}), the scores rank incorrect "
            "steps above correct ones; is a lower score the better one?"
        )
    return statements
