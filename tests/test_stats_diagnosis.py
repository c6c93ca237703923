"""Each statement appears where its cause was planted, with the right figure, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vpbench.errors import DataError
from vpbench.stats import QuestionPool, diagnose, diagnose_steps
from vpbench.stats.rank_correlation import spearman, within_question_correlation

QUESTIONS, SIZE = 300, 8


def healthy(seed: int = 0, skill: float = 1.0, questions: int = QUESTIONS) -> list[QuestionPool]:
    """Half right, wrong answers all different, scores that follow correctness as far as `skill` says."""
    rng = np.random.default_rng(seed)
    pools = []
    for index in range(questions):
        correct = rng.random(SIZE) < 0.5
        scores = 1 / (1 + np.exp(-skill * (2.0 * correct - 1.0) - rng.normal(0, 1, SIZE)))
        answers = tuple("right" if right else f"wrong {number}" for number, right in enumerate(correct))
        pools.append(QuestionPool(f"q{index}", correct, answers, scores))
    return pools


def lengths_of(pools: list[QuestionPool], seed: int, on_score: float, on_correct: float) -> list[list[float]]:
    rng = np.random.default_rng(seed)
    lengths = []
    for pool in pools:
        assert pool.scores is not None
        length = 500 + 400 * on_score * pool.scores - 200 * on_correct * pool.correct + rng.normal(0, 60, SIZE)
        lengths.append([float(value) for value in length])
    return lengths


def only(statements: list[str], start: str) -> str:
    assert len(statements) == 1, statements
    assert statements[0].startswith(start), statements
    return statements[0]


def test_a_healthy_run_gets_no_statement() -> None:
    pools = healthy()
    lengths = lengths_of(pools, 1, on_score=0.0, on_correct=0.0)
    assert diagnose(pools, threshold=0.5, aggregation="mean", lengths=lengths, step_counts=lengths) == []
    assert diagnose(pools, "vote") == []
    assert diagnose([]) == []


def test_candidates_too_alike() -> None:
    pools = [replace(p, correct=np.full(SIZE, i % 2 == 0)) for i, p in enumerate(healthy())]
    pools[0] = healthy()[0]
    statement = only(diagnose(pools), "candidates too alike")
    mixed = int(pools[0].correct.any() and not pools[0].correct.all())
    assert f"only {mixed} of {QUESTIONS} questions" in statement
    assert f"{100 * (1 - pools[0].correct.mean()) / QUESTIONS:+.1f} points" in statement


def test_constant_scores() -> None:
    pools = [replace(pool, scores=np.ones(SIZE)) for pool in healthy()]
    statements = diagnose(pools)
    assert any(
        f"in {QUESTIONS} of {QUESTIONS} questions all candidates have the same score" in statement
        for statement in statements
    )
    assert any(
        "plain one" in statement
        for statement in diagnose(pools, "weighted-vote")
        if statement.startswith("scores constant")
    )
    assert diagnose(pools, "vote") == []


def test_a_weighted_vote_of_negative_scores() -> None:
    pools = [replace(pool, scores=pool.scores - 100) for pool in healthy() if pool.scores is not None]
    assert only(diagnose(pools, "weighted-vote"), "weighted vote against the answer").count("100%") == 1
    for selection, several in (("best", pools), ("weighted-vote", healthy())):
        assert not any("weighted vote against" in statement for statement in diagnose(several, selection))


def test_always_positive() -> None:
    pools = [replace(pool, scores=0.9 + 0.1 * p) for pool in healthy() if (p := pool.scores) is not None]
    wrong = sum(int((~pool.correct).sum()) for pool in pools)
    assert f"100.0% of the {wrong} wrong candidates score above 0.5" in only(diagnose(pools, threshold=0.5), "always-p")
    assert diagnose(pools) == []
    assert diagnose(pools, threshold=0.95) == []


def test_score_follows_length_but_not_by_way_of_correctness() -> None:
    pools = healthy(skill=2.0)
    planted = lengths_of(pools, 2, on_score=2.0, on_correct=0.0)
    statement = only(diagnose(pools, lengths=planted), "score follows response length: longer is scored higher")
    correlation = within_question_correlation(pools, planted)
    assert correlation is not None and correlation.value > 0.3 and f"{correlation.value:+.2f}" in statement
    confounded = lengths_of(pools, 3, on_score=0.0, on_correct=2.0)
    plain = [spearman(p.scores, x) for p, x in zip(pools, confounded, strict=True) if p.scores is not None]
    assert float(np.mean([rho for rho in plain if rho is not None])) < -0.4
    assert diagnose(pools, lengths=confounded) == []
    few = pools[:10]
    assert not any("follows" in line for line in diagnose(few, lengths=planted[:10]))
    short = lengths_of(pools, 4, on_score=-2.0, on_correct=0.0)
    only(diagnose(pools, step_counts=short), "score follows step count: shorter is scored higher")


def test_openings_inflate_max() -> None:
    falling = [[[0.9, 0.6, 0.5, 0.4]] * SIZE] * QUESTIONS
    statement = only(diagnose(healthy(), aggregation="max", step_scores=falling), "early steps inflate `max`")
    assert f"in 100% of {QUESTIONS * SIZE} solutions" in statement and "25% by chance" in statement
    assert diagnose(healthy(), aggregation="mean", step_scores=falling) == []
    rising = [[[0.4, 0.5, 0.6, 0.9]] * SIZE] * QUESTIONS
    assert diagnose(healthy(), aggregation="max", step_scores=rising) == []
    level = [[[0.9] * 4] * SIZE] * QUESTIONS
    assert diagnose(healthy(), aggregation="max", step_scores=level) == []


def test_interval_too_wide() -> None:
    only(diagnose(healthy(1, skill=0.0, questions=60)), "interval too wide to conclude: at n = 8 the gain")
    assert diagnose(healthy(1, skill=3.0, questions=60)) == []


def test_incomplete_pool_and_scores() -> None:
    pools = healthy()
    pool = pools[0]
    assert pool.scores is not None
    pools[0] = QuestionPool("q0", pool.correct[:3], pool.classes[:3], pool.scores[:3])
    gaps = np.array(pools[1].scores)
    gaps[:2] = np.nan
    pools[1] = replace(pools[1], scores=gaps)
    statements = diagnose(pools)
    assert f"1 of {QUESTIONS} questions have fewer than 8 candidates (the fewest: 3)" in statements[0]
    assert f"2 of {QUESTIONS * SIZE - 5} candidates" in statements[1]
    assert len(statements) == 2
    empty = QuestionPool("none", np.zeros(0, dtype=bool), (), np.zeros(0))
    only(diagnose([*pools, empty]), f"pool incomplete: 1 of {QUESTIONS + 1} questions have no candidate")


def test_sizes_have_to_match() -> None:
    with pytest.raises(DataError, match="question q0: 1 sizes for 8"):
        diagnose(healthy(), lengths=[[1.0]] * QUESTIONS)
    with pytest.raises(DataError, match="sizes for 2 questions"):
        diagnose(healthy(), lengths=[[1.0] * SIZE] * 2)


def test_spearman() -> None:
    assert spearman([1, 2, 3], [10, 20, 30]) == pytest.approx(1.0)
    assert spearman([1, 2, 2, 5], [4, 3, 3, 1]) == pytest.approx(-1.0)
    assert spearman([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(0.8)
    assert spearman([1, 1, 1], [1, 2, 3]) is None


def test_steps() -> None:
    labels = [[1, 1, -1]] * 60
    assert diagnose_steps(labels, [[0.9, 0.8, 0.2]] * 60, 0.5) == []
    assert "100.0% of the 60 incorrect steps" in only(diagnose_steps(labels, [[0.9, 0.8, 0.7]] * 60, 0.5), "always-pos")
    assert diagnose_steps(labels[:20], [[0.9, 0.8, 0.7]] * 20, 0.5) == []
    assert any(
        "all 180 labelled steps score 0.3" in statement for statement in diagnose_steps(labels, [[0.3] * 3] * 60, 0.5)
    )
    assert "60 of 180" in only(diagnose_steps(labels, [[None, 0.8, 0.2]] * 60, 0.5), "scores incomplete")
