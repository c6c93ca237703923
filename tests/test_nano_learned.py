"""No question that ships was learned from: training's draws are drawn again exactly, and the files hold no twin."""

import itertools
import random
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from vpbench.ablate import gates
from vpbench.base import StepTask
from vpbench.cli import main
from vpbench.data import load_questions, load_solutions
from vpbench.data.miniature import nano_folder, nano_model
from vpbench.nano import tuning
from vpbench.nano.build import draw_shipped
from vpbench.nano.conversations import Conversations, as_question, nano_tasks
from vpbench.nano.datasets import content, draw_questions, draw_untaken
from vpbench.nano.families import KINDS, draw_mixed
from vpbench.nano.language import Words, read_ids
from vpbench.nano.learned import learned_from
from vpbench.nano.recipe import FINE_TUNING_SEED, WorldRecipe
from vpbench.nano.tuning import Round
from vpbench.plugins import all_critics, all_tasks
from vpbench.run.request import Request

EQUAL = dict.fromkeys(KINDS, 1)
SMALL = WorldRecipe(
    rounds=(Round(18, 20, EQUAL, describe=True), Round(18, 20, EQUAL)),
    questions=7,
    hot_questions=7,
    slips=7,
    labelled_per_kind=1,
    seed=3,
)


def test_fine_tuning_is_drawn_again_as_it_was(monkeypatch):
    drawn = []
    talk = Conversations(Words(read_ids(nano_model("policy"))), nano_tasks())
    draw = tuning.draw_mixed
    monkeypatch.setattr(tuning, "draw_mixed", lambda *arguments: drawn.extend(batch := draw(*arguments)) or batch)
    monkeypatch.setattr(tuning, "features", lambda native, pixels: torch.zeros(len(pixels), 1))
    spy = SimpleNamespace(words=talk.words, answered=talk.answered, asked=talk.asked, shown=talk.shown)
    for number, stage in enumerate(SMALL.rounds):
        batches = tuning.batches(None, spy, SMALL.seed + FINE_TUNING_SEED + number, stage)
        list(itertools.islice(batches, stage.steps))
    again = list(itertools.islice(learned_from(SMALL), len(drawn)))
    assert len(drawn) == 2 * 2 * tuning.BATCH * tuning.BUFFER
    assert [content(question) for question in again] == [content(question) for question in drawn]


def test_what_is_taken_is_drawn_anew_and_nothing_twice():
    plain = [question for _, question in draw_questions("shown", 1, 12)]
    contents = list(map(content, plain))
    taken = {contents[1], contents[4]}
    kept = draw_questions("shown", 1, 10, taken)
    assert [content(question) for _, question in kept] == [one for one in contents if one not in contents[1:5:3]]
    assert [number for number, _ in kept] == list(range(1, 11))
    assert len(taken) == 12

    mixed = list(map(content, draw_mixed(random.Random(2), 21)))
    refused = {one for one in mixed if one[0] == "shown"}
    again = list(map(content, draw_untaken(2, 21, set(refused))))
    assert [one[0] for one in again] == [one[0] for one in mixed]
    assert [one for one in again if one[0] != "shown"] == [one for one in mixed if one[0] != "shown"]
    assert len(set(again)) == 21
    assert not refused & set(again)


@pytest.fixture(scope="module")
def learned():
    """The contents of all that the shipped models learned from."""
    return set(map(content, learned_from(WorldRecipe())))


def test_nothing_that_ships_is_a_twin_of_what_was_learned_from_or_of_anything_else_that_ships(learned):
    shipped = draw_shipped(learned)
    tasks = nano_tasks()
    contents = []
    for kind, drawn in shipped.asked.items():
        stored = load_questions(tasks[kind], nano_folder(tasks[kind].name)).questions
        assert len(stored) == len(drawn)
        for number, question in drawn:
            written = stored[as_question(tasks[kind], question, number).id]
            assert written.answer == as_question(tasks[kind], question, number).answer
            assert np.array_equal(written.images[0].open(), question.picture.pixels)
            contents.append(content(question))
    (task,) = [
        plugin.cls() for plugin in all_tasks().values() if plugin.cls.nano_kind and issubclass(plugin.cls, StepTask)
    ]
    solutions = load_solutions(task, nano_folder(task.name)).solutions
    assert len(solutions) == len(shipped.solved)
    for solution, question in zip(solutions, shipped.solved, strict=True):
        assert np.array_equal(solution.question.images[0].open(), question.picture.pixels)
        contents.append(content(question))
    assert not learned.intersection(contents)
    assert len(set(contents)) == len(contents) == 875


def test_gates_are_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(gates, "Request", partial(Request, limit=2))
    critics = gates.default_critics()
    assert [all_critics()[name].cls.nano_settings["model"] for name in critics] == list(gates.MODELS)
    result = CliRunner().invoke(main, ["ablate", "gates", *critics[:2], "--output", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "| accuracy, % | 1 | 2 | 4 | 8 | 16 | 32 | 64 | 128 |\n|---|" in result.output
    assert f"| {critics[0]} - {critics[1]} | " in result.output
    assert "\npooled step macro-F1: " in result.output
