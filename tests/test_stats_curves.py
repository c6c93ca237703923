"""Curves over pools: every column, both estimators, unequal pool sizes, weights of votes, refusals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from vpbench.errors import ConfigError, DataError
from vpbench.run.analysis import Analysis
from vpbench.stats import (
    QuestionPool,
    curves,
    expected_best,
    expected_oracle,
    expected_vote,
    full_questions,
    prefix_best,
    prefix_random,
    prefix_vote,
    prefix_weighted_vote,
)
from vpbench.stats.pool_curves import Estimator


def pool(seed: int, size: int, scored: bool = True) -> QuestionPool:
    rng = np.random.default_rng(seed)
    code = rng.integers(0, 4, size)
    scores = np.round(rng.random(size), 1) if scored else None
    return QuestionPool(f"q{seed}", code == 0, tuple(None if k == 3 else str(k) for k in code), scores)


POOLS = [pool(seed, 4 + seed % 3) for seed in range(40)]


def test_expected_columns() -> None:
    result = curves(POOLS, "best", "expected", [1, 4, 2])
    assert result.ns == (1, 4, 2)
    assert result.critic is not None
    for row, question in enumerate(POOLS):
        assert question.scores is not None
        pick = [0, 3, 1]
        np.testing.assert_array_equal(result.critic[row], expected_best(question.scores, question.correct)[pick])
        np.testing.assert_array_equal(result.vote[row], expected_vote(question.classes, question.correct)[pick])
        np.testing.assert_array_equal(result.oracle[row], expected_oracle(question.correct)[pick])
        np.testing.assert_array_equal(result.random[row], [question.correct.mean()] * 3)
        np.testing.assert_array_equal(result.first[row], [float(question.correct[0])] * 3)
    assert not result.drawing_standard_error.any()


def test_prefix_columns() -> None:
    best, weighted = curves(POOLS, "best", "prefix", [3]), curves(POOLS, "weighted-vote", "prefix", [3])
    assert best.critic is not None and weighted.critic is not None
    for row, question in enumerate(POOLS):
        assert question.scores is not None
        assert best.critic[row, 0] == prefix_best(question.scores, question.correct)[2]
        assert best.random[row, 0] == prefix_random(question.correct)[2]
        assert best.vote[row, 0] == prefix_vote(question.classes, question.correct)[2]
        assert best.oracle[row, 0] == question.correct[:3].any()
        assert weighted.critic[row, 0] == prefix_weighted_vote(question.scores, question.classes, question.correct)[2]


def test_vote_selection_is_the_vote_column_and_needs_no_scores() -> None:
    bare = [pool(seed, 5, scored=False) for seed in range(5)]
    result = curves(bare, "vote", ns=[1, 5])
    assert result.critic is not None
    np.testing.assert_array_equal(result.critic, result.vote)
    assert curves(bare, "best", ns=[1, 5]).critic is None


def test_weighted_vote_with_equal_scores_is_the_vote_within_its_error() -> None:
    even = [
        QuestionPool(question.question_id, question.correct, question.classes, np.ones(question.size))
        for question in POOLS
    ]
    result = curves(even, "weighted-vote", ns=[1, 2, 3, 4], seed=3)
    assert result.critic is not None
    assert 0 < result.drawing_standard_error.max() <= 0.001
    gap = np.abs(result.critic.mean(axis=0) - result.vote.mean(axis=0))
    assert np.all(gap <= 4.5 * result.drawing_standard_error + 1e-12)
    again, other = (curves(even, "weighted-vote", ns=[2], seed=seed).critic for seed in (3, 4))
    assert again is not None and other is not None
    assert abs(again.mean() - result.critic[:, 1].mean()) < 0.01
    assert not np.array_equal(again, other)


@pytest.mark.parametrize("estimator", ["expected", "prefix"])
def test_a_weighted_vote_of_one_candidate_is_that_candidate(estimator: Estimator) -> None:
    result = curves(POOLS, "weighted-vote", estimator, [2, 1])
    assert result.critic is not None
    assert result.critic[:, 1].tolist() == result.vote[:, 1].tolist()
    assert result.drawing_standard_error[1] == 0


def test_weighted_vote_repeats_under_its_seed() -> None:
    first, second = (curves(POOLS, "weighted-vote", ns=[3], seed=1) for _ in range(2))
    assert first.critic is not None and second.critic is not None
    np.testing.assert_array_equal(first.critic, second.critic)


def logits_of(pools: Sequence[QuestionPool], shift: float = 0.0) -> list[QuestionPool]:
    rng = np.random.default_rng(0)
    return [replace(question, scores=rng.normal(0, 2, question.size) + shift) for question in pools]


@pytest.mark.parametrize("estimator", ["expected", "prefix"])
def test_a_weighted_vote_refuses_negative_scores_unless_a_link_is_chosen(estimator: Estimator) -> None:
    pools = logits_of(POOLS)
    given = np.concatenate([question.scores for question in pools if question.scores is not None])
    with pytest.raises(ConfigError, match=f"{(given < 0).sum()} of {len(given)} are below 0. Choose --link sigmoid"):
        curves(pools, "weighted-vote", estimator, [1, 3])
    linked = curves(pools, "weighted-vote", estimator, [1, 3], link="sigmoid").critic
    weights = [replace(p, scores=1 / (1 + np.exp(-p.scores))) for p in pools if p.scores is not None]
    by_hand = curves(weights, "weighted-vote", estimator, [1, 3]).critic
    assert linked is not None and by_hand is not None
    np.testing.assert_array_equal(linked, by_hand)
    (one,) = logits_of([pool(1, 4)], shift=50)
    assert one.scores is not None
    one.scores[0] = -1e-9
    with pytest.raises(ConfigError, match="1 of 4 are below 0"):
        curves([one], "weighted-vote", estimator, [1])
    one.scores[0] = np.nan
    curves([one], "weighted-vote", estimator, [1])
    extreme = replace(one, scores=np.array([-np.inf, -1e9, 0.0, np.inf]))
    curves([extreme], "weighted-vote", estimator, [4], link="sigmoid")


def test_a_link_is_for_weighted_votes() -> None:
    with pytest.raises(ConfigError, match="selection 'best' has none"):
        curves(POOLS, "best", ns=[1], link="sigmoid")
    with pytest.raises(ConfigError, match="give --selection weighted-vote with it"):
        Analysis(link="sigmoid")
    assert Analysis(selection="weighted-vote", link="sigmoid").link == "sigmoid"


def test_questions_with_fewer_candidates_are_refused_or_left_out() -> None:
    sizes = {"a": 16, "b": 16, "c": 1, "d": 16, "e": 0, "f": 32}
    with pytest.raises(ConfigError, match="2 of 6 questions have fewer than 16 candidates; the first is c with 1"):
        full_questions(sizes)
    assert full_questions(sizes, "leave-out") == ["a", "b", "d", "f"]
    assert full_questions(sizes, "leave-out", n=1) == ["a", "b", "c", "d", "f"]
    assert full_questions(sizes, "leave-out", n=20) == ["f"]
    with pytest.raises(ConfigError, match="1 of 6 questions have fewer than 1 candidates; the first is e with 0"):
        full_questions(sizes, n=1)
    with pytest.raises(ConfigError, match="no question has 64 candidates"):
        full_questions(sizes, "leave-out", n=64)
    with pytest.raises(ConfigError, match="2 of 2 questions have fewer than 1 candidates"):
        full_questions({"a": 0, "b": 0})
    assert full_questions({"a": 4, "b": 4}) == ["a", "b"]
    # As common as each other: nobody loses candidates in silence.
    with pytest.raises(ConfigError, match="1 of 2 questions have fewer than 8"):
        full_questions({"a": 4, "b": 8})


def test_refusals() -> None:
    with pytest.raises(ConfigError, match=r"n = 5 .* question q0 .*\(4\)"):
        curves(POOLS, ns=[1, 5])
    with pytest.raises(ConfigError, match="n = 0"):
        curves(POOLS, ns=[0])
    with pytest.raises(ConfigError, match="no questions"):
        curves([], ns=[1])
    with pytest.raises(ConfigError, match="part of the questions"):
        curves([pool(1, 4), pool(2, 4, scored=False)], ns=[1])
    with pytest.raises(ConfigError, match="middle"):
        curves(POOLS, "middle", ns=[1])  # type: ignore[arg-type]
    with pytest.raises(DataError, match="question q: .* differ in number"):
        QuestionPool("q", np.array([True]), ("a", "b"))
    infinite = QuestionPool("q", np.array([True]), ("a",), np.array([np.inf]))
    with pytest.raises(DataError, match="infinite"):
        curves([infinite], "weighted-vote", ns=[1])
