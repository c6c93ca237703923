"""Questions that the models have met are found, by drawing again exactly what training drew."""

import itertools
import random
from types import SimpleNamespace

import torch

from vpbench.ablate import overlap
from vpbench.ablate.gates import Pooled
from vpbench.ablate.overlap import content, learned_from
from vpbench.data.miniature import nano_model
from vpbench.nano import tuning
from vpbench.nano.conversations import Conversations, nano_tasks
from vpbench.nano.datasets import draw_questions
from vpbench.nano.families import KINDS
from vpbench.nano.language import Words, read_ids
from vpbench.nano.recipe import FINE_TUNING_SEED, WorldRecipe
from vpbench.nano.tuning import Round

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
        words=talk.words, answered=talk.answered, asked=lambda each: asked.append(each) or talk.asked(each)
    )
    monkeypatch.setattr(tuning, "features", lambda native, pixels: torch.zeros(len(pixels), 1))
    batches = tuning.batches(None, spy, SMALL.seed + FINE_TUNING_SEED + 1, EQUAL, False)
    list(itertools.islice(batches, SMALL.rounds[1].steps))
    again = list(itertools.islice(learned_from(SMALL), len(asked)))
    assert len(asked) == 2 * tuning.BATCH * tuning.BUFFER
    assert [content(each) for each in again] == [content(each) for each in asked]


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
