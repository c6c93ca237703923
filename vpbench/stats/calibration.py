"""Step scores without a threshold: how well they rank steps, and whether they mean what they say as probabilities.

Labels and missing scores are read as in `vpbench.stats.steps`; unmade predictions are left out and counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vpbench.stats.steps import Labels, Scores, step_table


@dataclass(frozen=True, slots=True)
class Ranking:
    """Area under the ROC curve and average precision of finding the correct, or the incorrect, steps.

    Average precision is the sum over thresholds of precision times the gain in recall, without interpolation (Manning,
    Raghavan and Schuetze 2008, section 8.4). None where the steps are all of one kind. `share_incorrect` is what random
    scores get as `average_precision_incorrect`.
    """

    auroc: float | None
    average_precision_correct: float | None
    average_precision_incorrect: float | None
    share_incorrect: float | None
    steps: int
    unmade: int


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Steps whose score lies in [low, high) (the last bin includes 1): mean score, share that is correct, number."""

    low: float
    high: float
    mean_score: float
    share_correct: float
    steps: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """The non-empty bins, and the expected calibration error: mean of |mean score - share correct| over steps."""

    bins: tuple[ReliabilityBin, ...]
    expected_calibration_error: float
    steps: int


def step_ranking(labels: Labels, scores: Scores) -> Ranking:
    """Ranking figures over all labelled steps, one list per solution; ties counted half. Raises `DataError`."""
    table = step_table(labels, scores)
    made = ~np.isnan(table.score)
    truth, score = table.correct[made], table.score[made]
    unmade = int((~made).sum())
    share = float((~truth).mean()) if len(truth) else None
    if truth.all() or not truth.any():
        return Ranking(None, None, None, share, len(truth), unmade)
    from sklearn.metrics import average_precision_score, roc_auc_score

    return Ranking(
        auroc=float(roc_auc_score(truth, score)),
        average_precision_correct=float(average_precision_score(truth, score)),
        average_precision_incorrect=float(average_precision_score(~truth, -score)),
        share_incorrect=share,
        steps=len(truth),
        unmade=unmade,
    )


def step_reliability(labels: Labels, scores: Scores, bins: int = 10) -> Reliability | None:
    """Reliability in `bins` equal bins of [0, 1] (Guo et al. 2017, arXiv:1706.04599, section 2).

    None where a score lies outside [0, 1] and so isn't a probability, or where there is no scored step. Raises
    `DataError` where labels and scores don't match.
    """
    table = step_table(labels, scores)
    made = ~np.isnan(table.score)
    truth, score = table.correct[made], table.score[made]
    if not len(score) or score.min() < 0 or score.max() > 1:
        return None
    # A score of exactly 1 belongs to the last bin.
    bin_of = np.minimum((score * bins).astype(np.intp), bins - 1)
    steps = np.bincount(bin_of, minlength=bins)
    sizes = np.maximum(steps, 1)
    mean_score = np.bincount(bin_of, weights=score, minlength=bins) / sizes
    share = np.bincount(bin_of, weights=truth, minlength=bins) / sizes
    rows = tuple(
        ReliabilityBin(i / bins, (i + 1) / bins, float(mean_score[i]), float(share[i]), int(steps[i]))
        for i in range(bins)
        if steps[i]
    )
    error = float((steps * np.abs(mean_score - share)).sum() / len(score))
    return Reliability(rows, error, len(score))
