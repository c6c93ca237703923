"""Questions that the models have met are found, by drawing again exactly what training drew."""

import itertools
import random
from functools import partial
from types import SimpleNamespace

import torch
from click.testing import CliRunner

from vpbench.ablate import gates, overlap
from vpbench.ablate.gates import Pooled
from vpbench.ablate.measuring import graded_candidates
from vpbench.ablate.overlap import content, learned_from
from vpbench.cli import main
from vpbench.data.miniature import nano_model
from vpbench.nano import tuning
from vpbench.nano.conversations import Conversations, nano_tasks
from vpbench.nano.datasets import draw_questions
from vpbench.nano.families import KINDS
from vpbench.nano.language import Words, read_ids
from vpbench.nano.recipe import FINE_TUNING_SEED, WorldRecipe
from vpbench.nano.tuning import Round
from vpbench.plugins import all_critics
from vpbench.run.request import Request

EQUAL = dict.fromkeys(KINDS, 1)
SMALL = WorldRecipe(
    rounds=(Round(1, 4, EQUAL, describe=True), Round(18, 20, EQUAL)),
    questions=7,
    hot_questions=7,
    slips=7,
    labelled_per_kind=1,
    seed=3,
)


def test_fine_tuning_is_drawn_again_as_it_was(monkeypatch):
    asked = []
    talk = Conversations(Words(read_ids(nano_model("policy"))), nano_tasks())
    spy = SimpleNamespace(
        words=talk.words, answered=talk.answered, asked=lambda question: asked.append(question) or talk.asked(question)
    )
    monkeypatch.setattr(tuning, "features", lambda native, pixels: torch.zeros(len(pixels), 1))
    batches = tuning.batches(None, spy, SMALL.seed + FINE_TUNING_SEED + 1, SMALL.rounds[1])
    list(itertools.islice(batches, SMALL.rounds[1].steps))
    again = list(itertools.islice(learned_from(SMALL), len(asked)))
    assert len(asked) == 2 * tuning.BATCH * tuning.BUFFER
    assert [content(question) for question in again] == [content(question) for question in asked]


def test_a_question_is_met_by_its_cells_and_not_by_its_seed(monkeypatch):
    (_, drawn), *_ = draw_questions("decimal", overlap.QUESTION_SEED, 1)
    monkeypatch.setattr(overlap, "learned_from", lambda recipe: [drawn])
    questions, solutions = overlap.met(SMALL)
    assert len(questions) == 1
    assert len(solutions) == overlap.SOLUTIONS
    assert not any(solutions)
    (twin,) = KINDS["decimal"](random.Random(8))
    monkeypatch.setattr(overlap, "learned_from", lambda recipe: [twin])
    assert overlap.met(SMALL)[0] == set()


def test_what_was_met_is_left_out_of_everything():
    names = [("t", "1"), ("t", "2"), ("u", "1")]
    pooled = Pooled({"c": ["a", "b", "c"]}, [["x"], ["y"], ["z"]], ["t/1", "t/2", "u/1"], names)
    left = pooled.without({("t", "2")})
    assert left == Pooled({"c": ["a", "c"]}, [["x"], ["z"]], ["t/1", "u/1"], [names[0], names[2]])


def test_gates_are_reported_on_all_questions_and_without_those_that_were_met(tmp_path, monkeypatch):
    monkeypatch.setattr(gates, "Request", partial(Request, limit=2))
    critics = gates.default_critics()
    assert [all_critics()[name].cls.nano_settings["model"] for name in critics] == list(gates.MODELS)
    first, *_ = graded_candidates(Request(nano=True, limit=2, output=tmp_path)).names
    monkeypatch.setattr(gates, "met", lambda recipe: ({first}, [True, False]))
    result = CliRunner().invoke(main, ["ablate", "gates", *critics[:2], "--output", str(tmp_path)])
    assert result.exit_code == 0, result.output
    whole, without = result.output.split(
        f"Without 1 questions (1 of {first[0]}) and 1 labelled solutions that were met:"
    )
    for section in (whole, without):
        assert "| accuracy, % | 1 | 2 | 4 | 8 | 16 | 32 | 64 | 128 |\n|---|" in section
        assert f"| {critics[0]} - {critics[1]} | " in section
        assert "\npooled step macro-F1: " in section
    assert whole.strip() != without.strip()
