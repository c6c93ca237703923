"""What `vpbench nano build` makes of the models it has trained: questions, candidates, labelled solutions."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from vpbench.base import StepTask
from vpbench.cli import main
from vpbench.data import load_questions, load_solutions
from vpbench.data.miniature import POOL, nano_model
from vpbench.generate import read_pool
from vpbench.nano import build, recipe
from vpbench.nano.conversations import nano_tasks
from vpbench.nano.datasets import draw_questions
from vpbench.plugins import all_tasks


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a build of tiny size, from the shipped policy."""
    folder = tmp_path_factory.mktemp("build")
    with pytest.MonkeyPatch.context() as patch:
        for name, size in (("QUESTIONS", 1), ("CANDIDATES", 3), ("SOLUTIONS", 30)):
            patch.setattr(build, name, size)
        build.write_data(folder, nano_model("policy"), build.draw_shipped(()))
    return folder


@pytest.mark.parametrize("kind", sorted(nano_tasks()))
def test_every_task_gets_its_drawn_questions_and_a_pool_that_names_no_folder(data: Path, kind: str) -> None:
    task = nano_tasks()[kind]
    questions = load_questions(task, data / task.name).questions
    drawn = draw_questions(kind, build.QUESTION_SEED, 1)
    expected = [task.question(task.nano_row(question, number), ()) for number, question in drawn]
    assert [(question.id, question.text, question.answer) for question in questions.values()] == [
        (question.id, question.text, question.answer) for question in expected if question
    ]
    pool = read_pool(data / task.name / POOL)
    assert list(pool.rows) == list(questions)
    for rows in pool.rows.values():
        assert [row.candidate.index for row in rows] == [0, 1, 2]
        assert {row.candidate.policy for row in rows} == {"nano"}
        assert all("Answer: " in row.candidate.response for row in rows)


def test_labelled_solutions_are_sampled_and_end_with_the_truth_about_the_answer(data: Path) -> None:
    (task,) = [
        plugin.cls() for plugin in all_tasks().values() if plugin.cls.nano_kind and issubclass(plugin.cls, StepTask)
    ]
    solutions = load_solutions(task, data / task.name).solutions
    assert len(solutions) == 30
    assert {label for solution in solutions for label in solution.labels} == {1, -1}
    plain = [solution for solution in solutions if "(A)" not in solution.question.text]
    assert {solution.labels[-1] for solution in plain} == {1, -1}
    for solution in plain:
        last = (solution.candidate.steps or ())[-1]
        given = last.removeprefix("Answer: ")
        assert (solution.labels[-1] == 1) == (last.startswith("Answer: ") and given == solution.question.answer), last


def test_a_folder_that_holds_anything_is_refused_before_any_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(*_: Any) -> None:
        raise AssertionError("trained")

    monkeypatch.setattr(recipe, "build_models", train)
    (tmp_path / "scratch").mkdir()
    for into in (tmp_path, tmp_path / "file"):
        (tmp_path / "file").touch()
        done = CliRunner().invoke(main, ["nano", "build", "--into", str(into)])
        assert done.exit_code == 2
        assert "isn't an empty folder" in done.output
    with pytest.raises(AssertionError, match="trained"):
        build.build(tmp_path / "new", lambda _: None)
