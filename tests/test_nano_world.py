"""The miniature world's questions: what is drawn is true, is one picture, and goes through every task and grader."""

import random
import re

import pytest

from vpbench.data import load_questions, load_solutions
from vpbench.nano.conversations import nano_tasks
from vpbench.nano.datasets import Labelled, draw_questions, write_questions, write_solutions
from vpbench.nano.families import KINDS, draw_mixed
from vpbench.nano.pictures import CONTENTS, SIDE
from vpbench.nano.truth import outcome, slip, step_labels
from vpbench.plugins import all_tasks

OPERATION = re.compile(r"(\d+)([-+*])(\d+)=(\d+)")
SIGNS = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b}


@pytest.mark.parametrize("kind", KINDS)
def test_reference_solutions_compute_right_and_read_what_the_picture_holds(kind):
    for _, drawn in draw_questions(kind, 1, 60):
        held = [CONTENTS[index] for index in drawn.picture.content]
        for step in drawn.steps:
            for a, sign, b, result in OPERATION.findall(step):
                if step.endswith(f"{a}{sign}{b}={result}"):
                    assert SIGNS[sign](int(a), int(b)) == int(result), drawn
            read = re.fullmatch(r"([a-z]+) (\d)", step)
            if read and not read[1].endswith("s"):
                assert read[2] in held or f"bar {read[2]}" in held, drawn
            if read and read[1].endswith("s"):
                assert held.count(read[1][:-1]) == int(read[2]), drawn
        for fact in drawn.facts:
            for sign in re.findall(r"\d", fact):
                assert sign in held or f"bar {sign}" in held or held.count(fact.partition(" ")[0][:-1]) == int(sign)
        if drawn.options:
            assert len(set(drawn.options)) == 4
            assert drawn.options["ABCD".index(drawn.letter)] == drawn.answer


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_reads_its_rows_back_and_grades_the_reference_solution_right(kind, tmp_path):
    task = nano_tasks()[kind]
    write_questions(tmp_path, task, draw_questions(kind, 3, 24))
    read = load_questions(task, tmp_path)
    drawn = [question for _, question in draw_questions(kind, 3, 24)]
    assert len(read.questions) == len(drawn) >= 24
    by_text = {}
    for question in read.questions.values():
        assert question.images[0].open().size == (SIDE, SIDE)
        by_text.setdefault((question.images[0].read(), question.text_in_image or question.text), question)
    for member in drawn:
        question = next(
            question
            for (png, text), question in by_text.items()
            if png == member.picture.png() and text.startswith(member.text)
        )
        right = task.grade(question, "\n\n".join(member.solution), "robust")
        assert right.correct, (member, right)
        other = f"({chr(65 + (ord(member.letter) - 64) % 4)})" if member.options else "97"
        wrong = "Answer: A, B, C, D" if kind == "labels" else f"Answer: {other}"
        assert not task.grade(question, wrong, "robust").correct


def test_groups_are_whole():
    parts = {}
    for number, drawn in draw_questions("groups", 1, 60):
        parts.setdefault(number, []).append(drawn.part)
    roles = {2: ["2steps_1", "2steps_2", "2steps_multi"], 3: ["3steps_1", "3steps_2", "3steps_3", "3steps_multi"]}
    assert {tuple(names) for names in parts.values()} == {tuple(names) for names in roles.values()}
    variants = draw_questions("variants", 1, 30)
    assert [drawn.part for _, drawn in variants] == [str(number) for number in range(1, 11)] * 3
    assert len({drawn.text for number, drawn in variants if number == 1}) == 1


def test_the_same_seed_draws_the_same_pictures():
    first, again, other = (draw_mixed(random.Random(seed), 14) for seed in (5, 5, 6))
    assert [(question.solution, question.picture.png()) for question in first] == [
        (question.solution, question.picture.png()) for question in again
    ]
    assert [question.solution for question in first] != [question.solution for question in other]


def test_labels_follow_the_reference_and_the_answer_line_its_answer():
    (drawn,) = KINDS["decimal"](random.Random(1))
    steps = list(drawn.solution)
    assert step_labels(drawn, steps) == [True] * 4
    assert step_labels(drawn, ["red 99", *steps[1:]]) == [False, True, True, True]
    assert step_labels(drawn, [steps[0], steps[-1]]) == [True, True]
    assert step_labels(drawn, [steps[0], steps[2], steps[-1]]) == [True, False, True]
    assert outcome(drawn, ["nothing", steps[-1]])
    assert not outcome(drawn, steps[:-1])


def test_a_slip_changes_one_sign_of_one_step_and_its_answer_at_most():
    rng = random.Random(4)
    changed = 0
    for drawn in draw_mixed(rng, 300):
        slipped = slip(drawn, rng)
        differing = [number for number, (a, b) in enumerate(zip(drawn.solution, slipped, strict=True)) if a != b]
        assert len(differing) <= 2
        if len(differing) == 2:
            assert differing[1] == len(slipped) - 1
            result = re.search(r"\([A-D]\)$", slipped[-2]) if drawn.options else re.search(r"[^=]*$", slipped[-2])
            assert slipped[-1] == f"Answer: {result[0]}"
        changed += bool(differing)
    assert changed > 280


def test_the_step_task_reads_solutions_with_true_labels(tmp_path):
    task = next(plugin.cls() for plugin in all_tasks().values() if plugin.cls.nano_kind == "solutions")
    rng = random.Random(2)
    drawn = draw_mixed(rng, 5)
    solutions = [Labelled(solution, solution.text, "tables", slip(solution, rng), [True, False]) for solution in drawn]
    solutions = [
        Labelled(
            solution.drawn, solution.text, solution.source, solution.steps, step_labels(solution.drawn, solution.steps)
        )
        for solution in solutions
    ]
    write_solutions(tmp_path, task, solutions, "nano-policy")
    read = load_solutions(task, tmp_path).solutions
    assert [solution.candidate.steps for solution in read] == [tuple(solution.steps) for solution in solutions]
    assert [solution.labels for solution in read] == [
        tuple(1 if right else -1 for right in solution.labels) for solution in solutions
    ]
    assert read[0].question.images[0].open().size == (SIDE, SIDE)
