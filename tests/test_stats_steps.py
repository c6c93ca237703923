"""Step detection: known tables, averages, unmade predictions, thresholds on held-out folds, breakdowns, calibration."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vpbench.errors import ConfigError, DataError
from vpbench.stats import (
    StepF1,
    cross_fitted_threshold,
    f1_by_length,
    f1_by_position,
    first_error_accuracy,
    first_errors,
    macro_f1_difference,
    macro_f1_interval,
    step_f1,
    step_ranking,
    step_reliability,
)
from vpbench.stats.step_threshold import best_threshold
from vpbench.stats.steps import Labels, Scores

LABELS: Labels = [[1, 1, -1], [1, 0, None, -1], [1, 1, 1]]
SCORES: Scores = [[0.9, 0.5, 0.8], [0.7, 0.1, 0.1, 0.2], [0.6, 0.51, 0.9]]


def simulated(seed: int, solutions: int, cut: float = 0.5) -> tuple[list[list[int]], list[list[float]]]:
    """Steps with an error rate of 0.3, whose scores lie around `cut`, above it for most correct ones."""
    rng = np.random.default_rng(seed)
    labels, scores = [], []
    for _ in range(solutions):
        correct = rng.random(int(rng.integers(2, 9))) > 0.3
        labels.append([1 if value else -1 for value in correct])
        noisy = cut + np.where(correct, 0.05, -0.05) + rng.normal(0, 0.05, len(correct))
        scores.append([float(value) for value in noisy])
    return labels, scores


def test_strictly_above_and_known_figures() -> None:
    result = step_f1(LABELS, SCORES, 0.5, ["x", "y", "y"])
    # correct steps: five of six called so, one (0.5, not above) not; incorrect: one of two caught
    assert result.pooled == StepF1(10 / 12, 2 / 4, (10 / 12 + 2 / 4) / 2, 8)
    assert result.by_source["x"] == StepF1(2 / 4, 0.0, 0.25, 3)
    assert result.by_source["y"] == StepF1(1.0, 1.0, 1.0, 5)
    assert result.mean_of_sources.macro_f1 == 0.625
    assert result.step_weighted_mean.macro_f1 == pytest.approx((3 * 0.25 + 5) / 8)
    assert (result.neutral, result.unmade, result.threshold) == (1, 0, 0.5)
    assert step_f1(LABELS, SCORES, 0.49).pooled.f1_correct > result.pooled.f1_correct


def test_undefined_f1_counts_as_zero_and_empty_sources_are_left_out() -> None:
    all_right = step_f1([[1, 1], [0, None]], [[0.9, 0.9], [0.5, 0.5]], 0.5, ["a", "b"])
    assert all_right.pooled == StepF1(1.0, 0.0, 0.5, 2)
    assert list(all_right.by_source) == ["a"]
    nothing = step_f1([[0]], [[0.4]], 0.5)
    assert nothing.pooled == nothing.step_weighted_mean == nothing.mean_of_sources == StepF1(0.0, 0.0, 0.0, 0)


def test_unmade_predictions_cost_recall_or_precision_too() -> None:
    labels: Labels = [[1, 1, 1, -1, -1]]
    for missing in (None, math.nan):
        scores: Scores = [[0.9, 0.9, missing, 0.1, missing]]
        missed = step_f1(labels, scores, 0.5)
        opposite = step_f1(labels, scores, 0.5, unmade="opposite")
        assert missed.pooled == StepF1(4 / 5, 2 / 3, (4 / 5 + 2 / 3) / 2, 5)
        assert opposite.pooled == StepF1(4 / 6, 2 / 4, (4 / 6 + 2 / 4) / 2, 5)
        assert missed.unmade == opposite.unmade == 2


def test_interval_brackets_the_figure_and_narrows_with_data() -> None:
    widths = []
    for solutions in (50, 800):
        labels, scores = simulated(1, solutions)
        low, high = macro_f1_interval(labels, scores, 0.5, resamples=1000)
        assert low < step_f1(labels, scores, 0.5).pooled.macro_f1 < high
        widths.append(high - low)
    assert widths[1] == pytest.approx(widths[0] / 4, rel=0.25)
    doubled = macro_f1_interval(labels * 2, scores * 2, 0.5, list(range(800)) * 2, resamples=1000)
    assert doubled[1] - doubled[0] == pytest.approx(widths[1], rel=0.1)


def test_interval_covers_the_truth_about_95_times_in_100() -> None:
    truth = step_f1(*simulated(10**6, 20_000), 0.5).pooled.macro_f1
    hits = 0
    for seed in range(250):
        low, high = macro_f1_interval(*simulated(seed, 80), 0.5, resamples=400)
        hits += low <= truth <= high
    assert 0.91 <= hits / 250 <= 0.985


def test_difference_is_paired_and_antisymmetric() -> None:
    labels, scores = simulated(2, 150)
    blind = [[1.0] * len(row) for row in scores]
    gain = macro_f1_difference(labels, (scores, blind), (0.5, 0.5), resamples=1000)
    pooled = [step_f1(labels, values, 0.5).pooled.macro_f1 for values in (scores, blind)]
    assert gain.value == pytest.approx(pooled[0] - pooled[1])
    assert 0 < gain.low < gain.value < gain.high and gain.p_value == pytest.approx(2 / 1001)
    loss = macro_f1_difference(labels, (blind, scores), (0.5, 0.5), resamples=1000)
    assert (loss.value, loss.low, loss.high) == pytest.approx((-gain.value, -gain.high, -gain.low))
    same = macro_f1_difference(labels, (scores, scores), (0.5, 0.5), resamples=200)
    assert (same.value, same.low, same.high, same.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_best_threshold_equals_trying_every_one() -> None:
    rng = np.random.default_rng(3)
    for _ in range(60):
        size = int(rng.integers(1, 25))
        correct, score = rng.random(size) < 0.6, np.round(rng.random(size), 1)
        labels: Labels = [[1 if value else -1 for value in correct]]
        scores: Scores = [score.tolist()]
        tried = {t: step_f1(labels, scores, t).pooled.macro_f1 for t in np.arange(-0.05, 1.1, 0.05).round(2)}
        assert step_f1(labels, scores, best_threshold(correct, score)).pooled.macro_f1 == max(tried.values())


def test_best_threshold_between_neighbouring_floats() -> None:
    low, high = 0.5, float(np.nextafter(0.5, 1))
    threshold = best_threshold(np.array([False, True]), np.array([low, high]))
    assert low <= threshold < high


def test_cross_fitting_finds_the_scale_and_never_sees_its_own_fold() -> None:
    labels, scores = simulated(7, 300, cut=2.0)
    fitted = cross_fitted_threshold(labels, scores, folds=5, seed=1)
    assert fitted.detection.threshold is None
    assert len(fitted.thresholds) == 5 and set(fitted.folds) == set(range(5))
    assert max(abs(value - 2.0) for value in fitted.thresholds) < 0.06
    assert fitted.detection.pooled.macro_f1 > 0.75 > step_f1(labels, scores, 0.5).pooled.macro_f1
    spoiled = [[-1] * len(row) if fold == 2 else row for row, fold in zip(labels, fitted.folds, strict=True)]
    again = cross_fitted_threshold(spoiled, scores, folds=5, seed=1)
    assert again.thresholds[2] == fitted.thresholds[2]
    assert again.thresholds[0] != fitted.thresholds[0]
    assert again.detection.pooled.macro_f1 != fitted.detection.pooled.macro_f1


def test_chance_scores_gain_nothing_by_cross_fitting() -> None:
    rng = np.random.default_rng(11)
    labels = [[1 if rng.random() < 0.5 else -1 for _ in range(5)] for _ in range(400)]
    scores = [rng.random(5).tolist() for _ in range(400)]
    assert cross_fitted_threshold(labels, scores).detection.pooled.macro_f1 < 0.53


def test_clusters_stay_in_one_fold() -> None:
    labels, scores = simulated(8, 90)
    clusters = [index // 3 for index in range(90)]
    folds = cross_fitted_threshold(labels, scores, clusters=clusters, folds=4).folds
    assert all(len({folds[i], folds[i + 1], folds[i + 2]}) == 1 for i in range(0, 90, 3))


def test_by_position_and_length_partition_the_steps() -> None:
    labels, scores = simulated(5, 200)
    scores = [[value if index < 3 else 1.0 for index, value in enumerate(row)] for row in scores]
    bins = f1_by_position(labels, scores, 0.5, bins=3)
    assert sum(part.figures.steps for part in bins) == sum(map(len, labels))
    assert [part.low for part in bins] == sorted(part.low for part in bins)
    assert all(a.high < b.low for a, b in zip(bins, bins[1:], strict=False))
    assert bins[0].low == 1 and bins[-1].high == 8
    assert bins[0].figures.macro_f1 > 0.7 and bins[-1].figures.f1_incorrect == 0.0
    lengths = [100.0 * len(row) for row in labels]
    by_length = f1_by_length(labels, scores, 0.5, lengths, bins=2)
    assert len(by_length) == 2 and by_length[0].figures.macro_f1 > by_length[1].figures.macro_f1
    short = [i for i, length in enumerate(lengths) if length <= by_length[0].high]
    same = step_f1([labels[i] for i in short], [scores[i] for i in short], 0.5)
    assert same.pooled == by_length[0].figures
    assert len(f1_by_position([[1], [-1]], [[0.3], [0.6]], 0.5)) == 1
    assert f1_by_position([[0]], [[0.3]], 0.5) == ()


def test_first_errors_by_source_and_their_mean() -> None:
    labels = [[1, -1], [-1, 0], [1, 1], [1, -1], [1, 1], [1, 1], [-1]]
    scores = [[0.9, 0.1], [0.9, 0.1], [0.9, 0.9], [0.9, 0.1], [0.1, 0.9], [0.9, 0.9], [0.1]]
    sources = ["a", "a", "a", "b", "b", "b", "c"]
    found = first_errors(labels, scores, 0.5, sources, resamples=200)
    assert {name: part.harmonic_mean for name, part in found.by_source.items()} == {
        "a": pytest.approx(2 / 3),
        "b": pytest.approx(2 / 3),
        "c": None,
    }
    assert found.mean_f1 == pytest.approx(2 / 3)
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low < 2 / 3 < found.high <= 1
    none = first_errors([[1]], [[0.9]], 0.5, ["a"])
    assert (none.mean_f1, none.low, none.high) == (None, None, None)
    with pytest.raises(DataError, match="2 sources; give as many"):
        first_errors([[1]], [[0.9]], 0.5, ["a", "b"])


def test_first_error() -> None:
    labels: Labels = [[1, -1, None], [1, -1, 1], [1, 1, 1], [1, 0, 1], [1, 1, -1], [1, -1], [0, None]]
    scores: Scores = [
        [0.9, 0.1, 0.1],
        [0.2, 0.1, 0.9],
        [0.9, 0.9, 0.9],
        [0.9, 0.1, 0.8],
        [0.9] * 3,
        [None, 0.1],
        [1, 1],
    ]
    result = first_error_accuracy(labels, scores, 0.5)
    assert result.accuracy_with_error == 1 / 4  # exact; too early; never; a step unmade
    assert result.accuracy_without_error == 1.0  # the neutral step isn't looked at
    assert result.accuracy == 3 / 6 and result.solutions == 6
    assert result.harmonic_mean == pytest.approx(2 * 0.25 / 1.25)
    assert first_error_accuracy([[1]], [[0.9]], 0.5).accuracy_with_error is None
    assert first_error_accuracy([[1], [-1]], [[0.1], [0.9]], 0.5).harmonic_mean == 0.0


def test_ranking_against_pair_counting() -> None:
    rng = np.random.default_rng(6)
    labels = [[int(v) for v in rng.choice([1, -1, 0], 6)] for _ in range(20)]
    scores: list[list[float | None]] = [np.round(rng.random(6), 1).tolist() for _ in range(20)]
    scores[0][0], labels[0][0] = None, 1
    pairs_of = [zip(*row, strict=True) for row in zip(labels, scores, strict=True)]
    flat = [(label, score) for row in pairs_of for label, score in row if score is not None]
    good, bad = ([s for label, s in flat if label == kind] for kind in (1, -1))
    pairs = [1.0 if g > b else 0.5 if g == b else 0.0 for g in good for b in bad]
    result = step_ranking(labels, scores)
    assert result.auroc == pytest.approx(sum(pairs) / len(pairs), abs=1e-12)
    assert result.steps == len(good) + len(bad) and result.unmade == 1
    assert result.share_incorrect == pytest.approx(len(bad) / result.steps)
    perfect = step_ranking([[1, 1, 1, -1]], [[0.9, 0.8, 0.7, 0.1]])
    assert (perfect.auroc, perfect.average_precision_correct, perfect.average_precision_incorrect) == (1.0, 1.0, 1.0)
    worst = step_ranking([[1, 1, 1, -1]], [[0.1, 0.2, 0.3, 0.9]])
    assert worst.average_precision_incorrect == pytest.approx(0.25)
    assert step_ranking([[1, 1]], [[0.2, 0.3]]).auroc is None


def test_reliability() -> None:
    result = step_reliability([[1, -1, 1, 1]], [[0.25, 0.25, 0.95, 1.0]], bins=10)
    assert result is not None
    assert [(b.low, b.steps, b.share_correct) for b in result.bins] == [(0.2, 2, 0.5), (0.9, 2, 1.0)]
    assert result.expected_calibration_error == pytest.approx((2 * 0.25 + 2 * 0.025) / 4)
    rng = np.random.default_rng(9)
    chance = rng.random(20_000)
    labels = [1 if draw < share else -1 for draw, share in zip(rng.random(20_000), chance, strict=True)]
    honest = step_reliability([labels], [chance.tolist()])
    assert honest is not None and honest.expected_calibration_error < 0.02
    assert step_reliability([[1]], [[1.5]]) is None
    assert step_reliability([[0]], [[0.5]]) is None


def test_refusals() -> None:
    with pytest.raises(DataError, match="solution 1: 2 labels but 1 scores"):
        step_f1([[1], [1, 1]], [[0.5], [0.5]], 0.5)
    with pytest.raises(DataError, match="solution 0, step 1: label 2"):
        step_f1([[1, 2]], [[0.5, 0.5]], 0.5)
    with pytest.raises(DataError, match="1 source names for 2"):
        step_f1([[1], [1]], [[0.5], [0.5]], 0.5, ["a"])
    with pytest.raises(DataError, match="2 labelled solutions but scores for 1"):
        step_f1([[1], [1]], [[0.5]], 0.5)
    with pytest.raises(ConfigError, match="5 folds"):
        cross_fitted_threshold([[1], [-1]], [[0.5], [0.4]])
    with pytest.raises(ConfigError, match="no scored step"):
        cross_fitted_threshold([[1], [1]], [[None], [0.4]], folds=2)
    with pytest.raises(DataError, match="1 lengths for 2"):
        f1_by_length([[1], [1]], [[0.5], [0.5]], 0.5, [3])
