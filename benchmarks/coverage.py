"""How often 95% intervals hold the truth, and how often a sweep over N finds an effect that isn't there.

Every world redraws questions and their pools, out of a population of which the truth is known exactly: 4,000 questions
(or groups of them) with 16 candidates each, correct with a question's own probability, and two critics of one quality
whose scores are normal around 0 for wrong and around `edge` for correct candidates. Rates are those of the shipped
functions; the Monte-Carlo error of each stands in the heading. One core, about ten minutes; `--quick` about one.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from vpbench import stats
from vpbench.stats.best_of_n import subset_within
from vpbench.stats.random_scores import random_scores_p, variance_of_dealt_scores

Array = NDArray[np.float64]
Random = np.random.Generator

NS = (2, 4, 8, 16)
POOL = 16
SEED = 11
ACCURACIES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.985, 0.99)
UNITS = (7, 20, 50, 60, 300, 501)
LEVEL = 0.95
AT_ONCE = 200
"""Worlds that share their resamples' draws."""


@dataclass(frozen=True)
class Population:
    """Values [P, len(NS)] of two critics of one quality and the controls; `correct` [P, questions of a group, POOL].

    `oracle` and `worst` are the most and the least that a critic could reach.
    """

    critic: Array
    rival: Array
    random: Array
    vote: Array
    oracle: Array
    worst: Array
    correct: NDArray[np.bool_]


def population(chances: Array, edge: float, rng: Random) -> Population:
    """Pools of questions whose candidates are correct with `chances` [P]."""
    size = (len(chances), POOL)
    correct = rng.random(size) < chances[:, None]
    classes = np.where(correct, 0, rng.integers(1, 4, size)).astype(str).tolist()
    curves = []
    for _ in range(2):
        scores = edge * correct + rng.normal(size=size)
        rows = zip(correct, classes, scores, strict=True)
        pools = [stats.QuestionPool("", right, tuple(names), values) for right, names, values in rows]
        curves.append(stats.curves(pools, ns=NS))
    first, second = curves
    assert first.critic is not None and second.critic is not None
    controls = (first.random, first.vote, first.oracle, first.worst)
    return Population(first.critic, second.critic, *controls, correct[:, None])


def questions(a: float, b: float, edge: float, rng: Random, size: int = 4_000) -> Population:
    """Questions whose chance to be answered correctly follows Beta(a, b)."""
    return population(rng.beta(a, b, size), edge, rng)


def worst_cases(variants: int, edge: float, rng: Random, size: int = 1_000) -> Population:
    """Groups of `variants` questions that count as the product of their correctness, as DynaMath's worst case does."""
    difficulty = np.repeat(rng.normal(2.0, 2.0, size), variants) + rng.normal(0.0, 0.7, size * variants)
    of = population(1 / (1 + np.exp(-difficulty)), edge, rng)
    values = (of.critic, of.rival, of.random, of.vote, of.oracle, of.worst)
    products = (matrix.reshape(size, variants, -1).prod(axis=1) for matrix in values)
    return Population(*products, of.correct.reshape(size, variants, POOL))


def batches(worlds: int) -> Iterator[tuple[int, int]]:
    """(seed of the resamples, number of worlds) until there are `worlds`."""
    for seed, start in enumerate(range(0, worlds, AT_ONCE)):
        yield seed, min(AT_ONCE, worlds - start)


def holds(low: Array, high: Array, truth: Array) -> Array:
    """1 where the interval holds the truth, but for rounding."""
    return ((low <= truth + 1e-12) & (truth - 1e-12 <= high)).astype(float)


def accuracy_coverage(values: Array, units: int, worlds: int, rng: Random, resamples: int) -> Array:
    """[K]: share of worlds of so many units of a population's `values` [P, K] whose interval holds their mean."""
    hits = []
    for seed, many in batches(worlds):
        seen = values[rng.integers(len(values), size=(units, many))]
        low, high = stats.bootstrap_intervals(seen.reshape(units, -1), None, resamples, seed)
        hits.append(holds(low, high, np.tile(values.mean(axis=0), many)).reshape(many, -1))
    return np.concatenate(hits).mean(axis=0)


def compared(
    a: Array, b: Array, resamples: int, seed: int, ends: tuple[Array, Array] | None = None
) -> tuple[Array, Array, Array]:
    """Low, high and p [worlds, K] of worlds a and b [units, worlds, K]; `ends` are what a could have been."""
    units, many, columns = a.shape
    one, two = a.reshape(units, -1), b.reshape(units, -1)
    flat = None if ends is None else (ends[0].reshape(units, -1), ends[1].reshape(units, -1))
    rows = stats.paired_differences(one, two, None, resamples, seed, ends=flat)
    ends = np.array([(row.low, row.high, row.p_value) for row in rows]).reshape(many, columns, 3)
    return ends[..., 0], ends[..., 1], ends[..., 2]


def difference_coverage(of: Population, control: str, units: int, worlds: int, rng: Random, resamples: int) -> Array:
    """[K]: as `accuracy_coverage`, of the critic's difference from a control, or from its rival."""
    a, b = of.critic, getattr(of, control)
    truth, hits = (a - b).mean(axis=0), []
    for seed, many in batches(worlds):
        pick = rng.integers(len(a), size=(units, many))
        ends = (of.oracle[pick], of.worst[pick]) if control == "random" else None
        low, high, _ = compared(a[pick], b[pick], resamples, seed, ends)
        hits.append(holds(low, high, truth))
    return np.concatenate(hits).mean(axis=0)


Draw = Callable[[int, int, Random], tuple[Array, Array, Array | None]]
"""(units, worlds, rng) to two sets of values [units, worlds, K] of equal expectation, and for a random critic the
variance [units, worlds, K] of its values where units are questions."""


def equal_critics(of: Population) -> Draw:
    """The two critics, which is which drawn anew for every unit."""

    def draw(units: int, worlds: int, rng: Random) -> tuple[Array, Array, None]:
        pick = rng.integers(len(of.critic), size=(units, worlds))
        swapped = rng.random((units, worlds, 1)) < 0.5
        one, two = of.critic[pick], of.rival[pick]
        return np.where(swapped, two, one), np.where(swapped, one, two), None

    return draw


def random_critic(of: Population) -> Draw:
    """A critic of random scores, drawn anew, and a random pick."""
    columns = np.array(NS) - 1
    # The candidate above b others is the best of n with probability C(b + 1, n) / C(T, n) - C(b, n) / C(T, n).
    weights = np.diff(subset_within(POOL), axis=0)[:, columns]
    variances = None
    if of.correct.shape[1] == 1:
        dealt = [variance_of_dealt_scores(np.arange(float(POOL)), row)[columns] for row in of.correct[:, 0]]
        variances = np.array(dealt)

    def draw(units: int, worlds: int, rng: Random) -> tuple[Array, Array, Array | None]:
        pick = rng.integers(len(of.correct), size=(units, worlds))
        values = (rng.permuted(of.correct[pick], axis=-1) @ weights).prod(axis=-2)
        return values, of.random[pick], None if variances is None else variances[pick]

    return draw


def family_wise_error(draw: Draw, units: int, worlds: int, rng: Random, resamples: int) -> float:
    """Share of worlds without any effect in which some N of the sweep has p (Holm) below 0.05."""
    wrong = []
    for seed, many in batches(worlds):
        one, two, variances = draw(units, many, rng)
        _, _, p_values = compared(one, two, resamples, seed)
        if variances is not None:
            # As a result does it for the gain over a random pick.
            flat = random_scores_p((one - two).mean(axis=0).ravel(), variances.reshape(units, -1))
            p_values = np.maximum(p_values, flat.reshape(p_values.shape))
        wrong += [min(stats.holm(row)) < 1 - LEVEL for row in p_values.tolist()]
    return float(np.mean(wrong))


@dataclass(frozen=True)
class Steps:
    """Labels and the scores of two critics of one quality, a list per solution, and each solution's question."""

    labels: list[list[int]]
    scores: tuple[list[list[float]], list[list[float]]]
    groups: list[int]


def steps(questions: int, solutions: int, edge: float, rng: Random) -> Steps:
    """2 to 9 steps each; labels and scores are correlated within a solution and within its question."""
    drawn = Steps([], ([], []), [])
    for group in range(questions):
        difficulty = rng.normal()
        for _ in range(solutions):
            size, level = int(rng.integers(2, 10)), rng.normal()
            correct = rng.random(size) < 1 / (1 + np.exp(-(1.3 + difficulty + level)))
            drawn.labels.append(np.where(correct, 1, -1).tolist())
            for scores in drawn.scores:
                noise = 0.5 * rng.normal() + 0.5 * level + rng.normal(size=size)
                scores.append((edge * (correct - 0.5) + noise).tolist())
            drawn.groups.append(group)
    return drawn


def step_rates(
    questions: int, solutions: int, edge: float, worlds: int, rng: Random, resamples: int
) -> tuple[float, float, float]:
    """Coverage of macro-F1, coverage of the difference of equal critics, share of these with p below 0.05."""
    many = steps(20_000, 1, edge, rng)
    truth = stats.step_f1(many.labels, many.scores[0], 0.0).pooled.macro_f1
    rates = []
    for seed in range(worlds):
        seen = steps(questions, solutions, edge, rng)
        low, high = stats.macro_f1_interval(
            seen.labels, seen.scores[0], 0.0, seen.groups, resamples=resamples, seed=seed
        )
        difference = stats.macro_f1_difference(
            seen.labels, seen.scores, (0.0, 0.0), seen.groups, resamples=resamples, seed=seed
        )
        rates.append((low <= truth <= high, difference.low <= 0 <= difference.high, difference.p_value < 0.05))
    coverage, of_difference, rejected = np.mean(rates, axis=0)
    return float(coverage), float(of_difference), float(rejected)


Tasks = Sequence[tuple[int, int, float]]
"""Of each task the units (questions, or groups of them), the questions in a unit, and the accuracy."""

UNLIKE: Tasks = ((20, 1, 0.1), (64, 1, 0.5), (304, 1, 0.9), (1_000, 1, 0.97), (7, 10, 0.6))
STUDIES: dict[str, Tasks] = {
    "unlike": UNLIKE,
    "seven small": ((64, 1, 0.6),) * 7,
    "seven near 1": ((64, 1, 0.97),) * 7,
    "seven of 20": ((20, 1, 0.3), (20, 1, 0.9), (20, 1, 0.8), (20, 1, 0.85), (20, 1, 0.7), (2, 10, 0.5), (6, 3, 0.3)),
    "7 groups beside 1,000": ((7, 10, 0.6), (1_000, 1, 0.5), (1_000, 1, 0.9)),
    "as the benchmarks": (
        *((900, 1, 0.6), (1_000, 1, 0.7), (304, 1, 0.3), (788, 1, 0.5)),
        *((501, 1, 0.3), (525, 1, 0.45), (448, 1, 0.5)),
    ),
}


def _clusters(units: int, size: int) -> list[int]:
    return np.repeat(np.arange(units), size).tolist()


def study(tasks: Tasks, worlds: int, draws: int, rng: Random) -> list[stats.Stratum]:
    """Values [questions, worlds]: the share of so many draws that are right; questions of a unit are alike."""
    strata = []
    for number, (units, size, accuracy) in enumerate(tasks):
        chances = rng.beta(2 * accuracy, 2 * (1 - accuracy), (units, worlds)).repeat(size, axis=0)
        strata.append(stats.Stratum(str(number), rng.binomial(draws, chances) / draws, _clusters(units, size)))
    return strata


def mean_coverage(tasks: Tasks, draws: int, worlds: int, rng: Random, resamples: int) -> float:
    """Share of worlds whose interval holds the mean accuracy of the tasks."""
    truth, hits = float(np.mean([accuracy for _, _, accuracy in tasks])), []
    for seed, many in batches(worlds):
        low, high = stats.mean_intervals(study(tasks, many, draws, rng), resamples, seed)
        hits.append(holds(low, high, np.full(many, truth)))
    return float(np.concatenate(hits).mean())


def pairs_of_equals(tasks: Tasks, differ: float, critics: int, worlds: int, rng: Random) -> list[stats.Stratum]:
    """Differences [questions, worlds * pairs] of critics of one quality that differ at a share of the questions.

    Questions of a unit are alike to each critic, as far as it has a view of its own.
    """
    first, second = np.triu_indices(critics, 1)
    strata = []
    for number, (units, size, accuracy) in enumerate(tasks):
        chances = rng.beta(2 * accuracy, 2 * (1 - accuracy), (units, 1, worlds)).repeat(size, axis=0)
        alike = rng.random(chances.shape) < chances
        views = rng.normal(0.0, 0.15, (units, critics, worlds)).repeat(size, axis=0)
        own = rng.random(views.shape) < np.clip(chances + views, 0.0, 1.0)
        values = np.where(rng.random(views.shape) < differ, own, alike).astype(float)
        # worlds first, so that the pairs of one stand side by side
        rows = np.moveaxis(values[:, first] - values[:, second], 1, 2).reshape(units * size, -1)
        strata.append(stats.Stratum(str(number), rows, _clusters(units, size)))
    return strata


def pairs_error(tasks: Tasks, differ: float, critics: int, worlds: int, rng: Random, resamples: int) -> float:
    """Share of worlds of equal critics in which some pair has p (Holm) below 0.05."""
    wrong = []
    for seed, many in batches(worlds):
        rows = stats.mean_differences(pairs_of_equals(tasks, differ, critics, many, rng), resamples, seed)
        p_values = np.array([row.p_value for row in rows]).reshape(many, -1)
        wrong += [min(stats.holm(world)) < 1 - LEVEL for world in p_values.tolist()]
    return float(np.mean(wrong))


def monte_carlo_error(worlds: int) -> float:
    """Standard error of a rate of 95% (or 5%) over so many worlds."""
    return float(np.sqrt(LEVEL * (1 - LEVEL) / worlds))


def show(title: str, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    print(f"\n{title}\n\n{tabulate(rows, headers, floatfmt='.3f')}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the worlds")
    worlds = 200 if parser.parse_args().quick else 2_000
    resamples = 2_000
    rng = np.random.default_rng(SEED)
    error = monte_carlo_error(worlds)
    rows: list[list[object]] = []
    for share in ACCURACIES:
        zero_one = (np.arange(2_000) < round(2_000 * share)).astype(float)[:, None]
        rows.append([share, *accuracy_coverage(zero_one, 60, 5 * worlds, rng, resamples)])
    show(f"0/1 values, 60 questions (+-{error / 5**0.5:.3f})", ["accuracy", "coverage"], rows)
    populations = {
        "middle": questions(1, 1, 1.0, rng),
        "high": questions(12, 0.5, 1.5, rng),
        "ceiling": questions(8, 0.25, 2.5, rng),
        "low": questions(0.3, 6, 0.7, rng),
        "high, scores of chance": questions(12, 0.5, 0.0, rng),
        "low, scores of chance": questions(0.3, 6, 0.0, rng),
        "worst case of 10": worst_cases(10, 1.5, rng),
    }
    rows, sweeps = [], []
    for name, of in populations.items():
        truth = ", ".join(f"{value:.3f}" for value in of.critic.mean(axis=0))
        for units in UNITS:
            rows.append([name, truth, units, "accuracy", *accuracy_coverage(of.critic, units, worlds, rng, resamples)])
            for control in ("random", "vote", "rival"):
                rates = difference_coverage(of, control, units, worlds, rng, resamples)
                rows.append([name, truth, units, f"minus {control}", *rates])
            draws = (equal_critics(of), random_critic(of))
            sweeps.append([name, units, *(family_wise_error(draw, units, worlds, rng, resamples) for draw in draws)])
    show(f"coverage (+-{error:.3f})", ["world", "truth", "units", "of", *(f"N = {n}" for n in NS)], rows)
    show(f"family-wise error over N (+-{error:.3f})", ["world", "units", "equal critics", "random critic"], sweeps)
    rows = []
    for name, tasks in STUDIES.items():
        means = [mean_coverage(tasks, draws, worlds, rng, resamples) for draws in (1, 16)]
        errors = [pairs_error(tasks, differ, 4, worlds, rng, resamples) for differ in (0.05, 0.3, 1.0)]
        rows.append([name, *means, *errors])
    headers = [
        "tasks",
        "mean of 0/1",
        "mean of 16ths",
        *(f"pairs differ at {share}" for share in ("5%", "30%", "100%")),
    ]
    show(f"studies: coverage of the mean, family-wise error over pairs of 4 (+-{error:.3f})", headers, rows)
    rows = []
    few = worlds // 4
    for edge in (0.0, 1.5, 3.0):
        for size, solutions in ((7, 1), (20, 1), (50, 1), (60, 1), (300, 1), (100, 4)):
            rows.append([edge, size, solutions, *step_rates(size, solutions, edge, few, rng, 600)])
    headers = ["edge", "questions", "solutions of each", "macro-F1", "equal critics: difference", "p < .05"]
    show(f"steps (+-{monte_carlo_error(few):.3f})", headers, rows)


if __name__ == "__main__":
    main()
