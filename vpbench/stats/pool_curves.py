"""From pools to curves: correctness per question and n, for the critic and for the controls on the same pool."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vpbench.errors import ConfigError, DataError
from vpbench.records import Selection
from vpbench.stats import best_of_n, prefix
from vpbench.stats.voting import expected_vote
from vpbench.stats.weighted_vote import Link, vote_pool, vote_weights, weighted_votes

Array = NDArray[np.float64]
Estimator = Literal["expected", "prefix"]


@dataclass(frozen=True, slots=True, eq=False)
class QuestionPool:
    """One question's T candidates, in the order they were generated.

    `correct` [T] bool; `classes` T answer classes (None: no answer); `scores` [T] (NaN: unscored) or None where no
    critic ran; `group`: the cluster the question belongs to, where the benchmark has clusters.
    """

    question_id: str
    correct: NDArray[np.bool_]
    classes: tuple[str | None, ...]
    scores: Array | None = None
    group: Hashable = None

    def __post_init__(self) -> None:
        lengths = {len(self.correct), len(self.classes), len(self.correct if self.scores is None else self.scores)}
        if len(lengths) != 1:
            raise DataError(f"question {self.question_id}: verdicts, classes and scores differ in number; grade again")

    @property
    def size(self) -> int:
        """T, the number of candidates."""
        return len(self.correct)


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Correctness [Q, len(ns)] per question and n, as fractions of 1.

    `critic` is None where the pools hold no scores and the selection needs them, `vote` where candidates are right and
    none has an answer to vote for; `oracle` and `worst` are the most and
    the least that any critic could reach: a correct pick wherever there is one to pick, or a wrong one.
    `drawing_standard_error` [len(ns)] is that of the critic's mean over questions where it was drawn (weighted vote),
    else zero.
    """

    ns: tuple[int, ...]
    critic: Array | None
    vote: Array | None
    random: Array
    oracle: Array
    worst: Array
    first: Array
    drawing_standard_error: Array


def _check_ns(pools: Sequence[QuestionPool], ns: Sequence[int]) -> None:
    if not pools:
        raise ConfigError("no questions to compute curves from; check --limit and the pool")
    for n in ns:
        if n < 1:
            raise ConfigError(f"n = {n} can't be computed; --n starts at 1")
        for pool in pools:
            if n > pool.size:
                raise ConfigError(
                    f"n = {n} is more than question {pool.question_id} has candidates ({pool.size}); "
                    f"lower --n or complete the pool"
                )


def _answered(pools: Sequence[QuestionPool]) -> bool:
    """Whether the pools give answers; where none is given and none is right, a vote is wrong whatever they were."""
    answers = any(answer is not None for pool in pools for answer in pool.classes)
    return answers or not any(pool.correct.any() for pool in pools)


def _matrix(
    pools: Sequence[QuestionPool], column: NDArray[np.intp], curve_of: Callable[[QuestionPool], Array]
) -> Array:
    return np.array([curve_of(pool)[column] for pool in pools]).reshape(len(pools), len(column))


def _scores(pool: QuestionPool) -> Array:
    assert pool.scores is not None
    return pool.scores


def _critic(
    pools: Sequence[QuestionPool], selection: Selection, exact: bool, column: NDArray[np.intp], seed: int
) -> tuple[Array, Array]:
    none = np.zeros(len(column))
    if selection == "best":
        best = best_of_n.expected_best if exact else prefix.prefix_best
        return _matrix(pools, column, lambda pool: best(_scores(pool), pool.correct)), none
    if not exact:
        weighted = prefix.prefix_weighted_vote
        return _matrix(pools, column, lambda pool: weighted(_scores(pool), pool.classes, pool.correct)), none
    voters = [vote_pool(_scores(pool), pool.classes, pool.correct) for pool in pools]
    drawn = weighted_votes(voters, int(column.max(initial=-1)) + 1, seed)
    return drawn.values[:, column], drawn.standard_error[column]


def curves(
    pools: Sequence[QuestionPool],
    selection: Selection = "best",
    estimator: Estimator = "expected",
    ns: Sequence[int] = (1,),
    seed: int = 0,
    link: Link | None = None,
) -> Curves:
    """The critic's curve under `selection`, and the controls: majority vote, random pick, oracle, first candidate.

    `expected` averages over all n-subsets (exactly, but for weighted votes, which are drawn), `prefix` takes the first
    n. Pools may differ in size. `link` makes weights of scores for a weighted vote. Raises `ConfigError` for an n that
    some question can't serve, where only a part of the questions has scores, for a link that no weighted vote uses, for
    negative scores in one without, and for a vote where there are no answers.
    """
    _check_ns(pools, ns)
    if selection not in ("best", "vote", "weighted-vote") or estimator not in ("expected", "prefix"):
        raise ConfigError(f"unknown selection {selection!r} or estimator {estimator!r}")
    if link is not None and selection != "weighted-vote":
        raise ConfigError(f"link {link!r} makes weights of scores; selection {selection!r} has none, leave it out")
    exact = estimator == "expected"
    column = np.asarray(ns, dtype=np.intp) - 1
    voting = expected_vote if exact else prefix.prefix_vote
    vote = None
    if _answered(pools):
        vote = _matrix(pools, column, lambda pool: voting(pool.classes, pool.correct))
    elif selection != "best":
        raise ConfigError(
            f"selection {selection!r} needs answers, and the pool gives none (`prediction`); pick the best"
        )
    oracle = best_of_n.expected_oracle if exact else prefix.prefix_oracle
    picked = best_of_n.expected_random if exact else prefix.prefix_random
    scored = {pool.scores is not None for pool in pools}
    critic, error = (vote if selection == "vote" else None), np.zeros(len(column))
    if selection != "vote" and len(scored) > 1:
        raise ConfigError("only a part of the questions has scores; score the others or leave them out")
    if selection != "vote" and scored == {True}:
        if selection == "weighted-vote":
            weights = vote_weights([_scores(pool) for pool in pools], link)
            pools = [replace(pool, scores=values) for pool, values in zip(pools, weights, strict=True)]
        critic, error = _critic(pools, selection, exact, column, seed)
        if selection == "weighted-vote" and vote is not None:
            # one candidate wins by any weight, so nothing has to be drawn
            critic[:, column == 0], error[column == 0] = vote[:, column == 0], 0.0
    return Curves(
        ns=tuple(int(n) for n in ns),
        critic=critic,
        vote=vote,
        random=_matrix(pools, column, lambda pool: picked(pool.correct)),
        oracle=_matrix(pools, column, lambda pool: oracle(pool.correct)),
        worst=1 - _matrix(pools, column, lambda pool: oracle(~pool.correct)),
        first=_matrix(pools, column, lambda pool: best_of_n.first(pool.correct)),
        drawing_standard_error=error,
    )
