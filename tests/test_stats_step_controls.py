"""Controls of step detection, areas with intervals, and intervals of held-out figures, where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from shared_data import shared_rows

from vpbench.errors import DataError
from vpbench.stats import (
    coin_macro_f1,
    cross_fitted_threshold,
    macro_f1_difference,
    macro_f1_interval,
    measure_step_controls,
    step_auroc,
    step_f1,
    step_ranking,
)

World = tuple[list[list[int]], list[list[str]], list[int]]


def texts_at_random(seed: int, solutions: int = 240) -> World:
    """Labels (70% correct), texts and questions (two solutions each) that have nothing to do with each other."""
    rng = np.random.default_rng(seed)
    labels, steps = [], []
    for _ in range(solutions):
        size = int(rng.integers(3, 8))
        labels.append([1 if value < 0.7 else -1 for value in rng.random(size)])
        steps.append(
            [" ".join(rng.choice(["add", "take", "so", "is"], 4)) + "." * rng.integers(5) for _ in range(size)]
        )
    return labels, steps, [number // 2 for number in range(solutions)]


def clustered(seed: int, questions: int = 60) -> tuple[list[list[int]], list[list[float]], list[int]]:
    """Two solutions of five steps to a question; how hard a question is moves its labels and its scores."""
    rng = np.random.default_rng(seed)
    labels, scores = [], []
    for _ in range(questions):
        ease, taste = rng.uniform(0.3, 1.0), rng.normal(0, 0.5)
        for _ in range(2):
            correct = rng.random(5) < ease
            labels.append([1 if value else -1 for value in correct])
            scores.append((0.5 + 0.5 * correct + taste + 0.3 * ease + rng.normal(0, 0.5, 5)).tolist())
    return labels, scores, [number // 2 for number in range(2 * questions)]


def test_coin_in_closed_form() -> None:
    rng = np.random.default_rng(0)
    for share, called in ((0.85, 0.85), (0.85, 0.5), (0.3, 0.9)):
        labels = [[1 if value < share else -1 for value in rng.random(40_000)]]
        scores = [[float(value < called) for value in rng.random(40_000)]]
        assert step_f1(labels, scores, 0.5).pooled.macro_f1 == pytest.approx(coin_macro_f1(share, called), abs=0.01)
    assert coin_macro_f1(0.77, 0.77) == pytest.approx(0.5)
    assert coin_macro_f1(0.5, 1.0) == pytest.approx(1 / 3)
    assert coin_macro_f1(1.0, 1.0) == 0.5


def test_nothing_is_made_of_nothing() -> None:
    always, coin, position, words = measure_step_controls(*texts_at_random(0), resamples=200)
    assert [control.name for control in (always, coin, position, words)] == [
        "always correct",
        "coin at the label share",
        "position and length",
        "bag of words",
    ]
    labels, _, _ = texts_at_random(0)
    share = np.mean([label == 1 for row in labels for label in row])
    assert always.macro_f1 == pytest.approx(share / (1 + share)) and always.auroc is None
    assert always.low is not None and always.high is not None and always.low < always.macro_f1 < always.high
    assert (coin.macro_f1, coin.low, coin.high, coin.auroc) == (pytest.approx(0.5), None, None, None)
    for seed in range(4):
        for control in measure_step_controls(*texts_at_random(seed), resamples=100)[2:]:
            assert control.auroc is not None and abs(control.auroc.value - 0.5) < 0.07
            assert control.macro_f1 < 0.55


def test_each_control_finds_what_was_planted_for_it() -> None:
    labels, steps, questions = texts_at_random(1)
    labels = [[-1 if position >= 3 else 1 for position in range(len(row))] for row in labels]
    position, words = measure_step_controls(labels, steps, questions, resamples=100)[2:]
    assert position.auroc is not None and position.auroc.value > 0.97 and position.macro_f1 > 0.9
    assert words.auroc is not None and words.auroc.value < 0.6
    labels, steps, questions = texts_at_random(2)
    steps = [
        [text + (" wait" if label == -1 else "....") for text, label in zip(*row, strict=True)]
        for row in zip(steps, labels, strict=True)
    ]
    words = measure_step_controls(labels, steps, questions, resamples=100)[3]
    assert words.auroc is not None and words.auroc.value > 0.99 and words.macro_f1 > 0.95


def test_no_question_is_judged_by_what_was_learnt_on_it() -> None:
    """A question's word and label are its own: they tell where folds go by solution, nothing where by question."""
    labels, steps, questions = texts_at_random(3)
    rng = np.random.default_rng(3)
    kind = np.where(rng.random(len(questions)) < 0.6, 1, -1)
    labels = [[int(kind[question])] * len(row) for question, row in zip(questions, labels, strict=True)]
    steps = [[f"only{question}"] * len(row) for question, row in zip(questions, labels, strict=True)]
    apart = measure_step_controls(labels, steps, questions, resamples=100)[3].auroc
    leaked = measure_step_controls(labels, steps, None, resamples=100)[3].auroc
    assert apart is not None and leaked is not None
    assert apart.value < 0.6 and leaked.value > 0.9


def test_labels_that_are_left_out_play_no_part() -> None:
    labels, steps, questions = texts_at_random(4)
    padded = measure_step_controls(
        [[0, *row, None] for row in labels], [["x", *row, "y"] for row in steps], questions, resamples=100
    )
    plain = measure_step_controls(labels, steps, questions, resamples=100)
    assert padded[0] == plain[0]
    # The words are the same, only positions have moved.
    assert padded[3] == plain[3]


def test_what_cant_be_fitted_is_left_out() -> None:
    labels, steps, questions = texts_at_random(5, 20)
    assert len(measure_step_controls(labels, None, questions, resamples=100)) == 2
    assert len(measure_step_controls(labels, steps, [0] * 20, resamples=100)) == 2
    assert len(measure_step_controls([[1] * len(row) for row in labels], steps, questions, resamples=100)) == 2
    blank = [["..."] * len(row) for row in steps]
    words = measure_step_controls(labels, blank, questions, resamples=100)[3]
    assert words.auroc is not None and words.auroc.value < 0.6
    assert measure_step_controls([[0, None]], [["a", "b"]]) == ()
    with pytest.raises(DataError, match="solution 1: 2 labels but 1 steps"):
        measure_step_controls([[1], [1, -1]], [["a"], ["b"]])
    with pytest.raises(DataError, match="texts of 1"):
        measure_step_controls([[1], [1, -1]], [["a"]])
    with pytest.raises(DataError, match="1 cluster names for 2"):
        measure_step_controls([[1], [-1]], [["a"], ["b"]], ["q"])


def test_the_area_is_that_of_the_ranking_and_its_interval_covers() -> None:
    truth = step_auroc(*clustered(10**6, 20_000))
    assert truth is not None
    hits, narrow = 0, 0
    for seed in range(300):
        labels, scores, questions = clustered(seed)
        area = step_auroc(labels, scores, questions)
        assert area is not None and area.low is not None and area.high is not None
        assert area.value == pytest.approx(step_ranking(labels, scores).auroc)
        hits += area.low <= truth.value <= area.high
        by_step = step_auroc([[label] for row in labels for label in row], [[value] for row in scores for value in row])
        assert by_step is not None and by_step.low is not None and by_step.high is not None
        narrow += by_step.low <= truth.value <= by_step.high
    assert 0.92 <= hits / 300 <= 0.98
    assert narrow < hits


def test_areas_without_an_interval() -> None:
    assert step_auroc([[1, 1]], [[0.1, 0.2]]) is None
    assert step_auroc([[0]], [[0.1]]) is None
    one = step_auroc([[1, -1, 1]], [[0.1, 0.2, 0.3]])
    assert one is not None and (one.value, one.low, one.high) == (0.5, None, None)
    perfect = step_auroc([[1, -1], [1, -1]], [[0.9, 0.1], [0.8, None]])
    assert perfect is not None and (perfect.value, perfect.low) == (1.0, None)
    with pytest.raises(DataError, match="1 cluster names for 2"):
        step_auroc([[1], [-1]], [[0.1], [0.2]], ["q"])


def test_the_held_out_interval_covers_what_cross_fitting_reaches() -> None:
    """The chosen thresholds vary too; that adds little to what the questions vary."""
    reached = np.mean([cross_fitted_threshold(*with_no_sources(seed)).detection.pooled.macro_f1 for seed in range(200)])
    hits = 0
    for seed in range(200, 400):
        labels, scores, sources, questions = with_no_sources(seed)
        fitted = cross_fitted_threshold(labels, scores, sources, questions)
        assert set(fitted.by_solution) == set(fitted.thresholds)
        low, high = macro_f1_interval(labels, scores, fitted.by_solution, questions, resamples=300)
        assert low < fitted.detection.pooled.macro_f1 < high
        hits += low <= reached <= high
    assert 0.91 <= hits / 200 <= 0.985


def with_no_sources(seed: int) -> tuple[list[list[int]], list[list[float]], None, list[int]]:
    labels, scores, questions = clustered(seed)
    return labels, scores, None, questions


def test_held_out_figures_of_two_critics_are_compared_on_the_same_solutions() -> None:
    labels, scores, questions = clustered(7)
    rng = np.random.default_rng(7)
    noisy = [(np.array(row) + rng.normal(0, 1, 5)).tolist() for row in scores]
    fits = [cross_fitted_threshold(labels, values, clusters=questions) for values in (scores, noisy)]
    gain = macro_f1_difference(
        labels, (scores, noisy), (fits[0].by_solution, fits[1].by_solution), questions, resamples=500
    )
    assert gain.value == pytest.approx(fits[0].detection.pooled.macro_f1 - fits[1].detection.pooled.macro_f1)
    assert 0 < gain.low < gain.value < gain.high
    # A critic on another scale is the same critic once its threshold is chosen.
    scaled = [[2 * value + 5 for value in row] for row in scores]
    again = cross_fitted_threshold(labels, scaled, clusters=questions)
    same = macro_f1_difference(labels, (scores, scaled), (fits[0].by_solution, again.by_solution), questions, 500)
    assert same.value == 0.0
    assert same.low < 0.0 < same.high
    assert same.p_value > 0.5


@pytest.mark.parametrize(
    ("name", "position", "words"),
    [("processbench", (0.641, 0.761), (0.616, 0.712)), ("mr_ben", (0.540, 0.585), (0.549, 0.612))],
)
def test_what_published_step_sets_give_away(
    name: str, position: tuple[float, float], words: tuple[float, float]
) -> None:
    """The figures of docs/results.md."""
    rows = shared_rows(f"steps/{name}.jsonl.gz", "labels")
    labels, steps, questions = ([row[field] for row in rows] for field in ("labels", "steps", "question"))
    for control, expected in zip(
        measure_step_controls(labels, steps, questions, resamples=100)[2:], (position, words), strict=True
    ):
        assert control.auroc is not None
        assert (control.macro_f1, control.auroc.value) == pytest.approx(expected, abs=0.005)
