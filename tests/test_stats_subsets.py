"""The closed forms against enumeration of all n-subsets, with ties, missing scores, silent and half-right classes."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpbench.stats import (
    expected_best,
    expected_oracle,
    expected_random,
    expected_vote,
    expected_weighted_vote,
    first,
    prefix_best,
    prefix_oracle,
    prefix_random,
    prefix_vote,
    prefix_weighted_vote,
)

Pool = tuple[list[float], list[str | None], list[bool]]


def random_pool(seed: int, largest: int = 8) -> Pool:
    """Few score levels and few classes, so that most pools have ties; correctness cuts through classes."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, largest + 1))
    levels = rng.choice([0.0, 0.25, 0.5, 1.0, -0.5, math.nan, -math.inf], size=4, replace=False)
    scores = [float(rng.choice(levels)) for _ in range(size)]
    names = ["a", "b", "c", "d", None][: int(rng.integers(1, 6))]
    classes = [names[int(rng.integers(len(names)))] for _ in range(size)]
    if rng.random() < 0.3:
        classes[int(rng.integers(size))] = None
    return scores, classes, [bool(value) for value in rng.random(size) < rng.choice([0.2, 0.5, 0.8])]


def best_of(subset: tuple[int, ...], scores: list[float], correct: list[bool]) -> float:
    scored = [index for index in subset if not math.isnan(scores[index])]
    top = [i for i in scored if scores[i] == max(scores[j] for j in scored)] if scored else list(subset)
    return sum(correct[i] for i in top) / len(top)


def vote_of(subset: tuple[int, ...], weights: list[float], classes: list[str | None], correct: list[bool]) -> float:
    sums: dict[str, float] = {}
    for index in subset:
        name = classes[index]
        if name is not None:
            sums[name] = sums.get(name, 0.0) + weights[index]
    if not sums:
        return 0.0
    worths = []
    for name in [name for name, total in sums.items() if total == max(sums.values())]:
        members = [correct[i] for i in range(len(classes)) if classes[i] == name]
        worths.append(sum(members) / len(members))
    return sum(worths) / len(worths)


def oracle_of(subset: tuple[int, ...], correct: list[bool]) -> float:
    return float(any(correct[index] for index in subset))


def mean_over_subsets(size: int, value_of: Callable[[tuple[int, ...]], float]) -> list[float]:
    curve = []
    for n in range(1, size + 1):
        values = [value_of(subset) for subset in combinations(range(size), n)]
        curve.append(math.fsum(values) / len(values))
    return curve


@pytest.mark.parametrize("block", range(10))
def test_closed_forms_equal_enumeration(block: int) -> None:
    seen_ties = 0
    for seed in range(40 * block, 40 * block + 40):
        scores, classes, correct = random_pool(seed)
        size = len(correct)
        seen_ties += len({str(score) for score in scores}) < size
        weights = [1.0] * size
        best = mean_over_subsets(size, partial(best_of, scores=scores, correct=correct))
        vote = mean_over_subsets(size, partial(vote_of, weights=weights, classes=classes, correct=correct))
        oracle = mean_over_subsets(size, partial(oracle_of, correct=correct))
        np.testing.assert_allclose(expected_best(scores, correct), best, atol=1e-12, rtol=0)
        np.testing.assert_allclose(expected_vote(classes, correct), vote, atol=1e-12, rtol=0)
        np.testing.assert_allclose(expected_oracle(correct), oracle, atol=1e-12, rtol=0)
    assert seen_ties > 20


@pytest.mark.parametrize("seed", range(12))
def test_drawn_weighted_vote_agrees_with_enumeration_within_its_own_error(seed: int) -> None:
    scores, classes, correct = random_pool(seed + 1000, largest=7)
    scores = [0.125 if math.isinf(score) else score for score in scores]
    weights = [0.0 if math.isnan(score) else score for score in scores]
    exact = mean_over_subsets(len(correct), partial(vote_of, weights=weights, classes=classes, correct=correct))
    drawn, error = expected_weighted_vote(scores, classes, correct, 4000, np.random.default_rng(seed))
    assert np.all(np.abs(drawn - exact) <= 4.5 * error + 1e-12)
    assert error.max() < 0.01
    assert drawn[-1] == pytest.approx(exact[-1], abs=1e-12)
    assert error[-1] == pytest.approx(0, abs=1e-9)


def test_equal_sums_by_rounding_are_ties() -> None:
    correct, classes = [True, True, False], ["a", "a", "b"]
    drawn, _ = expected_weighted_vote([0.1, 0.2, 0.3], classes, correct, 50, np.random.default_rng(0))
    assert drawn[-1] == 0.5
    assert prefix_weighted_vote([0.1, 0.2, 0.3], classes, correct)[-1] == 1.0
    assert prefix_weighted_vote([0.3, 0.1, 0.2], ["b", "a", "a"], [False, True, True])[-1] == 0.0


def prefix_reference(scores: list[float], classes: list[str | None], correct: list[bool]) -> list[list[float]]:
    """The rules of the papers' estimator, written the slow way: one list per selection."""
    rows: list[list[float]] = []
    for n in range(1, len(correct) + 1):
        best = max(range(n), key=lambda i: (not math.isnan(scores[i]), 0 if math.isnan(scores[i]) else scores[i], -i))
        values = [float(correct[best]), float(any(correct[:n])), sum(correct[:n]) / n]
        for weights in ([1.0] * n, [0.0 if math.isnan(score) else score for score in scores[:n]]):
            names = [name for name in dict.fromkeys(classes[:n]) if name is not None]
            if not names:
                values.append(0.0)
                continue
            sums = [math.fsum(weights[i] for i in range(n) if classes[i] == name) for name in names]
            winner = names[sums.index(max(sums))]
            members = [correct[i] for i in range(n) if classes[i] == winner]
            values.append(sum(members) / len(members))
        rows.append(values)
    return [list(column) for column in zip(*rows, strict=True)]


def test_prefix_estimator_equals_its_rules() -> None:
    for seed in range(300):
        scores, classes, correct = random_pool(seed)
        scores = [0.125 if math.isinf(score) else score for score in scores]
        best, oracle, mean, vote, weighted = prefix_reference(scores, classes, correct)
        np.testing.assert_array_equal(prefix_best(scores, correct), best)
        np.testing.assert_array_equal(prefix_oracle(correct), oracle)
        np.testing.assert_allclose(prefix_random(correct), mean, rtol=1e-15)
        np.testing.assert_array_equal(prefix_vote(classes, correct), vote)
        np.testing.assert_array_equal(prefix_weighted_vote(scores, classes, correct), weighted)


scored_pools = st.lists(
    st.tuples(st.sampled_from([0.0, 0.5, 1.0, 2.0, math.nan]), st.sampled_from(["a", "b", "c", None]), st.booleans()),
    min_size=1,
    max_size=40,
)


@given(scored_pools)
@settings(max_examples=150, deadline=None)
def test_identities(rows: list[tuple[float, str | None, bool]]) -> None:
    scores, classes, correct = (list(column) for column in zip(*rows, strict=True))
    mean, oracle = expected_random(correct), expected_oracle(correct)
    best = expected_best(scores, correct)
    close = partial(np.testing.assert_allclose, rtol=0, atol=1e-11)
    close(expected_best(np.array(correct, dtype=float), correct), oracle)
    close(expected_best(np.ones(len(rows)), correct), mean)
    close(expected_best(np.full(len(rows), np.nan), correct), mean)
    close(expected_vote(["x" if right else f"y{i}" for i, right in enumerate(correct)], correct)[0], mean[0])
    close([best[0], oracle[0]], [mean[0], mean[0]])
    scored = [score for score in scores if not math.isnan(score)]
    top = [c for s, c in zip(scores, correct, strict=True) if (s == max(scored) if scored else True)]
    assert best[-1] == pytest.approx(sum(top) / len(top), abs=1e-12)
    assert np.all(np.diff(oracle) >= -1e-12)
    assert np.all(best <= oracle + 1e-11)
    assert np.all(expected_vote(classes, correct) <= 1 + 1e-11)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.integers(0, 6))
@settings(max_examples=60, deadline=None)
def test_win_probabilities_of_all_classes_sum_to_the_chance_of_any_vote(names: list[int], silent: int) -> None:
    classes = [str(name) for name in names] + [None] * silent
    everything_right = expected_vote(classes, [name is not None for name in classes])
    size = len(classes)
    chance = [1 - math.comb(silent, n) / math.comb(size, n) for n in range(1, size + 1)]
    np.testing.assert_allclose(everything_right, chance, atol=1e-12, rtol=0)


def test_known_values() -> None:
    np.testing.assert_allclose(expected_best([3, 2, 1], [False, True, False]), [1 / 3, 1 / 3, 0], atol=1e-15)
    np.testing.assert_allclose(expected_oracle([True, False, False, False]), [0.25, 0.5, 0.75, 1.0], atol=1e-15)
    np.testing.assert_allclose(expected_vote(["a", "a", "b"], [True, True, False]), [2 / 3, 2 / 3, 1.0], atol=1e-15)
    np.testing.assert_allclose(expected_vote([None, "a"], [False, True]), [0.5, 1.0], atol=1e-15)
    np.testing.assert_array_equal(expected_vote([None, None], [True, True]), [0.0, 0.0])
    np.testing.assert_array_equal(first([True, False, False]), [1.0, 1.0, 1.0])


def test_unscored_rank_below_minus_infinity() -> None:
    np.testing.assert_allclose(expected_best([-math.inf, math.nan], [True, False]), [0.5, 1.0])
    np.testing.assert_array_equal(prefix_best([math.nan, -math.inf, math.nan], [False, True, False]), [0, 1, 1])


def test_large_pool_against_monte_carlo() -> None:
    rng = np.random.default_rng(5)
    size, names, draws = 128, 11, 20_000
    code = rng.integers(-1, names, size)
    correct = (code % 4 == 1) & (rng.random(size) < 0.8)
    worth = np.array([correct[code == name].mean() for name in range(names)])
    scores = np.round(rng.random(size), 1)
    votes = expected_vote([None if name < 0 else str(name) for name in code], correct)
    best = expected_best(scores, correct)
    for n in (2, 7, 32, 100):
        order = np.argsort(rng.random((draws, size)), axis=1)[:, :n]
        counts = np.stack([(code[order] == name).sum(axis=1) for name in range(names)], axis=1)
        most = counts.max(axis=1, keepdims=True)
        lead = (counts == most) & (most > 0)
        voted = lead @ worth / np.maximum(lead.sum(axis=1), 1)
        top = scores[order] == scores[order].max(axis=1, keepdims=True)
        picked = (top * correct[order]).sum(axis=1) / top.sum(axis=1)
        assert voted.std() > 0.05
        assert abs(voted.mean() - votes[n - 1]) < 4 * voted.std() / draws**0.5
        assert abs(picked.mean() - best[n - 1]) < 4 * picked.std() / draws**0.5 + 1e-9


@pytest.mark.parametrize(
    "sizes", [[1] * 120, [64, 63], [30, 30, 30, 20], [12] * 10, [50, 20, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]]
)
def test_large_pools_lose_no_probability(sizes: list[int]) -> None:
    classes = [str(name) for name, size in enumerate(sizes) for _ in range(size)]
    silent = 128 - len(classes)
    votes = expected_vote(classes + [None] * silent, [True] * 128)
    chance = [1 - math.comb(silent, n) / math.comb(128, n) for n in range(1, 129)]
    np.testing.assert_allclose(votes, chance, atol=1e-12, rtol=0)


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 scores for 1"):
        expected_best([1.0, 2.0], [True])
    with pytest.raises(ValueError, match="1 answer classes for 2"):
        expected_vote(["a"], [True, False])
    with pytest.raises(ValueError, match="1 scores for 2"):
        prefix_best([1.0], [True, False])
