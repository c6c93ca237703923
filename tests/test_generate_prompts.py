"""What a policy is asked, and that the answer line it is asked for is read by the tasks' own graders."""

from __future__ import annotations

import dataclasses

import pytest

from vpbench import ImageRef, Question, Task
from vpbench.data import load_questions
from vpbench.data.miniature import FOLDER, nano_folder
from vpbench.plugins import all_tasks
from vpbench.prompts import chain_of_thought


def _takes_candidates(name: str) -> bool:
    return name in all_tasks() and issubclass(all_tasks()[name].cls, Task)


@pytest.mark.parametrize(
    ("fields", "form"),
    [
        ({"choices": ("red", "blue")}, "the letter of the right option"),
        ({"answer_type": "choice"}, "the letter of the right option"),
        ({"answer_type": "labels"}, "all labels with commas between them if several are right"),
        ({"answer_type": "integer", "unit": "cm"}, "one whole number, in cm"),
        ({"answer_type": "float", "precision": 2}, "one number in decimal notation with 2 decimals"),
        ({"answer_type": "float", "precision": 1}, "one number in decimal notation with 1 decimal"),
        ({"answer_type": "list"}, "a list in square brackets"),
        ({"answer_type": "open"}, "the answer alone, as short as it can be put"),
    ],
)
def test_the_answer_line_fits_the_answer(fields: dict[str, object], form: str) -> None:
    asked = chain_of_thought(Question(task="t", id="1", text="How many?", **fields))  # type: ignore[arg-type]
    assert asked.startswith("How many?\n\n")
    assert "a blank line between paragraphs" in asked
    assert "\nAnswer: X\nwhere X is " in asked
    assert asked.endswith(f"{form}.")


def test_images_are_spoken_of_where_there_are_any() -> None:
    question = Question(task="t", id="1", text="How many?")
    assert "image" not in chain_of_thought(question)
    seen = chain_of_thought(dataclasses.replace(question, images=(ImageRef("one"),)))
    assert seen.replace("look at the image, ", "") == chain_of_thought(question)
    assert seen.startswith("How many?\n\nSolve this step by step: look at the image, write each step")


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir() if _takes_candidates(path.name)))
def test_an_answer_line_with_the_gold_answer_is_graded_right(name: str) -> None:
    task = all_tasks()[name].cls()
    assert isinstance(task, Task)
    for question in load_questions(task, nano_folder(name)).questions.values():
        gold = task.gold_response(question)
        response = f"The bars are read one by one.\n\nThen they are compared.\n\nAnswer: {gold}"
        assert task.grade(question, response, "robust").correct, (question.id, gold)
