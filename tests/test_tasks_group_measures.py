"""Metrics of groups (worst cases, states of mastery): expectations against drawing candidates, and their edges."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from vpbench import Measure, Question, Task
from vpbench.plugins import find_task
from vpbench.report.measures import measures_of
from vpbench.stats import expected_best


def task(name: str) -> Task:
    instance = find_task(name).cls()
    assert isinstance(instance, Task)
    return instance


def pools(questions: int, size: int, seed: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Scores and correctness [questions, size]; scores tell a little."""
    random = np.random.default_rng(seed)
    correct = random.random((questions, size)) < random.uniform(0.5, 0.95, (questions, 1))
    return random.normal(size=correct.shape) + correct, correct


WEMATH = [
    Question("wemath", f"{g}/{key}", "", group=str(g), categories={"knowledge_concept": concept, "steps": "any"})
    for g, (steps, concept) in enumerate([(2, "Parallel"), (3, "Translation"), (2, "Rotation")])
    for key in (*(f"{steps}steps_{k + 1}" for k in range(steps)), f"{steps}steps_multi")
]
DYNAMATH = [
    Question(
        "dynamath",
        f"{g}/variant{v}",
        "",
        group=str(g),
        categories={"subject": "algebra" if g % 2 else "statistics", "knowledge_level": "high school", "variant": v},
    )
    for g in range(4)
    for v in (1, 2, 3)
]


def measures(name: str, questions: list[Question], correctness: np.ndarray[Any, Any]) -> dict[str, Measure]:
    listed = measures_of(task(name), questions, correctness)
    return {"/".join(filter(None, (measure.name, measure.category, measure.label))): measure for measure in listed}


def states_by_counting(questions: list[Question], picked: np.ndarray[Any, Any]) -> dict[str, float]:
    """WeMath's figures of one drawing, in the words of their definition."""
    groups: dict[str, dict[bool, list[bool]]] = {}
    for question, right in zip(questions, picked, strict=True):
        groups.setdefault(str(question.group), {}).setdefault(question.id.endswith("multi"), []).append(bool(right))
    counts = Counter[str]()
    for group in groups.values():
        every, some, (whole,) = all(group[False]), any(group[False]), group[True]
        for mode, enough in (("strict", every), ("loose", some)):
            if whole:
                counts[f"{'complete_mastery' if enough else 'rote_memorization'}_{mode}_rate"] += 1
        if not whole:
            counts["inadequate_generalization_rate" if every else "insufficient_knowledge_rate"] += 1
    rates = {name: count / len(groups) for name, count in counts.items()}
    half = rates.get("inadequate_generalization_rate", 0) / 2
    return rates | {
        f"score_{mode}": rates.get(f"complete_mastery_{mode}_rate", 0) + half for mode in ("strict", "loose")
    }


def worst_cases_by_counting(questions: list[Question], picked: np.ndarray[Any, Any]) -> dict[str, float]:
    """DynaMath's worst cases of one drawing, in the words of their definition."""
    seeds: dict[tuple[str, str], list[bool]] = {}
    for question, right in zip(questions, picked, strict=True):
        seeds.setdefault((str(question.group), question.categories["subject"]), []).append(bool(right))
    worst_cases = {"": [all(rights) for rights in seeds.values()]}
    for (_, subject), rights in seeds.items():
        worst_cases.setdefault(f"/subject/{subject}", []).append(all(rights))
    return {f"worst_case_accuracy{part}": sum(rights) / len(rights) for part, rights in worst_cases.items()}


@pytest.mark.parametrize(
    ("name", "questions", "by_counting"),
    [("wemath", WEMATH, states_by_counting), ("dynamath", DYNAMATH, worst_cases_by_counting)],
)
def test_expected_measures_equal_drawing(name: str, questions: list[Question], by_counting: Any) -> None:
    """Measures of expectations against the same figures of drawn answers, within five standard errors."""
    size, n, draws = 6, 3, 4_000
    scores, correct = pools(len(questions), size, seed=5)
    expected = np.array([expected_best(s, c) for s, c in zip(scores, correct, strict=True)])
    computed = measures(name, questions, expected)
    subsets = np.random.default_rng(6).random((draws, *correct.shape)).argsort(axis=2)[:, :, :n]
    rows = np.arange(len(questions))
    best = np.argmax(scores[rows[:, None], subsets], axis=2)
    picked = correct[rows, np.take_along_axis(subsets, best[:, :, None], axis=2)[:, :, 0]]
    drawings = [by_counting(questions, answers) for answers in picked]
    figures = {figure for drawing in drawings for figure in drawing}
    assert task(name).metric in figures
    for figure in figures:
        drawn = np.array([drawing.get(figure, 0.0) for drawing in drawings])
        error = drawn.std() / np.sqrt(draws)
        measure = computed[figure]
        closed_form = (measure.weights @ measure.values)[n - 1] / measure.weights.sum()
        assert error > 0 and abs(closed_form - drawn.mean()) < 5 * error, figure
        of_means = measures(name, questions, (expected > 0.5).astype(float))[figure]
        if figure == task(name).metric:
            other = (of_means.weights @ of_means.values)[n - 1] / of_means.weights.sum()
            assert abs(other - closed_form) > 5 * error, "the metric of averages would be another figure"


def test_the_headline_is_one_of_the_measures() -> None:
    for name, questions in (("wemath", WEMATH), ("dynamath", DYNAMATH)):
        correctness = pools(len(questions), 4, seed=7)[0] % 1
        groups = list(dict.fromkeys(question.group for question in questions))
        members = [[index for index, question in enumerate(questions) if question.group == group] for group in groups]
        values = [task(name).group_value([questions[index] for index in rows], correctness[rows]) for rows in members]
        headline = measures(name, questions, correctness)[task(name).metric]
        assert headline.count == len(groups)
        assert headline.figure() == pytest.approx(np.mean(values, axis=0), abs=1e-12)


def test_ratios_and_their_division_by_zero() -> None:
    right = np.array([[1.0], [1], [1], [1], [0], [1], [0], [0], [0], [0], [0], [0]])
    figures = measures("dynamath", DYNAMATH, right)
    assert figures["accuracy"].figure()[0] == pytest.approx(5 / 12)
    assert figures["worst_case_accuracy"].figure()[0] == 1 / 4
    assert figures["reasoning_robustness"].figure()[0] == pytest.approx((1 / 4) / (5 / 12))
    assert figures["worst_case_accuracy/subject/statistics"].figure()[0] == 1 / 2
    assert figures["worst_case_accuracy/subject/algebra"].count == 2
    assert measures("dynamath", DYNAMATH, 0 * right)["reasoning_robustness"].figure()[0] == 0
    wholes = np.array([[float(question.id.endswith("multi"))] for question in WEMATH])
    assert measures("wemath", WEMATH, wholes)["rote_memorization_loose_rate"].figure()[0] == 1
    assert measures("wemath", WEMATH, 1 - wholes)["rote_memorization_strict_rate"].figure()[0] == 0


def test_measures_of_partial_data_are_defined() -> None:
    step = WEMATH[0]
    figures = measures("wemath", [step], np.array([[1.0, 0.2]]))
    assert figures["score_strict"].figure().tolist() == [0.5, 0.1]
    assert figures["rote_memorization_strict_rate"].figure().tolist() == [0, 0]
    assert figures["accuracy/domain/Understanding of Plane Figures"].figure().tolist() == [1.0, 0.2]
    for name in ("dynamath", "wemath", "logicvista"):
        bare = measures(name, [Question(name, "7/2steps_1", "")], np.array([[1.0]]))
        assert bare["accuracy"].figure()[0] == 1 and not any("subject" in figure for figure in bare)
