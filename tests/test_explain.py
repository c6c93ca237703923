"""`vpbench explain`: what was read, by which rule, and what it was compared with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from small_runs import vpbench

from vpbench import Question, Verdict
from vpbench.cli import main
from vpbench.grade import grade_answer, grade_labels
from vpbench.grade.reading.final import PLACES
from vpbench.store.codec import VERDICTS

CHOICES = ("red", "green", "dark blue", "4.5 m")
OPTIONS = [
    # response, the place, the rule
    ("Thus \\boxed{B}.", "box", "its label"),
    ("<answer>dark blue</answer>", "tag", "its text"),
    ("We look at it for a while.\nThe answer is 4.5.", "stated", "its value"),
    ("(C)", "whole", "its label"),
    (
        "There are many lines in the picture. Therefore the line has to be green. Have a nice day, and so on.",
        "conclusion",
        "its words",
    ),
]
NUMBERS = [
    ("integer", "7", "The answer is 7.", "stated", "the whole answer"),
    (
        "integer",
        "7",
        "Counting all of them we see that there are 7 of the round ones in it, which is many.",
        "sentence",
        "the number that its sentence gives",
    ),
    ("float", "0.5", "\\boxed{\\frac12}", "box", "the whole answer"),
]


def explained(*arguments: object, response: str = "") -> Result:
    return CliRunner().invoke(main, ["explain", *map(str, arguments)], input=response, catch_exceptions=False)


def document(*arguments: object, response: str = "") -> dict[str, Any]:
    done = explained(*arguments, "--format", "json", response=response)
    assert done.exit_code == 0, done.output
    whole: dict[str, Any] = json.loads(done.stdout)
    return whole


@pytest.mark.parametrize(("response", "place", "rule"), OPTIONS)
def test_the_rule_by_which_an_option_is_read(response: str, place: Any, rule: str) -> None:
    question = Question("t", "1", "Which colour?", choices=CHOICES, answer="C", answer_type="choice")
    trace = dict(grade_answer(question, response, gold_choice=2).trace)
    assert trace["final answer"] == PLACES[place]
    assert trace["option"] == rule
    assert trace["compared with"] == "C: dark blue"


@pytest.mark.parametrize(("kind", "gold", "response", "place", "rule"), NUMBERS)
def test_the_rule_by_which_a_number_is_read(kind: Any, gold: str, response: str, place: Any, rule: str) -> None:
    question = Question("t", "1", "How many?", answer=gold, answer_type=kind, precision=1)
    verdict = grade_answer(question, response)
    trace = dict(verdict.trace)
    assert (verdict.correct, trace["final answer"], trace["value"]) == (True, PLACES[place], rule)
    assert trace["compared with"].startswith(gold)


def test_the_rule_by_which_labels_are_read() -> None:
    question = Question("t", "1", "Which two?", answer="A, C", answer_type="labels")
    trace = dict(grade_labels(question, "The answer is C and A.", ["A", "C"]).trace)
    assert trace["compared with"] == "A, C"
    assert trace["final answer"] == "a place that gives nothing but labels"


def test_thoughts_are_no_part_of_the_reply() -> None:
    question = Question("t", "1", "How many?", answer="7", answer_type="integer")
    assert dict(grade_answer(question, "<think>5, no 6</think>It is 7").trace)["reply"] == "It is 7"


def test_how_it_was_read_is_neither_stored_nor_compared() -> None:
    verdict = Verdict("7", "number:7", True, "match", (("reply", "7"),))
    assert verdict == Verdict("7", "number:7", True, "match")
    assert VERDICTS.to_row(verdict) == {
        "extracted": "7",
        "answer_class": "number:7",
        "correct": True,
        "reason": "match",
    }


def test_both_gradings_side_by_side(tmp_path: Path) -> None:
    file = tmp_path / "reply.txt"
    file.write_text("We add 5 and 4 and halve.\nThe answer is 4.5", encoding="utf-8")
    whole = document("--task", "mathvista", "--nano", "--id", 1, "--response", file)
    assert (whole["robust"]["correct"], whole["robust"]["final_answer"]) == (True, "said to be the answer")
    assert whole["official"]["reason"] == "no answer (rule-only)"
    text = explained("--task", "mathvista", "--nano", "--id", 1, "--response", "-", response="The answer is 4.5").output
    assert "said to be the answer" in text
    assert "the benchmark's own rule" in text


def test_the_row_of_a_result(tmp_path: Path) -> None:
    run = ("run", "--task", "mathvista", "--nano", "--critic", "self-consistency", "--limit", 2, "--n", "1,2")
    assert vpbench(*run, "--output", tmp_path).exit_code == 0
    (folder,) = (tmp_path / "results").iterdir()
    whole = document(folder, "--id", 1, "--index", 3)
    assert whole["task"] == "mathvista"
    assert whole["robust"]["compared_with"].startswith(whole["gold_answer"])
    for arguments, message in [
        (("--id", 1, "--index", 9999), "no candidate 9999; there are 0, 1,"),
        (("--id", "x"), "has no question 'x'; there are 2, such as"),
        (("--id", 1, "--task", "mathvista"), "leave --task and --response out"),
    ]:
        done = explained(folder, *arguments)
        assert (done.exit_code, message in done.output) == (2, True), done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--task", "mathvista", "--nano", "--id", "1x", "--response", "-"), "no question '1x'; there are 64, such as"),
        (
            ("--task", "mathvista", "--nano", "--id", "1", "--response", "nowhere.txt"),
            "--response nowhere.txt: can't be read",
        ),
        (("--task", "mathvista", "--nano", "--id", "1"), "give --task and --response FILE (or -)"),
        (("--id", "1"), "or the folder of a RESULT"),
        (("--task", "mathvisto", "--nano", "--id", "1", "--response", "-"), "mathvista"),
        (("--task", "visualprocessbench", "--nano", "--id", "1", "--response", "-"), "explain reads answers"),
        (("--task", "mathvista", "--nano", "--id", "1", "--response", "-", "--index", "1"), "--index is a candidate's"),
    ],
)
def test_what_is_wrong_is_named(arguments: tuple[str, ...], message: str) -> None:
    done = explained(*arguments)
    assert done.exit_code == 2, done.output
    assert message in done.output
