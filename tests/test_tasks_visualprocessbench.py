"""VisualProcessBench: a row becomes a labelled solution, or a clear error."""

from __future__ import annotations

from typing import Any

import pytest

from vpbench import DataError, ImageRef, StepTask
from vpbench.plugins import find_task


@pytest.fixture(scope="module")
def task() -> StepTask:
    instance = find_task("visualprocessbench").cls()
    assert isinstance(instance, StepTask)
    return instance


def row(steps: list[str], labels: list[Any]) -> dict[str, Any]:
    return {
        "image": ["images/1.png"],
        "question": "How many?",
        "answer": "2",
        "policy_model": "a policy",
        "data_source": "WeMath",
        "response": {"steps": steps, "process_correctness": labels},
    }


def test_steps_are_kept_as_they_are(task: StepTask) -> None:
    images = (ImageRef("one"), ImageRef("two"))
    solution = task.solution(row(["First.\n\nStill first.", " Second "], [1, -1]), images, 5)
    assert solution.candidate.steps == ("First.\n\nStill first.", " Second ")
    assert solution.labels == (1, -1)
    assert (solution.source, solution.candidate.policy) == ("WeMath", "a policy")
    assert (solution.question.text, solution.question.images) == ("How many?", images)
    assert solution.candidate.question_id == solution.question.id


def test_ids_are_unique_by_row(task: StepTask) -> None:
    ids = {task.solution(row(["Step."], [1]), (), index).question.id for index in range(3)}
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("steps", "labels", "message"),
    [
        (["One.", "Two."], [1], "row 5 .*2 steps but 1 labels"),
        ([], [], "row 5 .*0 steps"),
        (["One."], [2], "row 5 .*label 2"),
        (["One."], [None], "row 5 .*label None"),
    ],
)
def test_steps_and_labels_that_dont_fit_are_an_error(
    task: StepTask, steps: list[str], labels: list[Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        task.solution(row(steps, labels), (), 5)


def test_a_missing_column_is_a_key_error(task: StepTask) -> None:
    with pytest.raises(KeyError):
        task.solution({"question": "?"}, (), 0)
