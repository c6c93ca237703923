"""What a step learns from: solutions dealt out, steps chosen, labels weighed."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from vpbench import Candidate, ConfigError, LabelledSolution, Question, Recipe
from vpbench.train.batches import BatchPlan, plan_batches
from vpbench.train.examples import Example, label_weights, taught

_drawn = random.Random(1)
LENGTHS = [_drawn.randint(20, 400) for _ in range(103)]


def planned(
    size: int,
    tokens: int,
    processes: int,
    *,
    packing: bool,
    epochs: int = 1,
    seed: int = 0,
    lengths: list[int] = LENGTHS,
) -> BatchPlan:
    recipe = Recipe(batch_size=size, batch_tokens=tokens, epochs=epochs, seed=seed, packing=packing)
    return plan_batches(lengths, recipe, processes)


@pytest.mark.parametrize("packing", [True, False])
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_every_epoch_has_every_solution_once_and_no_micro_batch_is_too_large(packing: bool, processes: int) -> None:
    plan = planned(10, 900, processes, epochs=2, seed=5, packing=packing)
    assert plan.steps == 22 and len(plan.micro) == 22 * plan.per_step and plan.per_step % processes == 0
    counted = [number for micro in plan.micro if micro.counted for number in micro.solutions]
    assert sorted(counted) == sorted([*range(103), *range(103)])
    assert [micro.step for micro in plan.micro] == sorted(micro.step for micro in plan.micro)
    for micro in plan.micro:
        lengths = [LENGTHS[number] for number in micro.solutions]
        assert len(lengths) == 1 or (sum(lengths) if packing else len(lengths) * max(lengths)) <= 900


@pytest.mark.parametrize("packing", [True, False])
def test_the_number_of_processes_and_their_memory_change_no_step(packing: bool) -> None:
    def steps(processes: int, tokens: int) -> list[Counter[int]]:
        by_step: dict[int, Counter[int]] = {}
        for micro in planned(10, tokens, processes, seed=5, packing=packing).micro:
            by_step.setdefault(micro.step, Counter()).update(micro.solutions if micro.counted else ())
        return list(by_step.values())

    assert steps(1, 9000) == steps(2, 9000) == steps(3, 500)
    assert steps(1, 9000) != steps(1, 9000)[::-1]


def test_another_seed_is_another_order() -> None:
    first, second = (planned(10, 9000, 1, seed=seed, packing=True).micro[0].solutions for seed in (0, 1))
    assert set(first) != set(second)


def test_fewer_solutions_than_processes_are_filled_up_without_counting() -> None:
    plan = planned(10, 9000, 2, packing=True, lengths=[50])
    assert [(micro.solutions, micro.counted) for micro in plan.micro] in (
        [((0,), True), ((0,), False)],
        [((0,), False), ((0,), True)],
    )


def test_padded_batches_hold_similar_lengths() -> None:
    def padding(packing: bool) -> int:
        micro = planned(10, 10**6, 1, packing=packing).micro
        lengths = [[LENGTHS[number] for number in batch.solutions] for batch in micro]
        return sum(len(batch) * max(batch) - sum(batch) for batch in lengths)

    assert padding(packing=False) < padding(packing=True) / 3


def solution(labels: tuple[int, ...]) -> LabelledSolution:
    steps = tuple(f"step {number}" for number in range(len(labels)))
    return LabelledSolution(Question("t", "1", "q"), Candidate("1", 0, "\n\n".join(steps), steps=steps), labels, "f")


@pytest.mark.parametrize(
    ("recipe", "labels", "count", "expected"),
    [
        (Recipe(), (1, -1, 0, 1), 4, (1, -1, 0, 1)),
        (Recipe(until_first_error=True), (1, 0, -1, 1), 3, (1, 0, -1)),
        (Recipe(until_first_error=True), (1, 1), 2, (1, 1)),
        (Recipe(unit="response"), (1, -1, -1), 1, (-1,)),
    ],
)
def test_which_steps_and_labels_are_taught(
    recipe: Recipe, labels: tuple[int, ...], count: int, expected: tuple[int, ...]
) -> None:
    steps, learned = taught(solution(labels), recipe)
    assert (len(steps), learned) == (count, expected)
    if recipe.unit == "response":
        assert steps == ("step 0\n\nstep 1\n\nstep 2",)


def test_class_weights_give_both_labels_the_same_total() -> None:
    examples = [Example(Question("t", "1", "q"), (), labels, 1, 0) for labels in ((1, 1, 1, 0), (1, -1))]
    assert label_weights(examples, class_weights=False) == {1: 1, -1: 1, 0: 0}
    weights = label_weights(examples, class_weights=True)
    assert weights[0] == 0 and 4 * weights[1] == pytest.approx(1 * weights[-1]) == pytest.approx(5 / 2)


@pytest.mark.parametrize(
    "settings",
    [
        {"batch_size": 0},
        {"epochs": 0},
        {"warmup": 1.0},
        {"learning_rate": 0.0},
        {"label_rule": "both"},
        {"unit": "response", "label_rule": "advantage"},
        {"unit": "response", "until_first_error": True},
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Recipe(**settings)
