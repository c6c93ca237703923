"""A threshold chosen on held-out folds, never on the solutions it is reported for.

Solutions (or whole clusters of them) are dealt into K folds; the threshold that gives the best pooled macro-F1 on the
other folds is applied to each fold, and the figures are taken over all folds together.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from vpbench.errors import ConfigError
from vpbench.stats.steps import (
    Array,
    BoolArray,
    IntArray,
    Labels,
    Scores,
    StepDetection,
    Unmade,
    detection,
    f1_scores,
    step_table,
)


@dataclass(frozen=True, slots=True)
class CrossFitted:
    """One threshold per fold, the fold of every solution, and the figures with each fold at its own threshold.

    `macro_f1_interval` and `macro_f1_difference` take `by_solution` in place of a fixed threshold, for intervals of
    held-out figures, given the thresholds that were chosen.
    """

    thresholds: tuple[float, ...]
    folds: tuple[int, ...]
    detection: StepDetection

    @property
    def by_solution(self) -> Array:
        """The threshold [solutions] that each solution was judged by."""
        return np.array(self.thresholds)[list(self.folds)]


def best_threshold(correct: BoolArray, score: Array) -> float:
    """The threshold of the best pooled macro-F1 of these steps (NaN scores left out), the lowest if several are.

    Tried are one below the lowest score and the middle of every gap between neighbouring scores; the highest score
    itself stands for calling nothing correct. Raises `ConfigError` without a scored step.
    """
    made = ~np.isnan(score)
    if not made.any():
        raise ConfigError("no scored step to choose a threshold on; give a fixed one or fewer folds")
    values, group = np.unique(score[made], return_inverse=True)
    truth = correct[made]
    below_correct = np.concatenate([[0], np.cumsum(np.bincount(group, weights=truth))])
    below_incorrect = np.concatenate([[0], np.cumsum(np.bincount(group, weights=~truth))])
    counts = np.stack(
        [truth.sum() - below_correct, (~truth).sum() - below_incorrect, below_correct, below_incorrect], axis=-1
    )
    f1_correct, f1_incorrect = f1_scores(np.pad(counts, ((0, 0), (0, 2))))
    # Entry i: the i lowest values are called incorrect. argmax takes the lowest of equally good thresholds.
    best = int(np.argmax(f1_correct + f1_incorrect))
    if best in (0, len(values)):
        return float(np.nextafter(values[0], -np.inf) if best == 0 else values[-1])
    low, high = float(values[best - 1]), float(values[best])
    # Between neighbouring floats the middle may round up to `high`, which has to be called correct.
    middle = low + (high - low) / 2
    return middle if low <= middle < high else low


def deal_folds(clusters: Sequence[Hashable], folds: int, seed: int) -> IntArray:
    """The fold of every row; rows of one cluster share it. Raises `ConfigError` for more folds than clusters."""
    names = list(dict.fromkeys(clusters))
    if not 2 <= folds <= len(names):
        raise ConfigError(f"{folds} folds need at least 2 folds and as many separate solutions; there are {len(names)}")
    order = np.random.default_rng(seed).permutation(len(names))
    fold_of = {names[index]: position % folds for position, index in enumerate(order)}
    return np.array([fold_of[name] for name in clusters], dtype=np.intp)


def cross_fitted_threshold(
    labels: Labels,
    scores: Scores,
    sources: Sequence[str] | None = None,
    clusters: Sequence[Hashable] | None = None,
    folds: int = 5,
    seed: int = 0,
    unmade: Unmade = "missed",
) -> CrossFitted:
    """Step detection with cross-fitted thresholds. `clusters`: one name per solution; a cluster stays in one fold.

    Raises `ConfigError` for more folds than clusters or a fold without scored steps outside it, `DataError` where
    labels, scores and sources don't match.
    """
    table = step_table(labels, scores)
    fold = deal_folds(range(table.solutions) if clusters is None else clusters, folds, seed)
    fold_of_step = fold[table.solution]
    others = [fold_of_step != number for number in range(folds)]
    thresholds = [best_threshold(table.correct[other], table.score[other]) for other in others]
    figures = detection(table, np.array(thresholds)[fold], sources, unmade)
    return CrossFitted(tuple(thresholds), tuple(int(number) for number in fold), figures)
