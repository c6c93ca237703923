"""The figures of `make real` against those of the package, on drawn scores; its rows, as far as they need no model."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from vpbench.stats import step_f1
from vpbench.stats.auroc import step_auroc
from vpbench.stats.first_error_mean import first_errors

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts" / "real"))

from figures import RESAMPLES, Measure, Scorer, Solution, mean_of
from page import Training, page
from rows import until_first_error


def drawn(count: int = 60) -> tuple[Measure, list[list[float | None]], Scorer]:
    """Solutions with first-error labels, scores that know a little, ties among them."""
    random, solutions, scores = np.random.default_rng(3), [], []
    for number in range(count):
        steps = int(random.integers(1, 7))
        wrong = int(random.integers(0, steps)) if random.random() < 0.5 else -1
        labels = [1] * steps if wrong < 0 else [1] * wrong + [-1] + [0] * (steps - wrong - 1)
        texts = tuple("x" * int(random.integers(5, 90)) for _ in labels)
        solutions.append(Solution("ab"[number % 2], f"q{number // 3}", "text", texts, tuple(labels)))
        scores.append([round(float(random.random() + 0.3 * label), 1) for label in labels])
    measure = Measure(solutions)
    flat = np.array([scores[row][at] for row, at in zip(measure.row, measure.position, strict=True)])
    return measure, scores, Scorer("drawn", flat, 0.55)


def test_figures_are_those_of_the_package() -> None:
    measure, scores, scorer = drawn()
    figures = measure.figures(scorer)
    labels = [solution.labels for solution in measure.solutions]
    area = step_auroc(labels, scores)
    assert area is not None and figures["AUROC"].value == pytest.approx(area.value)
    assert figures["macro-F1"].value == pytest.approx(step_f1(labels, scores, 0.55).pooled.macro_f1)
    sources = [solution.source for solution in measure.solutions]
    assert figures["first-error F1"].value == pytest.approx(first_errors(labels, scores, 0.55, sources).mean_f1)
    for figure in figures.values():
        low, high = figure.interval()
        assert len(figure.drawn) == RESAMPLES and low < figure.value < high


def test_pairs_of_one_stratum_alone_count() -> None:
    measure, _, scorer = drawn()
    pairs = [
        (scorer.scores[right] > scorer.scores[wrong]) + (scorer.scores[right] == scorer.scores[wrong]) / 2
        for right in np.flatnonzero(measure.truth)
        for wrong in np.flatnonzero(~measure.truth)
        if measure.position[right] == measure.position[wrong]
        and measure.source[measure.row[right]] == measure.source[measure.row[wrong]]
    ]
    assert measure.figures(scorer)["AUROC, same index"].value == pytest.approx(np.mean(pairs))


def test_a_resample_is_the_sample_with_solutions_repeated() -> None:
    measure, _, scorer = drawn(12)
    weights = measure.weights[1].astype(int)
    repeated = [solution for solution, count in zip(measure.solutions, weights, strict=True) for _ in range(count)]
    again = Measure(repeated)
    first = {row: np.flatnonzero(measure.row == row) for row in range(len(measure.solutions))}
    scores = np.concatenate([scorer.scores[first[row]] for row, count in enumerate(weights) for _ in range(count)])
    figures = measure.figures(scorer)
    for name, figure in again.figures(Scorer("again", scores, 0.55)).items():
        if name != "AUROC, same length":  # whose eighths are those of the sample
            assert figures[name].drawn[0] == pytest.approx(figure.value), name


def test_numbers_of_steps_are_taken_out_and_later_steps_left_out() -> None:
    row = {"question": "q", "steps": ["Step 1: a", "2. b", "3 cats", "4. d"], "labels": [1, 1, -1, 1], "first_error": 2}
    assert until_first_error(row) == {"question": "q", "steps": ["a", "b", "3 cats"], "labels": [1, 1, -1]}


def test_the_page_begins_with_length_and_says_which_gates_fail() -> None:
    measure, _, scorer = drawn()
    good, coin = measure.figures(scorer), mean_of([measure.figures(Scorer("", 0 * scorer.scores, 0.5))] * 2)
    names = ("length", "position", "bag of words")
    took = Training(0, 60.0, False, 2.0, 3, 4, {"+": 5, "-": 6})
    for critic, control, verdict in ((good, coin, "passed"), (coin, good, "FAILED")):
        text = page(
            "make real", 9, {"set": {"exact": 1}}, [took], "some", {"us": critic}, dict.fromkeys(names, control), {}
        )
        assert text.index("Against step length") < text.index("## Gates") < text.index("## Figures")
        assert verdict in text and f"{critic['AUROC'].value:.3f} against {control['AUROC'].value:.3f}" in text
