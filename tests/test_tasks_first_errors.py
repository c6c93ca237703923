"""The text step tasks: what becomes of a row, and their measures on rows of the benchmarks themselves.

`shared/steps` holds rows of both in a layout of its own, which is turned back into the hub's columns here.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from shared_data import compared, shared_rows
from small_runs import vpbench

from vpbench import DataError, LabelledSolution, StepTask
from vpbench.data import load_solutions
from vpbench.plugins import find_task
from vpbench.report.stored import read_result
from vpbench.stats import first_error_accuracy, step_f1

FIRST_ERRORS = {
    "id": "math-7",
    "generator": "a policy",
    "problem": "Compute.",
    "steps": ["One.", "Two.", "Three."],
    "final_answer_correct": False,
    "label": 1,
    "__split__": "math",
}
EDITED = {
    "idx": "circular_prm_test_p1_7",
    "classification": "circular",
    "modified_question": "What is x?",
    "modified_process": ["One.", "Two.", "Three."],
    "error_steps": [2, 9],
}
SPLITS = ("gsm8k", "math", "olympiadbench", "omnimath")


def solution_of(name: str, row: dict[str, Any], **changed: Any) -> LabelledSolution:
    task = find_task(name).cls()
    assert isinstance(task, StepTask)
    return task.solution({**row, **changed}, (), 5)


@pytest.mark.parametrize(("label", "labels"), [(0, (-1, 0, 0)), (1, (1, -1, 0)), (2, (1, 1, -1)), (-1, (1, 1, 1))])
def test_steps_after_the_first_error_are_neutral(label: int, labels: tuple[int, ...]) -> None:
    solution = solution_of("processbench", FIRST_ERRORS, label=label)
    assert solution.labels == labels
    assert (solution.question.id, solution.source, solution.candidate.policy) == ("math-7", "math", "a policy")
    assert solution.candidate.steps == ("One.", "Two.", "Three.")


@pytest.mark.parametrize("changed", [{"label": 3}, {"label": -2}, {"label": None}, {"label": True}, {"steps": []}])
def test_a_label_that_is_no_step_s_index_is_an_error(changed: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="solution math-7: label"):
        solution_of("processbench", FIRST_ERRORS, **changed)


def test_error_steps_count_from_one_and_may_lie_outside() -> None:
    solution = solution_of("prmbench", EDITED)
    assert solution.labels == (1, -1, 1)
    assert (solution.question.id, solution.source) == ("circular_prm_test_p1_7/5", "circular")
    assert solution.question.group == "prm_test_p1_7"
    with pytest.raises(DataError, match="no steps"):
        solution_of("prmbench", EDITED, modified_process=[])


def write(folder: Path, files: dict[str, list[dict[str, Any]]]) -> Path:
    folder.mkdir()
    for name, rows in files.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def first_error_rows() -> dict[str, list[dict[str, Any]]]:
    files = defaultdict(list)
    for row in shared_rows("steps/processbench.jsonl.gz", "steps", "labels"):
        first = row["first_error"]
        files[row["source"].partition("/")[2]].append(
            {
                "id": row["id"],
                "generator": row["meta"]["generator"],
                "problem": row["question"],
                "steps": row["steps"],
                "final_answer_correct": row["final_answer_correct"],
                "label": -1 if first is None else first,
            }
        )
    return files


def test_rows_of_the_benchmark_are_read_and_measured_by_its_own_rule(tmp_path: Path) -> None:
    files = first_error_rows()
    assert files.keys() == set(SPLITS)
    folder = write(tmp_path / "data", files)
    task: Any = find_task("processbench").cls()
    solutions = load_solutions(task, folder).solutions
    rows = [row for split in SPLITS for row in files[split]]
    assert [solution.question.id for solution in solutions] == [row["id"] for row in rows]
    scores = tmp_path / "scores.jsonl"
    # A critic that misses every third solution's error, and calls the last step of every fifth wrong.
    values = []
    for number, row in enumerate(rows):
        given = [0.9] * len(row["steps"])
        if row["label"] >= 0 and number % 3:
            given[row["label"]] = 0.2
        if number % 5 == 0:
            given[-1] = 0.1
        values.append(given)
    lines = [{"question_id": row["id"], "step_scores": given} for row, given in zip(rows, values, strict=True)]
    scores.write_text("".join(json.dumps(line) + "\n" for line in lines))
    arguments = ["--data", folder, "--scores", scores, "--resamples", 100, "--output", tmp_path / "runs"]
    done = vpbench("run", "--task", "processbench", *arguments)
    assert done.exit_code == 0, done.output
    (path,) = (tmp_path / "runs" / "results").glob("*/result.json")
    result: Any = read_result(path).result
    expected = {}
    for split in SPLITS:
        hits: dict[bool, list[bool]] = {True: [], False: []}
        for row, given in zip(rows, values, strict=True):
            if row["id"].startswith(split):
                called = next((position for position, value in enumerate(given) if value < 0.5), -1)
                hits[row["label"] == -1].append(called == row["label"])
        with_error, without = (sum(hits[kind]) / len(hits[kind]) for kind in (False, True))
        expected[split] = 2 * with_error * without / (with_error + without)
    by_source = result.step_f1.first_errors.by_source
    assert {name: part.harmonic_mean for name, part in by_source.items()} == pytest.approx(expected)
    assert result.metric == "mean_first_error_f1"
    value, low, high = result.headline
    assert value == pytest.approx(sum(expected.values()) / 4)
    assert low < value < high < low + 0.1
    shown = done.output.partition("first-error F1 %")[2].splitlines()
    (headline,) = (line.split() for line in shown[:9] if line.startswith("mean of sources"))
    assert headline[3] == f"{100 * value:.1f}"
    compared("solutions", "processbench", len(rows))


def test_rows_of_the_edited_benchmark_have_their_labels_back(tmp_path: Path) -> None:
    rows = [
        row for row in shared_rows("steps/prmbench.jsonl.gz", "steps", "labels") if row["source"] != "prmbench/correct"
    ]
    hub = [
        {
            "idx": row["id"],
            "classification": row["source"].partition("/")[2],
            "modified_question": row["question"],
            "modified_process": row["steps"],
            "error_steps": [position for position, label in enumerate(row["labels"], 1) if label == -1],
        }
        for row in rows
    ]
    task: Any = find_task("prmbench").cls()
    solutions = load_solutions(task, write(tmp_path / "data", {"train": hub})).solutions
    assert [list(solution.labels) for solution in solutions] == [row["labels"] for row in rows]
    assert len({solution.source for solution in solutions}) == 9
    # PRMScore is the mean of both F1 over all steps together: always "correct" has no F1 of wrong steps.
    labels = [solution.labels for solution in solutions]
    report = step_f1(labels, [[1.0] * len(row) for row in labels], 0.5, [solution.source for solution in solutions])
    share = sum(label == 1 for row in labels for label in row) / sum(map(len, labels))
    assert report.pooled.macro_f1 == pytest.approx(share / (1 + share))
    assert first_error_accuracy(labels, [[1.0] * len(row) for row in labels], 0.5).accuracy_with_error == 0.0
    compared("solutions", "prmbench", len(rows))
