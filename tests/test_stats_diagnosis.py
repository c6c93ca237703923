"""Each statement appears where its cause was planted, with the right figure, and nowhere else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vpbench.errors import DataError
from vpbench.records import Selection
from vpbench.stats import (
    AGGREGATIONS,
    Difference,
    Headline,
    QuestionPool,
    aggregate,
    curves,
    diagnose,
    diagnose_steps,
    holm,
    outcome_above_process,
)
from vpbench.stats.rank_correlation import spearman, within_question_correlation

QUESTIONS, SIZE = 300, 8


def healthy(seed: int = 0, skill: float = 1.0, questions: int = QUESTIONS) -> list[QuestionPool]:
    """Half right, two wrong answers, scores that follow correctness as far as `skill` says."""
    rng = np.random.default_rng(seed)
    pools = []
    for index in range(questions):
        correct = rng.random(SIZE) < 0.5
        scores = 1 / (1 + np.exp(-skill * (2.0 * correct - 1.0) - rng.normal(0, 1, SIZE)))
        answers = tuple("right" if right else f"wrong {number % 2}" for number, right in enumerate(correct))
        pools.append(QuestionPool(f"q{index}", correct, answers, scores))
    return pools


def reported(
    pools: Sequence[QuestionPool],
    selection: Selection = "best",
    ns: Sequence[int] = (1, 2, 4, 8),
    estimator: Any = "expected",
    resamples: int = 1000,
) -> Headline:
    """The headline of questions that are units of their own."""
    made = curves(pools, selection, estimator, ns)
    assert made.critic is not None
    names = tuple(pool.question_id for pool in pools)
    return Headline(made.ns, made.critic, made.random, made.vote, made.oracle, names, resamples)


def statements_on(
    pools: Sequence[QuestionPool], selection: Selection = "best", ns: Sequence[int] = (1, 2, 4, 8), **more: Any
) -> list[str]:
    return diagnose(pools, reported(pools, selection, ns), selection, **more)


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
    assert statements_on(pools, threshold=0.5, aggregation="mean", lengths=lengths, step_counts=lengths) == []
    assert statements_on(pools, "vote") == []


def test_candidates_too_alike() -> None:
    pools = [replace(p, correct=np.full(SIZE, i % 2 == 0)) for i, p in enumerate(healthy())]
    pools[0] = healthy()[0]
    statement = only(statements_on(pools), "candidates too alike")
    mixed = int(pools[0].correct.any() and not pools[0].correct.all())
    assert f"only {mixed} of {QUESTIONS} questions" in statement
    assert f"{100 * (1 - pools[0].correct.mean()) / QUESTIONS:+.1f} points" in statement


def test_constant_scores() -> None:
    pools = [replace(pool, scores=np.ones(SIZE)) for pool in healthy()]
    statements = statements_on(pools)
    assert any(
        f"in {QUESTIONS} of {QUESTIONS} questions with different responses all candidates" in statement
        for statement in statements
    )
    assert any(
        "vote is plain" in statement
        for statement in statements_on(pools, "weighted-vote")
        if statement.startswith("scores constant")
    )
    assert statements_on(pools, "vote") == []


def test_identical_responses_are_the_pools_and_not_blamed_on_the_critic() -> None:
    pools = [
        replace(pool, correct=np.full(SIZE, index % 2 == 0), classes=("x",) * SIZE, scores=np.full(SIZE, 0.7))
        if index < 180
        else pool
        for index, pool in enumerate(healthy(skill=3.0))
    ]
    distinct = [1] * 180 + [SIZE] * 120
    statement = only(
        statements_on(pools, distinct=distinct), "identical candidates: one distinct response in 180 of 300"
    )
    assert "no critic can choose" in statement
    assert statements_on(healthy(), distinct=[SIZE] * QUESTIONS) == []
    few = [1] * 20 + [SIZE] * 280
    assert statements_on(healthy(), distinct=few) == []
    lazy = [replace(pool, scores=np.full(SIZE, 0.7)) for pool in pools]
    assert any("in 120 of 120 questions with different" in text for text in statements_on(lazy, distinct=distinct))
    with pytest.raises(DataError, match="1 numbers of distinct responses for 300"):
        statements_on(healthy(), distinct=[1])


def solved(
    seed: int,
    aggregation: str = "mean",
    wrong_steps: float = 0.2,
    questions: int = 120,
    sizes: tuple[int, int] = (3, 9),
) -> tuple[list[QuestionPool], list[list[list[float]]]]:
    """Solutions of 3 to 8 steps; a wrong one has one wrong step, around which its score is `wrong_steps`."""
    rng = np.random.default_rng(seed)
    pools, step_scores = [], []
    for pool in healthy(seed, questions=questions):
        solutions = []
        for right in pool.correct:
            steps = np.full(int(rng.integers(*sizes)), 0.9)
            if not right:
                steps[rng.integers(len(steps))] = wrong_steps
            solutions.append(np.clip(steps + rng.normal(0, 0.05, len(steps)), 0.01, 0.99).tolist())
        step_scores.append(solutions)
        pools.append(replace(pool, scores=np.array([aggregate(steps, aggregation) for steps in solutions])))
    return pools, step_scores


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_always_positive_is_said_of_step_scores_whatever_the_aggregation(aggregation: str) -> None:
    pools, steps = solved(0, aggregation)
    good = statements_on(pools, threshold=0.5, aggregation=aggregation, step_scores=steps)
    assert not any(statement.startswith("always-positive") for statement in good)
    pools, steps = solved(0, aggregation, wrong_steps=0.8)
    blind = statements_on(pools, threshold=0.5, aggregation=aggregation, step_scores=steps)
    wrong = sum(int((~pool.correct).sum()) for pool in pools)
    (statement,) = [statement for statement in blind if statement.startswith("always-positive")]
    assert f"in 100.0% of the {wrong} wrong candidates every step scores above 0.5" in statement
    for more in ({"threshold": None}, {"threshold": 0.9}, {"threshold": 0.5, "step_scores": None}):
        statements = statements_on(pools, **{"aggregation": aggregation, "step_scores": steps, **more})
        assert not any(statement.startswith("always-positive") for statement in statements)


def test_step_scores_have_to_match() -> None:
    pools, steps = solved(0)
    with pytest.raises(DataError, match="question q0: step scores of 7 candidates, there are 8"):
        statements_on(pools, threshold=0.5, step_scores=[steps[0][:7], *steps[1:]])
    with pytest.raises(DataError, match="step scores for 1 questions but 120 pools"):
        statements_on(pools, threshold=0.5, step_scores=steps[:1])


def test_the_aggregation_is_named_where_it_alone_makes_scores_follow_length() -> None:
    pools, steps = solved(0, "product")
    counts = [[float(len(solution)) for solution in question] for question in steps]
    facts = {"step_counts": counts, "aggregation": "product", "step_scores": steps}
    statement = only(statements_on(pools, **facts), "score follows step count: shorter is scored higher")
    assert "the cause is `product`, not the critic" in statement
    # A critic that itself scores steps of longer solutions lower: the mean follows too, and nothing is excused.
    steps = [[[value - 0.05 * len(solution) for value in solution] for solution in question] for question in steps]
    pools = [
        replace(pool, scores=np.array([aggregate(solution, "product") for solution in question]))
        for pool, question in zip(pools, steps, strict=True)
    ]
    statement = only(statements_on(pools, **{**facts, "step_scores": steps}), "score follows step count: shorter")
    assert "the cause" not in statement


def test_score_follows_length_but_not_by_way_of_correctness() -> None:
    pools = healthy(skill=2.0)
    planted = lengths_of(pools, 2, on_score=2.0, on_correct=0.0)
    statement = only(statements_on(pools, lengths=planted), "score follows response length: longer is scored higher")
    correlation = within_question_correlation(pools, planted)
    assert correlation is not None and correlation.value > 0.3 and f"{correlation.value:+.2f}" in statement
    confounded = lengths_of(pools, 3, on_score=0.0, on_correct=2.0)
    plain = [spearman(p.scores, x) for p, x in zip(pools, confounded, strict=True) if p.scores is not None]
    assert float(np.mean([rho for rho in plain if rho is not None])) < -0.4
    assert statements_on(pools, lengths=confounded) == []
    few = pools[:10]
    assert not any("follows" in line for line in statements_on(few, lengths=planted[:10]))
    short = lengths_of(pools, 4, on_score=-2.0, on_correct=0.0)
    only(statements_on(pools, step_counts=short), "score follows step count: shorter is scored higher")


def test_openings_inflate_max() -> None:
    falling = [[[0.9, 0.6, 0.5, 0.4]] * SIZE] * QUESTIONS
    statement = only(statements_on(healthy(), aggregation="max", step_scores=falling), "early steps inflate `max`")
    assert f"in 100% of {QUESTIONS * SIZE} solutions" in statement and "25% by chance" in statement
    assert statements_on(healthy(), aggregation="mean", step_scores=falling) == []
    rising = [[[0.4, 0.5, 0.6, 0.9]] * SIZE] * QUESTIONS
    assert statements_on(healthy(), aggregation="max", step_scores=rising) == []
    level = [[[0.9] * 4] * SIZE] * QUESTIONS
    assert statements_on(healthy(), aggregation="max", step_scores=level) == []


def test_interval_too_wide() -> None:
    worse, wide = statements_on(healthy(1, skill=0.0, questions=60))
    assert worse.startswith("worse than the majority vote") and wide.startswith(
        "interval too wide to conclude: at n = 8"
    )
    assert statements_on(healthy(1, skill=3.0, questions=60)) == []


def test_incomplete_pool_and_scores() -> None:
    pools = healthy()
    pool = pools[0]
    assert pool.scores is not None
    pools[0] = QuestionPool("q0", pool.correct[:3], pool.classes[:3], pool.scores[:3])
    gaps = np.array(pools[1].scores)
    gaps[:2] = np.nan
    pools[1] = replace(pools[1], scores=gaps)
    statements = statements_on(pools, ns=(1, 2))
    assert f"1 of {QUESTIONS} questions have fewer than 8 candidates (the fewest: 3)" in statements[0]
    assert f"2 of {QUESTIONS * SIZE - 5} candidates" in statements[1]
    assert len(statements) == 2


def test_sizes_have_to_match() -> None:
    with pytest.raises(DataError, match="question q0: 1 sizes for 8"):
        statements_on(healthy(), lengths=[[1.0]] * QUESTIONS)
    with pytest.raises(DataError, match="sizes for 2 questions"):
        statements_on(healthy(), lengths=[[1.0] * SIZE] * 2)


def test_spearman() -> None:
    assert spearman([1, 2, 3], [10, 20, 30]) == pytest.approx(1.0)
    assert spearman([1, 2, 2, 5], [4, 3, 3, 1]) == pytest.approx(-1.0)
    assert spearman([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(0.8)
    assert spearman([1, 1, 1], [1, 2, 3]) is None


def planted(curve: Sequence[float], control: Sequence[float], seed: int = 0, units: int = 400) -> Headline:
    """Units right with the probabilities `curve` at n = 1, 2, 4, ...; the columns of a unit go together."""
    rng = np.random.default_rng(seed)
    level = rng.random((units, 1))
    critic, other = (0.5 * (level < np.array(p)) + 0.5 * (rng.random((units, len(p))) < p) for p in (curve, control))
    ns = tuple(2**k for k in range(len(curve)))
    names = tuple(range(units))
    return Headline(ns, critic, other, other, np.ones((units, len(curve))), names, resamples=500)


FLAT = (0.5,) * 5


def curve_statements(headline: Headline, selection: Selection = "best") -> list[str]:
    """What is said of these figures, the pool giving no reason to say anything."""
    return diagnose(healthy(questions=60), headline, selection)


def heads(statements: list[str]) -> list[str]:
    return [statement.split(":")[0] for statement in statements]


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ((0.5, 0.4, 0.35, 0.3, 0.3), ["worse than a random pick", "worse than the majority vote"]),
        ((0.5, 0.6, 0.7, 0.65, 0.55), ["falls with n"]),
        ((0.5, 0.55, 0.6, 0.45, 0.3), ["worse than a random pick", "worse than the majority vote", "falls with n"]),
        ((0.5, 0.6, 0.7, 0.75, 0.8), []),
        ((0.5, 0.6, 0.65, 0.65, 0.65), []),
    ],
)
def test_statements_on_the_curve(curve: tuple[float, ...], expected: list[str]) -> None:
    assert heads(curve_statements(planted(curve, FLAT))) == expected
    not_chosen_by_scores = [head for head in expected if head != "falls with n"]
    assert heads(curve_statements(planted(curve, FLAT), "vote")) == not_chosen_by_scores


def test_the_statements_are_about_the_reported_units_n_and_resamples() -> None:
    headline = planted((0.5, 0.4, 0.3, 0.3, 0.2), FLAT)
    worst = headline.differences(headline.critic, headline.random)[4]
    assert (
        f"{100 * worst.value:+.1f} points ({100 * worst.low:+.1f} to {100 * worst.high:+.1f}) at n = 16"
        in curve_statements(headline)[0]
    )
    wide = planted((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), units=40)
    reversed_ns = replace(wide, ns=(4, 2, 1))
    assert "at n = 4 the gain" in only(curve_statements(wide), "interval too wide")
    # The column of the largest n, wherever it stands.
    assert (
        curve_statements(reversed_ns) != curve_statements(wide)
        and "at n = 4 the gain" in curve_statements(reversed_ns)[-1]
    )
    assert curve_statements(replace(wide, ns=(1, 1, 1))) == []
    of_groups = replace(wide, clusters=tuple(number // 4 for number in range(40)))
    assert curve_statements(of_groups) != curve_statements(wide)


def test_an_outcome_critic_above_a_process_critic() -> None:
    def compared(outcome: Sequence[float], process: Sequence[float], seed: int = 0) -> list[str]:
        headline = planted(outcome, process, seed)
        differences = headline.differences(headline.critic, headline.random)
        return outcome_above_process(headline.ns, differences, holm([difference.p_value for difference in differences]))

    only(compared((0.5, 0.6, 0.7), (0.5, 0.55, 0.55)), "outcome critic above process critic: +")
    assert compared((0.5, 0.55, 0.55), (0.5, 0.6, 0.7)) == []
    # Above at n = 2 only
    assert compared((0.5, 0.7, 0.5), (0.5, 0.5, 0.6)) == []
    assert outcome_above_process([1], [Difference(0.1, 0.05, 0.2, 0.001)], [0.001]) == []
    assert sum(bool(compared(FLAT, FLAT, seed)) for seed in range(200)) / 200 < 0.05


@pytest.mark.parametrize("curve", [FLAT, (0.5, 0.6, 0.65, 0.65, 0.65)])
def test_false_alarms_of_the_statements_on_the_curve(curve: tuple[float, ...]) -> None:
    """A critic as good as its control, and one whose gain stays where it is: 300 worlds."""
    counts: Counter[str] = Counter()
    for seed in range(300):
        counts.update(heads(curve_statements(planted(curve, FLAT, seed, units=150))))
    for head in ("worse than a random pick", "worse than the majority vote", "falls with n"):
        assert counts[head] / 300 < 0.05, counts


@pytest.mark.parametrize("aggregation", ["mean", "min", "log-odds-sum", "max"])
def test_false_alarms_on_a_good_critic(aggregation: str) -> None:
    """A process critic that is right, on pools that differ: no statement is made in more than 5% of 40 worlds."""
    counts: Counter[str] = Counter()
    for seed in range(40):
        pools, steps = solved(seed, aggregation, sizes=(5, 6))
        lengths = lengths_of(pools, seed, on_score=0.0, on_correct=1.0)
        facts = {"lengths": lengths, "step_scores": steps, "distinct": [SIZE] * 120}
        counts.update(heads(statements_on(pools, threshold=0.5, aggregation=aggregation, **facts)))
    if aggregation == "max":  # the best step says nothing of a wrong one: a random pick, which loses to the vote
        for head in ("interval too wide to conclude", "worse than the majority vote"):
            counts.pop(head, None)
    assert all(count / 40 < 0.05 for count in counts.values()), counts


def test_steps() -> None:
    labels = [[1, 1, -1]] * 60
    assert diagnose_steps(labels, [[0.9, 0.8, 0.2]] * 60, 0.5) == []
    assert "100.0% of the 60 incorrect steps" in only(diagnose_steps(labels, [[0.9, 0.8, 0.7]] * 60, 0.5), "always-pos")
    assert diagnose_steps(labels[:20], [[0.9, 0.8, 0.7]] * 20, 0.5) == []
    assert any(
        "all 180 labelled steps score 0.3" in statement for statement in diagnose_steps(labels, [[0.3] * 3] * 60, 0.5)
    )
    assert "60 of 180" in only(diagnose_steps(labels, [[None, 0.8, 0.2]] * 60, 0.5), "scores incomplete")


def test_steps_ranked_worse_than_chance() -> None:
    rng = np.random.default_rng(0)
    labels = [[int(label) for label in rng.choice([1, -1], 5, p=[0.7, 0.3])] for _ in range(80)]
    upside_down = [[0.5 - 0.1 * label + rng.normal(0, 0.1) for label in row] for row in labels]
    only(diagnose_steps(labels, upside_down, 0.5), "worse than chance: AUROC 0.")
    assert diagnose_steps(labels, [[1 - score for score in row] for row in upside_down], 0.5) == []
    shifts = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        # Scores that go by the solution, not the step, as do the labels: its steps aren't independent.
        chance = [(rng.normal(0, 1) + rng.normal(0, 0.3, 5)).tolist() for _ in range(80)]
        labels = [[1 if value < share else -1 for value in rng.random(5)] for share in rng.random(80)]
        shifts += any(line.startswith("worse than chance") for line in diagnose_steps(labels, chance, 0.5))
    assert shifts / 300 < 0.05
