"""What step detection is worth without looking at the reasoning: the controls that a critic of steps stands beside.

Two need no text: calling every step correct, and a coin that does so as often as the labels. Two are fitted on other
questions: a logistic regression on where a step stands and how long it is, and one on its words. What these reach, a
benchmark gives away.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vpbench.errors import DataError
from vpbench.stats.auroc import Area, step_auroc
from vpbench.stats.bootstrap import RESAMPLES
from vpbench.stats.step_intervals import macro_f1_interval
from vpbench.stats.step_threshold import best_threshold, deal_folds
from vpbench.stats.steps import Array, BoolArray, IntArray, Labels, StepTable, detection, step_f1, step_table

FOLDS = 10
WORD_FEATURES = 2**18


@dataclass(frozen=True, slots=True)
class StepControl:
    """Pooled macro-F1 with its 95% interval (None for an expectation), and AUROC (None: it doesn't rank steps)."""

    name: str
    macro_f1: float
    low: float | None
    high: float | None
    auroc: Area | None


def coin_macro_f1(share_correct: float, share_called: float) -> float:
    """Macro-F1 of a coin that calls a step correct with probability `share_called`, in the limit of many steps.

    F1 is 2 TP / (labelled + called) of its class, with the expected counts in place of the counts: for the correct
    class 2 p q / (p + q). At q = p the two are p and 1 - p, so that the macro-F1 is 1/2 whatever the labels.
    """
    shares = ((share_correct, share_called), (1 - share_correct, 1 - share_called))
    return sum(2 * p * q / (p + q) if p + q else 0.0 for p, q in shares) / 2


def measure_step_controls(
    labels: Labels,
    steps: Sequence[Sequence[str]] | None,
    clusters: Sequence[Hashable] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[StepControl, ...]:
    """The controls of a set of labelled solutions; `steps` are their texts, `clusters` one name per solution.

    Fitted ones are cross-fitted in up to 10 folds by cluster: a fold is judged by a model fitted on all but two, at
    the threshold that is best on the second of the two. They are left out without texts, with fewer than three
    clusters, or where a fold has no labelled step or leaves one kind of label to fit on. With fewer than about 100
    solutions chance is a little below an AUROC of 0.5, as a fold with many errors leaves few to be fitted on. Raises
    `DataError` where labels, steps and clusters don't match.
    """
    table = step_table(labels, [[None] * len(row) for row in labels])
    names: list[Hashable] = list(range(table.solutions) if clusters is None else clusters)
    if len(names) != table.solutions:
        raise DataError(f"{len(names)} cluster names for {table.solutions} solutions; give one per solution")
    if not len(table.correct):
        return ()
    share = float(table.correct.mean())
    every = [[1.0] * len(row) for row in labels]
    always = step_f1(labels, every, 0.5).pooled.macro_f1
    ends = macro_f1_interval(labels, every, 0.5, names, resamples=resamples, seed=seed)
    controls = [
        StepControl("always correct", always, *ends, None),
        StepControl("coin at the label share", coin_macro_f1(share, share), None, None, None),
    ]
    if steps is not None:
        _check_texts(labels, steps)
        controls += _fitted_controls(table, labels, steps, names, resamples, seed)
    return tuple(controls)


def _fitted_controls(
    table: StepTable,
    labels: Labels,
    steps: Sequence[Sequence[str]],
    names: list[Hashable],
    resamples: int,
    seed: int,
) -> list[StepControl]:
    folds = min(FOLDS, len(set(names)))
    fold = deal_folds(names, folds, seed) if folds >= 3 else None
    if fold is None or not _fittable(table.correct, fold[table.solution], folds):
        return []
    controls = []
    for name, features, model in (
        ("position and length", _positions(table, steps), _position_model),
        ("bag of words", _words(table, steps), _word_model),
    ):
        values, thresholds = _cross_fitted(table, features, model, fold, folds)
        scores: list[list[float | None]] = [[None] * len(row) for row in labels]
        for solution, position, value in zip(table.solution, table.position, values, strict=True):
            scores[solution][position] = float(value)
        macro = detection(step_table(labels, scores), thresholds, None, "missed").pooled.macro_f1
        ends = macro_f1_interval(labels, scores, thresholds, names, resamples=resamples, seed=seed)
        controls.append(StepControl(name, macro, *ends, step_auroc(labels, scores, names)))
    return controls


def _check_texts(labels: Labels, steps: Sequence[Sequence[str]]) -> None:
    if len(steps) != len(labels):
        raise DataError(f"{len(labels)} labelled solutions but texts of {len(steps)}; give the same solutions")
    for number, (given, texts) in enumerate(zip(labels, steps, strict=True)):
        if len(given) != len(texts):
            raise DataError(f"solution {number}: {len(given)} labels but {len(texts)} steps; give a text for each")


def _parts(fold: IntArray, number: int, folds: int) -> tuple[BoolArray, BoolArray, BoolArray]:
    """Which steps fold `number` is judged on, has its threshold from, and has its model from."""
    judged, tuned = fold == number, fold == (number + 1) % folds
    return judged, tuned, ~(judged | tuned)


def _fittable(correct: BoolArray, fold: IntArray, folds: int) -> bool:
    for number in range(folds):
        _, tuned, fitted = _parts(fold, number, folds)
        if not tuned.any() or len(np.unique(correct[fitted])) < 2:
            return False
    return True


def _cross_fitted(table: StepTable, features: Any, model: Any, fold: IntArray, folds: int) -> tuple[Array, Array]:
    """Scores [steps] of models that saw neither the step's fold nor its threshold's; thresholds [solutions]."""
    values, thresholds = np.zeros(len(table.correct)), np.zeros(folds)
    for number in range(folds):
        judged, tuned, fitted = _parts(fold[table.solution], number, folds)
        fit = model().fit(features[fitted], table.correct[fitted])
        thresholds[number] = best_threshold(table.correct[tuned], fit.predict_proba(features[tuned])[:, 1])
        if judged.any():
            values[judged] = fit.predict_proba(features[judged])[:, 1]
    return values, thresholds[fold]


def _positions(table: StepTable, steps: Sequence[Sequence[str]]) -> Array:
    """[steps, 6]: number of the step, steps of the solution, their ratio; log characters of step, before it, in all."""
    sizes = [np.array([len(text) for text in texts], dtype=np.float64) for texts in steps]
    rows = []
    for solution, position in zip(table.solution, table.position, strict=True):
        size, number = sizes[solution], position + 1
        characters = (size[position], size[:position].sum(), size.sum())
        rows.append([number, len(size), number / len(size), *np.log1p(characters)])
    return np.array(rows)


def _words(table: StepTable, steps: Sequence[Sequence[str]]) -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer

    # Hashed rather than listed: a list of words would be drawn from the steps that are judged.
    hashed = HashingVectorizer(n_features=WORD_FEATURES, alternate_sign=False, norm=None)
    return hashed.transform(steps[row][column] for row, column in zip(table.solution, table.position, strict=True))


def _position_model() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    # Squares and products, because errors are rare in the first steps and again in long solutions' last ones.
    return make_pipeline(StandardScaler(), PolynomialFeatures(2), LogisticRegression(max_iter=1000))


def _word_model() -> Any:
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(TfidfTransformer(sublinear_tf=True), LogisticRegression(solver="liblinear"))
