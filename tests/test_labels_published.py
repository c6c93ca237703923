"""Rows of public sets of step labels, told by their columns; questions that two sets share."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from shared_data import shared_files

from vpbench import DataError
from vpbench.labels.overlap import Questions
from vpbench.labels.read import read_labelled

FIRST_ERROR = {"id": "gsm8k-0", "problem": "3 + 4?", "steps": ["a", "b", "c"], "label": 1}
EDITED = {
    "idx": "circular_1",
    "modified_question": "3 + 4?",
    "modified_process": ["a", "b", "c"],
    "error_steps": [2, 9],
}
RATED: dict[str, Any] = {
    "question": {"problem": "3 + 4?"},
    "label": {
        "steps": [
            {"completions": [{"text": "x", "rating": -1}, {"text": "a", "rating": 1}], "chosen_completion": 1},
            {"completions": [{"text": "b", "rating": -1}], "human_completion": None, "chosen_completion": None},
        ]
    },
}
MARKED = {
    "input": "3 + 4? Step 1: a ки\nStep 2: b - c ки",
    "label": "3 + 4? Step 1: a +\nStep 2: b - c -",
    "task": "GSM8K",
}
PLAIN = {"source": "s", "question": "3 + 4?", "steps": ["a", "b", "c"], "labels": [1, -1, None]}


def write(folder: Path, row: dict[str, Any]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text(json.dumps(row) + "\n")
    return path


@pytest.mark.parametrize(
    ("row", "steps", "labels"),
    [
        (FIRST_ERROR, "a b c", (1, -1, 0)),
        ({**FIRST_ERROR, "label": -1}, "a b c", (1, 1, 1)),
        (EDITED, "a b c", (1, -1, 1)),
        (RATED, "a b", (1, -1)),
        (PLAIN, "a b c", (1, -1, 0)),
    ],
)
def test_a_row_is_told_by_its_columns(tmp_path: Path, row: dict[str, Any], steps: str, labels: tuple[int, ...]) -> None:
    (solution,) = read_labelled(write(tmp_path, row))
    assert solution.question.text == "3 + 4?" and solution.candidate.steps == tuple(steps.split())
    assert solution.labels == labels


def test_marked_text_is_cut_where_the_labels_stand(tmp_path: Path) -> None:
    (solution,) = read_labelled(write(tmp_path, MARKED))
    assert solution.question.text == "3 + 4?" and solution.labels == (1, -1)
    assert solution.candidate.steps == ("Step 1: a", "Step 2: b - c")


def test_a_step_written_by_hand_is_right_and_what_has_no_rating_neutral(tmp_path: Path) -> None:
    written = {"completions": [], "human_completion": {"text": "by hand", "rating": None}, "chosen_completion": None}
    last = {"completions": [{"text": "c", "rating": None}], "human_completion": None, "chosen_completion": None}
    never = {"completions": [{"text": "d", "rating": 1}], "human_completion": None, "chosen_completion": 0}
    row = {**RATED, "label": {"steps": [RATED["label"]["steps"][0], written, last, never]}}
    (solution,) = read_labelled(write(tmp_path, row))
    assert solution.candidate.steps == ("a", "by hand", "c") and solution.labels == (1, 1, 0)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**FIRST_ERROR, "label": 3}, "`label` is 3 for 3 steps"),
        ({**FIRST_ERROR, "label": True}, "`label` is True"),
        ({**FIRST_ERROR, "steps": "a"}, "`steps` must be a list"),
        ({**FIRST_ERROR, "steps": [1]}, "`steps` 0 must be a string"),
        ({**EDITED, "error_steps": ["2"]}, "numbers of steps, counted from 1"),
        ({**RATED, "label": {"steps": [{"completions": []}]}}, "`chosen_completion`"),
        ({**RATED, "question": "3 + 4?"}, "`question.problem`"),
        ({**MARKED, "label": "3 + 4? Step 1: a +\nStep 2: b - d -"}, "isn't `input` with"),
        ({**MARKED, "label": "3 + 4? Step 1: a ?\nStep 2: b - c -"}, "isn't `input` with"),
        ({**MARKED, "input": "3 + 4? a ки", "label": "3 + 4? a +"}, "'Step 1:'"),
        ({**PLAIN, "labels": [1, -1]}, "3 steps but 2 labels"),
        ({**PLAIN, "labels": [1, 2, None]}, "labels are 1"),
    ],
)
def test_a_bad_row_is_named_with_what_it_should_be(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=f"line 1: .*{message}"):
        list(read_labelled(write(tmp_path, row)))


def test_the_collected_sets_have_the_labels_that_their_list_counts() -> None:
    (listed,) = shared_files("steps/README.md")
    counted = {}
    for line in listed.read_text().splitlines():
        cells = [cell.strip().replace(",", "") for cell in line.split("|")]
        if len(cells) > 4 and cells[1].endswith(".jsonl.gz") and "/" in cells[3]:
            right, neutral, wrong, unlabelled = map(int, cells[3].split("/"))
            counted[cells[1]] = (int(cells[2]), right, neutral + unlabelled, wrong)
    assert len(counted) == 9
    for path in shared_files("steps/*.jsonl.gz"):
        solutions = list(read_labelled(path))
        labels = Counter(label for solution in solutions for label in solution.labels)
        assert (len(solutions), labels[1], labels[0], labels[-1]) == counted[path.name]


def test_questions_that_two_sets_share_are_told() -> None:
    words = [f"word{number}" for number in range(16)]
    tested = Questions.of([" ".join(words), "What is $3+4$?"])
    assert tested.overlap("what is 3 + 4") == "exact" and tested.overlap(" ".join(words).upper() + ".") == "exact"
    assert tested.overlap(" ".join([*words[:-4], "a", "b", "c", "d"])) == "near"
    assert tested.overlap(" ".join([*words[:-5], "a", "b", "c", "d", "e"])) is None
    assert tested.overlap("what is 3 + 5") is None and tested.overlap("") is None
