"""The spread of a critic whose scores are dealt at random, against every deal there is."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from vpbench.stats import expected_best, random_scores_p, variance_of_dealt_scores

NAN = math.nan


@pytest.mark.parametrize(
    ("scores", "correct"),
    [
        ([0.1, 0.2, 0.3, 0.4, 0.5], "11110"),
        ([0.1, 0.2, 0.3, 0.4, 0.5], "10100"),
        ([0.5, 0.5, 0.3, 0.3, 0.9], "11010"),
        ([0.5, NAN, 0.3, NAN, 0.9], "10010"),
        ([0.5, 0.5, 0.5, 0.5], "1100"),
        ([0.1, 0.2, 0.3], "111"),
        ([0.7], "1"),
    ],
)
def test_variance_is_that_over_all_deals(scores: list[float], correct: str) -> None:
    right = [sign == "1" for sign in correct]
    deals = [expected_best(list(deal), right) for deal in itertools.permutations(scores)]
    np.testing.assert_allclose(variance_of_dealt_scores(np.array(scores), right), np.var(deals, axis=0), atol=1e-14)


def test_p_of_a_gain() -> None:
    variances = np.full((100, 3), 0.04)
    # A mean of 100 with standard deviation 0.2 each has the standard error 0.02.
    p_values = random_scores_p(np.array([0.0, 0.0392, -0.0392]), variances)
    assert p_values == pytest.approx([1.0, 0.05, 0.05], abs=1e-4)
    assert random_scores_p(np.zeros(1), np.zeros((5, 1))) == [1.0], "all candidates alike"


def test_a_little_on_every_question_near_the_ceiling_proves_nothing() -> None:
    right = np.array([True] * 15 + [False])
    scores = np.arange(16.0)[::-1]
    gains = expected_best(scores, right) - 15 / 16
    variances = np.tile(variance_of_dealt_scores(scores, right), (12, 1))
    assert gains[-1] == pytest.approx(1 / 16)
    assert random_scores_p(gains, variances)[-1] > 0.3, "one of 16 random critics loses 15/16 on a question"
