"""Units: questions, or groups where the metric is defined on groups, checked against simulated runs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from vpbench import GradingMode, Question, Source, Task, Verdict
from vpbench.report.units import CURVES, WORST, read_units, units_of, units_table
from vpbench.stats import QuestionPool, curves


class Plain(Task):
    name = "plain"
    title = "Plain"
    source = Source("me/plain", "test", 6, "MIT", ())

    def question(self, row: Mapping[str, Any], images: tuple[Any, ...]) -> Question:
        raise NotImplementedError

    def grade(self, question: Question, response: str, mode: GradingMode) -> Verdict:
        raise NotImplementedError


class WorstCase(Plain):
    """All questions of a group have to be right."""

    name = "worst"

    def group_value(self, questions: Sequence[Question], correctness: Any) -> Any:
        return correctness.prod(axis=0)


def pools(rng: np.random.Generator) -> tuple[list[Question], list[QuestionPool]]:
    questions = [Question("t", str(number), "", group="ab"[number % 2]) for number in range(6)]
    made = [
        QuestionPool(q.id, rng.random(5) < 0.7, tuple(map(str, range(5))), rng.random(5).round(1), q.group)
        for q in questions
    ]
    return questions, made


def test_without_groups_every_question_is_a_unit_in_its_cluster() -> None:
    questions, made = pools(np.random.default_rng(0))
    found = curves(made, ns=(1, 3))
    units = units_of(Plain(), questions, found)
    assert units.names == tuple("012345")
    assert units.clusters == tuple("ababab")
    assert np.array_equal(units.values["critic"], found.critic)


def test_a_grouped_metric_is_the_expectation_over_independent_draws() -> None:
    """Every joint draw of two candidates from each pool of a group, equal best ones picked equally often."""
    questions, made = pools(np.random.default_rng(1))
    units = units_of(WorstCase(), questions, curves(made, ns=(2,)))
    assert units.names == ("a", "b")
    chances = []
    for pool in made:
        assert pool.scores is not None
        draws = [list(draw) for draw in itertools.combinations(range(5), 2)]
        best = [[k for k in draw if pool.scores[k] == pool.scores[draw].max()] for draw in draws]
        chances.append([pool.correct[picks].mean() for picks in best])
    joint = [np.mean([math.prod(each) for each in itertools.product(*chances[start::2])]) for start in range(2)]
    assert units.values["critic"][:, 0] == pytest.approx(np.array(joint), abs=1e-12)
    plain = units_of(Plain(), questions, curves(made, ns=(2,))).values["critic"].mean()
    assert units.values["critic"].mean() < plain


def test_units_survive_a_round_trip() -> None:
    questions, made = pools(np.random.default_rng(2))
    units = units_of(WorstCase(), questions, curves(made, ns=(1, 2, 5)))
    again = read_units(units_table(units))
    assert (again.names, again.clusters, again.ns) == (units.names, units.clusters, units.ns)
    assert tuple(again.values) == (*CURVES, WORST)
    for name, matrix in again.values.items():
        assert matrix == pytest.approx(units.values[name], abs=0)
    assert tuple(read_units(units_table(units).drop_columns([WORST])).values) == CURVES
