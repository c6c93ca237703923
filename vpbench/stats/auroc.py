"""The area under the ROC curve of step scores with an interval that keeps the steps of a question together.

Steps of one solution, and solutions of one question, aren't independent, so the variance is taken over clusters.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from vpbench.errors import DataError
from vpbench.stats.steps import Array, Labels, Scores, step_table

QUANTILE = 1.959964
"""Of the normal distribution, for 95%."""


@dataclass(frozen=True, slots=True)
class Area:
    """AUROC with its 95% interval; the ends are None where there are too few clusters, or no variance, to tell."""

    value: float
    low: float | None
    high: float | None


def step_auroc(labels: Labels, scores: Scores, clusters: Sequence[Hashable] | None = None) -> Area | None:
    """AUROC of telling correct from incorrect steps, ties counted half; None where all steps are of one kind.

    Variance: DeLong, DeLong and Clarke-Pearson 1988, its components summed by cluster as in Obuchowski 1997
    (Biometrics 53:567), who lets a cluster hold both kinds. The interval is symmetric in the logit of the area, so that
    it stays within 0..1. `clusters`: one name per solution. Unmade predictions are left out. Raises `DataError` where
    labels, scores and clusters don't match.
    """
    table = step_table(labels, scores)
    names = list(range(table.solutions)) if clusters is None else list(clusters)
    if len(names) != table.solutions:
        raise DataError(f"{len(names)} cluster names for {table.solutions} solutions; give one per solution")
    made = ~np.isnan(table.score)
    truth, score, solution = table.correct[made], table.score[made], table.solution[made]
    if truth.all() or not truth.any():
        return None
    right, wrong = np.sort(score[truth]), np.sort(score[~truth])
    below, above = _share_below(wrong, score[truth]), 1 - _share_below(right, score[~truth])
    area = float(below.mean())
    influence = np.empty(len(score))
    influence[truth] = (below - area) / len(right)
    influence[~truth] = (above - area) / len(wrong)
    number = {name: index for index, name in enumerate(dict.fromkeys(names))}
    cluster = np.array([number[name] for name in names], dtype=np.intp)[solution]
    several = len(np.unique(cluster))
    variance = several / max(several - 1, 1) * float((np.bincount(cluster, weights=influence) ** 2).sum())
    if several < 2 or not 0 < area < 1 or not variance:
        return Area(area, None, None)
    logit, spread = np.log(area / (1 - area)), QUANTILE * np.sqrt(variance) / (area * (1 - area))
    low, high = (float(1 / (1 + np.exp(-end))) for end in (logit - spread, logit + spread))
    return Area(area, low, high)


def _share_below(ordered: Array, values: Array) -> Array:
    """For each value the share of `ordered` below it, equal ones counted half."""
    under, upto = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    return np.asarray((under + upto) / (2 * len(ordered)), dtype=np.float64)
